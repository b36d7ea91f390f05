"""What the kernels' tests share: arrays in any memory, guarded calls, error bounds, scripts."""

from __future__ import annotations

import ctypes
import functools
import math
import mmap
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cnnfast._ext import dispatch, threads
from cnnfast.functional import _memory

FLOATS = (np.float32, np.float64)
# Of the sum of the magnitudes of an output's products.
TOLERANCE = {np.dtype(np.float32): 3e-6, np.dtype(np.float64): 1e-14}
CHECKOUT = Path(__file__).parents[1]


# ---------------------------------------------------------------------------- arrays


def random(*shape: int, dtype: type = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def integers(*shape: int, dtype: type = np.float64, seed: int = 0) -> np.ndarray:
    """Small whole numbers: sums of their products are exact, and there are ties to break."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def stored(x: np.ndarray, *order: int) -> np.ndarray:
    """`x` with its axes in memory in this order, the last one innermost."""
    return np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))


def channels_last(x: np.ndarray) -> np.ndarray:
    return stored(x, 0, 2, 3, 1)


def is_channels_last(x: np.ndarray) -> bool:
    """Whether the memory is channels-last and could not be called C order as well."""
    return not x.flags.c_contiguous and x.transpose(0, 2, 3, 1).flags.c_contiguous


def reversed_axes(x: np.ndarray) -> np.ndarray:
    """`x` with every stride negative."""
    backwards = (slice(None, None, -1),) * x.ndim
    return x[backwards].copy()[backwards]


def poisoned(shape: list[int], dtype: np.dtype) -> np.ndarray:
    """NaN all over, or -1 in integers."""
    return np.full(math.prod(shape) * dtype.itemsize, 0xFF, np.uint8).view(dtype).reshape(shape)


def with_gaps(x: np.ndarray) -> np.ndarray:
    """`x` as every second element of a larger array, along every axis."""
    large = poisoned([2 * size + 3 for size in x.shape], x.dtype)
    view = large[tuple(slice(1, 2 * size + 1, 2) for size in x.shape)]
    view[...] = x
    return view


def cropped(x: np.ndarray) -> np.ndarray:
    """`x` out of the middle of a larger array: strides in C order, but no axis contiguous."""
    large = poisoned([size + 5 for size in x.shape], x.dtype)
    view = large[tuple(slice(2, size + 2) for size in x.shape)]
    view[...] = x
    return view


def misaligned(x: np.ndarray) -> np.ndarray:
    """`x` one byte off its natural alignment, where no kernel can read it."""
    view = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    assert x.size == 0 or not view.flags.aligned
    return view


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


@functools.cache
def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def fenced(x: np.ndarray, at_end: bool = True) -> np.ndarray:
    """`x` up against a page that cannot be read: a kernel that reads past it crashes."""
    if x.size == 0 or sys.platform == "win32":
        return x.copy()
    page = mmap.PAGESIZE
    pages = -(-x.nbytes // page)
    memory = mmap.mmap(-1, (pages + 2) * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for fence in (address, address + (pages + 1) * page):
        assert libc().mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(page), 0) == 0
    start = page + (pages * page - x.nbytes if at_end else 0)
    view = np.frombuffer(memory, np.uint8, x.nbytes, start).view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


# The same values in other memory.
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "contiguous": fenced,
    "channels_last": lambda x: fenced(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "width_before_height": lambda x: stored(x, 0, 1, 3, 2),
    "batch_last": lambda x: stored(x, 2, 3, 1, 0),
    "reversed": reversed_axes,
    "flipped_channels_last": lambda x: channels_last(x[:, :, ::-1, ::-1])[:, :, ::-1, ::-1],
    "gaps": with_gaps,
    "gaps_channels_last": lambda x: with_gaps(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "cropped": cropped,
    "cropped_channels_last": lambda x: cropped(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "misaligned": misaligned,
    "misaligned_channels_last": lambda x: misaligned(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "read_only": read_only,
    "from_a_fence": lambda x: fenced(x, at_end=False),
    "real_part": lambda x: x.astype(np.result_type(x.dtype, np.complex64)).real,
}

DENSE_CHANNELS_LAST = {"channels_last", "misaligned_channels_last"}
# The two orders that results come in too.
ORDERS = {order: LAYOUTS[order] for order in ("contiguous", "channels_last")}


# ---------------------------------------------------------------------------- guarded calls


class Watched:
    """Stands in for NumPy where results are allocated: memory full of NaN, watched on both sides.

    Freed memory often holds the right result of the call before. NaN does not pass for it.
    """

    MARGIN = 256
    PATTERN = 0xFF  # NaN in both dtypes, -1 in every integer

    def __init__(self) -> None:
        self.blocks: list[tuple[np.ndarray, int, int]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(np, name)

    def empty(self, size: int, dtype: type) -> np.ndarray:
        assert dtype is np.uint8
        memory = np.full(size + 2 * self.MARGIN, self.PATTERN, np.uint8)
        # Off the cache line, so that the caller has to align the result himself.
        start = self.MARGIN + (16 - memory.ctypes.data - self.MARGIN) % 64
        self.blocks.append((memory, start, size))
        return memory[start : start + size]

    @contextmanager
    def allocating(self) -> Iterator[None]:
        """(unittest.mock.patch does the same, and takes longer than most kernels here.)"""
        real = _memory.np, _memory.KEPT_FROM
        _memory.np, _memory.KEPT_FROM = self, sys.maxsize
        try:
            yield
        finally:
            _memory.np, _memory.KEPT_FROM = real

    def holds(self, result: np.ndarray) -> bool:
        return any(np.may_share_memory(result, memory) for memory, _, _ in self.blocks)

    def check_margins(self) -> None:
        for memory, start, size in self.blocks:
            first = start + -(memory.ctypes.data + start) % _memory.ALIGNMENT
            last = first + size - _memory.ALIGNMENT
            outside = (memory[:first], memory[last:])
            assert all((margin == self.PATTERN).all() for margin in outside), "wrote out of bounds"


def memory_of(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory of a view, gaps between its elements included."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def guarded(function: Callable, *args: object, **kwargs: object):
    """Call a function of arrays, and check what holds for every one of them.

    No input is written to, nothing is written beyond a result, and results are fresh, writeable
    and aligned; what a kernel forgets to write is NaN.
    """
    inputs = [a for a in (*args, *kwargs.values()) if isinstance(a, np.ndarray)]
    before = [memory_of(a).tobytes() for a in inputs]
    watched = Watched()
    with watched.allocating():
        results = function(*args, **kwargs)
    assert before == [memory_of(a).tobytes() for a in inputs], "an input was written to"
    watched.check_margins()
    for result in results if isinstance(results, tuple) else (results,):
        if isinstance(result, np.ndarray):
            assert result.flags.writeable
            if result.size:
                assert watched.holds(result), "no result of functional._memory.empty"
                assert result.ctypes.data % 64 == 0
            assert not any(np.may_share_memory(result, a) for a in inputs)
    return results


# ---------------------------------------------------------------------------- errors


def assert_close(
    got: np.ndarray, want: np.ndarray, scale: np.ndarray, tolerance: float | None = None
) -> None:
    """Compare with the oracle; the error may be `tolerance` of the largest `scale`."""
    assert got.shape == want.shape
    if want.size == 0:
        return
    allowed = (TOLERANCE[got.dtype] if tolerance is None else tolerance) * np.max(scale)
    error = np.abs(got - want)
    # Not (error > allowed): NaN must fail.
    assert (error <= allowed).all(), (
        f"error {error.max()} > {allowed}, first of {np.count_nonzero(~(error <= allowed))} "
        f"wrong at {tuple(int(i) for i in np.argwhere(~(error <= allowed))[0])} of {got.shape}"
    )


def assert_same(got: np.ndarray, want: np.ndarray) -> None:
    """Compare exactly, NaN with NaN."""
    if got.shape != want.shape or not ((got == want) | ((got != got) & (want != want))).all():
        np.testing.assert_array_equal(got, want)  # which says where, but takes its time


def numerical_gradient(
    function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, grad: np.ndarray
) -> np.ndarray:
    """Central differences of <function(x), grad>, coordinate by coordinate."""
    step, gx = 1e-5, np.empty(x.shape)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step
        gx[index] = np.sum((function(x + shift) - function(x - shift)) * grad) / (2 * step)
    return gx


# ---------------------------------------------------------------------------- sweeps

WIDEST_TILE = 32  # elements in a row of AVX-512's register tile, in float32


def sizes(most: int, dtype: type) -> range:
    """1, 2, ... to `most`; with shorter vectors than the machine's longest, to fewer in proportion.

    So every instruction set sweeps as many remainders of its own tiles as AVX-512 does with `most`,
    and the best one sweeps them all, for what depends on no tile."""
    rows, width = dispatch.register_tile(np.dtype(dtype).itemsize)
    if dispatch.chosen_isa() != dispatch.supported_isas()[0]:
        most = min(most, max(most * width // WIDEST_TILE, 2 * rows) + 3)
    return range(1, most + 1)


# ---------------------------------------------------------------------------- settings


@contextmanager
def using_isa(name: str) -> Iterator[None]:
    before = dispatch.chosen_isa()
    dispatch.choose_isa(name)
    try:
        yield
    finally:
        dispatch.choose_isa(before)


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    before = threads.get_num_threads()
    threads.set_num_threads(count)
    try:
        yield
    finally:
        threads.set_num_threads(before)


def run_python(
    script: str, timeout: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter that sees only these settings of ours."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CNNFAST_", "OMP_", "PYTHONWARNINGS"))
    }
    return subprocess.run(
        [sys.executable, "-c", script],
        env=inherited | environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
