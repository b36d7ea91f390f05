"""The fully connected layer against the oracle."""

import itertools

import numpy as np
import pytest

from cnnfast.functional import linear, linear_backward
from cnnfast.functional.linear import FEW_ROWS
from tests import oracle
from tests.helpers import assert_close, using_threads


def arrays(dtype=np.float64, n=5, k=4, d=7):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s).astype(dtype) for s in [(n, d), (k, d), (k,), (n, k)]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k", "d"), [(5, 4, 7), (1, 1, 1), (1, 10, 84), (64, 3, 130)])
def test_matches_the_oracle(dtype, n, k, d):
    x, weight, bias, grad = arrays(dtype, n, k, d)
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    for b in (bias, None):
        y = linear(x, weight, b)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, oracle.linear(x, weight, b), **close)
    for actual, expected in zip(
        linear_backward(grad, x, weight), oracle.linear_backward(grad, x, weight), strict=True
    ):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected, **close)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [*range(1, 16), 29, FEW_ROWS, FEW_ROWS + 1])
def test_every_remainder_of_a_tile(dtype, n):
    """Rows that fill no tile, depths that fill no vector, with and without packing."""
    for k, d in itertools.product([1, 2, 3, 4, 5, 17, 34], [1, 3, 16, 31, 66, 259]):
        x, weight, bias, grad = arrays(dtype, n, k, d)
        y = linear(x, weight, bias)
        assert_close(y, oracle.linear(x, weight, bias), max(d, k, n))
        gradients = linear_backward(grad, x, weight)
        for got, want in zip(gradients, oracle.linear_backward(grad, x, weight), strict=True):
            assert_close(got, want, max(d, k, n))


@pytest.mark.parametrize("n", [1, 5, 64])
def test_transposed_weights(n):
    """The notes' W lies the other way round."""
    x, weight, bias, grad = arrays(np.float64, n, 21, 35)
    turned = np.asfortranarray(weight)
    np.testing.assert_allclose(linear(x, turned, bias), oracle.linear(x, weight, bias), atol=1e-12)
    gradients = linear_backward(grad, x, turned)
    for got, want in zip(gradients, oracle.linear_backward(grad, x, weight), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("n", [1, 16, 64])
def test_the_same_bits_on_any_number_of_threads(n):
    x, weight, bias, grad = arrays(np.float32, n, 300, 1100)
    results = []
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            results.append((linear(x, weight, bias), *linear_backward(grad, x, weight)))
    for result in results[1:]:
        for got, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(got, first)


def test_any_strides_and_read_only_inputs():
    plain = arrays()
    strided = [np.repeat(a, 2, axis=0)[::2] for a in plain]
    strided[0] = np.asfortranarray(plain[0])
    strided[1] = plain[1][::-1].copy()[::-1]
    for a in strided:
        a.flags.writeable = False
    x, weight, bias, grad = strided
    np.testing.assert_allclose(linear(x, weight, bias), linear(*plain[:3]))
    for actual, expected in zip(
        linear_backward(grad, x, weight),
        linear_backward(plain[3], plain[0], plain[1]),
        strict=True,
    ):
        np.testing.assert_allclose(actual, expected)


def test_only_what_is_needed():
    x, weight, _, grad = arrays()
    everything = linear_backward(grad, x, weight)
    names = ("x", "weight", "bias")
    for needs in [(), ("x",), ("weight",), ["bias"], {"x", "bias"}, ("weight", "x")]:
        for name, got, full in zip(
            names, linear_backward(grad, x, weight, needs), everything, strict=True
        ):
            if name in needs:
                np.testing.assert_array_equal(got, full)
            else:
                assert got is None
    for needs in (("weights",), "weight"):
        with pytest.raises(ValueError, match="linear_backward: needs"):
            linear_backward(grad, x, weight, needs)


def test_empty_batch():
    x, weight, bias, grad = arrays()
    assert linear(x[:0], weight, bias).shape == (0, 4)
    gx, gweight, gbias = linear_backward(grad[:0], x[:0], weight)
    assert gx.shape == (0, 7)
    assert not gweight.any()
    assert not gbias.any()
    assert gweight.shape == (4, 7)


def test_bad_input():
    x, weight, bias, grad = arrays()
    with pytest.raises(TypeError, match="linear: x must be a NumPy array, got list"):
        linear([[1.0]], weight)
    with pytest.raises(TypeError, match="linear: weight is float32 but x is float64"):
        linear(x, weight.astype(np.float32))
    with pytest.raises(TypeError, match="linear: bias is float32 but x is float64"):
        linear(x, weight, bias.astype(np.float32))
    with pytest.raises(TypeError, match="linear: x must be float32 or float64, got int64"):
        linear(x.astype(np.int64), weight)
    with pytest.raises(ValueError, match="linear: x must have 2 dimensions"):
        linear(x[None], weight)
    with pytest.raises(ValueError, match=r"linear: x has 6 features, but weight \(4, 7\) takes 7"):
        linear(x[:, :6], weight)
    with pytest.raises(ValueError, match=r"linear: bias has shape \(3,\)"):
        linear(x, weight, bias[:3])
    for empty in (weight[:0], weight[:, :0]):
        with pytest.raises(ValueError, match="linear: weight may have no empty dimension"):
            linear(x, empty)
        with pytest.raises(ValueError, match="linear_backward: weight may have no empty"):
            linear_backward(grad, x, empty)
    for wrong in (grad[:4], grad[:0], grad[:, :3]):
        with pytest.raises(ValueError, match="linear_backward: grad has shape"):
            linear_backward(wrong, x, weight)
    with pytest.raises(TypeError, match="linear_backward: grad is float32 but x is float64"):
        linear_backward(grad.astype(np.float32), x, weight)
