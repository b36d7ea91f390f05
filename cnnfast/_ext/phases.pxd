"""Convolutions of stride S as convolutions of stride 1, for Winograd's minimal filtering.

Every S x S square of pixels is taken for one pixel of S * S * C channels, ordered by phase (its row
and column within the square) and channel. A filter of R taps a side then has ceil(R / S) of them;
those past the R-th are zero.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport CF_WINOGRADS, cf_kernels, cf_winograd
from cnnfast._ext.images cimport Axis, Image
from cnnfast._ext.workspace cimport pack_tile


cdef inline const cf_winograd* transforms(
    const cf_kernels* k, Py_ssize_t m, Py_ssize_t r
) noexcept nogil:
    """Those of F(m x m, r x r); NULL if there are none."""
    cdef int i
    for i in range(CF_WINOGRADS):
        if k.winograd[i].m == m and k.winograd[i].r == r:
            return &k.winograd[i]
    return NULL


cdef struct Run:
    # Adjacent channels of one phase: the phase, its first channel among the C, and their number.
    Py_ssize_t row, col, channel, count


cdef inline Run run_at(
    Py_ssize_t channel, Py_ssize_t most, Py_ssize_t channels, Py_ssize_t stride
) noexcept nogil:
    """The run that begins at `channel` of all S * S * C."""
    cdef Run run
    cdef Py_ssize_t phase = channel // channels
    run.row, run.col, run.channel = phase // stride, phase % stride, channel % channels
    run.count = min(most, channels - run.channel)
    return run


cdef inline Py_ssize_t taps_of(
    Py_ssize_t kernel, Py_ssize_t stride, Py_ssize_t phase
) noexcept nogil:
    """How many of a filter's taps along an axis meet a phase."""
    return (kernel - phase + stride - 1) // stride


cdef inline void inside(
    Py_ssize_t first, Py_ssize_t stride, Py_ssize_t count, Py_ssize_t size, Py_ssize_t* low,
    Py_ssize_t* high,
) noexcept nogil:
    """Which of first, first + stride, ... (`count` of them) lie in 0..size-1: low..high-1."""
    low[0] = min(0 if first >= 0 else (-first + stride - 1) // stride, count)
    high[0] = max(min((size - first + stride - 1) // stride if first < size else 0, count), low[0])


cdef inline void pack_phases(
    const cf_kernels* k, const Image* x, Py_ssize_t n, const Axis* down, const Axis* across,
    Py_ssize_t top, Py_ssize_t rows, Py_ssize_t left, Py_ssize_t columns, char* packed,
    Py_ssize_t width,
) noexcept nogil:
    """Copy squares top..top+rows by left..left+columns of image n, zero-padded, channels innermost.

    Squares are counted from the first pixel of the first window; a packed one is `width` wide."""
    cdef Py_ssize_t stride = down.stride, pixel = width * x.itemsize, row = columns * pixel
    cdef Py_ssize_t i, a, b, h, w, low, high
    if stride == 1:
        pack_tile(
            k, x, n, 0, x.c, top - down.before, 1, rows, left - across.before, columns, packed,
            width,
        )
        return
    memset(packed, 0, rows * row)
    for i in range(rows):
        for a in range(stride):
            h = (top + i) * stride + a - down.before
            if not 0 <= h < x.h:
                continue
            for b in range(stride):
                w = left * stride + b - across.before
                inside(w, stride, columns, x.w, &low, &high)
                k.copy2d(
                    packed + i * row + low * pixel + (a * stride + b) * x.c * x.itemsize, pixel,
                    x.itemsize, x.data + n * x.sn + h * x.sh + (w + low * stride) * x.sw,
                    stride * x.sw, x.sc, high - low, x.c,
                )
