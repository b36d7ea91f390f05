"""Images to run a network on, for what does not depend on what they show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast.nn import Module
from cnnfast.nn.trace import trace


def random_images(
    function: str, model: Module, input_shapes: Sequence[Sequence[int]], batch_size: int = 1
) -> list[np.ndarray]:
    """Make a batch for each input of a model, of its dtype; the same numbers every time.

    Raises
    ------
    ValueError
        There is not one shape (C, H, W) for each input.

    Examples
    --------
    >>> from cnnfast.nn import Linear
    >>> [x] = random_images("summary", Linear(4, 2), [(4,)], batch_size=8)
    >>> x.shape, x.dtype
    ((8, 4), dtype('float32'))
    """
    inputs = trace(model).inputs
    if len(input_shapes) != len(inputs):
        raise ValueError(
            f"{function}: the model takes {len(inputs)} inputs ({', '.join(inputs)}), "
            f"got {len(input_shapes)} shapes"
        )
    dtype = next((p.dtype for p in model.parameters()), np.float32)
    # No zeros: of them a pool, say, would make the same in another shape.
    rng = np.random.default_rng(0)
    return [rng.standard_normal((batch_size, *shape)).astype(dtype) for shape in input_shapes]
