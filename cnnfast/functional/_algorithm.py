"""Which of the ways to compute a convolution is taken, and why."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from cnnfast.functional._window import Window

Algorithm = Literal["auto", "direct", "winograd", "im2col"]
Precision = Literal["fast", "exact"]
# The output, or the gradient of the input or of the weights.
Pass = Literal["forward", "input", "weights"]

# Fewer output tiles than this do not pay for transforming the filters for 4x4 tiles.
FEW_TILES = 40
# With fewer than this, the sums of transformed products are too much to add and transform back.
FEW_TILES_FOR_WEIGHTS = 40
# With fewer channels than this on either side, transforming takes longer than it saves.
FEW_CHANNELS, FEW_FILTERS = 12, 16
# What transforming costs has to be saved as well.
LEAST_SAVING = 1.5
# Inputs of a tile's side; with few tiles of 3 taps it is 4.
LARGE_SIDE = 6

_precision: Precision = "fast"


class Choice(NamedTuple):
    """An algorithm, the side of Winograd's output tile (else 0), and why it was chosen."""

    algorithm: Algorithm
    tile: int
    reason: str


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


def get_conv_precision() -> Precision:
    """What `set_conv_precision` has set."""
    return _precision


def check_algorithm(function: str, algorithm: Algorithm) -> None:
    """Raise ValueError for an unknown algorithm."""
    if algorithm not in ("auto", "direct", "winograd", "im2col"):
        raise ValueError(
            f'{function}: algorithm must be "auto", "direct", "winograd" or "im2col", '
            f"got {algorithm!r}"
        )


def choose(
    function: str,
    what: Pass,
    algorithm: Algorithm,
    batch: int,
    weight: tuple[int, ...],
    dtype: np.dtype,
    win: Window,
    groups: int,
    precision: Precision,
) -> Choice:
    """Settle on an algorithm for a convolution of `batch` images with filters of shape `weight`.

    Raises
    ------
    ValueError
        For "winograd" where it does not apply.
    """
    if algorithm in ("direct", "im2col"):
        return Choice(algorithm, 0, "asked for")
    obstacle = _obstacle(dtype, win)
    if algorithm == "winograd":
        if obstacle:
            raise ValueError(f'{function}: algorithm "winograd" does not apply: {obstacle}')
        tile, _ = _tiles(what, batch, win)
        return Choice("winograd", tile, "asked for")
    if obstacle:
        return Choice("direct", 0, obstacle)
    if precision == "exact":
        return Choice("direct", 0, 'the precision is set to "exact"')
    tile, tiles = _tiles(what, batch, win)
    channels = weight[1] * win.rows.stride**2
    if channels < FEW_CHANNELS or weight[0] // groups < FEW_FILTERS:
        return Choice("direct", 0, "too few channels to pay for the transforms")
    if what == "weights" and tiles < FEW_TILES_FOR_WEIGHTS:
        return Choice("direct", 0, f"fewer than {FEW_TILES_FOR_WEIGHTS} tiles")
    saving = _saving(tile, win)
    if saving < LEAST_SAVING:
        return Choice("direct", 0, f"it would save only a factor {saving:.1f}")
    return Choice("winograd", tile, f"a factor {saving:.1f} fewer multiplications")


def _taps(win: Window) -> int:
    """Taps of a filter's side that meet one phase of the stride."""
    return -(-win.rows.kernel // win.rows.stride)


def _tiles(what: Pass, batch: int, win: Window) -> tuple[int, int]:
    """Outputs of a tile's side, and how many tiles the batch takes."""
    tile = LARGE_SIDE + 1 - _taps(win)
    if _taps(win) == 3 and batch * _tiles_of_an_image(tile, win) < FEW_TILES and what != "weights":
        tile = 2
    return tile, batch * _tiles_of_an_image(tile, win)


def _tiles_of_an_image(tile: int, win: Window) -> int:
    return -(-win.rows.out // tile) * -(-win.columns.out // tile)


def _saving(tile: int, win: Window) -> float:
    """How many times as many multiplications the direct way takes."""
    direct = win.rows.out * win.columns.out * win.rows.kernel * win.columns.kernel
    inputs = (tile + _taps(win) - 1) * win.rows.stride
    return direct / (_tiles_of_an_image(tile, win) * inputs**2)


def _obstacle(dtype: np.dtype, win: Window) -> str:
    """Why Winograd's way does not apply, or nothing."""
    if dtype != np.float32:
        return "it is for float32 only"
    if win.rows.kernel != win.columns.kernel or win.rows.stride != win.columns.stride:
        return "it is for square filters and strides"
    if not 2 <= _taps(win) <= 5:
        return (
            "it is for 2 to 5 taps of a filter's side for each phase of the stride, not "
            f"{win.rows.kernel} at stride {win.rows.stride}"
        )
    if win.dilations != (1, 1):
        return "it is for dilation 1"
    return ""
