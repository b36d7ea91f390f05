"""Scratch memory."""
from cpython.buffer cimport PyBUF_SIMPLE, Py_buffer, PyBuffer_Release, PyObject_GetBuffer

cdef extern from "memory.h" nogil:
    enum:
        CF_ALIGNMENT
    char* cf_allocate(size_t size)
    void cf_release(char* data)
    size_t cf_in_use()
    size_t cf_allocated()


cdef char* allocate(Py_ssize_t size) except NULL:
    """Uninitialised memory, aligned to a cache line; `release` it.

    Vector loads may run past the last element."""
    cdef char* data = cf_allocate(size)
    if data == NULL:
        raise MemoryError(f"could not allocate {size:,} bytes of workspace")
    return data


cdef void release(char* data) noexcept nogil:
    cf_release(data)


def to_alignment(block):
    """Bytes from the start of a buffer to the next cache line."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(block, &buffer, PyBUF_SIMPLE)
    cdef Py_ssize_t address = <Py_ssize_t> buffer.buf
    PyBuffer_Release(&buffer)
    return -address & (CF_ALIGNMENT - 1)


def in_use():
    """Bytes that all threads have allocated and not yet released."""
    return cf_in_use()


def allocated():
    """Bytes that the calling thread has allocated in its life."""
    return cf_allocated()
