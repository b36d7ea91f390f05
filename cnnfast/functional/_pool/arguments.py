"""What the pools over windows have in common."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty, same_dtype, same_shape
from cnnfast.functional._window import Numbers, Sides, Window, window


def pool_arguments(
    function: str,
    count: int,
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Sides,
    dilation: Numbers,
    ceil_mode: bool,
    strict: bool = False,
) -> tuple[np.ndarray, Window]:
    """Check the arguments that all of them take, for windows of `count` axes."""
    x = float_array(function, "x", x, count + 2)
    nonempty(function, "x", x, 1)
    stride = kernel_size if stride is None else stride
    return x, window(
        function,
        x.shape[2:],
        kernel_size,
        stride,
        padding,
        dilation,
        ceil_mode=bool(ceil_mode),
        strict=strict,
        pooling=True,
    )


def pool_gradient(function: str, grad: np.ndarray, x: np.ndarray, win: Window) -> np.ndarray:
    """Check the gradient of what `win` makes of `x`."""
    grad = float_array(function, "grad", grad, x.ndim)
    same_dtype(function, "x", x, grad=grad)
    same_shape(function, "grad", grad, (*x.shape[:2], *win.out), "the output's shape")
    return grad


def matching_grad(
    function: str, grad: np.ndarray, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """Check that `grad` has the shape and the dtype of the output."""
    grad = float_array(function, "grad", grad, len(shape))
    same_shape(function, "grad", grad, shape, "the output's shape")
    if grad.dtype != dtype:
        raise TypeError(f"{function}: grad is {grad.dtype}, but what was pooled is {dtype}")
    return grad
