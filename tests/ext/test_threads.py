"""Threads: how many, the same bits for any number of them, and a fork that does not hang."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast._ext import threads
from cnnfast.functional.max_pool import max_pool2d_routed
from tests.helpers import assert_same, channels_last, random, run_python, using_threads

# ---------------------------------------------------------------------------- the same bits


def conv(x: tuple, weight: tuple, *window, last: bool = False) -> Callable[[], list[np.ndarray]]:
    """A convolution and its gradients; the shapes are beyond what runs serially."""

    def run() -> list[np.ndarray]:
        image, filters = random(*x, dtype=np.float32), random(*weight, dtype=np.float32, seed=1)
        image = channels_last(image) if last else image
        y = F.conv2d(image, filters, filters[:, 0, 0, 0], *window)
        grad = random(*y.shape, dtype=np.float32, seed=2)
        return [y, *F.conv2d_backward(grad, image, filters, *window)]

    return run


def max_pool(x: np.ndarray, *window) -> Callable[[], list[np.ndarray]]:
    def run() -> list[np.ndarray]:
        y, indices = F.max_pool2d(x, *window, return_indices=True)
        routed, route = max_pool2d_routed(x, *window, 1, False, False)
        grad = random(*y.shape)
        return [y, indices, routed, route(grad), F.max_pool2d_backward(grad, indices, x.shape)]

    return run


def avg_pool(x: np.ndarray, *window) -> Callable[[], list[np.ndarray]]:
    def run() -> list[np.ndarray]:
        y = F.avg_pool2d(x, *window)
        norm = F.lp_pool2d(x, 2, 2)
        return [
            y,
            F.avg_pool2d_backward(random(*y.shape), x, *window),
            norm,
            F.lp_pool2d_backward(norm, x, 2, 2),
        ]

    return run


def columns(x: np.ndarray, *window) -> Callable[[], list[np.ndarray]]:
    def run() -> list[np.ndarray]:
        out = F.im2col(x, *window)
        return [out, F.col2im(random(*out.shape), x.shape[2:], *window)]

    return run


def linear() -> list[np.ndarray]:
    x, weight, grad = random(70, 90), random(50, 90), random(70, 50)
    return [F.linear(x, weight, weight[:, 0]), *F.linear_backward(grad, x, weight)]


IMAGE = random(3, 10, 37, 41)
OPERATIONS: dict[str, Callable[[], list[np.ndarray]]] = {
    "conv": conv((2, 12, 20, 21), (30, 12, 3, 3), 1, 1),
    "conv, channels last": conv((2, 12, 20, 21), (30, 12, 3, 3), 1, 1, last=True),
    "conv, one image of many filters": conv((1, 64, 5, 6), (300, 64, 2, 3), 1, 1),
    "conv, blocks": conv((1, 256, 40, 30), (9, 256, 3, 3), 1, 1),
    "conv, strided": conv((2, 12, 31, 30), (20, 12, 5, 4), (2, 3), 2, (1, 2)),
    "conv, groups": conv((2, 12, 20, 21), (16, 6, 3, 3), 1, 1, 1, 2),
    "conv, one by one": conv((3, 40, 15, 17), (50, 40, 1, 1)),
    "conv, a long batch": conv((64, 1, 28, 28), (6, 1, 5, 5), 1, 2),
    "conv, few channels": conv((1, 3, 120, 250), (8, 3, 5, 5), 2, 2),
    "conv, few filters": conv((1, 20, 70, 90), (2, 20, 3, 3), 1, 1),
    "conv, winograd": conv((1, 20, 40, 45), (40, 20, 3, 3), 1, 1),
    "conv, winograd of small images": conv((40, 16, 5, 6), (18, 16, 3, 3), 1, 1, last=True),
    "conv, depthwise": conv((2, 70, 31, 30), (70, 1, 3, 3), 1, 1, 1, 70),
    "max_pool": max_pool(IMAGE, 3, 2, 1),
    "max_pool, channels last": max_pool(channels_last(IMAGE), 3, 1, 1),
    "avg_pool": avg_pool(IMAGE, 3, 2, 1),
    "avg_pool, channels last": avg_pool(channels_last(IMAGE), 3, 1, 1),
    "columns": columns(IMAGE, 3, 1, 1),
    "columns, channels last": columns(channels_last(IMAGE), 3, 2, 1),
    "linear": linear,
}


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("run", OPERATIONS.values(), ids=OPERATIONS)
def test_the_same_bits_for_any_number_of_threads(run):
    with using_threads(1):
        serial = [result.tobytes() for result in run()]
    for count in (2, 3, 7):
        with using_threads(count):
            assert [result.tobytes() for result in run()] == serial, f"{count} threads"


def test_calls_from_several_threads_at_once():
    expected = {name: run() for name, run in OPERATIONS.items()}
    with using_threads(2), ThreadPoolExecutor(4) as pool:
        for name, results in pool.map(
            lambda name: (name, OPERATIONS[name]()), [*OPERATIONS] * 2, timeout=120
        ):
            for got, want in zip(results, expected[name], strict=True):
                assert_same(got, want)


# ---------------------------------------------------------------------------- how many

COUNT = "import cnnfast; print(cnnfast.get_num_threads())"
WORK = """
import numpy as np, cnnfast
from cnnfast.functional import conv2d, conv2d_backward
x, weight = np.ones((4, 16, 32, 32), np.float32), np.ones((16, 16, 3, 3), np.float32)
def work():
    y = conv2d(x, weight, padding=1)
    gx, gw, gb = conv2d_backward(y, x, weight, padding=1)
    return y.sum(), gx.sum(), gw.sum(), gb.sum()
"""
counts_in_proc = pytest.mark.skipif(
    not os.path.exists("/proc/self/task"), reason="counts the threads listed in /proc"
)


def output(script: str, **environment: str) -> str:
    done = run_python(script, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_setting_the_number():
    before = threads.get_num_threads()
    for count in (1, 2, 7, np.int64(3)):
        with using_threads(count):
            assert threads.get_num_threads() == count
    assert threads.get_num_threads() == before


def test_impossible_numbers():
    before = threads.get_num_threads()
    for count in (0, -1, 1025, 2**40, 2**70):
        with pytest.raises(ValueError, match=r"^set_num_threads: count must lie in 1\.\.1024, got"):
            threads.set_num_threads(count)
    for count in (1.0, "2", None, True, (2,)):
        with pytest.raises(TypeError, match=r"^set_num_threads: count must be an integer, got"):
            threads.set_num_threads(count)
    assert threads.get_num_threads() == before


def test_the_environment_sets_the_number():
    assert output(COUNT, CNNFAST_NUM_THREADS="3") == "3"
    assert output(COUNT, OMP_NUM_THREADS="3") == "3"
    assert output(COUNT, OMP_NUM_THREADS="3,2") == "3"  # OpenMP's form for nested regions
    assert output(COUNT, OMP_NUM_THREADS="1") == "1"
    assert output(COUNT, CNNFAST_NUM_THREADS="3", OMP_NUM_THREADS="1") == "3"
    assert output(COUNT, CNNFAST_NUM_THREADS="", OMP_NUM_THREADS=" 2 ") == "2"


def test_the_number_is_that_of_the_processors():
    allowed = 1 <= int(output(COUNT)) <= (os.cpu_count() or 1)
    assert allowed
    if hasattr(os, "sched_setaffinity"):
        pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        assert output(pin + COUNT) == "1"


@pytest.mark.parametrize("variable", ["CNNFAST_NUM_THREADS", "OMP_NUM_THREADS"])
@pytest.mark.parametrize("value", ["two", "-1", "1.5", "0", "99999"])
def test_numbers_that_make_no_sense(variable, value):
    done = run_python(COUNT, **{variable: value})
    assert done.returncode != 0
    assert f"ValueError: {variable} must" in done.stderr
    assert value in done.stderr.splitlines()[-1]


@counts_in_proc
def test_that_many_threads_run():
    """A build that has lost its threads would pass all else. A forked child starts its own."""
    script = WORK + (
        "import os, warnings\n"
        "warnings.simplefilter('ignore')  # Python's own, of forking beside threads\n"
        "def count(): return len(os.listdir('/proc/self/task'))\n"
        "cnnfast.set_num_threads(1); work(); before = count()\n"
        "cnnfast.set_num_threads(3); work(); print(count() - before)\n"
        "cnnfast.set_num_threads(2); work(); print(count() - before)\n"
        "if os.fork() == 0:\n"
        "    work(); print(count(), flush=True); os._exit(0)\n"
        "os.wait()\n"
    )
    assert output(script).split() == ["2", "2", "2"]


@counts_in_proc
def test_small_work_wakes_no_thread():
    script = (
        "import os, numpy as np, cnnfast\n"
        "from cnnfast.functional import conv2d\n"
        "cnnfast.set_num_threads(3); before = os.listdir('/proc/self/task')\n"
        "conv2d(np.ones((1, 3, 8, 8)), np.ones((4, 3, 3, 3)))\n"
        "print(len(os.listdir('/proc/self/task')) - len(before))\n"
    )
    assert output(script) == "0"


@pytest.mark.skipif(not threads.has_openmp(), reason="threadpoolctl sets limits through OpenMP")
def test_threadpoolctl_lowers_the_number():
    pytest.importorskip("threadpoolctl")
    script = WORK + (
        "from threadpoolctl import threadpool_limits\n"
        "count = cnnfast.get_num_threads\n"
        "print(count())\n"
        "with threadpool_limits(1): print(count()); serial = work()\n"
        "with threadpool_limits(2, user_api='openmp'): print(count())\n"
        "with threadpool_limits(1, user_api='blas'): print(count())\n"
        "print(count()); assert work() == serial\n"
    )
    assert output(script, OMP_NUM_THREADS="4").split() == ["4", "1", "2", "4", "4"]


# ---------------------------------------------------------------------------- fork


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
def test_a_forked_child_works():
    """With GNU OpenMP a child hangs whose parent has used its threads: pytorch#17199."""
    script = WORK + (
        "import os, warnings\n"
        "warnings.simplefilter('ignore')  # Python's own, of forking beside threads\n"
        "cnnfast.set_num_threads(2)\n"
        "expected = work()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    fine = work() == expected and cnnfast.get_num_threads() == 2\n"
        "    grandchild = os.fork()\n"
        "    if grandchild == 0:\n"
        "        os._exit(0 if work() == expected else 1)\n"
        "    _, status = os.waitpid(grandchild, 0)\n"
        "    os._exit(0 if fine and status == 0 else 1)\n"
        "_, status = os.waitpid(child, 0)\n"
        "assert work() == expected\n"
        "print(status, cnnfast.get_num_threads())\n"
    )
    assert output(script).split() == ["0", "2"]


@needs_fork
def test_a_fork_amid_work_of_other_threads():
    """The child must not wait for work that its parent's threads were doing."""
    script = WORK + (
        "import os, threading, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "cnnfast.set_num_threads(2)\n"
        "expected, done, results = work(), threading.Event(), set()\n"
        "def busy():\n"
        "    while not done.is_set(): results.add(work())\n"
        "others = [threading.Thread(target=busy) for _ in range(2)]\n"
        "for other in others: other.start()\n"
        "for _ in range(15):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os._exit(0 if work() == expected and work() == expected else 1)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "done.set()\n"
        "for other in others: other.join()\n"
        "print(results == {expected})\n"
    )
    assert output(script) == "True"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_helpers_may_run_anywhere_once_they_are_awake():
    """The caller bars his own processor to those he wakes, for that moment only."""
    done = run_python(
        "import os, time\n"
        "import numpy as np\n"
        "import cnnfast\n"
        "cnnfast.set_num_threads(3)\n"
        "x = np.ones((8, 64, 56, 56), np.float32)\n"
        "for _ in range(20):\n"
        "    time.sleep(0.005)\n"
        "    cnnfast.functional.relu(x)\n"
        "time.sleep(0.1)\n"
        "masks = [os.sched_getaffinity(int(thread)) for thread in os.listdir('/proc/self/task')]\n"
        "assert len(masks) >= 3, masks\n"
        "assert all(mask == os.sched_getaffinity(0) for mask in masks), masks\n",
        OPENBLAS_NUM_THREADS="1",
    )
    assert done.returncode == 0, done.stderr
