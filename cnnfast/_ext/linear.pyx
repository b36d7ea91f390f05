"""The matrix product of a fully connected layer for batches of a few rows.

The time goes into reading the weights once, so they are read as they lie, (out, in), and in order:
forward along their rows; for the gradient of the input some rows at a time, side by side.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Image, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release, rounded_up

cdef enum:
    COLUMNS = 16  # output features of an item
    FILTERS = 4   # of an item for the gradient of the weights
    DEPTH = 4     # rows of the weights, read side by side
    LEAST_WIDTH = 256  # input features of a piece
    RESULT_BYTES = 20 * 1024


cdef struct Product:
    const cf_kernels* k
    Image x, w, y, bias  # matrices: rows on the h axis, columns on the w axis
    bint biased
    # Of the gradient of the input: columns of a piece, where each thread gathers one, and the
    # output's gradient, (out, n). Rows far apart may fall on the same few cache sets.
    Py_ssize_t width, step, piece_bytes
    char* pieces
    char* turned


def forward(x, weight, bias, y):
    """y = x weight^T + bias. All are (1, 1, rows, columns), rows contiguous; bias may be None."""
    cdef Product job
    job.x, job.w, job.y = image(x), image(weight), image(y, True)
    job.k = kernels_for(job.x.itemsize)
    job.biased = bias is not None
    if job.biased:
        job.bias = image(bias)
    cdef int threads = threads_for(<double> job.x.h * job.w.h * job.w.w)
    with nogil:
        parallel(forward_item, &job, sizeof(job), (job.w.h + COLUMNS - 1) // COLUMNS, threads)


cdef void forward_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A run of output features, for all rows of the batch."""
    cdef Product* job = <Product*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, j = item * COLUMNS, i, left, rows, columns
    cdef Py_ssize_t end = min(j + COLUMNS, job.w.h)
    while j < end:
        columns = min(job.k.dot_columns, end - j)
        i, left = 0, (job.x.h + job.k.dot_rows - 1) // job.k.dot_rows
        while left > 0:
            rows = (job.x.h - i + left - 1) // left
            job.k.dot_tile(
                <int> rows, <int> columns, job.y.data + i * job.y.sh + j * itemsize, job.y.sh,
                job.x.data + i * job.x.sh, job.x.sh, job.w.data + j * job.w.sh, job.w.sh, job.w.w,
                job.bias.data + j * itemsize if job.biased else NULL,
            )
            i += rows
            left -= 1
        j += columns


def backward_data(g, weight, gx):
    """gx = g weight, of the same kind of matrices."""
    cdef Product job
    cdef Image grad = image(g)
    cdef Py_ssize_t turned_bytes = rounded_up(grad.h * grad.w * grad.itemsize, 64)
    job.w, job.y = image(weight), image(gx, True)
    job.k = kernels_for(job.w.itemsize)
    # Rows of the result that stay in L1, and a piece for each thread.
    job.width = max(RESULT_BYTES // (job.y.h * job.w.itemsize), LEAST_WIDTH)
    cdef int threads = threads_for(<double> grad.h * job.w.h * job.w.w)
    job.width = min(job.width, rounded_up((job.w.w + threads - 1) // threads, LEAST_WIDTH))
    job.step = rounded_up(job.width * job.w.itemsize, 64) + 64
    job.piece_bytes = job.y.h * job.step
    job.turned = allocate(turned_bytes + threads * job.piece_bytes)
    job.pieces = job.turned + turned_bytes
    with nogil:
        job.k.copy2d(
            job.turned, grad.h * grad.itemsize, grad.itemsize, grad.data, grad.sw, grad.sh, grad.w,
            grad.h,
        )
        parallel(
            backward_data_item, &job, sizeof(job), (job.w.w + job.width - 1) // job.width, threads
        )
        release(job.turned)


cdef void backward_data_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A run of input features, for all rows of the batch."""
    cdef Product* job = <Product*> context
    cdef Py_ssize_t itemsize = job.w.itemsize, first = item * job.width * itemsize, k = 0
    cdef Py_ssize_t columns = min(job.width, job.w.w - item * job.width)
    cdef char* piece = job.pieces + thread * job.piece_bytes
    memset(piece, 0, job.piece_bytes)
    while k < job.w.h:
        job.k.rank_update(
            job.y.h, columns, min(DEPTH, job.w.h - k), piece, job.step,
            job.turned + k * job.y.h * itemsize, itemsize, job.y.h * itemsize,
            job.w.data + k * job.w.sh + first, job.w.sh,
        )
        k += DEPTH
    job.k.copy2d(
        job.y.data + first, job.y.sh, itemsize, piece, job.step, itemsize, job.y.h, columns
    )


def backward_weights(g, x, gw):
    """gw = g^T x, of the same kind of matrices."""
    cdef Product job
    job.w, job.x, job.y = image(g), image(x), image(gw, True)
    job.k = kernels_for(job.x.itemsize)
    cdef int threads = threads_for(<double> job.w.h * job.y.h * job.y.w)
    with nogil:
        parallel(
            backward_weights_item, &job, sizeof(job), (job.y.h + FILTERS - 1) // FILTERS, threads
        )


cdef void backward_weights_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """The gradient of some filters, piece by piece."""
    cdef Product* job = <Product*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, first = item * FILTERS, j = 0, columns, i
    cdef Py_ssize_t rows = min(FILTERS, job.y.h - first)
    cdef char* y = job.y.data + first * job.y.sh
    while j < job.y.w:
        columns = min(LEAST_WIDTH, job.y.w - j)
        for i in range(rows):
            memset(y + i * job.y.sh + j * itemsize, 0, columns * itemsize)
        job.k.rank_update(
            rows, columns, job.x.h, y + j * itemsize, job.y.sh, job.w.data + first * itemsize,
            itemsize, job.w.sh, job.x.data + j * itemsize, job.x.sh,
        )
        j += columns
