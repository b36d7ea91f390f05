"""Dropout; the formula is in `cnnfast.functional`."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._arguments import number
from cnnfast.functional.dropout import dropout, dropout_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class Dropout(Module):
    """Drop elements at random in training: in ``forward``, after ``train()``, and only there.

    Parameters
    ----------
    p : float
        Probability of being dropped; the elements kept are divided by 1 - p.
    rng : numpy.random.Generator, optional
        Where the choice comes from; None makes a fresh one.

    Examples
    --------
    >>> layer = Dropout(0.5)
    >>> layer(np.ones(4)).tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> y, backward = layer.forward(np.ones(4))
    >>> set(y.tolist()) <= {0.0, 2.0}
    True
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | None = None) -> None:
        self.p = number("Dropout", "p", p, 0, 1)
        self.rng = np.random.default_rng(rng)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return dropout(x, self.p, training=False)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        p = self.p
        y, mask = dropout(x, p, self.training, rng=self.rng, return_mask=True)
        return y, Backward.without_parameters(lambda grad: dropout_backward(grad, mask, p))

    def extra_repr(self) -> str:
        return f"p={self.p}"
