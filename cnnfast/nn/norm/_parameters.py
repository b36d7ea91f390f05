"""The scale and the shift that normalisations may have."""

from __future__ import annotations

import numpy as np

from cnnfast.nn.parameter import Parameter


def vectors(
    shape: tuple[int, ...], weight: bool, bias: bool, dtype: np.dtype
) -> tuple[Parameter | None, Parameter | None]:
    """Scale and shift, as far as there are any: 1 and 0."""
    return (
        Parameter(np.ones(shape, dtype)) if weight else None,
        Parameter(np.zeros(shape, dtype)) if bias else None,
    )


def data(parameter: Parameter | None) -> np.ndarray | None:
    return None if parameter is None else parameter.data
