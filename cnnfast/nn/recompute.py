"""Trading time for memory: what a backward pass needs is computed again instead of kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnfast.nn.backward import Backward, check_versions
from cnnfast.nn.module import Module
from cnnfast.nn.moment import Moment


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
    before = Moment(module)
    versions = [(p, p.version) for p in module.parameters()]
    y, _ = learn(False)

    def run(grad: Any, input_grad: bool) -> Any:
        check_versions(versions)
        with before.back():
            _, backward = learn(True)
        assert backward is not None
        return backward(grad, input_grad)

    return y, Backward(run)
