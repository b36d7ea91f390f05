"""Steps of optimizers: one pass over memory, for all parameters in one parallel loop."""
from cpython.buffer cimport (
    Py_buffer, PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)

from cnnfast._ext.dispatch cimport cf_adam, cf_kernels, cf_sgd, kernels_for
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release

cdef enum:
    PIECE = 16 * 1024  # elements of an item of work
    WORK = 8           # an element's, in multiply-adds


cdef struct Tensor:
    char* values
    char* gradient
    char* first     # velocity, or mean
    char* second    # mean square
    Py_ssize_t count, pieces
    cf_sgd sgd
    cf_adam adam


cdef struct Update:
    const cf_kernels* k
    Tensor* tensors
    Py_ssize_t count
    bint adam


cdef char* memory(object array, Py_buffer* buffer, bint writable) except? NULL:
    """The memory of a dense array; NULL for None. The caller keeps it alive."""
    if array is None:
        return NULL
    PyObject_GetBuffer(array, buffer, PyBUF_SIMPLE | (PyBUF_WRITABLE if writable else 0))
    PyBuffer_Release(buffer)
    return <char*> buffer.buf


def sgd(
    list tensors, double lr, double momentum, double dampening, double weight_decay, bint nesterov
):
    """Update each (values, gradient, velocity or None, whether the velocity is new)."""
    cdef Update update
    cdef Tensor* t
    begin(&update, tensors, False)
    try:
        for i in range(update.count):
            t = &update.tensors[i]
            t.sgd = cf_sgd(lr, momentum, dampening, weight_decay, nesterov, tensors[i][3])
            t.second = NULL
        run(&update)
    finally:
        release(<char*> update.tensors)


def adam(list tensors, double beta1, double beta2, double eps, double weight_decay):
    """Update each (values, gradient, mean, mean square, rate, root); see cf_adam."""
    cdef Update update
    cdef Tensor* t
    cdef Py_buffer buffer
    begin(&update, tensors, True)
    try:
        for i in range(update.count):
            t = &update.tensors[i]
            t.second = memory(tensors[i][3], &buffer, True)
            t.adam = cf_adam(tensors[i][4], tensors[i][5], beta1, beta2, eps, weight_decay)
        run(&update)
    finally:
        release(<char*> update.tensors)


cdef int begin(Update* update, list tensors, bint adam) except -1:
    """Take over the arrays, which are dense, in one memory order and of one dtype."""
    cdef Py_buffer buffer
    cdef Tensor* t
    update.count, update.adam = len(tensors), adam
    update.tensors = <Tensor*> allocate(len(tensors) * sizeof(Tensor))
    try:
        for i in range(update.count):
            t = &update.tensors[i]
            t.gradient = memory(tensors[i][1], &buffer, False)
            t.first = memory(tensors[i][2], &buffer, True)
            t.values = memory(tensors[i][0], &buffer, True)
            update.k = kernels_for(buffer.itemsize)
            t.count = buffer.len // buffer.itemsize
            t.pieces = (t.count + PIECE - 1) // PIECE
    except BaseException:
        release(<char*> update.tensors)
        raise
    return 0


cdef void run(Update* update) noexcept:
    cdef Py_ssize_t items = 0
    for i in range(update.count):
        items += update.tensors[i].pieces
    with nogil:
        parallel(
            run_piece, update, sizeof(update[0]), items, threads_for(<double> items * PIECE * WORK)
        )


cdef void run_piece(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A piece of one tensor."""
    cdef Update* update = <Update*> context
    cdef Tensor* t = update.tensors
    cdef Py_ssize_t start, count, offset
    while item >= t.pieces:
        item -= t.pieces
        t += 1
    start = item * PIECE
    count, offset = min(t.count - start, <Py_ssize_t> PIECE), start * update.k.itemsize
    if update.adam:
        update.k.adam(
            t.values + offset, t.gradient + offset, t.first + offset, t.second + offset, count,
            &t.adam,
        )
    else:
        update.k.sgd(
            t.values + offset, t.gradient + offset, NULL if t.first == NULL else t.first + offset,
            count, &t.sgd,
        )
