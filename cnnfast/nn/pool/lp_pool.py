"""Norm pooling layer."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._window import Pair, window
from cnnfast.functional.lp_pool import lp_pool2d, lp_pool2d_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import LARGE_IMAGE, Module
from cnnfast.nn.pool._common import describe


class LPPool2d(Module):
    """Take the p-norm of each window; see `cnnfast.functional.lp_pool2d`.

    Parameters
    ----------
    norm_type, kernel_size, stride, ceil_mode, strict
        As `lp_pool2d` takes them; `norm_type` 2 is the notes' L2-norm pooling.

    Examples
    --------
    >>> LPPool2d(2, 2)(np.full((1, 1, 2, 2), 3.0)).tolist()
    [[[[6.0]]]]
    """

    def __init__(
        self,
        norm_type: float,
        kernel_size: Pair,
        stride: Pair | None = None,
        ceil_mode: bool = False,
        *,
        strict: bool = False,
    ) -> None:
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = ceil_mode
        self.strict = strict
        window("LPPool2d", LARGE_IMAGE, kernel_size, self.stride, pooling=True)

    def _arguments(self) -> tuple:
        return self.norm_type, self.kernel_size, self.stride, self.ceil_mode

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return lp_pool2d(x, *self._arguments(), strict=self.strict)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        arguments = self._arguments()
        return self(x), Backward.without_parameters(
            lambda grad: lp_pool2d_backward(grad, x, *arguments)
        )

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, {describe(self)}"
