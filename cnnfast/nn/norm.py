"""Normalisation layers; the formulas are in `cnnfast.functional`."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._arguments import number
from cnnfast.functional.norm import (
    batch_norm,
    batch_norm_backward,
    batch_norm_train,
    batch_norm_train_backward,
    local_response_norm,
    local_response_norm_backward,
)
from cnnfast.functional.norm.local_response import checked_settings
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module, float_dtype, positive
from cnnfast.nn.parameter import Parameter


class _BatchNorm(Module):
    """What batch normalisation has in common for arrays of any dimensions."""

    #: Dimensions of the input.
    dimensions: tuple[int, ...]

    running_mean: np.ndarray
    running_var: np.ndarray
    num_batches_tracked: np.ndarray

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
        name = type(self).__name__
        dtype = float_dtype(name, dtype)
        self.num_features = positive(name, "num_features", num_features)
        self.eps = number(name, "eps", eps, 0)
        self.momentum = None if momentum is None else number(name, "momentum", momentum, 0, 1)
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(np.ones(self.num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(self.num_features, dtype)) if affine else None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(self.num_features, dtype))
            self.register_buffer("running_var", np.ones(self.num_features, dtype))
            self.register_buffer("num_batches_tracked", np.array(0, np.int64))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self._check(x)
        if not self.track_running_stats:
            return batch_norm_train(x, *self._vectors(), self.eps)[0]
        return batch_norm(x, self.running_mean, self.running_var, *self._vectors(), self.eps)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        self._check(x)
        weight, bias = self._vectors()
        eps, by_batch = self.eps, self.training or not self.track_running_stats
        if by_batch:
            y, mean, var = batch_norm_train(x, weight, bias, eps)
        else:
            mean, var = self.running_mean, self.running_var
            y = batch_norm(x, mean, var, weight, bias, eps)
        if self.training and self.track_running_stats:
            self._update(mean, var, x.size // self.num_features)

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            back = batch_norm_train_backward if by_batch else batch_norm_backward
            return back(grad, x, mean, var, weight, eps, needs)

        return y, Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)

    def _check(self, x: np.ndarray) -> None:
        """Check what only the layer knows; the rest is up to the function it calls."""
        if isinstance(x, np.ndarray) and (
            x.ndim not in self.dimensions or x.shape[1] != self.num_features
        ):
            raise ValueError(
                f"{type(self).__name__}: x must have {' or '.join(map(str, self.dimensions))} "
                f"dimensions and {self.num_features} channels, got shape {x.shape}"
            )

    def _vectors(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self.weight is None or self.bias is None:
            return None, None
        return self.weight.data, self.bias.data

    def _update(self, mean: np.ndarray, var: np.ndarray, count: int) -> None:
        """Move the running statistics towards those of a batch with `count` values a channel.

        They are replaced, not written to: a backward pass may still hold the old ones.
        """
        batches = int(self.num_batches_tracked) + 1
        share = 1 / batches if self.momentum is None else self.momentum
        self.num_batches_tracked = np.array(batches, np.int64)
        self.running_mean = (1 - share) * self.running_mean + share * mean
        self.running_var = (1 - share) * self.running_var + share * count / (count - 1) * var

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )


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
