"""Every network of the zoo to an ONNX file and back, and in ONNX Runtime if it is installed."""

import numpy as np
import onnx
import pytest

from cnnfast import export_onnx, load_onnx, load_weights, models
from tests.helpers import random
from tests.io import zoo

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

# The smallest images that they take, or a little more.
SIDES = {
    "alexnet": 63,
    "cifar_resnet20": 8,
    "cifar_resnet32": 8,
    "cifar_resnet44": 8,
    "cifar_resnet56": 8,
    "googlenet": 33,
    "lenet5": 28,
    "mobilenet_v2": 33,
    "resnet18": 33,
    "resnet34": 33,
    "resnet50": 33,
    "resnet101": 33,
    "resnet152": 33,
    "squeezenet1_1": 33,
    "vgg11": 33,
    "vgg11_bn": 33,
    "vgg13": 33,
    "vgg13_bn": 33,
    "vgg16": 33,
    "vgg16_bn": 33,
    "vgg19": 33,
    "vgg19_bn": 33,
    "zfnet": 47,
}
QUICK = {"cifar_resnet20", "googlenet", "lenet5", "mobilenet_v2", "squeezenet1_1"}
NETWORKS = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SIDES]


def test_every_network_is_here():
    assert set(SIDES) == set(models.__all__) - {"from_pattern"}


def network(name):
    """Make one whose normalisations matter."""
    rng = np.random.default_rng(0)
    model = zoo.network(name, rng)
    state = model.state_dict()
    for key, array in state.items():
        if key.endswith(("running_mean", "running_var")):
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_round_trip(name, tmp_path):
    """The same outputs, the same gradients, and the weights under their own names."""
    model, side = network(name).eval(), SIDES[name]
    shape = (1 if name == "lenet5" else 3, side, side)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, (None, *shape))
    x = random(2, *shape, dtype=np.float32)
    expected = model(x)
    bound = 2e-5 * np.abs(expected).max()
    onnx.checker.check_model(path, full_check=True)
    loaded = load_onnx(path).eval()
    np.testing.assert_allclose(loaded(x), expected, rtol=0, atol=bound)
    assert_same_gradients(model, loaded, x)
    if onnxruntime is not None:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (y,) = session.run(None, {"input": x})
        np.testing.assert_allclose(y, expected, rtol=0, atol=bound)

    found = load_weights(path)
    for key, array in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(found[key], array)
    path.unlink()  # up to a quarter of a gigabyte


def assert_same_gradients(model, loaded, x):
    y, backward = model.forward(x)
    backward(y, input_grad=False)
    loaded.forward(x)[1](y, input_grad=False)
    found = dict(loaded.named_parameters())
    largest = max(np.abs(p.grad).max() for p in model.parameters())
    for name, p in model.named_parameters():
        layer, _, kind = name.rpartition(".")
        q = found[f"{layer.replace('.', '_')}.{kind}"]
        bound = 1e-4 * max(np.abs(p.grad).max(), 1e-3 * largest)
        np.testing.assert_allclose(q.grad, p.grad, rtol=0, atol=bound, err_msg=name)
