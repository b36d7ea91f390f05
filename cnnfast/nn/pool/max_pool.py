"""Max pooling layers over one, two and three axes, and their partial inverse."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.functional._pool import passes
from cnnfast.functional._pool.arguments import matching_grad
from cnnfast.functional._pool.indices import index_route
from cnnfast.functional._window import Numbers, Pair, Sides, window
from cnnfast.functional.max_unpool import max_unpool2d, max_unpool2d_backward, unpooled_size
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import LARGE_IMAGE, LARGE_INPUT, Module
from cnnfast.nn.pool._describe import describe


class _MaxPool(Module):
    """Max pooling over any number of axes."""

    axes: int

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Sides = 0,
        dilation: Numbers = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
        *,
        strict: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode
        self.strict = strict
        geometry = (kernel_size, self.stride, padding, dilation)
        window(type(self).__name__, LARGE_INPUT[self.axes], *geometry, pooling=True)

    def _arguments(self) -> dict[str, Any]:
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "strict")
        return {name: getattr(self, name) for name in names}

    def __call__(self, x: np.ndarray) -> Any:
        name, indices = f"max_pool{self.axes}d", self.return_indices
        return passes.max_pool(name, self.axes, x, return_indices=indices, **self._arguments())

    def forward(self, x: np.ndarray) -> tuple[Any, Backward]:
        name = f"max_pool{self.axes}d"
        if not self.return_indices:
            y, route = passes.max_pool_routed(name, self.axes, x, **self._arguments())
            return y, Backward.without_parameters(route)
        y, indices = self(x)
        route = index_route(f"{name}_backward", indices, x)
        return (y, indices), Backward.without_parameters(
            lambda grad: route(grad[0] if isinstance(grad, tuple) else grad)
        )

    def extra_repr(self) -> str:
        return describe(self, dilation=1, return_indices=False)


class MaxPool2d(_MaxPool):
    """Take the largest of each window; see `cnnfast.functional.max_pool2d`.

    ``forward`` keeps one byte per output: which tap of its window won. With `return_indices` the
    output is a pair of y and the indices, and the backward pass takes the gradient of y, or as
    from a `Graph` a pair of this and None.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, return_indices, ceil_mode, strict
        As `max_pool2d` takes them, in the order of torch's layer.

    Examples
    --------
    >>> MaxPool2d(2)(np.zeros((2, 6, 28, 28), np.float32)).shape
    (2, 6, 14, 14)
    """

    axes = 2


class MaxPool1d(_MaxPool):
    """Take the largest of each window of a sequence; see `cnnfast.functional.max_pool1d`.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, return_indices, ceil_mode, strict
        As for `MaxPool2d`, with one number for the window.

    Examples
    --------
    >>> MaxPool1d(2)(np.zeros((2, 6, 28), np.float32)).shape
    (2, 6, 14)
    """

    axes = 1


class MaxPool3d(_MaxPool):
    """Take the largest of each window of a volume; see `cnnfast.functional.max_pool3d`.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, return_indices, ceil_mode, strict
        As for `MaxPool2d`, with one number for the window or three, depth first.

    Examples
    --------
    >>> MaxPool3d((1, 2, 2))(np.zeros((2, 6, 8, 28, 28), np.float32)).shape
    (2, 6, 8, 14, 14)
    """

    axes = 3


class MaxUnpool2d(Module):
    """Put maxima back to where they were found; see `cnnfast.functional.max_unpool2d`.

    It takes two inputs, x and the indices of ``MaxPool2d(..., return_indices=True)``, and its
    backward pass returns the gradient of x and None.

    Parameters
    ----------
    kernel_size, stride, padding
        As `max_unpool2d` takes them. A call takes `output_size` as well.

    Examples
    --------
    >>> pool, unpool = MaxPool2d(2, return_indices=True), MaxUnpool2d(2)
    >>> y, indices = pool(np.zeros((2, 6, 29, 28), np.float32))
    >>> unpool(y, indices).shape, unpool(y, indices, output_size=(29, 28)).shape
    ((2, 6, 28, 28), (2, 6, 29, 28))
    """

    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        unpooled_size("MaxUnpool2d", LARGE_IMAGE, kernel_size, stride, padding, None)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, indices: np.ndarray, output_size: Pair | None = None
    ) -> np.ndarray:
        return max_unpool2d(x, indices, self.kernel_size, self.stride, self.padding, output_size)

    def forward(  # type: ignore[override]
        self, x: np.ndarray, indices: np.ndarray, output_size: Pair | None = None
    ) -> tuple[np.ndarray, Backward]:
        y = self(x, indices, output_size)
        shape, dtype = y.shape, y.dtype

        def run(grad: np.ndarray) -> tuple[np.ndarray, None]:
            grad = matching_grad("max_unpool2d_backward", grad, shape, dtype)
            return max_unpool2d_backward(grad, indices), None

        return y, Backward.without_parameters(run)

    def extra_repr(self) -> str:
        return describe(self)
