"""Resampling by any plan against products with dense matrices."""

import numpy as np
import pytest
from cnnfast._ext.threads import Recording

from cnnfast.functional import _resampling
from cnnfast.functional._memory import empty, placed_in
from cnnfast.functional._resampling import Plan, adjoint, resample
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    assert_close,
    assert_same,
    guarded,
    is_channels_last,
    random,
    using_threads,
)

pytestmark = pytest.mark.usefixtures("one_thread")
each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_order = pytest.mark.parametrize("channels_last", [False, True])


def any_plan(size: int, out: int, dtype: type, seed: int, taps: int | None = None) -> Plan:
    """Taps anywhere: none, one of them twice, in any order; or as many for each target."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, out) if taps is None else np.full(out, taps)
    starts = np.cumsum([0, *counts], dtype=np.intp)
    sources = rng.integers(0, size, starts[-1]).astype(np.intp)
    return Plan(starts, sources, rng.standard_normal(starts[-1]).astype(dtype))


def matrix(plan: Plan, size: int) -> np.ndarray:
    """The plan as (targets, size)."""
    dense = np.zeros((plan.targets, size))
    for i in range(plan.targets):
        for k in range(plan.starts[i], plan.starts[i + 1]):
            dense[i, plan.sources[k]] += plan.weights[k]
    return dense


def check(x: np.ndarray, rows: Plan, columns: Plan, channels_last: bool) -> None:
    a, b = matrix(rows, x.shape[2]), matrix(columns, x.shape[3])
    y = guarded(resample, x, rows, columns, channels_last)
    scale = np.abs(a) @ np.abs(x).astype(float) @ np.abs(b).T
    assert_close(y, a @ x.astype(float) @ b.T, scale if scale.size else 1)
    assert y.dtype == x.dtype
    assert is_channels_last(y) == (channels_last and y.shape[1] > 1 and y[0, 0].size > 1)


@pytest.mark.usefixtures("isa")
@each_dtype
@each_order
def test_every_number_of_lanes(channels_last, dtype):
    everything = random(2, 37, 5, 6, dtype=dtype)
    for channels in range(1, 38):
        x = everything[:, :channels]
        check(x, any_plan(5, 7, dtype, channels), any_plan(6, 4, dtype, 99), channels_last)


@pytest.mark.usefixtures("isa")
@each_dtype
@each_order
@pytest.mark.parametrize("taps", [0, 1, 2, 3, None])
def test_every_length_of_a_row(taps, channels_last, dtype):
    x = random(1, 2, 5, 6, dtype=dtype)
    for out in range(1, 36):
        check(x, any_plan(5, 3, dtype, 1), any_plan(6, out, dtype, out, taps), channels_last)
        check(x, any_plan(5, out, dtype, out, taps), any_plan(6, 1, dtype, 2, 1), channels_last)


@each_order
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory(layout, channels_last):
    x = LAYOUTS[layout](random(2, 3, 6, 5))
    check(x, any_plan(6, 7, np.float64, 0), any_plan(5, 4, np.float64, 1), channels_last)


@each_order
def test_blocks_of_rows(channels_last):
    """Large images are done block by block; their blocks need any of the rows."""
    for shape, out in [((1, 3, 300, 200), 260), ((2, 40, 50, 60), 90), ((1, 3, 2000, 30), 7)]:
        x = random(*shape, dtype=np.float32)
        rows, columns = (any_plan(size, out, np.float32, size) for size in shape[2:])
        check(x, rows, columns, channels_last)


@each_order
def test_same_for_any_number_of_threads(channels_last):
    x = random(2, 5, 90, 80, dtype=np.float32)
    rows, columns = any_plan(90, 150, np.float32, 0), any_plan(80, 170, np.float32, 1)
    results = set()
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            results.add(resample(x, rows, columns, channels_last).tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("taps", [1, 3, None])
def test_adjoint(taps):
    for size, out in [(1, 1), (5, 9), (9, 4)]:
        plan = any_plan(size, out, np.float64, size, taps)
        back = adjoint(plan, size)
        assert back.targets == size
        np.testing.assert_allclose(matrix(back, out), matrix(plan, size).T, atol=1e-14)


def test_without_images_or_channels():
    plan = any_plan(4, 3, np.float32, 0)
    for shape in [(0, 2, 4, 4), (2, 0, 4, 4)]:
        for channels_last in (False, True):
            y = resample(np.empty(shape, np.float32), plan, plan, channels_last)
            assert y.shape == (*shape[:2], 3, 3)


def test_only_what_has_weight_is_looked_at():
    """NaN and infinity stay where they are: this is no product with a matrix."""
    x = np.array([[[[np.nan, 1.0, np.inf, -0.0]]]])
    one, three = (_resampling.gather(np.arange(n), x.dtype) for n in (1, 4))
    y = resample(x, one, three, False)
    assert_same(y, x)
    assert np.signbit(y[..., 3])


@each_order
def test_a_recording_outlives_the_plans(channels_last):
    """What is run later reads no array but the images."""
    x = random(2, 3, 9, 8, dtype=np.float32)
    x = LAYOUTS["channels_last"](x) if channels_last else x
    plans = [any_plan(size, 7, np.float32, size) for size in (9, 8)]
    want = resample(x, *plans, channels_last)
    sizing, out = Recording(), np.empty_like(want)
    with sizing:
        resample(x, *plans, channels_last)
    recording = Recording(empty((sizing.scratch_bytes,), np.dtype(np.uint8)))
    with recording, placed_in(out):
        resample(x, *plans, channels_last)
    for plan in plans:
        plan.sources[:], plan.weights[:] = 0, np.nan
    recording.run(0, len(recording))
    assert_same(out, want)
