"""Where NaN and infinity came from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast.nn import Module
from cnnfast.nn.moment import Moment
from cnnfast.nn.node import named, schedule, take
from cnnfast.nn.trace import trace


def spoilt_gradient(model: Module) -> str:
    """Name the first parameter whose gradient is not finite; empty if there is none."""
    with np.errstate(all="ignore"):
        for name, parameter in model.named_parameters():
            # NaN and infinity stay in a sum, which is faster than a test of each element.
            if parameter.grad is not None and not math.isfinite(
                np.add.reduce(parameter.grad, None)
            ):
                return f"the gradient of {name} is not finite"
    return ""


def blame(model: Module, images: np.ndarray, before: Moment) -> str:
    """Say what was the first that was not finite in a step that ended so.

    The step's forward pass runs again, layer by layer, from the moment `before` it, which is also
    where the model's statistics and random generators are left.
    """
    before.restore()
    with np.errstate(all="ignore"):
        found = _first(model, images)
    before.restore()
    return f", first of all {found}" if found else ""


def _first(model: Module, images: np.ndarray) -> str:
    for name, array in model.state_dict().items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"{name}, before the step"
    if not np.isfinite(images).all():
        return "the images of the batch"
    traced = trace(model)
    if len(traced.inputs) != 1:
        return ""
    values: dict[str, Any] = {traced.inputs[0]: images}
    for call, done_with in schedule(traced.calls, traced.outputs):
        result, _ = call.module.forward(*take(values, call, done_with))
        given = named(call, result)
        for array in given.values():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                where = f" {call.name}" if call.name else ""
                return f"the output of layer{where} ({type(call.module).__name__})"
        values |= given
    return ""
