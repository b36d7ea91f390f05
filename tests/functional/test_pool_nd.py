"""Pooling over one and three axes against loops."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast.functional._pool import passes
from tests.functional import naive_nd
from tests.functional.naive_nd import Geometry
from tests.functional.test_conv_nd import LAYOUTS, ORDERS, is_channels_last, raises
from tests.helpers import (
    FLOATS,
    assert_close,
    assert_same,
    guarded,
    integers,
    random,
    using_threads,
)

pytestmark = pytest.mark.usefixtures("one_thread")

# size, kernel, stride, sides, dilation, ceil_mode
WINDOWS = {
    "1d": ((8,), (2,), (2,), ((0, 0),), (1,), False),
    "1d overlapping": ((9,), (3,), (2,), ((1, 1),), (1,), False),
    "1d ceil": ((9,), (2,), (2,), ((0, 0),), (1,), True),
    "1d ceil, padded": ((10,), (4,), (3,), ((1, 2),), (1,), True),
    "1d global": ((5,), (5,), (1,), ((0, 0),), (1,), False),
    "1d many taps": ((300,), (280,), (3,), ((1, 0),), (1,), True),
    "3d": ((4, 4, 6), (2, 2, 2), (2, 2, 2), ((0, 0),) * 3, (1, 1, 1), False),
    "3d overlapping": ((5, 5, 6), (3, 3, 3), (2, 1, 2), ((1, 1),) * 3, (1, 1, 1), False),
    "3d ceil": ((5, 6, 5), (2, 3, 2), (2, 2, 3), ((1, 0), (0, 1), (1, 1)), (1, 1, 1), True),
    "3d planes": ((3, 4, 5), (1, 3, 2), (1, 1, 2), ((0, 0),) * 3, (1, 1, 1), False),
    "3d depth": ((5, 2, 3), (3, 1, 1), (1, 1, 1), ((1, 1), (0, 0), (0, 0)), (1, 1, 1), False),
    "3d global": ((3, 4, 2), (3, 4, 2), (1, 1, 1), ((0, 0),) * 3, (1, 1, 1), False),
    "3d flat": ((4, 1, 1), (2, 2, 2), (1, 1, 1), ((0, 0), (1, 0), (1, 1)), (1, 1, 1), False),
    "3d many taps": ((3, 17, 17), (2, 17, 16), (1, 1, 1), ((0, 0),) * 3, (1, 1, 1), False),
}
DILATED = {
    "1d dilated": ((9,), (3,), (1,), ((2, 1),), (2,), True),
    "1d dilated over all": ((3,), (3,), (1,), ((0, 2),), (2,), False),
    "3d dilated": ((7, 5, 6), (3, 2, 2), (2, 1, 1), ((2, 0), (1, 1), (0, 1)), (2, 2, 3), False),
}


def each_window(windows):
    return pytest.mark.parametrize("window", windows.values(), ids=windows)


def arguments(window):
    _, kernel, stride, sides, dilation, ceil_mode = window
    return (kernel, stride, sides, dilation, ceil_mode), Geometry(kernel, stride, sides, dilation)


def check_max_pool(x, window, order="contiguous"):
    (kernel, stride, sides, dilation, ceil_mode), geometry = arguments(window)
    axes, image = len(kernel), ORDERS[order](x)
    placed = (kernel, stride, sides, dilation, ceil_mode)
    y, indices, routes = naive_nd.max_pool(x, geometry, ceil_mode)
    pool, backward = getattr(F, f"max_pool{axes}d"), getattr(F, f"max_pool{axes}d_backward")
    assert_same(guarded(pool, image, *placed), y)
    got, found = guarded(pool, image, *placed, return_indices=True)
    assert_same(got, y)
    assert_same(found, indices)
    assert found.dtype == np.int64
    grad = integers(*y.shape, dtype=x.dtype.type, seed=4)
    want = np.zeros(x.shape)
    for output, winner in routes:
        want[winner] += grad[output]
    routed, route = passes.max_pool_routed(f"max_pool{axes}d", axes, image, *placed, False)
    assert_same(routed, y)
    for other in ORDERS.values():
        gx = guarded(backward, other(grad), found, x.shape)
        assert_same(gx, want)
        gx = guarded(route, other(grad))
        assert_same(gx, want)
        for result in (got, found, routed, gx):
            distinct = is_channels_last(ORDERS["channels_last"](result))
            assert is_channels_last(result) == (is_channels_last(image) and distinct)
        assert gx.dtype == got.dtype == x.dtype


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", ORDERS)
@each_window(WINDOWS | DILATED)
def test_every_kind_of_max_pool(window, order, dtype):
    check_max_pool(integers(2, 3, *window[0], dtype=dtype), window, order)  # ties


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["1d overlapping", "1d ceil, padded", "3d overlapping", "3d ceil"])
def test_the_first_maximum_and_the_first_nan_win(name, order):
    window = WINDOWS[name]
    values = np.array([np.nan, -np.inf, -np.inf, -np.inf, np.inf, -0.0, 0.0, 1])
    for seed in range(4):
        chosen = np.random.default_rng(seed).integers(seed % 2, len(values), (2, 3, *window[0]))
        check_max_pool(values[chosen], window, order)
    check_max_pool(np.full((1, 2, *window[0]), -np.inf), window, order)
    check_max_pool(np.full((1, 2, *window[0]), np.nan), window, order)


def test_a_dilated_pool_over_all_is_not_global():
    """Its taps skip elements between them."""
    x = np.array([0.0, 5, 0, 0, 5, 0, 0, 5, 0]).reshape(1, 1, 3, 3)
    assert F.max_pool2d(x, 3, 1, ((0, 2), (0, 2)), 2).item() == 0


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", ORDERS)
@each_window(WINDOWS)
def test_every_kind_of_average_pool(window, order, dtype):
    (kernel, stride, sides, _, ceil_mode), geometry = arguments(window)
    axes, x = len(kernel), random(2, 3, *window[0], dtype=dtype)
    image = ORDERS[order](x)
    pool, backward = getattr(F, f"avg_pool{axes}d"), getattr(F, f"avg_pool{axes}d_backward")
    for rest in [(True,), (False,), *[(True, 3), (False, -2)] * (axes == 3)]:
        placed = (kernel, stride, sides, ceil_mode, *rest)
        y = guarded(pool, image, *placed)
        want, shares = naive_nd.avg_pool(x, geometry, ceil_mode, *rest, *[None] * (2 - len(rest)))
        assert y.dtype == dtype
        assert_close(y, want, np.abs(want).max() + 1)
        grad = random(*y.shape, dtype=dtype, seed=4)
        right = np.zeros(x.shape)
        for o, at, share in shares:
            right[(slice(None), slice(None), *at)] += grad[(slice(None), slice(None), *o)] * share
        gx = guarded(backward, grad, image, *placed)
        assert gx.dtype == dtype
        assert_close(gx, right, np.abs(right).max() + 1)
        assert is_channels_last(gx) == is_channels_last(image)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("p", [1, 2, 3.5])
@pytest.mark.parametrize("name", ["1d", "1d ceil", "3d", "3d planes"])
def test_every_kind_of_norm_pool(name, p, order):
    window = WINDOWS[name]
    (kernel, stride, _, _, ceil_mode), geometry = arguments(window)
    axes, x = len(kernel), random(2, 3, *window[0])
    image, placed = ORDERS[order](x), (p, kernel, stride, ceil_mode)
    pool, backward = getattr(F, f"lp_pool{axes}d"), getattr(F, f"lp_pool{axes}d_backward")
    y = guarded(pool, image, *placed)
    np.testing.assert_allclose(y, naive_nd.lp_pool(x, p, geometry, ceil_mode), rtol=1e-12)
    grad, right = random(*y.shape, seed=4), np.zeros(x.shape)
    for o, covered in naive_nd.windows(x, geometry, ceil_mode).items():
        for at in covered:
            o_, at_ = (slice(None), slice(None), *o), (slice(None), slice(None), *at)
            right[at_] += grad[o_] * np.sign(x[at_]) * (np.abs(x[at_]) / y[o_]) ** (p - 1)
    np.testing.assert_allclose(guarded(backward, grad, image, *placed), right, atol=1e-12)
    x[0] = 0
    gx = backward(grad, x, *placed)
    assert not gx[0].any()
    assert np.isfinite(gx).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["1d overlapping", "3d ceil"])
def test_any_memory(name, layout):
    (kernel, stride, sides, dilation, ceil_mode), _ = arguments(WINDOWS[name])
    axes, x, change = len(kernel), integers(2, 3, *WINDOWS[name][0]), LAYOUTS[layout]
    pool, backward = getattr(F, f"max_pool{axes}d"), getattr(F, f"max_pool{axes}d_backward")
    y, found = pool(x, kernel, stride, sides, dilation, ceil_mode, True)
    got = guarded(pool, change(x), kernel, stride, sides, dilation, ceil_mode, True)
    assert_same(got[0], y)
    assert_same(got[1], found)
    gx = backward(y, found, x.shape)
    assert_same(guarded(backward, change(y), found.astype(np.int32), x.shape), gx)
    pool, backward = getattr(F, f"avg_pool{axes}d"), getattr(F, f"avg_pool{axes}d_backward")
    placed = (kernel, stride, sides, ceil_mode)
    np.testing.assert_allclose(guarded(pool, change(x), *placed), pool(x, *placed), atol=1e-14)
    gx = guarded(backward, change(y), change(x), *placed)
    np.testing.assert_allclose(gx, backward(y, x, *placed), atol=1e-14)


@pytest.mark.parametrize("order", ORDERS)
def test_the_same_for_any_number_of_threads(order):
    results = []
    x = ORDERS[order](random(2, 20, 10, 24, 24, dtype=np.float32))
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            y, indices = F.max_pool3d(x, 3, 2, 1, return_indices=True)
            _, route = passes.max_pool_routed("max_pool3d", 3, x, 3, 2, 1, 1, False, False)
            found = [y, route(y), F.max_pool3d_backward(y, indices, x.shape)]
            found += [F.avg_pool3d(x, 3, 2, 1), F.avg_pool3d_backward(y, x, 3, 2, 1)]
            results.append([array.tobytes() for array in found])
    assert results[1:] == results[:1] * 3


@pytest.mark.parametrize("axes", [1, 3])
def test_empty_batches(axes):
    x = np.empty((0, 2, *[4] * axes))
    for name in ("max", "avg"):
        assert getattr(F, f"{name}_pool{axes}d")(x, 2).shape == (0, 2, *[2] * axes)
    assert getattr(F, f"lp_pool{axes}d")(x, 2, 2).shape == (0, 2, *[2] * axes)
    gx = getattr(F, f"avg_pool{axes}d_backward")(np.empty((0, 2, *[2] * axes)), x, 2)
    assert gx.shape == x.shape


@pytest.mark.parametrize("axes", [1, 3])
def test_bad_input(axes):
    x, form = np.ones((2, 3, *[6] * axes)), {1: "an int", 3: "an int or three ints"}[axes]
    pools = {
        f"{kind}_pool{axes}d": partial(getattr(F, f"{kind}_pool{axes}d"), **norm)
        for kind, norm in (("max", {}), ("avg", {}), ("lp", {"norm_type": 2}))
    }
    for name, pool in pools.items():
        for argument in ("kernel_size", "stride"):
            for value in (0, -2, (0,) * axes):
                message = rf"^{name}: {argument} must be at least 1, got"
                raises(ValueError, message, pool, x, **{"kernel_size": 2} | {argument: value})
            for value in ((), (2,) * (axes + 1)):
                message = rf"^{name}: {argument} must be {form}, got"
                raises(ValueError, message, pool, x, **{"kernel_size": 2} | {argument: value})
            message = f"{name}: {argument} must be {form}"
            raises(TypeError, message, pool, x, **{"kernel_size": 2} | {argument: 2.0})
        raises(ValueError, rf"^{name}: kernel_size .* spans 7 ", pool, x, kernel_size=7)
        raises(ValueError, f"^{name}: x must have {axes + 2} dimensions", pool, x[0], kernel_size=2)
        raises(
            TypeError, f"^{name}: x must be float32 or float64", pool, x.astype(int), kernel_size=2
        )
        empty = np.empty((2, 0, *[6] * axes))
        raises(ValueError, f"^{name}: x may have no empty dimension", pool, empty, kernel_size=2)
        if not name.startswith("lp"):
            raises(
                ValueError, f"^{name}: padding .* at most half", pool, x, kernel_size=2, padding=2
            )
    grad = np.ones((2, 3, *[3] * axes))
    for name, call in {
        f"avg_pool{axes}d_backward": lambda g: getattr(F, f"avg_pool{axes}d_backward")(g, x, 2),
        f"lp_pool{axes}d_backward": lambda g: getattr(F, f"lp_pool{axes}d_backward")(g, x, 2, 2),
        f"max_pool{axes}d_backward": passes.max_pool_routed(
            f"max_pool{axes}d", axes, x, 2, None, 0, 1, False, False
        )[1],
    }.items():
        call(grad)
        for axis in range(axes + 2):
            shape = [n + 1 if a == axis else n for a, n in enumerate(grad.shape)]
            message = f"^{name}: grad has shape .*, but the output's shape is"
            raises(ValueError, message, call, np.ones(shape))
        raises(TypeError, rf"^{name}: grad is float32", call, grad.astype(np.float32))
    backward, indices = getattr(F, f"max_pool{axes}d_backward"), np.zeros(grad.shape, int)
    raises(TypeError, "indices must be an integer array", backward, grad, grad, x.shape)
    raises(ValueError, "indices has shape", backward, grad, indices[:1], x.shape)
    raises(ValueError, f"1 of the indices lie outside 0..{6**axes - 1}",
           backward, grad, with_one(indices, 6**axes), x.shape)  # fmt: skip
    raises(ValueError, "1 of the indices lie", backward, grad, with_one(indices, -1), x.shape)
    count = {1: "three", 3: "five"}[axes]
    raises(ValueError, f"must be {count} sizes", backward, grad, indices, (*x.shape, 1))
    raises(TypeError, f"must be {count} ints", backward, grad, indices, (2.0, *x.shape[1:]))
    raises(ValueError, "differ in batch or channels", backward, grad, indices, (1, *x.shape[1:]))


def with_one(indices: np.ndarray, value: int) -> np.ndarray:
    indices = indices.copy()
    indices.flat[-1] = value
    return indices
