"""Fully connected."""

from __future__ import annotations

import numpy as np

from tests.oracle.geometry import (
    f64,
)


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Output (..., K) of `x` (..., D) under `weight` (K, D)."""
    x, weight = f64(x, weight)
    y = np.tensordot(x, weight, (-1, 1))
    return y if bias is None else y + f64(bias)[0]


def linear_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of x, weight and bias."""
    grad, x, weight = f64(grad, x, weight)
    batch = tuple(range(x.ndim - 1))
    gx = np.tensordot(grad, weight, (-1, 0))
    return gx, np.tensordot(grad, x, (batch, batch)), grad.sum(batch)
