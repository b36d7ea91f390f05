"""The gradients of what every channel has of its own: a depthwise filter, a bias.

    gw[c, 0, r, s] = sum over n, oh, ow of g[n, c, oh, ow] * x[n, c, oh S - P + r D, ow S - P + s D]

The lanes are channels, and all taps of a filter are added up in one pass over g and x. The output's
rows are cut into blocks, through which one strip of channels after the other goes while they are in
the caches. Channels-last arrays are read where they lie, as far as the channels fill whole vectors:
windows that reach into padding go without those taps. A bias is a filter of one tap, for an image
of ones.

The blocks are dealt out to a number of parts, each with sums of its own, which are added up in
their order at the end: the result does not depend on the number of threads.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, cf_taps, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image, taps_inside, whole_windows
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, pack_tile, release, rounded_up

cdef enum:
    POSITIONS = 512  # in one chain of additions, at most: a long one loses two digits
    PART = 128       # positions, at least
    PARTS = 64       # at most


cdef struct Gradient:
    const cf_kernels* k
    Image x, g, sums           # sums is gw, or gb
    Axis rows, cols
    bint bias                  # x is a vector of ones
    Py_ssize_t width, strips   # channels of a strip
    Py_ssize_t block_rows, row_blocks, parts
    char* partial              # sums of every strip and part: (R, S, width)
    char* scratch
    Py_ssize_t sums_bytes, x_bytes, g_bytes


cdef struct Pixels:
    # A channel strip of an image, or a packed part of it.
    char* data
    Py_ssize_t row_step, step


def backward_weights(g, x, gw, rows, cols):
    """gw = the gradient of the weights (C, 1, R, S)."""
    cdef Gradient job
    job.x, job.g, job.sums, job.bias = image(x), image(g), image(gw, True), False
    job.rows, job.cols = axis(rows), axis(cols)
    run(&job)


def backward_bias(g, gb):
    """gb = the sum of g over batch, rows and columns; gb is a (C, 1, 1, 1) array."""
    cdef Gradient job
    cdef Py_ssize_t i
    job.g, job.sums, job.bias = image(g), image(gb, True), True
    job.rows = Axis(job.g.h, 1, 1, 0, 0, 1, job.g.h)
    job.cols = Axis(job.g.w, 1, 1, 0, 0, 1, job.g.w)
    cdef double[8] ones  # as long as the longest vector, of either type
    for i in range(16 if job.g.itemsize == 4 else 8):
        if job.g.itemsize == 4:
            (<float*> ones)[i] = 1
        else:
            ones[i] = 1
    job.x.data = <char*> ones
    run(&job)


cdef int run(Gradient* job) except -1:
    """Compute every part, then add up the parts and store the sums."""
    cdef Py_ssize_t itemsize = job.g.itemsize, positions = job.g.n * job.g.h * job.g.w
    cdef Py_ssize_t partial_bytes
    cdef int threads = threads_for(
        <double> positions * job.sums.n * job.rows.kernel * job.cols.kernel
    )
    cdef char* space
    job.k = kernels_for(itemsize)
    job.width = job.k.lanes * job.k.tile_vectors
    job.strips = (job.sums.n + job.width - 1) // job.width
    job.block_rows = min(max(POSITIONS // max(job.cols.out, 1), 1), max(job.rows.out, 1))
    job.row_blocks = (job.rows.out + job.block_rows - 1) // job.block_rows
    job.parts = max(min(positions // PART, job.g.n * job.row_blocks, <Py_ssize_t> PARTS), 1)
    job.sums_bytes = rounded_up(job.rows.kernel * job.cols.kernel * job.width * itemsize, 64)
    job.g_bytes = rounded_up(job.block_rows * job.cols.out * job.width * itemsize, 64)
    job.x_bytes = 0 if job.bias else rounded_up(
        span(&job.rows, job.block_rows) * span(&job.cols, job.cols.out) * job.width * itemsize, 64
    )
    partial_bytes = job.strips * job.parts * job.sums_bytes
    space = allocate(partial_bytes + threads * (job.x_bytes + job.g_bytes))
    job.partial, job.scratch = space, space + partial_bytes
    with nogil:
        memset(job.partial, 0, partial_bytes)
        parallel(add_part, job, sizeof(job[0]), job.parts, threads)
        parallel(store_strip, job, sizeof(job[0]), job.strips, threads)
        release(space)
    return 0


cdef inline Py_ssize_t span(const Axis* a, Py_ssize_t windows) noexcept nogil:
    """How far that many windows reach."""
    return max((windows - 1) * a.stride + (a.kernel - 1) * a.dilation + 1, 0)


cdef void add_part(void* context, Py_ssize_t part, int thread) noexcept nogil:
    """The sums of one part, for all channels."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t blocks = job.g.n * job.row_blocks, block, strip, row, rows
    cdef char* tile = job.scratch + thread * (job.x_bytes + job.g_bytes)
    for block in range(blocks * part // job.parts, blocks * (part + 1) // job.parts):
        row = block % job.row_blocks * job.block_rows
        rows = min(job.block_rows, job.rows.out - row)
        for strip in range(job.strips):
            add_block(
                job, block // job.row_blocks, row, rows, strip * job.width, tile,
                job.partial + (strip * job.parts + part) * job.sums_bytes,
            )


cdef void add_block(
    const Gradient* job, Py_ssize_t n, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t channel,
    char* tile, char* sums,
) noexcept nogil:
    """Add what some rows of an image contribute to a strip's sums."""
    cdef Py_ssize_t channels = min(job.width, job.sums.n - channel)
    cdef Py_ssize_t pixel = job.width * job.g.itemsize, i
    cdef Py_ssize_t columns = span(&job.cols, job.cols.out)
    cdef bint whole = channels % job.k.lanes == 0
    cdef int vectors = <int> ((channels + job.k.lanes - 1) // job.k.lanes)
    cdef Pixels g, x
    cdef bint inside = False  # no window is cut off
    if whole and job.g.sc == job.g.itemsize:
        g = Pixels(
            job.g.data + n * job.g.sn + channel * job.g.sc + row * job.g.sh, job.g.sh, job.g.sw
        )
    else:
        g = Pixels(tile, job.cols.out * pixel, pixel)
        pack_tile(
            job.k, &job.g, n, channel, channels, row, 1, rows, 0, job.cols.out, g.data, job.width
        )
    if job.bias:
        x = Pixels(job.x.data, 0, 0)
    elif whole and job.x.sc == job.x.itemsize:
        x = Pixels(
            job.x.data + n * job.x.sn + channel * job.x.sc
            + (row * job.rows.stride - job.rows.before) * job.x.sh - job.cols.before * job.x.sw,
            job.x.sh, job.x.sw,
        )
    else:
        inside = True
        x = Pixels(tile + job.g_bytes, columns * pixel, pixel)
        pack_tile(
            job.k, &job.x, n, channel, channels, row * job.rows.stride - job.rows.before, 1,
            span(&job.rows, rows), -job.cols.before, columns, x.data, job.width,
        )
    for i in range(rows):
        add_row(
            job, row + i, vectors, g.data + i * g.row_step, g.step,
            x.data + i * job.rows.stride * x.row_step, &x, inside, sums,
        )


cdef void add_row(
    const Gradient* job, Py_ssize_t row, int vectors, const char* g, Py_ssize_t g_step,
    const char* x, const Pixels* pixels, bint inside, char* sums,
) noexcept nogil:
    """Add what one row of the output gives: positions whose windows are cut off one by one."""
    cdef Py_ssize_t top = 0, bottom = job.rows.kernel, left = 0, right = job.cols.kernel
    cdef Py_ssize_t pixel = job.width * job.g.itemsize, vector = job.k.lanes * job.g.itemsize
    cdef Py_ssize_t x_step = job.cols.stride * pixels.step, at = 0, run
    cdef const char* first
    cdef cf_taps taps
    cdef int v
    taps.row_step = job.rows.dilation * pixels.row_step
    taps.column_step = job.cols.dilation * pixels.step
    taps.row_number, taps.column_number = job.cols.kernel, 1
    if not inside:
        taps_inside(&job.rows, row, &top, &bottom)
    while at < job.cols.out:
        run = min(job.cols.out - at, <Py_ssize_t> POSITIONS)
        if not inside:
            taps_inside(&job.cols, at, &left, &right)
            run = min(run, whole_windows(&job.cols, at))
        taps.number = top * job.cols.kernel + left
        taps.rows, taps.columns = bottom - top, right - left
        first = x + at * x_step + top * taps.row_step + left * taps.column_step
        for v in range(vectors):
            job.k.depthwise_sums(
                sums + v * vector, pixel, g + at * g_step + v * vector, g_step,
                first + (0 if job.bias else v * vector), x_step, run, &taps,
            )
        at += run


cdef void store_strip(void* context, Py_ssize_t strip, int thread) noexcept nogil:
    """Add up a strip's parts, in order, and move the sums to gw[channel:, 0, :, :]."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t itemsize = job.g.itemsize, part, r, channel = strip * job.width
    cdef Py_ssize_t pixel = job.width * itemsize
    cdef char* sums = job.partial + strip * job.parts * job.sums_bytes
    for part in range(1, job.parts):
        job.k.add(sums, sums + part * job.sums_bytes, job.sums_bytes // itemsize)
    for r in range(job.rows.kernel):
        job.k.copy2d(
            job.sums.data + channel * job.sums.sn + r * job.sums.sh, job.sums.sn, job.sums.sw,
            sums + r * job.cols.kernel * pixel, itemsize, pixel,
            min(job.width, job.sums.n - channel), job.cols.kernel,
        )
