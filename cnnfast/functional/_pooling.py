"""What the pools over windows have in common."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty
from cnnfast.functional._window import Padding, Pair, Window, window


def pool_arguments(
    function: str,
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None,
    padding: Padding,
    dilation: Pair,
    ceil_mode: bool,
    strict: bool,
) -> tuple[np.ndarray, Window]:
    """Check the arguments that all of them take."""
    x = float_array(function, "x", x, 4)
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


def is_global(win: Window) -> bool:
    """Tell whether the one window is just the plane."""
    return all(a.out == 1 and a.before == 0 and a.kernel == a.size for a in win)
