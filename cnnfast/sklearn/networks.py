"""What network an estimator's `model` stands for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from cnnfast import models
from cnnfast.nn import Module

Shape: TypeAlias = tuple[int, ...]
Make: TypeAlias = Callable[[Shape, int, np.random.Generator], Module]

# Of the network for `model=None`: filters before the first pool, features before the scores.
CHANNELS, FEATURES = 16, 128


def network(
    model: str | Make | None,
    input_shape: Shape,
    n_outputs: int,
    rng: np.random.Generator,
    dtype: DTypeLike,
) -> Module:
    """Make the network that `model` stands for, with fresh weights.

    Parameters
    ----------
    model : str, callable or None
        As `CNNClassifier` takes it.
    input_shape : (C, H, W) or (features,)
    n_outputs : int
    rng : numpy.random.Generator
        Where the weights come from.
    dtype : float32 or float64
        Of the parameters, unless a callable makes them.

    Raises
    ------
    TypeError, ValueError
        `model` is none of these, or makes no network for such an input.

    Examples
    --------
    >>> network(None, (64,), 3, np.random.default_rng(0), np.float32).head
    Linear(128, 3)
    """
    if callable(model) and not isinstance(model, Module):
        made = model(input_shape, n_outputs, rng)
        if not isinstance(made, Module):
            raise TypeError(f"model must make a Module, but the callable gave {made!r}")
        return made
    if model is None:
        c, h, w = _as_image(input_shape)
        return models.from_pattern(
            default_pattern(input_shape),
            (c, h, w),
            n_outputs,
            channels=CHANNELS,
            fc_features=FEATURES,
            rng=rng,
            dtype=dtype,
        )
    if not isinstance(model, str):
        raise TypeError(
            "model must be the name of a network, a pattern, or a function of (input_shape, "
            f"n_outputs, rng) that makes a Module, got {type(model).__name__}"
        )
    if model in models.NAMES:
        _check_images(model, input_shape)
        make = getattr(models, model)
        return make(num_classes=n_outputs, in_channels=input_shape[0], rng=rng, dtype=dtype)
    if "->" not in model:
        raise ValueError(
            f"model must be a pattern such as 'INPUT -> CONV -> RELU -> FC' or one of "
            f"{', '.join(models.NAMES)}, got {model!r}"
        )
    if "CONV" in model or "POOL" in model:
        _check_images(model, input_shape)
    return models.from_pattern(model, _as_image(input_shape), n_outputs, rng=rng, dtype=dtype)


def default_pattern(input_shape: Shape) -> str:
    """Give the pattern of the network for `model=None`.

    For images it is the notes' ``[[CONV -> RELU]*2 -> POOL]``, as often as leaves a map of 4 to 7
    pixels on its shorter side; for rows it is one hidden layer.

    Examples
    --------
    >>> default_pattern((64,))
    'INPUT -> FC -> RELU -> FC'
    >>> default_pattern((3, 32, 32))
    'INPUT -> [[CONV -> RELU]*2 -> POOL]*3 -> FC -> RELU -> FC'
    """
    if len(input_shape) == 1:
        return "INPUT -> FC -> RELU -> FC"
    side = min(input_shape[1:])
    if side < 2:  # nothing to pool
        return "INPUT -> [CONV -> RELU]*2 -> FC -> RELU -> FC"
    pools = max(1, int(math.log2(side / 4)))
    return f"INPUT -> [[CONV -> RELU]*2 -> POOL]*{pools} -> FC -> RELU -> FC"


def _as_image(input_shape: Shape) -> Shape:
    """Take features for the channels of a single pixel, which `Flatten` leaves as they are."""
    return input_shape if len(input_shape) == 3 else (*input_shape, 1, 1)


def _check_images(model: str, input_shape: Shape) -> None:
    if len(input_shape) != 3:
        raise ValueError(
            f"model {model!r} takes images, but X has rows of {input_shape[0]} features; pass "
            "input_shape=(C, H, W), the shape of the image that a row holds"
        )
