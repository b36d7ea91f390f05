"""Run outside the checkout against an installed wheel: that it is complete, small and quick."""

import subprocess
import sys
from pathlib import Path

import numpy as np

import cnnfast
from cnnfast import functional, models, nn, optim

TIME_IMPORT = """
import time, numpy
start = time.process_time()
import cnnfast
print(time.process_time() - start)
"""


def import_seconds() -> float:
    """Processor time of importing cnnfast, beyond NumPy's: the least of several interpreters."""
    command = [sys.executable, "-c", TIME_IMPORT]
    return min(float(subprocess.check_output(command, text=True)) for _ in range(7))


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

    extra = 1000 * import_seconds()
    print(f"import cnnfast takes {extra:.0f} ms more than import numpy")
    assert extra < 30, "importing should take under 30 ms more than NumPy"
    cnnfast.show_config()


if __name__ == "__main__":
    main()
