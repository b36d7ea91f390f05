"""Every network of the zoo through an ONNX file and back."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import export_onnx, load_onnx, load_weights, models
from tests.helpers import random

SMALL = ("lenet5", "cifar_resnet20", "squeezenet1_1", "mobilenet_v2", "resnet18")
LARGE = tuple(name for name in models.__all__ if name not in ("from_pattern", *SMALL))


def input_shape(name: str) -> tuple[int, int, int]:
    if name == "lenet5":
        return 1, 28, 28
    # Those with fully connected layers behind them take one size.
    fixed = name in ("alexnet", "zfnet") or name.startswith("vgg")
    return (3, 224, 224) if fixed else (3, 64, 64)


@pytest.mark.parametrize(
    "name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
)
def test_round_trip(name, tmp_path):
    """The same outputs, the same gradients, and weights that the zoo's network loads back."""
    network, path = getattr(models, name)().eval(), tmp_path / "network.onnx"
    shape = input_shape(name)
    export_onnx(network, path, (None, *shape))
    loaded = load_onnx(path).eval()
    x = random(2, *shape, dtype=np.float32)
    y, backward = network.forward(x)
    z, loaded_backward = loaded.forward(x)
    size = np.abs(y).max()
    np.testing.assert_allclose(z, y, atol=2e-5 * size)
    np.testing.assert_allclose(loaded(x), y, atol=2e-5 * size)
    backward(y)
    loaded_backward(y)
    found = dict(loaded.named_parameters())
    assert len(found) == len(list(network.parameters()))
    for parameter, p in network.named_parameters():
        layer, _, kind = parameter.rpartition(".")
        q = found[f"{layer.replace('.', '_')}.{kind}"]
        bound = 1e-4 * max(np.abs(p.grad).max(), 1e-3 * size)
        np.testing.assert_allclose(q.grad, p.grad, atol=bound, err_msg=parameter)
    state = load_weights(path)
    for parameter, p in network.named_parameters():
        assert np.array_equal(state[parameter], p.data), parameter
