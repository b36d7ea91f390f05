"""Convolution and its gradients of any memory, and of special values."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import empty_cache
from cnnfast.functional import conv2d, conv2d_backward
from tests import oracle
from tests.functional.convolutions import Conv, Expected, each_dtype, each_isa, each_order
from tests.helpers import (
    DENSE_CHANNELS_LAST,
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    guarded,
    integers,
    is_channels_last,
    misaligned,
    random,
    read_only,
    reversed_axes,
    with_gaps,
)


@each_isa
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "conv",
    [
        Conv((2, 5, 6, 7), (4, 5, 3, 2), (1, 2), 1),
        Conv((2, 17, 6, 7), (4, 17, 3, 2)),
        Conv((2, 5, 6, 7), (4, 5, 1, 1)),
        Conv((2, 5, 6, 7), (5, 1, 3, 3), 1, 1, 1, 5),
        Conv((2, 4, 6, 7), (6, 2, 2, 2), 1, 0, 2, 2),
        Conv((3, 4, 1, 1), (6, 4, 1, 1)),
        Conv((3, 1, 5, 1), (2, 1, 2, 1)),
    ],
    ids=str,
)
def test_any_memory(conv, layout):
    Expected(conv, np.float32).check(layout)
    Expected(conv, np.float64).check("contiguous", layout)


@each_isa
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_of_weights(layout):
    x, weight = random(2, 6, 5, 7), random(8, 3, 2, 3, seed=1)
    grad = random(2, 8, 4, 5, seed=2)
    y = guarded(conv2d, x, LAYOUTS[layout](weight), groups=2)
    assert_close(y, oracle.conv2d(x, weight, groups=2), 20)
    got = guarded(conv2d_backward, grad, x, LAYOUTS[layout](weight), groups=2)
    for array, want in zip(got, oracle.conv2d_backward(grad, x, weight, groups=2), strict=True):
        assert_close(array, want, 50)


@pytest.mark.parametrize("relayout", [with_gaps, reversed_axes, misaligned, read_only])
@pytest.mark.parametrize("groups", [1, 6])
def test_any_memory_of_biases(relayout, groups):
    x, weight, bias = random(1, 6, 4, 4), random(6, 6 // groups, 3, 3), random(6, seed=1)
    y = guarded(conv2d, x, weight, relayout(bias), groups=groups)
    assert_close(y, oracle.conv2d(x, weight, bias, groups=groups), 50)


@each_isa
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_broadcast_memory(groups):
    """Strides of zero, as the gradient of a mean has them."""
    x = np.broadcast_to(random(1, 6, 1, 1), (2, 6, 5, 7))
    weight = np.broadcast_to(random(6, 1, 2, 1), (6, 6 // groups, 2, 3))
    bias = np.broadcast_to(np.float64(3), (6,))
    window = (1, 1, 1, groups)
    y = guarded(conv2d, x, weight, bias, *window)
    assert_close(y, oracle.conv2d(x, weight, bias, *window), 50)
    grad = np.broadcast_to(np.float64(0.25), y.shape)
    got = guarded(conv2d_backward, grad, x, weight, *window)
    for array, want in zip(got, oracle.conv2d_backward(grad, x, weight, *window), strict=True):
        assert_close(array, want, 50)


@pytest.mark.parametrize("shape", [(2, 5, 1, 1), (2, 1, 4, 3), (2, 5, 1, 6), (1, 5, 6, 1)])
def test_axes_of_length_one_with_odd_strides(shape):
    """What NumPy says of the stride of an axis of length 1 means nothing."""
    x = random(*shape)
    strides = [s if n > 1 else 8 * 12345 for s, n in zip(x.strides, shape, strict=True)]
    odd = np.lib.stride_tricks.as_strided(x, shape, strides)
    weight = random(3, shape[1], 1, 1, seed=1)
    assert_same(conv2d(odd, weight), conv2d(x, weight))
    grad = random(shape[0], 3, *shape[2:], seed=2)
    for got, want in zip(
        conv2d_backward(grad, odd, weight), conv2d_backward(grad, x, weight), strict=True
    ):
        assert_same(got, want)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_results_keep_the_memory_order(layout):
    x, weight = LAYOUTS[layout](random(2, 3, 5, 6)), random(4, 3, 3, 3)
    expected = layout in DENSE_CHANNELS_LAST
    y = conv2d(x, weight)
    gx, gw, gb = conv2d_backward(y, x, weight)
    assert is_channels_last(y) == is_channels_last(gx) == expected
    assert y.flags.c_contiguous == gx.flags.c_contiguous == (not expected)
    assert gw.flags.c_contiguous
    assert gb.flags.c_contiguous
    for last in (True, False):
        memory_format = "channels_last" if last else "contiguous"
        chosen = guarded(conv2d, x, weight, memory_format=memory_format)
        assert is_channels_last(chosen) == last
        assert_same(chosen, y)


def test_only_the_gradients_that_are_needed():
    grad, x, weight = random(2, 4, 3, 4), random(2, 3, 5, 6), random(4, 3, 3, 3)
    everything = conv2d_backward(grad, x, weight)
    for needs in [(), ("x",), ["weight"], {"bias"}, ("bias", "x"), ("x", "weight", "bias")]:
        for name, got, full in zip(
            ("x", "weight", "bias"),
            conv2d_backward(grad, x, weight, needs=needs),
            everything,
            strict=True,
        ):
            if name in needs:
                assert_same(got, full)
            else:
                assert got is None


@each_dtype
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_empty_batch(dtype, groups):
    x, weight = np.empty((0, 4, 6, 5), dtype), random(8, 4 // groups, 3, 3, dtype=dtype)
    if groups == 4:
        weight = weight[:4]
    window = (2, 1, 1, groups)
    y = guarded(conv2d, x, weight, None, *window)
    assert y.shape == (0, len(weight), 3, 3)
    assert y.dtype == dtype
    gx, gw, gb = guarded(conv2d_backward, y, x, weight, *window)
    assert gx.shape == x.shape
    assert gw.shape == weight.shape
    assert not gw.any()
    assert gb.shape == (len(weight),)
    assert not gb.any()


def test_indices_beyond_31_bits(tmp_path):
    """The corners of an image of more than 2^31 pixels, in a file that is nearly all hole."""
    height, width = 46342, 46344
    try:
        with open(tmp_path / "image", "wb") as file:
            file.truncate(height * width * 4)
            file.seek(-8, 2)
            file.write(np.array([3.0, 5.0], np.float32).tobytes())
        x = np.memmap(tmp_path / "image", np.float32, "r", shape=(1, 1, height, width))
    except OSError as error:
        pytest.skip(f"no room for a mapping of 9 GB: {error}")
    weight = np.array([[[[10.0, 1.0]]]], np.float32)
    stride = (height - 1, width - 2)
    y = conv2d(x, weight, stride=stride)
    assert y[0, 0].tolist() == [[0.0, 0.0], [0.0, 35.0]]
    _, gw, _ = conv2d_backward(np.ones_like(y), x, weight, stride, needs=("weight",))
    assert gw.ravel().tolist() == [3.0, 5.0]
    empty_cache()  # the gradient has packed the whole image


# ---------------------------------------------------------------------------- special values


@each_isa
@each_order
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("stride", [1, 2])
def test_nan_goes_where_it_is_seen(order, groups, stride):
    """A NaN reaches every sum that contains it and no other: not by way of padded lanes."""
    relayout, window = ORDERS[order], (stride, 1, 1, groups)
    x, weight = integers(2, 6, 7, 9), 1 + np.abs(integers(6, 6 // groups, 3, 3))
    y = conv2d(relayout(x), weight, None, *window)
    grad = 1 + np.abs(integers(*y.shape, seed=1))

    one = x.copy()
    one[1, 2, 3, 4] = np.nan
    assert_same(
        conv2d(relayout(one), weight, None, *window), oracle.conv2d(one, weight, None, *window)
    )
    _, gw, _ = conv2d_backward(grad, relayout(one), weight, *window)
    assert_same(gw, oracle.conv2d_backward(grad, one, weight, *window)[1])

    one = grad.copy()
    one[0, 4, 1, 2] = np.nan
    for got, want in zip(
        conv2d_backward(relayout(one), relayout(x), weight, *window),
        oracle.conv2d_backward(one, x, weight, *window),
        strict=True,
    ):
        assert_same(got, want)

    one = weight.copy()
    one[3, 0, 1, 2] = np.nan
    bad = np.isnan(conv2d(relayout(x), one, None, *window)).any(axis=(0, 2, 3))
    assert bad.tolist() == [False, False, False, True, False, False]
    bias = np.array([0, 0, 0, 0, np.inf, 0])
    bad = np.isinf(conv2d(relayout(x), weight, bias, *window)).any(axis=(0, 2, 3))
    assert bad.tolist() == [False, False, False, False, True, False]
