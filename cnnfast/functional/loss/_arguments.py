"""Checks that losses share, and the division by what they are averaged over."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.functional._arguments import float_array, same_dtype, same_shape


def class_labels(
    function: str,
    labels: np.ndarray,
    shape: tuple[int, ...],
    classes: int,
    ignored: int | None = None,
) -> np.ndarray:
    """Check that `labels` has `shape`, and holds integers in 0..classes-1, or `ignored`."""
    if not isinstance(labels, np.ndarray):
        raise TypeError(f"{function}: labels must be a NumPy array, got {type(labels).__name__}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{function}: labels must be integers, got {labels.dtype}")
    if labels.shape != shape:
        raise ValueError(
            f"{function}: labels must have shape {shape}, one for each set of scores, got "
            f"{labels.shape}"
        )
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = (labels < 0) | (labels >= classes)
        if ignored is not None:
            wrong &= labels != ignored
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"{function}: labels[{', '.join(map(str, at))}] is {labels[at]}, but labels must "
                f"lie in 0..{classes - 1} for {classes} classes"
            )
    return labels


def matching_target(
    function: str, x: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Check that `x` and `target` are float arrays of one shape and dtype."""
    x, target = float_array(function, "x", x), float_array(function, "target", target)
    same_dtype(function, "x", x, target=target)
    same_shape(function, "target", target, x.shape, "the shape of x")
    return x, target


def check_reduction(function: str, reduction: str) -> None:
    """Raise ValueError unless `reduction` is "mean" or "sum"."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f'{function}: reduction must be "mean" or "sum", got {reduction!r}')


def reduced(total: float, count: float, reduction: str) -> float:
    """Divide a sum by its count for "mean"; over nothing that is NaN, as in torch."""
    if reduction == "sum":
        return float(total)
    return float(total) / float(count) if count else math.nan
