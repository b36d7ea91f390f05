"""Resizing against the plain loops."""

import math

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast import nn, reference
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    guarded,
    is_channels_last,
    numerical_gradient,
    random,
)

each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_order = pytest.mark.parametrize("order", ORDERS)
each_mode = pytest.mark.parametrize(
    "mode",
    [("nearest",), ("bilinear",), ("bilinear", True)],
    ids=lambda mode: "-".join(map(str, mode)),
)
SIZES = [
    ((4, 5), (8, 10)),
    ((4, 5), (12, 5)),
    ((5, 3), (7, 8)),
    ((7, 9), (3, 4)),
    ((6, 8), (2, 2)),
    ((6, 4), (6, 4)),
    ((1, 1), (3, 2)),
    ((4, 3), (1, 1)),
    ((1, 6), (4, 1)),
]
each_size = pytest.mark.parametrize(("size", "out"), SIZES)


@each_dtype
@each_order
@each_mode
@each_size
def test_matches_the_loops(size, out, mode, order, dtype):
    x = random(2, 3, *size, dtype=dtype)
    stored = ORDERS[order](x)
    y = guarded(F.interpolate, stored, out, None, *mode)
    assert_close(y, reference.interpolate(x, out, *mode), 3)
    assert y.dtype == dtype
    assert is_channels_last(y) == (is_channels_last(stored) and out != (1, 1))
    grad = random(*y.shape, dtype=dtype, seed=1)
    want = reference.interpolate_backward(grad, x.shape, *mode)
    for other in ORDERS.values():
        gx = guarded(F.interpolate_backward, other(grad), stored, out, None, *mode)
        assert_close(gx, want, np.abs(grad).sum((2, 3)).max())
        assert is_channels_last(gx) == is_channels_last(stored)


@each_mode
@each_size
def test_gradient_is_the_derivative(size, out, mode):
    x = random(1, 2, *size)
    grad = random(1, 2, *out, seed=1)
    want = numerical_gradient(lambda x: F.interpolate(x, out, None, *mode), x, grad)
    gx = F.interpolate_backward(grad, x, out, None, *mode)
    np.testing.assert_allclose(gx, want, atol=1e-8)


@each_mode
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory(layout, mode):
    x, grad = random(2, 3, 6, 5), random(2, 3, 7, 8, seed=1)
    stored = LAYOUTS[layout](x)
    y = guarded(F.interpolate, stored, (7, 8), None, *mode)
    assert_close(y, reference.interpolate(x, (7, 8), *mode), 3)
    gx = guarded(F.interpolate_backward, LAYOUTS[layout](grad), stored, (7, 8), None, *mode)
    assert_close(gx, reference.interpolate_backward(grad, x.shape, *mode), 10)


def test_scale_factor_takes_the_place_of_the_sizes_ratio():
    """Of 5 elements 2.5 times as many are 12, yet they lie 1/2.5 apart, not 5/12."""
    x = np.arange(5.0).reshape(1, 1, 1, 5)
    at = np.maximum((np.arange(12) + 0.5) / 2.5 - 0.5, 0).clip(max=4)
    assert_close(F.interpolate(x, None, (1, 2.5), "bilinear").ravel(), at, 5)
    assert F.interpolate(x, None, (1, 2.5)).ravel().tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4]
    # With the corners aligned there is no scale but the sizes'.
    wide = F.interpolate(x, None, (1, 2.5), "bilinear", True)
    assert_same(wide, F.interpolate(x, (1, 12), None, "bilinear", True))
    assert_close(wide.ravel(), np.linspace(0, 4, 12), 4)


def test_scale_factor_forms():
    x = random(1, 2, 4, 6)
    for scale, out in [(2, (8, 12)), (0.5, (2, 3)), ((2, 1.5), (8, 9)), (np.float32(1.2), (4, 7))]:
        assert F.interpolate(x, scale_factor=scale).shape[2:] == out
    for size, out in [(5, (5, 5)), ([5, np.int64(3)], (5, 3))]:
        assert F.interpolate(x, size).shape[2:] == out
    big = np.repeat(np.repeat(x, 3, 2), 3, 3)
    assert_same(F.interpolate(x, scale_factor=3), big)
    gx = F.interpolate_backward(big, x, scale_factor=3)
    np.testing.assert_allclose(gx, 9 * x)


@each_dtype
def test_nearest_is_that_of_torch_digit_by_digit(dtype):
    """In single precision 23 * (14 / 46) falls short of 7, and so on; all sizes agree otherwise."""
    x = np.arange(14, dtype=dtype).reshape(1, 1, 1, 14)
    assert F.interpolate(x, (1, 46)).ravel()[23] == 6
    # 2 / 50 is rounded down, but its product with 25 up, to 1.
    assert F.interpolate(x[..., :2], (1, 50)).ravel()[25] == 1
    # 2 elements by 1.3 stay 2, and by 2.2 are 4: torch then forgets the scale.
    assert F.interpolate(x[..., :2], scale_factor=(1, 1.3)).ravel().tolist() == [0, 1]
    assert F.interpolate(x[..., :2], scale_factor=(1, 2.2)).ravel().tolist() == [0, 0, 1, 1]


@each_mode
def test_values_stay_where_they_are(mode):
    """NaN and infinity reach only what is made of them."""
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 0, 0], x[0, 0, 3, 3] = np.nan, np.inf
    y = F.interpolate(x, 8, None, *mode)
    assert np.isnan(y[0, 0, 0, 0])
    assert not y[0, 0, :5, 4:].any()


@each_mode
def test_empty_batch(mode):
    x = np.empty((0, 3, 4, 5), np.float32)
    y = F.interpolate(x, 7, None, *mode)
    assert y.shape == (0, 3, 7, 7)
    assert F.interpolate_backward(y, x, 7, None, *mode).shape == x.shape


def test_layer():
    x = random(2, 3, 4, 5)
    layer = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    assert_same(layer(x), F.interpolate(x, None, 2, "bilinear", True))
    assert_same(nn.Upsample((3, 7))(x), F.interpolate(x, (3, 7)))
    assert repr(layer) == "Upsample(scale_factor=2, mode='bilinear', align_corners=True)"
    assert repr(nn.Upsample(3)) == "Upsample(size=3, mode='nearest')"


X = random(1, 2, 4, 5)
BAD = [
    (ValueError, "either size or scale_factor must be given, got None and None", {}),
    (ValueError, "either size or scale_factor must be given", {"size": 3, "scale_factor": 2}),
    (ValueError, 'mode must be "nearest" or "bilinear", got', {"size": 3, "mode": "area"}),
    (
        ValueError,
        'align_corners has no meaning for mode "nearest"',
        {"size": 3, "align_corners": True},
    ),
    (ValueError, "size must be at least 1", {"size": 0}),
    (ValueError, "size must be at least 1", {"size": (3, -1)}),
    (ValueError, "size must be an int or a pair", {"size": (3, 3, 3)}),
    (TypeError, "size must be an int or a pair", {"size": 2.0}),
    (ValueError, "scale_factor must be greater than 0", {"scale_factor": 0}),
    (ValueError, "scale_factor must be greater than 0", {"scale_factor": (1, -2.0)}),
    (ValueError, "scale_factor must be finite", {"scale_factor": math.inf}),
    (ValueError, "scale_factor must be finite", {"scale_factor": math.nan}),
    (ValueError, "scale_factor must be a number or a pair", {"scale_factor": (1, 2, 3)}),
    (TypeError, "scale_factor must be a number", {"scale_factor": "2"}),
    (TypeError, "scale_factor must be a number", {"scale_factor": True}),
]


@pytest.mark.parametrize(("error", "message", "arguments"), BAD)
def test_bad_arguments(error, message, arguments):
    with pytest.raises(error, match=f"^interpolate: {message}"):
        F.interpolate(X, **arguments)
    with pytest.raises(error, match=f"^interpolate_backward: {message}"):
        F.interpolate_backward(X, X, **arguments)
    with pytest.raises(error, match=f"^Upsample: {message}"):
        nn.Upsample(**arguments)


def test_bad_images_and_sizes():
    with pytest.raises(ValueError, match=r"^interpolate: x must have 4 dimensions"):
        F.interpolate(X[0], 2)
    with pytest.raises(ValueError, match=r"^interpolate: x may have no empty dimension"):
        F.interpolate(X[:, :, :0], 2)
    with pytest.raises(TypeError, match=r"^interpolate: x must be float32 or float64"):
        F.interpolate(X.astype(int), 2)
    with pytest.raises(ValueError, match=r"scale_factor \(0.1, 0.1\) leaves nothing of an image"):
        F.interpolate(X, scale_factor=0.1)
    for huge in ({"scale_factor": 1e9}, {"scale_factor": 1e300}, {"size": 2**21}):
        with pytest.raises(ValueError, match=r"^interpolate: the output would have"):
            F.interpolate(X, **huge)
    name = "interpolate_backward"
    with pytest.raises(ValueError, match=rf"^{name}: grad has shape \(1, 2, 4, 5\), but the outpu"):
        F.interpolate_backward(X, X, 3)
    with pytest.raises(TypeError, match=rf"^{name}: grad is float32 but x is float64"):
        F.interpolate_backward(X.astype(np.float32), X, (4, 5))
