"""Every network of the zoo to an ONNX file and back, and in ONNX Runtime if it is installed."""

import numpy as np
import onnx
import pytest

from cnnfast import export_onnx, load_onnx, models
from tests.helpers import random

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
    model = getattr(models, name)(rng=rng)
    state = model.state_dict()
    for key, array in state.items():
        if key.endswith(("running_mean", "running_var")):
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_round_trip(name, tmp_path):
    model, side = network(name), SIDES[name]
    shape = (1 if name == "lenet5" else 3, side, side)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, (None, *shape))
    x = random(2, *shape, dtype=np.float32)
    expected = model(x)
    bound = 2e-5 * np.abs(expected).max()
    onnx.checker.check_model(path, full_check=True)
    np.testing.assert_allclose(load_onnx(path)(x), expected, rtol=0, atol=bound)
    if onnxruntime is not None:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (y,) = session.run(None, {"input": x})
        np.testing.assert_allclose(y, expected, rtol=0, atol=bound)

    written = onnx.load(path).graph.initializer
    state = {n: a for n, a in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    own = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in written}
    assert set(state) <= set(own)
    for key, array in state.items():
        np.testing.assert_array_equal(own[key], array)
    path.unlink()  # up to half a gigabyte
