"""Layers where branches meet: they take several inputs, and give back a gradient for each."""

from __future__ import annotations

import numpy as np

from cnnfast.functional.combine import add, add_backward, concat, concat_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class Add(Module):
    """Add two inputs element by element; see `cnnfast.functional.add`.

    Examples
    --------
    >>> y, backward = Add().forward(np.array([1.0]), np.array([2.0]))
    >>> y.tolist(), [gx.tolist() for gx in backward(np.array([5.0]))]
    ([3.0], [[5.0], [5.0]])
    """

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return add(x, y)

    def forward(  # type: ignore[override]
        self, x: np.ndarray, y: np.ndarray
    ) -> tuple[np.ndarray, Backward]:
        return add(x, y), Backward.without_parameters(add_backward)


class Concatenate(Module):
    """Put any number of images behind each other along their channels.

    See `cnnfast.functional.concat`. For branches that all start from one input there is `Concat`.

    Examples
    --------
    >>> Concatenate()(np.zeros((1, 2, 3, 3)), np.zeros((1, 5, 3, 3))).shape
    (1, 7, 3, 3)
    """

    def __call__(self, *xs: np.ndarray) -> np.ndarray:
        return concat(xs)

    def forward(self, *xs: np.ndarray) -> tuple[np.ndarray, Backward]:
        channels = [x.shape[1] for x in xs]
        return concat(xs), Backward.without_parameters(
            lambda grad: tuple(concat_backward(grad, channels))
        )
