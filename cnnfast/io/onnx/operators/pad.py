"""Padding, and cropping by negative padding."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from cnnfast.functional._resampling import Plan, adjoint, gather
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.operators._arrays import as_axes, as_shape
from cnnfast.io.onnx.operators._inputs import input_or_attribute
from cnnfast.io.onnx.operators._sampling import apply
from cnnfast.io.onnx.registry import Placed, operator

Mode = Literal["constant", "edge", "reflect", "wrap"]


class Pad(Operation):
    """More elements before and behind, along each axis; fewer where the number is negative.

    Parameters
    ----------
    mode : str
        "constant", or what NumPy's pad means by "edge", "reflect" and "wrap".
    """

    def __init__(self, mode: Mode) -> None:
        self.mode = mode

    def __call__(  # type: ignore[override]
        self,
        x: np.ndarray,
        pads: np.ndarray,
        value: np.ndarray | None = None,
        axes: np.ndarray | None = None,
    ) -> np.ndarray:
        widths = self._widths(x, pads, axes)
        shape = as_shape("Pad", [sum(pair) + n for pair, n in zip(widths, x.shape, strict=True)])
        if self.mode == "constant":
            y = np.full_like(x, 0 if value is None else value.item(), shape=shape)
            outer, inner = _overlap(x.shape, widths)
            y[outer] = x[inner]
            return y
        return apply(self._plans(x, widths), x)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        x, pads, *others = inputs
        widths = self._widths(x, pads, *others[1:])
        if self.mode == "constant":
            gx = np.zeros_like(x)
            outer, inner = _overlap(x.shape, widths)
            gx[inner] = grad[outer]
        else:
            plans = self._plans(x, widths)
            back = {axis: adjoint(plan, x.shape[axis]) for axis, plan in plans.items()}
            gx = apply(back, grad)
        return gx, None, *(None for _ in others)

    def _widths(
        self, x: np.ndarray, pads: np.ndarray, axes: np.ndarray | None = None
    ) -> list[tuple[int, int]]:
        along = range(x.ndim) if axes is None else as_axes(axes.ravel(), x.ndim)
        if pads.size != 2 * len(along):
            raise ValueError(f"Pad: {pads.size} numbers of padding for {len(along)} axes")
        widths = [(0, 0)] * x.ndim
        for axis, before, behind in zip(along, *pads.reshape(2, -1).tolist(), strict=True):
            if x.shape[axis] + min(before, 0) + min(behind, 0) < 0:
                raise ValueError(
                    f"Pad: {before} and {behind} take more from axis {axis} of shape {x.shape} "
                    "than it has"
                )
            widths[axis] = before, behind
        return widths

    def _plans(self, x: np.ndarray, widths: list[tuple[int, int]]) -> dict[int, Plan]:
        """For each axis that changes, which element of it goes where."""
        plans = {}
        for axis, (before, behind) in enumerate(widths):
            if before or behind:
                there = np.arange(max(-before, 0), x.shape[axis] + min(behind, 0))
                index = np.pad(there, (max(before, 0), max(behind, 0)), self.mode)
                plans[axis] = gather(index, x.dtype)
        return plans

    def extra_repr(self) -> str:
        return self.mode


def _overlap(shape: tuple[int, ...], widths: list[tuple[int, int]]) -> tuple[tuple, tuple]:
    """Where in the padded array what is left of the old one lies, and where in the old one."""
    outer, inner = [], []
    for size, (before, behind) in zip(shape, widths, strict=True):
        left = size + min(before, 0) + min(behind, 0)
        outer.append(slice(max(before, 0), max(before, 0) + left))
        inner.append(slice(max(-before, 0), max(-before, 0) + left))
    return tuple(outer), tuple(inner)


@operator("Pad", kernels=True)
def pad(node: OnnxNode) -> Placed:
    mode = node.attribute("mode")
    if mode not in get_args(Mode):
        raise node.unsupported(f"mode {mode!r}")
    pads = input_or_attribute(node, 1, "pads" if node.version > 1 else "paddings")
    value = input_or_attribute(node, 2, "value", np.float32)
    return Pad(mode), (node.inputs[0], pads, value, *node.inputs[3:])
