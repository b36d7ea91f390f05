"""Batch normalisation by the moments of all ranks' images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast.distributed.world import init
from cnnfast.functional import add
from cnnfast.functional.norm.batch import batch_norm, batch_norm_backward, batch_norm_train
from cnnfast.nn import Module
from cnnfast.nn.norm._parameters import data
from cnnfast.nn.norm.running import _BatchNorm


class SyncBatchNorm(_BatchNorm):
    r"""Another batch normalisation layer, whose batch in training is that of all ranks.

    Every rank has n_r values a channel, of mean m_r and variance v_r. Their sums over the ranks
    give those of all values:

    .. math:: \mu = \frac{\sum_r n_r m_r}{\sum_r n_r}, \qquad
              \sigma^2 = \frac{\sum_r n_r (v_r + m_r^2)}{\sum_r n_r} - \mu^2,

    formed in float64, where the difference loses nothing that counts. On the way back the two sums
    in the input's gradient (see `cnnfast.functional.batch_norm_train_backward`) go over the ranks.

    Parameters
    ----------
    layer : BatchNorm1d, BatchNorm2d or BatchNorm3d
        The one to replace; parameters and buffers are its own.
    """

    def __init__(self, layer: _BatchNorm) -> None:
        vars(self).update(vars(layer))
        self.dimensions = layer.dimensions

    def _learn(self, x: np.ndarray, *fused: Any) -> tuple[np.ndarray, Callable[..., tuple]]:
        if not self.training:
            return super()._learn(x, *fused)
        weight, bias, eps = data(self.weight), data(self.bias), self.eps
        count, mean, var = self._moments_of_all(x)
        y = batch_norm(x, mean, var, weight, bias, eps)
        if self.track_running_stats:
            self._update(mean, var * x.dtype.type(count / (count - 1)))

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            given = (grad, x, mean, var, weight, eps)
            _, gw, gb = batch_norm_backward(*given, needs=("weight", "bias"))
            if "x" not in needs:
                return None, gw, gb
            along_x, along_one = init().sum(np.array([gw, gb], np.float64)) / count
            scale = (1 if weight is None else weight) / np.sqrt(var + eps, dtype=np.float64)
            # The parts that a scaling and a shift of x would undo.
            undone_w, undone_b = ((-scale * s).astype(x.dtype) for s in (along_x, along_one))
            gx, _, _ = batch_norm_backward(*given, needs=("x",))
            assert gx is not None
            return add(gx, batch_norm(x, mean, var, undone_w, undone_b, eps)), gw, gb

        return y, gradients

    def _moments_of_all(self, x: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
        """Give how many values each channel has on all ranks, their mean and biased variance."""
        channels, count = self.num_features, x.size // self.num_features
        if count == 1:  # too few for a variance of this rank's own
            mean, var = x.reshape(channels).astype(np.float64), np.zeros(channels)
        else:
            _, *moments = batch_norm_train(x)
            mean, var = (moment.astype(np.float64) for moment in moments)
        sums = init().sum(count * np.concatenate([mean, var + mean**2, [1]]))
        total = round(sums[-1])
        if total < 2:
            raise ValueError(
                "SyncBatchNorm: the ranks must have at least 2 values a channel to take a variance "
                f"of, got one of shape {x.shape} in all"
            )
        mean, square = np.split(sums[:-1] / total, 2)
        var = np.maximum(square - mean**2, 0)
        return total, mean.astype(x.dtype), var.astype(x.dtype)


def synchronized(model: Module) -> Module:
    """Replace every batch normalisation in `model`; give the model, or what replaces it."""
    replaced: dict[int, SyncBatchNorm] = {}  # a layer may be in several places

    def replacement(layer: Module) -> Module:
        if isinstance(layer, _BatchNorm) and not isinstance(layer, SyncBatchNorm):
            return replaced.setdefault(id(layer), SyncBatchNorm(layer))
        return layer

    for owner in list(model.modules()):
        for name, child in owner.named_children():
            setattr(owner, name, replacement(child))
    return replacement(model)
