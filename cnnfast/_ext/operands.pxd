"""Up to three arrays of one shape, their axes in the order of the first one's memory.

Axes that lie in one piece in all of them are merged, so that dense arrays of one memory order are
a single row.
"""
from cpython.buffer cimport (
    Py_buffer, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)

cdef enum:
    OPERANDS = 3
    MAX_AXES = 64  # NumPy's own limit


cdef struct Operand:
    char* data                 # NULL: there is none
    Py_ssize_t step[MAX_AXES]  # in bytes


cdef struct Operands:
    Operand operand[OPERANDS]  # the first is written, the others read
    Py_ssize_t itemsize
    int axes                   # two at least, the innermost first
    Py_ssize_t size[MAX_AXES]


cdef inline int view(Operands* all, object y, object a, object b, int first_axis=-1) except -1:
    """View y, a and b (which may be None). The axis `first_axis`, if any, stays apart as number 0.

    The others are those of y, the one of the smallest step first."""
    cdef int order[MAX_AXES]
    view_one(all, 0, y, order, first_axis)
    view_one(all, 1, a, order, first_axis)
    view_one(all, 2, b, order, first_axis)
    merge_axes(all, 0 if first_axis < 0 else 1)
    return 0


cdef inline int view_one(
    Operands* all, int number, object array, int* order, int first_axis
) except -1:
    cdef Operand* operand = &all.operand[number]
    cdef Py_buffer buffer
    cdef int i
    operand.data = NULL
    if array is None:
        for i in range(all.axes):
            operand.step[i] = 0
        return 0
    PyObject_GetBuffer(
        array, &buffer, PyBUF_STRIDES | (PyBUF_WRITABLE if number == 0 else 0)
    )
    if number == 0:
        all.itemsize = buffer.itemsize
        sort_axes(all, &buffer, order, first_axis)
    operand.data = <char*> buffer.buf
    for i in range(all.axes):
        operand.step[i] = buffer.strides[order[i]]
    PyBuffer_Release(&buffer)
    return 0


cdef inline void sort_axes(
    Operands* all, const Py_buffer* y, int* order, int first_axis
) noexcept:
    """Order the axes by their steps in y, leaving out those of one element."""
    cdef int axis, place, fixed = 0
    if first_axis >= 0:
        order[0] = first_axis
        fixed = 1
    all.axes = fixed
    for axis in range(y.ndim - 1, -1, -1):
        if y.shape[axis] == 1 or axis == first_axis:
            continue
        place = all.axes
        while place > fixed and y.strides[order[place - 1]] > y.strides[axis]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = axis
        all.axes += 1
    for place in range(all.axes):
        all.size[place] = y.shape[order[place]]


cdef inline void merge_axes(Operands* all, int first) noexcept:
    """Make one of neighbouring axes, from number `first` on, that lie in one piece."""
    cdef int axis, kept = first, i
    for axis in range(first + 1, all.axes):
        if one_piece(all, kept, axis):
            all.size[kept] *= all.size[axis]
            continue
        kept += 1
        all.size[kept] = all.size[axis]
        for i in range(OPERANDS):
            all.operand[i].step[kept] = all.operand[i].step[axis]
    all.axes = min(all.axes, kept + 1)
    while all.axes < 2:
        all.size[all.axes] = 1
        for i in range(OPERANDS):
            all.operand[i].step[all.axes] = all.itemsize
        all.axes += 1


cdef inline bint one_piece(const Operands* all, int inner, int outer) noexcept:
    cdef int i
    for i in range(OPERANDS):
        if all.operand[i].step[outer] != all.operand[i].step[inner] * all.size[inner]:
            return False
    return True


cdef inline void unravel(
    const Operands* all, Py_ssize_t number, int first, Py_ssize_t* at
) noexcept nogil:
    """The indices `at` of element `number` of the axes from number `first` on."""
    cdef int i
    for i in range(first, all.axes):
        at[i] = number % all.size[i]
        number //= all.size[i]


cdef inline char* locate(const Operands* all, int number, const Py_ssize_t* at) noexcept nogil:
    """Where the element with indices `at` of operand `number` lies."""
    cdef const Operand* operand = &all.operand[number]
    cdef char* data = operand.data
    cdef int i
    for i in range(all.axes):
        data += at[i] * operand.step[i]
    return data
