"""The gradient of the weights where both sides have few channels.

Neither the filters nor a window's values fill a vector then, but the positions do: each weight's
gradient is a dot product, of one channel of the output's gradient with what one tap meets. Both
are laid out plane by plane (for the taps that is im2col), a block of an image at a time, and
multiplied by tiles of dot products. The batch is cut into a fixed number of parts, each with sums
of its own, that are added up in order: the result does not depend on the number of threads.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release, rounded_up

cdef enum:
    PARTS = 16
    BLOCK_BYTES = 128 * 1024  # of the taps' planes, and of the input under them


cdef struct Few:
    const cf_kernels* k
    Image x, g
    Axis rows, cols
    Py_ssize_t groups, c_in, c_out, taps  # of one group; taps of all its input channels
    Py_ssize_t parts, block_rows, row_blocks, in_rows, in_cols
    Py_ssize_t plane_step                 # from one plane of positions to the next
    Py_ssize_t padded_bytes, taps_bytes, g_bytes, sums_bytes, scratch_bytes
    char* sums                            # [part][group][filter][tap]
    char* scratch


def suits(Py_ssize_t channels, Py_ssize_t filters, Py_ssize_t itemsize):
    """Whether neither side fills half a vector."""
    return 2 * max(channels, filters) <= kernels_for(itemsize).lanes


def backward_weights(g, x, gw, rows, cols, Py_ssize_t groups):
    """gw = the gradient of the weights (K, C/groups, R, S), which is C-contiguous."""
    cdef Few job
    cdef Image result = image(gw, True)
    cdef Py_ssize_t itemsize = result.itemsize, count = result.n * result.c * result.h * result.w, p
    cdef int threads
    job.x, job.g, job.k = image(x), image(g), kernels_for(itemsize)
    job.rows, job.cols = axis(rows), axis(cols)
    job.groups, job.c_in, job.c_out = groups, result.c, result.n // groups
    job.taps = result.c * result.h * result.w
    plan(&job)
    threads = threads_for(<double> job.g.n * count * job.rows.out * job.cols.out)
    job.sums = allocate(job.parts * job.sums_bytes + threads * job.scratch_bytes)
    job.scratch = job.sums + job.parts * job.sums_bytes
    with nogil:
        memset(job.sums, 0, job.parts * job.sums_bytes)
        parallel(add_part, &job, sizeof(job), job.parts, threads)
        for p in range(1, job.parts):
            job.k.add(job.sums, job.sums + p * job.sums_bytes, count)
        job.k.copy2d(result.data, 0, itemsize, job.sums, 0, itemsize, 1, count)
        release(job.sums)


cdef void plan(Few* job) noexcept:
    cdef Py_ssize_t itemsize = job.x.itemsize, fit = BLOCK_BYTES // itemsize
    job.in_cols = (job.cols.out - 1) * job.cols.stride + (
        (job.cols.kernel - 1) * job.cols.dilation + 1
    )
    # Strides longer than the filter make the input the larger of the two.
    job.block_rows = min(
        fit // (job.taps * job.cols.out), fit // job.in_cols // (job.c_in * job.rows.stride)
    )
    job.block_rows = min(max(job.block_rows, 1), job.rows.out)
    job.row_blocks = (job.rows.out + job.block_rows - 1) // job.block_rows
    job.parts = max(min(PARTS, job.g.n * job.row_blocks), 1)
    job.in_rows = (job.block_rows - 1) * job.rows.stride + (
        (job.rows.kernel - 1) * job.rows.dilation + 1
    )
    job.plane_step = rounded_up(job.block_rows * job.cols.out * itemsize, 64) + 64
    job.padded_bytes = rounded_up(job.c_in * job.in_rows * job.in_cols * itemsize, 64)
    job.taps_bytes, job.g_bytes = job.taps * job.plane_step, job.c_out * job.plane_step
    job.sums_bytes = rounded_up(job.groups * job.c_out * job.taps * itemsize, 64)
    # Last the products of a block.
    job.scratch_bytes = job.padded_bytes + job.taps_bytes + job.g_bytes + rounded_up(
        job.c_out * job.taps * itemsize, 64
    )


cdef void add_part(void* context, Py_ssize_t part, int thread) noexcept nogil:
    """The sums over some blocks of the batch."""
    cdef Few* job = <Few*> context
    cdef Py_ssize_t blocks = job.g.n * job.row_blocks, b, group
    cdef char* padded = job.scratch + thread * job.scratch_bytes
    cdef char* sums
    for b in range(blocks * part // job.parts, blocks * (part + 1) // job.parts):
        for group in range(job.groups):
            sums = job.sums + part * job.sums_bytes + (
                group * job.c_out * job.taps * job.x.itemsize
            )
            add_block(job, b // job.row_blocks, b % job.row_blocks, group, padded, sums)


cdef void add_block(
    const Few* job, Py_ssize_t n, Py_ssize_t block, Py_ssize_t group, char* padded, char* sums
) noexcept nogil:
    """Lay out one block of one image and group, multiply, and add to the sums."""
    cdef Py_ssize_t itemsize = job.x.itemsize, first = block * job.block_rows, i, j, count
    cdef Py_ssize_t rows = min(job.block_rows, job.rows.out - first)
    cdef char* taps = padded + job.padded_bytes
    cdef char* g = taps + job.taps_bytes
    cdef char* products = g + job.g_bytes
    pack_taps(job, n, group, first, rows, padded, taps)
    for i in range(rows):
        job.k.copy2d(
            g + i * job.cols.out * itemsize, job.plane_step, itemsize,
            job.g.data + n * job.g.sn + group * job.c_out * job.g.sc + (first + i) * job.g.sh,
            job.g.sc, job.g.sw, job.c_out, job.cols.out,
        )
    i = 0
    while i < job.c_out:
        count = min(job.k.dot_rows, job.c_out - i)
        j = 0
        while j < job.taps:
            job.k.dot_tile(
                <int> count, <int> min(job.k.dot_columns, job.taps - j),
                products + (i * job.taps + j) * itemsize, job.taps * itemsize,
                g + i * job.plane_step, job.plane_step, taps + j * job.plane_step, job.plane_step,
                rows * job.cols.out, NULL,
            )
            j += job.k.dot_columns
        i += count
    job.k.add(sums, products, job.c_out * job.taps)


cdef void pack_taps(
    const Few* job, Py_ssize_t n, Py_ssize_t group, Py_ssize_t first, Py_ssize_t rows, char* padded,
    char* taps,
) noexcept nogil:
    """A plane for each tap: what it meets at every position, by way of the padded planes of x."""
    cdef Py_ssize_t itemsize = job.x.itemsize, row = job.in_cols * itemsize, i, h, c, r, s
    cdef Py_ssize_t plane = job.in_rows * row, top = first * job.rows.stride - job.rows.before
    cdef Py_ssize_t left = max(job.cols.before, 0), skipped = max(-job.cols.before, 0)
    cdef Py_ssize_t columns = max(min(job.x.w - skipped, job.in_cols - left), 0)
    cdef char* tap = taps
    memset(padded, 0, job.c_in * plane)
    for i in range(job.in_rows):
        h = top + i
        if 0 <= h < job.x.h:
            job.k.copy2d(
                padded + i * row + left * itemsize, plane, itemsize,
                job.x.data + n * job.x.sn + group * job.c_in * job.x.sc + h * job.x.sh
                + skipped * job.x.sw,
                job.x.sc, job.x.sw, job.c_in, columns,
            )
    for c in range(job.c_in):
        for r in range(job.rows.kernel):
            for s in range(job.cols.kernel):
                job.k.copy2d(
                    tap, job.cols.out * itemsize, itemsize,
                    padded + c * plane + r * job.rows.dilation * row
                    + s * job.cols.dilation * itemsize,
                    job.rows.stride * row, job.cols.stride * itemsize, rows, job.cols.out,
                )
                tap += job.plane_step
