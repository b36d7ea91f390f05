"""Layers for images, applied to anything with channels."""

from __future__ import annotations

import numpy as np

from cnnfast.nn import Backward, Module


class AnyRank(Module):
    """Makes a layer for images take (N, C, ...): in front of it among the bases.

    The axes after the channels become one, of rows of a single column. It is for layers that do
    not care how the pixels are arranged.
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return _restored(super().__call__(_image(x)), x.shape)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        if x.ndim == 4:
            return super().forward(x)
        y, backward = super().forward(_image(x))
        shape, image_shape = x.shape, y.shape

        def run(grad: np.ndarray, input_grad: bool) -> np.ndarray | None:
            gx = backward(grad.reshape(image_shape), input_grad)
            return gx if gx is None else gx.reshape(shape)

        return _restored(y, shape), Backward(run)


def _image(x: np.ndarray) -> np.ndarray:
    if x.ndim < 2:
        raise ValueError(f"x must have shape (N, C, ...), got {x.shape}")
    return x if x.ndim == 4 else x.reshape(*x.shape[:2], int(np.prod(x.shape[2:])), 1)


def _restored(y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`y` in `shape` or, if it has one pixel only, in as many dimensions."""
    if y.ndim == len(shape) == 4:
        return y
    return y.reshape(shape if y.size == np.prod(shape) else shape[:2] + (1,) * (len(shape) - 2))
