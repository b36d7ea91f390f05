"""Local response normalisation across channels.

Squares are copied with zeros before the first channel and after the last, so that no window needs
clipping: in C order a block of neighbouring pixels with all their channels, in channels-last memory
a pixel. Then one loop over vectors serves both, whose taps are a block's width apart, or 1.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_lrn, kernels_for
from cnnfast._ext.images cimport Image, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release, rounded_up

cdef enum:
    PIXELS = 64       # of a block in C order
    ITEM = 8 * 1024   # elements of a thread's item, about
    POWER_WORK = 30   # multiply-adds an element


cdef struct Response:
    const cf_lrn* k
    Py_ssize_t itemsize, images, channels, pixels
    bint channels_last
    const char* x
    const char* g       # NULL in the forward pass
    char* y             # or the gradient of x
    Py_ssize_t before, after   # channels of a window, besides its own
    double alpha, beta, constant
    Py_ssize_t blocks, of_a_block  # pixels
    Py_ssize_t panel_bytes
    char* panels        # three for each thread: squares, slopes, scales


def forward(x, y, Py_ssize_t size, double alpha, double beta, double k):
    """y = x / (k + alpha * sum of squares)^beta, over windows of `size` channels."""
    cdef Response lrn
    prepare(&lrn, x, None, y, size, alpha, beta, k)


def backward(g, x, gx, Py_ssize_t size, double alpha, double beta, double k):
    """gx = the gradient of the same."""
    cdef Response lrn
    prepare(&lrn, x, g, gx, size, alpha, beta, k)


cdef int prepare(
    Response* lrn, x, g, y, Py_ssize_t size, double alpha, double beta, double k
) except -1:
    cdef Image im = image(x)
    cdef char* space
    cdef int threads
    lrn.k, lrn.itemsize = &kernels_for(im.itemsize).lrn, im.itemsize
    lrn.images, lrn.channels, lrn.pixels = im.n, im.c, im.h * im.w
    lrn.channels_last = lrn.pixels == 1 or (im.c > 1 and im.sc == im.itemsize)
    lrn.x, lrn.y = im.data, image(y, True).data
    lrn.g = NULL if g is None else image(g).data
    # Channels further off are none.
    lrn.before, lrn.after = min(size // 2, im.c - 1), min((size - 1) // 2, im.c - 1)
    lrn.alpha, lrn.beta, lrn.constant = alpha, beta, k
    lrn.of_a_block = max(1, ITEM // im.c) if lrn.channels_last else min(PIXELS, lrn.pixels)
    lrn.blocks = (lrn.pixels + lrn.of_a_block - 1) // lrn.of_a_block
    lrn.panel_bytes = rounded_up(
        (im.c + lrn.before + lrn.after) * (1 if lrn.channels_last else lrn.of_a_block)
        * im.itemsize, 64
    ) + 64
    threads = threads_for(<double> POWER_WORK * lrn.images * im.c * lrn.pixels)
    lrn.panels = space = allocate(threads * 3 * lrn.panel_bytes)
    with nogil:
        parallel(block_item, lrn, sizeof(lrn[0]), lrn.images * lrn.blocks, threads)
        release(space)
    return 0


cdef void block_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Some neighbouring pixels of an image, with all their channels."""
    cdef Response* lrn = <Response*> context
    cdef char* panels = lrn.panels + thread * 3 * lrn.panel_bytes
    cdef Py_ssize_t size = lrn.itemsize, pixel = item % lrn.blocks * lrn.of_a_block
    cdef Py_ssize_t image_start = item // lrn.blocks * lrn.channels * lrn.pixels
    cdef Py_ssize_t last = min(pixel + lrn.of_a_block, lrn.pixels)
    memset(panels, 0, 3 * lrn.panel_bytes)
    if lrn.channels_last:
        for pixel in range(pixel, last):
            block(lrn, panels, (image_start + pixel * lrn.channels) * size, 1, 0, lrn.channels, 1)
    else:
        block(
            lrn, panels, (image_start + pixel) * size, lrn.channels, lrn.pixels * size,
            last - pixel, last - pixel,
        )


cdef void block(
    const Response* lrn, char* panels, Py_ssize_t offset, Py_ssize_t runs, Py_ssize_t run_step,
    Py_ssize_t count, Py_ssize_t width,
) noexcept nogil:
    """`runs` of `count` elements, run_step apart; a window's taps are `width` elements apart."""
    cdef Py_ssize_t tap_step = width * lrn.itemsize, run_bytes = count * lrn.itemsize, r
    cdef Py_ssize_t taps = lrn.before + 1 + lrn.after
    cdef char* squares = panels
    cdef char* slopes = squares + lrn.panel_bytes
    cdef char* scales = slopes + lrn.panel_bytes
    for r in range(runs):
        lrn.k.square(
            squares + lrn.before * tap_step + r * run_bytes, lrn.x + offset + r * run_step, count
        )
    if lrn.g == NULL:
        for r in range(runs):
            lrn.k.forward(
                lrn.y + offset + r * run_step, lrn.x + offset + r * run_step,
                squares + r * run_bytes, taps, tap_step, count,
                lrn.alpha, lrn.beta, lrn.constant,
            )
        return
    for r in range(runs):
        lrn.k.slopes(
            scales + r * run_bytes, slopes + lrn.after * tap_step + r * run_bytes,
            lrn.g + offset + r * run_step, lrn.x + offset + r * run_step,
            squares + r * run_bytes, taps, tap_step, count, lrn.alpha, lrn.beta, lrn.constant,
        )
    for r in range(runs):
        lrn.k.backward(
            lrn.y + offset + r * run_step, lrn.g + offset + r * run_step,
            lrn.x + offset + r * run_step, scales + r * run_bytes, slopes + r * run_bytes,
            taps, tap_step, count,
        )
