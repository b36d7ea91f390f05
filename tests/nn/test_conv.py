"""Convolutions."""

import numpy as np
import pytest

from cnnfast import nn
from tests import oracle
from tests.nn.every_layer import IMAGE, conv, make


def test_convolution_matches_the_oracle():
    layer = conv(stride=2, padding=1)
    x = np.random.default_rng(0).standard_normal(IMAGE)
    weight, bias = layer.weight.data, layer.bias.data
    y, backward = layer.forward(x)
    np.testing.assert_allclose(y, oracle.conv2d(x, weight, bias, 2, 1), atol=1e-12)
    gx = backward(y.copy())
    expected = oracle.conv2d_backward(y, x, weight, 2, 1)
    for actual, wanted in zip((gx, layer.weight.grad, layer.bias.grad), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, atol=1e-10)


def test_a_frozen_layer_computes_and_gathers_nothing_for_itself():
    layer, x, _ = make("conv")
    layer.weight.requires_grad = False
    y, backward = layer.forward(x)
    backward(np.ones_like(y))
    assert layer.weight.grad is None
    assert layer.bias.grad is not None
    layer.bias.requires_grad = False
    layer.zero_grad()
    _, backward = layer.forward(x)
    assert backward("not even looked at", input_grad=False) is None
    assert layer.bias.grad is None


@pytest.mark.parametrize(("kernel", "stride", "groups"), [(4, 2, 1), (3, 1, 2), (2, 2, 1)])
def test_a_transposed_convolution_keeps_the_size_of_signals(kernel, stride, groups):
    """With ReLU before it, which halves the mean square."""
    rng = np.random.default_rng(0)
    layer = nn.ConvTranspose2d(64, 32, kernel, stride, groups=groups, rng=rng, dtype=np.float64)
    x = np.maximum(rng.standard_normal((2, 64, 16, 16)), 0)
    inner = layer(x)[:, :, kernel:-kernel, kernel:-kernel]
    assert 0.8 < (inner**2).mean() < 1.25
