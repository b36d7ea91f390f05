"""What ``layer.forward`` returns beside its output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

import numpy as np

from cnnfast.nn.parameter import Parameter


class Backward:
    """The backward pass of one call of ``forward``: runs once and frees what it held.

    ``backward(grad)`` takes the gradient of the output, adds to the gradients of the parameters
    and returns the gradient of the input. ``backward(grad, input_grad=False)`` returns None, and
    leaves out the work that only the input's gradient needs.

    Parameters
    ----------
    run : callable
        ``run(grad, input_grad)`` does all that. Everything it needs lives in its closure. For most
        layers one of the two class methods writes it.

    Raises
    ------
    RuntimeError
        When called again.
    """

    __slots__ = ("_pending",)

    def __init__(self, run: Callable[[Any, bool], Any]) -> None:
        self._pending = [run]

    @overload
    def __call__(self, grad: np.ndarray, input_grad: Literal[True] = ...) -> np.ndarray: ...
    @overload
    def __call__(self, grad: np.ndarray, input_grad: bool) -> np.ndarray | None: ...
    def __call__(self, grad: np.ndarray, input_grad: bool = True) -> np.ndarray | None:
        try:
            run = self._pending.pop()  # atomic: of two threads, one gets it
        except IndexError:
            raise RuntimeError(
                "backward: this backward pass has already run and has freed what it needed; "
                "call forward again to get another"
            ) from None
        return run(grad, input_grad)

    @classmethod
    def without_parameters(cls, run: Callable[[np.ndarray], Any]) -> Backward:
        """For a layer that has none: ``run(grad)`` returns the input's gradient.

        A layer with several inputs returns a tuple of theirs, None for what has none.
        """
        return cls(lambda grad, input_grad: run(grad) if input_grad else None)

    @classmethod
    def with_parameters(
        cls,
        run: Callable[[np.ndarray, tuple[str, ...]], Iterable[Any]],
        **parameters: Parameter | None,
    ) -> Backward:
        """For a layer with parameters, by the names that its functional backward pass uses.

        ``run(grad, needs)`` returns the gradients of x and of each of `parameters`, in that order.
        `needs` names those that are wanted; the others may be None.
        """
        versions = [(p, p.version) for p in parameters.values() if p is not None]

        def run_and_accumulate(grad: np.ndarray, input_grad: bool) -> np.ndarray | None:
            learning = {
                name: p for name, p in parameters.items() if p is not None and p.requires_grad
            }
            needs = ("x", *learning) if input_grad else tuple(learning)
            if not needs:
                return None
            if input_grad:
                check_versions(versions)
            gx, *gradients = run(grad, needs)
            for name, gradient in zip(parameters, gradients, strict=True):
                if name in learning:
                    learning[name].accumulate(gradient)
            return gx

        return cls(run_and_accumulate)


def check_versions(versions: Iterable[tuple[Parameter, int]]) -> None:
    """Raise RuntimeError if a parameter no longer has the version that it had."""
    if any(parameter.version != version for parameter, version in versions):
        raise RuntimeError(
            "backward: a parameter was changed between forward and backward, so the "
            "gradient would be wrong; call backward before the optimizer's step"
        )
