"""Elementwise operations on arrays of one shape, in any memory.

The work is rows in the order of the output's memory. Where the elements of a row are not adjacent
in some array, that array goes through a small tile.
"""
from cnnfast._ext.dispatch cimport cf_kernels, cf_map, cf_map_names, kernels_for
from cnnfast._ext.operands cimport MAX_AXES, OPERANDS, Operand, Operands, locate, unravel, view
from cnnfast._ext.threads cimport parallel, threads_for

cdef enum:
    PIECE = 8192       # elements of an item of work: input and output stay in L2
    TILE_ROWS = 16
    TILE_COLUMNS = 64
    WORK = 8           # an element's, in multiply-adds

NUMBERS = {cf_map_names[i].decode(): i for i in range(sizeof(cf_map_names) // sizeof(char*))}


cdef struct Map:
    cf_map run
    const cf_kernels* k
    double p, q
    Operands all                             # y, a, b; their axes: columns, rows, ...
    bint packed[OPERANDS]                    # through a tile
    bint any_packed
    Py_ssize_t rows, columns                 # of an item of work, which is a block of both
    Py_ssize_t row_blocks, column_blocks


def apply(str operation, y, a, b=None, double p=0, double q=0):
    """y = operation(a), or operation(a, b), with its numbers p and q; y overlaps neither.

    It may be `a` where doing it twice changes nothing: the last vectors of a row overlap."""
    cdef Map work
    cdef int number = NUMBERS[operation]
    cdef Py_ssize_t items
    view(&work.all, y, a, b)
    work.k = kernels_for(work.all.itemsize)
    work.run = work.k.maps[number]
    work.p, work.q = p, q
    items = share_out(&work)
    with nogil:
        parallel(
            run_item, &work, sizeof(work), items,
            threads_for(<double> items * work.rows * work.columns * WORK),
        )


cdef Py_ssize_t share_out(Map* work) noexcept:
    """Cut the work into items, the same for any number of threads. Returns how many there are."""
    cdef Operands* all = &work.all
    cdef Py_ssize_t items
    cdef int i
    work.any_packed = False
    for i in range(OPERANDS):
        work.packed[i] = (
            all.operand[i].data != NULL and all.operand[i].step[0] != all.itemsize
            and all.size[0] > 1
        )
        work.any_packed |= work.packed[i]
    work.columns = min(all.size[0], PIECE)
    work.rows = min(all.size[1], PIECE // max(work.columns, 1))
    if work.rows == 0 or work.columns == 0:
        return 0
    work.column_blocks = (all.size[0] + work.columns - 1) // work.columns
    work.row_blocks = (all.size[1] + work.rows - 1) // work.rows
    items = work.column_blocks * work.row_blocks
    for i in range(2, all.axes):
        items *= all.size[i]
    return items


cdef void run_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """One block of rows and columns."""
    cdef const Map* work = <const Map*> context
    cdef const Operands* all = &work.all
    cdef Py_ssize_t block = item // work.column_blocks
    cdef Py_ssize_t rows, columns
    cdef Py_ssize_t at[MAX_AXES]
    at[0] = item % work.column_blocks * work.columns
    at[1] = block % work.row_blocks * work.rows
    unravel(all, block // work.row_blocks, 2, at)
    columns = min(work.columns, all.size[0] - at[0])
    rows = min(work.rows, all.size[1] - at[1])
    if work.any_packed:
        run_tiles(work, at, rows, columns)
    else:
        work.run(
            locate(all, 0, at), all.operand[0].step[1], locate(all, 1, at),
            all.operand[1].step[1], locate(all, 2, at), all.operand[2].step[1], rows, columns,
            work.p, work.q,
        )


cdef void run_tiles(
    const Map* work, Py_ssize_t* at, Py_ssize_t rows, Py_ssize_t columns
) noexcept nogil:
    """A block tile by tile."""
    cdef Py_ssize_t top = at[1], left = at[0]
    while at[1] < top + rows:
        at[0] = left
        while at[0] < left + columns:
            run_tile(
                work, at, min(<Py_ssize_t> TILE_ROWS, top + rows - at[1]),
                min(<Py_ssize_t> TILE_COLUMNS, left + columns - at[0]),
            )
            at[0] += TILE_COLUMNS
        at[1] += TILE_ROWS


cdef void run_tile(
    const Map* work, const Py_ssize_t* at, Py_ssize_t rows, Py_ssize_t columns
) noexcept nogil:
    cdef double memory[OPERANDS][TILE_ROWS * TILE_COLUMNS]
    cdef char* data[OPERANDS]
    cdef Py_ssize_t step[OPERANDS]
    cdef Py_ssize_t itemsize = work.all.itemsize
    cdef const Operand* y = &work.all.operand[0]
    cdef const Operand* operand
    cdef int i
    for i in range(OPERANDS):
        operand = &work.all.operand[i]
        data[i], step[i] = locate(&work.all, i, at), operand.step[1]
        if work.packed[i]:
            if i > 0:
                work.k.copy2d(
                    <char*> memory[i], TILE_COLUMNS * itemsize, itemsize, data[i],
                    operand.step[1], operand.step[0], rows, columns,
                )
            data[i], step[i] = <char*> memory[i], TILE_COLUMNS * itemsize
    work.run(data[0], step[0], data[1], step[1], data[2], step[2], rows, columns, work.p, work.q)
    if work.packed[0]:
        work.k.copy2d(
            locate(&work.all, 0, at), y.step[1], y.step[0], data[0], step[0], itemsize, rows,
            columns,
        )
