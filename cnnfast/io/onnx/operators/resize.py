"""Resizing along any axes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from cnnfast.functional._resampling import Plan, adjoint
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.operators._arrays import as_axes, as_shape, is_float
from cnnfast.io.onnx.operators._inputs import input_or_attribute
from cnnfast.io.onnx.operators._sampling import (
    COORDINATES,
    NEAREST,
    Line,
    apply,
    interpolated,
    keys,
    nearest,
    triangle,
)
from cnnfast.io.onnx.registry import Placed, operator

POLICIES = {"stretch": None, "not_larger": min, "not_smaller": max}


#: Before opset 11 the standard did not say which element is the nearest. ONNX Runtime's rule.
OLD_ROUNDING = "floor, or ceil where it shrinks"


class Resize(Operation):
    """Interpolation, axis by axis.

    Parameters
    ----------
    mode : str
        "nearest", "linear" or "cubic".
    coordinates, rounding : str
        Where an element lies in the input, one of `COORDINATES`, and which is then the nearest,
        one of `NEAREST` or `OLD_ROUNDING`.
    axes : list of int, optional
        Those that the inputs speak of; all by default.
    policy : str
        What becomes of the sizes where they change the aspect ratio, one of `POLICIES`.
    cubic : float
        The coefficient of Keys's kernel.
    outside : float
        The value there for "tf_crop_and_resize".
    exclude_outside, antialias : bool
        Let nothing outside count; stretch the kernel where the result is smaller.
    """

    def __init__(
        self,
        mode: str,
        coordinates: str,
        rounding: str,
        axes: list[int] | None = None,
        policy: str = "stretch",
        cubic: float = -0.75,
        outside: float = 0.0,
        exclude_outside: bool = False,
        antialias: bool = False,
    ) -> None:
        self.mode, self.coordinates, self.rounding = mode, coordinates, rounding
        self.axes, self.policy, self.cubic, self.outside = axes, policy, cubic, outside
        self.exclude_outside, self.antialias = exclude_outside, antialias

    def __call__(
        self,
        x: np.ndarray,
        region: np.ndarray | None = None,
        scales: np.ndarray | None = None,
        sizes: np.ndarray | None = None,
    ) -> np.ndarray:
        lines = self._lines(x, region, scales, sizes)
        shape = list(x.shape)
        for axis, line in lines.items():
            shape[axis] = line.out
        as_shape("Resize", shape)
        y = x if self.mode == "nearest" or is_float(x) else x.astype(np.float64)
        y = apply(self._plans(lines, y.dtype), y)
        for place in self._outside(lines):
            y[place] = self.outside
        if y.dtype != x.dtype:
            limits = np.iinfo(x.dtype)
            y = np.clip(np.rint(y), limits.min, limits.max).astype(x.dtype)
        return y

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        lines = self._lines(*inputs)
        outside = list(self._outside(lines))
        if outside:
            grad = grad.copy()
        for place in outside:
            grad[place] = 0
        plans = self._plans(lines, grad.dtype)
        back = {axis: adjoint(plan, lines[axis].size) for axis, plan in plans.items()}
        return apply(back, grad), *(None for _ in inputs[1:])

    # ------------------------------------------------------------------ what the inputs say

    def _lines(
        self,
        x: np.ndarray,
        region: np.ndarray | None = None,
        scales: np.ndarray | None = None,
        sizes: np.ndarray | None = None,
    ) -> dict[int, Line]:
        """What becomes of each axis that does not stay as it is."""
        axes = range(x.ndim) if self.axes is None else as_axes(self.axes, x.ndim)
        before = [x.shape[axis] for axis in axes]
        starts, ends = self._region(region, len(before))
        if scales is not None and scales.size:
            factors = list(np.asarray(_numbers("scales", scales, before), np.float32))
            parts = np.subtract(ends, starts, dtype=np.float32)
            # In float32, as the scales are: 10 times 0.7 is 7 there, and less in float64.
            lengths = (np.asarray(before, np.float32) * parts * scales).tolist()
            after = [math.floor(length) for length in lengths]
        elif sizes is not None and sizes.size:
            factors, after = self._fitted(before, _numbers("sizes", sizes, before))
            lengths = [size * factor for size, factor in zip(before, factors, strict=True)]
        else:
            raise ValueError("Resize: there must be scales or sizes")
        lines = map(Line, before, after, lengths, factors, starts, ends)
        return {
            axis: line
            for axis, line in zip(axes, lines, strict=True)
            if not line.stays and (line.size or line.out)
        }

    def _region(self, region: np.ndarray | None, count: int) -> tuple[list, list]:
        if self.coordinates != "tf_crop_and_resize":
            return [0.0] * count, [1.0] * count
        if region is None or region.size != 2 * count or not np.isfinite(region).all():
            raise ValueError(f"Resize: roi must be {2 * count} numbers, got {region}")
        starts, ends = region.reshape(2, -1).tolist()
        return starts, ends

    def _fitted(self, before: list[int], wanted: list[int]) -> tuple[list[float], list[int]]:
        """Scales and sizes, by the policy."""
        factors = [out / size if size else 1.0 for out, size in zip(wanted, before, strict=True)]
        choose = POLICIES[self.policy]
        if choose is None:
            return factors, wanted
        factor = choose(factors)
        return [factor] * len(before), [math.floor(factor * size + 0.5) for size in before]

    def _places(self, line: Line) -> np.ndarray:
        # What is nearest is decided in float32 if scales are given: there 1.5 / 0.6 is 2.5, while
        # in float64 0.6 has become another number.
        dtype = np.result_type(line.scale) if self.mode == "nearest" else np.float64
        return COORDINATES[self.coordinates](line, np.arange(line.out, dtype=dtype))

    def _plans(self, lines: dict[int, Line], dtype: np.dtype) -> dict[int, Plan]:
        return {axis: self._plan(line, dtype) for axis, line in lines.items()}

    def _plan(self, line: Line, dtype: np.dtype) -> Plan:
        if line.size == 0:
            raise ValueError(f"Resize: an empty axis cannot have {line.out} elements")
        # Further outside there is only the edge.
        place = np.clip(self._places(line), -line.size, 2 * line.size)
        if self.mode == "nearest":
            rounding = self.rounding
            if rounding == OLD_ROUNDING:
                rounding = "floor" if line.scale >= 1 else "ceil"
            return nearest(place, line.size, rounding, dtype)
        stretch = max(1.0, 1 / line.scale) if self.antialias else 1.0

        def kernel(distance: np.ndarray) -> np.ndarray:
            if self.mode == "linear":
                return triangle(distance / stretch)
            return keys(distance / stretch, self.cubic)

        radius = stretch if self.mode == "linear" else 2 * stretch
        return interpolated(place, line.size, kernel, radius, self.exclude_outside, dtype)

    def _outside(self, lines: dict[int, Line]) -> Iterator[tuple]:
        """The parts of the result that lie outside the input, and are not interpolated."""
        if self.coordinates == "tf_crop_and_resize":
            for axis, line in lines.items():
                place = self._places(line)
                beyond = (place < 0) | (place > line.size - 1)
                if beyond.any():
                    yield *(slice(None),) * axis, beyond

    def extra_repr(self) -> str:
        return f"{self.mode}, coordinates={self.coordinates}"


def _numbers(name: str, given: np.ndarray, before: list[int]) -> list:
    """The scales or sizes, checked; an empty axis stays so."""
    if (
        given.shape != (len(before),)
        or not np.isfinite(given).all()
        or not ((given > 0) | ((given == 0) & np.equal(before, 0))).all()
    ):
        raise ValueError(
            f"Resize: {name} must be {len(before)} positive numbers, got {given.tolist()}"
        )
    return given.tolist()


@operator("Resize", kernels=True)
def resize(node: OnnxNode) -> Placed:
    if node.version < 11:
        return upsample(node)
    mode, rounding = node.attribute("mode"), node.attribute("nearest_mode")
    coordinates = node.attribute("coordinate_transformation_mode")
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    for value, known in (
        (mode, ("nearest", "linear", "cubic")),
        (rounding, NEAREST),
        (coordinates, COORDINATES),
        (policy, POLICIES),
    ):
        if value not in known:
            raise node.unsupported(value)
    module = Resize(
        mode,
        coordinates,
        rounding,
        node.attribute("axes"),
        policy,
        node.attribute("cubic_coeff_a"),
        node.attribute("extrapolation_value"),
        bool(node.attribute("exclude_outside")),
        bool(node.attribute("antialias", 0)),
    )
    return module, node.inputs


@operator("Upsample", kernels=True)
def upsample(node: OnnxNode) -> Placed:
    """Also what Resize was in opset 10."""
    mode = {"bilinear": "linear"}.get(node.attribute("mode"), node.attribute("mode"))
    if mode not in ("nearest", "linear"):
        raise node.unsupported(mode)
    module = Resize(mode, "asymmetric", OLD_ROUNDING)
    if node.version == 1:
        factors = [1, 1, node.attribute("height_scale"), node.attribute("width_scale")]
        return module, (node.inputs[0], None, node.define("scales", factors, np.float32))
    return module, (node.inputs[0], None, input_or_attribute(node, 1, "scales", np.float32))
