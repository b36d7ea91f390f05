"""LeNet-5: its shapes, its parameters, and that it learns."""

import numpy as np
import pytest

from cnnfast import models, nn, optim

SHAPES = {
    "conv1.weight": (6, 1, 5, 5),
    "conv1.bias": (6,),
    "conv2.weight": (16, 6, 5, 5),
    "conv2.bias": (16,),
    "fc1.weight": (120, 400),
    "fc1.bias": (120,),
    "fc2.weight": (84, 120),
    "fc2.bias": (84,),
    "fc3.weight": (10, 84),
    "fc3.bias": (10,),
}


def test_parameters():
    model = models.lenet5()
    assert {name: p.shape for name, p in model.named_parameters()} == SHAPES
    assert sum(p.size for p in model.parameters()) == 61_706


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_classes_channels_and_dtypes(dtype):
    model = models.lenet5(3, 2, dtype=dtype)
    y = model(np.zeros((4, 2, 28, 28), dtype))
    assert y.shape == (4, 3)
    assert y.dtype == dtype
    assert model(np.zeros((0, 2, 28, 28), dtype)).shape == (0, 3)


def test_a_generator_makes_it_repeatable():
    first, again = (models.lenet5(rng=np.random.default_rng(1)) for _ in range(2))
    for p, q in zip(first.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert (models.lenet5().conv1.weight.data != models.lenet5().conv1.weight.data).any()


def test_gradient_is_the_slope():
    rng = np.random.default_rng(0)
    model = models.lenet5(rng=rng, dtype=np.float64)
    x, labels = rng.standard_normal((2, 1, 28, 28)), np.array([3, 7])
    criterion = nn.CrossEntropyLoss()
    logits, backward = model.forward(x)
    np.testing.assert_array_equal(logits, model(x))
    gx = backward(criterion(logits, labels)[1])
    step = 1e-6
    for at in [(0, 0, 14, 14), (1, 0, 10, 12)]:
        nudge = np.zeros_like(x)
        nudge[at] = step
        losses = [criterion(model(x + sign * nudge), labels)[0] for sign in (1, -1)]
        assert gx[at] == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-7)
    for parameter in model.parameters():
        at = tuple(n // 2 for n in parameter.shape)
        losses = []
        for change in (step, -2 * step):
            with parameter.writable() as w:
                w[at] += change
            losses.append(criterion(model(x), labels)[0])
        with parameter.writable() as w:
            w[at] += step
        slope = (losses[0] - losses[1]) / (2 * step)
        assert parameter.grad[at] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("optimizer", [lambda p: optim.SGD(p, 0.01, 0.9), optim.Adam])
def test_learns_a_batch_by_heart(optimizer):
    rng = np.random.default_rng(0)
    model = models.lenet5(rng=rng)
    x = rng.standard_normal((16, 1, 28, 28)).astype(np.float32)
    labels = rng.integers(0, 10, 16)
    criterion, optimizer = nn.CrossEntropyLoss(), optimizer(model.parameters())
    for _ in range(60):
        logits, backward = model.forward(x)
        loss, grad = criterion(logits, labels)
        backward(grad, input_grad=False)
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.1
    assert (model(x).argmax(1) == labels).all()
