"""Trading time for memory: what a backward pass needs is computed again instead of kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cnnfast.nn.backward import Backward, check_versions
from cnnfast.nn.module import Module


def forward_recomputing(
    module: Module, learn: Callable[[bool], tuple[Any, Backward | None]]
) -> tuple[Any, Backward]:
    """Run ``learn(False)``, which keeps nothing, and before going back ``learn(True)``.

    The second run draws the random numbers of the first, and leaves statistics and generators as
    it finds them, so the gradients are the same to the bit.

    References
    ----------
    T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", 2016.
    """
    before = _Moment(module)
    versions = [(p, p.version) for p in module.parameters()]
    y, _ = learn(False)

    def run(grad: Any, input_grad: bool) -> Any:
        check_versions(versions)
        with before.back():
            _, backward = learn(True)
        assert backward is not None
        return backward(grad, input_grad)

    return y, Backward(run)


class _Moment:
    """The buffers and random generators of a module, as they are when this is made."""

    def __init__(self, module: Module) -> None:
        owners = list(module.modules())
        generators = (value for m in owners for value in vars(m).values())
        self._generators = {id(g): g for g in generators if isinstance(g, np.random.Generator)}
        # Layers replace their buffers and do not write to them.
        self._buffers = [(m, name, getattr(m, name)) for m in owners for name in m._buffers]
        self._states = self._current_states()

    def _current_states(self) -> list[Any]:
        return [g.bit_generator.state for g in self._generators.values()]

    def _set_states(self, states: list[Any]) -> None:
        for generator, state in zip(self._generators.values(), states, strict=True):
            generator.bit_generator.state = state

    @contextmanager
    def back(self) -> Iterator[None]:
        """Go back to that moment, for the time of a ``with`` block."""
        now = [(m, name, getattr(m, name)) for m, name, _ in self._buffers]
        states = self._current_states()
        self._set_states(self._states)
        for m, name, value in self._buffers:
            setattr(m, name, value)
        try:
            yield
        finally:
            self._set_states(states)
            for m, name, value in now:
                setattr(m, name, value)
