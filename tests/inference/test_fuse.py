"""Fusing: which layers disappear into which, and that the model itself stays as it was."""

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.inference.fuse import FusedConv2d, fuse

RNG = np.random.default_rng(0)


def conv(**options):
    return nn.Conv2d(4, 4, 3, padding=1, rng=RNG, **options)


def kinds(model):
    return [(call.name, type(call.module).__name__, call.sources) for call in fuse(model).calls]


def test_norm_and_relu_go_into_the_convolution():
    model = nn.Sequential(conv(bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    assert kinds(model) == [("2", "FusedConv2d", ("input",)), ("3", "MaxPool2d", ("2",))]


def test_a_residual_block_is_two_convolutions():
    block = nn.Residual(nn.Sequential(conv(), nn.BatchNorm2d(4), nn.ReLU(), conv()))
    model = nn.Sequential(nn.MaxPool2d(1), block, nn.ReLU())
    assert kinds(model) == [
        ("0", "MaxPool2d", ("input",)),
        ("1.body.2", "FusedConv2d", ("0",)),
        ("2", "FusedConv2d", ("1.body.2", "0")),
    ]
    last = fuse(model).calls[-1].module
    assert last.adds
    assert last.ceiling


def test_what_others_need_too_stays():
    graph = nn.Graph(
        {
            "conv": (conv(), "input"),
            "relu": (nn.ReLU(), "conv"),
            "sum": (nn.Add(), "relu", "conv"),
        }
    )
    assert [kind for _, kind, _ in kinds(graph)] == ["Conv2d", "ReLU", "Add"]
    both = nn.Graph(
        {"conv": (conv(), "input"), "relu": (nn.ReLU(), "conv")}, outputs=["relu", "conv"]
    )
    assert [kind for _, kind, _ in kinds(both)] == ["Conv2d", "ReLU"]


def test_the_input_itself_is_no_residual():
    """Its place changes from run to run."""
    assert [kind for _, kind, _ in kinds(nn.Residual(conv()))] == ["Conv2d", "Add"]


def test_relu_before_an_addition_stays_before_it():
    model = nn.Sequential(nn.MaxPool2d(1), nn.Residual(nn.Sequential(conv(), nn.ReLU())))
    assert kinds(model)[1:] == [
        ("1.body.1", "FusedConv2d", ("0",)),
        ("1.add", "Add", ("1.body.1", "0")),
    ]


def test_dropout_disappears_also_at_the_end():
    model = nn.Sequential(nn.Dropout(), nn.Linear(3, 2, rng=RNG), nn.Dropout())
    net = fuse(model)
    assert [(call.name, call.sources) for call in net.calls] == [("1", ("input",))]
    assert net.outputs == ("1",)
    assert fuse(nn.Sequential(nn.Dropout())).outputs == ("input",)


def test_norms_without_statistics_are_not_folded():
    model = nn.Sequential(conv(), nn.BatchNorm2d(4, track_running_stats=False))
    assert [kind for _, kind, _ in kinds(model)] == ["Conv2d", "BatchNorm2d"]


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_folded_weights_compute_the_same(affine, bias):
    for layer, norm, x in [
        (conv(bias=bias, dtype=np.float64), nn.BatchNorm2d, RNG.standard_normal((2, 4, 5, 5))),
        (nn.Linear(3, 4, bias, rng=RNG, dtype=np.float64), nn.BatchNorm1d, RNG.random((6, 3))),
    ]:
        norm = norm(4, affine=affine, dtype=np.float64)
        norm.running_mean, norm.running_var = RNG.standard_normal(4), RNG.random(4) + 0.1
        for parameter in norm.parameters():
            parameter.assign(RNG.standard_normal(4))
        model = nn.Sequential(layer, norm)
        before = {name: value.copy() for name, value in model.state_dict().items()}
        (call,) = fuse(model).calls
        np.testing.assert_allclose(call.module(x), model(x), rtol=1e-12, atol=1e-12)
        assert call.module is not layer
        for name, value in model.state_dict().items():
            np.testing.assert_array_equal(value, before[name])


def test_weights_that_need_not_change_are_shared():
    layer = conv()
    (call,) = fuse(nn.Sequential(layer, nn.ReLU())).calls
    assert type(call.module) is FusedConv2d
    assert call.module.weight is layer.weight


def test_relu6_is_a_ceiling():
    model = nn.Sequential(conv(), nn.BatchNorm2d(4), nn.ReLU6())
    (call,) = fuse(model).calls
    x = 20 * RNG.standard_normal((2, 4, 5, 5)).astype(np.float32)
    y = call.module(x)
    np.testing.assert_allclose(y, model(x), rtol=1e-5, atol=1e-4)
    assert y.max() == 6
    assert y.min() == 0
