"""Scratch memory and the packing of tiles into it."""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels
from cnnfast._ext.images cimport Image

cdef enum:
    TILE_BYTES = 256 * 1024  # a packed tile stays in L2, with room for the weights streaming by

cdef char* allocate(Py_ssize_t size) except NULL
cdef void release(char* data) noexcept nogil
cdef int allocate_both(
    Py_ssize_t size, char** data, Py_ssize_t scratch_size, char** scratch
) except -1
cdef void release_both(char* data, char* scratch) noexcept nogil


cdef inline Py_ssize_t rounded_up(Py_ssize_t value, Py_ssize_t unit) noexcept nogil:
    return (value + unit - 1) // unit * unit


cdef inline void pack_row(
    const cf_kernels* k, const Image* x, const char* row, Py_ssize_t channels, Py_ssize_t left,
    Py_ssize_t columns, char* packed, Py_ssize_t width,
) noexcept nogil:
    """Copy columns left..left+columns of one image row, zero outside it, channels innermost.

    A packed pixel is `width` channels wide; those past `channels` are zero."""
    cdef Py_ssize_t pixel = width * x.itemsize
    cdef Py_ssize_t first = min(max(-left, 0), columns)
    cdef Py_ssize_t last = max(min(x.w - left, columns), first)
    cdef const char* source = row + (left + first) * x.sw
    cdef char* target = packed + first * pixel
    if width > channels:
        memset(packed, 0, columns * pixel)
    else:
        memset(packed, 0, first * pixel)
        memset(packed + last * pixel, 0, (columns - last) * pixel)
    if width == channels and x.sc == x.itemsize and x.sw == pixel:
        k.copy2d(target, 0, x.itemsize, source, 0, x.itemsize, 1, (last - first) * width)
    else:
        k.copy2d(target, pixel, x.itemsize, source, x.sw, x.sc, last - first, channels)


cdef inline void pack_tile(
    const cf_kernels* k, const Image* x, Py_ssize_t n, Py_ssize_t channel, Py_ssize_t channels,
    Py_ssize_t top, Py_ssize_t row_step, Py_ssize_t rows, Py_ssize_t left, Py_ssize_t columns,
    char* packed, Py_ssize_t width,
) noexcept nogil:
    """Copy a zero-padded region of image n into (rows, columns, width) order.

    The rows are top, top + row_step, ...; the channels begin at `channel`."""
    cdef Py_ssize_t i, h
    cdef Py_ssize_t row_bytes = columns * width * x.itemsize
    cdef const char* plane = x.data + n * x.sn + channel * x.sc
    for i in range(rows):
        h = top + i * row_step
        if 0 <= h < x.h:
            pack_row(k, x, plane + h * x.sh, channels, left, columns, packed + i * row_bytes, width)
        else:
            memset(packed + i * row_bytes, 0, row_bytes)
