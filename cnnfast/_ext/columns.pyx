"""im2col and col2im: windows stretched out into columns, and columns summed back into images.

Columns are (N, C*R*S, OH*OW), as torch's unfold makes them; here they come as (N, C*R*S, OH, OW).

Both work plane by plane on a scratch copy of the padded plane whose columns are dealt out by
stride: first those at 0, S, 2S, ..., then those at 1, S + 1, ... So every row of columns, whatever
stride and padding, is one contiguous piece of a row of the scratch plane.
"""
from libc.string cimport memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Axis, Image, axis, image
from cnnfast._ext.threads cimport cf_task, parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release, rounded_up

cdef enum:
    PLANES = 16  # transposed at a time where the rows of a plane are not contiguous
    SCRATCH_BYTES = 1 << 20


cdef struct Columns:
    const cf_kernels* k
    Image x, columns
    Axis rows, cols
    Py_ssize_t planes               # of an item
    Py_ssize_t phases, phase_bytes  # a scratch row is `phases` pieces of `phase_bytes`
    Py_ssize_t row_bytes, plane_bytes
    char* scratch
    Py_ssize_t scratch_bytes


def im2col(x, columns, rows, cols):
    """Fill `columns` (N, C*R*S, OH, OW), C-contiguous, from the windows of `x`."""
    run(image(x), image(columns, True), axis(rows), axis(cols), im2col_planes)


def col2im(columns, y, rows, cols):
    """Sum `columns` (N, C*R*S, OH, OW), C-contiguous, into `y` (N, C, H, W)."""
    run(image(y, True), image(columns), axis(rows), axis(cols), col2im_planes)


cdef int run(Image x, Image columns, Axis rows, Axis cols, cf_task task) except -1:
    cdef Columns job
    cdef char* space
    cdef int threads = threads_for(
        <double> columns.n * columns.c * columns.h * columns.w / 4
    )
    job.x, job.columns, job.rows, job.cols = x, columns, rows, cols
    job.k = kernels_for(x.itemsize)
    job.phases = cols.stride if cols.out > 1 else 1
    # Rows are moved in whole vectors: with room for them, none reaches into the next row.
    job.phase_bytes = x.itemsize * (
        rounded_up(cols.out, job.k.lanes)
        + ((cols.kernel - 1) * cols.dilation + job.phases - 1) // job.phases
    )
    job.row_bytes = job.phases * job.phase_bytes
    job.plane_bytes = job.row_bytes * (
        (rows.out - 1) * rows.stride + (rows.kernel - 1) * rows.dilation + 1
    )
    job.planes = 1
    if x.sw != x.itemsize:
        job.planes = min(max(SCRATCH_BYTES // job.plane_bytes, 4), PLANES, x.c)
    job.scratch_bytes = rounded_up(job.planes * job.plane_bytes, 64)
    space = allocate(threads * job.scratch_bytes)
    job.scratch = space
    with nogil:
        parallel(task, &job, sizeof(job), x.n * ((x.c + job.planes - 1) // job.planes), threads)
        release(space)
    return 0


cdef void im2col_planes(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef Columns* job = <Columns*> context
    cdef char* scratch = job.scratch + thread * job.scratch_bytes
    cdef Py_ssize_t n, c, planes, plane, r, s
    locate(job, item, &n, &c, &planes)
    cdef char* target = columns_of(job, n, c)
    cdef Py_ssize_t step = job.cols.out * job.rows.out * job.x.itemsize
    memset(scratch, 0, planes * job.plane_bytes)
    move_planes(job, n, c, planes, scratch, True)
    for plane in range(planes):
        for r in range(job.rows.kernel):
            for s in range(job.cols.kernel):
                job.k.copy_rows(
                    target, scratch + plane * job.plane_bytes + tap_offset(job, r, s),
                    job.rows.stride * job.row_bytes, job.rows.out, job.cols.out,
                )
                target += step


cdef void col2im_planes(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef Columns* job = <Columns*> context
    cdef char* scratch = job.scratch + thread * job.scratch_bytes
    cdef Py_ssize_t n, c, planes, plane, r, s
    locate(job, item, &n, &c, &planes)
    cdef const char* source = columns_of(job, n, c)
    cdef Py_ssize_t step = job.cols.out * job.rows.out * job.x.itemsize
    memset(scratch, 0, job.scratch_bytes)
    for plane in range(planes):
        for r in range(job.rows.kernel):
            for s in range(job.cols.kernel):
                job.k.add_rows(
                    scratch + plane * job.plane_bytes + tap_offset(job, r, s),
                    job.rows.stride * job.row_bytes, source, job.rows.out, job.cols.out,
                )
                source += step
    move_planes(job, n, c, planes, scratch, False)


cdef inline void locate(
    const Columns* job, Py_ssize_t item, Py_ssize_t* n, Py_ssize_t* c, Py_ssize_t* planes
) noexcept nogil:
    """The image and the channels of an item."""
    cdef Py_ssize_t items = (job.x.c + job.planes - 1) // job.planes
    n[0] = item // items
    c[0] = item % items * job.planes
    planes[0] = min(job.planes, job.x.c - c[0])


cdef inline char* columns_of(const Columns* job, Py_ssize_t n, Py_ssize_t c) noexcept nogil:
    """Where the columns of channel c of image n begin."""
    return job.columns.data + (n * job.x.c + c) * job.rows.kernel * job.cols.kernel * (
        job.rows.out * job.cols.out * job.x.itemsize
    )


cdef inline Py_ssize_t tap_offset(const Columns* job, Py_ssize_t r, Py_ssize_t s) noexcept nogil:
    """Where, in a scratch plane, tap (r, s) of the first window lies."""
    cdef Py_ssize_t column = s * job.cols.dilation
    return (
        r * job.rows.dilation * job.row_bytes + column % job.phases * job.phase_bytes
        + column // job.phases * job.x.itemsize
    )


cdef void move_planes(
    const Columns* job, Py_ssize_t n, Py_ssize_t c, Py_ssize_t planes, char* scratch, bint fill
) noexcept nogil:
    """Fill scratch planes from the image, or the image from them.

    Pixels that no window sees have no place in a scratch plane; their gradient is 0."""
    cdef const Image* x = &job.x
    cdef Py_ssize_t itemsize = x.itemsize
    cdef Py_ssize_t height = job.plane_bytes // job.row_bytes
    cdef Py_ssize_t length = job.phase_bytes // itemsize
    cdef Py_ssize_t i, h, phase, w, first, last
    cdef char* pixels
    cdef char* piece
    if not fill:
        for i in range(planes):
            for h in range(x.h):
                pixels = x.data + n * x.sn + (c + i) * x.sc + h * x.sh
                job.k.copy2d(pixels, 0, x.sw, <char*> &ZERO, 0, 0, 1, x.w)
    for i in range(height):
        h = i - job.rows.before
        if not 0 <= h < x.h:
            continue
        for phase in range(job.phases):
            # Elements first..last-1 of the piece lie inside the image, at w, w + phases, ...
            w = phase - job.cols.before
            first = 0 if w >= 0 else (-w + job.phases - 1) // job.phases
            last = 0 if w >= x.w else min((x.w - 1 - w) // job.phases + 1, length)
            if first >= last:
                continue
            pixels = (
                x.data + n * x.sn + c * x.sc + h * x.sh + (w + first * job.phases) * x.sw
            )
            piece = scratch + i * job.row_bytes + phase * job.phase_bytes + first * itemsize
            if fill:
                job.k.copy2d(
                    piece, job.plane_bytes, itemsize, pixels, x.sc, job.phases * x.sw, planes,
                    last - first,
                )
            else:
                job.k.copy2d(
                    pixels, x.sc, job.phases * x.sw, piece, job.plane_bytes, itemsize, planes,
                    last - first,
                )


cdef double ZERO = 0
