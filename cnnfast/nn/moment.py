"""What of a network changes by running it, as it is at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from cnnfast.nn.module import Module


def named_generators(module: Module) -> Iterator[tuple[str, np.random.Generator]]:
    """Go through the random generators of a module and all below, each once."""
    seen: set[int] = set()
    for path, owner in module.named_modules():
        for name, value in vars(owner).items():
            if isinstance(value, np.random.Generator) and id(value) not in seen:
                seen.add(id(value))
                yield f"{path}.{name}" if path else name, value


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
        self._generators = [(g, g.bit_generator.state) for _, g in named_generators(module)]
        # Layers replace their buffers and do not write to them.
        self._buffers = [
            (m, name, getattr(m, name)) for m in module.modules() for name in m._buffers
        ]

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
