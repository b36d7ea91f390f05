"""Resizing layer."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._memory import maker_like
from cnnfast.functional._window import Pair
from cnnfast.functional.resize import Scale, check_request, interpolate, interpolate_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class Upsample(Module):
    """Enlarge (or shrink) images; see `cnnfast.functional.interpolate`.

    Parameters
    ----------
    size, scale_factor, mode, align_corners
        As `interpolate` takes them.

    Examples
    --------
    >>> Upsample(scale_factor=2)(np.zeros((2, 6, 14, 14), np.float32)).shape
    (2, 6, 28, 28)
    """

    def __init__(
        self,
        size: Pair | None = None,
        scale_factor: Scale | None = None,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        check_request("Upsample", size, scale_factor, mode, align_corners)
        self.size = size
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners

    def _arguments(self) -> tuple:
        return self.size, self.scale_factor, self.mode, self.align_corners

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return interpolate(x, *self._arguments())

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, like, arguments = self(x), maker_like(x), self._arguments()
        return y, Backward.without_parameters(
            lambda grad: interpolate_backward(grad, like(), *arguments)
        )

    def extra_repr(self) -> str:
        what = "scale_factor" if self.size is None else "size"
        aligned = ", align_corners=True" if self.align_corners else ""
        return f"{what}={getattr(self, what)}, mode={self.mode!r}{aligned}"
