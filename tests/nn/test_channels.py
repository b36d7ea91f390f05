"""Padding with channels of zeros."""

import numpy as np
import pytest

from cnnfast import nn
from tests.helpers import FLOATS, LAYOUTS, ORDERS, assert_same, is_channels_last, random


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_zeros_before_and_after(layout, dtype):
    x = random(2, 3, 4, 5, dtype=dtype)
    layer = nn.ZeroPadChannels(2, 1)
    y, backward = layer.forward(LAYOUTS[layout](x))
    assert_same(y, np.pad(x, ((0, 0), (2, 1), (0, 0), (0, 0))))
    assert_same(layer(x), y)
    grad = random(*y.shape, dtype=dtype, seed=1)
    assert_same(backward(LAYOUTS[layout](grad)), grad[:, 2:5])


@pytest.mark.parametrize("order", ORDERS)
def test_memory_order_is_the_inputs(order):
    y, backward = nn.ZeroPadChannels(0, 3).forward(ORDERS[order](random(2, 3, 4, 5)))
    gx = backward(ORDERS[order](random(2, 6, 4, 5)))
    for array in (y, gx):
        assert is_channels_last(array) == (order == "channels_last")


def test_nothing_to_pad_and_nothing_to_pad_with():
    x = random(2, 3, 4, 5)
    assert_same(nn.ZeroPadChannels(0, 0)(x), x)
    assert nn.ZeroPadChannels(1, 1)(x[:0]).shape == (0, 5, 4, 5)
    assert repr(nn.ZeroPadChannels(1, 2)) == "ZeroPadChannels(1, 2)"


def test_bad_input():
    with pytest.raises(ValueError, match="ZeroPadChannels: before must be at least 0, got -1"):
        nn.ZeroPadChannels(-1, 0)
    with pytest.raises(TypeError, match=r"ZeroPadChannels: after must be an integer, got 1\.5"):
        nn.ZeroPadChannels(0, 1.5)
    with pytest.raises(ValueError, match="ZeroPadChannels: x must have 4 dimensions"):
        nn.ZeroPadChannels(1, 1)(np.zeros((2, 3)))
    with pytest.raises(TypeError, match="ZeroPadChannels: x must be float32 or float64"):
        nn.ZeroPadChannels(1, 1)(np.zeros((1, 1, 1, 1), int))
    _, backward = nn.ZeroPadChannels(1, 1).forward(np.zeros((1, 2, 1, 1)))
    with pytest.raises(ValueError, match="must add up to the 5 of grad"):
        backward(np.zeros((1, 5, 1, 1)))
