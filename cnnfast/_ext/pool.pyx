"""Max and average pooling, and their gradients.

Forward, the targets are outputs, each with a window of sources in the input; backward, the targets
are inputs, and their sources the outputs whose windows they are in. Channels-last memory is done
row by row of targets, and a kernel runs along the channels; C order plane by plane, and it runs
along the neighbouring windows of one row. So every target is written once. Only where too few lie
side by side for vectors is the gradient of max pooling scattered: in C order, where neighbouring
windows are a stride apart, and with few channels.
"""
from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, cf_taps, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image
from cnnfast._ext.pool_runs cimport Run, list_runs, run_of
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release, rounded_up

cdef enum:
    BAND_BYTES = 24 * 1024  # of a padded plane, at a time: it stays in L1 or near
    LANES = 16              # channels that one thread does at least


cdef struct Pool:
    const cf_kernels* k
    Image target, source, winners, indices
    Axis rows, cols
    bint is_max, backward, channels_last, scattered, paired
    double divisor
    Run* column_runs
    unsigned char* firsts  # of padded planes: each window's first tap inside the input
    int64_t* starts        # where each window (of each channel, to scatter) starts, for indices
    Py_ssize_t channels    # that are scattered together
    Py_ssize_t n_column_runs
    bint padded            # planes are copied, so that no window leaves them
    Py_ssize_t pitch       # bytes of a row of such a copy
    Py_ssize_t band        # rows of targets made from one copy, or outputs scattered at a time
    char* scratch
    Py_ssize_t scratch_bytes


def max_pool(x, y, winners, indices, rows, cols):
    """y = the windows' maxima; `winners` (uint8) and `indices` (int64), each unless None, tell
    where they were: as a tap's number, and as a pixel's in its plane. All are laid out as y is."""
    cdef Pool pool
    prepare(&pool, y, x, rows, cols, False)
    pool.is_max = True
    if winners is not None:
        pool.winners = image(winners, True)
    if indices is not None:
        pool.indices = image(indices, True)
    run(&pool)


def average_pool(x, y, rows, cols, double divisor):
    """y = the windows' sums over `divisor`."""
    cdef Pool pool
    prepare(&pool, y, x, rows, cols, False)
    pool.divisor = divisor
    run(&pool)


def max_pool_backward(g, winners, gx, rows, cols):
    """gx = g where each window's winner was. g and winners have one layout, which gx shares."""
    cdef Pool pool
    prepare(&pool, gx, g, rows, cols, True)
    pool.is_max, pool.winners = True, image(winners)
    run(&pool)


def average_pool_backward(g, gx, rows, cols, double divisor):
    """gx = g over the divisor, spread over each window. g and gx share one layout."""
    cdef Pool pool
    prepare(&pool, gx, g, rows, cols, True)
    pool.divisor = divisor
    run(&pool)


cdef int prepare(Pool* pool, target, source, rows, cols, bint backward) except -1:
    memset(pool, 0, sizeof(Pool))
    pool.target, pool.source = image(target, True), image(source)
    pool.rows, pool.cols = axis(rows), axis(cols)
    pool.k = kernels_for(pool.target.itemsize)
    pool.backward = backward
    pool.channels_last = (
        pool.target.c > 1 and pool.target.sc == pool.target.itemsize
        and pool.source.sc == pool.source.itemsize
    )
    return 0


cdef int run(Pool* pool) except -1:
    cdef Py_ssize_t windows = pool.rows.out * pool.cols.out
    cdef int threads = threads_for(
        <double> pool.target.n * pool.target.c * windows * pool.rows.kernel * pool.cols.kernel
    )
    cdef Py_ssize_t items = pool.target.n, runs_bytes = 0, firsts_bytes = 0, starts_bytes = 0
    cdef char* space
    pool.scattered = pool.is_max and pool.backward and (
        not pool.channels_last or pool.target.c < LANES
    )
    pool.channels = pool.target.c if pool.channels_last and pool.scattered else 1
    pool.paired = not pool.channels_last and (
        pool.rows.kernel == pool.rows.stride == pool.cols.kernel == pool.cols.stride == 2
        and pool.rows.dilation == pool.cols.dilation == 1
        and pool.rows.before == pool.cols.before == 0
        and overhang(&pool.rows) <= 0 and overhang(&pool.cols) <= 0
    )
    if not pool.channels_last:
        items *= pool.target.c
    elif not pool.scattered:
        items *= pool.target.h
        runs_bytes = rounded_up(pool.target.w * sizeof(Run), 64)
    plan_scratch(pool)
    if pool.padded and (pool.winners.data != NULL or pool.indices.data != NULL):
        firsts_bytes = rounded_up(windows, 64)
    if pool.scattered or pool.indices.data != NULL:
        starts_bytes = rounded_up(windows * pool.channels * sizeof(int64_t), 64)
    space = allocate(
        runs_bytes + firsts_bytes + starts_bytes + threads * pool.scratch_bytes
    )
    pool.scratch = space + runs_bytes + firsts_bytes + starts_bytes
    with nogil:
        if runs_bytes:
            pool.column_runs = <Run*> space
            pool.n_column_runs = list_runs(&pool.cols, pool.backward, pool.column_runs)
        if firsts_bytes:
            pool.firsts = <unsigned char*> (space + runs_bytes)
            list_firsts(pool)
        if starts_bytes:
            pool.starts = <int64_t*> (space + runs_bytes + firsts_bytes)
            list_starts(pool)
        if pool.scattered:
            parallel(
                pair_plane if pool.paired else scatter_image, pool, sizeof(pool[0]), items, threads
            )
        elif pool.channels_last:
            parallel(make_row, pool, sizeof(pool[0]), items, threads)
        else:
            if pool.padded:
                fill(pool, pool.scratch, threads * pool.scratch_bytes)
            parallel(make_plane, pool, sizeof(pool[0]), items, threads)
        release(space)
    return 0


cdef void plan_scratch(Pool* pool) noexcept nogil:
    """What each thread needs: a padded copy of (a band of) a plane, winners, indices."""
    cdef const Axis* rows = &pool.rows
    cdef const Axis* cols = &pool.cols
    cdef Py_ssize_t size = pool.target.itemsize, columns
    if pool.scattered:
        pool.band = min(
            rows.out * cols.out * pool.channels, BAND_BYTES // <Py_ssize_t> sizeof(int64_t)
        )
        pool.scratch_bytes = pool.band * sizeof(int64_t)
    elif pool.channels_last:
        if pool.indices.data != NULL:
            pool.scratch_bytes = pool.target.w * pool.target.c
    elif pool.backward:
        columns = max(cols.size + cols.kernel, cols.kernel + cols.out * cols.stride)
        pool.pitch, pool.padded = columns * size, True
        pool.band = min(rows.size, max(1, BAND_BYTES // pool.pitch) * rows.stride)
        pool.scratch_bytes = ((pool.band + rows.kernel) // rows.stride + 2) * pool.pitch
    else:
        pool.padded = (
            rows.before > 0 or cols.before > 0 or overhang(rows) > 0 or overhang(cols) > 0
            or (pool.source.sw != size and cols.size > 1)
        )
        columns = cols.before + cols.size + max(overhang(cols), 0)
        pool.pitch = columns * size if pool.padded else pool.source.sh
        pool.band = rows.out
        if pool.padded:
            pool.band = min(pool.band, max(1, BAND_BYTES // (pool.pitch * rows.stride)))
            pool.scratch_bytes = rounded_up(band_rows(rows, pool.band) * pool.pitch, 64)
        if pool.indices.data != NULL:
            pool.scratch_bytes += pool.band * cols.out
    pool.scratch_bytes = rounded_up(pool.scratch_bytes, 64)


cdef inline Py_ssize_t overhang(const Axis* a) noexcept nogil:
    """How far the last window runs past the input; negative if it ends before that."""
    return (a.out - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 - a.before - a.size


cdef inline Py_ssize_t band_rows(const Axis* a, Py_ssize_t outputs) noexcept nogil:
    """The inputs under that many neighbouring windows."""
    return (outputs - 1) * a.stride + (a.kernel - 1) * a.dilation + 1


cdef void list_firsts(Pool* pool) noexcept nogil:
    cdef Py_ssize_t oh, ow, row
    for oh in range(pool.rows.out):
        row = run_of(&pool.rows, oh, False).number * pool.cols.kernel
        for ow in range(pool.cols.out):
            pool.firsts[oh * pool.cols.out + ow] = <unsigned char> (
                row + run_of(&pool.cols, ow, False).number
            )


cdef void list_starts(Pool* pool) noexcept nogil:
    cdef Py_ssize_t oh, ow, c, start
    cdef int64_t* at = pool.starts
    for oh in range(pool.rows.out):
        start = (oh * pool.rows.stride - pool.rows.before) * pool.cols.size - pool.cols.before
        for ow in range(pool.cols.out):
            for c in range(pool.channels):
                at[c] = (start + ow * pool.cols.stride) * pool.channels + c
            at += pool.channels


cdef inline void number_pixels(
    const Pool* pool, int64_t* indices, const unsigned char* winners, Py_ssize_t first,
    Py_ssize_t starts, Py_ssize_t count,
) noexcept nogil:
    """Turn winners into the pixels where they are, for starts from number `first` on, each of
    `count` windows."""
    pool.k.flat_indices(
        indices, winners, pool.starts + first,
        pool.rows.dilation * pool.cols.size * pool.channels, pool.cols.dilation * pool.channels,
        pool.cols.kernel, starts, count,
    )


# ---------------------------------------------------------------------------- channels-last


cdef void make_row(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A row of targets across all channels."""
    cdef const Pool* pool = <const Pool*> context
    cdef const Image* target = &pool.target
    cdef const Image* source = &pool.source
    cdef Py_ssize_t n = item // target.h, h = item % target.h, i, at, source_at
    cdef Py_ssize_t size = target.itemsize
    cdef unsigned char* winners = NULL
    cdef Run rows = run_of(&pool.rows, h, pool.backward)
    cdef Run* run
    cdef cf_taps taps
    if pool.winners.data != NULL:
        winners = <unsigned char*> pool.winners.data
    elif pool.indices.data != NULL:  # a row at a time, to be made indices
        winners = <unsigned char*> (pool.scratch + thread * pool.scratch_bytes)
        winners -= (n * target.sn + h * target.sh) // size
    for i in range(pool.n_column_runs):
        run = &pool.column_runs[i]
        taps.rows, taps.row_step = rows.taps, rows.source_step * source.sh
        taps.columns, taps.column_step = run.taps, run.source_step * source.sw
        taps.number = rows.number * pool.cols.kernel + run.number
        taps.row_number = rows.number_step * pool.cols.kernel
        taps.column_number = run.number_step
        at = n * target.sn + h * target.sh + run.target * target.sw
        source_at = n * source.sn
        if taps.rows and taps.columns:
            source_at += rows.source * source.sh + run.source * source.sw
        if not pool.is_max:
            pool.k.sum_windows(
                target.data + at, run.target_step * target.sw, source.data + source_at,
                run.source_move * source.sw, size, &taps, pool.divisor, run.count, target.c,
            )
        elif pool.backward:
            pool.k.route_windows(
                target.data + at, run.target_step * target.sw, source.data + source_at,
                run.source_move * source.sw, winners + source_at // size, &taps, run.count,
                target.c,
            )
        else:
            pool.k.max_windows(
                target.data + at, target.sw, winners + at // size if winners != NULL else NULL,
                target.sw // size, source.data + source_at, run.source_move * source.sw, size,
                &taps, NULL, run.count, target.c,
            )
    if pool.indices.data != NULL:
        at = (n * target.sn + h * target.sh) // size
        number_pixels(
            pool, <int64_t*> pool.indices.data + at, winners + at, h * target.w, target.w, target.c
        )


# ---------------------------------------------------------------------------- C order


cdef void make_plane(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A plane of targets of one channel, band by band."""
    cdef const Pool* pool = <const Pool*> context
    cdef Py_ssize_t n = item // pool.target.c, c = item % pool.target.c, top = 0
    cdef char* scratch = pool.scratch + thread * pool.scratch_bytes
    while top < pool.target.h:
        if pool.backward:
            spread_band(pool, n, c, top, min(pool.band, pool.target.h - top), scratch)
        else:
            pool_band(pool, n, c, top, min(pool.band, pool.target.h - top), scratch)
        top += pool.band


cdef void pool_band(
    const Pool* pool, Py_ssize_t n, Py_ssize_t c, Py_ssize_t top, Py_ssize_t count, char* scratch
) noexcept nogil:
    """The rows top..top+count-1 of a plane of outputs."""
    cdef const Axis* rows = &pool.rows
    cdef const Axis* cols = &pool.cols
    cdef Py_ssize_t size = pool.target.itemsize
    cdef Py_ssize_t at = (n * pool.target.c + c) * rows.out * cols.out + top * cols.out
    cdef const char* x = pool.source.data + n * pool.source.sn + c * pool.source.sc
    cdef unsigned char* winners = NULL
    cdef cf_taps taps
    taps.rows, taps.row_step = rows.kernel, rows.dilation * pool.pitch
    taps.columns, taps.column_step = cols.kernel, cols.dilation * size
    taps.number, taps.row_number, taps.column_number = 0, cols.kernel, 1
    if pool.padded:
        pad_band(pool, x, top * rows.stride - rows.before, band_rows(rows, count), scratch)
        x = scratch
    else:
        x += top * rows.stride * pool.pitch
    if not pool.is_max:
        pool.k.sum_windows(
            pool.target.data + at * size, cols.out * size, x, rows.stride * pool.pitch,
            cols.stride * size, &taps, pool.divisor, count, cols.out,
        )
        return
    if pool.winners.data != NULL:
        winners = <unsigned char*> pool.winners.data + at
    elif pool.indices.data != NULL:
        winners = <unsigned char*> (
            scratch + (pool.scratch_bytes - pool.band * cols.out)
        )
    pool.k.max_windows(
        pool.target.data + at * size, cols.out * size, winners, cols.out, x,
        rows.stride * pool.pitch, cols.stride * size, &taps,
        pool.firsts + top * cols.out if pool.firsts != NULL else NULL, count, cols.out,
    )
    if pool.indices.data != NULL:
        number_pixels(
            pool, <int64_t*> pool.indices.data + at, winners, top * cols.out, count * cols.out, 1
        )


cdef void pad_band(
    const Pool* pool, const char* x, Py_ssize_t top, Py_ssize_t count, char* padded
) noexcept nogil:
    """Copy the rows top..top+count-1 of a plane, which may lie outside it, with their padding.

    The padding never wins a maximum, and adds nothing to a sum. It stays as it is if all bands
    have it in the same places."""
    cdef Py_ssize_t size = pool.target.itemsize
    cdef Py_ssize_t above = min(max(-top, 0), count)
    cdef Py_ssize_t inside = max(min(pool.rows.size - top, count) - above, 0)
    if pool.band < pool.rows.out:
        fill(pool, padded, above * pool.pitch)
        fill(pool, padded + (above + inside) * pool.pitch, (count - above - inside) * pool.pitch)
    pool.k.place_rows(
        padded + above * pool.pitch + pool.cols.before * size, pool.pitch,
        x + (top + above) * pool.source.sh, pool.source.sh, pool.source.sw, inside, pool.cols.size,
    )


cdef inline void fill(const Pool* pool, char* padded, Py_ssize_t size) noexcept nogil:
    pool.k.fill(padded, -INFINITY if pool.is_max else 0, size // pool.target.itemsize)


cdef void spread_band(
    const Pool* pool, Py_ssize_t n, Py_ssize_t c, Py_ssize_t top, Py_ssize_t count, char* scratch
) noexcept nogil:
    """The rows top..top+count-1 of a plane of inputs: sums over the windows they are in.

    The outputs' gradients are first set as far apart as their windows are, with zeros between
    them, so that each input sums a whole window of them."""
    cdef const Axis* rows = &pool.rows
    cdef const Axis* cols = &pool.cols
    cdef Py_ssize_t size = pool.target.itemsize, w = pool.target.w
    cdef Py_ssize_t first = (top + rows.before - rows.kernel) // rows.stride + 1
    cdef Py_ssize_t last = (top + count - 1 + rows.before) // rows.stride
    cdef Py_ssize_t phase, row, reach
    cdef char* gx = pool.target.data + (n * pool.target.c + c) * pool.target.h * w * size
    cdef cf_taps taps
    if top + rows.before < rows.kernel:
        first = -((rows.kernel - 1 - top - rows.before) // rows.stride)
    for row in range(first, last + 1):
        spread_row(pool, n, c, row, scratch + (row - first) * pool.pitch)
    taps.columns, taps.column_step, taps.row_step = cols.kernel, size, pool.pitch
    for phase in range(min(rows.stride, count)):
        row = top + phase
        reach = (row + rows.before) % rows.stride  # the last window begins this far above
        taps.rows = (rows.kernel - reach + rows.stride - 1) // rows.stride
        if reach >= rows.kernel:
            taps.rows = 0
        pool.k.sum_windows(
            gx + row * w * size, rows.stride * w * size,
            scratch + ((row + rows.before) // rows.stride - taps.rows + 1 - first) * pool.pitch,
            pool.pitch, size, &taps, 1, (count - phase + rows.stride - 1) // rows.stride, w,
        )


cdef inline void spread_row(
    const Pool* pool, Py_ssize_t n, Py_ssize_t c, Py_ssize_t row, char* spread
) noexcept nogil:
    cdef const Axis* cols = &pool.cols
    cdef Py_ssize_t size = pool.target.itemsize
    if 0 <= row < pool.rows.out:
        pool.k.spread(
            spread + (cols.kernel - 1 - cols.before) * size,
            pool.source.data + ((n * pool.target.c + c) * pool.rows.out + row) * cols.out * size,
            cols.stride, pool.divisor, cols.out,
        )
    elif pool.band < pool.rows.size:
        fill(pool, spread, pool.pitch)


# ---------------------------------------------------------------------------- scattering


cdef void scatter_image(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """The gradient of a plane, or of all channels of a channels-last image.

    Each output's is added to the input that won its window."""
    cdef const Pool* pool = <const Pool*> context
    cdef Py_ssize_t size = pool.target.itemsize
    cdef Py_ssize_t inputs = pool.target.h * pool.target.w * pool.channels
    cdef Py_ssize_t outputs = pool.rows.out * pool.cols.out * pool.channels
    cdef Py_ssize_t first = 0, some, at
    cdef char* gx = pool.target.data + item * inputs * size
    cdef char* indices = pool.scratch + thread * pool.scratch_bytes
    memset(gx, 0, inputs * size)
    while first < outputs:
        some = min(pool.band, outputs - first)
        at = item * outputs + first
        number_pixels(
            pool, <int64_t*> indices, <const unsigned char*> pool.winners.data + at, first, some, 1
        )
        pool.k.scatter(
            gx, size, 0, inputs, pool.source.data + at * size, 0, size, indices, 0,
            sizeof(int64_t), 1, some,
        )
        first += some


cdef void pair_plane(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """The gradient of a plane of windows of 2x2 at stride 2."""
    cdef const Pool* pool = <const Pool*> context
    cdef Py_ssize_t size = pool.target.itemsize, w = pool.target.w
    cdef Py_ssize_t rows = pool.rows.out, columns = pool.cols.out, i
    cdef Py_ssize_t at = item * rows * columns
    cdef char* gx = pool.target.data + item * pool.target.h * w * size
    pool.k.route_pairs(
        gx, w * size, pool.source.data + at * size, <const unsigned char*> pool.winners.data + at,
        rows, columns,
    )
    if w > 2 * columns:
        for i in range(2 * rows):
            memset(gx + (i * w + 2 * columns) * size, 0, (w - 2 * columns) * size)
    memset(gx + 2 * rows * w * size, 0, (pool.target.h - 2 * rows) * w * size)
