"""Softmax, its logarithm and their gradients along any axis.

A line of numbers is worked on in one go, so that it stays in L1. Long lines of adjacent elements go
through the kernels row by row. All others are taken side by side, a lane each; where neighbouring
lines are not adjacent in memory, and where they do not fill a vector, by way of a tile.
"""
from cnnfast._ext.dispatch cimport cf_kernels, cf_line_operation, kernels_for
from cnnfast._ext.operands cimport MAX_AXES, OPERANDS, Operand, Operands, locate, unravel, view
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport ALIGNMENT, Workspace, allocate, release, rounded_up

cdef enum:
    PIECE = 4096       # elements of an item of work, about
    LONG_VECTORS = 4   # a line of fewer is short: folding over the lanes would dominate
    TILE_VECTORS = 4   # lines side by side in a tile
    WORK = 16          # an element's, in multiply-adds


cdef struct Lines:
    cf_line_operation operation
    const cf_kernels* k
    Operands all              # y, a, b; their axes: along the lines, from line to line, ...
    bint along
    Py_ssize_t lines, blocks  # of an item of work, and items in a row
    Workspace space
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
    view(&work.all, y, a, b, axis)
    work.k = kernels_for(work.all.itemsize)
    work.along = (
        work.all.operand[0].step[0] == work.all.itemsize
        and work.all.size[0] >= LONG_VECTORS * work.k.lanes
    )
    return 0


cdef int run(Lines* work) except -1:
    cdef Operands* all = &work.all
    cdef Py_ssize_t lane_tile = TILE_VECTORS * work.k.lanes
    cdef Py_ssize_t items = 1
    cdef int threads, i
    for i in range(all.axes):
        items *= all.size[i]
    if items == 0:
        return 0
    threads = threads_for(<double> items * WORK)
    work.lines = max(PIECE // all.size[0], 1)
    if not work.along:
        work.lines = rounded_up(work.lines, lane_tile)
    work.blocks = (all.size[1] + work.lines - 1) // work.lines
    items = items // all.size[0] // all.size[1] * work.blocks
    work.tile_bytes = rounded_up(
        all.size[0] * all.itemsize * (1 if work.along else lane_tile), ALIGNMENT
    )
    work.space = allocate(threads * OPERANDS * work.tile_bytes)
    with nogil:
        parallel(run_item, work, items, threads)
        release(work.space)
    return 0


cdef void run_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A block of neighbouring lines."""
    cdef const Lines* work = <const Lines*> context
    cdef const Operands* all = &work.all
    cdef Py_ssize_t at[MAX_AXES]
    cdef Py_ssize_t last, some
    at[0], at[1] = 0, item % work.blocks * work.lines
    unravel(all, item // work.blocks, 2, at)
    last = min(at[1] + work.lines, all.size[1])
    while at[1] < last:
        some = 1 if work.along else min(TILE_VECTORS * work.k.lanes, last - at[1])
        run_tile(work, at, some, thread)
        at[1] += some


cdef void run_tile(
    const Lines* work, const Py_ssize_t* at, Py_ssize_t lines, int thread
) noexcept nogil:
    """A line, or as many side by side as a tile holds."""
    cdef const Operands* all = &work.all
    cdef const Operand* operand
    cdef Py_ssize_t itemsize = all.itemsize, length = all.size[0]
    cdef Py_ssize_t whole = rounded_up(lines, work.k.lanes)
    cdef Py_ssize_t tile_step = itemsize if work.along else whole * itemsize
    cdef char* data[OPERANDS]
    cdef Py_ssize_t step[OPERANDS]
    cdef bint packed[OPERANDS]
    cdef int i
    for i in range(OPERANDS):
        operand = &all.operand[i]
        data[i], step[i] = locate(all, i, at), operand.step[0]
        if work.along:
            packed[i] = operand.step[0] != itemsize
        else:
            packed[i] = operand.step[1] != itemsize or lines < whole
        if operand.data == NULL or not packed[i]:
            continue
        data[i] = work.space.data + (thread * OPERANDS + i) * work.tile_bytes
        step[i] = tile_step
        if i > 0:
            work.k.copy2d(
                data[i], tile_step, itemsize, locate(all, i, at), operand.step[0],
                operand.step[1], length, lines,
            )
    if all.operand[2].data == NULL:
        data[2], step[2] = data[1], step[1]
    if work.along:
        work.operation.along(data[0], 0, data[1], 0, data[2], 0, 1, length)
        return
    work.operation.across(
        data[0], step[0], data[1], step[1], data[2], step[2], length, whole
    )
    if packed[0]:
        unpack(work, at, lines, data[0], step[0])


cdef inline void unpack(
    const Lines* work, const Py_ssize_t* at, Py_ssize_t lines, const char* tile,
    Py_ssize_t tile_step,
) noexcept nogil:
    """Copy a tile to y, whose elements are adjacent along the lines or from line to line."""
    cdef const Operand* y = &work.all.operand[0]
    cdef Py_ssize_t itemsize = work.all.itemsize, length = work.all.size[0]
    cdef char* target = locate(&work.all, 0, at)
    if y.step[0] == itemsize:
        work.k.copy2d(target, y.step[1], itemsize, tile, itemsize, tile_step, lines, length)
    else:
        work.k.copy2d(target, y.step[0], y.step[1], tile, tile_step, itemsize, length, lines)
