"""Group and layer normalisation: each sample on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._arguments import number
from cnnfast.functional.norm.group import group_norm, group_norm_backward
from cnnfast.functional.norm.layer import checked_shape, layer_norm, layer_norm_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module, float_dtype, positive
from cnnfast.nn.norm._parameters import data, vectors


class GroupNorm(Module):
    """Group normalisation: in every image, groups of channels to mean 0 and variance 1.

    Parameters
    ----------
    num_groups, num_channels : int
        Groups, and channels in all.
    eps : float
        Added to the variance.
    affine : bool
        Whether each channel has a `weight` and a `bias` to learn.
    dtype : numpy.float32 or numpy.float64

    Examples
    --------
    >>> GroupNorm(1, 2, eps=0, dtype=np.float64)(np.array([[1.0, 5.0]])).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.num_groups = positive("GroupNorm", "num_groups", num_groups)
        self.num_channels = positive("GroupNorm", "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ValueError(
                f"GroupNorm: num_channels {num_channels} must be a multiple of num_groups "
                f"{num_groups}"
            )
        self.eps, self.affine = number("GroupNorm", "eps", eps, 0), affine
        dtype = float_dtype("GroupNorm", dtype)
        self.weight, self.bias = vectors((self.num_channels,), affine, affine, dtype)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return group_norm(x, self.num_groups, data(self.weight), data(self.bias), self.eps)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        groups, weight, eps = self.num_groups, data(self.weight), self.eps

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            return group_norm_backward(grad, x, groups, weight, eps, needs)

        return self(x), Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LayerNorm(Module):
    """Layer normalisation: every sample, over its trailing axes, to mean 0 and variance 1.

    Parameters
    ----------
    normalized_shape : int or sequence of ints
        Those axes.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Whether each of their elements has a `weight` to learn,
    bias : bool
        and a `bias`.
    dtype : numpy.float32 or numpy.float64

    Examples
    --------
    >>> LayerNorm(2, eps=0, dtype=np.float64)(np.array([[1.0, 5.0]])).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.normalized_shape = checked_shape("LayerNorm", normalized_shape)
        self.eps = number("LayerNorm", "eps", eps, 0)
        self.elementwise_affine = elementwise_affine
        dtype = float_dtype("LayerNorm", dtype)
        self.weight, self.bias = vectors(
            self.normalized_shape, elementwise_affine, elementwise_affine and bias, dtype
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        shape = self.normalized_shape
        return layer_norm(x, shape, data(self.weight), data(self.bias), self.eps)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        shape, weight, eps = self.normalized_shape, data(self.weight), self.eps

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            return layer_norm_backward(grad, x, shape, weight, eps, needs)

        return self(x), Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )
