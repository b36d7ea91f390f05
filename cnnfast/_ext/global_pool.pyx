"""Pooling over whole planes, and its gradients.

Images are of one of the two memory orders: channels-last ones are done by blocks of channels, C
ordered ones by groups of planes.
"""
from cnnfast._ext.dispatch cimport cf_kernels, cf_taps, kernels_for
from cnnfast._ext.images cimport Image, image
from cnnfast._ext.threads cimport parallel, threads_for

cdef enum:
    CHANNELS = 128  # of a channels-last image at a time
    PLANES = 16     # in C order


cdef struct Pool:
    const cf_kernels* k
    Image x, gx
    char* y            # (N, C): the result of a forward pass, the gradient of a backward pass
    bint is_max, backward, channels_last
    double divisor
    Py_ssize_t blocks  # of an image's channels


def average_pool(x, y, double divisor):
    """y (N, C, 1, 1) = the planes' sums over the divisor."""
    cdef Pool pool
    prepare(&pool, x, y, True)
    pool.is_max, pool.backward, pool.divisor = False, False, divisor
    run(&pool)


def max_pool(x, y):
    """y (N, C, 1, 1) = the planes' maxima."""
    cdef Pool pool
    prepare(&pool, x, y, True)
    pool.is_max, pool.backward = True, False
    run(&pool)


def max_pool_backward(g, x, gx):
    """gx = g (N, C, 1, 1) where each plane of x has its first maximum, 0 elsewhere.

    gx is laid out as x is."""
    cdef Pool pool
    prepare(&pool, x, g, False)
    pool.is_max, pool.backward, pool.gx = True, True, image(gx, True)
    run(&pool)


cdef int prepare(Pool* pool, x, y, bint writable) except -1:
    pool.x, pool.y = image(x), image(y, writable).data
    pool.k = kernels_for(pool.x.itemsize)
    pool.channels_last = pool.x.c > 1 and pool.x.sc == pool.x.itemsize and pool.x.h * pool.x.w > 1
    pool.blocks = (pool.x.c + CHANNELS - 1) // CHANNELS
    return 0


cdef int run(Pool* pool) except -1:
    cdef Py_ssize_t planes = pool.x.n * pool.x.c
    cdef int threads = threads_for(<double> planes * pool.x.h * pool.x.w)
    with nogil:
        if pool.channels_last:
            parallel(pool_channels, pool, sizeof(pool[0]), pool.x.n * pool.blocks, threads)
        else:
            parallel(pool_planes, pool, sizeof(pool[0]), (planes + PLANES - 1) // PLANES, threads)
    return 0


cdef void pool_channels(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef const Pool* pool = <const Pool*> context
    cdef Py_ssize_t n = item // pool.blocks, first = item % pool.blocks * CHANNELS
    cdef Py_ssize_t channels = min(pool.x.c - first, CHANNELS), size = pool.x.itemsize
    cdef Py_ssize_t pixels = pool.x.h * pool.x.w, step = pool.x.c * size
    cdef const char* x = pool.x.data + (n * pixels * pool.x.c + first) * size
    cdef char* y = pool.y + (n * pool.x.c + first) * size
    cdef cf_taps taps
    taps.rows, taps.row_step, taps.columns, taps.column_step = 1, 0, pixels, step
    if pool.backward:
        pool.k.route_channels(
            pool.gx.data + (n * pixels * pool.x.c + first) * size, y, x, step, pixels, channels
        )
    elif pool.is_max:
        pool.k.max_channels(y, x, step, pixels, channels)
    else:
        pool.k.sum_windows(y, 0, x, 0, size, &taps, pool.divisor, 1, channels)


cdef void pool_planes(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef const Pool* pool = <const Pool*> context
    cdef Py_ssize_t first = item * PLANES, size = pool.x.itemsize, i
    cdef Py_ssize_t planes = min(pool.x.n * pool.x.c - first, PLANES)
    cdef Py_ssize_t count = pool.x.h * pool.x.w, step = count * size
    cdef const char* x = pool.x.data + first * step
    cdef char* y = pool.y + first * size
    if pool.backward:
        for i in range(planes):
            pool.k.route_span(
                pool.gx.data + (first + i) * step, y + i * size, x + i * step, count
            )
    elif pool.is_max:
        pool.k.max_spans(y, x, step, count, planes)
    else:
        pool.k.sum_spans(y, x, step, count, pool.divisor, planes)
