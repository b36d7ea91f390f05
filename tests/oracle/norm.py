"""Normalisation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.oracle.geometry import (
    f64,
)


class Normalized(NamedTuple):
    """Elements with mean 0 and variance 1 over some axes, and what made them so."""

    xhat: np.ndarray
    mean: np.ndarray  # with the axes kept, as var
    var: np.ndarray
    axes: tuple[int, ...]
    eps: float

    def backward(self, grad: np.ndarray) -> np.ndarray:
        """Take out of grad what lies along 1 and along x - mean: those cannot change."""
        rest = grad - grad.mean(self.axes, keepdims=True)
        return (rest - self.xhat * (grad * self.xhat).mean(self.axes, keepdims=True)) / np.sqrt(
            self.var + self.eps
        )


def normalized(x: np.ndarray, axes: tuple[int, ...], eps: float) -> Normalized:
    (x,) = f64(x)
    mean = x.mean(axes, keepdims=True)
    mean += (x - mean).mean(axes, keepdims=True)  # what rounding took from a large sum
    var = ((x - mean) ** 2).mean(axes, keepdims=True)
    return Normalized((x - mean) / np.sqrt(var + eps), mean, var, axes, eps)


def over_batch(x: np.ndarray) -> tuple[int, ...]:
    """The axes of all elements of a channel."""
    return (0, *range(2, x.ndim))


def per_channel(vector: np.ndarray, ndim: int) -> np.ndarray:
    """Shape a vector over the channels to go with (N, C, ...)."""
    return np.asarray(vector, np.float64).reshape(1, -1, *[1] * (ndim - 2))


def _response_windows(channels: int, size: int) -> np.ndarray:
    """A matrix with a 1 where the column's channel lies in the window of the row's."""
    offset = np.arange(channels) - np.arange(channels)[:, None]
    return ((offset >= -(size // 2)) & (offset <= (size - 1) // 2)).astype(np.float64)


def local_response_norm(
    x: np.ndarray, size: int, alpha: float, beta: float, k: float
) -> np.ndarray:
    (x,) = f64(x)
    sums = np.einsum("dc,nc...->nd...", _response_windows(x.shape[1], size), x**2)
    return x * (k + alpha / size * sums) ** -beta


def local_response_norm_backward(
    grad: np.ndarray, x: np.ndarray, size: int, alpha: float, beta: float, k: float
) -> np.ndarray:
    grad, x = f64(grad, x)
    windows = _response_windows(x.shape[1], size)
    base = k + alpha / size * np.einsum("dc,nc...->nd...", windows, x**2)
    slopes = np.einsum("dc,nd...->nc...", windows, grad * x * base ** (-beta - 1))
    return grad * base**-beta - 2 * alpha * beta / size * x * slopes
