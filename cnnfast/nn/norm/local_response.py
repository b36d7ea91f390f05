"""Local response normalisation as a layer."""

from __future__ import annotations

import numpy as np

from cnnfast.functional.norm.local_response import (
    checked_settings,
    local_response_norm,
    local_response_norm_backward,
)
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class LocalResponseNorm(Module):
    """Divide by a power of the mean square over `size` neighbouring channels.

    Parameters
    ----------
    size : int
        Channels of a window.
    alpha, beta, k : float
        See `cnnfast.functional.local_response_norm`.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 2.0]).reshape(1, 3, 1)
    >>> LocalResponseNorm(1, alpha=1.0, beta=1.0)(x).ravel().tolist()
    [0.5, 0.4, 0.4]
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size, self.alpha, self.beta, self.k = checked_settings(
            type(self).__name__, size, alpha, beta, k
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        settings = self.size, self.alpha, self.beta, self.k
        return self(x), Backward.without_parameters(
            lambda grad: local_response_norm_backward(grad, x, *settings)
        )

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
