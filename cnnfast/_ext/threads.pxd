cdef extern from "parallel.h" nogil:
    ctypedef void (*cf_task)(void* context, Py_ssize_t item, int thread) noexcept nogil

cdef int threads_for(double work) noexcept nogil
cdef void parallel(cf_task task, void* context, Py_ssize_t items, int threads) noexcept nogil
