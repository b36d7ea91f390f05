"""Bad input: each a clear exception that names the function, the argument and the rule.

Every row of the table in the project's notes on what crashed other libraries (TensorFlow, PyTorch)
that concerns these operations is here; so are sizes whose products pass 2^31 and 2^63.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast.functional._arguments import float_array
from tests.helpers import FLOATS, LAYOUTS, random

X = random(2, 4, 6, 7, dtype=np.float32)
W = random(6, 4, 3, 3, dtype=np.float32)
B = random(6, dtype=np.float32)
G = random(2, 6, 4, 5, dtype=np.float32)  # of conv2d(X, W)
P = random(2, 4, 3, 3, dtype=np.float32)  # of a 2x2 pool of X
ONE = np.ones((1, 1, 1, 1), np.float32)
INDICES = np.zeros(P.shape, np.int64)
COLUMNS = random(2, 36, 20, dtype=np.float32)  # of im2col(X, 3)


def sized(*shape: int, dtype: type = np.float32) -> np.ndarray:
    """An array of any shape that takes no memory."""
    return np.broadcast_to(dtype(1), shape)


def raises(error: type[Exception], message: str, call: Callable, *args, **kwargs) -> None:
    with pytest.raises(error, match=message) as caught:
        call(*args, **kwargs)
    # Only the check itself, not an accident deep inside with the right words.
    assert caught.value.__cause__ is None


# Every function that takes an image, with all else in order.
IMAGES: dict[str, Callable] = {
    "im2col": lambda x: F.im2col(x, 3),
    "conv2d": lambda x: F.conv2d(x, W, B),
    "conv2d_backward": lambda x: F.conv2d_backward(G, x, W),
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "avg_pool2d_backward": lambda x: F.avg_pool2d_backward(P, x, 2),
    "lp_pool2d": lambda x: F.lp_pool2d(x, 2, 2),
    "lp_pool2d_backward": lambda x: F.lp_pool2d_backward(P, x, 2, 2),
    "global_avg_pool2d": F.global_avg_pool2d,
    "global_max_pool2d": F.global_max_pool2d,
    "global_avg_pool2d_backward": lambda x: F.global_avg_pool2d_backward(P[:, :, :1, :1], x),
    "global_max_pool2d_backward": lambda x: F.global_max_pool2d_backward(P[:, :, :1, :1], x),
}

# Every argument that is an array: function, argument, dimensions, and a call with it replaced.
ARRAYS: list[tuple[str, str, int, np.ndarray, Callable]] = [
    *((name, "x", 4, X, call) for name, call in IMAGES.items()),
    ("conv2d", "weight", 4, W, lambda w: F.conv2d(X, w)),
    ("conv2d", "bias", 1, B, lambda b: F.conv2d(X, W, b)),
    ("conv2d_backward", "weight", 4, W, lambda w: F.conv2d_backward(G, X, w)),
    ("conv2d_backward", "grad", 4, G, lambda g: F.conv2d_backward(g, X, W)),
    ("avg_pool2d_backward", "grad", 4, P, lambda g: F.avg_pool2d_backward(g, X, 2)),
    ("lp_pool2d_backward", "grad", 4, P, lambda g: F.lp_pool2d_backward(g, X, 2, 2)),
    (
        "max_pool2d_backward",
        "grad",
        4,
        P,
        lambda g: F.max_pool2d_backward(g, INDICES, X.shape),
    ),
    (
        "global_avg_pool2d_backward",
        "grad",
        4,
        P[:, :, :1, :1],
        lambda g: F.global_avg_pool2d_backward(g, X),
    ),
    (
        "global_max_pool2d_backward",
        "grad",
        4,
        P[:, :, :1, :1],
        lambda g: F.global_max_pool2d_backward(g, X),
    ),
    ("col2im", "columns", 3, COLUMNS, lambda c: F.col2im(c, (6, 7), 3)),
    ("linear", "x", 2, X[0, 0], lambda x: F.linear(x, W[0, :, 0])),
    ("linear", "weight", 2, W[:, 0, 0], lambda w: F.linear(P[0, 0], w)),
    ("linear", "bias", 1, B, lambda b: F.linear(P[0, 0], W[:, 0, 0], b)),
]
each_array = pytest.mark.parametrize(
    ("function", "name", "ndim", "good", "call"),
    ARRAYS,
    ids=[f"{function}-{name}" for function, name, *_ in ARRAYS],
)


# ---------------------------------------------------------------------------- arrays


@each_array
def test_not_an_array(function, name, ndim, good, call):
    start = rf"^{function}: {name} must be a NumPy array, got "
    raises(TypeError, start + "list$", call, good.tolist())
    raises(TypeError, start + "float$", call, 1.0)
    raises(TypeError, start + "str$", call, "x")
    if name != "bias":
        raises(TypeError, start + "NoneType$", call, None)
    masked = np.ma.masked_greater(good, 0)
    raises(TypeError, rf"^{function}: {name} is a masked array", call, masked)


def test_only_what_no_kernel_can_read_is_copied():
    for layout in LAYOUTS:
        array = LAYOUTS[layout](X)
        checked = float_array("f", "x", array, 4)
        assert checked.flags.aligned
        assert (checked is array) == (not layout.startswith("misaligned"))
        np.testing.assert_array_equal(checked, X)
    packed = np.zeros(5, [("byte", "u1"), ("x", "f4")])["x"]  # five bytes apart
    assert float_array("f", "x", packed).strides == (4,)


@each_array
@pytest.mark.parametrize(
    "dtype", [np.int64, np.uint8, np.bool_, np.float16, np.complex64, ">f4", object, "S4"]
)
def test_dtypes_that_no_kernel_knows(function, name, ndim, good, call, dtype):
    message = rf"^{function}: {name} must be float32 or float64, got "
    raises(TypeError, message, call, good.astype(dtype))


@each_array
def test_dtypes_that_differ(function, name, ndim, good, call):
    if function in ("im2col", "col2im", "max_pool2d_backward") or function in (
        "max_pool2d",
        "avg_pool2d",
        "lp_pool2d",
        "global_avg_pool2d",
        "global_max_pool2d",
    ):
        call(good.astype(np.float64))  # there is only one array
    else:
        message = rf"^{function}: \w+ is float\d\d but \w+ is float\d\d; all arrays must have one"
        raises(TypeError, message, call, good.astype(np.float64))


@each_array
def test_another_number_of_dimensions(function, name, ndim, good, call):
    message = rf"^{function}: {name} must have {ndim} dimensions \(.*\), got shape "
    raises(ValueError, message, call, good[None])
    if ndim > 1:
        raises(ValueError, message, call, good[0])
    raises(ValueError, message, call, np.array(1, np.float32))


@pytest.mark.parametrize(("function", "call"), IMAGES.items(), ids=IMAGES)
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_an_empty_dimension(function, call, axis):
    shape = [2, 4, 6, 7]
    shape[axis] = 0
    message = rf"^{function}: x may have no empty dimension except the batch, got shape \(2, "
    raises(ValueError, message, call, np.empty(shape, np.float32))


@pytest.mark.parametrize("axis", range(4))
def test_an_empty_filter(axis):
    shape = [6, 4, 3, 3]
    shape[axis] = 0
    weight = np.empty(shape, np.float32)
    message = "weight may have no empty dimension, got shape"
    raises(ValueError, f"^conv2d: {message}", F.conv2d, X, weight)
    raises(ValueError, f"^conv2d_backward: {message}", F.conv2d_backward, G, X, weight)


def test_linear_with_an_empty_weight():
    for shape in [(0, 4), (6, 0), (0, 0)]:
        weight = np.empty(shape, np.float32)
        message = "^linear: weight may have no empty dimension, got shape"
        raises(ValueError, message, F.linear, np.empty((2, shape[1]), np.float32), weight)


# ---------------------------------------------------------------------------- windows

# Every function that places a window, by which of its parameters can be set.
WINDOWS: dict[str, Callable] = {
    "im2col": lambda **k: F.im2col(X, **({"kernel_size": 2} | k)),
    "col2im": lambda **k: F.col2im(COLUMNS, (6, 7), **({"kernel_size": 2} | k)),
    "conv2d": lambda **k: F.conv2d(X, W, **k),
    "conv2d_backward": lambda **k: F.conv2d_backward(G, X, W, **k),
    "max_pool2d": lambda **k: F.max_pool2d(X, **({"kernel_size": 2} | k)),
    "avg_pool2d": lambda **k: F.avg_pool2d(X, **({"kernel_size": 2} | k)),
    "avg_pool2d_backward": lambda **k: F.avg_pool2d_backward(P, X, **({"kernel_size": 2} | k)),
    "lp_pool2d": lambda **k: F.lp_pool2d(X, 2, **({"kernel_size": 2} | k)),
    "lp_pool2d_backward": lambda **k: F.lp_pool2d_backward(P, X, 2, **({"kernel_size": 2} | k)),
}
NO_KERNEL_SIZE = {"conv2d", "conv2d_backward"}
NO_DILATION = {name for name in WINDOWS if name.startswith(("avg", "lp"))}
NO_PADDING = {"lp_pool2d", "lp_pool2d_backward"}
each_window = pytest.mark.parametrize(("function", "call"), WINDOWS.items(), ids=WINDOWS)


def settable(function: str, name: str) -> bool:
    lacking = {"kernel_size": NO_KERNEL_SIZE, "dilation": NO_DILATION, "padding": NO_PADDING}
    return function not in lacking.get(name, ())


@each_window
@pytest.mark.parametrize("name", ["kernel_size", "stride", "dilation", "padding"])
def test_numbers_of_a_window(function, call, name):
    if not settable(function, name):
        return
    least = 0 if name == "padding" else 1
    low = rf"^{function}: {name} must be at least {least}, got "
    for value in (least - 1, -3, (2, least - 1), [least - 1, 2], np.int64(-1), -(2**70)):
        raises(ValueError, low, call, **{name: value})
    high = rf"^{function}: {name} must be at most 2147483647, got "
    for value in (2**31, 2**62, 2**63, 2**64, 2**200, (1, 2**31)):
        raises(ValueError, high, call, **{name: value})
    count = rf"^{function}: {name} must be an int or a pair of ints, got "
    for value in ([], (), (1,), (1, 1, 1), [1, 2, 3, 4]):
        raises(ValueError, count, call, **{name: value})
    kinds = [True, (1, False), 1.0, 2.5, (1, 2.0), np.float32(1), np.ones(2, int), "1", (1, "2")]
    for value in kinds:
        if not (name == "padding" and isinstance(value, str)):
            raises(TypeError, count, call, **{name: value})
    if not (name == "stride" and "pool" in function):  # there None is the window's size
        raises(TypeError, count, call, **{name: None})


@each_window
def test_other_forms_of_padding(function, call):
    if not settable(function, "padding"):
        return
    word = rf'^{function}: padding must be "same" or "valid", got '
    for value in ("SAME", "full", "", "1"):
        raises(ValueError, word, call, padding=value)
    raises(ValueError, f'{function}: padding "same" needs stride 1', call, padding="same", stride=2)
    sides = rf"^{function}: padding must be "
    for value in [((1, 1),), ((1, 1), (1, 1), (1, 1)), ((1,), (1,)), ((1, 1), (1, -1)), [[], []]]:
        raises(ValueError, sides, call, padding=value)
    for value in [((1, 1), (1, 1.0)), ((1, 1), ("1", 1)), ((1, 1), None), ((True, 1), (1, 1))]:
        raises(TypeError, sides, call, padding=value)


@each_window
def test_window_larger_than_the_image(function, call):
    message = rf"^{function}: kernel_size \(.*\) spans \d+ (rows|columns), more than the \d of the "
    dilated = rf"^{function}: kernel_size \(\d, \d\) with dilation 4 spans [59] rows, more than the"
    if function not in NO_KERNEL_SIZE:
        raises(ValueError, message, call, kernel_size=8)
        raises(ValueError, message, call, kernel_size=(1, 8))
        raises(ValueError, message, call, kernel_size=2**31 - 1)
    else:
        weight = sized(6, 4, 9, 1)
        other = F.conv2d if function == "conv2d" else lambda x, w: F.conv2d_backward(G, x, w)
        raises(ValueError, message, other, X, weight)
    if function not in NO_DILATION:
        size = {} if function in NO_KERNEL_SIZE else {"kernel_size": 3}
        raises(ValueError, dilated, call, **size, dilation=4)
        raises(ValueError, "spans", call, **size, dilation=2**31 - 1)


def test_the_message_of_the_architecture():
    """The notes on the design give this message as the example."""
    x, weight = sized(1, 1, 7, 7), sized(1, 1, 5, 5)
    message = (
        r"^conv2d: kernel_size \(5, 5\) with dilation 2 spans 9 rows, "
        r"more than the 7 of the padded input$"
    )
    raises(ValueError, message, F.conv2d, x, weight, dilation=2)


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
def test_padding_of_pools(pool):
    message = rf"^{pool.__name__}: padding \(2, 2\) must be at most half of the 3 rows"
    raises(ValueError, message, pool, X, 3, 2, 2)
    message = rf"^{pool.__name__}: padding \(0, 2\) must be at most half of the 2 columns"
    raises(ValueError, message, pool, X, 2, 2, ((0, 0), (0, 2)))
    message = r"^max_pool2d: window 0 over the rows holds nothing but padding"
    raises(ValueError, message, F.max_pool2d, sized(1, 1, 2, 9), 2, 1, (2, 0), (4, 1))


def test_integers_of_other_kinds_are_fine():
    y = F.conv2d(X, W, B, 1, 1)
    for one in (np.int8(1), np.uint64(1), [1, 1], (np.int32(1), 1), ((1, 1), (1, 1))):
        np.testing.assert_array_equal(F.conv2d(X, W, B, 1, one), y)
    np.testing.assert_array_equal(F.conv2d(X, W, B, [1, np.int16(1)], 1, (1, 1), np.int64(1)), y)


# ---------------------------------------------------------------------------- convolution


def test_channels_and_groups():
    message = r"^conv2d: x has 4 channels, but weight \(6, 3, 3, 3\) with groups 1 reads 3$"
    raises(ValueError, message, F.conv2d, X, sized(6, 3, 3, 3))
    message = r"^conv2d: x has 4 channels, but weight \(6, 4, 3, 3\) with groups 2 reads 8$"
    raises(ValueError, message, F.conv2d, X, W, groups=2)
    message = r"^conv2d: groups must be at least 1 and divide the 6 filters of weight .*, got "
    for groups in (0, -1, 4, 5, 12, 2**31, 2**63, 2**100):
        raises(ValueError, message, F.conv2d, X, W, groups=groups)
    for groups in (1.0, True, None, "1", (1, 1)):
        raises(TypeError, r"^conv2d: groups must be an int, got ", F.conv2d, X, W, groups=groups)


def test_bias_of_another_length():
    for length in (0, 1, 5, 7):
        message = rf"^conv2d: bias has shape \({length},\), but one value for each filter is \(6,\)"
        raises(ValueError, message, F.conv2d, X, W, sized(length))
    raises(ValueError, r"^linear: bias has shape \(5,\)", F.linear, X[0, 0], sized(6, 7), sized(5))


def test_memory_format():
    for value in ("NHWC", "", None, 1, ["contiguous"]):
        message = r"^conv2d: memory_format must be"
        raises(ValueError, message, F.conv2d, X, W, memory_format=value)


def test_needs():
    for needs in ("x", "weight", ("y",), ["x", "weights"], [np.ones(2)], 5, None, [None]):
        message = r'^conv2d_backward: needs must be a collection of "x", "weight" and "bias", got '
        raises(ValueError, message, F.conv2d_backward, G, X, W, needs=needs)


# ---------------------------------------------------------------------------- gradients

WRONG_GRADS = {
    "conv2d_backward": (G, lambda g: F.conv2d_backward(g, X, W)),
    "avg_pool2d_backward": (P, lambda g: F.avg_pool2d_backward(g, X, 2)),
    "lp_pool2d_backward": (P, lambda g: F.lp_pool2d_backward(g, X, 2, 2)),
    "global_avg_pool2d_backward": (
        P[:, :, :1, :1],
        lambda g: F.global_avg_pool2d_backward(g, X),
    ),
    "global_max_pool2d_backward": (
        P[:, :, :1, :1],
        lambda g: F.global_max_pool2d_backward(g, X),
    ),
}


@pytest.mark.parametrize(("function", "case"), WRONG_GRADS.items(), ids=WRONG_GRADS)
def test_gradient_of_another_shape(function, case):
    good, call = case
    call(good)
    for axis in range(4):
        for size in {0, 1, good.shape[axis] - 1, good.shape[axis] + 1, 2**20} - {good.shape[axis]}:
            shape = [*good.shape]
            shape[axis] = size
            grad = sized(*shape)
            message = rf"^{function}: grad has shape \(.*\), but the output's shape is \(2, "
            raises(ValueError, message, call, grad)


def test_gradient_of_another_batch():
    """CVE-2021-29577 and its like: a batch in one array that another lacks."""
    raises(ValueError, "^conv2d_backward: grad has shape", F.conv2d_backward, G, X[:1], W)
    raises(ValueError, "^conv2d_backward: grad has shape", F.conv2d_backward, G[:0], X, W)
    raises(ValueError, "^conv2d_backward: grad has shape", F.conv2d_backward, G, X[:0], W)
    raises(ValueError, "^avg_pool2d_backward: grad", F.avg_pool2d_backward, P, X[:1], 2)
    raises(
        ValueError,
        "^linear_backward: grad",
        F.linear_backward,
        sized(3, 6),
        sized(2, 4),
        W[:, 0, 0][:, :1].repeat(4, 1),
    )


def test_indices_of_max_pooling():
    def call(grad=P, indices=INDICES, input_shape=X.shape):
        return F.max_pool2d_backward(grad, indices, input_shape)

    name = "^max_pool2d_backward: "
    call()
    for indices in (INDICES.astype(float), INDICES.tolist(), None, INDICES > 0):
        raises(TypeError, name + "indices must be an integer array", call, indices=indices)
    for indices in (INDICES[:1], INDICES[..., :1], INDICES[None], INDICES[:, :0]):
        raises(ValueError, name + r"indices has shape .*, but that of grad", call, indices=indices)
    message = name + r"1 of the indices lie outside 0..41, the plane of input_shape \(2, 4, 6, 7\)"
    for index in (-1, 42, -(2**31), 2**31, 2**33, -(2**63), 2**63 - 1):
        for at in (0, -1, 17):
            stray = INDICES.copy()
            stray.flat[at] = index
            raises(ValueError, message, call, indices=stray)
    unsigned = INDICES.astype(np.uint64)
    unsigned.flat[3] = 2**64 - 1
    raises(ValueError, message, call, indices=unsigned)
    raises(ValueError, name + "72 of the indices lie outside", call, indices=INDICES - 1)


def test_input_shape_of_max_pooling():
    def call(*shape):
        return F.max_pool2d_backward(P, INDICES, shape)

    name = r"^max_pool2d_backward: input_shape "
    for shape in [(2, 4, 6), (2, 4, 6, 7, 1), (), (2, 4, -6, 7)]:
        raises(ValueError, name + r"must be four sizes", call, *shape)
    for shape in [(2, 4, 6.0, 7), (2, 4, "6", 7), (2, 4, None, 7)]:
        raises(TypeError, name + r"must be four ints", call, *shape)
    raises(TypeError, name + r"must be four ints", F.max_pool2d_backward, P, INDICES, 5)
    for shape in [(1, 4, 6, 7), (3, 4, 6, 7), (2, 1, 6, 7), (0, 4, 6, 7)]:
        raises(ValueError, name + r".* differ in batch or channels", call, *shape)
    for shape in [(2, 4, 0, 7), (2, 4, 6, 0)]:
        raises(ValueError, name + r".* has no elements to route to", call, *shape)
    for shape in [(2, 4, 2**31, 2**31), (2, 4, 2**62, 2**62), (2, 4, np.int64(2**40), 2**40)]:
        raises(MemoryError, "for a result of shape", call, *shape)


def test_an_empty_gradient_of_max_pooling():
    """CVE-2021-29579: nothing to route is a gradient of zeros, if the shapes agree."""
    empty = np.empty((2, 4, 0, 3), np.float32)
    gx = F.max_pool2d_backward(empty, empty.astype(int), X.shape)
    assert gx.shape == X.shape
    assert not gx.any()


def test_pools_of_odd_numbers():
    for value in (0, 2**31, -(2**31), 2**70):
        message = r"^avg_pool2d: divisor_override must "
        raises(ValueError, message, F.avg_pool2d, X, 2, divisor_override=value)
        raises(
            ValueError,
            "^avg_pool2d_backward",
            F.avg_pool2d_backward,
            P,
            X,
            2,
            divisor_override=value,
        )
    for value in (1.0, True, "2"):
        raises(TypeError, r"must be an int, got", F.avg_pool2d, X, 2, divisor_override=value)
    for value in (0, -1, 0.0, float("nan"), float("inf")):
        raises(ValueError, r"^lp_pool2d: norm_type must be", F.lp_pool2d, X, value, 2)
        raises(ValueError, r"^lp_pool2d_backward: norm_", F.lp_pool2d_backward, P, X, value, 2)
    for value in ("2", None, 2j, [2]):
        raises(TypeError, r"^lp_pool2d: norm_type must be a number", F.lp_pool2d, X, value, 2)


# ---------------------------------------------------------------------------- columns


def test_columns_of_another_image():
    message = r"^col2im: columns has 35 rows, which is not C times the 9 taps of kernel_size"
    raises(ValueError, message, F.col2im, COLUMNS[:, 1:], (6, 7), 3)
    raises(ValueError, "^col2im: columns has 0 rows", F.col2im, COLUMNS[:, :0], (6, 7), 3)
    message = r"^col2im: columns has 19 columns, but output_size \(6, 7\) has 4 x 5 windows$"
    raises(ValueError, message, F.col2im, COLUMNS[:, :, 1:], (6, 7), 3)
    raises(ValueError, "^col2im: columns has 0 columns", F.col2im, COLUMNS[:, :, :0], (6, 7), 3)
    for size in (0, -1, (6, 0), (6, 7, 8), []):
        raises(ValueError, "^col2im: output_size must be", F.col2im, COLUMNS, size, 3)
    for size in (6.0, "6", None, (6, 7.0)):
        raises(TypeError, "^col2im: output_size must be", F.col2im, COLUMNS, size, 3)


# ---------------------------------------------------------------------------- linear


def test_linear_shapes():
    x, weight = sized(5, 4), sized(6, 4)
    message = r"^linear: x has 3 features, but weight \(6, 4\) takes 4$"
    raises(ValueError, message, F.linear, sized(5, 3), weight)
    for shape in [(5, 5), (4, 6), (0, 6), (5, 0)]:
        message = r"^linear_backward: grad has shape"
        raises(ValueError, message, F.linear_backward, sized(*shape), x, weight)


# ---------------------------------------------------------------------------- huge products
# None of these takes memory: what is large has a stride of zero, or is refused first.

ROOM = "elements, more than 1099511627776"


@pytest.mark.parametrize("dtype", FLOATS)
def test_padded_images_beyond_all_memory(dtype):
    one = np.ones((1, 1, 1, 1), dtype)
    raises(ValueError, ROOM, F.im2col, one, 1, padding=2**24)
    raises(ValueError, ROOM, F.im2col, one, 1, padding=2**31 - 1)
    raises(ValueError, ROOM, F.conv2d, one, one, padding=2**31 - 1)
    raises(ValueError, ROOM, F.conv2d_backward, one, one, one, padding=2**31 - 1)
    raises(ValueError, ROOM, F.col2im, one[0], (2**31 - 1, 2**31 - 1), 1)
    raises(ValueError, ROOM, F.max_pool2d, one, 2**31 - 1, 1, 2**30 - 1)
    raises(ValueError, ROOM, F.avg_pool2d, one, 2**31 - 1, 1, 2**30 - 1)


@pytest.mark.parametrize("dtype", FLOATS)
def test_results_beyond_all_memory(dtype):
    one = np.ones((1, 1, 1, 1), dtype)
    high, wide = ((2**19 - 1, 0), (2**19 - 1, 0)), sized(2**20, 1, 1, 1, dtype=dtype)
    raises(MemoryError, "for a result of shape", F.conv2d, one, wide, padding=high)
    raises(
        MemoryError,
        "for a result of shape",
        F.im2col,
        sized(2**20, 1, 1, 1, dtype=dtype),
        1,
        1,
        high,
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_scratch_sizes_that_would_wrap_around(dtype):
    """Sizes whose bytes come to 2^64 or a little more: a small buffer, and a crash."""
    one, four = np.ones((1, 1, 1, 1), dtype), np.ones((1, 1, 2, 2), dtype)
    apart = {"padding": ((2**30, 2**30 - 1),) * 2, "dilation": 2**31 - 1}
    raises(ValueError, ROOM, F.conv2d, one, four, **apart)
    raises(ValueError, ROOM, F.conv2d_backward, one, one, four, **apart)
    raises(ValueError, ROOM, F.im2col, sized(1, 1, 2**30, 2**29, dtype=dtype), 1, 2**29 - 1)
    raises(ValueError, ROOM, F.max_pool2d, sized(1, 1, 2**30, 2**29, dtype=dtype), 1, 2**29 - 1)

    filters = sized(1, 1, 2**30, 2**29, dtype=dtype)
    raises(ValueError, ROOM, F.conv2d, one, filters, padding=((2**30 - 1, 0),) * 2)
    room = "neither may have more than 1099511627776"
    deep = sized(1, 2**29, 1, 2**20, dtype=dtype)
    raises(ValueError, room, F.conv2d, sized(1, 2**29, 1, 2**20, dtype=dtype), deep)
    deep = sized(1, 2**41, 1, 1, dtype=dtype)
    raises(ValueError, room, F.conv2d, deep, deep)
    many = sized(2**41, 1, 1, 1, dtype=dtype)
    raises(ValueError, room, F.conv2d, one, many)
    for features in (2**41, 2**59):
        long = sized(1, features, dtype=dtype)
        raises(ValueError, ROOM, F.linear, long, long)
        raises(ValueError, ROOM, F.linear_backward, long[:, :1], long, long)


def test_strides_and_dilations_up_to_the_limit():
    """As large as they may be, on planes whose flat index passes 2^31."""
    most = 2**31 - 1
    plane = sized(1, 1, 46342, 46342)
    assert F.im2col(plane[:, :, :5, :6], 2, most).shape == (1, 4, 1)
    assert F.conv2d(plane[:, :, :5, :6], sized(1, 1, 2, 2), None, most).tolist() == [[[[4]]]]
    assert F.conv2d(plane, ONE, None, 46341).tolist() == [[[[1, 1], [1, 1]]]]
    gw = F.conv2d_backward(sized(1, 1, 2, 2), plane, ONE, 46341, needs=("weight",))[1]
    assert gw.tolist() == [[[[4]]]]
    assert F.max_pool2d(plane, 2, 46340).tolist() == [[[[1, 1], [1, 1]]]]
    assert F.avg_pool2d(plane, 2, 46340).tolist() == [[[[1, 1], [1, 1]]]]
    _, indices = F.max_pool2d(plane, 2, 46340, return_indices=True)
    assert indices[0, 0].tolist() == [[0, 46340], [46340 * 46342, 46340 * 46342 + 46340]]
    pooled = F.max_pool2d(ONE, (1, most), 1, (0, 2**30 - 1), return_indices=True)
    assert [part.tolist() for part in pooled] == [[[[[1]]]], [[[[0]]]]]
    gx = F.conv2d_backward(ONE, plane[:, :, :5, :6], sized(1, 1, 2, 2), most, needs=("x",))[0]
    assert gx[0, 0].sum() == 4


def test_a_dilated_convolution_of_more_than_31_bits():
    """64 channels x 5 x 5 taps x 1159 x 1159 positions pass 2^31: pytorch#9404."""
    y = F.conv2d(sized(1, 64, 1167, 1167), sized(1, 64, 5, 5), dilation=2)
    assert y.shape == (1, 1, 1159, 1159)
    assert (y == 64 * 25).all()


def test_a_batch_beyond_31_bits():
    """Nothing is computed for images that are not there."""
    x = np.empty((0, 2**31, 4, 4), np.float32)
    assert F.max_pool2d(x, 2).shape == (0, 2**31, 2, 2)
    assert F.im2col(x[:, : 2**20], 2).shape == (0, 2**22, 9)


def test_a_look_up_takes_no_other_type_for_an_int():
    """True equals 1, but what an earlier call was given does not make it a stride."""
    x, weight = np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 2, 2))
    F.conv2d(x, weight, None, (1, 1), 0, 1, 1)
    for stride in ((True, 1), (1.0, 1), True):
        with pytest.raises(TypeError, match="conv2d: stride must be an int or a pair of ints"):
            F.conv2d(x, weight, None, stride, 0, 1, 1)
