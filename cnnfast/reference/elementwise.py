"""One function of floats over a whole array."""

from collections.abc import Callable

import numpy as np


def elementwise(function: Callable[..., float], *arrays: np.ndarray) -> np.ndarray:
    """Apply a function of Python floats to every element, or to every pair of elements."""
    y = np.zeros(arrays[0].shape, arrays[0].dtype)
    for index in np.ndindex(y.shape):
        y[index] = function(*(float(array[index]) for array in arrays))
    return y
