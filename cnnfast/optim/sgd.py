"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cnnfast._ext import optimizers as _kernels
from cnnfast.nn import Parameter
from cnnfast.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum, Nesterov momentum and weight decay.

    As in torch, for a parameter w with gradient g and velocity v (at first v = g)::

        g = g + weight_decay * w
        v = momentum * v + (1 - dampening) * g
        w = w - lr * v                        plain momentum
        w = w - lr * (g + momentum * v)       nesterov

    The learning rate multiplies the velocity; in the course's notes it is part of it.

    Parameters
    ----------
    params : iterable of Parameter
        For instance ``model.parameters()``.
    lr, momentum, dampening, weight_decay : float
    nesterov : bool
        Needs a momentum, and no dampening.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer` does, and for `nesterov` without momentum or with dampening.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.

    Examples
    --------
    >>> p = Parameter(np.array([1.0]))
    >>> optimizer = SGD([p], lr=0.5)
    >>> p.grad = np.array([1.0])
    >>> optimizer.step()
    >>> p.data.tolist()
    [0.5]
    """

    state_names = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr)
        self.momentum = self._checked("momentum", momentum)
        self.dampening = self._checked("dampening", dampening)
        self.weight_decay = self._checked("weight_decay", weight_decay)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError(
                "SGD: nesterov needs a momentum and no dampening, "
                f"got momentum {momentum} and dampening {dampening}"
            )
        self.nesterov = nesterov

    def _remembered(self, values: np.ndarray, state: dict[str, Any]) -> tuple:
        if not self.momentum:
            return None, False
        first = "momentum_buffer" not in state
        if first:
            state["momentum_buffer"] = np.empty_like(values)
        return state["momentum_buffer"], first

    def _update(self, tensors: list[tuple]) -> None:
        _kernels.sgd(
            tensors,
            self.lr,
            self.momentum,
            self.dampening,
            self.weight_decay,
            self.nesterov,
        )
