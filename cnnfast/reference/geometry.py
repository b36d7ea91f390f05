"""Where windows stand over an image."""

import numpy as np

Pair = int | tuple[int, int]


def pair(value: Pair) -> tuple[int, int]:
    """Return (vertical, horizontal) for an int, or for a pair already."""
    return (value, value) if isinstance(value, int) else value


def output_size(W: int, F: int, S: int, P: int, dilation: int = 1) -> int:
    """Count the positions a window takes along one axis: (W - F + 2P)/S + 1, rounded down.

    With dilation a window of F taps spans dilation * (F - 1) + 1 elements.

    Examples
    --------
    >>> output_size(227, 11, 4, 0)
    55
    >>> output_size(7, 3, 1, 1)  # S = 1 and P = (F - 1)/2 keep the size
    7
    """
    span = dilation * (F - 1) + 1
    return (W - span + 2 * P) // S + 1


def pooled_size(W: int, F: int, S: int, P: int, dilation: int = 1, ceil_mode: bool = False) -> int:
    """Count the positions of a pooling window; `ceil_mode` rounds up instead of down.

    The window that rounding up adds must start inside the input or the padding before it.

    Examples
    --------
    >>> pooled_size(112, 3, 2, 0), pooled_size(112, 3, 2, 0, ceil_mode=True)
    (55, 56)
    >>> pooled_size(3, 2, 2, 1, ceil_mode=True)  # a third window would start in the right padding
    2
    """
    size = output_size(W, F, S, P, dilation)
    leftover = (W - dilation * (F - 1) - 1 + 2 * P) % S
    if ceil_mode and leftover > 0 and size * S < W + P:
        size += 1
    return size


def taps(o: int, W: int, F: int, S: int, P: int, dilation: int = 1) -> list[int]:
    """List the input positions along one axis that window number `o` covers, without the padding.

    Examples
    --------
    >>> taps(0, W=5, F=3, S=2, P=1), taps(1, W=5, F=3, S=2, P=1)
    ([0, 1], [1, 2, 3])
    """
    start = o * S - P
    return [i for i in range(start, start + F * dilation, dilation) if 0 <= i < W]


def zero_pad(x: np.ndarray, PH: int, PW: int) -> np.ndarray:
    """Surround every image with PH rows and PW columns of zeros."""
    return np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
