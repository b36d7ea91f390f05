"""How many threads, and the only door to them.

The count is CNNFAST_NUM_THREADS, else OMP_NUM_THREADS, else the processors that affinity and the
container's quota leave to this process. `set_num_threads` changes it at run time. A lower limit
set through OpenMP since the import (threadpoolctl does that) is respected.
"""

import math
import os

cdef extern from "parallel.h" nogil:
    void cf_parallel(cf_task task, void* context, Py_ssize_t items, int threads)
    ctypedef struct cf_dry_run:
        int on, threads
    void cf_set_dry_run(int on)
    cf_dry_run cf_get_dry_run()
    int cf_openmp_threads()
    void cf_guard_fork()

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


cdef void parallel(cf_task task, void* context, Py_ssize_t items, int threads) noexcept nogil:
    """Run task(context, item, thread) for every item; threads are numbered 0..threads-1."""
    cf_parallel(task, context, items, threads)


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


def dry_run(operation):
    """Call `operation` with all parallel loops left out; return the threads they would have used.

    What it returns is thrown away: it was never computed.
    """
    cf_set_dry_run(True)
    try:
        operation()
        return cf_get_dry_run().threads
    finally:
        cf_set_dry_run(False)


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
