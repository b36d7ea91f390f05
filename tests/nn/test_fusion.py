"""Layers that learn as one: the same outputs, gradients and statistics as one after the other."""

import copy

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.nn.fusion import Fused, fuse_nodes, fuse_row, fused
from tests.helpers import channels_last

RNG = np.random.default_rng(0)


def norm(channels, dtype):
    layer = nn.BatchNorm2d(channels, dtype=dtype)
    layer.weight.assign((RNG.standard_normal(channels) + 0.5).astype(dtype))
    layer.bias.assign(RNG.standard_normal(channels).astype(dtype))
    return layer


def one_by_one(layers, x, grad):
    """What the layers do on their own, with a residual where one adds."""
    backwards = []
    for layer in layers:
        x, backward = layer.forward(x)
        backwards.append(backward)
    for backward in reversed(backwards):
        grad = backward(grad)
    return x, grad


def assert_same(model, twin, results, expected, dtype):
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for actual, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance * 50)
    for (name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(
            p.grad, q.grad, rtol=tolerance, atol=50 * tolerance, err_msg=name
        )
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, twin.state_dict()[name], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("channels", [1, 3, 16, 19, 35])
def test_norm_and_relu(isa, dtype, last, activation, channels):
    model = nn.Sequential(norm(channels, dtype), activation())
    with model[0].weight.writable() as scale:
        scale[...] = np.where(scale < 0, -10, 10)  # so that some values pass 6
    assert len(fuse_row(model)) == 1
    twin = copy.deepcopy(model)
    x, grad = (RNG.standard_normal((3, channels, 5, 4)).astype(dtype) for _ in range(2))
    if last:
        x, grad = channels_last(x), channels_last(grad)
    y, backward = model.forward(x)
    expected = one_by_one(twin, x, grad)
    assert_same(model, twin, (y, backward(grad)), expected, dtype)
    assert y.strides == expected[0].strides
    assert channels == 1 or (y == 0).any()
    assert (y.max() == 6) == (activation is nn.ReLU6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("rectifies", [False, True])
@pytest.mark.parametrize("channels", [2, 16, 21])
def test_norm_addition_and_relu(isa, dtype, last, rectifies, channels):
    nodes = {"norm": (norm(channels, dtype), "a"), "add": (nn.Add(), "norm", "b")}
    if rectifies:
        nodes["relu"] = (nn.ReLU(), "add")
    model = nn.Graph(nodes, inputs=["a", "b"])
    assert len(fuse_nodes(model.nodes(), model.outputs)) == 1
    twin = copy.deepcopy(model)
    a, b, grad = (RNG.standard_normal((2, channels, 4, 5)).astype(dtype) for _ in range(3))
    if last:
        a, b, grad = channels_last(a), channels_last(b), channels_last(grad)
    y, backward = model.forward(a, b)
    ga, gb = backward(grad)
    z, norm_backward = twin.norm.forward(a)
    z = z + b
    expected = np.maximum(z, 0) if rectifies else z
    g = np.where(z > 0, grad, 0).astype(dtype) if rectifies else grad
    assert_same(model, twin, (y, gb, ga), (expected, g, norm_backward(g)), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("c", [1, 3, 8])
def test_convolution_and_relu(dtype, c):
    model = nn.Sequential(nn.Conv2d(c, 9, 3, padding=1, rng=RNG, dtype=dtype), nn.ReLU())
    twin = copy.deepcopy(model)
    x = RNG.standard_normal((2, c, 6, 7)).astype(dtype)
    grad = RNG.standard_normal((2, 9, 6, 7)).astype(dtype)
    y, backward = model.forward(x)
    assert_same(model, twin, (y, backward(grad)), one_by_one(twin, x, grad), dtype)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6])
def test_nan_passes(activation):
    x = channels_last(RNG.standard_normal((2, 4, 3, 3)))
    x[0, 1, 0, 0] = np.nan
    y, backward = nn.Sequential(norm(4, np.float64), activation()).forward(x)
    assert np.isnan(y[:, 1]).all()
    assert not np.isnan(y[:, 0]).any()
    assert np.isnan(backward(np.ones_like(x))[:, 1]).all()


def test_frozen_and_without_an_input_gradient():
    model = nn.Sequential(norm(4, np.float64), nn.ReLU(), nn.Conv2d(4, 2, 1, dtype=np.float64))
    x = channels_last(RNG.standard_normal((2, 4, 3, 3)))
    model[0].requires_grad_(False)
    _, backward = model.forward(x)
    assert backward(np.ones((2, 2, 3, 3)), input_grad=False) is None
    assert model[0].weight.grad is None
    assert model[2].weight.grad is not None
    model[0].requires_grad_(True)
    _, backward = model.forward(x)
    assert backward(np.ones((2, 2, 3, 3)), input_grad=False) is None
    assert model[0].weight.grad is not None


class OwnReLU(nn.ReLU):
    """A user's kind of layer: never fused, it may do anything."""


def test_what_is_fused():
    conv, bn, relu = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.ReLU()
    assert [type(m) for m in fuse_row([conv, bn, relu, conv, relu, relu])] == [
        nn.Conv2d,
        Fused,
        Fused,
        nn.ReLU,
    ]
    assert fused(conv, OwnReLU()) is None
    assert fused(conv, bn) is None
    assert fused(bn.eval(), relu) is None


def test_what_others_need_is_not_fused():
    nodes = {
        "conv": (nn.Conv2d(2, 2, 1), "input"),
        "relu": (nn.ReLU(), "conv"),
        "sum": (nn.Add(), "relu", "conv"),
    }
    graph = nn.Graph(nodes)
    assert fuse_nodes(graph.nodes(), graph.outputs) == graph.nodes()
    graph = nn.Graph({k: nodes[k] for k in ("conv", "relu")}, outputs=["relu", "conv"])
    assert fuse_nodes(graph.nodes(), graph.outputs) == graph.nodes()
    same = nn.Graph({"norm": (nn.BatchNorm2d(2), "input"), "add": (nn.Add(), "norm", "norm")})
    assert fuse_nodes(same.nodes(), same.outputs) == same.nodes()


def test_a_layer_may_be_replaced():
    model = nn.Sequential({"conv": nn.Conv2d(2, 2, 1, rng=RNG), "act": nn.ReLU()})
    x = RNG.standard_normal((1, 2, 3, 3)).astype(np.float32)
    model.forward(x)
    model.act = nn.Tanh()
    np.testing.assert_array_equal(model.forward(x)[0], nn.Tanh()(model.conv(x)))
