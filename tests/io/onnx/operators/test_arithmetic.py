"""Arithmetic by ONNX's rules of types and shapes, and before opset 7 by the older ones."""

import math

import numpy as np
import pytest

from tests.helpers import channels_last, is_channels_last, random
from tests.io.onnx.nodes import network, run


def whole(*values, dtype=np.int32):
    return np.array(values, dtype)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_integers_are_divided_towards_zero(dtype):
    x, y = whole(7, -7, 7, -7, 6, 0, dtype=dtype), whole(2, 2, -2, -2, -3, -5, dtype=dtype)
    quotient = run("Div", x, y)
    assert quotient.dtype == dtype
    assert quotient.tolist() == [3, -3, -3, 3, -2, 0]
    assert run("Div", whole(255, dtype=np.uint8), whole(2, dtype=np.uint8)).tolist() == [127]


def test_the_remainder_has_the_sign_of_the_divisor_or_of_the_dividend():
    x, y = whole(7, -7, 7, -7), whole(3, 3, -3, -3)
    assert run("Mod", x, y).tolist() == [1, 2, -2, -1]
    assert run("Mod", x, y, fmod=1).tolist() == [1, -1, 1, -1]


def test_numbers_without_dimensions_stay_arrays():
    one, two = np.array(1.0, np.float32), np.array(2.0, np.float32)
    for operator in ("Add", "Sub", "Mul", "Div", "Pow", "Sum", "Mean", "Max", "Less"):
        result = run(operator, one, two)
        assert type(result) is np.ndarray
        assert result.shape == ()
    for operator in ("Neg", "Exp", "Floor", "Clip", "ReduceSum", "Size", "Shape"):
        assert type(run(operator, one)) is np.ndarray
    for result in (run("Gather", whole(3, 4), np.array(1)), run("ArgMax", whole(3, 4), keepdims=0)):
        assert type(result) is np.ndarray
        assert result.shape == ()


def test_powers_have_the_type_of_the_base():
    assert run("Pow", whole(2, 3), np.array([2.0, 0.5], np.float32)).dtype == np.int32
    assert run("Pow", np.float32([2, 3]), whole(2, -1)).tolist() == [4, np.float32(1 / 3)]
    x = random(5, dtype=np.float32)
    np.testing.assert_array_equal(run("Pow", x, np.array(2)), x * x)


@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 4), 1), ((2,), 0), ((4, 5), None), ((5,), -1), ((), None), ((1, 1), 1)]
)
def test_before_opset_7_an_axis_says_where_the_second_shape_begins(shape, axis):
    x, y = random(2, 3, 4, 5), random(*shape, seed=1)
    behind = () if axis is None else (1,) * (4 - axis % 4 - len(shape))
    where = {} if axis is None else {"axis": axis}
    for operator, want in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply)):
        got = run(operator, x, y, opset=6, broadcast=1, **where)
        np.testing.assert_array_equal(got, want(x, y.reshape(shape + behind)))
    truth = run("Less", x, y, opset=6, broadcast=1, **where)
    np.testing.assert_array_equal(truth, x < y.reshape(shape + behind))


def test_channels_last_images_stay_so():
    x, y = channels_last(random(2, 3, 4, 5)), channels_last(random(2, 3, 4, 5, seed=1))
    for operator in ("Add", "Mul", "Sum", "Max"):
        assert is_channels_last(run(operator, x, y))
    assert is_channels_last(run("Mul", x, random(3, 1, 1)))
    assert is_channels_last(run("Clip", x, np.array(0.0), np.array(6.0)))
    assert is_channels_last(run("Concat", x, y, axis=1))
    assert is_channels_last(run("Pad", x, np.array([0, 0, 1, 1, 0, 0, 1, 1])))
    assert is_channels_last(run("Resize", x, None, None, np.array([2, 3, 6, 6]), mode="linear"))
    assert is_channels_last(run("Transpose", random(2, 4, 5, 3), perm=[0, 3, 1, 2]))


def test_ieee_rules_without_warnings():
    x = np.array([1.0, -1.0, 0.0])
    np.testing.assert_array_equal(run("Div", x, np.zeros(3)), [np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(run("Log", x), [0, np.nan, -np.inf])
    np.testing.assert_array_equal(run("Sqrt", x), [1, np.nan, 0])
    assert run("Cast", np.array([np.inf, 1e10]), to=1).tolist() == [np.inf, 1e10]
    assert run("Reciprocal", x).tolist() == [1, -1, np.inf]


def test_ties_share_the_gradient():
    x, y = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    _, backward = network("Max", x, y).forward(x, y)
    assert [g.tolist() for g in backward(np.array([4.0, 4.0]))] == [[2, 4], [2, 0]]
    for operator in ("ReduceMax", "ReduceMin"):
        _, backward = network(operator, y).forward(y)
        assert backward(np.array([4.0])).tolist() == [2, 2]


def test_gradients_at_zero_are_numbers():
    x = np.array([0.0, 0.0, 2.0])
    for operator, want in (
        ("ReduceL2", [0, 0, 1]),
        ("ReduceProd", [0, 0, 0]),
        ("ReduceL1", [0, 0, 1]),
    ):
        _, backward = network(operator, x).forward(x)
        assert backward(np.ones(1)).tolist() == want
    _, backward = network("ReduceL2", np.zeros(2)).forward(np.zeros(2))
    assert backward(np.ones(1)).tolist() == [0, 0]
    y = np.array([0.0, 1.0, 0.0])
    _, backward = network("Pow", x, y).forward(x, y)
    assert [g.tolist() for g in backward(np.ones(3))] == [[0, 1, 0], [0, 0, np.log(2)]]
    one = np.array([3.0, 0.0, 2.0])
    _, backward = network("ReduceProd", one).forward(one)
    assert backward(np.ones(1)).tolist() == [0, 6, 0]


def test_clip_when_the_bounds_are_crossed():
    x = np.array([-9.0, 2.0, 9.0])
    assert run("Clip", x, np.array(5.0), np.array(1.0)).tolist() == [1, 1, 1]
    assert run("Clip", x, opset=6, max=3.0).tolist() == [-9, 2, 3]
    assert run("Clip", whole(-9, 9), None, np.array(3, np.int32)).dtype == np.int32


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_erf(dtype):
    x = np.concatenate([np.linspace(-7, 7, 2001), [1e-30, 0.5, -0.5, 30, -np.inf, np.inf]])
    x = x.astype(dtype)
    want = np.array([math.erf(value) for value in x])
    got = run("Erf", x)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want.astype(dtype), rtol=4 * np.finfo(dtype).eps)
    assert np.isnan(run("Erf", np.array([np.nan], dtype))).all()


def test_sums_in_half_precision_keep_small_summands():
    x = np.ones((4096, 2), np.float16)
    total = run("ReduceSum", x, np.array([0]), keepdims=0)
    assert total.dtype == np.float16
    assert total.tolist() == [4096, 4096]
    assert run("ReduceMean", x, np.array([0]), keepdims=0).tolist() == [1, 1]
    assert run("ReduceMean", whole(1, 2, 4), keepdims=0).dtype == np.int32


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="broadcast"):
        run("Add", random(2, 3), random(4))
    with pytest.raises(ValueError, match=r"axes \(5,\) must differ and lie in -2..1"):
        run("ReduceSum", random(2, 3), np.array([5]))
    with pytest.raises(ValueError, match=r"axes \(0, -2\) must differ"):
        run("ReduceSum", random(2, 3), np.array([0, -2]))
    with pytest.raises(ValueError, match=r"axes \(3,\) must differ and lie in -2..1"):
        run("ArgMax", random(2, 3), axis=3)
