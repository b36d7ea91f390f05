"""Activations and dropout against the oracle: both dtypes, any memory, the odd values."""

import numpy as np
import pytest

from cnnfast import functional
from cnnfast.functional import dropout, dropout_backward
from tests import oracle

DTYPES = [np.float32, np.float64]
# Name, and keyword arguments for forward and backward alike.
OPERATIONS = [
    ("relu", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.0}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("leaky_relu", {"negative_slope": 1.0}),
    ("leaky_relu", {"negative_slope": 2.5}),
    ("leaky_relu", {"negative_slope": -0.5}),
    ("relu6", {}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("elu", {}),
    ("elu", {"alpha": 0.3}),
    ("selu", {}),
    ("silu", {}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("softplus", {}),
    ("softplus", {"beta": 2.0, "threshold": 1.0}),
    ("softplus", {"beta": -0.5}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("softmax", {}),
    ("softmax", {"dim": 1}),
    ("softmax", {"dim": -4}),
    ("log_softmax", {}),
    ("log_softmax", {"dim": 1}),
]
operations = pytest.mark.parametrize(("name", "arguments"), OPERATIONS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def both(name):
    return getattr(functional, name), getattr(functional, f"{name}_backward")


def layouts(rng, dtype):
    """Arrays (3, 5, 4, 6) in every kind of memory."""
    x = (3 * rng.standard_normal((3, 5, 4, 6))).astype(dtype)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    frozen = x.copy()
    frozen.flags.writeable = False
    wide = np.repeat(x, 2, axis=3)
    return {
        "contiguous": x,
        "channels-last": last,
        "reversed": np.ascontiguousarray(x[:, ::-1, :, ::-1])[:, ::-1, :, ::-1],
        "sliced": wide[..., ::2],
        "fortran": np.asfortranarray(x),
        "read-only": frozen,
        "broadcast": np.broadcast_to(x[:1], x.shape),
    }


def assert_close(actual, expected, dtype):
    tolerance = 16 * np.finfo(dtype).eps
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@operations
@dtypes
def test_matches_the_oracle_in_any_memory_and_leaves_inputs_alone(name, arguments, dtype):
    forward, backward = both(name)
    rng = np.random.default_rng(0)
    grads = layouts(rng, dtype)
    for layout, x in layouts(rng, dtype).items():
        before = x.copy()
        y = forward(x, **arguments)
        assert_close(y, getattr(oracle, name)(x, **arguments), dtype)
        for grad in grads.values():
            gx = backward(grad, x, **arguments)
            expected = getattr(oracle, f"{name}_backward")(grad, x, **arguments)
            assert_close(gx, expected, dtype)
            for result in (y, gx):
                channels_last = layout == "channels-last"
                assert result.flags.c_contiguous != channels_last
                assert result.transpose(0, 2, 3, 1).flags.c_contiguous == channels_last
                assert result.ctypes.data % 64 == 0
                assert result.flags.writeable
        np.testing.assert_array_equal(x, before)


@operations
def test_gradient_is_the_slope(name, arguments):
    forward, backward = both(name)
    rng = np.random.default_rng(1)
    x, grad = rng.standard_normal((2, 2, 3, 2, 5))
    step = 1e-6
    slopes = np.empty_like(x)
    for at in np.ndindex(x.shape):
        nudge = np.zeros_like(x)
        nudge[at] = step
        change = forward(x + nudge, **arguments) - forward(x - nudge, **arguments)
        slopes[at] = (grad * change).sum() / (2 * step)
    np.testing.assert_allclose(backward(grad, x, **arguments), slopes, atol=1e-8)


@operations
@dtypes
def test_nan_propagates(name, arguments, dtype):
    forward, backward = both(name)
    x = np.ones((2, 2, 2, 2), dtype)
    x[0, 0, 0, 0] = np.nan
    assert np.isnan(forward(x, **arguments)[0, 0, 0, 0])
    grad = np.full_like(x, np.nan)
    assert np.isnan(backward(grad, np.ones_like(x), **arguments)).all()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (0, 2, 3, 3), (2, 0, 3, 3), (7,), (1, 1)])
@operations
def test_empty_and_other_shapes(name, arguments, shape):
    if arguments.get("dim", -1) not in range(-len(shape), len(shape)):
        return
    forward, backward = both(name)
    x = np.ones(shape, np.float32)
    assert forward(x, **arguments).shape == shape
    assert backward(x, x, **arguments).shape == shape


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh"])
@dtypes
def test_no_dimension_at_all(name, dtype):
    forward, backward = both(name)
    x = np.array(0.5, dtype)
    y, gx = forward(x), backward(x, x)
    assert type(y) is type(gx) is np.ndarray
    assert y.shape == gx.shape == ()
    assert y.dtype == gx.dtype == dtype


def test_relu_at_the_corner_and_beyond():
    x = np.array([-np.inf, -1e-45, -0.0, 0.0, 1e-45, np.inf], np.float32)
    assert functional.relu(x).tolist() == [0, 0, 0, 0, x[4], np.inf]
    assert functional.relu_backward(np.ones_like(x), x).tolist() == [0, 0, 0, 0, 1, 1]
    nan = np.array([np.nan])
    assert functional.relu_backward(np.array([2.0]), nan).tolist() == [2]


@pytest.mark.parametrize("slope", [0.0, 0.01, 1.0, 3.0, -2.0])
def test_leaky_relu_of_infinity_and_exact_slopes(slope):
    x = np.array([np.inf, -1.0, 1.0], np.float32)
    assert functional.leaky_relu(x, slope).tolist() == [np.inf, np.float32(-slope), 1]
    grads = functional.leaky_relu_backward(np.ones(3, np.float32), x, slope)
    assert grads.tolist() == [1, np.float32(slope), 1]


@dtypes
def test_a_numpy_scalar_for_a_slope_changes_no_dtype(dtype):
    x = np.ones(3, dtype)
    for slope in (np.float64(0.1), np.float32(0.1), 1):
        assert functional.leaky_relu(x, slope).dtype == dtype
        assert functional.leaky_relu_backward(x, x, slope).dtype == dtype


@dtypes
def test_sigmoid_is_accurate_in_both_tails(dtype):
    far = 87 if dtype == np.float32 else 708
    x = np.linspace(-far, far, 1001).astype(dtype)
    expected = oracle.sigmoid(x)
    # The oracle's own error is |x| times float64's precision.
    rtol = max(8 * np.finfo(dtype).eps, 1e-12)
    np.testing.assert_allclose(functional.sigmoid(x), expected, rtol=rtol)
    extreme = np.array([-np.inf, -1e30, 1e30, np.inf], dtype)
    assert functional.sigmoid(extreme).tolist() == [0, 0, 1, 1]
    assert functional.sigmoid_backward(np.ones(4, dtype), extreme).tolist() == [0, 0, 0, 0]
    assert functional.tanh(extreme).tolist() == [-1, -1, 1, 1]


@dtypes
def test_softmax_neither_overflows_nor_warns(dtype):
    x = np.array([[1e30, 0, -1e30], [np.inf, 0, 0], [-np.inf, 0, 0], [-np.inf] * 3], dtype)
    y = functional.softmax(x)
    assert y[0].tolist() == [1, 0, 0]
    assert y[2].tolist() == [0, 0.5, 0.5]
    assert np.isnan(y[[1, 3]]).all()
    z = functional.log_softmax(x)
    assert z[0, :2].tolist() == [0, dtype(-1e30)]
    np.testing.assert_allclose(z[2], [-np.inf, -np.log(2), -np.log(2)])
    assert np.isnan(z[[1, 3]]).all()


# ---------------------------------------------------------------------------- dropout


@dtypes
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0, 1])
def test_dropout_keeps_the_share_it_should_and_scales_it(p, dtype):
    x = np.random.default_rng(0).standard_normal((50, 40, 5, 4)).astype(dtype)
    y, mask = dropout(x, p, rng=np.random.default_rng(1), return_mask=True)
    assert y.dtype == dtype
    assert mask.dtype == bool
    assert abs(mask.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / x.size) + 1e-9
    scale = 1 / (1 - p) if p < 1 else 0
    np.testing.assert_allclose(y, np.where(mask, x * scale, 0), rtol=1e-6)
    gx = dropout_backward(x, mask, p)
    np.testing.assert_array_equal(gx, y)


@dtypes
def test_dropout_keeps_the_memory_order(dtype):
    for layout, x in layouts(np.random.default_rng(0), dtype).items():
        y, mask = dropout(x, rng=np.random.default_rng(1), return_mask=True)
        for result in (y, mask, dropout_backward(np.ascontiguousarray(x), mask)):
            assert result.flags.c_contiguous != (layout == "channels-last")
        np.testing.assert_array_equal(y, np.where(mask, 2 * x, 0))
        assert not mask.all()
        assert mask.any()


def test_dropout_repeats_with_its_generator_only():
    x = np.ones(1000)
    first, again = (dropout(x, rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (dropout(x) != dropout(x)).any()


def test_dropout_without_training_is_the_identity():
    x = np.ones(5)
    y, mask = dropout(x, 0.5, training=False, return_mask=True)
    assert y is x
    assert mask is None
    assert dropout_backward(x, mask, 0.5) is x
    assert dropout(x, 0.5, False) is x


def test_dropout_passes_nan_on():
    x = np.full(100, np.nan)
    y, mask = dropout(x, return_mask=True)
    assert np.isnan(y).all()
    assert np.isnan(dropout_backward(x, mask)).all()


# ---------------------------------------------------------------------------- bad input


@operations
def test_bad_arrays(name, arguments):
    forward, backward = both(name)
    x = np.ones((2, 2, 2, 2), np.float32)
    with pytest.raises(TypeError, match=f"{name}: x must be a NumPy array, got list"):
        forward([1.0], **arguments)
    with pytest.raises(TypeError, match=f"{name}: x must be float32 or float64, got int64"):
        forward(np.arange(3), **arguments)
    with pytest.raises(TypeError, match=f"{name}_backward: grad must be a NumPy array"):
        backward(1.0, x, **arguments)
    with pytest.raises(TypeError, match=f"{name}_backward: grad is float64 but x is float32"):
        backward(x.astype(np.float64), x, **arguments)
    with pytest.raises(ValueError, match=rf"{name}_backward: grad has shape \(2, 2, 2\)"):
        backward(x[0], x, **arguments)
    with pytest.raises(ValueError, match=f"{name}_backward: grad has shape"):
        backward(x[:0], x, **arguments)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_bad_axes(name):
    x = np.ones((2, 3))
    for function, arrays in zip(both(name), [(x,), (x, x)], strict=True):
        for dim in (2, -3):
            with pytest.raises(ValueError, match=f"{name}.*dim {dim} is not an axis of x with sha"):
                function(*arrays, dim)
        with pytest.raises(TypeError, match=f"{name}.*dim must be an integer, got 1.0"):
            function(*arrays, 1.0)
        with pytest.raises(ValueError, match="dim 0 is not an axis"):
            function(*(np.ones(()) for _ in arrays), 0)


def test_bad_numbers():
    x = np.ones(3)
    for slope in (np.nan, np.inf):
        with pytest.raises(
            ValueError, match=f"leaky_relu: negative_slope must be finite, .*{slope}"
        ):
            functional.leaky_relu(x, slope)
    with pytest.raises(TypeError, match="leaky_relu_backward: negative_slope must be a number"):
        functional.leaky_relu_backward(x, x, "0.1")
    for p in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"dropout: p must be in 0..1, got"):
            dropout(x, p)
        with pytest.raises(ValueError, match=r"dropout_backward: p must be in 0..1, got"):
            dropout_backward(x, x > 0, p)
    for p in (None, "half", True):
        with pytest.raises(TypeError, match="dropout: p must be a number"):
            dropout(x, p)


def test_bad_masks():
    grad = np.ones(3)
    with pytest.raises(TypeError, match="mask must be the bool array"):
        dropout_backward(grad, grad)
    with pytest.raises(TypeError, match="mask must be the bool array"):
        dropout_backward(grad, [True] * 3)
    with pytest.raises(ValueError, match=r"grad has shape \(3,\), but the shape of mask is \(1,\)"):
        dropout_backward(grad, np.array([True]))
