"""Convolution by Winograd's minimal filtering: forward, and the gradient of the input.

F(m x m, r x r) computes a tile of m x m outputs from n x n inputs, n = m + r - 1, with n^2
multiplications where the direct way takes m^2 r^2: F(4x4, 3x3) with 36 for 144. The input tiles of
a block are transformed, channels innermost, into n^2 matrices of tiles by channels; each is
multiplied by the transformed filters with the direct engine's microkernel; the products are
transformed back and stored. A block is small enough for its matrices to stay in a core's L2.

A stride becomes channels (see phases.pxd): those of the input forward, of the output backward.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_epilogue, cf_kernels, cf_winograd, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, epilogue, image
from cnnfast._ext.phases cimport Run, inside, pack_phases, run_at, taps_of, transforms
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, allocate_both, release, release_both, rounded_up

cdef enum:
    BLOCK_TILES = 28


cdef struct Transformed:
    # Filters as the products read them: [panel][element][c_in][width], zero-padded.
    const cf_kernels* k
    const cf_winograd* transform
    Py_ssize_t m, r, elements
    Py_ssize_t c_in, c_out  # one of them S * S times as many as the filters have
    Py_ssize_t width, panels, element_bytes, panel_bytes
    char* data


cdef struct Transform:
    # What makes them of filters (K, C, R, R), or for the input's gradient of those turned around.
    Image w
    Py_ssize_t stride
    bint turned
    Transformed u


cdef struct Winograd:
    const cf_kernels* k
    Image x, y
    Axis rows, cols
    Transformed u
    # Of the output: pixels of a square's side, and the first square's place.
    Py_ssize_t stride, top, left
    Py_ssize_t c_padded, k_padded
    char* bias     # k_padded values
    cf_epilogue after
    # Blocks of tiles: of images, rows and columns.
    Py_ssize_t tile_rows, tile_cols
    Py_ssize_t block_images, block_rows, block_cols
    Py_ssize_t image_blocks, row_blocks, col_blocks
    Py_ssize_t parts, part_panels  # of the filters: where blocks are few, threads share them
    char* scratch
    Py_ssize_t patch_row, patch_image, patch_bytes, v_element, v_bytes, m_element, m_bytes
    Py_ssize_t result_row, result_image, result_bytes


cdef class TransformedFilters:
    """Filters (K, C, R, R), transformed for `forward` at a stride, with tiles of `tile` outputs."""
    cdef Transformed u
    cdef char* space

    def __cinit__(self, weight, Py_ssize_t stride, Py_ssize_t tile):
        cdef Transform job
        job.w, job.stride, job.turned = image(weight), stride, False
        self.space = transform(&job, tile)
        self.u = job.u

    def __dealloc__(self):
        release(self.space)


def forward(x, TransformedFilters filters, bias, y, rows, cols, residual=None, double ceiling=0):
    """y = conv(x, filters) + bias + residual, from 0 to `ceiling` unless that is 0.

    `bias` is a (1, 1, 1, K) array or None; a residual or ceiling wants y channels-last."""
    cdef Winograd job
    cdef Image b
    job.x, job.y, job.u = image(x), image(y, True), filters.u
    job.rows, job.cols = axis(rows), axis(cols)
    job.stride, job.top, job.left = 1, 0, 0
    job.after = epilogue(&job.y, residual, ceiling)
    if bias is None:
        run(&job, NULL, 0)
    else:
        b = image(bias)
        run(&job, b.data, b.sw)


def backward_data(g, weight, gx, rows, cols, Py_ssize_t tile):
    """gx = the gradient of the input: g convolved with the filters turned around."""
    cdef Winograd job
    cdef Axis down = axis(rows), across = axis(cols)
    cdef Transform turning
    cdef char* space
    turning.w, turning.stride, turning.turned = image(weight), down.stride, True
    space = transform(&turning, tile)
    job.x, job.y, job.u = image(g), image(gx, True), turning.u
    job.stride = down.stride
    job.after.residual, job.after.relu = 0, False
    job.rows = turned(&down, job.u.r, &job.top)
    job.cols = turned(&across, job.u.r, &job.left)
    try:
        run(&job, NULL, 0)
    finally:
        release(space)


cdef Axis turned(const Axis* a, Py_ssize_t taps, Py_ssize_t* first) noexcept:
    """The axis of the convolution that takes the output's gradient to squares of the input's.

    Squares all of whose pixels are padding are left out; `first` is where the others begin."""
    cdef Axis result
    cdef Py_ssize_t skipped = a.before // a.stride
    first[0] = skipped * a.stride - a.before
    result.size, result.kernel, result.stride, result.dilation = a.out, taps, 1, 1
    result.out = (a.size - first[0] + a.stride - 1) // a.stride
    result.before = taps - 1 - skipped
    result.after = result.out - 1 + taps - result.before - a.out
    return result


cdef char* transform(Transform* job, Py_ssize_t tile) except NULL:
    """Transform filters into new memory, which the caller releases."""
    cdef Transformed* u = &job.u
    cdef const cf_kernels* k = kernels_for(job.w.itemsize)
    cdef Py_ssize_t squares = job.stride * job.stride
    cdef char* space
    cdef int threads
    u.k, u.m, u.r = k, tile, taps_of(job.w.h, job.stride, 0)
    u.elements = (u.m + u.r - 1) * (u.m + u.r - 1)
    u.transform = transforms(k, u.m, u.r)
    u.c_in = job.w.n if job.turned else job.w.c * squares
    u.c_out = job.w.c * squares if job.turned else job.w.n
    u.width = k.lanes * k.tile_vectors
    u.panels = (u.c_out + u.width - 1) // u.width
    # Not a power of two: the elements of one filter, written together, would share cache sets.
    u.element_bytes = u.c_in * u.width * k.itemsize + 128
    u.panel_bytes = u.elements * u.element_bytes
    space = allocate(u.panels * u.panel_bytes)
    threads = threads_for(<double> u.panels * u.panel_bytes)
    u.data = space
    with nogil:
        parallel(transform_channel, job, sizeof(job[0]), u.c_in, threads)
    return space


cdef void transform_channel(void* context, Py_ssize_t c, int thread) noexcept nogil:
    """Transform the filters of one input channel, a vector of output channels at a time."""
    cdef Transform* job = <Transform*> context
    cdef const Transformed* u = &job.u
    cdef Py_ssize_t itemsize = u.k.itemsize, lanes = u.k.lanes, vector, first, lane, count
    cdef double taps[25 * 8]  # a vector is at most 64 bytes
    cdef Run run
    for vector in range(u.panels * u.k.tile_vectors):
        first = vector * lanes
        count = max(min(lanes, u.c_out - first), 0)
        if count < lanes or job.stride > 1:
            memset(taps, 0, sizeof(taps))
        lane = 0
        while lane < count:
            if job.turned:
                run = run_at(first + lane, count - lane, job.w.c, job.stride)
                turned_taps(job, &run, c, <char*> taps + lane * itemsize)
            else:
                run = run_at(c, 1, job.w.c, job.stride)
                run.count = count
                straight_taps(job, &run, first, <char*> taps)
            lane += run.count
        u.transform.filter(
            u.data + first // u.width * u.panel_bytes
            + (c * u.width + first % u.width) * itemsize,
            u.element_bytes, <char*> taps,
        )


cdef void straight_taps(
    const Transform* job, const Run* run, Py_ssize_t first, char* taps
) noexcept nogil:
    """Gather the taps that one input channel of filters first.. has in a phase."""
    cdef const Image* w = &job.w
    cdef Py_ssize_t vector = job.u.k.lanes * job.u.k.itemsize, i
    cdef const char* source = w.data + first * w.sn + run.channel * w.sc + run.col * w.sw
    for i in range(taps_of(w.h, job.stride, run.row)):
        job.u.k.copy2d(
            taps + i * job.u.r * vector, vector, w.itemsize,
            source + (run.row + i * job.stride) * w.sh, job.stride * w.sw, w.sn,
            taps_of(w.w, job.stride, run.col), run.count,
        )


cdef void turned_taps(
    const Transform* job, const Run* run, Py_ssize_t filter, char* taps
) noexcept nogil:
    """Gather the taps that one filter has in a run of phase and channels, last tap first."""
    cdef const Image* w = &job.w
    cdef Py_ssize_t vector = job.u.k.lanes * job.u.k.itemsize, i
    cdef Py_ssize_t columns = taps_of(w.w, job.stride, run.col)
    cdef const char* source = (
        w.data + filter * w.sn + run.channel * w.sc
        + (run.col + (columns - 1) * job.stride) * w.sw
    )
    for i in range(taps_of(w.h, job.stride, run.row)):
        job.u.k.copy2d(
            taps + ((job.u.r - 1 - i) * job.u.r + job.u.r - columns) * vector, vector, w.itemsize,
            source + (run.row + i * job.stride) * w.sh, -job.stride * w.sw, w.sc,
            columns, run.count,
        )


cdef int run(Winograd* job, const char* bias, Py_ssize_t bias_step) except -1:
    cdef int threads
    cdef Py_ssize_t itemsize = job.x.itemsize
    if job.y.n == 0:
        return 0
    job.k = job.u.k
    threads = threads_for(
        <double> job.y.n * job.u.c_in * job.u.c_out * job.rows.out * job.cols.out
        * job.u.elements / (job.u.m * job.u.m)
    )
    plan(job, threads)
    allocate_both(
        job.k_padded * itemsize, &job.bias,
        threads * (job.patch_bytes + job.v_bytes + job.m_bytes + job.result_bytes), &job.scratch,
    )
    memset(job.bias, 0, job.k_padded * itemsize)
    if bias != NULL:
        job.k.copy2d(job.bias, 0, itemsize, bias, 0, bias_step, 1, job.u.c_out)
    with nogil:
        parallel(
            block_item, job, sizeof(job[0]),
            job.parts * job.image_blocks * job.row_blocks * job.col_blocks, threads,
        )
        release_both(job.bias, job.scratch)
    return 0


cdef void plan(Winograd* job, int threads) noexcept:
    cdef Py_ssize_t itemsize = job.x.itemsize, tile = job.u.m, tiles
    job.c_padded = rounded_up(job.u.c_in, job.k.lanes)
    job.k_padded = job.u.panels * job.u.width
    job.tile_rows = (job.rows.out + tile - 1) // tile
    job.tile_cols = (job.cols.out + tile - 1) // tile
    job.block_cols = min(job.tile_cols, 2 * BLOCK_TILES)
    job.block_rows = min(max(BLOCK_TILES // job.block_cols, 1), job.tile_rows)
    job.block_images = 1
    if job.block_rows == job.tile_rows and job.block_cols == job.tile_cols:
        job.block_images = min(
            max(BLOCK_TILES // (job.block_rows * job.block_cols), 1),
            (job.y.n + threads - 1) // threads,
        )
    job.image_blocks = (job.y.n + job.block_images - 1) // job.block_images
    job.row_blocks = (job.tile_rows + job.block_rows - 1) // job.block_rows
    job.col_blocks = (job.tile_cols + job.block_cols - 1) // job.block_cols
    share_filters(job, job.image_blocks * job.row_blocks * job.col_blocks, threads)
    tiles = job.block_images * job.block_rows * job.block_cols
    job.patch_row = (job.block_cols * tile + job.u.r - 1) * job.c_padded * itemsize
    job.patch_image = (job.block_rows * tile + job.u.r - 1) * job.patch_row
    job.patch_bytes = rounded_up(job.block_images * job.patch_image, 64)
    job.v_element = tiles * job.c_padded * itemsize
    job.v_bytes = job.u.elements * job.v_element
    job.m_element = tiles * job.k_padded * itemsize
    job.m_bytes = job.u.elements * job.m_element
    job.result_bytes = job.result_row = job.result_image = 0
    if job.y.sc != itemsize or job.stride > 1:
        job.result_row = job.block_cols * tile * job.k_padded * itemsize
        job.result_image = job.block_rows * tile * job.result_row
        job.result_bytes = job.block_images * job.result_image


cdef void share_filters(Winograd* job, Py_ssize_t blocks, int threads) noexcept:
    """Make so many parts of the filters that threads get equally many items, or many.

    Every part transforms the block's input anew, which is little beside its products."""
    job.parts = 1
    while (
        blocks * job.parts % threads and blocks * job.parts < 4 * threads
        and job.parts < job.u.panels and job.stride == 1
    ):
        job.parts += 1
    job.part_panels = (job.u.panels + job.parts - 1) // job.parts
    job.parts = (job.u.panels + job.part_panels - 1) // job.part_panels


cdef void block_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """One block of tiles, and a part of the filters: pack, transform, multiply, transform back."""
    cdef Winograd* job = <Winograd*> context
    cdef Py_ssize_t blocks = job.image_blocks * job.row_blocks * job.col_blocks
    cdef Py_ssize_t panel = item // blocks * job.part_panels, block = item % blocks
    cdef Py_ssize_t panels = min(job.part_panels, job.u.panels - panel)
    cdef Py_ssize_t first = panel * job.u.width, offset = first * job.x.itemsize
    cdef Py_ssize_t filters = min(panels * job.u.width, job.u.c_out - first)
    cdef Py_ssize_t col = block % job.col_blocks * job.block_cols
    cdef Py_ssize_t row = block // job.col_blocks % job.row_blocks * job.block_rows
    cdef Py_ssize_t n = block // job.col_blocks // job.row_blocks * job.block_images
    cdef Py_ssize_t images = min(job.block_images, job.y.n - n)
    cdef Py_ssize_t rows = min(job.block_rows, job.tile_rows - row)
    cdef Py_ssize_t cols = min(job.block_cols, job.tile_cols - col)
    cdef char* patch = job.scratch + thread * (
        job.patch_bytes + job.v_bytes + job.m_bytes + job.result_bytes
    )
    cdef char* v = patch + job.patch_bytes
    cdef char* m = v + job.v_bytes
    cdef char* results = m + job.m_bytes
    cdef Py_ssize_t i, r, s, tile = 0, itemsize = job.x.itemsize
    cdef Py_ssize_t pixel = job.c_padded * itemsize
    for i in range(images):
        pack_phases(
            job.k, &job.x, n + i, &job.rows, &job.cols, row * job.u.m, rows * job.u.m + job.u.r - 1,
            col * job.u.m, job.block_cols * job.u.m + job.u.r - 1, patch + i * job.patch_image,
            job.c_padded,
        )
        for r in range(rows):
            for s in range(cols):
                job.u.transform.input(
                    v + tile * pixel, job.v_element,
                    patch + i * job.patch_image + r * job.u.m * job.patch_row + s * job.u.m * pixel,
                    job.patch_row, pixel, job.c_padded // job.k.lanes,
                )
                tile += 1
    multiply(job, tile, panel, panels, v, m)
    tile = 0
    for i in range(images):
        for r in range(rows):
            for s in range(cols):
                store_tile(
                    job, n + i, i, row, r, col, s, first, filters,
                    m + tile * job.k_padded * itemsize + offset, results + offset,
                )
                tile += 1
    if job.result_bytes:
        unpack(job, n, images, row, rows, col, cols, first, filters, results + offset)


cdef void multiply(
    const Winograd* job, Py_ssize_t tiles, Py_ssize_t first, Py_ssize_t panels, const char* v,
    char* m,
) noexcept nogil:
    """m[e] = v[e] u[e] for every element e: (tiles, C) by (C, K), of some panels of filters."""
    cdef Py_ssize_t itemsize = job.x.itemsize, e, panel, i, rows, left, no_offset = 0
    cdef Py_ssize_t v_step = job.c_padded * itemsize, m_step = job.k_padded * itemsize
    cdef double zeros[16]  # a panel's bias: at most two vectors
    memset(zeros, 0, sizeof(zeros))
    for e in range(job.u.elements):
        for panel in range(first, first + panels):
            i, left = 0, (tiles + job.k.tile_rows - 1) // job.k.tile_rows
            while left > 0:
                rows = (tiles - i + left - 1) // left
                job.k.conv_tile(
                    <int> rows, job.k.tile_vectors, <int> job.u.width,
                    m + e * job.m_element + i * m_step + panel * job.u.width * itemsize, m_step,
                    v + e * job.v_element + i * v_step, v_step, &no_offset, 1, job.u.c_in,
                    job.u.data + panel * job.u.panel_bytes + e * job.u.element_bytes, <char*> zeros,
                    NULL,
                )
                i += rows
                left -= 1


cdef void store_tile(
    const Winograd* job, Py_ssize_t n, Py_ssize_t i, Py_ssize_t row, Py_ssize_t r, Py_ssize_t col,
    Py_ssize_t s, Py_ssize_t first, Py_ssize_t filters, const char* m, char* results,
) noexcept nogil:
    """Transform some filters' tile back and store what of it lies inside the output."""
    cdef Py_ssize_t h = (row + r) * job.u.m, w = (col + s) * job.u.m
    cdef int rows = <int> min(job.u.m, job.rows.out - h)
    cdef int cols = <int> min(job.u.m, job.cols.out - w)
    cdef Py_ssize_t pixel = job.k_padded * job.x.itemsize
    cdef const char* bias = job.bias + first * job.x.itemsize
    if job.result_bytes:
        job.u.transform.output(
            results + i * job.result_image + r * job.u.m * job.result_row + s * job.u.m * pixel,
            job.result_row, pixel, rows, cols, m, job.m_element, bias, filters, NULL,
        )
    else:
        job.u.transform.output(
            job.y.data + n * job.y.sn + h * job.y.sh + w * job.y.sw + first * job.y.sc, job.y.sh,
            job.y.sw, rows, cols, m, job.m_element, bias, filters,
            &job.after if job.after.relu or job.after.residual else NULL,
        )


cdef void unpack(
    const Winograd* job, Py_ssize_t n, Py_ssize_t images, Py_ssize_t row, Py_ssize_t rows,
    Py_ssize_t col, Py_ssize_t cols, Py_ssize_t channel, Py_ssize_t filters, const char* results,
) noexcept nogil:
    """Copy what some filters made of a block to an output in another order, or of a stride."""
    cdef Py_ssize_t itemsize = job.x.itemsize, pixel = job.k_padded * itemsize
    cdef Py_ssize_t i, q, a, b, h, w, low, high, first = row * job.u.m
    cdef Py_ssize_t columns = min(cols * job.u.m, job.cols.out - col * job.u.m)
    cdef Py_ssize_t channels = filters // (job.stride * job.stride)
    for i in range(images):
        for q in range(min(rows * job.u.m, job.rows.out - first)):
            for a in range(job.stride):
                h = (first + q) * job.stride + a + job.top
                if not 0 <= h < job.y.h:
                    continue
                for b in range(job.stride):
                    w = col * job.u.m * job.stride + b + job.left
                    inside(w, job.stride, columns, job.y.w, &low, &high)
                    job.k.copy2d(
                        job.y.data + (n + i) * job.y.sn + h * job.y.sh
                        + (w + low * job.stride) * job.y.sw + channel * job.y.sc,
                        job.y.sc, job.stride * job.y.sw,
                        results + i * job.result_image + q * job.result_row + low * pixel
                        + (a * job.stride + b) * job.y.c * itemsize,
                        itemsize, pixel, channels, high - low,
                    )
