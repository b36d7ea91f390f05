"""Initial weights: random, scaled so that signals keep their size from layer to layer.

A weight's shape is (out, in, ...): its fan_in is the number of inputs of one output, its fan_out
the number of outputs reached by one input, filter taps included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.nn.module import float_dtype
from cnnfast.nn.parameter import Parameter


def kaiming_normal(
    shape: Sequence[int],
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
    *,
    gain: float = math.sqrt(2),
) -> np.ndarray:
    """He initialisation: normal, with standard deviation gain / sqrt(fan_in).

    Parameters
    ----------
    shape : sequence of int
        (out, in, ...), e.g. (out_channels, in_channels / groups, R, S).
    rng : numpy.random.Generator, optional
        None makes a fresh one.
    dtype : float32 or float64
    gain : float
        sqrt(2) suits ReLU, which halves the mean square; 1 suits a linear layer.

    Returns
    -------
    numpy.ndarray
        Of `shape` and `dtype`.

    Raises
    ------
    TypeError
        `dtype` is another.
    ValueError
        `shape` has fewer than two dimensions or an empty one.

    References
    ----------
    K. He et al., "Delving deep into rectifiers", 2015, arXiv:1502.01852.

    Examples
    --------
    >>> weight = kaiming_normal((64, 50), np.random.default_rng(0))
    >>> weight.dtype.name, round(float(weight.std()), 1)
    ('float32', 0.2)
    """
    fan_in, _ = _fans("kaiming_normal", shape)
    return _normal("kaiming_normal", shape, gain / math.sqrt(fan_in), rng, dtype)


def kaiming_parameter(
    shape: tuple[int, ...], rng: np.random.Generator | None, dtype: DTypeLike
) -> Parameter:
    """Make a Parameter of `kaiming_normal`.

    Without a generator, from which the next to draw would get other numbers, the values are drawn
    only when they are wanted.
    """
    if rng is not None:
        return Parameter(kaiming_normal(shape, rng, dtype))
    _fans("kaiming_normal", shape)
    dtype = float_dtype("kaiming_normal", dtype)
    return Parameter.drawn_later(shape, dtype, lambda: kaiming_normal(shape, None, dtype))


def kaiming_uniform(
    shape: Sequence[int],
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
    *,
    gain: float = math.sqrt(2),
) -> np.ndarray:
    """He initialisation: uniform, with the standard deviation of `kaiming_normal`.

    Parameters, errors and reference are those of `kaiming_normal`.

    Examples
    --------
    >>> weight = kaiming_uniform((64, 6))
    >>> weight.shape, bool(abs(weight).max() <= 1)
    ((64, 6), True)
    """
    fan_in, _ = _fans("kaiming_uniform", shape)
    return _uniform("kaiming_uniform", shape, gain / math.sqrt(fan_in), rng, dtype)


def xavier_normal(
    shape: Sequence[int],
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
    *,
    gain: float = 1.0,
) -> np.ndarray:
    """Glorot initialisation: normal, with deviation gain * sqrt(2 / (fan_in + fan_out)).

    Parameters and errors are those of `kaiming_normal`, except that `gain` is 1: it suits sigmoid
    and linear layers; 5/3 is usual for tanh.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.

    Examples
    --------
    >>> weight = xavier_normal((64, 50, 1, 1), dtype=np.float64)
    >>> weight.shape, weight.dtype.name
    ((64, 50, 1, 1), 'float64')
    """
    deviation = gain * math.sqrt(2 / sum(_fans("xavier_normal", shape)))
    return _normal("xavier_normal", shape, deviation, rng, dtype)


def xavier_uniform(
    shape: Sequence[int],
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
    *,
    gain: float = 1.0,
) -> np.ndarray:
    """Glorot initialisation: uniform, with the standard deviation of `xavier_normal`.

    Parameters, errors and reference are those of `xavier_normal`.

    Examples
    --------
    >>> bool(abs(xavier_uniform((3, 3))).max() <= 1)
    True
    """
    deviation = gain * math.sqrt(2 / sum(_fans("xavier_uniform", shape)))
    return _uniform("xavier_uniform", shape, deviation, rng, dtype)


def _fans(function: str, shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(
            f"{function}: shape must be (out, in, ...) without empty dimensions, got {shape}"
        )
    taps = math.prod(shape[2:])
    return shape[1] * taps, shape[0] * taps


def _normal(
    function: str,
    shape: Sequence[int],
    deviation: float,
    rng: np.random.Generator | None,
    dtype: DTypeLike,
) -> np.ndarray:
    dtype = float_dtype(function, dtype)
    weight = np.random.default_rng(rng).standard_normal(tuple(shape), dtype)
    weight *= deviation
    return weight


def _uniform(
    function: str,
    shape: Sequence[int],
    deviation: float,
    rng: np.random.Generator | None,
    dtype: DTypeLike,
) -> np.ndarray:
    dtype = float_dtype(function, dtype)
    weight = np.random.default_rng(rng).random(tuple(shape), dtype)
    weight -= 0.5
    weight *= deviation * math.sqrt(12)  # an interval as wide as 1 has deviation 1 / sqrt(12)
    return weight
