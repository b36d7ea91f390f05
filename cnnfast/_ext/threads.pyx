"""How many threads, and the only door to them.

The count is CNNFAST_NUM_THREADS, else OMP_NUM_THREADS, else the processors that affinity and the
container's quota leave to this process. `set_num_threads` changes it at run time. A lower limit
set through OpenMP since the import (threadpoolctl does that) is respected.
"""

import math
import os

from cpython.buffer cimport PyBUF_WRITABLE, Py_buffer, PyBuffer_Release, PyObject_GetBuffer

cdef extern from "parallel.h" nogil:
    void cf_parallel(cf_task task, void* context, size_t size, Py_ssize_t items, int threads)
    int cf_openmp_threads()
    void cf_guard_fork()

cdef extern from "recording.h" nogil:
    ctypedef struct cf_recording:
        pass
    ctypedef struct cf_recorded:
        size_t jobs, scratch, kept
        int threads, failed
    cf_recording* cf_new_recording()
    void cf_free_recording(cf_recording* recording)
    void cf_set_recording(cf_recording* recording)
    cf_recording* cf_get_recording()
    int cf_keep(char* block, size_t size, void (*release)(char*) noexcept nogil)
    char* cf_shared_scratch(size_t size)
    void cf_give_scratch(cf_recording* recording, char* scratch, size_t size)
    cf_recorded cf_describe(const cf_recording* recording)
    Py_ssize_t cf_bind(cf_recording* recording, int slot, const char* base, size_t size)
    void cf_move(cf_recording* recording, int slot, char* base)
    void cf_replay(const cf_recording* recording, size_t first, size_t last, int threads)

# Below this many multiply-adds (or a quarter as many bytes moved) waking the other threads costs
# more than they bring.
cdef double SERIAL_WORK = 1e5

cdef int wanted = 1
cdef int openmp_at_import = cf_openmp_threads()


cdef int threads_now() noexcept nogil:
    cdef int limit = cf_openmp_threads()
    return limit if limit < openmp_at_import and limit < wanted else wanted


cdef int threads_for(double work) noexcept nogil:
    """Threads to use for `work` multiply-adds: one while it is small."""
    return 1 if work < SERIAL_WORK else threads_now()


cdef void parallel(
    cf_task task, void* context, size_t size, Py_ssize_t items, int threads
) noexcept nogil:
    """Run task(context, item, thread) for every item; threads are numbered 0..threads-1.

    The context has `size` bytes: while this thread records, they are copied and nothing is run."""
    cf_parallel(task, context, size, items, threads)


def get_num_threads():
    """Threads that a large operation uses now.

    Examples
    --------
    >>> import cnnfast
    >>> cnnfast.get_num_threads() >= 1
    True
    """
    return threads_now()


def set_num_threads(count):
    """Use `count` threads, for the whole process.

    Raises
    ------
    TypeError, ValueError
        If `count` is no integer, or not in 1..1024.

    Examples
    --------
    >>> import cnnfast
    >>> before = cnnfast.get_num_threads()
    >>> cnnfast.set_num_threads(1)
    >>> cnnfast.get_num_threads()
    1
    >>> cnnfast.set_num_threads(before)
    """
    global wanted
    wanted = checked_count("set_num_threads: count", count)


def has_openmp():
    """Whether limits that threadpoolctl sets at run time are seen: it sets them through OpenMP."""
    return cf_openmp_threads() > 0


cdef bint is_recording() noexcept nogil:
    return cf_get_recording() != NULL


cdef bint keep(char* block, size_t size, void (*release)(char*) noexcept nogil) noexcept nogil:
    """Let this thread's recording, if there is one, own `block`."""
    return cf_keep(block, size, release)


cdef char* shared_scratch(size_t size) noexcept nogil:
    """The scratch memory of this thread's recording, NULL if there is none."""
    return cf_shared_scratch(size)


cdef class Recording:
    """Kernels taken down instead of run, in a ``with`` block; `run` then runs them.

    What the kernels read and write, arrays and packed weights, is not kept alive. `scratch` is a
    buffer of so many bytes as an earlier recording of the same kernels says it wants; without one
    nothing can be run.
    """
    cdef cf_recording* recording
    cdef object scratch

    def __cinit__(self, scratch=None):
        cdef Py_buffer buffer
        self.recording = cf_new_recording()
        if self.recording == NULL:
            raise MemoryError("could not allocate a recording")
        self.scratch = scratch
        if scratch is not None:
            PyObject_GetBuffer(scratch, &buffer, PyBUF_WRITABLE)
            cf_give_scratch(self.recording, <char*> buffer.buf, buffer.len)
            PyBuffer_Release(&buffer)

    def __dealloc__(self):
        cf_free_recording(self.recording)

    def __enter__(self):
        cf_set_recording(self.recording)
        return self

    def __exit__(self, *error):
        cf_set_recording(NULL)
        if cf_describe(self.recording).failed and error[0] is None:
            raise MemoryError("could not record: no memory, or too little scratch was given")

    def __len__(self):
        return cf_describe(self.recording).jobs

    @property
    def threads(self):
        """The most that a kernel is to use."""
        return cf_describe(self.recording).threads

    @property
    def scratch_bytes(self):
        """The most that a kernel wants."""
        return cf_describe(self.recording).scratch

    @property
    def kept_bytes(self):
        """What the kernels have allocated for themselves."""
        return cf_describe(self.recording).kept

    def bind(self, int slot, size_t address, size_t size):
        """Let pointers into memory follow as it is moved; return how many there are."""
        cdef Py_ssize_t found = cf_bind(self.recording, slot, <const char*> address, size)
        if found < 0:
            raise MemoryError("could not record: no memory")
        return found

    def move(self, int slot, size_t address):
        """Say where the memory of a slot is now."""
        cf_move(self.recording, slot, <char*> address)

    def run(self, size_t first, size_t last):
        """Run kernels number first..last-1."""
        cdef int threads = threads_now()
        with nogil:
            cf_replay(self.recording, first, last, threads)


def checked_count(name, count):
    if isinstance(count, bool) or not hasattr(count, "__index__"):
        raise TypeError(f"{name} must be an integer, got {count!r}")
    if not 1 <= count <= 1024:
        raise ValueError(f"{name} must lie in 1..1024, got {count!r}")
    return int(count)


def available_processors():
    """Processors this process may use: its affinity, cut by the container's cgroup quota."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    return max(1, math.ceil(min(count, cgroup_quota())))


def cgroup_quota():
    """Processors' worth of time that the cgroup (v2, then v1) grants; infinity if unlimited."""
    for files in (
        ("/sys/fs/cgroup/cpu.max",),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    ):
        try:
            words = []
            for name in files:
                with open(name) as file:
                    words += file.read().split()
            if words[0] not in ("max", "-1"):
                return int(words[0]) / int(words[1])
        except (OSError, ValueError, IndexError, ZeroDivisionError):
            continue
    return math.inf


def initial_count():
    for variable in ("CNNFAST_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(variable, "").split(",")[0].strip()
        if text.isdigit():
            return checked_count(variable, int(text))
        if text:
            raise ValueError(f"{variable} must be an integer, got {text!r}")
    return available_processors()


wanted = initial_count()
cf_guard_fork()
