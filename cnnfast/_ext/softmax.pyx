"""Softmax, its logarithm and their gradients along any axis.

A line of numbers is worked on in one go, so that it stays in L1. Long lines of adjacent elements go
through the kernels row by row. All others are taken side by side, a lane each; where neighbouring
lines are not adjacent in memory, and where they do not fill a vector, by way of a tile.
"""
from cnnfast._ext.dispatch cimport CF_LINE_VECTORS, cf_kernels, cf_line_operation, kernels_for
from cnnfast._ext.operands cimport MAX_AXES, OPERANDS, Operand, Operands, locate, unravel, view
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release, rounded_up

cdef enum:
    PIECE = 4096       # elements of an item of work, about
    TILE_VECTORS = 4   # lines side by side in a tile
    CACHE_LINE = 64    # bytes: threads share none
    WORK = 16          # an element's, in multiply-adds


cdef struct Lines:
    cf_line_operation operation
    const cf_kernels* k
    Operands all              # y, a, b; their axes: along the lines, from line to line, ...
    bint along
    bint packed[OPERANDS]     # through a tile, because elements or lines are not adjacent
    Py_ssize_t lines, blocks  # of an item of work, and items in a row
    char* memory
    Py_ssize_t tile_bytes     # of each array of each thread


def softmax(y, x, int axis):
    cdef Lines work
    prepare(&work, y, x, None, axis)
    work.operation = work.k.softmax
    run(&work)


def log_softmax(y, x, int axis):
    cdef Lines work
    prepare(&work, y, x, None, axis)
    work.operation = work.k.log_softmax
    run(&work)


def softmax_backward(gx, g, y, int axis):
    cdef Lines work
    prepare(&work, gx, g, y, axis)
    work.operation = work.k.softmax_backward
    run(&work)


def log_softmax_backward(gx, g, y, int axis):
    cdef Lines work
    prepare(&work, gx, g, y, axis)
    work.operation = work.k.log_softmax_backward
    run(&work)


cdef int prepare(Lines* work, y, a, b, int axis) except -1:
    cdef Operands* all = &work.all
    cdef int i
    view(all, y, a, b, axis)
    work.k = kernels_for(all.itemsize)
    work.along = (
        all.operand[0].step[0] == all.itemsize and all.size[0] >= CF_LINE_VECTORS * work.k.lanes
    )
    for i in range(OPERANDS):
        work.packed[i] = (
            all.operand[i].data != NULL
            and all.operand[i].step[0 if work.along else 1] != all.itemsize
        )
    return 0


cdef int run(Lines* work) except -1:
    cdef Operands* all = &work.all
    cdef Py_ssize_t tile = 1 if work.along else TILE_VECTORS * work.k.lanes
    cdef Py_ssize_t items = 1
    cdef int threads, i
    for i in range(all.axes):
        items *= all.size[i]
    if items == 0:
        return 0
    threads = threads_for(<double> items * WORK)
    work.lines = rounded_up(max(PIECE // all.size[0], 1), tile)
    work.blocks = (all.size[1] + work.lines - 1) // work.lines
    items = items // all.size[0] // all.size[1] * work.blocks
    work.tile_bytes = rounded_up(all.size[0] * all.itemsize * tile, CACHE_LINE)
    work.memory = allocate(threads * OPERANDS * work.tile_bytes)
    with nogil:
        parallel(run_item, work, sizeof(work[0]), items, threads)
        release(work.memory)
    return 0


cdef void run_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A block of neighbouring lines."""
    cdef const Lines* work = <const Lines*> context
    cdef const Operands* all = &work.all
    cdef Py_ssize_t tile = 1 if work.along else TILE_VECTORS * work.k.lanes
    cdef Py_ssize_t at[MAX_AXES]
    cdef Py_ssize_t last, lines
    at[0], at[1] = 0, item % work.blocks * work.lines
    unravel(all, item // work.blocks, 2, at)
    last = min(at[1] + work.lines, all.size[1])
    if work.packed[0] or work.packed[1] or work.packed[2] or (
        not work.along and last - at[1] < work.k.lanes
    ):
        while at[1] < last:
            lines = min(tile, last - at[1])
            run_tile(work, at, lines, work.memory + thread * OPERANDS * work.tile_bytes)
            at[1] += lines
        return
    run_lines(
        work, locate(all, 0, at), all.operand[0].step, locate(all, 1, at), all.operand[1].step,
        locate(all, 2, at), all.operand[2].step, last - at[1],
    )


cdef inline void run_lines(
    const Lines* work, char* y, const Py_ssize_t* y_step, const char* a, const Py_ssize_t* a_step,
    const char* b, const Py_ssize_t* b_step, Py_ssize_t lines,
) noexcept nogil:
    """Neighbouring lines; the steps are those along them and from one to the next."""
    cdef Py_ssize_t length = work.all.size[0]
    if b == NULL:  # for the operations of one array
        b, b_step = a, a_step
    if work.along:
        work.operation.along(y, y_step[1], a, a_step[1], b, b_step[1], lines, length)
    else:
        work.operation.across(y, y_step[0], a, a_step[0], b, b_step[0], length, lines)


cdef void run_tile(
    const Lines* work, const Py_ssize_t* at, Py_ssize_t lines, char* memory
) noexcept nogil:
    """A line, or as many side by side as a tile holds, copied into tiles."""
    cdef const Operands* all = &work.all
    cdef const Operand* y = &all.operand[0]
    cdef Py_ssize_t itemsize = all.itemsize, length = all.size[0]
    cdef char* target = locate(all, 0, at)
    cdef char* tile[OPERANDS]
    cdef Py_ssize_t step[2]
    cdef int i
    step[0] = itemsize if work.along else max(lines, work.k.lanes) * itemsize
    step[1] = itemsize
    tile[0] = memory
    for i in range(1, OPERANDS):
        tile[i] = NULL
        if all.operand[i].data != NULL:
            tile[i] = memory + i * work.tile_bytes
            work.k.copy2d(
                tile[i], step[0], itemsize, locate(all, i, at), all.operand[i].step[0],
                all.operand[i].step[1], length, lines,
            )
    if work.along:
        run_lines(work, target, y.step, tile[1], step, tile[2], step, 1)
        return
    run_lines(work, tile[0], step, tile[1], step, tile[2], step, max(lines, work.k.lanes))
    if y.step[0] == itemsize:  # a transpose, whose target's columns copy2d wants adjacent
        work.k.copy2d(target, y.step[1], itemsize, tile[0], itemsize, step[0], lines, length)
    else:
        work.k.copy2d(target, y.step[0], y.step[1], tile[0], step[0], itemsize, length, lines)
