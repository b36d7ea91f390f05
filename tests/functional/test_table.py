"""Error bounds on all layers of the benchmarks' table, against float64: minutes, so marked slow."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.layers import TABLE
from cnnfast.functional import conv2d, conv2d_backward, explain_conv2d
from tests import oracle
from tests.helpers import channels_last

BOUNDS = {"direct": 3e-6, "winograd": 6e-6}

LARGE = 100 * 100  # pixels, of which one image has as many as there need to be


def few(layer):
    """The layer with a small batch."""
    return replace(layer, n=1 if layer.h * layer.w > LARGE else min(layer.n, 2))


def magnitudes(kind, shape, rng):
    """Normal values, or such that large and small ones meet."""
    x = rng.standard_normal(shape, dtype=np.float32)
    if kind == "powers":
        x *= 10 ** rng.uniform(-4, 4, (1, shape[1], 1, 1)).astype(np.float32)
    elif kind == "one large":
        x[..., shape[2] // 2, shape[3] // 2] *= 1e4
    return x


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "powers", "one large"])
@pytest.mark.parametrize("layer", map(few, TABLE), ids=str)
def test_error_is_within_the_documented_bounds(layer, kind):
    rng = np.random.default_rng(0)
    x = channels_last(magnitudes(kind, layer.image, rng))
    weight = magnitudes(kind, layer.filters, rng)
    bias = rng.standard_normal(layer.k, dtype=np.float32)
    geometry = (layer.stride, layer.padding)
    want = oracle.conv2d(x, weight, bias, *geometry)
    scale = oracle.conv2d_scale(x, weight, bias, *geometry).max()
    grad = channels_last(magnitudes(kind, want.shape, rng))
    gradients = oracle.conv2d_backward(grad, x, weight, *geometry)
    scales = oracle.conv2d_backward(abs(grad), abs(x), abs(weight), *geometry)
    algorithms = {"direct", explain_conv2d(x, weight, None, *geometry).forward.algorithm}
    for algorithm in algorithms:
        y = conv2d(x, weight, bias, *geometry, algorithm=algorithm)
        assert np.abs(y - want).max() <= BOUNDS[algorithm] * scale
        got = conv2d_backward(grad, x, weight, *geometry, algorithm=algorithm)
        bounds = (BOUNDS[algorithm], 3e-6, 3e-6)
        for gradient, right, size, bound in zip(got, gradients, scales, bounds, strict=True):
            assert np.abs(gradient - right).max() <= bound * size.max()
