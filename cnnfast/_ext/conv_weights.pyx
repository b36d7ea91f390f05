"""The gradient of a convolution's weights: sums over every position of the batch.

    gw[k, c, r, s] = sum over n, oh, ow of g[n, k, oh, ow] * x[n, c, oh S - P + r D, ow S - P + s D]

The positions are cut into blocks of some hundred, each added up in fresh accumulators. The sums are
cut into strips, a run of filters of one group by one filter row each, so that no two threads add to
the same sum. With few channels a filter row is shorter than a few vectors: a strip then spans all
filter rows, and a position's window is packed into one span of R*S*C values. Where that leaves
fewer strips than ITEMS, the blocks are dealt out to a number of parts, each with sums of its own,
which are added up in their order at the end. All of this depends on the shapes alone, so the
result does not depend on the number of threads.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport TILE_BYTES, allocate, pack_tile, release, rounded_up

cdef enum:
    POSITIONS = 512   # of one block, at most: one long chain of additions loses two digits
    FILTER_TILES = 4  # register tiles in a strip's run of filters, at least
    SUMS_BYTES = 256 * 1024  # of a strip, if that is more
    NARROW = 4        # vectors: a filter row of fewer is narrow
    PACKING_PAYS = 16  # filters: with fewer, packing the windows takes longer than it saves
    ITEMS = 8         # to have at least, by cutting the batch into parts


cdef struct Gradient:
    const cf_kernels* k
    Image x, g, sums  # sums is gw
    Axis rows, cols
    Py_ssize_t groups, c_in, c_out   # channels of one group
    bint narrow
    Py_ssize_t run, runs             # filters of a strip, and such runs in a group
    Py_ssize_t strip_rows            # filter rows of a strip: 1, or R if narrow
    # A strip's sums: filters, by `spans` spans of `span` values, each padded to `span_step`.
    Py_ssize_t spans, span, span_step, sums_bytes
    Py_ssize_t block_rows, block_cols, row_blocks, col_blocks
    Py_ssize_t strips, parts
    char* partial    # sums of every strip and part
    char* scratch
    Py_ssize_t x_bytes, windows_bytes, g_bytes


cdef struct Block:
    Py_ssize_t n, row, rows, col, cols


def backward_weights(g, x, gw, rows, cols, Py_ssize_t groups):
    """gw = the gradient of the weights (K, C/groups, R, S)."""
    cdef Gradient job
    job.x, job.g, job.sums = image(x), image(g), image(gw, True)
    job.rows, job.cols = axis(rows), axis(cols)
    job.groups, job.c_in, job.c_out = groups, job.sums.c, job.sums.n // groups
    job.k = kernels_for(job.x.itemsize)
    plan_runs(&job)
    run(&job)


cdef void plan_blocks(Gradient* job, Py_ssize_t channels, Py_ssize_t row_bytes) noexcept:
    """Blocks of at most POSITIONS positions whose packed input fits TILE_BYTES.

    `row_bytes` is what a position's input takes when packed."""
    cdef Py_ssize_t fit = min(max(TILE_BYTES // row_bytes, 1), POSITIONS)
    job.block_cols = min(job.cols.out, fit)
    job.block_rows = min(max(fit // job.block_cols, 1), job.rows.out)
    job.row_blocks = (job.rows.out + job.block_rows - 1) // job.block_rows
    job.col_blocks = (job.cols.out + job.block_cols - 1) // job.block_cols
    job.g_bytes = rounded_up(job.block_rows * job.block_cols * channels * job.g.itemsize, 64)


cdef inline Py_ssize_t in_columns(const Gradient* job) noexcept nogil:
    """Input columns under a block."""
    return (job.block_cols - 1) * job.cols.stride + (job.cols.kernel - 1) * job.cols.dilation + 1


cdef inline Py_ssize_t in_rows(const Gradient* job) noexcept nogil:
    """Input rows under a block."""
    return (job.block_rows - 1) * job.rows.stride + (job.rows.kernel - 1) * job.rows.dilation + 1


cdef void plan_runs(Gradient* job) noexcept:
    cdef Py_ssize_t itemsize = job.x.itemsize, tile = job.k.tile_rows
    cdef Py_ssize_t R = job.rows.kernel, S = job.cols.kernel
    job.narrow = R > 1 and S * job.c_in < NARROW * job.k.lanes and job.c_out >= PACKING_PAYS
    job.strip_rows = R if job.narrow else 1
    job.spans = S if job.cols.dilation > 1 and not job.narrow else 1
    job.span = job.c_in * S * job.strip_rows // job.spans
    job.span_step = rounded_up(job.span, job.k.lanes)
    # The longer a run, the less often the input is packed anew.
    job.run = max(SUMS_BYTES // (job.spans * job.span_step * itemsize) // tile, FILTER_TILES) * tile
    job.runs = (job.c_out + job.run - 1) // job.run
    job.run = (job.c_out + job.runs - 1) // job.runs
    job.runs = (job.c_out + job.run - 1) // job.run
    job.strips = job.groups * job.runs * (R // job.strip_rows)
    job.sums_bytes = rounded_up(job.run * job.spans * job.span_step * itemsize, 64)
    if job.narrow:
        plan_blocks(job, job.run, job.span * itemsize)
        job.windows_bytes = job.block_rows * job.block_cols * job.span * itemsize
        # A tile's vectors may run past the last span.
        job.windows_bytes += job.k.tile_vectors * job.k.lanes * itemsize
        job.x_bytes = job.windows_bytes + in_rows(job) * in_columns(job) * job.c_in * itemsize
    else:
        plan_blocks(job, job.run, job.c_in * job.cols.stride * itemsize)
        job.x_bytes = job.block_rows * in_columns(job) * job.c_in * itemsize
    # A tile's vectors may run past the last span.
    job.x_bytes = rounded_up(job.x_bytes + job.k.tile_vectors * job.k.lanes * itemsize, 64)
    if job.g.sc == itemsize:
        job.g_bytes = 0


cdef int run(Gradient* job) except -1:
    """Compute every strip and part, then add up the parts and store the sums."""
    cdef Py_ssize_t blocks = job.g.n * job.row_blocks * job.col_blocks
    cdef int threads = threads_for(
        <double> job.g.n * job.sums.n * job.sums.c * job.sums.h * job.sums.w
        * job.rows.out * job.cols.out * job.c_in
    )
    cdef char* space
    job.parts = max(min((ITEMS + job.strips - 1) // job.strips, blocks), 1)
    cdef Py_ssize_t partial_bytes = job.strips * job.parts * job.sums_bytes
    space = allocate(partial_bytes + threads * (job.x_bytes + job.g_bytes))
    job.partial, job.scratch = space, space + partial_bytes
    with nogil:
        parallel(strip_item, job, sizeof(job[0]), job.strips * job.parts, threads)
        parallel(store_strip, job, sizeof(job[0]), job.strips, threads)
        release(space)
    return 0


cdef inline Block block_at(const Gradient* job, Py_ssize_t index) noexcept nogil:
    cdef Block block
    block.col = index % job.col_blocks * job.block_cols
    block.row = index // job.col_blocks % job.row_blocks * job.block_rows
    block.n = index // job.col_blocks // job.row_blocks
    block.rows = min(job.block_rows, job.rows.out - block.row)
    block.cols = min(job.block_cols, job.cols.out - block.col)
    return block


cdef inline Py_ssize_t part_start(const Gradient* job, Py_ssize_t part) noexcept nogil:
    """The first block of a part."""
    return job.g.n * job.row_blocks * job.col_blocks * part // job.parts


cdef void strip_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """One part of the sums of one strip."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t strip = item // job.parts, part = item % job.parts
    cdef Py_ssize_t rows_of_strips = job.rows.kernel // job.strip_rows
    cdef Py_ssize_t r = strip % rows_of_strips
    cdef Py_ssize_t group = strip // rows_of_strips // job.runs
    cdef Py_ssize_t first = strip // rows_of_strips % job.runs * job.run
    cdef Py_ssize_t filters = min(job.run, job.c_out - first)
    cdef char* sums = job.partial + item * job.sums_bytes
    cdef char* x_tile = job.scratch + thread * (job.x_bytes + job.g_bytes)
    cdef char* g_tile = x_tile + job.x_bytes
    cdef Py_ssize_t b
    cdef Block block
    memset(sums, 0, job.sums_bytes)
    for b in range(part_start(job, part), part_start(job, part + 1)):
        block = block_at(job, b)
        if job.narrow:
            pack_windows(job, &block, group * job.c_in, x_tile)
        else:
            pack_rows(job, &block, group * job.c_in, job.c_in, r, x_tile, job.c_in)
        add_block(job, &block, group * job.c_out + first, filters, x_tile, g_tile, sums)


cdef void pack_rows(
    const Gradient* job, const Block* block, Py_ssize_t channel, Py_ssize_t channels,
    Py_ssize_t r, char* x_tile, Py_ssize_t width,
) noexcept nogil:
    """Pack the input rows that filter row r meets under a block."""
    pack_tile(
        job.k, &job.x, block.n, channel, channels,
        block.row * job.rows.stride - job.rows.before + r * job.rows.dilation, job.rows.stride,
        block.rows, block.col * job.cols.stride - job.cols.before, in_columns(job), x_tile, width,
    )


cdef void pack_windows(
    const Gradient* job, const Block* block, Py_ssize_t channel, char* x_tile
) noexcept nogil:
    """Pack the windows of a block, position by position: im2col, with (R, S, C) innermost.

    They are taken from the block's input, itself packed with its padding behind them."""
    cdef Py_ssize_t pixel = job.c_in * job.x.itemsize, row = in_columns(job) * pixel
    cdef Py_ssize_t step = job.span * job.x.itemsize, span = job.cols.kernel * job.c_in
    cdef Py_ssize_t spans = 1, i, r, s
    cdef char* padded = x_tile + job.windows_bytes
    cdef const char* source
    cdef char* target
    if job.cols.dilation > 1:
        span, spans = job.c_in, job.cols.kernel
    pack_tile(
        job.k, &job.x, block.n, channel, job.c_in, block.row * job.rows.stride - job.rows.before, 1,
        in_rows(job), block.col * job.cols.stride - job.cols.before, in_columns(job), padded,
        job.c_in,
    )
    for i in range(block.rows):
        for r in range(job.rows.kernel):
            source = padded + (i * job.rows.stride + r * job.rows.dilation) * row
            target = x_tile + i * block.cols * step + r * job.cols.kernel * pixel
            for s in range(spans):
                job.k.copy2d(
                    target + s * pixel, step, job.x.itemsize,
                    source + s * job.cols.dilation * pixel, job.cols.stride * pixel,
                    job.x.itemsize, block.cols, span,
                )


cdef void add_block(
    const Gradient* job, const Block* block, Py_ssize_t first, Py_ssize_t filters,
    const char* x_tile, char* g_tile, char* sums,
) noexcept nogil:
    """Add one block of positions to the sums, register tile by register tile."""
    cdef Py_ssize_t itemsize = job.x.itemsize
    cdef Py_ssize_t x_step = job.span * itemsize, x_row_step = block.cols * x_step
    cdef Py_ssize_t sums_step = job.spans * job.span_step * itemsize
    cdef Py_ssize_t g_step = job.g.sw, g_row_step = job.g.sh
    cdef Py_ssize_t i = 0, j, s, vectors, tiles, count
    cdef const char* g = job.g.data + block.n * job.g.sn + first * job.g.sc + (
        block.row * job.g.sh + block.col * job.g.sw
    )
    if not job.narrow:
        x_step = job.cols.stride * job.c_in * itemsize
        x_row_step = in_columns(job) * job.c_in * itemsize
    if job.g_bytes:
        g_step, g_row_step = filters * itemsize, block.cols * filters * itemsize
        pack_tile(
            job.k, &job.g, block.n, first, filters, block.row, 1, block.rows, block.col,
            block.cols, g_tile, filters,
        )
        g = g_tile
    tiles = (filters + job.k.tile_rows - 1) // job.k.tile_rows
    while tiles > 0:
        count = (filters - i + tiles - 1) // tiles
        for s in range(job.spans):
            j = 0
            while j < job.span_step:
                vectors = min(job.k.tile_vectors, (job.span_step - j) // job.k.lanes)
                job.k.outer_tile(
                    <int> count, <int> vectors,
                    sums + i * sums_step + (s * job.span_step + j) * itemsize, sums_step,
                    g + i * itemsize, g_row_step, g_step,
                    x_tile + (s * job.cols.dilation * job.c_in + j) * itemsize, x_row_step, x_step,
                    block.rows, block.cols,
                )
                j += vectors * job.k.lanes
        i += count
        tiles -= 1


cdef void store_strip(void* context, Py_ssize_t strip, int thread) noexcept nogil:
    """Add up a strip's parts, in order, and move the sums to where they belong."""
    cdef Gradient* job = <Gradient*> context
    cdef Py_ssize_t itemsize = job.g.itemsize, part, r, f, first, filters, group, step
    cdef Py_ssize_t rows_of_strips = job.rows.kernel // job.strip_rows
    cdef char* sums = job.partial + strip * job.parts * job.sums_bytes
    for part in range(1, job.parts):
        job.k.add(sums, sums + part * job.sums_bytes, job.sums_bytes // itemsize)
    group = strip // rows_of_strips // job.runs
    first = strip // rows_of_strips % job.runs * job.run
    filters = min(job.run, job.c_out - first)
    step = (job.span_step if job.spans > 1 else job.c_in) * itemsize
    for r in range(job.strip_rows):
        for f in range(filters):
            job.k.copy2d(
                job.sums.data + (group * job.c_out + first + f) * job.sums.sn
                + (strip % rows_of_strips * job.strip_rows + r) * job.sums.sh,
                job.sums.sw, job.sums.sc,
                sums + f * job.spans * job.span_step * itemsize + r * job.cols.kernel * step,
                step, itemsize, job.cols.kernel, job.c_in,
            )
