"""What is raced: one kernel on the arrays of one layer.

cnnfast.functional, cnnfast.cli.race.vectorised and cnnfast.reference name their functions alike
and take the same arguments, so a task is a function's name and its operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cnnfast.cli.race import vectorised
from cnnfast.functional import max_pool2d

CONVOLUTION_KERNELS = ("im2col", "col2im", "conv2d", "conv2d_backward")
POOL_KERNELS = ("max_pool2d", "max_pool2d_backward")
KERNELS = CONVOLUTION_KERNELS + POOL_KERNELS


@dataclass(frozen=True)
class Layer:
    """Shapes of a convolution, or (with no filters) of a max pool, on a batch (N, C, H, W)."""

    name: str
    n: int
    c: int
    h: int
    w: int
    r: int
    s: int
    k: int = 0
    stride: int = 1
    padding: int = 0
    groups: int = 1
    ceil_mode: bool = False

    @property
    def image(self) -> tuple[int, int, int, int]:
        """Shape of the input."""
        return self.n, self.c, self.h, self.w

    @property
    def filters(self) -> tuple[int, int, int, int]:
        """Shape of the weight."""
        return self.k, self.c // self.groups, self.r, self.s

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self.r, self.s

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of the output."""
        return vectorised.output_sizes(
            (self.h, self.w), self.kernel_size, self.stride, self.padding, 1, self.ceil_mode
        )

    @property
    def kernels(self) -> tuple[str, ...]:
        """The kernels to measure on it: the columns of a 1x1 filter are the image itself."""
        if self.k == 0:
            return POOL_KERNELS
        return CONVOLUTION_KERNELS[2 if self.kernel_size == (1, 1) else 0 :]


class Task:
    """One kernel on one layer.

    Parameters
    ----------
    kernel : str
        Name of a function of `cnnfast.functional`.
    layer : Layer
    rng : numpy.random.Generator
        Where the operands' values come from.

    Attributes
    ----------
    operands : tuple
        The function's arguments; arrays are float32 and C-contiguous.
    """

    def __init__(self, kernel: str, layer: Layer, rng: np.random.Generator) -> None:
        self.kernel = kernel
        self.layer = layer
        self.operands = _operands(kernel, layer, rng)

    def __str__(self) -> str:
        return f"{self.kernel}, {self.layer.name}"

    def call(self, module: Any) -> Callable[[], Any]:
        """The task as done by a module that has the kernel under its name."""
        return partial(getattr(module, self.kernel), *self.operands)

    @property
    def is_convolution(self) -> bool:
        return self.kernel.startswith("conv2d")

    @property
    def depth(self) -> int:
        """Maps in the result: what the naive loops run over besides images and positions."""
        return self.layer.k if self.is_convolution else self.layer.c

    @property
    def cost(self) -> int:
        """Trips through the innermost of the naive loops for one position of one such map."""
        if self.is_convolution:
            return math.prod(self.layer.filters[1:])
        return 1 if self.kernel == "max_pool2d_backward" else self.layer.r * self.layer.s

    @property
    def steps(self) -> int:
        """Trips through the innermost of the naive loops in all."""
        return self.layer.n * self.depth * math.prod(self.layer.out) * self.cost

    @property
    def work(self) -> int:
        """Floating-point operations of a convolution; of others the bytes of operands and result.

        As usual for convolution, products with the padding's zeros count.
        """
        if self.is_convolution:
            return self.steps * (4 if self.kernel == "conv2d_backward" else 2)
        shape: tuple[int, ...] = self.layer.image
        if self.kernel == "im2col":
            shape = columns_shape(self.layer)
        elif self.kernel == "max_pool2d":
            shape = (*self.layer.image[:2], *self.layer.out)
        arrays = (operand for operand in self.operands if isinstance(operand, np.ndarray))
        return 4 * math.prod(shape) + sum(array.nbytes for array in arrays)

    @property
    def unit(self) -> str:
        """The rate at which `work` is done, in units of a thousand million a second."""
        return "GFLOP/s" if self.is_convolution else "GB/s"

    def slice(self, steps: float) -> tuple[Layer, str]:
        """A part of the layer that takes about so many steps, and how much of it that is.

        Window, stride and the channels that a filter sees stay as they are: a step costs the same.
        """
        layer, (oh, ow) = self.layer, self.layer.out
        positions = max(1, int(steps / self.cost))
        side = min(max(1, math.isqrt(positions) // 2), oh, ow)
        depth = min(max(1, positions // side**2), self.depth // layer.groups)
        n = min(max(1, positions // (side**2 * depth)), layer.n)
        extent = (side - 1) * layer.stride - 2 * layer.padding
        part = replace(
            layer,
            n=n,
            h=min(max(1, extent + layer.r), layer.h),
            w=min(max(1, extent + layer.s), layer.w),
            c=layer.c // layer.groups if self.is_convolution else depth,
            k=depth if self.is_convolution else layer.k,
            groups=1,
        )
        maps = "filters" if self.is_convolution else "channels"
        return part, (
            f"{n} of {layer.n} images, {depth} of {self.depth} {maps}, "
            f"{part.out[0]}x{part.out[1]} of {oh}x{ow} positions"
        )


def columns_shape(layer: Layer) -> tuple[int, int, int]:
    """Shape of the columns of a layer's input."""
    return layer.n, layer.c * layer.r * layer.s, math.prod(layer.out)


def _operands(kernel: str, layer: Layer, rng: np.random.Generator) -> tuple:
    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    window = (layer.kernel_size, layer.stride, layer.padding)
    convolution = (layer.stride, layer.padding, 1, layer.groups)
    if kernel == "im2col":
        return normal(*layer.image), *window
    if kernel == "col2im":
        return normal(*columns_shape(layer)), (layer.h, layer.w), *window
    if kernel == "conv2d":
        return normal(*layer.image), normal(*layer.filters), normal(layer.k), *convolution
    if kernel == "conv2d_backward":
        grad = normal(layer.n, layer.k, *layer.out)
        return grad, normal(*layer.image), normal(*layer.filters), *convolution
    pool = (normal(*layer.image), *window, 1, layer.ceil_mode)
    if kernel == "max_pool2d":
        return pool
    y, indices = max_pool2d(*pool, return_indices=True)
    return normal(*y.shape), indices, layer.image
