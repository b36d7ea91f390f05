"""Dropout."""

import numpy as np

from cnnfast import nn


def test_dropout_drops_only_in_forward_and_only_in_training():
    layer = nn.Dropout(0.5, rng=np.random.default_rng(0))
    x = np.ones((10, 10), np.float32)
    assert layer(x) is x
    y, backward = layer.forward(x)
    assert set(np.unique(y)) == {0, 2}
    np.testing.assert_array_equal(backward(x), y)
    another, _ = layer.forward(x)
    assert (another != y).any()
    layer.eval()
    y, backward = layer.forward(x)
    assert y is x
    assert backward(x) is x
