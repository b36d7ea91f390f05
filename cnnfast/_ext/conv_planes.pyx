"""1x1 convolution of images in C order: a matrix product that reads and writes planes as they lie.

For each image Y (K, H*W) = W (K, C) times X (C, H*W). The lanes are neighbouring pixels, a register
tile takes as many filters as it has rows, and nothing but the filters is packed: the channels-last
engine would transpose both images. The input's gradient is the same product with W transposed.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Image, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release, rounded_up

cdef enum:
    TILES = 8  # tiles of pixels of an item


cdef struct Planes:
    const cf_kernels* k
    Image x, y
    Py_ssize_t groups, c_in, c_out          # channels of one group
    Py_ssize_t pixels, width, chunks        # of an image, a tile, and items an image and group
    Py_ssize_t blocks                       # of filters, each at most tile_rows
    const char* w
    Py_ssize_t w_group, w_out, w_in
    char* filters    # for each group and block (c_in, filters of the block)
    char* bias       # (groups, c_out)
    Py_ssize_t* offsets       # of each channel in x, and
    Py_ssize_t* rest_offsets  # in a copy of the last pixels, fewer than a tile
    char* scratch
    Py_ssize_t rest_bytes


def forward(x, weight, bias, y, Py_ssize_t groups):
    """y = conv(x, weight) + bias for 1x1 filters; `bias` is a (1, 1, 1, K) array or None."""
    cdef Planes job
    cdef Image w = image(weight), b
    cdef const char* bias_data = NULL
    cdef Py_ssize_t bias_step = 0
    if bias is not None:
        b = image(bias)
        bias_data, bias_step = b.data, b.sw
    job.x, job.y = image(x), image(y, True)
    job.groups, job.c_in, job.c_out = groups, w.c, w.n // groups
    job.w, job.w_group, job.w_out, job.w_in = w.data, job.c_out * w.sn, w.sn, w.sc
    run(&job, bias_data, bias_step)


def backward_data(g, weight, gx, Py_ssize_t groups):
    """gx = the gradient of the input, from the gradient g of the output."""
    cdef Planes job
    cdef Image w = image(weight)
    job.x, job.y = image(g), image(gx, True)
    job.groups, job.c_in, job.c_out = groups, w.n // groups, w.c
    job.w, job.w_group, job.w_out, job.w_in = w.data, job.c_in * w.sn, w.sc, w.sn
    run(&job, NULL, 0)


cdef int run(Planes* job, const char* bias, Py_ssize_t bias_step) except -1:
    cdef Py_ssize_t itemsize = job.x.itemsize, channels = job.groups * job.c_out, c
    cdef Py_ssize_t filters_bytes, bias_bytes, offsets_bytes
    cdef int threads
    cdef char* space
    job.k = kernels_for(itemsize)
    job.pixels = job.x.h * job.x.w
    job.width = job.k.lanes * job.k.tile_vectors
    job.chunks = (job.pixels + TILES * job.width - 1) // (TILES * job.width)
    job.blocks = (job.c_out + job.k.tile_rows - 1) // job.k.tile_rows
    threads = threads_for(<double> job.x.n * channels * job.c_in * job.pixels)
    filters_bytes = rounded_up(channels * job.c_in * itemsize, 64)
    bias_bytes = rounded_up(channels * itemsize, 64)
    offsets_bytes = rounded_up(2 * job.c_in * sizeof(Py_ssize_t), 64)
    job.rest_bytes = rounded_up(job.c_in * job.width * itemsize, 64)
    space = allocate(filters_bytes + bias_bytes + offsets_bytes + threads * job.rest_bytes)
    job.filters, job.bias = space, space + filters_bytes
    job.offsets = <Py_ssize_t*> (job.bias + bias_bytes)
    job.rest_offsets = job.offsets + job.c_in
    job.scratch = job.bias + bias_bytes + offsets_bytes
    memset(job.bias, 0, bias_bytes)
    if bias != NULL:
        job.k.copy2d(job.bias, 0, itemsize, bias, 0, bias_step, 1, channels)
    for c in range(job.c_in):
        job.offsets[c] = c * job.x.sc
        job.rest_offsets[c] = c * job.width * itemsize
    with nogil:
        parallel(pack_block, job, sizeof(job[0]), job.groups * job.blocks, threads)
        parallel(multiply, job, sizeof(job[0]), job.x.n * job.groups * job.chunks, threads)
        release(space)
    return 0


cdef inline Py_ssize_t first_of(const Planes* job, Py_ssize_t block) noexcept nogil:
    """The first filter of a block; blocks are of nearly equal size."""
    return job.c_out * block // job.blocks


cdef void pack_block(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Pack the filters of one block as (c_in, filters)."""
    cdef Planes* job = <Planes*> context
    cdef Py_ssize_t itemsize = job.x.itemsize
    cdef Py_ssize_t group = item // job.blocks, block = item % job.blocks
    cdef Py_ssize_t first = first_of(job, block), count = first_of(job, block + 1) - first
    job.k.copy2d(
        job.filters + (group * job.c_out + first) * job.c_in * itemsize, count * itemsize, itemsize,
        job.w + group * job.w_group + first * job.w_out, job.w_in, job.w_out, job.c_in, count,
    )


cdef void multiply(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Some tiles of pixels of one group of one image, for all filters."""
    cdef Planes* job = <Planes*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, block, first, count
    cdef Py_ssize_t pixel = item % job.chunks * TILES * job.width
    cdef Py_ssize_t last = min(pixel + TILES * job.width, job.pixels)
    cdef Py_ssize_t group = item // job.chunks % job.groups
    cdef Py_ssize_t n = item // job.chunks // job.groups
    cdef const char* x = job.x.data + n * job.x.sn + group * job.c_in * job.x.sc
    cdef char* y = job.y.data + n * job.y.sn + group * job.c_out * job.y.sc
    cdef const char* source
    cdef const Py_ssize_t* offsets
    cdef char* rest = job.scratch + thread * job.rest_bytes
    cdef int positions
    while pixel < last:
        positions = <int> min(job.width, last - pixel)
        source, offsets = x + pixel * itemsize, job.offsets
        if positions < job.width:
            # A whole vector could reach past the image.
            job.k.copy2d(
                rest, job.width * itemsize, itemsize, source, job.x.sc, itemsize, job.c_in,
                positions,
            )
            source, offsets = rest, job.rest_offsets
        for block in range(job.blocks):
            first = first_of(job, block)
            count = first_of(job, block + 1) - first
            job.k.position_tile(
                <int> count, (positions + job.k.lanes - 1) // job.k.lanes, positions,
                y + first * job.y.sc + pixel * itemsize, job.y.sc, source, offsets, job.c_in,
                job.filters + (group * job.c_out + first) * job.c_in * itemsize,
                job.bias + (group * job.c_out + first) * itemsize,
            )
        pixel += job.width
