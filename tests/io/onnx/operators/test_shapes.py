"""Shapes, parts, padding and resizing: older forms, values that nothing can have, bombs."""

import numpy as np
import pytest

from tests.helpers import random
from tests.io.onnx.nodes import network, run

X = random(2, 3, 4)


def numbers(*values):
    return np.array(values, np.int64)


def scales(*values):
    return np.array(values, np.float32)


# ---------------------------------------------------------------------------- older forms


@pytest.mark.parametrize(
    ("operator", "opset", "attributes", "inputs"),
    [
        ("Reshape", 1, {"shape": [0, -1]}, [numbers(0, -1)]),
        ("Squeeze", 12, {"axes": [1]}, [numbers(1)]),
        ("Unsqueeze", 12, {"axes": [0, 2]}, [numbers(0, 2)]),
        ("Slice", 9, {"starts": [1, 0], "ends": [9, -1]}, [numbers(1, 0), numbers(9, -1)]),
        ("Pad", 1, {"paddings": [0, 1, 0, 0, 2, 0], "value": 5.0}, [numbers(0, 1, 0, 0, 2, 0)]),
        ("Pad", 2, {"pads": [0, 1, 0, 0, 2, 0], "value": 5.0}, [numbers(0, 1, 0, 0, 2, 0)]),
        ("ReduceSum", 12, {"axes": [0]}, [numbers(0)]),
        ("ReduceMax", 17, {"axes": [0, 2]}, [numbers(0, 2)]),
    ],
)
def test_attributes_that_became_inputs(operator, opset, attributes, inputs):
    x = X if operator != "Squeeze" else X[:, :1]
    if operator == "Pad":
        inputs = [*inputs, np.array(5.0)]
    np.testing.assert_array_equal(
        run(operator, x, opset=opset, **attributes), run(operator, x, *inputs)
    )


@pytest.mark.parametrize("opset", [2, 11, 13, 18])
def test_split(opset):
    halves = {"num_outputs": 2} if opset == 18 else {}
    for part, want in zip(
        run("Split", X, opset=opset, outputs=2, axis=2, **halves),
        (X[..., :2], X[..., 2:]),
        strict=True,
    ):
        np.testing.assert_array_equal(part, want)
    sizes = (numbers(1, 2),) if opset >= 13 else ()
    attribute = {} if opset >= 13 else {"split": [1, 2]}
    first, second = run("Split", X, *sizes, opset=opset, outputs=2, axis=1, **attribute)
    np.testing.assert_array_equal(first, X[:, :1])
    np.testing.assert_array_equal(second, X[:, 1:])


def test_concat_once_had_a_default():
    np.testing.assert_array_equal(run("Concat", X, X, opset=1), np.concatenate([X, X], 1))


def test_tile_once_took_one_axis():
    got = run("Tile", X, np.array(2.0), np.array(1.0), opset=1)
    np.testing.assert_array_equal(got, np.tile(X, (1, 2, 1)))


def test_cast_once_named_its_type():
    assert run("Cast", X, opset=1, to="FLOAT").dtype == np.float32


def test_upsample_in_all_its_forms():
    x = random(1, 2, 2, 3)
    want = x.repeat(2, axis=2).repeat(3, axis=3)
    by_hand = {"height_scale": 2.0, "width_scale": 3.0}
    np.testing.assert_array_equal(run("Upsample", x, opset=1, **by_hand), want)
    np.testing.assert_array_equal(run("Upsample", x, opset=7, scales=[1.0, 1.0, 2.0, 3.0]), want)
    np.testing.assert_array_equal(run("Upsample", x, scales(1, 1, 2, 3), opset=9), want)
    np.testing.assert_array_equal(run("Resize", x, scales(1, 1, 2, 3), opset=10), want)
    linear = run("Upsample", x, opset=1, mode="bilinear", **by_hand)
    np.testing.assert_array_equal(linear[..., ::2, ::3], x)


# ---------------------------------------------------------------------------- rules


def test_an_empty_batch_stays_one():
    x = np.zeros((0, 3, 4, 4), np.float32)
    assert run("Reshape", x, numbers(0, -1)).shape == (0, 48)
    assert run("Reshape", x, numbers(-1, 48)).shape == (0, 48)
    assert run("Flatten", x).shape == (0, 48)
    assert run("Resize", x, None, scales(1, 1, 2, 2), mode="linear").shape == (0, 3, 8, 8)
    assert run("Resize", x, None, None, numbers(0, 3, 2, 2)).shape == (0, 3, 2, 2)
    assert run("Pad", x, numbers(0, 0, 1, 1, 0, 0, 1, 1), mode="edge").shape == (0, 3, 6, 6)
    assert run("ReduceMean", x, numbers(2, 3)).shape == (0, 3, 1, 1)
    assert run("Gather", x, numbers(1), axis=1).shape == (0, 1, 4, 4)


@pytest.mark.parametrize("x", [random(1, 2, 3, 4), random(3, 4)], ids=["images", "a matrix"])
def test_nothing_may_be_left(x):
    """Nor does nothing give a gradient but zeros."""
    none, all_of_it = [0] * x.ndim, [0] * (x.ndim - 2) + [-3, 0]
    for operator, inputs, settings in (
        ("Resize", [None, scales(*[1] * (x.ndim - 2), 0.3, 1)], {"mode": "linear"}),
        ("Pad", [numbers(*all_of_it, *none)], {"mode": "edge"}),
        ("Pad", [numbers(*none, *all_of_it)], {}),
        ("Gather", [numbers()], {"axis": -2}),
        ("Slice", [numbers(3), numbers(9), numbers(-2)], {}),
    ):
        given = [i for i, array in enumerate(inputs, 1) if array is not None]
        y, backward = network(operator, x, *inputs, given=given, **settings).forward(x)
        assert y.shape == (*x.shape[:-2], 0, 4)
        np.testing.assert_array_equal(backward(y), np.zeros(x.shape))


def test_zero_in_a_shape():
    x = np.zeros((2, 0, 3))
    assert run("Reshape", x, numbers(3, 0, 2), allowzero=1).shape == (3, 0, 2)
    assert run("Reshape", x, numbers(0, 0, 1, -1)).shape == (2, 0, 1, 3)


def test_slices_backwards_clamp_their_start():
    x = np.arange(5)
    for start, end, step, want in (
        (-9, -9, -1, [0]),
        (9, -9, -2, [4, 2, 0]),
        (3, 0, -1, [3, 2, 1]),
        (-3, 9, 2, [2, 4]),
        (0, -(2**63), -1, [0]),
        (1, 2**63 - 1, 1, [1, 2, 3, 4]),
    ):
        got = run("Slice", x, numbers(start), numbers(end), numbers(0), numbers(step))
        assert got.tolist() == want


def test_padding_may_crop():
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(run("Pad", x, numbers(-1, 1, 0, -2)), [[0, 4, 5], [0, 8, 9]])
    edge = run("Pad", x, numbers(-1, 1, 0, -2), mode="edge")
    np.testing.assert_array_equal(edge, [[4, 4, 5], [8, 8, 9]])


def test_shapes_of_computed_values():
    assert run("Shape", X, start=-2, end=9).tolist() == [3, 4]
    ones = run("ConstantOfShape", numbers(2, 0, 3))
    assert (ones.shape, ones.dtype) == ((2, 0, 3), np.float32)
    assert run("Range", *map(np.array, (10, 4, -2))).tolist() == [10, 8, 6]
    assert run("Range", *map(np.array, (1, 1, 2))).shape == (0,)


def test_resize_rounds_as_its_scales_do():
    """In float64 ten times 0.7 (in float32) is less than 7, and a third of three less than 1."""
    assert run("Resize", np.zeros((1, 10)), None, scales(1, 0.7)).shape == (1, 7)
    assert run("Resize", np.zeros((1, 3)), None, scales(1, 7 / 3)).shape == (1, 7)


def test_resize_takes_what_is_nearest_as_its_scales_say():
    """The second element lies at 1.5 / 0.6 - 0.5: 2 in float32, less where 0.6 is widened."""
    x = np.array([[0.0, 1, 2, 3]])
    assert run("Resize", x, None, scales(1, 0.6), nearest_mode="floor").tolist() == [[0, 2]]
    assert run("Resize", x, scales(1, 0.6), opset=10).tolist() == [[0, 2]]
    sizes = (None, None, numbers(1, 14))
    floor = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    got = run("Resize", np.arange(6.0)[None], *sizes, **floor)
    assert got.tolist() == [[i * 6 // 14 for i in range(14)]]


def test_resize_of_integers_rounds():
    x = np.array([[0, 10]], np.uint8)
    got = run("Resize", x, None, None, numbers(1, 4), mode="linear")
    assert got.tolist() == [[0, 2, 8, 10]]
    assert got.dtype == np.uint8
    edge = np.array([[0, 0, 255, 255]])
    to = (None, None, numbers(1, 16))
    smooth = run("Resize", edge.astype(np.float64), *to, mode="cubic")
    assert smooth.min() < 0, "what would wrap"
    sharp = run("Resize", edge.astype(np.uint8), *to, mode="cubic")
    np.testing.assert_array_equal(sharp, np.rint(smooth).clip(0, 255))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_of_any_axes(mode):
    """Two axes at once, one after the other, and along other axes of more dimensions."""

    def resized(x, axes, *sizes):
        return run("Resize", x, None, None, numbers(*sizes), mode=mode, axes=axes)

    x = random(2, 3, 4, 5)
    both = resized(x, [2, 3], 7, 3)
    np.testing.assert_allclose(resized(resized(x, [-2], 7), [3], 3), both)
    turned = resized(x.transpose(3, 2, 0, 1), [1, 0], 7, 3)
    np.testing.assert_allclose(turned.transpose(2, 3, 1, 0), both)
    apart = resized(x.transpose(0, 2, 1, 3), [1, 3], 7, 3)
    np.testing.assert_allclose(apart.transpose(0, 2, 1, 3), both)
    volume = resized(x[:, :, None], [2, 3, 4], 1, 7, 3)
    np.testing.assert_allclose(volume[:, :, 0], both)
    halves = resized(x.astype(np.float16), [2, 3], 7, 3)
    assert halves.dtype == np.float16
    np.testing.assert_allclose(halves, both, rtol=0.01, atol=0.01)


# ---------------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("operator", "inputs", "message"),
    [
        ("Reshape", [X, numbers(5, 5)], "cannot reshape"),
        ("Reshape", [X, numbers(-1, -1)], r"\[-1, -1\] is no shape for one of \(2, 3, 4\)"),
        ("Reshape", [X, numbers(1, 1, 1, 0)], "is no shape"),
        ("Reshape", [X, numbers(-2, 12)], "is no shape"),
        ("Squeeze", [X, numbers(1)], r"axes \(1,\) of shape \(2, 3, 4\) must be 1"),
        ("Unsqueeze", [X, numbers(0, 0)], "must differ"),
        ("Expand", [X, numbers(5)], "broadcast"),
        ("Gather", [X, numbers(2)], r"indices must lie in -2..1 for axis 0 .* got 2..2"),
        ("Split", [X, numbers(1, 3)], r"parts \[1, 3\] must be 1 and together the 2 of axis 0"),
        ("Split", [X, numbers(3, -1)], r"parts \[3, -1\]"),
        ("Slice", [X, numbers(0), numbers(1), numbers(0), numbers(0)], "zero"),
        ("Slice", [X, numbers(0), numbers(1), numbers(3)], "must differ and lie in -3..2"),
        ("Pad", [X, numbers(1, 2)], "2 numbers of padding for 3 axes"),
        ("Pad", [X, numbers(-3, 0, 0, 5, 0, 0)], "-3 and 5 take more from axis 0"),
        ("Tile", [X, numbers(-1, 1, 1)], "must not be negative"),
        ("ConstantOfShape", [numbers(2, -3)], r"must not be negative, got \(2, -3\)"),
        ("Range", [numbers(0)[0:1].reshape(()), np.array(5), np.array(0)], "in steps of 0"),
        ("Resize", [X, None, scales(1, 0, 1)], r"scales must be 3 positive numbers"),
        ("Resize", [X, None, scales(1, np.inf, 1)], r"scales must be 3 positive numbers"),
        ("Resize", [X, None, scales(1, 1)], r"scales must be 3 positive numbers"),
        ("Resize", [X, None, None, numbers(1, -2, 3)], r"sizes must be 3 positive numbers"),
        ("Resize", [X], "there must be scales or sizes"),
        ("Resize", [X[:0], None, None, numbers(2, 3, 4)], "empty axis"),
        ("DepthToSpace", [random(1, 6, 2, 2)], "not divisible into blocks of 2 x 2"),
        ("SpaceToDepth", [random(1, 1, 3, 2)], "not divisible into blocks of 2 x 2"),
    ],
)
def test_values_that_nothing_can_have(operator, inputs, message):
    settings = {"blocksize": 2} if "Space" in operator and "Depth" in operator else {}
    with pytest.raises(ValueError, match=message):
        run(operator, *inputs, **settings)


BOMB = numbers(1 << 20, 1 << 20)


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        ("ConstantOfShape", [BOMB]),
        ("Expand", [np.zeros((1, 1)), BOMB]),
        ("Tile", [np.zeros((1, 1)), BOMB]),
        ("Tile", [np.zeros((0, 1)), numbers(1, 1 << 62)]),
        ("Pad", [np.zeros((1, 1)), numbers(0, 0, 1 << 20, 1 << 20)]),
        ("Pad", [np.zeros((1, 1)), numbers(0, 1 << 62, 0, 1 << 62)]),
        ("Resize", [np.zeros((1, 1)), None, None, BOMB]),
        ("Resize", [np.zeros((1, 1)), None, scales(1e30, 1)]),
        ("Range", list(map(np.array, (0, 1 << 62, 1)))),
    ],
)
def test_what_asks_for_too_much_is_refused_when_it_runs(operator, inputs):
    live = [x for x in inputs if x is not None]
    model = network(operator, *inputs)  # loading takes no memory for it
    with pytest.raises(ValueError, match=r"more than the 2,147,483,648 that a model may ask for"):
        model(*live)


@pytest.mark.parametrize(
    ("operator", "attributes", "message"),
    [
        ("Pad", {"mode": "mirror"}, "mode 'mirror'"),
        ("Resize", {"mode": "lanczos"}, "lanczos"),
        ("Resize", {"coordinate_transformation_mode": "wrong"}, "wrong"),
        ("Resize", {"nearest_mode": "any"}, "any"),
        ("Cast", {"to": 8}, "strings"),
        ("ReduceSum", {"unheard_of": 1}, "attribute unheard_of"),
    ],
)
def test_what_is_not_supported(operator, attributes, message):
    with pytest.raises(NotImplementedError, match=message):
        network(operator, X, *([numbers(0)] if operator == "Pad" else []), **attributes)


# ---------------------------------------------------------------------------- types


def test_integers_cast_to_fewer_bits_lose_the_upper_ones():
    assert run("Cast", numbers(200, 300, -1), to=3).tolist() == [-56, 44, -1]
    assert run("Cast", np.array([0.0, -0.0, 0.5, np.nan]), to=9).tolist() == [0, 0, 1, 1]


def test_gradients_pass_between_floats_only():
    x = random(3)
    y, backward = network("Cast", x, to=1).forward(x)
    assert y.dtype == np.float32
    assert backward(np.ones(3, np.float32)).dtype == np.float64
    _, backward = network("Cast", numbers(1, 2), to=1).forward(numbers(1, 2))
    assert backward(np.ones(2, np.float32)) is None
