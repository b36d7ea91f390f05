"""What of a network changes by running it, as it is at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from cnnfast.nn.module import Module


class Moment:
    """The buffers and random generators of a module, as they are when this is made.

    Examples
    --------
    >>> from cnnfast.nn import Dropout
    >>> layer = Dropout()
    >>> before = Moment(layer)
    >>> first, _ = layer.forward(np.ones(100))
    >>> before.restore()
    >>> again, _ = layer.forward(np.ones(100))
    >>> np.array_equal(first, again)
    True
    """

    def __init__(self, module: Module) -> None:
        self._module = module
        owners = list(module.modules())
        values = (value for m in owners for value in vars(m).values())
        generators = {id(g): g for g in values if isinstance(g, np.random.Generator)}
        self._generators = [(g, g.bit_generator.state) for g in generators.values()]
        # Layers replace their buffers and do not write to them.
        self._buffers = [(m, name, getattr(m, name)) for m in owners for name in m._buffers]

    def restore(self) -> None:
        """Go back to that moment."""
        for generator, state in self._generators:
            generator.bit_generator.state = state
        for module, name, value in self._buffers:
            setattr(module, name, value)

    @contextmanager
    def back(self) -> Iterator[None]:
        """Go back to that moment, for the time of a ``with`` block."""
        now = Moment(self._module)
        self.restore()
        try:
            yield
        finally:
            now.restore()
