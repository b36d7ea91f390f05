"""The routing of gradients by index: each is added to the pixel of its plane that it names."""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Image, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release

cdef enum:
    LANES = 16  # channels that one thread does at least


cdef struct Scatter:
    const cf_kernels* k
    Image g, indices, gx
    bint channels_last
    Py_ssize_t blocks    # of channels, in channels-last memory
    Py_ssize_t* outside  # how many indices each thread has found that point outside their plane


def scatter(g, indices, gx):
    """gx = 0, then gx.flat[indices] += g plane by plane; gx is of one of the two memory orders.

    Returns how many indices lay outside their plane."""
    cdef Scatter job
    cdef char* space
    cdef Py_ssize_t items, outside = 0
    cdef int threads, i
    job.g, job.indices, job.gx = image(g), image(indices), image(gx, True)
    job.k = kernels_for(job.gx.itemsize)
    job.channels_last = job.gx.c > 1 and job.gx.sc == job.gx.itemsize and job.gx.h * job.gx.w > 1
    threads = threads_for(<double> job.g.n * job.g.c * job.g.h * job.g.w * 4)
    job.blocks = 1 if job.gx.n >= threads else max(1, min(threads, job.gx.c // LANES))
    items = job.gx.n * (job.blocks if job.channels_last else job.gx.c)
    space = allocate(threads * 64)
    job.outside = <Py_ssize_t*> space
    memset(space, 0, threads * 64)
    with nogil:
        parallel(
            scatter_pixels if job.channels_last else scatter_by_plane, &job, sizeof(job), items,
            threads,
        )
        for i in range(threads):
            outside += job.outside[i * 8]
        release(space)
    return outside


cdef void scatter_by_plane(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A plane of one channel."""
    cdef Scatter* job = <Scatter*> context
    cdef Image* g = &job.g
    cdef Image* at = &job.indices
    cdef Py_ssize_t n = item // job.gx.c, c = item % job.gx.c, size = job.gx.itemsize
    cdef Py_ssize_t pixels = job.gx.h * job.gx.w, runs = g.h, count = g.w
    cdef char* gx = job.gx.data + item * pixels * size
    if g.sh == g.w * g.sw and at.sh == at.w * at.sw:
        runs, count = 1, g.h * g.w
    memset(gx, 0, pixels * size)
    job.outside[thread * 8] += job.k.scatter(
        gx, size, 0, pixels, g.data + n * g.sn + c * g.sc, g.sh, g.sw,
        at.data + n * at.sn + c * at.sc, at.sh, at.sw, runs, count,
    )


cdef void scatter_pixels(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A block of the channels of an image, in channels-last memory."""
    cdef Scatter* job = <Scatter*> context
    cdef Image* g = &job.g
    cdef Image* at = &job.indices
    cdef Py_ssize_t n = item // job.blocks, block = item % job.blocks, size = job.gx.itemsize
    cdef Py_ssize_t first = job.gx.c * block // job.blocks
    cdef Py_ssize_t channels = job.gx.c * (block + 1) // job.blocks - first
    cdef Py_ssize_t pixels = job.gx.h * job.gx.w, pixel = job.gx.c * size, i, row
    cdef char* gx = job.gx.data + n * pixels * pixel + first * size
    if channels == job.gx.c:
        memset(gx, 0, pixels * pixel)
    else:
        for i in range(pixels):
            memset(gx + i * pixel, 0, channels * size)
    for row in range(g.h):
        job.outside[thread * 8] += job.k.scatter(
            gx, pixel, size, pixels, g.data + n * g.sn + first * g.sc + row * g.sh, g.sw, g.sc,
            at.data + n * at.sn + first * at.sc + row * at.sh, at.sw, at.sc, g.w, channels,
        )
