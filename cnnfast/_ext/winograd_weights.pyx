"""The gradient of a convolution's weights by Winograd's minimal filtering.

With V = B^T x B of every input tile and T = A g A^T of every tile of the output's gradient,

    gw = G^T (sum over the tiles of T * V) G,

where the sum is, for each of the n^2 elements, a matrix product (K, tiles) by (tiles, C).
Some hundred tiles are transformed at a time, then multiplied, element by element; the products are
added up in that order, whatever the number of threads. A stride becomes channels of the input (see
phases.pxd).
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, cf_winograd, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image
from cnnfast._ext.phases cimport Run, pack_phases, run_at, taps_of, transforms
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, pack_tile, release, rounded_up

cdef enum:
    MOST_TILES = 256  # transformed at a time
    TRANSFORMED_BYTES = 24 << 20


cdef struct Gradient:
    const cf_kernels* k
    Image x, g, gw
    Axis rows, cols
    const cf_winograd* transform
    Py_ssize_t m, r, elements
    Py_ssize_t channels              # of a square of the input
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


def backward_weights(g, x, gw, rows, cols, Py_ssize_t tile):
    """gw = the gradient of the weights (K, C, R, R)."""
    cdef Gradient job
    cdef Py_ssize_t total
    cdef int threads
    cdef char* space
    job.x, job.g, job.gw = image(x), image(g), image(gw, True)
    job.rows, job.cols = axis(rows), axis(cols)
    job.k = kernels_for(job.x.itemsize)
    plan(&job, tile)
    threads = threads_for(
        <double> job.g.n * job.gw.n * job.channels * job.rows.out * job.cols.out
        * job.elements / (job.m * job.m)
    )
    space = allocate(
        job.elements * (job.v_element + job.t_element + job.sums_element)
        + threads * (job.x_bytes + job.g_bytes)
    )
    job.v = space
    job.t = job.v + job.elements * job.v_element
    job.sums = job.t + job.elements * job.t_element
    job.scratch = job.sums + job.elements * job.sums_element
    with nogil:
        memset(job.sums, 0, job.elements * job.sums_element)
        total = job.g.n * job.tile_rows
        job.first = 0
        while job.first < total:
            job.count = min(job.at_once, total - job.first)
            parallel(transform_row, &job, sizeof(job), job.count, threads)
            parallel(add_element, &job, sizeof(job), job.elements, threads)
            job.first += job.count
        parallel(store_filter, &job, sizeof(job), job.gw.n, threads)
        release(space)


cdef Py_ssize_t padded(const cf_kernels* k, Py_ssize_t channels) noexcept:
    """Whole vectors, and no multiple of 1 KiB: tiles that far apart would share few cache sets."""
    cdef Py_ssize_t result = rounded_up(channels, k.lanes)
    return result + k.lanes if result * k.itemsize % 1024 == 0 else result


cdef void plan(Gradient* job, Py_ssize_t tile) noexcept:
    cdef Py_ssize_t itemsize = job.x.itemsize, side, tiles
    job.m, job.r = tile, taps_of(job.rows.kernel, job.rows.stride, 0)
    side = job.m + job.r - 1
    job.elements = side * side
    job.transform = transforms(job.k, job.m, job.r)
    job.channels = job.x.c * job.rows.stride * job.cols.stride
    job.tile_rows = (job.rows.out + job.m - 1) // job.m
    job.tile_cols = (job.cols.out + job.m - 1) // job.m
    job.c_padded, job.k_padded = padded(job.k, job.channels), padded(job.k, job.gw.n)
    tiles = TRANSFORMED_BYTES // (job.elements * (job.c_padded + job.k_padded) * itemsize)
    job.at_once = min(
        max(min(tiles, MOST_TILES) // job.tile_cols, 1), job.g.n * job.tile_rows
    )
    tiles = job.at_once * job.tile_cols
    job.v_element = tiles * job.c_padded * itemsize
    job.t_element = tiles * job.k_padded * itemsize
    job.sums_element = job.gw.n * job.c_padded * itemsize
    job.x_bytes = side * (job.tile_cols * job.m + job.r - 1) * job.c_padded * itemsize
    job.g_bytes = job.m * job.tile_cols * job.m * job.k_padded * itemsize


cdef void transform_row(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Transform one row of tiles of both arrays."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, s
    cdef Py_ssize_t n = (job.first + item) // job.tile_rows
    cdef Py_ssize_t h = (job.first + item) % job.tile_rows * job.m
    cdef Py_ssize_t x_pixel = job.c_padded * itemsize, g_pixel = job.k_padded * itemsize
    cdef Py_ssize_t g_cols = job.tile_cols * job.m, x_cols = g_cols + job.r - 1
    cdef Py_ssize_t tile = item * job.tile_cols
    cdef char* x_tile = job.scratch + thread * (job.x_bytes + job.g_bytes)
    cdef char* g_tile = x_tile + job.x_bytes
    pack_phases(
        job.k, &job.x, n, &job.rows, &job.cols, h, job.m + job.r - 1, 0, x_cols, x_tile,
        job.c_padded,
    )
    pack_tile(job.k, &job.g, n, 0, job.gw.n, h, 1, job.m, 0, g_cols, g_tile, job.k_padded)
    for s in range(job.tile_cols):
        job.transform.input(
            job.v + (tile + s) * x_pixel, job.v_element, x_tile + s * job.m * x_pixel,
            x_cols * x_pixel, x_pixel, job.c_padded // job.k.lanes,
        )
        job.transform.spread(
            job.t + (tile + s) * g_pixel, job.t_element, g_tile + s * job.m * g_pixel,
            g_cols * g_pixel, g_pixel, job.k_padded // job.k.lanes,
        )


cdef void add_element(void* context, Py_ssize_t e, int thread) noexcept nogil:
    """Add the product of one element of the transformed tiles to its sums."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, i = 0, j, rows, vectors
    cdef Py_ssize_t blocks = (job.gw.n + job.k.tile_rows - 1) // job.k.tile_rows
    cdef Py_ssize_t width = rounded_up(job.channels, job.k.lanes)
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
    cdef Py_ssize_t itemsize = job.x.itemsize, lanes = job.k.lanes, first = 0, lane
    cdef double taps[25 * 8]  # a vector is at most 64 bytes
    cdef Run run
    while first < job.channels:
        job.transform.gather(
            <char*> taps, job.sums + (f * job.c_padded + first) * itemsize, job.sums_element
        )
        lane = 0
        while lane < min(lanes, job.channels - first):
            run = run_at(
                first + lane, min(lanes, job.channels - first) - lane, job.gw.c, job.rows.stride
            )
            store_taps(job, &run, f, <char*> taps + lane * itemsize)
            lane += run.count
        first += lanes


cdef void store_taps(
    const Gradient* job, const Run* run, Py_ssize_t f, const char* taps
) noexcept nogil:
    """Store the taps that a run of channels of one filter has in its phase."""
    cdef const Image* gw = &job.gw
    cdef Py_ssize_t vector = job.k.lanes * gw.itemsize, stride = job.rows.stride, i
    cdef char* target = gw.data + f * gw.sn + run.channel * gw.sc + run.col * gw.sw
    for i in range(taps_of(gw.h, stride, run.row)):
        job.k.copy2d(
            target + (run.row + i * stride) * gw.sh, gw.sc, stride * gw.sw,
            taps + i * job.r * vector, gw.itemsize, vector, run.count,
            taps_of(gw.w, stride, run.col),
        )
