"""Layers that share what is random and what is typed."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.nn import BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Linear


class Layers:
    """Makes the layers of one network: all random numbers from one generator, one dtype.

    Parameters
    ----------
    rng : numpy.random.Generator, optional
        None makes a fresh one.
    dtype : float32 or float64

    Examples
    --------
    >>> make = Layers(np.random.default_rng(0), np.float64)
    >>> make.conv(3, 8, 3).weight.dtype.name, make.norm(8).running_var.dtype.name
    ('float64', 'float64')
    """

    def __init__(self, rng: np.random.Generator | None, dtype: DTypeLike) -> None:
        self.conv = partial(Conv2d, rng=rng, dtype=dtype)
        self.linear = partial(Linear, rng=rng, dtype=dtype)
        self.norm = partial(BatchNorm2d, dtype=dtype)
        self.feature_norm = partial(BatchNorm1d, dtype=dtype)
        self.dropout = partial(Dropout, rng=rng)
