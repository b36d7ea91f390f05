"""Gradients kept within bounds. Names and results are those of torch.nn.utils."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from cnnfast.nn import Parameter


def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale gradients, in place, so that the norm of all of them together is at most `max_norm`.

    Each is multiplied by ``min(1, max_norm / (norm + 1e-6))``.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        Those without a gradient are passed over.
    max_norm : float
    norm_type : float
        p of the p-norm, greater than 0; ``math.inf`` for the largest magnitude.
    error_if_nonfinite : bool
        Raise if the norm is NaN or infinite, instead of spoiling the gradients.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    ValueError
        `max_norm` or `norm_type` is out of range.
    FloatingPointError
        The norm is not finite, with `error_if_nonfinite`.

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks",
    2013.

    Examples
    --------
    >>> p = Parameter(np.zeros(2))
    >>> p.grad = np.array([3.0, 4.0])
    >>> clip_grad_norm_([p], max_norm=1.0)
    5.0
    >>> p.grad.round(4)
    array([0.6, 0.8])
    """
    _check("clip_grad_norm_", "max_norm", max_norm)
    _check("clip_grad_norm_", "norm_type", norm_type)
    if not norm_type:
        raise ValueError("clip_grad_norm_: norm_type must be greater than 0, got 0")
    gradients = _gradients(parameters)
    norm = _norm([_tensor_norm(gradient, norm_type) for gradient in gradients], norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        raise FloatingPointError(f"clip_grad_norm_: the norm of the gradients is {norm}")
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:  # a norm that is not finite spoils the gradients, as in torch
        with np.errstate(invalid="ignore"):
            for gradient in gradients:
                gradient *= factor
    return norm


def clip_grad_value_(parameters: Parameter | Iterable[Parameter], clip_value: float) -> None:
    """Clip each element of the gradients, in place, to -`clip_value` to `clip_value`.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        Those without a gradient are passed over.
    clip_value : float

    Raises
    ------
    ValueError
        `clip_value` is less than 0 or NaN.

    Examples
    --------
    >>> p = Parameter(np.zeros(3))
    >>> p.grad = np.array([3.0, -4.0, 0.5])
    >>> clip_grad_value_([p], 1.0)
    >>> p.grad
    array([ 1. , -1. ,  0.5])
    """
    _check("clip_grad_value_", "clip_value", clip_value)
    for gradient in _gradients(parameters):
        np.clip(gradient, -clip_value, clip_value, out=gradient)


def _check(function: str, name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{function}: {name} must be at least 0, got {value}")


def _gradients(parameters: Parameter | Iterable[Parameter]) -> list[np.ndarray]:
    if isinstance(parameters, Parameter):
        parameters = [parameters]
    return [p.grad for p in parameters if p.grad is not None]


def _tensor_norm(gradient: np.ndarray, p: float) -> float:
    if p == 2:
        # No matrix product: BLAS has threads of its own, which would compete with the kernels'.
        # float64, a part at a time, so that neither does a large sum round nor a square overflow.
        flat = gradient.ravel("K")
        return math.sqrt(np.einsum("i,i->", flat, flat, dtype=np.float64, casting="safe"))
    return _norm(np.abs(gradient).ravel("K"), p)


def _norm(magnitudes: np.ndarray | list[float], p: float) -> float:
    values = np.asarray(magnitudes, np.float64)
    if p == math.inf:
        return float(values.max(initial=0.0))
    return float((values**p).sum() ** (1 / p))
