"""Convolution over one and three axes, and transposed, against loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from tests.functional import naive_nd
from tests.functional.naive_nd import Geometry
from tests.helpers import (
    FLOATS,
    assert_close,
    assert_same,
    cropped,
    guarded,
    integers,
    misaligned,
    numerical_gradient,
    random,
    read_only,
    reversed_axes,
    stored,
    using_threads,
    with_gaps,
)

pytestmark = pytest.mark.usefixtures("one_thread")
each_dtype = pytest.mark.parametrize("dtype", FLOATS)


def channels_last(x: np.ndarray) -> np.ndarray:
    return stored(x, 0, *range(2, x.ndim), 1)


def is_channels_last(x: np.ndarray) -> bool:
    return not x.flags.c_contiguous and x.transpose(0, *range(2, x.ndim), 1).flags.c_contiguous


ORDERS: dict[str, Callable] = {"contiguous": np.ascontiguousarray, "channels_last": channels_last}
LAYOUTS = {
    **ORDERS,
    "reversed": reversed_axes,
    "gaps": with_gaps,
    "cropped": cropped,
    "misaligned": misaligned,
    "read_only": read_only,
    "batch_last": lambda x: stored(x, *range(1, x.ndim), 0),
}
each_order = pytest.mark.parametrize("order", ORDERS)


class Case(NamedTuple):
    """Sizes with an entry for each axis; `padding` as the functions take it."""

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: object = 0
    dilation: tuple[int, ...] = (1, 1, 1)
    groups: int = 1
    channels: tuple[int, int] = (3, 4)  # of one group
    output_padding: tuple[int, ...] = (0, 0, 0)

    @property
    def axes(self) -> int:
        return len(self.size)

    @property
    def geometry(self) -> Geometry:
        dilation = self.dilation[: self.axes]
        if self.padding == "same":
            total = [d * (k - 1) for d, k in zip(dilation, self.kernel, strict=True)]
            sides = [(t // 2, t - t // 2) for t in total]
        elif self.padding == "valid" or isinstance(self.padding, int):
            sides = [(0 if self.padding == "valid" else self.padding,) * 2] * self.axes
        else:
            sides = [p if isinstance(p, tuple) else (p, p) for p in self.padding]
        return Geometry(self.kernel, self.stride, sides, dilation)

    @property
    def window(self) -> dict:
        """Keywords of a convolution."""
        dilation = self.dilation[: self.axes]
        names = ("stride", "padding", "dilation", "groups")
        values = (self.stride, self.padding, dilation, self.groups)
        return dict(zip(names, values, strict=True))

    @property
    def transposed(self) -> dict:
        return self.window | {"output_padding": self.output_padding[: self.axes]}

    def arrays(self, dtype: type, batch: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The image, the filters and the bias of a convolution, in whole numbers."""
        c, k = self.channels[0], self.channels[1] * self.groups
        x = integers(batch, c * self.groups, *self.size, dtype=dtype)
        w = integers(k, c, *self.kernel, dtype=dtype, seed=1)
        return x, w, integers(k, dtype=dtype, seed=2)


CONVS = {
    "1d": Case((9,), (3,), (1,)),
    "1d strided": Case((11,), (3,), (2,), 1),
    "1d one channel": Case((12,), (4,), (3,), ((2, 1),), channels=(1, 5)),
    "1d dilated": Case((11,), (3,), (1,), ((4, 3),), (3,)),
    "1d grouped": Case((8,), (3,), (2,), (2,), (2,), 2),
    "1d depthwise": Case((8,), (3,), (1,), 1, groups=5, channels=(1, 1)),
    "1d same": Case((7,), (4,), (1,), "same", (2,)),
    "1d valid": Case((7,), (2,), (3,), "valid"),
    "1d one tap": Case((6,), (1,), (1,), channels=(20, 18)),
    "3d": Case((4, 5, 6), (3, 3, 3), (1, 1, 1), 1),
    "3d strided": Case((5, 6, 7), (3, 2, 3), (2, 1, 3), (1, 0, 2)),
    "3d asymmetric": Case((4, 4, 5), (2, 3, 2), (2, 2, 1), ((0, 2), (3, 0), (1, 0))),
    "3d dilated": Case((7, 5, 6), (3, 2, 2), (1, 2, 1), (3, 1, 0), (3, 2, 4)),
    "3d grouped": Case((4, 5, 4), (2, 3, 1), (1, 1, 2), (1, 1, 0), (2, 1, 1), 3),
    "3d depthwise": Case((4, 5, 4), (3, 3, 3), (1, 1, 1), 1, groups=4, channels=(1, 1)),
    "3d same": Case((3, 4, 5), (2, 3, 4), (1, 1, 1), "same"),
    "3d valid": Case((3, 4, 5), (2, 3, 2), (2, 1, 1), "valid"),
    "3d planes": Case((3, 5, 6), (1, 3, 3), (1, 1, 1), (0, 1, 1)),
    "3d every other slice": Case((5, 4, 4), (1, 2, 2), (2, 1, 1)),
    "3d padded slices": Case((2, 3, 3), (1, 2, 2), (1, 1, 1), (2, 0, 0)),
    "3d as many slices by padding": Case((4, 3, 3), (1, 2, 2), (2, 1, 1), (2, 0, 0)),
    "3d depth": Case((6, 3, 4), (3, 1, 1), (2, 1, 1), (2, 0, 0), (2, 1, 1), 2),
    "3d pixels": Case((3, 4, 5), (1, 1, 1), (1, 1, 1), channels=(18, 20)),
    "3d pixels, strided": Case((5, 4, 5), (1, 1, 1), (2, 1, 3)),
    "3d padding over kernel": Case((2, 2, 3), (2, 1, 2), (3, 2, 2), (5, 3, 4)),
    "3d taps that step over": Case((2, 3, 2), (3, 2, 2), (1, 1, 1), (6, 3, 3), (6, 3, 3)),
    "3d slices in the padding only": Case((1, 2, 2), (1, 1, 1), (3, 1, 1), ((9, 8), (0, 0), 0)),
    "3d winograd": Case((2, 9, 10), (2, 3, 3), (1, 1, 1), (0, 1, 1), channels=(16, 17)),
}
each_conv = pytest.mark.parametrize("case", CONVS.values(), ids=CONVS)


def function(name: str, case: Case) -> tuple[Callable, Callable]:
    name = f"{name}{case.axes}d"
    return getattr(F, name), getattr(F, f"{name}_backward")


def check(got: np.ndarray, want: np.ndarray, dtype: type, x: np.ndarray | None = None) -> None:
    """Compare with whole numbers; those of Winograd's way in float32 are not exact."""
    assert got.dtype == dtype
    assert got.shape == want.shape
    if dtype is np.float64:
        assert_same(got, want)
    else:
        assert_close(got, want, 1 + np.abs(want).max(initial=0), 1e-5)
    if x is not None:  # whose memory order the result has, where the two orders differ
        assert is_channels_last(got) == (
            is_channels_last(x) and is_channels_last(channels_last(got))
        )


@each_dtype
@each_order
@each_conv
def test_every_kind_of_convolution(case, order, dtype):
    conv, backward = function("conv", case)
    x, w, b = case.arrays(dtype)
    image = ORDERS[order](x)
    y = guarded(conv, image, w, b, **case.window)
    want = naive_nd.conv(x, w, case.geometry, case.groups)
    check(y, want + b.reshape(-1, *[1] * case.axes), dtype, image)
    grad = integers(*y.shape, dtype=dtype, seed=3)
    gradients = naive_nd.conv_backward(grad, x, w, case.geometry, case.groups)
    for other in ORDERS.values():
        got = guarded(backward, other(grad), image, w, **case.window)
        check(got[0], gradients[0], dtype, image)
        check(got[1], gradients[1], dtype)
        check(got[2], gradients[2], dtype)


TRANSPOSED = {
    "1d": Case((5,), (3,), (1,)),
    "1d strided": Case((5,), (4,), (2,), 1),
    "1d uneven": Case((5,), (4,), (3,), ((2, 0),), output_padding=(2,)),
    "1d grouped": Case((4,), (3,), (2,), 1, (2,), 2, output_padding=(1,)),
    "2d": Case((4, 5), (3, 3), (1, 1)),
    "2d doubling": Case((4, 5), (4, 4), (2, 2), 1),
    "2d patches": Case((3, 4), (2, 2), (2, 2), channels=(17, 9)),
    "2d output padding": Case((3, 4), (3, 3), (2, 3), 1, output_padding=(1, 2)),
    "2d uneven": Case((4, 5), (3, 4), (2, 1), ((0, 2), (3, 1)), output_padding=(1, 0)),
    "2d dilated": Case((4, 5), (3, 2), (1, 2), (2, 1), (2, 3)),
    "2d output padding over stride": Case(
        (3, 4), (2, 3), (1, 2), (1, 4), (3, 5), 1, (3, 4), (2, 4)
    ),
    "2d output padding alone": Case((3, 3), (1, 1), (1, 2), 0, (4, 1), 1, (3, 4), (3, 1)),
    "2d grouped": Case((4, 3), (3, 3), (2, 2), 1, groups=3, output_padding=(1, 1)),
    "2d depthwise": Case((4, 3), (3, 3), (2, 2), 1, groups=5, channels=(1, 1)),
    "2d stride over kernel": Case((3, 4), (2, 1), (3, 4), 0, output_padding=(2, 3)),
    "2d padding over kernel": Case((6, 7), (2, 2), (2, 2), (3, 4)),
    "2d one by one": Case((4, 5), (1, 1), (1, 1), channels=(18, 20)),
    "2d to one channel": Case((4, 5), (4, 4), (2, 2), 1, channels=(1, 7)),
    "2d same": Case((4, 5), (3, 4), (1, 1), "same"),
    "2d valid": Case((4, 5), (3, 4), (2, 1), "valid"),
    "2d winograd": Case((7, 9), (3, 3), (1, 1), 1, channels=(17, 16)),
    "3d": Case((2, 3, 4), (3, 2, 2), (2, 2, 1), (1, 0, 1)),
    "3d doubling": Case((2, 3, 2), (2, 2, 2), (2, 2, 2)),
    "3d output padding": Case((2, 3, 2), (3, 2, 3), (3, 2, 3), 1, (1, 2, 1), 2, (2, 3), (2, 1, 0)),
    "3d depth": Case((3, 3, 2), (3, 1, 1), (2, 1, 1), (1, 0, 0), output_padding=(1, 0, 0)),
    "3d planes": Case((3, 3, 2), (1, 2, 2), (1, 2, 2)),
    # One tap, but padding and output padding shift the output by a pixel.
    "1d shifted": Case((5,), (1,), (1,), 1, (3,), output_padding=(2,)),
    "2d shifted": Case((4, 5), (1, 1), (1, 1), 1, (3, 3), output_padding=(2, 2)),
    "3d shifted": Case((3, 4, 2), (1, 1, 1), (1, 1, 1), 1, (3, 3, 3), output_padding=(2, 2, 2)),
    "3d shifted planes": Case((3, 4, 2), (2, 1, 1), (1, 1, 1), 1, (3, 3, 3), 1, (3, 4), (2, 2, 2)),
    "3d shifted slices": Case((3, 4, 2), (1, 2, 2), (1, 1, 1), 1, (3, 3, 3), 1, (3, 4), (2, 0, 0)),
}
each_transposed = pytest.mark.parametrize("case", TRANSPOSED.values(), ids=TRANSPOSED)


def transposed_arrays(case: Case, dtype: type, batch: int = 2) -> tuple[np.ndarray, ...]:
    """The input of a transposed convolution has the channels of a convolution's output."""
    c, k = case.channels
    x = integers(batch, k * case.groups, *case.size, dtype=dtype)
    w = integers(k * case.groups, c, *case.kernel, dtype=dtype, seed=1)
    return x, w, integers(c * case.groups, dtype=dtype, seed=2)


@each_dtype
@each_order
@each_transposed
def test_every_kind_of_transposed_convolution(case, order, dtype):
    conv, backward = function("conv_transpose", case)
    x, w, b = transposed_arrays(case, dtype)
    image, geometry = ORDERS[order](x), case.geometry
    y = guarded(conv, image, w, b, **case.transposed)
    extra = case.output_padding[: case.axes]
    want = naive_nd.conv_transpose(x, w, geometry, extra, case.groups)
    check(y, want + b.reshape(-1, *[1] * case.axes), dtype, image)
    grad = integers(*y.shape, dtype=dtype, seed=3)
    gradients = naive_nd.conv_transpose_backward(grad, x, w, geometry, case.groups)
    for other in ORDERS.values():
        got = guarded(backward, other(grad), image, w, **case.transposed)
        check(got[0], gradients[0], dtype, image)
        check(got[1], gradients[1], dtype)
        check(got[2], gradients[2], dtype)


def test_torchs_order_of_arguments():
    x, w = random(1, 2, 5, 5), random(2, 3, 3, 3)
    y = F.conv_transpose2d(x, w, None, 2, 1, 1, 1, 2)
    assert_same(
        y, F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1, groups=1, dilation=2)
    )
    grad = random(*y.shape)
    assert_same(
        F.conv_transpose2d_backward(grad, x, w, 2, 1, 1, 1, 2)[0],
        F.conv2d(grad, w, None, 2, 1, 2),
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["1d grouped", "2d grouped", "3d", "3d depth", "3d planes"])
def test_any_memory(name, layout):
    for cases, kind in ((CONVS, "conv"), (TRANSPOSED, "conv_transpose")):
        if name not in cases:
            continue
        case = cases[name]
        arrays = Case.arrays if kind == "conv" else transposed_arrays
        x, w, b = arrays(case, np.float64)
        keywords = case.window if kind == "conv" else case.transposed
        forward, backward = function(kind, case)
        y = forward(x, w, b, **keywords)
        change = LAYOUTS[layout]
        assert_same(guarded(forward, change(x), change(w), b, **keywords), y)
        want = backward(y, x, w, **keywords)
        for got, right in zip(
            guarded(backward, change(y), change(x), change(w), **keywords), want, strict=True
        ):
            assert_same(got, right)


@pytest.mark.parametrize("axes", [1, 3])
def test_memory_format(axes):
    x, w = random(2, 3, *[4] * axes), random(5, 3, *[2] * axes)
    for name, filters in (("conv", w), ("conv_transpose", w.swapaxes(0, 1).copy())):
        conv = getattr(F, f"{name}{axes}d")
        for image in (x, channels_last(x)):
            last = is_channels_last(image)
            assert is_channels_last(conv(image, filters)) == last
            assert is_channels_last(conv(image, filters, memory_format="channels_last"))
            assert conv(image, filters, memory_format="contiguous").flags.c_contiguous


@pytest.mark.parametrize("case", [CONVS["1d dilated"], CONVS["3d strided"]], ids=str)
def test_gradients_of_convolution_are_slopes(case):
    conv, backward = function("conv", case)
    x, w, b = (a + 0.5 for a in case.arrays(np.float64, batch=1))
    check_slopes(lambda x, w, b: conv(x, w, b, **case.window), backward, (x, w, b), case.window)


@pytest.mark.parametrize("name", ["1d uneven", "2d output padding over stride", "3d"])
def test_gradients_of_transposed_convolution_are_slopes(name):
    case = TRANSPOSED[name]
    conv, backward = function("conv_transpose", case)
    arrays = tuple(a + 0.5 for a in transposed_arrays(case, np.float64, batch=1))
    window = case.transposed
    check_slopes(lambda x, w, b: conv(x, w, b, **window), backward, arrays, window)


def check_slopes(forward, backward, arrays, window):
    grad = random(*forward(*arrays).shape, seed=5)
    gradients = backward(grad, *arrays[:2], **window)
    for i, got in enumerate(gradients):

        def of_one(array, i=i):
            return forward(*arrays[:i], array, *arrays[i + 1 :])

        want = numerical_gradient(of_one, arrays[i], grad)
        np.testing.assert_allclose(got, want, atol=1e-5 * (1 + np.abs(want).max()))


@each_order
def test_the_same_for_any_number_of_threads(order):
    cases = [CONVS["3d"], CONVS["1d"], TRANSPOSED["2d doubling"], TRANSPOSED["3d"]]
    results = []
    for threads in (1, 2, 3, 7):
        found = []
        with using_threads(threads):
            for case in cases:
                kind = "conv" if case in CONVS.values() else "conv_transpose"
                wide = case._replace(channels=(24, 40), size=tuple(3 * s for s in case.size))
                arrays = Case.arrays if kind == "conv" else transposed_arrays
                keywords = wide.window if kind == "conv" else wide.transposed
                forward, backward = function(kind, wide)
                x, w, b = (a / 3 for a in arrays(wide, np.float32))
                y = forward(ORDERS[order](x), w, b, **keywords)
                found += [y, *backward(y, ORDERS[order](x), w, **keywords)]
        results.append([array.tobytes() for array in found])
    assert results[1:] == results[:1] * 3


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_empty_batches_and_needs(axes):
    x, w = random(2, 3, *[5] * axes), random(4, 3, *[3] * axes)
    for name, filters in (("conv", w), ("conv_transpose", w.swapaxes(0, 1).copy())):
        conv, backward = getattr(F, f"{name}{axes}d"), getattr(F, f"{name}{axes}d_backward")
        y = conv(x, filters)
        nothing = conv(x[:0], filters, random(4))
        assert nothing.shape == (0, *y.shape[1:])
        gx, gw, gb = backward(nothing, x[:0], filters)
        assert gx.shape == (0, *x.shape[1:])
        assert not gw.any()
        assert not gb.any()
        whole = backward(y, x, filters)
        for i, need in enumerate(("x", "weight", "bias")):
            part = backward(y, x, filters, needs=(need,))
            assert [g is not None for g in part] == [i == j for j in range(3)]
            assert_same(part[i], whole[i])


# ---------------------------------------------------------------------------- bad input


def raises(error: type[Exception], message: str, call: Callable, *args, **kwargs) -> None:
    with pytest.raises(error, match=message):
        call(*args, **kwargs)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["conv", "conv_transpose"])
def test_bad_input(axes, kind):
    if kind == "conv" and axes == 2:
        return  # in test_arguments.py
    name = f"{kind}{axes}d"
    conv, backward = getattr(F, name), getattr(F, f"{name}_backward")
    x, w = np.ones((2, 4, *[6] * axes)), np.ones((4, 4, *[3] * axes))
    grad = conv(x, w)
    names = ["stride", "dilation"] + ["output_padding"] * (kind == "conv_transpose")
    form = {1: "an int", 2: "an int or a pair of ints", 3: "an int or three ints"}[axes]
    for call, start in ((conv, name), (lambda x, w, **k: backward(grad, x, w, **k), f"{name}_b")):
        for argument in [*names, "padding"]:
            least = 0 if "padding" in argument else 1
            low = rf"^{start}.*: {argument} must be at least {least}, got"
            for value in (least - 1, -3, (least - 1,) * axes):
                raises(ValueError, low, call, x, w, **{argument: value})
            raises(ValueError, "must be at most", call, x, w, **{argument: 2**31})
            count = rf"^{start}.*: {argument} must be {form}, got"
            for value in ([], (1,) * (axes + 1)):
                raises(ValueError, count, call, x, w, **{argument: value})
            for value in (1.0, None, True, np.ones(axes, int)):
                raises(TypeError, count, call, x, w, **{argument: value})
        raises(ValueError, 'must be "same" or "valid"', call, x, w, padding="full")
        raises(ValueError, 'padding "same" needs stride 1', call, x, w, padding="same", stride=2)
        sides = ((1, 1),) * (axes + 1)
        raises(ValueError, rf"^{start}.*: padding must be \(\(", call, x, w, padding=sides)
        for groups in (0, -1, 3):
            raises(ValueError, "groups must be at least 1 and divide", call, x, w, groups=groups)
        raises(TypeError, "groups must be an int", call, x, w, groups=1.0)
        raises(ValueError, "x has 2 channels, but weight", call, x[:, :2], w)
        raises(ValueError, f"weight must have {axes + 2} dimensions", call, x, w[..., 0])
        raises(ValueError, f"weight must have {axes + 2} dimensions", call, x, w[..., None])
        raises(ValueError, f"x must have {axes + 2} dimensions", call, x[0], w)
        raises(TypeError, "must be a NumPy array, got list", call, x.tolist(), w)
        raises(TypeError, "weight is float32 but x is float64", call, x, w.astype(np.float32))
        raises(TypeError, "weight must be float32 or float64", call, x, w.astype(int))
        for axis in range(1, axes + 2):
            empty = np.empty([0 if a == axis else n for a, n in enumerate(x.shape)])
            raises(ValueError, "x may have no empty dimension except the batch", call, empty, w)
        for axis in range(axes + 2):
            empty = np.empty([0 if a == axis else n for a, n in enumerate(w.shape)])
            raises(ValueError, "weight may have no empty dimension", call, x, empty)
    raises(ValueError, rf"^{name}: bias has shape \(3,\)", conv, x, w, np.ones(3))
    raises(ValueError, rf"^{name}: memory_format must be", conv, x, w, memory_format="NHWC")
    message = rf"^{name}_backward: grad has shape .*, but the output's shape is"
    for axis in range(axes + 2):
        shape = [n - 1 if a == axis else n for a, n in enumerate(grad.shape)]
        raises(ValueError, message, backward, np.ones(shape), x, w)
    raises(TypeError, "grad is float32 but x is", backward, grad.astype(np.float32), x, w)
    raises(ValueError, f"^{name}_backward: needs must", backward, grad, x, w, needs=("y",))


def test_a_window_that_does_not_fit():
    message = r"^conv1d: kernel_size \(5,\) with dilation 2 spans 9 elements, more than the 7 of"
    raises(ValueError, message, F.conv1d, np.ones((1, 1, 7)), np.ones((1, 1, 5)), dilation=2)
    volume, filters = np.ones((1, 1, 2, 7, 7)), np.ones((1, 1, 3, 1, 1))
    raises(ValueError, r"^conv3d: kernel_size .* spans 3 slices", F.conv3d, volume, filters)
    message = r"^conv1d: strict: length 7 leaves 1 elements over"
    sequence = np.ones((1, 1, 7))
    raises(ValueError, message, F.conv1d, sequence, np.ones((1, 1, 2)), stride=2, strict=True)


def test_what_a_transposed_convolution_cannot_make():
    x, w = np.ones((1, 1, 2, 3)), np.ones((1, 1, 3, 3))
    message = r"^conv_transpose2d: padding \(2, 2\) leaves nothing of the 4 rows that 2 give$"
    raises(ValueError, message, F.conv_transpose2d, x, w, padding=2)
    message = r"^conv_transpose2d: output_padding \(0, 2\) must be less than the stride"
    raises(ValueError, message, F.conv_transpose2d, x, w, stride=2, output_padding=(0, 2))
    raises(ValueError, "output_padding", F.conv_transpose2d, x, w, output_padding=1)
    assert F.conv_transpose2d(x, w, dilation=2, output_padding=1).shape == (1, 1, 7, 8)
    one = np.ones((1, 1, 1, 1))
    huge = np.broadcast_to(1.0, (1, 1, 2**20, 2**20))
    raises(ValueError, "neither may have more than", F.conv_transpose2d, huge, one, stride=2)
    wide = np.broadcast_to(1.0, (1, 1, 1, 2**19))
    raises(MemoryError, "for a result of shape", F.conv_transpose2d, wide, one, stride=2**20)
