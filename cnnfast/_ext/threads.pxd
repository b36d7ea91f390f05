cdef extern from "parallel.h" nogil:
    ctypedef void (*cf_task)(void* context, Py_ssize_t item, int thread) noexcept nogil

cdef int threads_for(double work) noexcept nogil
cdef void parallel(
    cf_task task, void* context, size_t size, Py_ssize_t items, int threads
) noexcept nogil

# What kernels allocate, while they are recorded.
cdef bint is_recording() noexcept nogil
cdef bint keep(char* block, size_t size, void (*release)(char*) noexcept nogil) noexcept nogil
cdef char* shared_scratch(size_t size) noexcept nogil
