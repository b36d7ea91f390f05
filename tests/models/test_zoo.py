"""Every network: counts, shapes, names, gradients, and what fine-tuning needs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnfast import models, nn
from cnnfast.models._network import GraphNetwork, Network
from cnnfast.nn import init
from cnnfast.nn.trace import trace

# Parameters, and the least sensible side of an image.
NETWORKS = {
    "alexnet": (61_100_840, 63),
    "cifar_resnet20": (269_722, 8),
    "cifar_resnet32": (464_154, 8),
    "cifar_resnet44": (658_586, 8),
    "cifar_resnet56": (853_018, 8),
    "googlenet": (6_624_904, 15),
    "lenet5": (61_706, 28),
    "mobilenet_v2": (3_504_872, 32),
    "resnet18": (11_689_512, 32),
    "resnet34": (21_797_672, 32),
    "resnet50": (25_557_032, 32),
    "resnet101": (44_549_160, 32),
    "resnet152": (60_192_808, 32),
    "squeezenet1_1": (1_235_496, 17),
    "vgg11": (132_863_336, 32),
    "vgg11_bn": (132_868_840, 32),
    "vgg13": (133_047_848, 32),
    "vgg13_bn": (133_053_736, 32),
    "vgg16": (138_357_544, 32),
    "vgg16_bn": (138_365_992, 32),
    "vgg19": (143_667_240, 32),
    "vgg19_bn": (143_678_248, 32),
    "zfnet": (62_357_608, 47),
}
SMALL = ["cifar_resnet20", "googlenet", "mobilenet_v2", "resnet18", "squeezenet1_1"]


@pytest.fixture
def cheap_weights(monkeypatch):
    """Weights that take no time: of a network's size, but hardly random."""

    def cheap(function, shape, deviation, rng, dtype):
        weight = np.zeros(shape, dtype)
        weight.reshape(-1)[:1000] = deviation
        return weight

    monkeypatch.setattr(init, "_normal", cheap)


def network(name, *args, **kwargs):
    return getattr(models, name)(*args, **kwargs)


def images(*shape, dtype=np.float64):
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


def state_names(model):
    """The keys of its state_dict, without copies of what may be half a gigabyte."""
    return [name for name, _ in (*model.named_parameters(), *model.named_buffers())]


def test_all_are_listed():
    assert sorted(NETWORKS) == sorted(name for name in models.__all__ if name != "from_pattern")


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_scores_layers_and_head(name, cheap_weights):
    count, side = NETWORKS[name]
    model = network(name)
    assert isinstance(model, (Network, GraphNetwork))
    assert sum(p.size for p in model.parameters()) == count

    channels = 1 if name == "lenet5" else 3
    classes = 10 if name.startswith(("cifar", "lenet")) else 1000
    x = images(2, channels, side, side, dtype=np.float32)
    assert model(x[:0]).shape == (0, classes)  # and below with images, and with another head

    flat = trace(model)
    assert len(flat.outputs) == 1
    layers = [call.module for call in flat.calls]
    assert not any(isinstance(layer, (nn.Sequential, nn.Graph)) for layer in layers)
    assert {id(p) for p in model.parameters()} == {id(p) for m in layers for p in m.parameters()}

    names = state_names(model)
    with_parameters = [layer for layer in layers if any(True for _ in layer.parameters())]
    assert model.head is with_parameters[-1]
    old = model.head
    if isinstance(old, nn.Linear):
        model.head = nn.Linear(old.in_features, 3)
    else:
        model.head = nn.Conv2d(old.in_channels, 3, 1)
    assert model(x).shape == (2, 3)
    assert state_names(model) == names


@pytest.mark.parametrize("name", [*SMALL, "lenet5"])
def test_other_channels_and_dtype(name):
    model = network(name, 7, 2, dtype=np.float64, rng=np.random.default_rng(3))
    y = model(images(1, 2, 32 if name != "lenet5" else 28, 32 if name != "lenet5" else 28))
    assert y.shape == (1, 7)
    assert y.dtype == np.float64
    assert all(np.isfinite(y).ravel())
    again = network(name, 7, 2, dtype=np.float64, rng=np.random.default_rng(3))
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_maps_and_normalisation_of_zfnet_are_the_papers(cheap_weights):
    x, sides = np.zeros((1, 3, 224, 224), np.float32), []
    model = models.zfnet()
    # AlexNet's: there alpha, 1e-4, is for the sum over 5 channels, here for the mean.
    norms = [layer for layer in model.features if isinstance(layer, nn.LocalResponseNorm)]
    assert [(n.size, n.alpha, n.beta, n.k) for n in norms] == [(5, 5e-4, 0.75, 2.0)] * 2
    for layer in model.features:
        x = layer(x)
        if not isinstance(layer, (nn.ReLU, nn.LocalResponseNorm)):
            sides.append(x.shape[2])
    assert sides == [110, 55, 26, 13, 13, 13, 13, 6]


def test_shortcut_without_parameters():
    shortcut = models.cifar_resnet20(rng=np.random.default_rng(0)).layer2[0].downsample
    x = images(1, 16, 4, 6)
    expected = np.zeros((1, 32, 2, 3))
    expected[:, 8:24] = x[:, :, ::2, ::2]
    np.testing.assert_array_equal(shortcut(x), expected)


# ---------------------------------------------------------------------------- values

# The first scores of torchvision's networks, with the weights and the image below.
TORCHVISION = {
    "googlenet": (2210.95432967, 4742.5683497, 6035.10648084),
    "mobilenet_v2": (0.360746081977, -0.0544747174009, -0.114332163619),
    "resnet18": (227932134.848, 220479715.982, 198383249.998),
    "resnet50": (2535419215.84, 1232930705.39, -1273883548.43),
    "squeezenet1_1": (0.469633589599, 0.466866978821, 0.416543030965),
}


def wave(shape: tuple[int, ...]) -> np.ndarray:
    return np.cos(0.7 * np.arange(1, math.prod(shape) + 1)).reshape(shape)


def waves(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values for a network that anybody can compute: all different, none out of proportion."""
    filled = {}
    for key, array in state.items():
        if array.ndim > 1:
            filled[key] = wave(array.shape) * np.sqrt(4 / math.prod(array.shape[1:]))
        elif key.endswith("num_batches_tracked"):
            filled[key] = array
        else:
            offset = 1.0 if key.endswith(("weight", "running_var")) else 0.0
            filled[key] = offset + 0.3 * wave(array.shape)
    return filled


@pytest.mark.parametrize("name", TORCHVISION)
def test_scores_are_torchvisions(name):
    model = network(name, 10, dtype=np.float64)
    model.load_state_dict(waves(model.state_dict()))
    # Sides that pools do not divide evenly.
    scores = model(wave((1, 3, 52, 64)))
    np.testing.assert_allclose(scores[0, :3], TORCHVISION[name], rtol=1e-9)


# ---------------------------------------------------------------------------- gradients


def slopes(model, x, cotangents, seed=5):
    """The derivative along a random direction of all parameters and x: by gradients, by values."""
    rng = np.random.default_rng(seed)
    parameters = list(model.parameters())
    directions = [rng.standard_normal(p.shape) * np.abs(p.data).mean() for p in parameters]
    direction = rng.standard_normal(x.shape)
    _, backward = model.forward(x)
    gx = backward(cotangents)
    pairs = [(gx, direction), *((p.grad, d) for p, d in zip(parameters, directions, strict=True))]
    by_gradients = sum(float((g * d).sum()) for g, d in pairs)

    def value(step):
        for p, d in zip(parameters, directions, strict=True):
            with p.writable() as w:
                w += step * d
        outputs, _ = model.forward(x + step * direction)
        for p, d in zip(parameters, directions, strict=True):
            with p.writable() as w:
                w -= step * d
        if not isinstance(outputs, tuple):
            return float((outputs * cotangents).sum())
        return sum(float((y * c).sum()) for y, c in zip(outputs, cotangents, strict=True))

    step = 1e-7
    return by_gradients, (value(step) - value(-step)) / (2 * step)


@pytest.mark.parametrize("name", SMALL)
def test_gradients_are_slopes_in_training(name):
    model = network(name, 5, rng=np.random.default_rng(0), dtype=np.float64, **undropped(name))
    by_gradients, by_values = slopes(model, images(2, 3, 40, 40), images(2, 5))
    assert by_gradients == pytest.approx(by_values, rel=1e-4)


def undropped(name):
    return {} if "resnet" in name else {"dropout": 0}


def test_auxiliary_classifiers_learn():
    model = models.googlenet(
        5,
        aux_logits=True,
        dropout=0,
        dropout_aux=0,
        rng=np.random.default_rng(0),
        dtype=np.float64,
    )
    assert sum(p.size for p in models.googlenet(aux_logits=True).parameters()) == 13_004_888
    x = images(2, 3, 40, 40)
    cotangents = tuple(images(3, 2, 5))
    by_gradients, by_values = slopes(model, x, cotangents)
    assert by_gradients == pytest.approx(by_values, rel=1e-4)

    model.zero_grad()
    _, backward = model.forward(x)
    backward((np.zeros((2, 5)), cotangents[1], np.zeros((2, 5))), input_grad=False)
    assert model.aux2.fc2.weight.grad.any()
    assert not model.aux1.fc2.weight.grad.any()
    assert not model.fc.weight.grad.any()

    plain = models.googlenet(5, dtype=np.float64)
    plain.load_state_dict(model.state_dict(), strict=False)
    np.testing.assert_array_equal(model(x), plain(x))
    y, _ = model.eval().forward(x)
    np.testing.assert_array_equal(y, plain(x))


# ---------------------------------------------------------------------------- fine-tuning


@pytest.mark.parametrize("name", SMALL)
def test_only_the_new_head_of_a_frozen_network_learns(name):
    model = network(name, 5, rng=np.random.default_rng(0))
    model.requires_grad_(False)
    if name == "squeezenet1_1":
        model.head = nn.Conv2d(512, 3, 1)
    else:
        model.head = nn.Linear(model.head.in_features, 3)
    head = {id(p) for p in model.head.parameters()}
    y, backward = model.forward(images(2, 3, 40, 40, dtype=np.float32))
    assert backward(np.ones_like(y), input_grad=False) is None
    learned = {id(p) for p in model.parameters() if p.grad is not None}
    assert learned == head


@pytest.mark.parametrize("model", [models.lenet5(), models.googlenet(2)], ids=["a row", "a graph"])
def test_a_head_must_be_a_module(model):
    with pytest.raises(TypeError, match="head must be a Module, got 3"):
        model.head = 3


def test_dropout_may_be_changed_on_a_built_model():
    model = models.squeezenet1_1(5, rng=np.random.default_rng(0))
    x = images(1, 3, 33, 33, dtype=np.float32)
    dropouts = [layer for layer in model.modules() if isinstance(layer, nn.Dropout)]
    assert [layer.p for layer in dropouts] == [0.5]
    assert (model.forward(x)[0] != model(x)).any()
    for layer in dropouts:
        layer.p = 0.0
    np.testing.assert_array_equal(model.forward(x)[0], model(x))


def test_signals_keep_their_size():
    """No network's scores vanish or overflow before it has learned anything."""
    for name in SMALL:
        model = network(name, 10, rng=np.random.default_rng(0))
        scores, _ = model.forward(images(4, 3, 64, 64, dtype=np.float32))
        assert 1e-3 < math.sqrt(float((scores**2).mean())) < 1e3
