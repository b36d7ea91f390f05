"""Arrays as the kernels see them: a pointer, a shape and strides in bytes.

Read through the buffer protocol, so that neither NumPy's ABI nor a typed memoryview's cost per
call comes in. The caller keeps the array alive. The stride of an axis of length 1 means nothing.
"""
from cpython.buffer cimport (
    Py_buffer, PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)

from cnnfast._ext.dispatch cimport cf_epilogue

cdef struct Image:
    char* data
    Py_ssize_t itemsize
    Py_ssize_t n, c, h, w
    Py_ssize_t sn, sc, sh, sw

cdef struct Axis:
    Py_ssize_t size, kernel, stride, before, after, dilation, out


cdef inline Image image(object array, bint writable=False) except *:
    """View a four-dimensional array."""
    cdef Py_buffer buffer
    cdef Image view
    PyObject_GetBuffer(
        array, &buffer, PyBUF_STRIDES | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0)
    )
    if buffer.ndim != 4:
        PyBuffer_Release(&buffer)
        raise ValueError("a kernel was given an array that is not four-dimensional")
    view.data = <char*> buffer.buf
    view.itemsize = buffer.itemsize
    view.n, view.c, view.h, view.w = (
        buffer.shape[0], buffer.shape[1], buffer.shape[2], buffer.shape[3]
    )
    view.sn, view.sc, view.sh, view.sw = (
        buffer.strides[0], buffer.strides[1], buffer.strides[2], buffer.strides[3]
    )
    PyBuffer_Release(&buffer)
    return view


cdef inline Axis axis(object values) except *:
    """Take over a `cnnfast.functional._window.Axis`."""
    cdef Axis result
    (result.size, result.kernel, result.stride, result.before, result.after, result.dilation,
     result.out) = <tuple> values  # a NamedTuple, which a tuple argument would refuse
    return result


cdef inline void reach(
    const Axis* a, Py_ssize_t tap, Py_ssize_t* first, Py_ssize_t* last
) noexcept nogil:
    """The outputs first..last-1 whose tap number `tap` lies inside the input."""
    cdef Py_ssize_t offset = tap * a.dilation - a.before
    cdef Py_ssize_t low = 0 if offset >= 0 else (-offset + a.stride - 1) // a.stride
    cdef Py_ssize_t high = 0 if offset >= a.size else (a.size - 1 - offset) // a.stride + 1
    first[0] = min(low, a.out)
    last[0] = max(min(high, a.out), first[0])


cdef inline void taps_inside(
    const Axis* a, Py_ssize_t at, Py_ssize_t* first, Py_ssize_t* last
) noexcept nogil:
    """The taps first..last-1 of window number `at` that lie inside the input."""
    cdef Py_ssize_t start = at * a.stride - a.before, d = a.dilation
    last[0] = min((a.size - start + d - 1) // d, a.kernel) if a.size > start else 0
    first[0] = min((d - 1 - start) // d, last[0]) if start < 0 else 0


cdef inline Py_ssize_t whole_windows(const Axis* a, Py_ssize_t at) noexcept nogil:
    """How many windows from number `at` on lie inside the input; 1 if the first does not."""
    cdef Py_ssize_t start = at * a.stride - a.before
    cdef Py_ssize_t room = a.size - 1 - (a.kernel - 1) * a.dilation - start
    return room // a.stride + 1 if start >= 0 and room >= 0 else 1


cdef inline cf_epilogue epilogue(const Image* y, object residual, double ceiling) except *:
    """What follows a convolution to y: `residual`, an array of y's strides or None, is added, and
    the sum is cut off at 0 and `ceiling`, unless that is 0."""
    cdef cf_epilogue after
    after.residual, after.relu = 0, ceiling > 0
    after.ceiling.f32, after.ceiling.f64 = <float> ceiling, ceiling
    if residual is not None:
        after.residual = image(residual).data - y.data
    return after
