"""Run outside the checkout against an installed wheel: that it is complete, small and quick."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import cnnfast
from cnnfast import functional, models, nn, optim


def seconds(code: str) -> float:
    """The least of several runs of a fresh interpreter."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    package = Path(cnnfast.__file__).parent
    assert "site-packages" in package.parts, package
    assert (package / "py.typed").exists()
    assert not list(package.rglob("*.pyx")), "the wheel carries sources"

    model = models.lenet5(rng=np.random.default_rng(0))
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    images, labels, *_ = cnnfast.data.digits()
    losses = []
    for _ in range(40):
        logits, backward = model.forward(images[:64])
        loss, grad = criterion(logits, labels[:64])
        backward(grad, input_grad=False)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)
    assert losses[-1] < 0.5 * losses[0], losses
    assert functional.im2col(images[:1], 5).shape == (1, 25, 576)

    extra = 1000 * (seconds("import cnnfast") - seconds("import numpy"))
    print(f"import cnnfast takes {extra:.0f} ms more than import numpy")
    assert extra < 30, "importing should take under 30 ms more than NumPy"
    cnnfast.show_config()


if __name__ == "__main__":
    main()
