"""Adam."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from cnnfast.nn import Parameter
from cnnfast.optim.optimizer import Optimizer, blocks


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

    def _update(self, values: np.ndarray, grad: np.ndarray, state: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(values), exp_avg_sq=np.zeros_like(values))
        state["step"] += 1
        beta1, beta2 = self.betas
        rate = float(self.lr) / (1 - beta1 ** state["step"])
        root = math.sqrt(1 - beta2 ** state["step"])
        arrays = (values, grad, state["exp_avg"], state["exp_avg_sq"])
        for w, g, m, v, decayed, step in blocks(*arrays):
            if self.weight_decay:
                np.multiply(w, self.weight_decay, out=decayed)
                decayed += g
                g = decayed
            m *= beta1
            m += np.multiply(g, 1 - beta1, out=step)
            v *= beta2
            np.multiply(g, g, out=step)
            step *= 1 - beta2
            v += step
            np.sqrt(v, out=step)
            step /= root
            step += self.eps
            np.divide(m, step, out=step)
            step *= rate
            w -= step
