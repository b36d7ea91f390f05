"""Convolution, and its gradient with respect to the input, which is a convolution too.

One engine for both. The output is cut into blocks of rows and columns; the input under a block is
packed, zero-padded and channels innermost, into a buffer that stays in L2; the weights are packed
into panels of as many output channels as a register tile is wide. Each row of a block is then
covered by register tiles, whose reduction runs over R contiguous spans of S*C values (R*S spans of
C when dilated). Where the input is channels-last and no window reaches into padding, nothing is
packed at all.

With groups = C there is one filter a channel: the panels are then of channels, and a kernel whose
lanes are the channels takes the tile's place. Channels-last input in whole vectors is never packed
then: windows that reach into padding go without those taps.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_epilogue, cf_kernels, cf_taps, kernels_for
from cnnfast._ext.images cimport (
    Axis, Image, axis, epilogue, image, taps_inside, whole_windows,
)
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport (
    TILE_BYTES, allocate, allocate_both, pack_tile, release, release_both, rounded_up,
)

cdef enum:
    ITEMS_PER_THREAD = 4
    ALIASING = 4096  # pixels as far apart, or twice that, share one set of L1


cdef struct Filters:
    # The weights as the engine reads them, by output and input channel and by tap: the input's
    # gradient swaps the channels and walks the taps backwards.
    const char* data
    Py_ssize_t group_step, out_step, in_step, row_step, column_step


cdef struct Panels:
    # Filters as the tiles read them: for each group `count` panels of `width` output channels (of
    # channels, if depthwise), each (taps, c_in, width), zero-padded.
    const cf_kernels* k
    bint depthwise
    Py_ssize_t groups, c_in, c_out  # channels of one group
    Py_ssize_t rows, cols           # taps
    Py_ssize_t width, count, bytes
    char* data


cdef struct Packing:
    Filters filters
    Panels panels


cdef struct Conv:
    const cf_kernels* k
    Image x, y
    Axis rows, cols
    Panels panels
    char* bias  # as long as all panels are wide
    cf_epilogue after
    # Blocks of the output, and how the panels are dealt out to items.
    Py_ssize_t block_rows, block_cols, row_blocks, col_blocks, panel_chunks
    bint direct   # read x where it lies
    bint spans    # one span of S*C values for each filter row
    Py_ssize_t n_taps, depth
    Py_ssize_t* taps  # byte offset of each span from a window's first pixel
    Py_ssize_t row_bytes, pixel_bytes  # steps in what the tiles read
    char* scratch
    Py_ssize_t tile_bytes, scratch_bytes


cdef class PackedFilters:
    """Filters (K, C/groups, R, S), packed for `forward` on the instruction set in use."""
    cdef Panels panels
    cdef char* space

    def __cinit__(self, weight, Py_ssize_t groups):
        cdef Image w = image(weight)
        cdef Packing packing
        packing.filters = Filters(w.data, w.n // groups * w.sn, w.sn, w.sc, w.sh, w.sw)
        packing.panels = plan_panels(
            kernels_for(w.itemsize), groups, w.c, w.n // groups, w.h, w.w
        )
        self.space = pack(&packing)
        self.panels = packing.panels

    def __dealloc__(self):
        release(self.space)


def forward(x, PackedFilters filters, bias, y, rows, cols, residual=None, double ceiling=0):
    """y = conv(x, filters) + bias + residual, from 0 to `ceiling` unless that is 0.

    `bias` is a (1, 1, 1, K) array or None; a residual or ceiling wants y channels-last."""
    cdef Conv conv
    cdef Image b
    conv.x, conv.y = image(x), image(y, True)
    conv.rows, conv.cols = axis(rows), axis(cols)
    conv.panels = filters.panels
    conv.after = epilogue(&conv.y, residual, ceiling)
    if bias is None:
        run(&conv, NULL, 0)
    else:
        b = image(bias)
        run(&conv, b.data, b.sw)


def backward_data(g, weight, gx, rows, cols, Py_ssize_t groups):
    """gx = the gradient of the input, from the gradient g of the output.

    At stride 1 this is a convolution of g with the filters turned around. At stride S, input
    rows S apart meet the same taps, so each of the S phases of the rows and of the columns is
    such a convolution with some of the taps.
    """
    cdef Conv conv
    cdef Packing packing
    cdef char* space
    cdef Image grad = image(g), w = image(weight), whole = image(gx, True)
    cdef Axis down = axis(rows), across = axis(cols)
    cdef Py_ssize_t i, j, first_row, first_col, row_taps_apart, col_taps_apart
    for i in range(min(down.stride, down.size)):
        for j in range(min(across.stride, across.size)):
            conv.rows = phase(&down, i, &first_row, &row_taps_apart)
            conv.cols = phase(&across, j, &first_col, &col_taps_apart)
            packing.filters = Filters(
                w.data + first_row * w.sh + first_col * w.sw, w.n // groups * w.sn, w.sc, w.sn,
                -row_taps_apart * w.sh, -col_taps_apart * w.sw,
            )
            packing.panels = plan_panels(
                kernels_for(w.itemsize), groups, w.n // groups, w.c, conv.rows.kernel,
                conv.cols.kernel,
            )
            conv.after.residual, conv.after.relu = 0, False
            conv.x, conv.y = grad, whole  # anew: `run` may flatten them
            conv.y.data += i * whole.sh + j * whole.sw
            conv.y.sh, conv.y.sw = whole.sh * down.stride, whole.sw * across.stride
            conv.y.h, conv.y.w = conv.rows.out, conv.cols.out
            space = pack(&packing)
            conv.panels = packing.panels
            try:
                run(&conv, NULL, 0)
            finally:
                release(space)


cdef Axis phase(const Axis* a, Py_ssize_t at, Py_ssize_t* first_tap, Py_ssize_t* taps_apart):
    """The convolution that makes the input gradient at `at`, at + stride, at + 2 stride, ...

    Tap t of the forward pass joins input i to output o where i + before = o stride + t dilation.
    For i = at (mod stride) that leaves the taps t0, t0 + q, ..., with q = stride / gcd(stride,
    dilation); the outputs they meet lie dilation q / stride apart, later taps earlier. `first_tap`
    is the last of them: with it the turned-around filter begins.
    """
    cdef Axis result
    cdef Py_ssize_t t0 = 0, q = a.stride // gcd(a.stride, a.dilation), taps
    while t0 < min(q, a.kernel) and (at + a.before - t0 * a.dilation) % a.stride != 0:
        t0 += 1
    taps = 0 if t0 == min(q, a.kernel) else (a.kernel - 1 - t0) // q + 1
    first_tap[0] = t0 + (taps - 1) * q if taps else 0
    taps_apart[0] = q
    result.size = a.out
    result.kernel = taps
    result.stride = 1
    result.dilation = a.dilation * q // a.stride
    result.before = (taps - 1) * result.dilation - (at + a.before - t0 * a.dilation) // a.stride
    result.out = (a.size - 1 - at) // a.stride + 1
    result.after = result.out - 1 + (taps - 1) * result.dilation - result.before - a.out + 1
    return result


cdef Py_ssize_t gcd(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    while b:
        a, b = b, a % b
    return a


cdef int run(Conv* conv, const char* bias, Py_ssize_t bias_step) except -1:
    """Plan, and compute every block."""
    cdef int threads
    cdef Py_ssize_t items, channels
    if conv.y.n == 0:
        return 0
    conv.k = conv.panels.k
    flatten(conv)
    channels = conv.panels.groups * conv.panels.c_out
    threads = threads_for(
        <double> conv.y.n * channels * conv.panels.c_in * conv.rows.out * conv.cols.out
        * conv.rows.kernel * conv.cols.kernel
    )
    plan_blocks(conv, threads)
    items = conv.y.n * (1 if conv.panels.depthwise else conv.panels.groups) * (
        conv.row_blocks * conv.col_blocks * conv.panel_chunks
    )
    layout(conv, threads)
    pad_bias(conv, bias, bias_step)
    with nogil:
        parallel(compute_item, conv, sizeof(conv[0]), items, threads)
        release_both(conv.bias, conv.scratch)
    return 0


cdef Panels plan_panels(
    const cf_kernels* k, Py_ssize_t groups, Py_ssize_t c_in, Py_ssize_t c_out, Py_ssize_t rows,
    Py_ssize_t cols,
) noexcept:
    cdef Panels panels
    panels.k, panels.data = k, NULL
    panels.groups, panels.c_in, panels.c_out = groups, c_in, c_out
    panels.rows, panels.cols = rows, cols
    panels.depthwise = c_in == 1 and c_out == 1 and groups > 1
    panels.width = k.lanes * k.tile_vectors
    panels.count = (groups if panels.depthwise else c_out) + panels.width - 1
    panels.count //= panels.width
    panels.bytes = panels.width * k.itemsize * rows * cols * c_in
    return panels


cdef char* pack(Packing* packing) except NULL:
    """Pack filters into new memory, which the caller releases."""
    cdef Panels* panels = &packing.panels
    cdef Py_ssize_t items = panels.count * (1 if panels.depthwise else panels.groups)
    cdef char* space = allocate(items * panels.bytes)
    cdef int threads = threads_for(<double> items * panels.bytes)
    panels.data = space
    with nogil:
        parallel(pack_panel, packing, sizeof(packing[0]), items, threads)
    return space


cdef void pack_panel(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Pack one panel: (taps, c_in, width), zero-padded."""
    cdef const Panels* panels = &(<Packing*> context).panels
    cdef const Filters* f = &(<Packing*> context).filters
    cdef Py_ssize_t itemsize = panels.k.itemsize, r, s, width, channel, channels
    cdef Py_ssize_t group = 0 if panels.depthwise else item // panels.count
    cdef Py_ssize_t total = panels.groups if panels.depthwise else panels.c_out
    cdef Py_ssize_t out_step = f.group_step if panels.depthwise else f.out_step
    cdef char* target = panels.data + item * panels.bytes
    cdef const char* source = f.data + group * f.group_step
    channel = (item - group * panels.count) * panels.width
    channels = min(panels.width, total - channel)
    # A kernel called for fewer vectors reads panels only that many vectors wide.
    width = panels.width if panels.depthwise else rounded_up(channels, panels.k.lanes)
    source += channel * out_step
    if channels < panels.width:
        memset(target, 0, panels.bytes)
    for r in range(panels.rows):
        for s in range(panels.cols):
            panels.k.copy2d(
                target, width * itemsize, itemsize, source + r * f.row_step + s * f.column_step,
                f.in_step, out_step, panels.c_in, channels,
            )
            target += panels.c_in * width * itemsize


cdef void flatten(Conv* conv) noexcept:
    """Read the pixels of a 1x1 convolution as one long row, of the whole batch where they are."""
    cdef Image* x = &conv.x
    cdef Image* y = &conv.y
    cdef Axis* r = &conv.rows
    cdef Axis* c = &conv.cols
    if r.kernel != 1 or c.kernel != 1 or r.stride != 1 or c.stride != 1:
        return
    if r.before or c.before or r.after or c.after:
        return
    if x.sh == x.w * x.sw and y.sh == y.w * y.sw:
        x.w, x.h, y.w, y.h = x.w * x.h, 1, y.w * y.h, 1
    if x.h == 1 and x.sn == x.w * x.sw and y.sn == y.w * y.sw:
        x.w, x.n, y.w, y.n = x.w * x.n, 1, y.w * y.n, 1
    r.size, r.out, c.size, c.out = x.h, y.h, x.w, y.w


cdef bint stays_inside(const Axis* a) noexcept:
    """Whether no window of the axis reaches into padding."""
    return (
        a.kernel > 0 and a.before <= 0
        and -a.before + (a.out - 1) * a.stride + (a.kernel - 1) * a.dilation < a.size
    )


cdef void plan_blocks(Conv* conv, int threads) noexcept:
    """Choose blocks whose packed input fits TILE_BYTES, small enough to keep all threads busy."""
    cdef Axis* r = &conv.rows
    cdef Axis* c = &conv.cols
    cdef Py_ssize_t channels = conv.panels.width if conv.panels.depthwise else conv.panels.c_in
    cdef Py_ssize_t pixel = channels * conv.x.itemsize, unit = conv.k.tile_rows, wanted, items
    cdef Py_ssize_t span_r = max((r.kernel - 1) * r.dilation + 1, 1)
    cdef Py_ssize_t span_c = max((c.kernel - 1) * c.dilation + 1, 1)
    cdef Py_ssize_t fit = (TILE_BYTES // (pixel * span_r) - span_c) // c.stride + 1
    fit = max(fit // unit, 1) * unit
    conv.col_blocks = (c.out + fit - 1) // fit
    conv.block_cols = min(rounded_up((c.out + conv.col_blocks - 1) // conv.col_blocks, unit), c.out)
    conv.col_blocks = (c.out + conv.block_cols - 1) // conv.block_cols
    fit = TILE_BYTES // (pixel * ((conv.block_cols - 1) * c.stride + span_c))
    conv.block_rows = min(max((fit - span_r) // r.stride + 1, 1), r.out)
    items = conv.y.n * (1 if conv.panels.depthwise else conv.panels.groups) * conv.col_blocks
    wanted = ITEMS_PER_THREAD * threads
    while threads > 1 and conv.block_rows > 4 and (
        items * ((r.out + conv.block_rows - 1) // conv.block_rows) < wanted
    ):
        conv.block_rows = (conv.block_rows + 1) // 2
    conv.row_blocks = (r.out + conv.block_rows - 1) // conv.block_rows
    items *= conv.row_blocks
    conv.panel_chunks = 1
    if threads > 1 and items < wanted:
        conv.panel_chunks = min((wanted + items - 1) // items, conv.panels.count)


cdef int layout(Conv* conv, int threads) except -1:
    """Lay out what the tiles read, and allocate bias and tap offsets in one block, and scratch."""
    cdef Image* x = &conv.x
    cdef Py_ssize_t itemsize = x.itemsize, r, s, bias_bytes, taps_bytes
    cdef Py_ssize_t channels = conv.panels.width if conv.panels.depthwise else conv.panels.c_in
    cdef Py_ssize_t in_rows = (
        (conv.block_rows - 1) * conv.rows.stride + (conv.rows.kernel - 1) * conv.rows.dilation + 1
    )
    cdef Py_ssize_t in_cols = (
        (conv.block_cols - 1) * conv.cols.stride + (conv.cols.kernel - 1) * conv.cols.dilation + 1
    )
    conv.direct = x.sc == itemsize and x.sw % ALIASING != 0 and (
        x.c % conv.k.lanes == 0 if conv.panels.depthwise
        else stays_inside(&conv.rows) and stays_inside(&conv.cols)
    )
    if conv.direct:
        conv.row_bytes, conv.pixel_bytes, conv.tile_bytes = x.sh, x.sw, 0
    else:
        conv.pixel_bytes = channels * itemsize
        if conv.pixel_bytes % ALIASING == 0:
            conv.pixel_bytes += 64
        conv.row_bytes = in_cols * conv.pixel_bytes
        conv.tile_bytes = rounded_up(max(in_rows, 0) * max(conv.row_bytes, 0), 64) + 128
    conv.spans = (
        not conv.panels.depthwise and conv.cols.dilation == 1 and conv.cols.kernel > 0
        and conv.pixel_bytes == conv.panels.c_in * itemsize
    )
    conv.n_taps = conv.rows.kernel * (1 if conv.spans else conv.cols.kernel)
    conv.depth = conv.panels.c_in * (conv.cols.kernel if conv.spans else 1)
    conv.scratch_bytes = conv.tile_bytes + (
        0 if conv.y.sc == itemsize
        else rounded_up(conv.block_rows * conv.block_cols * conv.panels.width * itemsize, 64)
    )
    bias_bytes = rounded_up(
        (1 if conv.panels.depthwise else conv.panels.groups) * conv.panels.count
        * conv.panels.width * itemsize, 64
    )
    taps_bytes = rounded_up(conv.n_taps * sizeof(Py_ssize_t), 64)
    allocate_both(
        bias_bytes + taps_bytes, &conv.bias, threads * conv.scratch_bytes, &conv.scratch
    )
    conv.taps = <Py_ssize_t*> (conv.bias + bias_bytes)
    for r in range(conv.rows.kernel):
        for s in range(conv.n_taps // conv.rows.kernel):
            conv.taps[r * (conv.n_taps // conv.rows.kernel) + s] = (
                r * conv.rows.dilation * conv.row_bytes + s * conv.cols.dilation * conv.pixel_bytes
            )
    return 0


cdef void pad_bias(Conv* conv, const char* bias, Py_ssize_t step) noexcept:
    """Lay the bias out as the panels are: zero-padded to whole panels, group by group."""
    cdef Panels* panels = &conv.panels
    cdef Py_ssize_t groups = 1 if panels.depthwise else panels.groups
    cdef Py_ssize_t channels = panels.groups if panels.depthwise else panels.c_out
    cdef Py_ssize_t length = panels.count * panels.width
    memset(conv.bias, 0, groups * length * conv.k.itemsize)
    if bias != NULL:
        conv.k.copy2d(
            conv.bias, length * conv.k.itemsize, conv.k.itemsize, bias, channels * step, step,
            groups, channels,
        )


cdef void compute_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """One block of the output, for some of the panels."""
    cdef Conv* conv = <Conv*> context
    cdef Py_ssize_t chunk = item % conv.panel_chunks
    cdef Py_ssize_t col = item // conv.panel_chunks % conv.col_blocks * conv.block_cols
    cdef Py_ssize_t block = item // conv.panel_chunks // conv.col_blocks
    cdef Py_ssize_t row = block % conv.row_blocks * conv.block_rows
    cdef Py_ssize_t image_group = block // conv.row_blocks
    cdef Py_ssize_t groups = 1 if conv.panels.depthwise else conv.panels.groups
    cdef Py_ssize_t n = image_group // groups, group = image_group % groups
    cdef Py_ssize_t rows = min(conv.block_rows, conv.rows.out - row)
    cdef Py_ssize_t cols = min(conv.block_cols, conv.cols.out - col)
    cdef Py_ssize_t panel, first = conv.panels.count * chunk // conv.panel_chunks
    cdef Py_ssize_t last = conv.panels.count * (chunk + 1) // conv.panel_chunks
    cdef char* tile = conv.scratch + thread * conv.scratch_bytes
    cdef char* results = tile + conv.tile_bytes
    cdef const char* source = tile
    cdef const char* under
    if conv.direct:
        source = (
            conv.x.data + n * conv.x.sn + group * conv.panels.c_in * conv.x.sc
            + (row * conv.rows.stride - conv.rows.before) * conv.x.sh
            + (col * conv.cols.stride - conv.cols.before) * conv.x.sw
        )
    elif not conv.panels.depthwise:
        pack_block(conv, n, group * conv.panels.c_in, conv.panels.c_in, row, rows, col, cols, tile)
    for panel in range(first, last):
        under = source
        if conv.panels.depthwise and conv.direct:
            under += panel * conv.panels.width * conv.x.itemsize
        elif conv.panels.depthwise:
            pack_block(
                conv, n, panel * conv.panels.width,
                min(conv.panels.width, conv.panels.groups - panel * conv.panels.width),
                row, rows, col, cols, tile,
            )
        compute_panel(conv, n, group, panel, row, rows, col, cols, under, results)


cdef void pack_block(
    const Conv* conv, Py_ssize_t n, Py_ssize_t channel, Py_ssize_t channels, Py_ssize_t row,
    Py_ssize_t rows, Py_ssize_t col, Py_ssize_t cols, char* tile,
) noexcept nogil:
    """Pack the input under a block of the output."""
    if conv.n_taps == 0:
        return
    pack_tile(
        conv.k, &conv.x, n, channel, channels,
        row * conv.rows.stride - conv.rows.before, 1,
        (rows - 1) * conv.rows.stride + (conv.rows.kernel - 1) * conv.rows.dilation + 1,
        col * conv.cols.stride - conv.cols.before,
        (conv.block_cols - 1) * conv.cols.stride + (conv.cols.kernel - 1) * conv.cols.dilation + 1,
        tile, conv.pixel_bytes // conv.x.itemsize,
    )


cdef void compute_panel(
    const Conv* conv, Py_ssize_t n, Py_ssize_t group, Py_ssize_t panel, Py_ssize_t row,
    Py_ssize_t rows, Py_ssize_t col, Py_ssize_t cols, const char* source, char* results,
) noexcept nogil:
    """One block of the output for one panel, by way of `results` where y is not channels-last."""
    cdef Py_ssize_t itemsize = conv.x.itemsize
    cdef Py_ssize_t total = conv.panels.groups if conv.panels.depthwise else conv.panels.c_out
    cdef Py_ssize_t channel = panel * conv.panels.width
    cdef Py_ssize_t channels = min(conv.panels.width, total - channel), i
    cdef const char* weights = conv.panels.data + (
        (group * conv.panels.count + panel) * conv.panels.bytes
    )
    cdef const char* bias = conv.bias + (
        (group * conv.panels.count + panel) * conv.panels.width * itemsize
    )
    cdef char* y = (
        conv.y.data + n * conv.y.sn + (group * conv.panels.c_out + channel) * conv.y.sc
        + row * conv.y.sh + col * conv.y.sw
    )
    cdef Py_ssize_t x_step = conv.rows.stride * conv.row_bytes
    cdef Py_ssize_t pixel = conv.panels.width * itemsize
    for i in range(rows):
        if conv.y.sc == itemsize:
            compute_row(
                conv, channels, weights, bias, source + i * x_step, row + i, col, cols,
                y + i * conv.y.sh, conv.y.sw,
            )
        else:
            compute_row(
                conv, channels, weights, bias, source + i * x_step, row + i, col, cols,
                results, pixel,
            )
            conv.k.copy2d(
                y + i * conv.y.sh, conv.y.sc, conv.y.sw, results, itemsize, pixel, channels, cols
            )


cdef inline void compute_row(
    const Conv* conv, Py_ssize_t channels, const char* weights, const char* bias, const char* x,
    Py_ssize_t row, Py_ssize_t col, Py_ssize_t cols, char* y, Py_ssize_t y_step,
) noexcept nogil:
    """One row of a block for one panel: tiles of nearly equal length."""
    cdef Py_ssize_t x_step = conv.cols.stride * conv.pixel_bytes, i = 0, tiles, rows
    cdef const cf_epilogue* after = &conv.after if conv.after.relu or conv.after.residual else NULL
    cdef int vectors = <int> ((channels + conv.k.lanes - 1) // conv.k.lanes)
    if conv.panels.depthwise:
        depthwise_row(
            conv, vectors, <int> channels, weights, bias, x, row, col, cols, y, y_step, after
        )
        return
    tiles = (cols + conv.k.tile_rows - 1) // conv.k.tile_rows
    while tiles > 0:
        rows = (cols - i + tiles - 1) // tiles
        conv.k.conv_tile(
            <int> rows, vectors, <int> channels, y + i * y_step, y_step, x + i * x_step, x_step,
            conv.taps, conv.n_taps, conv.depth, weights, bias, after,
        )
        i += rows
        tiles -= 1


cdef void depthwise_row(
    const Conv* conv, int vectors, int channels, const char* weights, const char* bias,
    const char* x, Py_ssize_t row, Py_ssize_t col, Py_ssize_t cols, char* y, Py_ssize_t y_step,
    const cf_epilogue* after,
) noexcept nogil:
    """One row of a block for one panel: positions whose windows are cut off one by one."""
    cdef Py_ssize_t x_step = conv.cols.stride * conv.pixel_bytes, i = 0, run
    cdef Py_ssize_t top = 0, bottom = conv.rows.kernel, left = 0, right = conv.cols.kernel
    cdef cf_taps taps
    taps.row_step = conv.rows.dilation * conv.row_bytes
    taps.column_step = conv.cols.dilation * conv.pixel_bytes
    taps.row_number, taps.column_number = conv.cols.kernel, 1
    if conv.direct:
        taps_inside(&conv.rows, row, &top, &bottom)
    while i < cols:
        run = cols - i
        if conv.direct:
            taps_inside(&conv.cols, col + i, &left, &right)
            run = min(run, whole_windows(&conv.cols, col + i))
        taps.number = top * conv.cols.kernel + left
        taps.rows, taps.columns = bottom - top, right - left
        conv.k.depthwise_tile(
            vectors, channels, run, y + i * y_step, y_step,
            x + i * x_step + top * taps.row_step + left * taps.column_step, x_step, &taps,
            weights, bias, after,
        )
        i += run
