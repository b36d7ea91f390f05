"""Linear maps along the rows and the columns of images: resizing, padding, uneven averages.

A plan gives each target of an axis its taps: targets' `starts` in the lists of `sources` and
`weights`. An image is done in blocks of target rows. Each source row that a block needs is
resampled along the columns, into scratch memory; sums of these are the block. In channels-last
memory a pixel has its channels as lanes, in C order every plane is an image of one lane.
"""
from cpython.buffer cimport Py_buffer, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memcpy, memset

from cnnfast._ext.dispatch cimport cf_kernels, kernels_for
from cnnfast._ext.images cimport Image, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate_both, release_both, rounded_up

cdef enum:
    BLOCK_BYTES = 256 * 1024  # of scratch, about: in L2


cdef struct Plan:
    Py_ssize_t targets
    Py_ssize_t taps            # of each target; 0 if they differ
    Py_ssize_t all_taps
    const Py_ssize_t* starts   # and where the last target's taps end
    const Py_ssize_t* sources
    const char* weights


cdef struct Resampling:
    const cf_kernels* k
    const char* x
    char* y
    Plan rows, columns
    Py_ssize_t images, lanes
    Py_ssize_t source_rows, source_bytes  # of an image, of a row
    Py_ssize_t pixel_bytes, row_bytes     # of a target's row
    Py_ssize_t blocks, of_a_block         # target rows
    char* scratch
    Py_ssize_t flags, scratch_bytes       # of a thread


def apply(x, y, rows, columns, bint channels_last):
    """y = x resampled by two plans (starts, sources, weights).

    x and y lie in the same one of the two memory orders, and weights are of their dtype."""
    cdef Resampling job
    cdef Image source = image(x), target = image(y, True)
    cdef Py_ssize_t itemsize = source.itemsize
    cdef char* tables
    cdef int threads
    cdef double work
    job.k = kernels_for(source.itemsize)
    job.x, job.y = source.data, target.data
    job.rows, job.columns = plan(rows, target.h), plan(columns, target.w)
    job.images = source.n if channels_last else source.n * source.c
    job.lanes = source.c if channels_last else 1
    job.pixel_bytes = job.lanes * source.itemsize
    job.source_rows, job.source_bytes = source.h, source.w * job.pixel_bytes
    job.row_bytes = target.w * job.pixel_bytes
    if job.images == 0 or job.lanes == 0 or target.h == 0 or target.w == 0:
        return
    share_out(&job)
    work = <double> job.columns.all_taps * source.h + <double> job.rows.all_taps * target.w
    threads = threads_for(work * job.images * job.lanes)
    allocate_both(
        table_bytes(&job.rows, itemsize) + table_bytes(&job.columns, itemsize), &tables,
        threads * job.scratch_bytes, &job.scratch,
    )
    with nogil:
        copy_table(&job.columns, copy_table(&job.rows, tables, itemsize), itemsize)
        parallel(block_item, &job, sizeof(job), job.images * job.blocks, threads)
        release_both(tables, job.scratch)


cdef Plan plan(arrays, Py_ssize_t targets) except *:
    cdef Plan result
    cdef Py_ssize_t i
    starts, sources, weights = arrays
    result.targets = targets
    result.starts = <const Py_ssize_t*> contents(starts)
    result.sources = <const Py_ssize_t*> contents(sources)
    result.weights = contents(weights)
    result.all_taps = result.starts[targets]
    result.taps = result.starts[1]
    for i in range(targets):
        if result.starts[i + 1] - result.starts[i] != result.taps:
            result.taps = 0
            break
    return result


cdef const char* contents(array) except? NULL:
    """The elements of a contiguous array, which the caller keeps alive."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE)
    PyBuffer_Release(&buffer)
    return <const char*> buffer.buf


cdef Py_ssize_t table_bytes(const Plan* plan, Py_ssize_t itemsize) noexcept nogil:
    return (
        (plan.targets + 1 + plan.all_taps) * sizeof(Py_ssize_t)
        + rounded_up(plan.all_taps * itemsize, sizeof(Py_ssize_t))
    )


cdef char* copy_table(Plan* plan, char* table, Py_ssize_t itemsize) noexcept nogil:
    """Let a plan live in `table`, which a recording of the kernel keeps. Returns its end."""
    cdef char* sources = table + (plan.targets + 1) * sizeof(Py_ssize_t)
    cdef char* weights = sources + plan.all_taps * sizeof(Py_ssize_t)
    memcpy(table, plan.starts, sources - table)
    memcpy(sources, plan.sources, weights - sources)
    memcpy(weights, plan.weights, plan.all_taps * itemsize)
    plan.starts, plan.sources = <Py_ssize_t*> table, <Py_ssize_t*> sources
    plan.weights = weights
    return weights + rounded_up(plan.all_taps * itemsize, sizeof(Py_ssize_t))


cdef void share_out(Resampling* job) noexcept:
    """Cut the target rows into blocks, whose sources fit the scratch memory."""
    cdef Py_ssize_t most = 1, block, low, high
    cdef Py_ssize_t sources = job.source_rows // job.rows.targets + 1  # for a target, about
    job.of_a_block = max(1, min(job.rows.targets, BLOCK_BYTES // (job.row_bytes * sources)))
    job.blocks = (job.rows.targets + job.of_a_block - 1) // job.of_a_block
    for block in range(job.blocks):
        reach(job, block, &low, &high)
        most = max(most, high - low)
    job.flags = rounded_up(most, 64)
    job.scratch_bytes = job.flags + rounded_up(most * job.row_bytes, 64)


cdef void reach(
    const Resampling* job, Py_ssize_t block, Py_ssize_t* low, Py_ssize_t* high
) noexcept nogil:
    """The source rows low..high-1 are those that a block needs, and some between them."""
    cdef const Plan* rows = &job.rows
    cdef Py_ssize_t last = min((block + 1) * job.of_a_block, rows.targets), tap
    low[0], high[0] = job.source_rows, 0
    for tap in range(rows.starts[block * job.of_a_block], rows.starts[last]):
        low[0] = min(low[0], rows.sources[tap])
        high[0] = max(high[0], rows.sources[tap] + 1)
    low[0] = min(low[0], high[0])


cdef void block_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Some target rows of an image."""
    cdef const Resampling* job = <const Resampling*> context
    cdef const Plan* rows = &job.rows
    cdef const Plan* columns = &job.columns
    cdef Py_ssize_t n = item // job.blocks, block = item % job.blocks
    cdef Py_ssize_t first = block * job.of_a_block, row, tap, low, high
    cdef Py_ssize_t count = min(job.of_a_block, rows.targets - first)
    cdef const char* x = job.x + n * job.source_rows * job.source_bytes
    cdef char* done = job.scratch + thread * job.scratch_bytes
    cdef char* across = done + job.flags
    reach(job, block, &low, &high)
    memset(done, 0, high - low)
    for tap in range(rows.starts[first], rows.starts[first + count]):
        row = rows.sources[tap]
        if not done[row - low]:
            done[row - low] = True
            job.k.blend(
                across + (row - low) * job.row_bytes, x + row * job.source_bytes, job.pixel_bytes,
                columns.starts, columns.sources, columns.weights, columns.taps, columns.targets,
                job.lanes,
            )
    job.k.blend(
        job.y + (n * rows.targets + first) * job.row_bytes, across - low * job.row_bytes,
        job.row_bytes, rows.starts + first, rows.sources, rows.weights, rows.taps, count,
        columns.targets * job.lanes,
    )
