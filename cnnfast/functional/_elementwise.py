"""What elementwise operations share: checks, a result in the input's memory order, the call."""

from __future__ import annotations

import math

import numpy as np

from cnnfast._ext import elementwise as _kernels
from cnnfast.functional._arguments import float_array, matching_gradient
from cnnfast.functional._memory import empty_like


def forward(
    function: str, x: np.ndarray, p: float = 0, q: float = 0, kernel: str = ""
) -> np.ndarray:
    """Compute y of x for `function`, whose kernel has its name unless another is given."""
    x = float_array(function, "x", x)
    y = empty_like(x)
    _kernels.apply(kernel or function, y, x, None, p, q)
    return y


def backward(
    function: str,
    grad: np.ndarray,
    x: np.ndarray,
    p: float = 0,
    q: float = 0,
    kernel: str = "",
    of: str = "x",
) -> np.ndarray:
    """Compute the gradient of x for `function`, a "..._backward", of grad and x.

    `of` is what messages call x: "the output", for the kernels that compute from that.
    """
    grad, x = matching_gradient(function, grad, of, x)
    gx = empty_like(x)
    _kernels.apply(kernel or function, gx, grad, x, p, q)
    return gx


def rectify(y: np.ndarray, ceiling: float) -> None:
    """Cut `y` off in place: to 0 and up, and to `ceiling` and down; not at all if that is 0."""
    if ceiling:
        _kernels.apply("relu", y, y)
    if 0 < ceiling < math.inf:
        np.minimum(y, ceiling, out=y)
