"""Batch and instance normalisation: layers with running statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._arguments import number
from cnnfast.functional.activation.relu import relu_backward
from cnnfast.functional.norm.batch import (
    batch_norm,
    batch_norm_backward,
    batch_norm_train,
    batch_norm_train_backward,
)
from cnnfast.functional.norm.group import instance_norm_backward, instance_norm_moments
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module, float_dtype, positive
from cnnfast.nn.norm._parameters import data, vectors


class _RunningNorm(Module):
    """Normalisation with the moments of the input, or in their place running statistics."""

    #: Dimensions of the input.
    dimensions: tuple[int, ...]

    running_mean: np.ndarray
    running_var: np.ndarray
    num_batches_tracked: np.ndarray

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        dtype: DTypeLike,
    ) -> None:
        name = type(self).__name__
        dtype = float_dtype(name, dtype)
        self.num_features = positive(name, "num_features", num_features)
        self.eps = number(name, "eps", eps, 0)
        self.momentum = None if momentum is None else number(name, "momentum", momentum, 0, 1)
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight, self.bias = vectors((self.num_features,), affine, affine, dtype)
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(self.num_features, dtype))
            self.register_buffer("running_var", np.ones(self.num_features, dtype))
            self.register_buffer("num_batches_tracked", np.array(0, np.int64))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self._check(x)
        if not self.track_running_stats:
            return self._by_input(x)[0]
        mean, var = self.running_mean, self.running_var
        return batch_norm(x, mean, var, data(self.weight), data(self.bias), self.eps)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        self._check(x)
        weight, eps = data(self.weight), self.eps
        if self.training or not self.track_running_stats:
            y, gradients = self._learn(x)
        else:
            mean, var = self.running_mean, self.running_var
            y = batch_norm(x, mean, var, weight, data(self.bias), eps)

            def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
                return batch_norm_backward(grad, x, mean, var, weight, eps, needs)

        return y, Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)

    def _learn(self, x: np.ndarray, *fused: Any) -> tuple[np.ndarray, Callable[..., tuple]]:
        """Give the output by the moments of `x`, which the statistics follow, and the gradients."""
        y, mean, var, gradients = self._by_input(x, *fused)
        if self.training and self.track_running_stats:
            self._update(mean, var)
        return y, gradients

    def _by_input(
        self, x: np.ndarray, *fused: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Callable[..., tuple]]:
        """Give the output, mean and unbiased variance for the statistics, and the gradients."""
        raise NotImplementedError

    def _check(self, x: np.ndarray) -> None:
        """Check what only the layer knows; the rest is up to the function it calls."""
        if isinstance(x, np.ndarray) and (
            x.ndim not in self.dimensions or x.shape[1] != self.num_features
        ):
            raise ValueError(
                f"{type(self).__name__}: x must have {' or '.join(map(str, self.dimensions))} "
                f"dimensions and {self.num_features} channels, got shape {x.shape}"
            )

    def _update(self, mean: np.ndarray, var: np.ndarray) -> None:
        """Move the running statistics towards those of a batch.

        They are replaced, not written to: a backward pass may still hold the old ones.
        """
        batches = int(self.num_batches_tracked) + 1
        share = 1 / batches if self.momentum is None else self.momentum
        self.num_batches_tracked = np.array(batches, np.int64)
        self.running_mean = (1 - share) * self.running_mean + share * mean
        self.running_var = (1 - share) * self.running_var + share * var

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype)

    def forward_fused(
        self, x: np.ndarray, residual: np.ndarray | None = None, *, ceiling: float = 0
    ) -> tuple[np.ndarray, Backward]:
        """``forward`` by the moments of `x`; y + residual, from 0 to `ceiling` unless that is 0.

        With a residual, ``backward`` returns its gradient too. See `nn.fusion`.
        """
        self._check(x)
        y, gradients = self._learn(x, residual, ceiling)
        return y, Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)

    def _by_input(
        self, x: np.ndarray, residual: np.ndarray | None = None, ceiling: float = 0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Callable[..., tuple]]:
        weight, bias, eps = data(self.weight), data(self.bias), self.eps
        y, mean, var = batch_norm_train(x, weight, bias, eps, residual=residual, relu=ceiling)
        count = x.size // self.num_features
        unbiased = var * (count / (count - 1))
        rectified = y if ceiling and residual is not None else None

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            if rectified is not None:
                grad = relu_backward(grad, rectified)
            gx, gw, gb = batch_norm_train_backward(
                *(grad, x, mean, var, weight, eps, needs),
                bias=bias,
                relu=0 if rectified is not None else ceiling,
            )
            return gx if residual is None else (gx, grad), gw, gb

        return y, mean, unbiased, gradients


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of features (N, C) or sequences (N, C, L); see `BatchNorm2d`.

    Examples
    --------
    >>> y, backward = BatchNorm1d(1, eps=0, dtype=np.float64).forward(np.array([[1.0], [5.0]]))
    >>> y.tolist()
    [[-1.0], [1.0]]
    """

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    r"""Batch normalisation of images: every channel to mean 0 and variance 1, scaled and shifted.

    In training (``forward``, after ``train()``) with the mean and variance of the batch, which the
    running statistics then follow; otherwise with those:

    .. math:: r \leftarrow (1 - \text{momentum})\, r + \text{momentum}\, s

    where s is the batch's mean, or its unbiased variance.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
        Added to the variance.
    momentum : float or None
        How fast the running statistics follow; None makes them the average over all batches.
    affine : bool
        Whether there are a `weight` and a `bias` to learn.
    track_running_stats : bool
        Whether there are running statistics (`running_mean`, `running_var` and
        `num_batches_tracked`); without, inference takes the batch's, too.
    dtype : numpy.float32 or numpy.float64

    Examples
    --------
    >>> layer = BatchNorm2d(1, momentum=0.5, dtype=np.float64)
    >>> x = np.array([1.0, 5.0]).reshape(1, 1, 1, 2)
    >>> y, backward = layer.forward(x)
    >>> layer.running_mean.tolist(), layer.running_var.tolist()
    ([1.5], [4.5])
    """

    dimensions = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of volumes (N, C, D, H, W); see `BatchNorm2d`.

    Examples
    --------
    >>> layer = BatchNorm3d(1, eps=0, dtype=np.float64)
    >>> y, backward = layer.forward(np.array([1.0, 5.0]).reshape(1, 1, 2, 1, 1))
    >>> y.ravel().tolist()
    [-1.0, 1.0]
    """

    dimensions = (5,)


class InstanceNorm2d(_RunningNorm):
    """Instance normalisation: every channel of every image to mean 0 and variance 1.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, dtype
        As in `BatchNorm2d`, but for the defaults. The running statistics follow the averages over
        the images of a batch.

    Examples
    --------
    >>> InstanceNorm2d(1, eps=0, dtype=np.float64)(np.array([[[[1.0, 5.0]]]])).tolist()
    [[[[-1.0, 1.0]]]]
    """

    dimensions = (4,)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype)

    def _by_input(
        self, x: np.ndarray, *fused: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Callable[..., tuple]]:
        weight, eps = data(self.weight), self.eps
        y, mean, var = instance_norm_moments(x, weight, data(self.bias), eps)

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            return instance_norm_backward(grad, x, weight, eps, needs)

        count = math.prod(x.shape[2:])
        return y, mean.mean(axis=0), var.mean(axis=0) * (count / (count - 1)), gradients
