"""Which of the ways to compute a convolution is taken, and why."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import numpy as np

from cnnfast.functional._window import Window

Algorithm = Literal["auto", "direct", "winograd", "im2col"]
Precision = Literal["fast", "exact"]

# Fewer output tiles than this do not pay for transforming the filters for 4x4 tiles.
FEW_TILES = 64
# With fewer than this, the sums of transformed products are too much to add and transform back.
FEW_TILES_FOR_WEIGHTS = 96
# With fewer channels than this on either side, transforming takes longer than it saves.
FEW_CHANNELS = 16

_precision: Precision = "fast"


class Choice(NamedTuple):
    """An algorithm, the side of Winograd's output tile (else 0), and why it was chosen.

    `tiles` counts the 4x4 tiles that the output of the whole batch takes.
    """

    algorithm: Algorithm
    tile: int
    reason: str
    tiles: int


def set_conv_precision(precision: Precision) -> None:
    """Choose, for the whole process, whether ``algorithm="auto"`` may take Winograd's way.

    Parameters
    ----------
    precision : {"fast", "exact"}
        "fast" (the default) takes it where it is faster; float32 results then differ from the
        exact ones by up to 6e-6 of the largest value of |x| convolved with |w|. "exact" never
        does, and the bound is 3e-6.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> import cnnfast
    >>> cnnfast.set_conv_precision("exact")
    >>> cnnfast.set_conv_precision("fast")
    """
    global _precision
    if precision not in ("fast", "exact"):
        raise ValueError(
            f'set_conv_precision: precision must be "fast" or "exact", got {precision!r}'
        )
    _precision = precision


def choose(
    function: str,
    algorithm: str,
    batch: int,
    weight: np.ndarray,
    win: Window,
    groups: int,
) -> Choice:
    """Settle on an algorithm for a convolution of `batch` images.

    Raises
    ------
    ValueError
        For an unknown algorithm, or "winograd" where it does not apply.
    """
    if algorithm not in ("auto", "direct", "winograd", "im2col"):
        raise ValueError(
            f'{function}: algorithm must be "auto", "direct", "winograd" or "im2col", '
            f"got {algorithm!r}"
        )
    tiles = batch * -(-win.rows.out // 4) * -(-win.columns.out // 4)
    if algorithm in ("direct", "im2col"):
        return Choice(cast(Algorithm, algorithm), 0, "asked for", tiles)
    tile = 4 if tiles >= FEW_TILES else 2
    obstacle = _obstacle(weight, win, groups)
    if algorithm == "winograd":
        if obstacle:
            raise ValueError(f'{function}: algorithm "winograd" does not apply: {obstacle}')
        return Choice("winograd", tile, "asked for", tiles)
    if obstacle:
        return Choice("direct", 0, obstacle, tiles)
    if _precision == "exact":
        return Choice("direct", 0, 'the precision is set to "exact"', tiles)
    if min(weight.shape[:2]) < FEW_CHANNELS:
        return Choice("direct", 0, f"fewer than {FEW_CHANNELS} channels on one side", tiles)
    return Choice("winograd", tile, f"{tiles} output tiles of 4x4", tiles)


def _obstacle(weight: np.ndarray, win: Window, groups: int) -> str:
    """Why Winograd's way does not apply, or nothing."""
    if weight.dtype != np.float32:
        return "it is for float32 only"
    if weight.shape[2:] != (3, 3):
        return f"it is for 3x3 filters, not {weight.shape[2]}x{weight.shape[3]}"
    if win.strides != (1, 1):
        return "it is for stride 1"
    if win.dilations != (1, 1):
        return "it is for dilation 1"
    if groups != 1:
        return "it is for one group"
    return ""
