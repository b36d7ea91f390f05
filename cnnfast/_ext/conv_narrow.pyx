"""The gradient of a convolution's input where the input has few channels.

A register tile of C = 3 output channels would leave most of a vector idle, so this takes the other
way round: the product of g with the weights gives, position by position, the R*S*C values of the
window's gradient, which are added into a zero-padded band of input rows: col2im, block by block.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, pack_tile, release, rounded_up

cdef enum:
    BAND_BYTES = 128 * 1024
    CHUNK = 256  # positions multiplied at a time


cdef struct Narrow:
    const cf_kernels* k
    Image g, w, x
    Axis rows, cols
    Py_ssize_t groups, c_in, c_out
    Py_ssize_t window, window_step  # values of a window, and padded to vectors
    Py_ssize_t width, panels, panel_bytes
    Py_ssize_t band, bands, padded_cols
    char* packed
    char* scratch
    Py_ssize_t g_bytes, window_bytes, band_bytes


def suits(Py_ssize_t channels, Py_ssize_t taps, Py_ssize_t itemsize):
    """Whether the input's channels fill less than half a vector, and the window is no pixel."""
    return 2 * channels < kernels_for(itemsize).lanes and taps > 1


def backward_data(g, weight, gx, rows, cols, Py_ssize_t groups):
    """gx = the gradient of the input, from the gradient g of the output."""
    cdef Narrow job
    job.g, job.w, job.x = image(g), image(weight), image(gx, True)
    job.rows, job.cols = axis(rows), axis(cols)
    job.groups, job.c_in, job.c_out = groups, job.w.c, job.w.n // groups
    job.k = kernels_for(job.x.itemsize)
    plan(&job)
    cdef int threads = threads_for(
        <double> job.g.n * job.w.n * job.window * job.rows.out * job.cols.out
    )
    cdef Py_ssize_t packed_bytes = rounded_up(job.groups * job.panels * job.panel_bytes, 64)
    cdef char* space = allocate(
        packed_bytes + threads * (job.g_bytes + job.window_bytes + job.band_bytes)
    )
    job.packed, job.scratch = space, space + packed_bytes
    with nogil:
        parallel(pack_panel, &job, sizeof(job), job.groups * job.panels, threads)
        parallel(band_item, &job, sizeof(job), job.x.n * job.groups * job.bands, threads)
        release(space)


cdef void plan(Narrow* job) noexcept:
    cdef Py_ssize_t itemsize = job.x.itemsize, row
    job.window = job.rows.kernel * job.cols.kernel * job.c_in
    job.window_step = rounded_up(job.window, job.k.lanes)
    job.width = job.k.lanes * job.k.tile_vectors
    job.panels = (job.window + job.width - 1) // job.width
    job.panel_bytes = (1 + job.c_out) * job.width * itemsize
    job.padded_cols = job.cols.before + job.x.w + max(job.cols.after, 0)
    row = job.padded_cols * job.c_in * itemsize
    job.band = min(max(BAND_BYTES // row, 1), job.x.h)
    job.bands = (job.x.h + job.band - 1) // job.band
    job.band = (job.x.h + job.bands - 1) // job.bands
    job.bands = (job.x.h + job.band - 1) // job.band
    job.band_bytes = rounded_up(job.band * row, 64)
    job.window_bytes = rounded_up(min(CHUNK, job.cols.out) * job.window_step * itemsize, 64)
    job.g_bytes = 0 if job.g.sc == itemsize else rounded_up(
        min(CHUNK, job.cols.out) * job.c_out * itemsize, 64
    )


cdef void pack_panel(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Pack one panel: a bias of zero, then (K, width) weights, the window as (R, S, C)."""
    cdef Narrow* job = <Narrow*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, i, tap
    cdef Py_ssize_t group = item // job.panels, first = item % job.panels * job.width
    cdef Py_ssize_t values = min(job.width, job.window - first)
    cdef Py_ssize_t vector_width = rounded_up(values, job.k.lanes)
    cdef char* target = job.packed + item * job.panel_bytes
    cdef const char* source = job.w.data + group * job.c_out * job.w.sn
    memset(target, 0, job.panel_bytes)
    target += job.width * itemsize
    for i in range(values):
        tap = (first + i) // job.c_in
        job.k.copy2d(
            target + i * itemsize, vector_width * itemsize, itemsize,
            source + (first + i) % job.c_in * job.w.sc
            + tap // job.cols.kernel * job.w.sh + tap % job.cols.kernel * job.w.sw,
            job.w.sn, itemsize, job.c_out, 1,
        )


cdef void band_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """The gradient of a band of input rows, for one group of one image."""
    cdef Narrow* job = <Narrow*> context
    cdef Py_ssize_t itemsize = job.x.itemsize, h
    cdef Py_ssize_t top = item % job.bands * job.band
    cdef Py_ssize_t bottom = min(top + job.band, job.x.h)
    cdef Py_ssize_t group = item // job.bands % job.groups
    cdef Py_ssize_t n = item // job.bands // job.groups
    cdef Py_ssize_t span = (job.rows.kernel - 1) * job.rows.dilation
    cdef Py_ssize_t first = top + job.rows.before - span, last, oh, ow
    cdef Py_ssize_t pixel = job.c_in * itemsize, row = job.padded_cols * pixel
    cdef char* g_tile = job.scratch + thread * (
        job.g_bytes + job.window_bytes + job.band_bytes
    )
    cdef char* windows = g_tile + job.g_bytes
    cdef char* band = windows + job.window_bytes
    first = 0 if first <= 0 else (first + job.rows.stride - 1) // job.rows.stride
    last = min((bottom - 1 + job.rows.before) // job.rows.stride + 1, job.rows.out)
    memset(band, 0, job.band_bytes)
    for oh in range(first, last):
        ow = 0
        while ow < job.cols.out:
            multiply(job, n, group, oh, ow, min(CHUNK, job.cols.out - ow), g_tile, windows)
            scatter(job, oh, ow, min(CHUNK, job.cols.out - ow), top, bottom, windows, band)
            ow += CHUNK
    for h in range(top, bottom):
        job.k.copy2d(
            job.x.data + n * job.x.sn + group * job.c_in * job.x.sc + h * job.x.sh,
            job.x.sw, job.x.sc, band + (h - top) * row + job.cols.before * pixel, pixel, itemsize,
            job.x.w, job.c_in,
        )


cdef void multiply(
    const Narrow* job, Py_ssize_t n, Py_ssize_t group, Py_ssize_t oh, Py_ssize_t ow,
    Py_ssize_t positions, char* g_tile, char* windows,
) noexcept nogil:
    """windows = (positions, R*S*C) gradients of the windows from (oh, ow) on."""
    cdef Py_ssize_t itemsize = job.x.itemsize, panel, channels, i, rows, tiles
    cdef Py_ssize_t g_step = job.g.sw, y_step = job.window_step * itemsize, no_offset = 0
    cdef const char* g = (
        job.g.data + n * job.g.sn + group * job.c_out * job.g.sc + oh * job.g.sh + ow * job.g.sw
    )
    cdef const char* packed = job.packed + group * job.panels * job.panel_bytes
    if job.g_bytes:
        g_step = job.c_out * itemsize
        pack_tile(
            job.k, &job.g, n, group * job.c_out, job.c_out, oh, 1, 1, ow, positions, g_tile,
            job.c_out,
        )
        g = g_tile
    for panel in range(job.panels):
        channels = min(job.width, job.window_step - panel * job.width)
        i = 0
        tiles = (positions + job.k.tile_rows - 1) // job.k.tile_rows
        while tiles > 0:
            rows = (positions - i + tiles - 1) // tiles
            job.k.conv_tile(
                <int> rows, <int> (channels // job.k.lanes), <int> channels,
                windows + i * y_step + panel * job.width * itemsize, y_step,
                g + i * g_step, g_step, &no_offset, 1, job.c_out,
                packed + job.width * itemsize, packed, NULL,
            )
            i += rows
            tiles -= 1
        packed += job.panel_bytes


cdef void scatter(
    const Narrow* job, Py_ssize_t oh, Py_ssize_t ow, Py_ssize_t positions, Py_ssize_t top,
    Py_ssize_t bottom, const char* windows, char* band,
) noexcept nogil:
    """Add the windows' gradients to the rows top..bottom-1, filter row by filter row."""
    cdef Py_ssize_t itemsize = job.x.itemsize, pixel = job.c_in * itemsize, r, s, h, i
    cdef Py_ssize_t spans = 1 if job.cols.dilation == 1 else job.cols.kernel
    cdef Py_ssize_t span = job.c_in * job.cols.kernel // spans
    cdef Py_ssize_t x_step = job.cols.stride * pixel, step = job.window_step * itemsize
    cdef const char* source
    cdef char* target
    for r in range(job.rows.kernel):
        h = oh * job.rows.stride - job.rows.before + r * job.rows.dilation
        if not top <= h < bottom:
            continue
        for s in range(spans):
            target = band + (
                (h - top) * job.padded_cols + ow * job.cols.stride + s * job.cols.dilation
            ) * pixel
            source = windows + (r * spans + s) * span * itemsize
            for i in range(positions):
                job.k.add(target + i * x_step, source + i * step, span)
