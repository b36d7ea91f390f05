"""Loading on threads: the same batches in the same order, and no thread or loop left hanging."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pytest

from cnnfast.data import DataLoader
from cnnfast.data.prefetch import THREAD_NAME, prefetched
from cnnfast.data.transforms import Compose, Cutout, RandomCrop, RandomHorizontalFlip
from tests.helpers import CHECKOUT, run_python

AUGMENT = Compose([RandomCrop(8, padding=2), RandomHorizontalFlip(), Cutout(3)])


def make(count, **options):
    images = np.random.default_rng(1).random((count, 3, 8, 8), np.float32)
    return DataLoader(images, np.arange(count), 4, shuffle=True, seed=0, **options)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    wait_until(lambda: not threads())


def dawdling(images, rng):
    """Augment, and be done in another order than begun."""
    images = AUGMENT(images, rng)
    time.sleep(0.004 * rng.random())
    return images


# ---------------------------------------------------------------------------- what is given


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("prefetch", [1, 3])
def test_the_same_batches_for_any_number_of_workers(workers, prefetch):
    alone = make(50, transform=AUGMENT)
    together = make(50, transform=dawdling, workers=workers, prefetch=prefetch)
    for _ in range(2):
        batches = list(zip(alone, together, strict=True))
        assert len(batches) == 13
        for one, other in batches:
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])


def test_more_workers_than_batches_and_no_batches():
    assert [len(labels) for _, labels in make(5, workers=4)] == [4, 1]
    assert list(make(0, workers=2)) == []


def test_two_iterations_at_once():
    loader = make(20, workers=2)
    for side in zip(*zip(loader, loader, strict=True), strict=True):
        assert sorted(np.concatenate([labels for _, labels in side]).tolist()) == list(range(20))


def test_several_threads_prepare_at_once():
    meeting = threading.Barrier(3, timeout=60)

    def prepare(number):
        meeting.wait()
        return number

    assert list(prefetched(prepare, range(9), workers=3, ahead=3)) == list(range(9))


def test_as_far_ahead_as_told_and_no_further():
    begun = []
    results = prefetched(begun.append, range(20), workers=2, ahead=4)
    assert begun == []
    for taken in range(1, 21):
        next(results)
        wait_until(lambda taken=taken: len(begun) >= min(taken + 4, 20))
        time.sleep(0.002)
        assert len(begun) == min(taken + 4, 20)


# ---------------------------------------------------------------------------- ends


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_arrives_in_its_turn_with_its_traceback(workers):
    def broken(images, rng):
        if np.isnan(images).any():
            raise ZeroDivisionError("what the transform said")
        return images

    images = np.zeros((40, 1, 2, 2))
    images[10] = np.nan
    loader = DataLoader(images, np.arange(40), 4, transform=broken, workers=workers)
    batches = iter(loader)
    assert [next(batches)[1].tolist() for _ in range(2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(ZeroDivisionError, match="what the transform said") as caught:
        next(batches)
    assert "broken" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert list(batches) == []


def test_threads_end_when_all_is_given():
    loader = iter(make(20, workers=2))
    next(loader)
    assert len(threads()) == 2
    list(loader)
    wait_until(lambda: not threads())


@pytest.mark.parametrize("how", ["break", "raise", "drop", "cycle", "worker"])
def test_threads_end_when_the_iteration_is_left(how):
    begun = []
    results = prefetched(lambda n: begun.append(n) or [], range(10**6), workers=2, ahead=6)
    if how == "break":
        for _ in results:
            break
        results.close()
    elif how == "raise":
        with pytest.raises(KeyError):  # noqa: PT012
            for _ in results:
                raise KeyError
        del results
    elif how == "drop":
        next(results)
        del results
    elif how == "cycle":
        next(results).append(results)
        cycle = [results]
        cycle.append(cycle)
        del results, cycle
        gc.collect()
    else:  # the collector runs in a thread of the pool
        collect = prefetched(lambda _: gc.collect(), range(2), workers=1, ahead=1)
        next(results)
        cycle = [results]
        cycle.append(cycle)
        del results, cycle
        list(collect)
    wait_until(lambda: not threads())
    assert len(begun) <= 8


def test_leaving_does_not_wait_for_a_slow_thread():
    begun, go_on, numbers = threading.Event(), threading.Event(), []

    def slow(number):
        numbers.append(number)
        if number == 1:
            begun.set()
            go_on.wait(10)
        return number

    results = prefetched(slow, range(10), workers=1, ahead=3)
    assert next(results) == 0
    assert begun.wait(10)
    results.close()
    assert len(threads()) == 1
    go_on.set()
    wait_until(lambda: not threads())
    assert numbers == [0, 1]  # 2 and 3 were waiting


def test_nothing_is_kept_of_what_was_given():
    gone = []

    class Result:
        def __del__(self):
            gone.append(1)

    results = prefetched(lambda _: Result(), range(5), workers=1, ahead=1)
    for taken in range(1, 6):
        next(results)
        wait_until(lambda taken=taken: len(gone) == taken)


# ---------------------------------------------------------------------------- processes

SCRIPT = """
import os, signal, sys, threading, time
import numpy as np
from cnnfast.data import DataLoader

def slow(images, rng):
    time.sleep(0.01)
    return images + rng.random()

def make(workers):
    return DataLoader(np.zeros((40, 1)), np.arange(40), 4, True, 0, transform=slow, workers=workers)

def values(batches):
    return [(images.tolist(), labels.tolist()) for images, labels in batches]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("leave", ["os._exit(code)", "sys.exit(code)"])
def test_a_forked_child_goes_on(leave):
    script = f"""
loader, expected = make(2), values(make(0))
batches = iter(loader)
given = values([next(batches), next(batches)])
child = os.fork()
given += values(batches)
code = 0 if given == expected and len(values(loader)) == 10 else 3
if not child:
    {leave}
assert code == 0, "in the parent"
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "in the child"
"""
    done = run_python("import warnings; warnings.simplefilter('ignore')" + SCRIPT + script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("moment", ["while waiting", "while at work"])
def test_interrupts(moment):
    pause = "time.sleep(60)" if moment == "while at work" else "pass"
    script = f"""
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell

def endless(images, rng):
    os.write(1, b"at work\\n")
    time.sleep(0.3)
    return images

try:
    for _ in DataLoader(np.zeros((4000, 1)), np.arange(4000), transform=endless, workers=2):
        {pause}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT + script], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "at work\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=120)
    assert "interrupted" in rest
    assert process.returncode == 0


def test_a_program_ends_in_mid_iteration():
    done = run_python(SCRIPT + "batches = iter(make(2)); next(batches)", timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
