"""The gradient of the weights of a 3x3 convolution of stride 1, by Winograd's minimal filtering.

With V = B^T x B of every input tile and T = A g A^T of every tile of the output's gradient,

    gw = G^T (sum over the tiles of T * V) G,

where the sum is, for each of the 36 elements, a matrix product (K, tiles) by (tiles, C).
Some hundred tiles are transformed at a time, then multiplied, element by element; the products are
added up in that order, whatever the number of threads.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport Workspace, allocate, pack_tile, release, rounded_up

cdef enum:
    M = 4           # outputs and inputs of a tile's side, and its elements
    N = 6
    ELEMENTS = 36
    MOST_TILES = 256  # transformed at a time
    TRANSFORMED_BYTES = 24 << 20


cdef struct Gradient:
    const cf_kernels* k
    Image x, g, gw
    Axis rows, cols
    Py_ssize_t tile_rows, tile_cols  # of an image
    Py_ssize_t c_padded, k_padded
    # Rows of tiles, counted through the batch, that are transformed at a time.
    Py_ssize_t first, count, at_once
    char* v      # [element][tile][c_padded]
    char* t      # [element][tile][k_padded]
    char* sums   # [element][filter][c_padded]
    Py_ssize_t v_element, t_element, sums_element
    char* scratch
    Py_ssize_t x_bytes, g_bytes


def backward_weights(g, x, gw, rows, cols):
    """gw = the gradient of the weights (K, C, 3, 3)."""
    cdef Gradient job
    cdef Py_ssize_t total
    cdef int threads
    cdef Workspace space
    job.x, job.g, job.gw = image(x), image(g), image(gw, True)
    job.rows, job.cols = axis(rows), axis(cols)
    job.k = kernels_for(job.x.itemsize)
    plan(&job)
    threads = threads_for(
        <double> job.g.n * job.gw.n * job.gw.c * job.rows.out * job.cols.out * 4
    )
    space = allocate(
        ELEMENTS * (job.v_element + job.t_element + job.sums_element)
        + threads * (job.x_bytes + job.g_bytes)
    )
    job.v = space.data
    job.t = job.v + ELEMENTS * job.v_element
    job.sums = job.t + ELEMENTS * job.t_element
    job.scratch = job.sums + ELEMENTS * job.sums_element
    with nogil:
        memset(job.sums, 0, ELEMENTS * job.sums_element)
        total = job.g.n * job.tile_rows
        job.first = 0
        while job.first < total:
            job.count = min(job.at_once, total - job.first)
            parallel(transform_row, &job, job.count, threads)
            parallel(add_element, &job, ELEMENTS, threads)
            job.first += job.count
        parallel(store_filter, &job, job.gw.n, threads)
        release(space)


cdef Py_ssize_t padded(const cf_kernels* k, Py_ssize_t channels) noexcept:
    """Whole vectors, and no multiple of 1 KiB: tiles that far apart would share few cache sets."""
    cdef Py_ssize_t result = rounded_up(channels, k.lanes)
    return result + k.lanes if result * k.itemsize % 1024 == 0 else result


cdef void plan(Gradient* job) noexcept:
    cdef Py_ssize_t itemsize = job.x.itemsize, tiles
    job.tile_rows = (job.rows.out + M - 1) // M
    job.tile_cols = (job.cols.out + M - 1) // M
    job.c_padded, job.k_padded = padded(job.k, job.gw.c), padded(job.k, job.gw.n)
    tiles = TRANSFORMED_BYTES // (ELEMENTS * (job.c_padded + job.k_padded) * itemsize)
    job.at_once = min(
        max(min(tiles, MOST_TILES) // job.tile_cols, 1), job.g.n * job.tile_rows
    )
    tiles = job.at_once * job.tile_cols
    job.v_element = tiles * job.c_padded * itemsize
    job.t_element = tiles * job.k_padded * itemsize
    job.sums_element = job.gw.n * job.c_padded * itemsize
    job.x_bytes = N * (job.tile_cols * M + 2) * job.c_padded * itemsize
    job.g_bytes = M * job.tile_cols * M * job.k_padded * itemsize


cdef void transform_row(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Transform one row of tiles of both arrays."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, s
    cdef Py_ssize_t n = (job.first + item) // job.tile_rows
    cdef Py_ssize_t h = (job.first + item) % job.tile_rows * M
    cdef Py_ssize_t x_pixel = job.c_padded * itemsize, g_pixel = job.k_padded * itemsize
    cdef Py_ssize_t x_cols = job.tile_cols * M + 2, g_cols = job.tile_cols * M
    cdef Py_ssize_t tile = item * job.tile_cols
    cdef char* x_tile = job.scratch + thread * (job.x_bytes + job.g_bytes)
    cdef char* g_tile = x_tile + job.x_bytes
    pack_tile(
        job.k, &job.x, n, 0, job.gw.c, h - job.rows.before, 1, N, -job.cols.before, x_cols,
        x_tile, job.c_padded,
    )
    pack_tile(job.k, &job.g, n, 0, job.gw.n, h, 1, M, 0, g_cols, g_tile, job.k_padded)
    for s in range(job.tile_cols):
        job.k.winograd4.input(
            job.v + (tile + s) * x_pixel, job.v_element, x_tile + s * M * x_pixel,
            x_cols * x_pixel, x_pixel, job.c_padded // job.k.lanes,
        )
        job.k.winograd_spread(
            job.t + (tile + s) * g_pixel, job.t_element, g_tile + s * M * g_pixel,
            g_cols * g_pixel, g_pixel, job.k_padded // job.k.lanes,
        )


cdef void add_element(void* context, Py_ssize_t e, int thread) noexcept nogil:
    """Add the product of one element of the transformed tiles to its sums."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, i = 0, j, rows, vectors
    cdef Py_ssize_t blocks = (job.gw.n + job.k.tile_rows - 1) // job.k.tile_rows
    cdef Py_ssize_t width = rounded_up(job.gw.c, job.k.lanes)
    while blocks > 0:
        rows = (job.gw.n - i + blocks - 1) // blocks
        j = 0
        while j < width:
            vectors = min(job.k.tile_vectors, (width - j) // job.k.lanes)
            job.k.outer_tile(
                <int> rows, <int> vectors,
                job.sums + e * job.sums_element + (i * job.c_padded + j) * itemsize,
                job.c_padded * itemsize, job.t + e * job.t_element + i * itemsize, 0,
                job.k_padded * itemsize, job.v + e * job.v_element + j * itemsize, 0,
                job.c_padded * itemsize, 1, job.count * job.tile_cols,
            )
            j += vectors * job.k.lanes
        i += rows
        blocks -= 1


cdef void store_filter(void* context, Py_ssize_t f, int thread) noexcept nogil:
    """Transform the sums of one filter back and store its gradient."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, lanes = job.k.lanes, c = 0, r
    cdef double taps[9 * 8]  # a vector is at most 64 bytes
    while c < job.gw.c:
        job.k.winograd_gather(
            <char*> taps, job.sums + (f * job.c_padded + c) * itemsize, job.sums_element
        )
        for r in range(3):
            job.k.copy2d(
                job.gw.data + f * job.gw.sn + c * job.gw.sc + r * job.gw.sh, job.gw.sc, job.gw.sw,
                <char*> taps + 3 * r * lanes * itemsize, itemsize, lanes * itemsize,
                min(lanes, job.gw.c - c), 3,
            )
        c += lanes
