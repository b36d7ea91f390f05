"""Convolution to few output channels, and the input's gradient where the input has few.

With fewer output channels than half a vector holds, the engine of `conv` would leave most lanes
idle. Here the lanes are neighbouring positions of an output row, and the filters are the rows of
the register tile. The input under a block is packed channel by channel, so that the values which
one tap of one channel meets in neighbouring windows are neighbours, too.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport TILE_BYTES, allocate_both, release_both, rounded_up

cdef enum:
    ITEMS_PER_THREAD = 4


cdef struct Few:
    const cf_kernels* k
    Image x, y
    Axis rows, cols
    Py_ssize_t groups, c_in, c_out  # channels of one group
    Py_ssize_t depth                # C*R*S
    char* filters                   # (groups, depth, c_out)
    char* bias                      # (groups, c_out)
    Py_ssize_t* offsets             # in a packed block, of each channel and tap
    Py_ssize_t width                # positions of a tile
    Py_ssize_t block_rows, row_blocks
    # The input under a block: (c_in, rows, phases, length), zero-padded, the columns of a row
    # dealt out by stride, so that neighbouring windows read neighbouring values.
    Py_ssize_t phases, phase_bytes, row_bytes, plane_bytes
    char* scratch
    Py_ssize_t tile_bytes, result_bytes


def suits(Py_ssize_t channels, Py_ssize_t itemsize):
    """Whether `channels` output channels leave at least half of a vector idle."""
    return 2 * channels <= kernels_for(itemsize).lanes


def forward(x, weight, bias, y, rows, cols, Py_ssize_t groups):
    """y = conv(x, weight) + bias. `bias` is a (1, 1, 1, K) array or None."""
    cdef Few job
    cdef Image w = image(weight), b
    cdef const char* bias_data = NULL
    cdef Py_ssize_t bias_step = 0
    if bias is not None:
        b = image(bias)
        bias_data, bias_step = b.data, b.sw
    job.x, job.y = image(x), image(y, True)
    job.rows, job.cols = axis(rows), axis(cols)
    job.groups, job.c_in, job.c_out = groups, w.c, w.n // groups
    run(&job, w.data, w.n // groups * w.sn, w.sn, w.sc, w.sh, w.sw, bias_data, bias_step)


def backward_data(g, weight, gx, rows, cols, Py_ssize_t groups):
    """gx = the gradient of the input, at stride 1: g convolved with the filters turned around."""
    cdef Few job
    cdef Image w = image(weight)
    job.x, job.y = image(g), image(gx, True)
    job.rows, job.cols = turned(axis(rows)), turned(axis(cols))
    job.groups, job.c_in, job.c_out = groups, w.n // groups, w.c
    run(
        &job, w.data + (w.h - 1) * w.sh + (w.w - 1) * w.sw, w.n // groups * w.sn, w.sc, w.sn,
        -w.sh, -w.sw, NULL, 0,
    )


cdef Axis turned(Axis a) noexcept:
    """The axis of the convolution that takes the output's gradient to the input's."""
    cdef Axis result = a
    cdef Py_ssize_t span = (a.kernel - 1) * a.dilation
    result.size, result.out = a.out, a.size
    result.before, result.after = span - a.before, span - a.after
    return result


cdef int run(
    Few* job, const char* w, Py_ssize_t group_step, Py_ssize_t out_step, Py_ssize_t in_step,
    Py_ssize_t row_step, Py_ssize_t column_step, const char* bias, Py_ssize_t bias_step,
) except -1:
    cdef Py_ssize_t itemsize = job.x.itemsize, channels = job.groups * job.c_out
    cdef Py_ssize_t filters_bytes, bias_bytes, offsets_bytes, group, c, r, s, d, column
    cdef int threads = threads_for(
        <double> job.y.n * channels * job.c_in * job.rows.kernel * job.cols.kernel
        * job.rows.out * job.cols.out
    )
    cdef char* space
    job.k = kernels_for(itemsize)
    plan(job, threads)
    filters_bytes = rounded_up(channels * job.depth * itemsize, 64)
    bias_bytes = rounded_up(channels * itemsize, 64)
    offsets_bytes = rounded_up(job.depth * sizeof(Py_ssize_t), 64)
    allocate_both(
        filters_bytes + bias_bytes + offsets_bytes, &space,
        threads * (job.tile_bytes + job.result_bytes), &job.scratch,
    )
    job.filters, job.bias = space, space + filters_bytes
    job.offsets = <Py_ssize_t*> (job.bias + bias_bytes)
    memset(job.bias, 0, bias_bytes)
    if bias != NULL:
        job.k.copy2d(job.bias, 0, itemsize, bias, 0, bias_step, 1, channels)
    with nogil:
        d = 0
        for c in range(job.c_in):
            for r in range(job.rows.kernel):
                for s in range(job.cols.kernel):
                    column = s * job.cols.dilation
                    job.offsets[d] = (
                        c * job.plane_bytes + r * job.rows.dilation * job.row_bytes
                        + column % job.phases * job.phase_bytes + column // job.phases * itemsize
                    )
                    for group in range(job.groups):
                        job.k.copy2d(
                            job.filters + (group * job.depth + d) * job.c_out * itemsize, 0,
                            itemsize, w + group * group_step + c * in_step + r * row_step
                            + s * column_step, 0, out_step, 1, job.c_out,
                        )
                    d += 1
        parallel(block_item, job, sizeof(job[0]), job.y.n * job.groups * job.row_blocks, threads)
        release_both(space, job.scratch)
    return 0


cdef void plan(Few* job, int threads) noexcept:
    cdef Py_ssize_t itemsize = job.x.itemsize, span, rows, wanted
    job.depth = job.c_in * job.rows.kernel * job.cols.kernel
    job.width = job.k.lanes * job.k.tile_vectors
    job.phases = job.cols.stride if job.cols.out > 1 else 1
    job.phase_bytes = itemsize * (
        rounded_up(job.cols.out, job.width)
        + ((job.cols.kernel - 1) * job.cols.dilation + job.phases - 1) // job.phases
    )
    job.row_bytes = job.phases * job.phase_bytes
    span = (job.rows.kernel - 1) * job.rows.dilation + 1
    rows = TILE_BYTES // (job.c_in * job.row_bytes)
    job.block_rows = min(max((rows - span) // job.rows.stride + 1, 1), job.rows.out)
    wanted = ITEMS_PER_THREAD * threads // (job.y.n * job.groups) if job.y.n else 1
    if threads > 1 and wanted > 1:
        job.block_rows = min(job.block_rows, max((job.rows.out + wanted - 1) // wanted, 4))
    job.row_blocks = (job.rows.out + job.block_rows - 1) // job.block_rows
    job.plane_bytes = ((job.block_rows - 1) * job.rows.stride + span) * job.row_bytes
    job.tile_bytes = rounded_up(job.c_in * job.plane_bytes, 64)
    job.result_bytes = 0 if job.y.sw == itemsize else rounded_up(
        job.c_out * job.width * itemsize, 64
    )


cdef void block_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Some output rows of one group of one image."""
    cdef Few* job = <Few*> context
    cdef Py_ssize_t row = item % job.row_blocks * job.block_rows
    cdef Py_ssize_t group = item // job.row_blocks % job.groups
    cdef Py_ssize_t n = item // job.row_blocks // job.groups
    cdef Py_ssize_t rows = min(job.block_rows, job.rows.out - row), i, w
    cdef char* tile = job.scratch + thread * (job.tile_bytes + job.result_bytes)
    fill_tile(job, n, group, row, rows, tile)
    for i in range(rows):
        w = 0
        while w < job.cols.out:
            multiply(
                job, n, group, row + i, w,
                tile + i * job.rows.stride * job.row_bytes + w * job.x.itemsize,
                tile + job.tile_bytes,
            )
            w += job.width


cdef void fill_tile(
    const Few* job, Py_ssize_t n, Py_ssize_t group, Py_ssize_t row, Py_ssize_t rows, char* tile
) noexcept nogil:
    """Copy the input under a block, channel by channel, the columns dealt out by stride."""
    cdef const Image* x = &job.x
    cdef Py_ssize_t itemsize = x.itemsize, i, h, phase, w, first, last
    cdef Py_ssize_t height = (
        (rows - 1) * job.rows.stride + (job.rows.kernel - 1) * job.rows.dilation + 1
    )
    memset(tile, 0, job.c_in * job.plane_bytes)
    for i in range(height):
        h = row * job.rows.stride - job.rows.before + i
        if not 0 <= h < x.h:
            continue
        for phase in range(job.phases):
            w = phase - job.cols.before
            first = 0 if w >= 0 else (-w + job.phases - 1) // job.phases
            last = 0 if w >= x.w else (x.w - 1 - w) // job.phases + 1
            last = min(last, job.phase_bytes // itemsize)
            if first < last:
                job.k.copy2d(
                    tile + i * job.row_bytes + phase * job.phase_bytes + first * itemsize,
                    job.plane_bytes, itemsize,
                    x.data + n * x.sn + group * job.c_in * x.sc + h * x.sh
                    + (w + first * job.phases) * x.sw,
                    x.sc, job.phases * x.sw, job.c_in, last - first,
                )


cdef void multiply(
    const Few* job, Py_ssize_t n, Py_ssize_t group, Py_ssize_t h, Py_ssize_t w, const char* x,
    char* results,
) noexcept nogil:
    """One tile of the output, by way of `results` where y's rows have gaps."""
    cdef Py_ssize_t itemsize = job.x.itemsize, y_step = job.y.sc
    cdef int positions = <int> min(job.width, job.cols.out - w)
    cdef int vectors = (positions + job.k.lanes - 1) // job.k.lanes
    cdef char* y = (
        job.y.data + n * job.y.sn + group * job.c_out * job.y.sc + h * job.y.sh + w * job.y.sw
    )
    cdef char* target = y
    if job.result_bytes:
        target, y_step = results, job.width * itemsize
    job.k.position_tile(
        <int> job.c_out, vectors, positions, target, y_step, x, job.offsets, job.depth,
        job.filters + group * job.depth * job.c_out * itemsize,
        job.bias + group * job.c_out * itemsize,
    )
    if job.result_bytes:
        job.k.copy2d(
            y, job.y.sw, job.y.sc, results, itemsize, y_step, positions, job.c_out
        )
