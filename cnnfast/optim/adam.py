"""Adam."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from cnnfast._ext import optimizers as _kernels
from cnnfast.nn import Parameter
from cnnfast.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Steps scaled by running averages of each gradient (m) and of its square (v).

    As in torch, at step t of a parameter w with gradient g::

        g = g + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        w = w - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    Parameters
    ----------
    params : iterable of Parameter
        For instance ``model.parameters()``.
    lr : float
    betas : pair of float
        Each at least 0 and less than 1.
    eps, weight_decay : float

    Raises
    ------
    TypeError, ValueError
        As `Optimizer` does.

    References
    ----------
    D. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2015, arXiv:1412.6980.

    Examples
    --------
    >>> p = Parameter(np.array([1.0]))
    >>> optimizer = Adam([p], lr=0.5)
    >>> p.grad = np.array([100.0])
    >>> optimizer.step()
    >>> p.data.round(6).tolist()
    [0.5]
    """

    state_names = ("step", "exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"Adam: betas must be a pair of numbers, got {betas!r}")
        self.betas = (
            self._checked("betas[0]", betas[0], below=1),
            self._checked("betas[1]", betas[1], below=1),
        )
        self.eps = self._checked("eps", eps)
        self.weight_decay = self._checked("weight_decay", weight_decay)

    def _remembered(self, values: np.ndarray, state: dict[str, Any]) -> tuple:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(values), exp_avg_sq=np.zeros_like(values))
        state["step"] += 1
        rate = self.lr / (1 - self.betas[0] ** state["step"])
        root = math.sqrt(1 - self.betas[1] ** state["step"])
        return state["exp_avg"], state["exp_avg_sq"], rate, root

    def _update(self, tensors: list[tuple]) -> None:
        _kernels.adam(tensors, *self.betas, self.eps, self.weight_decay)
