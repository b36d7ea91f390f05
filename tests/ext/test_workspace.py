"""Scratch memory: counted, aligned, given back, and what happens when there is none."""

import sys

import numpy as np
import pytest
from cnnfast._ext.workspace import Block

import cnnfast
from cnnfast._ext import workspace
from cnnfast.functional import conv2d, conv2d_backward
from cnnfast.functional._memory import empty
from tests.helpers import run_python

# Every kernel with a workspace, on arrays large enough for each of its allocations to take memory
# from the system. The address space is limited step by step, so that one after the other fails;
# at the beginning to a quarter of the memory more, so that there is no range that takes half of it.
FAILING = """
import os
import resource
import numpy as np
import cnnfast
from cnnfast.functional import *

MEGABYTE = 1 << 20

def size_now():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

quarter = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE") // 4
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (size_now() + quarter, limits[1]))
assert cnnfast.memory_stats()["limit"] == 0
resource.setrlimit(resource.RLIMIT_AS, limits)
rng = np.random.default_rng(0)

def normal(*shape):
    return rng.standard_normal(shape, np.float32)

def convolution(x, weight, **options):
    arrays = normal(*x), normal(*weight)
    y = conv2d(*arrays, **options)
    return [
        lambda: conv2d(*arrays, **options),
        *[
            lambda need=need: conv2d_backward(y, *arrays, **options, needs=(need,))
            for need in ("x", "weight", "bias")
        ],
    ]

operations = [
    *convolution((2, 512, 14, 14), (512, 512, 3, 3), padding=1),
    *convolution((2, 512, 14, 14), (512, 512, 3, 3), padding=1, algorithm="direct"),
    *convolution((2, 512, 28, 28), (512, 512, 1, 1), algorithm="im2col"),
    *convolution((2, 3, 227, 227), (96, 3, 11, 11), stride=4),
    *convolution((2, 1024, 28, 28), (1024, 1024, 1, 1)),
    *convolution((1, 64, 224, 224), (6, 64, 3, 3)),
    *convolution((2, 2048, 28, 28), (2048, 1, 3, 3), groups=2048),
]
x, weight = normal(16, 9216), normal(1024, 9216)
operations += [
    lambda: linear(x, weight),
    lambda: linear_backward(linear(x, weight), x, weight),
    lambda: max_pool2d(x.reshape(16, 9216, 1, 1), 1),
]

def arrays(result):
    return [a for a in (result if isinstance(result, tuple) else (result,)) if a is not None]

def in_use():
    return cnnfast.memory_stats()["in_use"]

messages = set()
for threads in (1, 2):
    cnnfast.set_num_threads(threads)
    for operation in operations:
        expected = arrays(operation())
        baseline = in_use()
        for room in (0, 2, 8, 32):
            cnnfast.empty_cache()
            limits = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (size_now() + room * MEGABYTE, limits[1]))
            try:
                result = arrays(operation())
            except MemoryError as error:
                messages.add(str(error))
                result = expected
            finally:
                resource.setrlimit(resource.RLIMIT_AS, limits)
            assert all(map(np.array_equal, result, expected))
            del result
            assert in_use() == baseline, (in_use(), baseline)
        assert all(map(np.array_equal, arrays(operation()), expected))
        del expected
print(*messages, sep="\\n")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and /proc of Linux")
def test_failed_allocations_say_how_much_and_lose_nothing():
    done = run_python(FAILING, timeout=300, OPENBLAS_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    messages = done.stdout.splitlines()
    for what in ("of workspace", "for a result of shape"):
        assert any(what in message for message in messages), messages
    for message in messages:
        assert "bytes" in message or "Unable to allocate" in message, message  # NumPy's own arrays


def test_a_result_that_no_machine_holds():
    x = np.broadcast_to(np.float32(0), (2**20, 1, 2**16, 2**16))
    with pytest.raises(
        MemoryError, match=r"could not allocate 18,[0-9,]+ bytes for a result of sh"
    ):
        conv2d(x, np.zeros((1, 1, 1, 1), np.float32))


def test_everything_is_given_back():
    before = workspace.memory_stats()["in_use"]
    x, weight = np.ones((2, 16, 9, 9), np.float32), np.ones((16, 16, 3, 3), np.float32)
    conv2d_backward(conv2d(x, weight), x, weight)
    assert workspace.memory_stats()["in_use"] == before


# Not under AddressSanitizer: it would not see where a block in the range ends.
with_range = pytest.mark.skipif(
    cnnfast.memory_stats()["limit"] == 0, reason="there is no range of memory"
)


@with_range
def test_memory_is_used_again():
    cnnfast.empty_cache()
    assert cnnfast.memory_stats()["kept"] == 0
    dtype = np.dtype(np.float32)
    hole = empty((1 << 24,), dtype)  # of 64 MB, so the smallest hole that takes what follows
    behind = empty((1 << 16,), dtype)
    address = hole.ctypes.data
    del hole
    assert cnnfast.memory_stats()["kept"] >= 64 << 20
    reused = cnnfast.memory_stats()["reused"]
    first = empty((1 << 23,), dtype)
    assert first.ctypes.data == address
    assert cnnfast.memory_stats()["reused"] == reused + 1
    second = empty(((1 << 23) - 1000,), dtype)
    assert address < second.ctypes.data < behind.ctypes.data  # what the first left of it
    first[...] = 1  # an ordinary array
    view = first[1:]
    del first, second
    third = empty((1 << 23,), dtype)
    assert third.ctypes.data != address  # the view still holds the memory
    assert view.all()


def test_blocks_of_any_order_of_release_never_overlap():
    rng = np.random.default_rng(0)
    dtype = np.dtype(np.int32)
    alive: dict[int, np.ndarray] = {}
    for number in range(4000):
        if len(alive) > 60 or (alive and rng.random() < 0.45):
            key = list(alive)[rng.integers(len(alive))]
            assert (alive.pop(key) == key).all()
        alive[number] = empty((int(rng.integers(1, 200_000)),), dtype)
        assert alive[number].ctypes.data % 64 == 0
        alive[number].fill(number)
    assert all((array == key).all() for key, array in alive.items())


@with_range
def test_more_blocks_than_the_range_keeps_account_of():
    blocks = [Block(64 << 10) for _ in range(20_000)]
    kept = cnnfast.memory_stats()["kept"]
    del blocks[::2]  # holes everywhere
    del blocks
    assert cnnfast.memory_stats()["kept"] > kept
    cnnfast.empty_cache()
    assert cnnfast.memory_stats()["kept"] == 0


def test_a_forked_child_allocates():
    done = run_python(
        "import os\n"
        "import numpy as np\n"
        "import cnnfast\n"
        "x = np.ones((4, 64, 56, 56), np.float32)\n"
        "want = cnnfast.functional.relu(x).sum()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(int(cnnfast.functional.relu(x).sum() != want))\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert cnnfast.functional.relu(x).sum() == want\n"
    )
    assert done.returncode == 0, done.stderr


def test_alignment_of_any_block():
    memory = np.zeros(256, np.uint8)
    for start in range(130):
        block = memory[start:]
        assert (block.ctypes.data + workspace.to_alignment(block)) % 64 == 0
        assert 0 <= workspace.to_alignment(block) < 64
