"""Memory for results and for scratch."""
from cpython.buffer cimport (
    PyBUF_SIMPLE, Py_buffer, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer,
)

from libc.string cimport memset

from cnnfast._ext.threads cimport is_recording, keep, shared_scratch

cdef extern from "memory.h" nogil:
    enum:
        CF_ALIGNMENT
    ctypedef struct cf_memory:
        size_t in_use, kept, limit, reused
    char* cf_allocate(size_t size)
    void cf_release(char* data)
    size_t cf_size(const char* data)
    cf_memory cf_memory_now()
    void cf_empty_cache()
    void cf_guard_memory()


cdef char* allocate(Py_ssize_t size) except NULL:
    """Uninitialised memory, aligned to a cache line; `release` it.

    Vector loads may run past the last element."""
    cdef char* data = cf_allocate(size)
    if data == NULL:
        raise MemoryError(f"could not allocate {size:,} bytes of workspace")
    if is_recording():
        # NaN: should what is to be recorded be computed from what has not run, that will show.
        memset(data, 255, size)
    return data


cdef void release(char* data) noexcept nogil:
    """Give memory back or, while the kernel is recorded, keep it for when it will run."""
    if data != NULL and not keep(data, cf_size(data), cf_release):
        cf_release(data)


cdef int allocate_both(
    Py_ssize_t size, char** data, Py_ssize_t scratch_size, char** scratch
) except -1:
    """Memory as `allocate` gives it, and scratch that only parallel loops write and read.

    All kernels of a recording share their scratch, so it stays in the caches. `release_both`."""
    data[0] = allocate(size)
    scratch[0] = shared_scratch(scratch_size)
    if scratch[0] == NULL:
        try:
            scratch[0] = allocate(scratch_size)
        except MemoryError:
            cf_release(data[0])
            raise
    return 0


cdef void release_both(char* data, char* scratch) noexcept nogil:
    release(data)
    if not is_recording():
        cf_release(scratch)


cdef class Block:
    """Memory for an array, aligned to a cache line."""
    cdef char* data
    cdef Py_ssize_t size

    def __cinit__(self, Py_ssize_t size):
        self.data, self.size = cf_allocate(size), size
        if self.data == NULL:
            raise MemoryError

    def __dealloc__(self):
        cf_release(self.data)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.data, self.size, False, flags)


def to_alignment(block):
    """Bytes from the start of a buffer to the next cache line."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(block, &buffer, PyBUF_SIMPLE)
    cdef Py_ssize_t address = <Py_ssize_t> buffer.buf
    PyBuffer_Release(&buffer)
    return -address & (CF_ALIGNMENT - 1)


def memory_stats():
    """Say how much memory cnnfast holds.

    Results of 64 KB and more, and the kernels' scratch memory, lie in one range of addresses, and
    what earlier ones have left is used again: fresh pages cost time.

    Returns
    -------
    dict of str to int
        Bytes ``in_use``; bytes ``kept`` for reuse, and the ``limit`` of the range (half of the
        memory that the machine or its container has; what does not fit is not kept); how many times
        kept memory was ``reused``.

    Examples
    --------
    >>> import cnnfast
    >>> cnnfast.empty_cache()
    >>> cnnfast.memory_stats()["kept"]
    0
    """
    cdef cf_memory now = cf_memory_now()
    return {"in_use": now.in_use, "kept": now.kept, "limit": now.limit, "reused": now.reused}


def empty_cache():
    """Give the memory that is kept for reuse back to the system; see `memory_stats`."""
    cf_empty_cache()


cf_guard_memory()
