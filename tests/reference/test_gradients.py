"""Gradients of the plain loops against central differences."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cnnfast import reference
from tests.helpers import numerical_gradient, random


def check_gradient(
    forward: Callable[[np.ndarray], np.ndarray], x: np.ndarray, grad: np.ndarray, gx: np.ndarray
) -> None:
    """Compare `gx` with central differences of <forward(x), grad>."""
    assert gx.shape == x.shape
    assert_allclose(gx, numerical_gradient(forward, x, grad), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [(1, 0, 1, 1), (2, 1, 1, 2), ((1, 2), (2, 0), (2, 1), 1), (1, 1, 1, 2)],
)
def test_gradient_of_convolution(stride, padding, dilation, groups):
    window = (stride, padding, dilation, groups)
    x, weight, bias = random(2, 2, 5, 4), random(2, 2 // groups, 2, 3, seed=1), random(2, seed=2)
    grad = random(*reference.conv2d(x, weight, bias, *window).shape, seed=3)
    gx, gw, gb = reference.conv2d_backward(grad, x, weight, *window)
    check_gradient(lambda x: reference.conv2d(x, weight, bias, *window), x, grad, gx)
    check_gradient(lambda w: reference.conv2d(x, w, bias, *window), weight, grad, gw)
    check_gradient(lambda b: reference.conv2d(x, weight, b, *window), bias, grad, gb)


@pytest.mark.parametrize("window", [(2, 1, 0, 1), ((3, 2), 2, 1, 1), (2, (1, 2), 1, 2)])
def test_gradient_of_columns(window):
    x = random(2, 2, 4, 5)
    grad = random(*reference.im2col(x, *window).shape, seed=1)
    gx = reference.col2im(grad, (4, 5), *window)
    check_gradient(lambda x: reference.im2col(x, *window), x, grad, gx)
    check_gradient(
        lambda columns: reference.col2im(columns, (4, 5), *window),
        grad,
        x,
        reference.im2col(x, *window),
    )


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("window", [(2, None, 0), (3, 2, 1), ((2, 3), 1, (1, 0))])
def test_gradient_of_pooling(window, ceil_mode):
    x = (
        np.random.default_rng(0).permutation(60).astype(np.float64).reshape(1, 2, 6, 5)
    )  # no ties to cross
    y, indices = reference.max_pool2d(x, *window, ceil_mode=ceil_mode)
    grad = random(*y.shape, seed=1)
    gx = reference.max_pool2d_backward(grad, indices, x.shape)
    check_gradient(lambda x: reference.max_pool2d(x, *window, ceil_mode=ceil_mode)[0], x, grad, gx)
    for include in (True, False):
        gx = reference.avg_pool2d_backward(grad, x.shape, *window, ceil_mode, include)
        check_gradient(
            lambda x, include=include: reference.avg_pool2d(x, *window, ceil_mode, include),
            x,
            grad,
            gx,
        )


@pytest.mark.parametrize("norm_type", [1, 1.5, 2, 3])
@pytest.mark.parametrize("window", [(2, None), (3, 2), ((1, 2), 1)])
def test_gradient_of_norm_pooling(norm_type, window):
    x = np.abs(random(1, 2, 5, 4)) + 0.1
    if norm_type == 2:
        x *= np.sign(random(*x.shape, seed=2))
    grad = random(*reference.lp_pool2d(x, norm_type, *window).shape, seed=1)
    gx = reference.lp_pool2d_backward(grad, x, norm_type, *window)
    check_gradient(lambda x: reference.lp_pool2d(x, norm_type, *window), x, grad, gx)


def test_gradient_of_linear():
    x, weight, bias, grad = random(3, 4), random(2, 4, seed=1), random(2, seed=2), random(3, 2)
    gx, gw, gb = reference.linear_backward(grad, x, weight)
    check_gradient(lambda x: reference.linear(x, weight, bias), x, grad, gx)
    check_gradient(lambda w: reference.linear(x, w, bias), weight, grad, gw)
    check_gradient(lambda b: reference.linear(x, weight, b), bias, grad, gb)


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "sigmoid", "tanh", "softmax", "log_softmax"]
)
def test_gradient_of_elementwise_functions(name):
    x, grad = random(4, 5), random(4, 5, seed=1)
    gx = getattr(reference, f"{name}_backward")(grad, x)
    check_gradient(getattr(reference, name), x, grad, gx)


@pytest.mark.parametrize("name", ["cross_entropy", "hinge_loss"])
def test_gradient_of_losses(name):
    scores, labels = random(4, 3), np.array([0, 2, 1, 1])
    loss = getattr(reference, name)
    check_gradient(
        lambda s: np.array(loss(s, labels)[0]), scores, np.array(1.0), loss(scores, labels)[1]
    )
