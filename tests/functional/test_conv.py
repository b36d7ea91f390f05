"""Convolution and its gradients against the oracle, over every kind of window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnfast._ext import dispatch
from cnnfast.functional import conv2d, conv2d_backward
from tests import oracle
from tests.functional.convolutions import Conv, Expected, each_dtype, each_isa, each_order
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    assert_same,
    channels_last,
    integers,
    numerical_gradient,
    random,
    using_isa,
    using_threads,
)

WINDOWS = {
    "a pixel": Conv((1, 1, 1, 1), (1, 1, 1, 1)),
    "one by one": Conv((2, 5, 6, 7), (4, 5, 1, 1)),
    "one by one, one row": Conv((3, 5, 1, 7), (4, 5, 1, 1)),
    "one by one, one column": Conv((3, 5, 7, 1), (4, 5, 1, 1)),
    "one by one, strided": Conv((2, 5, 6, 7), (4, 5, 1, 1), (2, 3)),
    "one by one, padded": Conv((2, 5, 6, 7), (4, 5, 1, 1), 1, 2),
    "one by one, padded on one side": Conv((2, 5, 6, 7), (4, 5, 1, 1), 1, ((0, 1), (0, 0))),
    "three by three": Conv((2, 4, 7, 9), (5, 4, 3, 3), 1, 1),
    "unpadded": Conv((2, 4, 7, 9), (5, 4, 3, 3)),
    "the whole image": Conv((3, 4, 5, 6), (7, 4, 5, 6)),
    "rows only": Conv((2, 4, 7, 5), (5, 4, 4, 1), 1, (2, 0)),
    "columns only": Conv((2, 4, 5, 7), (5, 4, 1, 4), 1, (0, 2)),
    "same": Conv((2, 3, 6, 7), (4, 3, 3, 4), 1, "same"),
    "same, dilated": Conv((2, 3, 6, 7), (4, 3, 4, 3), 1, "same", (1, 3)),
    "valid": Conv((2, 3, 6, 7), (4, 3, 3, 4), 2, "valid"),
    "asymmetric": Conv((2, 3, 6, 7), (4, 3, 3, 3), 1, ((0, 2), (3, 1))),
    "asymmetric, strided": Conv((2, 3, 6, 7), (4, 3, 3, 3), (2, 3), ((1, 0), (0, 2))),
    "stride 2": Conv((2, 3, 9, 8), (4, 3, 3, 3), 2, 1),
    "stride 2 that does not fit": Conv((2, 3, 10, 11), (4, 3, 4, 4), 2),
    "stride over kernel": Conv((2, 3, 11, 13), (4, 3, 2, 3), (3, 5)),
    "stride over kernel, padded": Conv((2, 3, 11, 13), (4, 3, 2, 1), (3, 4), 3),
    "stride over image": Conv((2, 3, 4, 3), (4, 3, 2, 2), 9),
    "dilated": Conv((2, 3, 9, 10), (4, 3, 3, 3), 1, 2, 2),
    "dilated apart": Conv((2, 3, 9, 12), (4, 3, 2, 3), 1, (1, 3), (3, 4)),
    "stride and dilation 2": Conv((2, 3, 11, 12), (4, 3, 3, 3), 2, 2, 2),
    "gcd of 2": Conv((2, 3, 15, 17), (4, 3, 3, 4), (4, 6), 3, (6, 4)),
    "gcd of 3": Conv((2, 3, 15, 17), (4, 3, 3, 2), (3, 6), (5, 0), (6, 9)),
    "padding over kernel": Conv((2, 3, 4, 5), (4, 3, 3, 2), 1, 6),
    "padding over kernel, strided": Conv((2, 3, 4, 5), (4, 3, 3, 2), (3, 2), (7, 5)),
    "windows in the padding only": Conv((1, 2, 2, 2), (3, 2, 2, 2), 3, ((9, 8), (0, 7))),
    "taps that step over the image": Conv((2, 3, 2, 2), (4, 3, 3, 3), 1, 5, 5),
    "groups": Conv((2, 6, 7, 8), (9, 2, 3, 3), 1, 1, 1, 3),
    "groups, strided and dilated": Conv((2, 8, 9, 11), (6, 4, 2, 3), 2, 1, (2, 1), 2),
    "groups of one by one": Conv((2, 8, 5, 4), (6, 4, 1, 1), 1, 0, 1, 2),
    "groups of one filter": Conv((2, 6, 7, 8), (3, 2, 3, 3), 1, 1, 1, 3),
    "depthwise": Conv((2, 5, 7, 8), (5, 1, 3, 3), 1, 1, 1, 5),
    "depthwise, strided": Conv((2, 5, 9, 8), (5, 1, 3, 3), 2, 1, 1, 5),
    "depthwise, dilated": Conv((2, 5, 9, 8), (5, 1, 3, 2), 1, (2, 3), (2, 3), 5),
    "depthwise, strided and dilated": Conv((2, 5, 14, 15), (5, 1, 3, 3), (2, 3), 3, (4, 3), 5),
    "depthwise, padding over kernel": Conv((2, 5, 3, 2), (5, 1, 2, 2), 2, 5, 1, 5),
    "depthwise one by one": Conv((2, 5, 3, 4), (5, 1, 1, 1), 1, 0, 1, 5),
    "depthwise, twice the channels": Conv((2, 5, 7, 8), (10, 1, 3, 3), 1, 1, 1, 5),
    "one channel, one filter": Conv((2, 1, 7, 8), (1, 1, 3, 3), 1, 1),
    "one channel": Conv((2, 1, 7, 8), (6, 1, 5, 5), 1, 2),
    "one filter": Conv((2, 6, 7, 8), (1, 6, 5, 5), 1, 2),
}


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("conv", WINDOWS.values(), ids=WINDOWS)
def test_every_kind_of_window(conv, dtype, order):
    Expected(conv, dtype).check(order)
    if conv.weight[1] > 1:  # more channels, on either side, than the ways for a few of them take
        (n, _, h, w), (_, _, r, s), groups = conv.x, conv.weight, conv.groups
        more = conv._replace(x=(n, 9 * groups, h, w), weight=(10 * groups, 9, r, s))
        Expected(more, dtype).check(order)


def axes():
    """Every small case of one axis: size, kernel, stride, padding, dilation."""
    for kernel in (1, 2, 3, 5):
        for stride in range(1, 7):
            for dilation in (1, 2, 3, 4, 6):
                for padding in ((0, 0), (1, 1), (2, 0), (0, 3), (7, 5)):
                    for size in (1, 4, 13):
                        if size + sum(padding) > dilation * (kernel - 1):
                            yield size, kernel, stride, padding, dilation


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("channels", "filters", "groups"), [(1, 1, 1), (3, 10, 1), (20, 10, 1), (16, 16, 16)]
)
@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_every_stride_padding_and_dilation(axis, channels, filters, groups):
    across = axis == "columns"
    # Two images, and two rows (or columns): a phase of the input gradient may flatten either.
    numbers = integers(2, channels, 2, 13)
    weights = integers(filters, channels // groups, 1, 5, seed=1)
    for size, kernel, stride, padding, dilation in axes():
        window = ((1, stride), ((0, 0), padding), (1, dilation), groups)
        x, weight = numbers[..., :size], weights[..., :kernel]
        if not across:
            window = ((stride, 1), (padding, (0, 0)), (dilation, 1), groups)
            x, weight = x.swapaxes(2, 3), weight.swapaxes(2, 3)
        x = channels_last(x) if size == 4 or groups > 1 else x
        y = conv2d(x, weight, None, *window)
        assert_same(y, oracle.conv2d(x, weight, None, *window))
        grad = integers(*y.shape, seed=2)
        got = conv2d_backward(grad, x, weight, *window)
        for array, want in zip(got, oracle.conv2d_backward(grad, x, weight, *window), strict=True):
            assert_same(array, want)


# ---------------------------------------------------------------------------- derivatives


@each_isa
@pytest.mark.parametrize(
    "conv",
    [
        Conv((2, 2, 4, 5), (3, 2, 2, 3)),
        Conv((1, 4, 5, 4), (2, 2, 3, 2), 2, 1, 1, 2),
        Conv((1, 3, 5, 6), (3, 1, 2, 2), (1, 3), (2, 0), (2, 1), 3),
        Conv((1, 5, 4, 4), (2, 5, 1, 1), 1, ((0, 1), (2, 0))),
    ],
    ids=str,
)
def test_gradients_are_derivatives(conv):
    x, weight, bias = random(*conv.x), random(*conv.weight, seed=1), random(conv.weight[0], seed=2)
    grad = random(*conv2d(x, weight, bias, *conv.window).shape, seed=3)
    gx, gw, gb = conv2d_backward(grad, x, weight, *conv.window)
    numerical = [
        numerical_gradient(lambda x: conv2d(x, weight, bias, *conv.window), x, grad),
        numerical_gradient(lambda w: conv2d(x, w, bias, *conv.window), weight, grad),
        numerical_gradient(lambda b: conv2d(x, weight, b, *conv.window), bias, grad),
    ]
    for got, want in zip((gx, gw, gb), numerical, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)


# ---------------------------------------------------------------------------- at random


@st.composite
def convolutions(draw) -> Conv:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    c, k = (groups * draw(st.integers(1, 40 // groups)) for _ in range(2))
    if draw(st.integers(0, 3)) == 0:
        groups = c = k = draw(st.integers(2, 70))
    kernel, stride, dilation, size, padding = [], [], [], [], []
    for axis in range(2):
        kernel.append(draw(st.integers(1, 5)))
        stride.append(draw(st.integers(1, 5)))
        dilation.append(draw(st.integers(1, 4)))
        padding.append((draw(st.integers(0, 4)), draw(st.integers(0, 4))))
        least = max(1, dilation[axis] * (kernel[axis] - 1) + 1 - sum(padding[axis]))
        size.append(least + draw(st.integers(0, 25)))
    return Conv(
        (draw(st.integers(1, 3)), c, *size),
        (k, c // groups, *kernel),
        tuple(stride),
        tuple(padding),
        tuple(dilation),
        groups,
    )


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    conv=convolutions(),
    isa=st.sampled_from(dispatch.supported_isas()),
    dtype=st.sampled_from(FLOATS),
    layouts=st.tuples(st.sampled_from([*LAYOUTS]), st.sampled_from([*LAYOUTS])),
)
def test_any_convolution(conv, isa, dtype, layouts):
    with using_isa(isa), using_threads(1):
        Expected(conv, dtype).check(*layouts)


# ---------------------------------------------------------------------------- the notes


def test_notes_first_layer_of_alexnet():
    x, weight = np.ones((1, 3, 227, 227), np.float32), np.ones((96, 3, 11, 11), np.float32)
    y = conv2d(x, weight, stride=4, strict=True, algorithm="direct")
    assert y.shape == (1, 96, 55, 55)
    assert (y == 363).all()


def test_notes_example_of_slices():
    """V[i, j, d] = sum(X[2i:2i+5, 2j:2j+5, :] * W_d) + b_d for X of 11 x 11 x 4."""
    volume, filters, bias = integers(11, 11, 4), integers(2, 5, 5, 4, seed=1), integers(2, seed=2)
    x, weight = volume.transpose(2, 0, 1)[None], filters.transpose(0, 3, 1, 2)
    y = conv2d(x, weight, bias, stride=2, strict=True)
    assert y.shape == (1, 2, 4, 4)
    for d, i, j in np.ndindex(2, 4, 4):
        patch = volume[2 * i : 2 * i + 5, 2 * j : 2 * j + 5, :]
        assert y[0, d, i, j] == np.sum(patch * filters[d]) + bias[d]


@pytest.mark.parametrize("extent", [1, 3, 5, 7])
def test_notes_padding_that_keeps_the_size(extent):
    x, weight = random(1, 2, 9, 11), random(3, 2, extent, extent, seed=1)
    y = conv2d(x, weight, padding=(extent - 1) // 2, strict=True)
    assert y.shape == (1, 3, 9, 11)
    assert_same(y, conv2d(x, weight, padding="same"))


def test_notes_stride_that_does_not_fit():
    """W = 10, F = 3, P = 0, S = 2 gives 4.5: invalid in the notes, 4 in every framework."""
    x, weight = random(1, 2, 10, 11), random(3, 2, 3, 3, seed=1)
    y = conv2d(x, weight, stride=2)
    assert y.shape == (1, 3, 4, 5)
    assert_same(y, conv2d(x[:, :, :9], weight, stride=2))
    with pytest.raises(ValueError, match=r"conv2d: strict: height 10 .* 9 and 11$"):
        conv2d(x, weight, stride=2, strict=True)
    for height in (9, 11):
        conv2d(random(1, 2, height, 11), weight, stride=2, strict=True)
    with pytest.raises(ValueError, match=r"conv2d: strict: width 10 .* 9 and 11$"):
        conv2d(x.swapaxes(2, 3), weight, stride=2, strict=True)
