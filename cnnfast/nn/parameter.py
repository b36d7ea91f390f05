"""What a network learns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from cnnfast.functional._arguments import float_array, same_dtype, same_shape
from cnnfast.functional._memory import empty

T = TypeVar("T")


class Parameter:
    """An array that is learned, its gradient, and a count of its changes.

    Packed and transformed copies of a parameter are kept by its ``version``, so every change must
    raise it. Therefore ``data`` is read-only, and changes go through `assign`, `writable` or an
    optimizer. Copies (``copy``, ``pickle``) are independent and start without a gradient.

    Parameters
    ----------
    data : numpy.ndarray
        float32 or float64; copied.
    requires_grad : bool
        Whether it is to be learned. If not, no gradient is computed for it.

    Attributes
    ----------
    requires_grad : bool
    version : int
        Raised by every change of ``data``.
    on_gradient : callable or None
        Called with the parameter after each `accumulate`; who sums gradients over several processes
        sends them off then, while the rest of the backward pass runs.

    Examples
    --------
    >>> p = Parameter(np.zeros(3))
    >>> with p.writable() as w:
    ...     w[0] = 5.0
    >>> p.data.tolist(), p.version
    ([5.0, 0.0, 0.0], 1)
    """

    def __init__(self, data: np.ndarray, requires_grad: bool = True) -> None:
        data = float_array("Parameter", "data", data)
        self._allocate(data.shape, data.dtype)
        self._array[...] = data
        self._fill: Callable[[np.ndarray], object] | None = None
        self.requires_grad = requires_grad
        self.version = 0
        self.on_gradient: Callable[[Parameter], None] | None = None
        self._grad: np.ndarray | None = None
        self._lock = threading.Lock()
        self._packed: dict[Hashable, tuple[int, Any]] = {}
        self._writers = 0

    @classmethod
    def filled_later(
        cls, shape: tuple[int, ...], dtype: np.dtype, fill: Callable[[np.ndarray], object]
    ) -> Parameter:
        """Make one whose first values `fill` writes into it when somebody wants to know them.

        To draw those of a large network takes longer than to load what it has learned, which then
        takes their place.
        """
        parameter = cls(np.empty(0, dtype))
        parameter._allocate(shape, dtype)
        parameter._fill = fill
        return parameter

    def _filled(self) -> None:
        with self._lock:
            if self._fill is not None:
                self._fill(self._array)
                self._fill = None

    def _allocate(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Take memory of the parameter's own."""
        self._array = empty(shape, dtype)
        # A view of a writeable array could be made writeable again; one of a read-only
        # memoryview cannot.
        self._view = np.asarray(self._array.data.toreadonly())

    @property
    def data(self) -> np.ndarray:
        """The values: a read-only view, C-contiguous, that follows every change."""
        if self._fill is not None:
            self._filled()
        return self._view

    @property
    def shape(self) -> tuple[int, ...]:
        return self._view.shape

    @property
    def dtype(self) -> np.dtype:
        return self._view.dtype

    @property
    def size(self) -> int:
        return self._view.size

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient gathered so far, in the shape and dtype of ``data``; None before any."""
        return self._grad

    @grad.setter
    def grad(self, gradient: np.ndarray | None) -> None:
        self._grad = gradient if gradient is None else self._fitting("grad", gradient)

    def accumulate(self, gradient: np.ndarray) -> None:
        """Add `gradient` to ``grad``, from any thread.

        The first one is taken over, not copied, and later ones are added to it in place, so pass
        an array that nobody else uses.
        """
        gradient = self._fitting("accumulate", gradient)
        with self._lock:
            if self._grad is None:
                self._grad = gradient
            else:
                self._grad += gradient
        if self.on_gradient is not None:
            self.on_gradient(self)

    def assign(self, array: np.ndarray) -> None:
        """Set ``data`` to a copy of `array`, which must have its shape and dtype."""
        array = self._fitting("assign", array)
        with self._lock:
            self._fill = None
        with self.writable() as values:
            values[...] = array

    def packed(self, key: Hashable, pack: Callable[[], T]) -> T:
        """Give what `pack` makes of ``data``, made anew only when ``data`` has changed."""
        version = self.version
        packed_version, packed = self._packed.get(key, (None, None))
        if packed_version != version or self._writers:
            packed = pack()
            self._packed[key] = version, packed
        return cast(T, packed)

    def packed_to_learn(self, key: Hashable, pack: Callable[[], T]) -> T:
        """Give what `pack` makes of ``data``, and do not keep it if the next step changes that."""
        return pack() if self.requires_grad else self.packed(key, pack)

    @contextmanager
    def writable(self) -> Iterator[np.ndarray]:
        """Give a view to change the values through, inside a ``with`` block and not after it."""
        if self._fill is not None:
            self._filled()
        view = self._array.view()
        with self._lock:
            self._writers += 1
        try:
            yield view
        finally:
            view.flags.writeable = False
            with self._lock:
                self._writers -= 1
            self._changed()

    def _convert(self, dtype: np.dtype) -> None:
        values = self.data
        self._allocate(values.shape, dtype)
        self._array[...] = values
        self._changed()

    def _changed(self) -> None:
        with self._lock:
            self.version += 1
            self._packed.clear()

    def _fitting(self, method: str, array: np.ndarray) -> np.ndarray:
        array = float_array(f"Parameter.{method}", "the array", array)
        same_dtype(f"Parameter.{method}", "data", self._view, array=array)
        same_shape(f"Parameter.{method}", "the array", array, self.shape, "the shape of data")
        return array

    def __reduce__(self) -> tuple:
        return _restored, (type(self), self.data, self.requires_grad, self.version)

    def __repr__(self) -> str:
        frozen = "" if self.requires_grad else ", requires_grad=False"
        return f"Parameter(shape={self.shape}, dtype={self.dtype}{frozen})"


def _restored(
    kind: type[Parameter], data: np.ndarray, requires_grad: bool, version: int
) -> Parameter:
    parameter = kind(data, requires_grad)
    # A copied layer may hold copies packed from this version.
    parameter.version = version
    return parameter
