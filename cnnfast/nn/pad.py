"""Padding layers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast.functional._memory import maker_like
from cnnfast.functional.pad import Padding, check_request, pad, pad_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class _Pad2d(Module):
    """Padding in one of the modes of `cnnfast.functional.pad`."""

    mode: ClassVar[str]

    def __init__(self, padding: Padding) -> None:
        check_request(type(self).__name__, padding, self.mode)
        self.padding = padding

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return pad(x, self.padding, self.mode)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, like, padding, mode = self(x), maker_like(x), self.padding, self.mode
        return y, Backward.without_parameters(
            lambda grad: pad_backward(grad, like(), padding, mode)
        )

    def extra_repr(self) -> str:
        return f"padding={self.padding}"


class ConstantPad2d(_Pad2d):
    """Surround images with a constant; see `cnnfast.functional.pad`.

    Parameters
    ----------
    padding : int, (left, right, top, bottom) or ((top, bottom), (left, right))
    value : float

    Examples
    --------
    >>> ConstantPad2d((1, 0, 0, 0), 5.0)(np.ones((1, 1, 1, 2))).ravel()
    array([5., 1., 1.])
    """

    mode = "constant"

    def __init__(self, padding: Padding, value: float) -> None:
        check_request("ConstantPad2d", padding, self.mode, value)
        self.padding = padding
        self.value = value

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad2d(_Pad2d):
    """Surround images with zeros; see `cnnfast.functional.pad`.

    Parameters
    ----------
    padding : int, (left, right, top, bottom) or ((top, bottom), (left, right))

    Examples
    --------
    >>> ZeroPad2d(1)(np.ones((1, 1, 1, 1)))[0, 0]
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 0.]])
    """

    mode = "constant"


class ReflectionPad2d(_Pad2d):
    """Surround images with their mirror image; see `cnnfast.functional.pad`.

    Parameters
    ----------
    padding : int, (left, right, top, bottom) or ((top, bottom), (left, right))

    Examples
    --------
    >>> ReflectionPad2d((2, 0, 0, 0))(np.array([[[[1.0, 2.0, 3.0]]]])).ravel()
    array([3., 2., 1., 2., 3.])
    """

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """Surround images with copies of their border; see `cnnfast.functional.pad`.

    Parameters
    ----------
    padding : int, (left, right, top, bottom) or ((top, bottom), (left, right))

    Examples
    --------
    >>> ReplicationPad2d((2, 0, 0, 0))(np.array([[[[1.0, 2.0, 3.0]]]])).ravel()
    array([1., 1., 1., 2., 3.])
    """

    mode = "replicate"
