"""Max and average pooling, and the routing of their gradients.

A window's taps are handed to the kernels as a list of byte offsets, without those that fall into
padding. Windows that see no padding share one list. In channels-last memory a kernel runs along
the channels of one window, in C order along the neighbouring windows of one row.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image, reach
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release, rounded_up

cdef enum:
    BANDS = 8  # of input rows an image, at most: the items of a channels-last backward pass


cdef struct Taps:
    Py_ssize_t* offsets
    unsigned char* numbers
    Py_ssize_t count


cdef struct Pool:
    const cf_kernels* k
    Image x, y, winners
    Axis rows, cols
    bint is_max, keep, channels_last
    bint include_pad
    Py_ssize_t divisor   # 0: the window's size
    Py_ssize_t bands
    char* scratch
    Py_ssize_t scratch_bytes
    Py_ssize_t outside   # indices that point outside their plane
    Taps all_taps        # of a window that sees no padding


def max_pool(x, y, winners, rows, cols):
    """y = the windows' maxima; `winners` (uint8, or None) = their taps, in the layout of y."""
    cdef Pool pool
    prepare(&pool, x, y, rows, cols, False)
    pool.is_max, pool.keep = True, winners is not None
    if pool.keep:
        pool.winners = image(winners, True)
    run_forward(&pool)


def average_pool(x, y, rows, cols, bint include_pad, Py_ssize_t divisor):
    """y = the windows' sums over `divisor`, or over the windows' sizes if that is 0."""
    cdef Pool pool
    prepare(&pool, x, y, rows, cols, False)
    pool.is_max, pool.keep = False, False
    pool.include_pad, pool.divisor = include_pad, divisor
    run_forward(&pool)


def max_pool_backward(g, winners, gx, rows, cols):
    """gx = g where each window's winner was. g and winners have one layout, which gx shares."""
    cdef Pool pool
    prepare(&pool, gx, g, rows, cols, True)
    pool.is_max, pool.keep, pool.winners = True, True, image(winners)
    run_backward(&pool)


def average_pool_backward(g, gx, rows, cols, bint include_pad, Py_ssize_t divisor):
    """gx = g over the divisor, spread over each window."""
    cdef Pool pool
    prepare(&pool, gx, g, rows, cols, True)
    pool.is_max, pool.keep = False, False
    pool.include_pad, pool.divisor = include_pad, divisor
    run_backward(&pool)


def route(g, indices, gx):
    """gx.flat[indices] += g, plane by plane; gx is zero and of one of the two memory orders.

    Returns how many indices lay outside their plane."""
    cdef Pool pool
    pool.x, pool.y, pool.winners = image(gx, True), image(g), image(indices)
    pool.k = kernels_for(pool.x.itemsize)
    pool.outside = 0
    # One plane after the other on one thread: the count of strays is shared.
    with nogil:
        parallel(route_plane, &pool, pool.x.n * pool.x.c, 1)
    return pool.outside


cdef void route_plane(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef Pool* pool = <Pool*> context
    cdef Image* g = &pool.y
    cdef Image* i = &pool.winners
    cdef Py_ssize_t n = item // pool.x.c, c = item % pool.x.c, row
    for row in range(g.h):
        pool.outside += pool.k.route(
            pool.x.data + n * pool.x.sn + c * pool.x.sc,
            pool.x.sw if pool.x.w > 1 else pool.x.sh, pool.x.h * pool.x.w,
            g.data + n * g.sn + c * g.sc + row * g.sh, g.sw,
            i.data + n * i.sn + c * i.sc + row * i.sh, i.sw, g.w,
        )


cdef int prepare(Pool* pool, x, y, rows, cols, bint backward) except -1:
    pool.x, pool.y = image(x, backward), image(y, not backward)
    pool.rows, pool.cols = axis(rows), axis(cols)
    pool.k = kernels_for(pool.x.itemsize)
    pool.channels_last = (
        pool.y.sc == pool.y.itemsize and pool.x.sc == pool.x.itemsize and pool.y.c > 1
    )
    pool.scratch_bytes = rounded_up(
        pool.rows.kernel * pool.cols.kernel * (sizeof(Py_ssize_t) + 1), 64
    )
    return 0


cdef int run_forward(Pool* pool) except -1:
    cdef int threads = threads_for(
        <double> pool.y.n * pool.y.c * pool.y.h * pool.y.w * pool.rows.kernel * pool.cols.kernel
    )
    cdef char* space = allocate((threads + 1) * pool.scratch_bytes)
    cdef Py_ssize_t items = pool.y.n * (pool.y.h if pool.channels_last else pool.y.c)
    pool.scratch = space
    list_all_taps(pool, space + threads * pool.scratch_bytes)
    with nogil:
        parallel(forward_item, pool, items, threads)
        release(space)
    return 0


cdef int run_backward(Pool* pool) except -1:
    cdef int threads = threads_for(
        <double> pool.y.n * pool.y.c * pool.y.h * pool.y.w * pool.rows.kernel * pool.cols.kernel
    )
    cdef char* space = allocate((threads + 1) * pool.scratch_bytes)
    pool.scratch = space
    list_all_taps(pool, space + threads * pool.scratch_bytes)
    pool.bands = min(BANDS, pool.x.h) if pool.channels_last else 1
    with nogil:
        parallel(
            backward_item, pool,
            pool.y.n * (pool.bands if pool.channels_last else pool.y.c), threads,
        )
        release(space)
    return 0


cdef void forward_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A row of windows across all channels, or a plane of windows of one channel."""
    cdef Pool* pool = <Pool*> context
    cdef Py_ssize_t oh
    if pool.channels_last:
        pool_row(pool, thread, item // pool.y.h, 0, item % pool.y.h, 0, pool.x.h, True)
    else:
        for oh in range(pool.y.h):
            pool_row(pool, thread, item // pool.y.c, item % pool.y.c, oh, 0, pool.x.h, True)


cdef void backward_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A band of input rows across all channels, or a plane of one channel.

    No two items write to the same element, and each adds to it in the order of the windows."""
    cdef Pool* pool = <Pool*> context
    cdef Py_ssize_t n, c = 0, top = 0, bottom = pool.x.h, oh
    if pool.channels_last:
        n = item // pool.bands
        top = pool.x.h * (item % pool.bands) // pool.bands
        bottom = pool.x.h * (item % pool.bands + 1) // pool.bands
        memset(
            pool.x.data + n * pool.x.sn + top * pool.x.sh, 0,
            (bottom - top) * pool.x.w * pool.x.c * pool.x.itemsize,
        )
    else:
        n, c = item // pool.x.c, item % pool.x.c
        memset(
            pool.x.data + n * pool.x.sn + c * pool.x.sc, 0,
            pool.x.h * pool.x.w * pool.x.itemsize,
        )
    for oh in range(pool.y.h):
        pool_row(pool, thread, n, c, oh, top, bottom, False)


cdef void pool_row(
    const Pool* pool, int thread, Py_ssize_t n, Py_ssize_t c, Py_ssize_t oh, Py_ssize_t top,
    Py_ssize_t bottom, bint forward,
) noexcept nogil:
    """One row of windows, as far as their taps lie in the input rows top..bottom-1."""
    cdef const Axis* a = &pool.cols
    cdef Py_ssize_t h = oh * pool.rows.stride - pool.rows.before
    cdef Py_ssize_t first_r, last_r, first, last, ow, unused
    cdef Taps taps
    clip(h, pool.rows.dilation, pool.rows.kernel, top, bottom, &first_r, &last_r)
    if first_r >= last_r:
        return
    place_list(pool, &taps, pool.scratch + thread * pool.scratch_bytes)
    # Windows first..last-1 have all their columns inside the input.
    reach(a, 0, &first, &unused)
    reach(a, a.kernel - 1, &unused, &last)
    last = max(last, first)
    ow = 0
    while ow < a.out:
        if first <= ow < last:
            if first_r == 0 and last_r == pool.rows.kernel:
                pool_windows(pool, &pool.all_taps, n, c, oh, ow, last - ow, forward)
            else:
                list_taps(pool, &taps, first_r, last_r, ow)
                pool_windows(pool, &taps, n, c, oh, ow, last - ow, forward)
            ow = last
        else:
            list_taps(pool, &taps, first_r, last_r, ow)
            pool_windows(pool, &taps, n, c, oh, ow, 1, forward)
            ow += 1


cdef inline void clip(
    Py_ssize_t start, Py_ssize_t step, Py_ssize_t taps, Py_ssize_t low, Py_ssize_t high,
    Py_ssize_t* first, Py_ssize_t* last,
) noexcept nogil:
    """The taps first..last-1 of start, start + step, ... that lie in low..high-1."""
    first[0] = 0 if start >= low else (low - start + step - 1) // step
    last[0] = 0 if start >= high else min((high - 1 - start) // step + 1, taps)


cdef void list_all_taps(Pool* pool, char* memory) noexcept nogil:
    """List the taps of windows that see no padding."""
    place_list(pool, &pool.all_taps, memory)
    fill_list(pool, &pool.all_taps, 0, pool.rows.kernel, 0, pool.cols.kernel)


cdef inline void place_list(const Pool* pool, Taps* taps, char* memory) noexcept nogil:
    taps.offsets = <Py_ssize_t*> memory
    taps.numbers = <unsigned char*> (taps.offsets + pool.rows.kernel * pool.cols.kernel)


cdef void list_taps(
    const Pool* pool, Taps* taps, Py_ssize_t first_r, Py_ssize_t last_r, Py_ssize_t ow
) noexcept nogil:
    """List the taps of rows first_r..last_r-1 that window column ow sees."""
    cdef const Axis* a = &pool.cols
    cdef Py_ssize_t first_s, last_s
    clip(ow * a.stride - a.before, a.dilation, a.kernel, 0, a.size, &first_s, &last_s)
    fill_list(pool, taps, first_r, last_r, first_s, last_s)


cdef void fill_list(
    const Pool* pool, Taps* taps, Py_ssize_t first_r, Py_ssize_t last_r, Py_ssize_t first_s,
    Py_ssize_t last_s,
) noexcept nogil:
    cdef const Axis* a = &pool.cols
    cdef Py_ssize_t r, s
    taps.count = 0
    for r in range(first_r, last_r):
        for s in range(first_s, last_s):
            taps.offsets[taps.count] = (
                r * pool.rows.dilation * pool.x.sh + s * a.dilation * pool.x.sw
            )
            if pool.keep:
                taps.numbers[taps.count] = <unsigned char> (r * a.kernel + s)
            taps.count += 1


cdef inline Py_ssize_t extent(const Axis* a, Py_ssize_t o, bint include_pad) noexcept nogil:
    """Elements of window o along one axis that an average divides by."""
    cdef Py_ssize_t start = o * a.stride - a.before
    if include_pad:
        return min(start + a.kernel, a.size + a.after) - start
    return min(start + a.kernel, a.size) - max(start, 0)


cdef void pool_windows(
    const Pool* pool, const Taps* taps, Py_ssize_t n, Py_ssize_t c, Py_ssize_t oh, Py_ssize_t ow,
    Py_ssize_t windows, bint forward,
) noexcept nogil:
    """`windows` neighbouring windows that see the same taps."""
    cdef Py_ssize_t offset = n * pool.y.sn + c * pool.y.sc + oh * pool.y.sh + ow * pool.y.sw
    cdef char* y = pool.y.data + offset
    cdef unsigned char* winners = NULL
    cdef char* x = (
        pool.x.data + n * pool.x.sn + c * pool.x.sc
        + (oh * pool.rows.stride - pool.rows.before) * pool.x.sh
        + (ow * pool.cols.stride - pool.cols.before) * pool.x.sw
    )
    cdef Py_ssize_t x_step = pool.cols.stride * pool.x.sw, i
    cdef double divisor = pool.divisor
    if pool.keep:
        winners = <unsigned char*> pool.winners.data + offset // pool.y.itemsize
    if not pool.is_max and pool.divisor == 0:
        divisor = <double> extent(&pool.rows, oh, pool.include_pad) * (
            extent(&pool.cols, ow, pool.include_pad)
        )
    if pool.channels_last:
        for i in range(windows):
            pool_run(
                pool, taps, y + i * pool.y.sw, winners + i * pool.winners.sw if pool.keep else NULL,
                x + i * x_step, pool.x.itemsize, divisor, pool.y.c, forward,
            )
    else:
        pool_run(pool, taps, y, winners, x, x_step, divisor, windows, forward)


cdef inline void pool_run(
    const Pool* pool, const Taps* taps, char* y, unsigned char* winners, char* x,
    Py_ssize_t x_step, double divisor, Py_ssize_t count, bint forward,
) noexcept nogil:
    if pool.is_max and forward:
        pool.k.max_taps(y, winners, x, x_step, taps.offsets, taps.numbers, taps.count, count)
    elif pool.is_max:
        pool.k.max_taps_backward(
            x, x_step, y, winners, taps.offsets, taps.numbers, taps.count, count
        )
    elif forward:
        pool.k.sum_taps(y, x, x_step, taps.offsets, taps.count, divisor, count)
    else:
        pool.k.sum_taps_backward(x, x_step, y, taps.offsets, taps.count, divisor, count)
