"""The same elements in another shape or order, or repeated."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.operators._arrays import as_axes, as_shape, sum_to
from cnnfast.io.onnx.operators._inputs import input_or_attribute
from cnnfast.io.onnx.registry import Placed, operator


class Reshaping(Operation):
    """The elements in their order, in a shape that a subclass works out."""

    def shape(self, x: np.ndarray, *inputs: np.ndarray | None) -> tuple[int, ...]:
        raise NotImplementedError

    def __call__(self, x: np.ndarray, *inputs: np.ndarray | None) -> np.ndarray:
        return x.reshape(self.shape(x, *inputs))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return grad.reshape(inputs[0].shape), *(None for _ in inputs[1:])


class Reshape(Reshaping):
    """A given shape: -1 is what remains for a dimension, 0 what it was before.

    Parameters
    ----------
    allow_zero : bool
        Let 0 be 0.
    """

    def __init__(self, allow_zero: bool) -> None:
        self.allow_zero = allow_zero

    def shape(  # type: ignore[override]
        self, x: np.ndarray, wanted: np.ndarray
    ) -> tuple[int, ...]:
        sizes = [int(size) for size in wanted]
        kept = () if self.allow_zero else [i for i, size in enumerate(sizes) if size == 0]
        if max(kept, default=0) >= max(x.ndim, 1) or sizes.count(-1) > 1 or min([*sizes, 0]) < -1:
            raise ValueError(f"Reshape: {sizes} is no shape for one of {x.shape}")
        for axis in kept:
            sizes[axis] = x.shape[axis]
        if -1 in sizes:
            # What is kept counts on neither side, so that a batch may be empty.
            rest = math.prod(size for i, size in enumerate(x.shape) if i not in kept)
            known = math.prod(s for i, s in enumerate(sizes) if i not in kept and s != -1)
            sizes[sizes.index(-1)] = rest // known if known else -1
        return tuple(sizes)


class Flatten(Reshaping):
    """A matrix: the dimensions before an axis, and those from it on.

    Parameters
    ----------
    axis : int
    """

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def shape(self, x: np.ndarray, *inputs: np.ndarray | None) -> tuple[int, ...]:
        axis = self.axis + x.ndim if self.axis < 0 else self.axis
        if not 0 <= axis <= x.ndim:
            raise ValueError(f"Flatten: axis {self.axis} must lie in shape {x.shape}")
        return math.prod(x.shape[:axis]), math.prod(x.shape[axis:])


class Squeeze(Reshaping):
    """Without some dimensions of 1, or without any."""

    def shape(  # type: ignore[override]
        self, x: np.ndarray, axes: np.ndarray | None = None
    ) -> tuple[int, ...]:
        if axes is None:
            return tuple(size for size in x.shape if size != 1)
        gone = as_axes(axes.ravel(), x.ndim)
        if any(x.shape[axis] != 1 for axis in gone):
            raise ValueError(f"Squeeze: axes {gone} of shape {x.shape} must be 1")
        return tuple(size for axis, size in enumerate(x.shape) if axis not in gone)


class Unsqueeze(Reshaping):
    """With dimensions of 1 at places that count in the result."""

    def shape(self, x: np.ndarray, axes: np.ndarray) -> tuple[int, ...]:  # type: ignore[override]
        ndim = x.ndim + axes.size
        new, sizes = as_axes(axes.ravel(), ndim), iter(x.shape)
        return tuple(1 if axis in new else next(sizes) for axis in range(ndim))


class Transpose(Operation):
    """The axes in another order: reversed, if none is given. A view.

    Parameters
    ----------
    order : list of int, optional
    """

    def __init__(self, order: list[int] | None) -> None:
        self.order = order

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(self.order)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return (grad.transpose(None if self.order is None else np.argsort(self.order)),)

    def extra_repr(self) -> str:
        return f"order={self.order}"


class Expand(Operation):
    """Repeated along dimensions of 1, up to a shape that broadcasting joins with its own."""

    def __call__(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:  # type: ignore[override]
        joined = np.broadcast_shapes(x.shape, as_shape("Expand", shape))
        return np.broadcast_to(x, as_shape("Expand", joined)).copy()

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return sum_to(grad, inputs[0].shape), None


class Tile(Operation):
    """Copies beside each other: so many along each axis, or along one."""

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, repeats: np.ndarray, axis: np.ndarray | None = None
    ) -> np.ndarray:
        repeats = self._along_all(x, repeats, axis)
        as_shape("Tile", repeats)
        as_shape("Tile", [size * int(n) for size, n in zip(x.shape, repeats, strict=True)])
        return np.tile(x, repeats)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        x = inputs[0]
        pairs = zip(self._along_all(*inputs), x.shape, strict=True)
        copies = grad.reshape([size for pair in pairs for size in pair])
        gx = copies.sum(axis=tuple(range(0, 2 * x.ndim, 2)))
        return np.asarray(gx), *(None for _ in inputs[1:])

    def _along_all(
        self, x: np.ndarray, repeats: np.ndarray, axis: np.ndarray | None = None
    ) -> np.ndarray:
        if axis is None:
            return repeats
        every = np.ones(x.ndim, np.int64)
        every[as_axes(axis.ravel(), x.ndim)[0]] = repeats.item()
        return every


class Blocks(Operation):
    """Channels to blocks of pixels, or blocks of pixels to channels.

    Parameters
    ----------
    size : int
        Of a block, along both axes.
    column_first : bool
        Whether neighbouring channels belong to one block (mode CRD), or blocks' pixels to
        neighbouring runs of channels (DCR).
    to_space : bool
    """

    def __init__(self, size: int, column_first: bool, to_space: bool) -> None:
        self.size, self.column_first, self.to_space = size, column_first, to_space

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._moved(x, self.to_space)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return (self._moved(grad, not self.to_space),)

    def _moved(self, x: np.ndarray, to_space: bool) -> np.ndarray:
        (n, c, h, w), b = x.shape, self.size
        if to_space and c % (b * b) == 0:
            if self.column_first:
                blocks = x.reshape(n, c // (b * b), b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
            else:
                blocks = x.reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
            return blocks.reshape(n, c // (b * b), h * b, w * b)
        if not to_space and h % b == 0 and w % b == 0:
            order = (0, 1, 3, 5, 2, 4) if self.column_first else (0, 3, 5, 1, 2, 4)
            blocks = x.reshape(n, c, h // b, b, w // b, b).transpose(order)
            return blocks.reshape(n, c * b * b, h // b, w // b)
        raise ValueError(f"shape {x.shape} is not divisible into blocks of {b} x {b}")

    def extra_repr(self) -> str:
        return f"{self.size}, column_first={self.column_first}, to_space={self.to_space}"


@operator("Reshape")
def reshape(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    shape = input_or_attribute(node, 1, "shape")
    return Reshape(bool(node.attribute("allowzero", 0))), (node.inputs[0], shape)


@operator("Flatten")
def flatten(node: OnnxNode) -> Placed:
    return Flatten(node.attribute("axis")), node.inputs


@operator("Squeeze", "Unsqueeze")
def squeeze(node: OnnxNode) -> Placed:
    module = Squeeze() if node.type == "Squeeze" else Unsqueeze()
    return module, (node.inputs[0], input_or_attribute(node, 1, "axes"))


@operator("Transpose")
def transpose(node: OnnxNode) -> Placed:
    return Transpose(node.attribute("perm")), node.inputs


@operator("Expand")
def expand(node: OnnxNode) -> Placed:
    return Expand(), node.inputs


@operator("Tile")
def tile(node: OnnxNode) -> Placed:
    return Tile(), node.inputs


@operator("DepthToSpace", "SpaceToDepth")
def blocks(node: OnnxNode) -> Placed:
    mode, size = node.attribute("mode", "DCR"), node.attribute("blocksize")
    if mode not in ("DCR", "CRD") or size < 1:
        raise ValueError(f"mode {mode!r}, blocksize {size} make no blocks")
    return Blocks(size, mode == "CRD", node.type == "DepthToSpace"), node.inputs
