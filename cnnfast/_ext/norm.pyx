"""Normalisation: moments of sets of elements, and maps that are linear in the elements.

An image (N, C, H, W) is seen as (B, R, C, L) in the order of its memory, and there is a set for
each (b, c), over R and L. Over the batch that is (1, N, C, H*W) in C order and (1, N*H*W, C, 1) in
channels-last memory, else (N, 1, C, H*W) and (N, H*W, C, 1). With L = 1 the sets are columns of
matrices, else they consist of runs. A group of neighbouring sets shares its moments.

Sums are formed in parts that do not depend on the number of threads, and added in their order.
All arrays are dense, and the images of one call are in one order.
"""
from cpython.buffer cimport (
    Py_buffer, PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.math cimport NAN, isinf, sqrt

from cnnfast._ext.dispatch cimport CF_GATE, CF_PLAIN, CF_RECTIFY, cf_norm, kernels_for
from cnnfast._ext.images cimport Image, image
from cnnfast._ext.threads cimport parallel, threads_for
from cnnfast._ext.workspace cimport allocate, release

cdef enum:
    PART = 32 * 1024  # elements: large sets are summed in parts of about so many
    MOST_PARTS = 64
    ITEM = 8 * 1024   # elements: what is smaller is worked off in groups


cdef struct Norm:
    const cf_norm* k
    Py_ssize_t itemsize
    char* x
    char* g             # NULL in the forward pass
    char* y
    Py_ssize_t batch, rows, channels, length  # B, R, C, L
    Py_ssize_t sets, group, population        # elements that are normalised together
    Py_ssize_t parts, part_rows, at_once
    char* space
    double* mean        # (B, C), as all that follows
    double* root        # 1 / sqrt(variance + eps)
    double* total       # the sum of g
    double* products    # the sum of g * (x - mean)
    double* partial     # (parts, B, C), twice
    char* coefficients  # (6, B, C): m, s, t, a of (x - m) * s + t + g * a; s, t of a gate
    int relu            # CF_PLAIN, CF_RECTIFY or CF_GATE; only of columns
    double ceiling      # of the ReLU; NaN if it has none


def forward(x, y, mean, var, weight, bias, double eps):
    """y = (x - mean) / sqrt(var + eps) * weight + bias; mean and var (C,) are given."""
    cdef Norm norm
    cdef const char* w = vector(weight)
    cdef const char* b = vector(bias)
    prepare(&norm, x, None, y, True, 1)
    take(&norm, vector(mean), vector(var), eps)
    with nogil:
        map_forward(&norm, w, b)
        release(norm.space)


def forward_moments(
    x, y, mean, var, weight, bias, double eps, bint over_batch, Py_ssize_t group, residual=None,
    double ceiling=0,
):
    """The same with the moments of x; mean and var (B * C,), unless None, receive those.

    Of channels-last images: y + residual, from 0 to `ceiling` unless that is 0."""
    cdef Norm norm
    cdef char* m = vector(mean, True)
    cdef char* v = vector(var, True)
    cdef const char* w = vector(weight)
    cdef const char* b = vector(bias)
    cdef char* added = NULL if residual is None else image(residual).data
    prepare(&norm, x, None, y, over_batch, group)
    with nogil:
        measure(&norm, m, v, eps)
        norm.g = added
        norm.relu = CF_RECTIFY if ceiling else CF_PLAIN
        norm.ceiling = or_none(ceiling)
        map_forward(&norm, w, b)
        release(norm.space)


def backward(
    g, x, gx, gw, gb, mean, var, weight, double eps, bint constant, bint over_batch,
    Py_ssize_t group, bias=None, double ceiling=0,
):
    """The gradients of both, as far as gx, gw, gb are not None.

    mean and var (C,) are constant, or the moments of x; if they are None, those are measured.
    Unless `ceiling` is 0 a ReLU followed (not with constants, nor with a residual; channels-last
    images), and g is the gradient of its output.
    """
    cdef const char* shift = vector(bias)
    cdef Norm norm
    cdef char* w_sums = vector(gw, True)
    cdef char* b_sums = vector(gb, True)
    cdef const char* w = vector(weight)
    cdef const char* m = vector(mean)
    cdef const char* v = vector(var)
    prepare(&norm, x, g, gx, over_batch, group)
    with nogil:
        if m == NULL:
            measure(&norm, NULL, NULL, eps)
        else:
            take(&norm, m, v, eps)
        if ceiling:
            norm.relu, norm.ceiling = CF_GATE, or_none(ceiling)
            set_forward(&norm, w, shift, 4)
        if w_sums != NULL or b_sums != NULL or not constant:
            sum_products(&norm)
        add_over_batch(&norm, w_sums, norm.products, norm.root)
        add_over_batch(&norm, b_sums, norm.total, NULL)
        if norm.y != NULL:
            map_backward(&norm, w, constant)
        release(norm.space)


cdef inline double or_none(double ceiling) noexcept nogil:
    """Nothing exceeds NaN; of what exceeds no finite number, the gradient passes."""
    return NAN if isinf(ceiling) else ceiling


# ------------------------------------------------------------------ arrays


cdef char* vector(object array, bint writable=False) except? NULL:
    """The memory of a dense array; NULL for None. The caller keeps it alive."""
    cdef Py_buffer buffer
    if array is None:
        return NULL
    PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE | (PyBUF_WRITABLE if writable else 0))
    PyBuffer_Release(&buffer)
    return <char*> buffer.buf


cdef inline double get(const Norm* norm, const char* v, Py_ssize_t i) noexcept nogil:
    return (<const float*> v)[i] if norm.itemsize == 4 else (<const double*> v)[i]


cdef inline void put(const Norm* norm, char* v, Py_ssize_t i, double value) noexcept nogil:
    if norm.itemsize == 4:
        (<float*> v)[i] = <float> value
    else:
        (<double*> v)[i] = value


cdef int prepare(Norm* norm, x, g, y, bint over_batch, Py_ssize_t group) except -1:
    cdef Image im = image(x)
    cdef Py_ssize_t plane = im.h * im.w, of_an_item, parts
    norm.k, norm.itemsize = &kernels_for(im.itemsize).norm, im.itemsize
    norm.x = im.data
    norm.g = NULL if g is None else image(g).data
    norm.y = NULL if y is None else image(y, True).data
    norm.batch, norm.rows = 1 if over_batch else im.n, im.n if over_batch else 1
    norm.channels, norm.length = im.c, plane
    norm.sets, norm.group = norm.batch * im.c, group
    norm.population = norm.rows * plane * group
    if im.c > 1 and im.sc == im.itemsize:  # channels-last
        norm.rows, norm.length = norm.rows * plane, 1
    of_an_item = norm.rows * (norm.channels if norm.length == 1 else norm.length)
    parts = max(1, min(of_an_item // PART, MOST_PARTS, norm.rows))
    norm.part_rows = max(1, (norm.rows + parts - 1) // parts)
    norm.parts = (norm.rows + norm.part_rows - 1) // norm.part_rows
    norm.at_once = norm.channels if norm.length == 1 else max(1, ITEM // max(1, of_an_item))
    norm.relu, norm.ceiling = CF_PLAIN, NAN
    norm.space = allocate((6 * im.itemsize + (4 + 2 * norm.parts) * sizeof(double)) * norm.sets)
    norm.coefficients = norm.space
    norm.mean = <double*> (norm.coefficients + 6 * norm.sets * im.itemsize)
    norm.root, norm.total = norm.mean + norm.sets, norm.mean + 2 * norm.sets
    norm.products, norm.partial = norm.mean + 3 * norm.sets, norm.mean + 4 * norm.sets
    return 0


cdef void take(Norm* norm, const char* mean, const char* var, double eps) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(norm.sets):
        norm.mean[i], norm.root[i] = get(norm, mean, i), 1 / sqrt(get(norm, var, i) + eps)


# ------------------------------------------------------------------ moments and sums


cdef void measure(Norm* norm, char* mean, char* var, double eps) noexcept nogil:
    """The mean, and the root of the variance; mean and var, unless NULL, receive them too."""
    cdef char* g = norm.g
    cdef Py_ssize_t i
    norm.g = NULL
    run_sums(norm)
    norm.g = g
    merge_parts(norm)
    merge_groups(norm)
    for i in range(norm.sets):
        if mean != NULL:
            put(norm, mean, i, norm.mean[i])
            put(norm, var, i, norm.root[i])
        norm.root[i] = 1 / sqrt(norm.root[i] + eps)


cdef void sum_products(Norm* norm) noexcept nogil:
    """The sums of g and of g * (x - mean)."""
    cdef Py_ssize_t part, i
    for i in range(norm.sets):
        put(norm, norm.coefficients, i, norm.mean[i])
        norm.total[i] = norm.products[i] = 0
    run_sums(norm)
    for part in range(norm.parts):
        for i in range(norm.sets):
            norm.total[i] += norm.partial[part * norm.sets + i]
            norm.products[i] += norm.partial[(norm.parts + part) * norm.sets + i]


cdef void run_sums(Norm* norm) noexcept nogil:
    cdef Py_ssize_t items = (norm.sets + norm.at_once - 1) // norm.at_once * norm.parts
    parallel(
        sum_item, norm, sizeof(norm[0]), items,
        threads_for(2.0 * norm.sets * norm.rows * norm.length),
    )


cdef void sum_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """One part of the columns of a matrix, or of some sets of runs."""
    cdef Norm* norm = <Norm*> context
    cdef Py_ssize_t part = item % norm.parts, i = item // norm.parts * norm.at_once
    cdef Py_ssize_t last = min(i + norm.at_once, norm.sets)
    if norm.length == 1:
        sum_part(norm, i, part)
    else:
        for i in range(i, last):
            sum_part(norm, i, part)


cdef void sum_part(const Norm* norm, Py_ssize_t i, Py_ssize_t part) noexcept nogil:
    """One part of set number i, of runs; or of all columns of a matrix, i being the first."""
    cdef Py_ssize_t rows = rows_of(norm, part)
    cdef Py_ssize_t step = norm.channels * norm.length * norm.itemsize
    cdef Py_ssize_t offset = (
        (i // norm.channels * norm.rows + part * norm.part_rows) * step
        + i % norm.channels * norm.length * norm.itemsize
    )
    cdef const char* x = norm.x + offset
    cdef const char* g = norm.g + offset
    cdef const char* m = norm.coefficients + i * norm.itemsize
    cdef double* first = norm.partial + part * norm.sets + i
    cdef double* second = first + norm.parts * norm.sets
    if norm.g == NULL and norm.length == 1:
        norm.k.column_moments(first, second, x, step, rows, norm.channels)
    elif norm.g == NULL:
        norm.k.run_moments(first, second, x, step, rows, norm.length)
    elif norm.length == 1:
        norm.k.column_products(
            first, second, g, x, step, rows, norm.channels, m, norm.sets * norm.itemsize,
            norm.relu == CF_GATE, norm.ceiling,
        )
    else:
        norm.k.run_products(first, second, g, x, step, rows, norm.length, m)


cdef inline Py_ssize_t rows_of(const Norm* norm, Py_ssize_t part) noexcept nogil:
    return min(norm.part_rows, norm.rows - part * norm.part_rows)


cdef void merge_parts(Norm* norm) noexcept nogil:
    """A set's variance: that of its parts, and how far their means lie apart."""
    cdef Py_ssize_t part, i
    cdef double* means = norm.partial
    cdef double* squares = norm.partial + norm.parts * norm.sets
    cdef double* var = norm.root
    cdef double weight, apart, each = 1.0 / (norm.rows * norm.length) if norm.sets else 0
    for i in range(norm.sets):
        norm.mean[i] = var[i] = 0
    for part in range(norm.parts):
        weight = rows_of(norm, part) / <double> norm.rows
        for i in range(norm.sets):
            norm.mean[i] += weight * means[part * norm.sets + i]
    for part in range(norm.parts):
        weight = rows_of(norm, part) / <double> norm.rows
        for i in range(norm.sets):
            apart = means[part * norm.sets + i] - norm.mean[i]
            var[i] += each * squares[part * norm.sets + i] + weight * apart * apart
    for i in range(norm.sets):
        if var[i] < 0:  # by rounding, of equal elements; NaN stays
            var[i] = 0


cdef void merge_groups(Norm* norm) noexcept nogil:
    """The same for the sets of a group, which all get its moments."""
    cdef Py_ssize_t j, first, i
    cdef double* var = norm.root
    cdef double mean, spread, apart
    if norm.group == 1:
        return
    for j in range(norm.sets // norm.group):
        first = j * norm.group
        mean = spread = 0
        for i in range(first, first + norm.group):
            mean += norm.mean[i] / norm.group
        for i in range(first, first + norm.group):
            apart = norm.mean[i] - mean
            spread += (var[i] + apart * apart) / norm.group
        for i in range(first, first + norm.group):
            norm.mean[i], var[i] = mean, spread


cdef void add_over_batch(
    const Norm* norm, char* out, const double* values, const double* factors
) noexcept nogil:
    """out (C,), unless NULL, = the sums over b of values * factors (1 if NULL)."""
    cdef Py_ssize_t b, c, i
    cdef double total
    if out == NULL:
        return
    for c in range(norm.channels):
        total = 0
        for b in range(norm.batch):
            i = b * norm.channels + c
            total += values[i] * factors[i] if factors != NULL else values[i]
        put(norm, out, c, total)


# ------------------------------------------------------------------ maps


cdef inline double of_channel(
    const Norm* norm, const char* v, Py_ssize_t i, double otherwise
) noexcept nogil:
    return get(norm, v, i % norm.channels) if v != NULL else otherwise


cdef void map_forward(Norm* norm, const char* weight, const char* bias) noexcept nogil:
    cdef Py_ssize_t i
    set_forward(norm, weight, bias, 1)
    for i in range(norm.sets):
        put(norm, norm.coefficients, 3 * norm.sets + i, 1)  # of a residual
    run_map(norm)


cdef void set_forward(
    Norm* norm, const char* weight, const char* bias, Py_ssize_t row
) noexcept nogil:
    """Put m, and from `row` on s and t, of the forward map into the coefficients."""
    cdef Py_ssize_t i, n = norm.sets
    cdef char* c = norm.coefficients
    cdef double scale, rounded
    for i in range(n):
        scale = norm.root[i] * of_channel(norm, weight, i, 1)
        put(norm, c, i, norm.mean[i])
        rounded = get(norm, c, i) - norm.mean[i]  # what that moved the mean by, the shift undoes
        put(norm, c, row * n + i, scale)
        put(norm, c, (row + 1) * n + i, of_channel(norm, bias, i, 0) + rounded * scale)


cdef void map_backward(Norm* norm, const char* weight, bint constant) noexcept nogil:
    """gx: g, without its parts along 1 and along x - mean, which mean and root take away."""
    cdef Py_ssize_t j, first, i, n = norm.sets
    cdef char* c = norm.coefficients
    cdef double factor, along_one, along_x
    if constant:
        norm.x, norm.g = norm.g, NULL
    for j in range(n // norm.group):
        first = j * norm.group
        along_one = along_x = 0
        for i in range(first, first + norm.group if not constant else first):
            factor = of_channel(norm, weight, i, 1) / norm.population
            along_one += factor * norm.total[i]
            along_x += factor * norm.products[i] * norm.root[i] * norm.root[i]
        for i in range(first, first + norm.group):
            factor = norm.root[i] * of_channel(norm, weight, i, 1)
            put(norm, c, i, 0 if constant else norm.mean[i])
            put(norm, c, n + i, factor if constant else -along_x * norm.root[i])
            put(norm, c, 2 * n + i, -along_one * norm.root[i])
            put(norm, c, 3 * n + i, factor)
    run_map(norm)


cdef void run_map(Norm* norm) noexcept nogil:
    cdef Py_ssize_t length = norm.channels if norm.length == 1 else norm.length
    norm.at_once = max(1, ITEM // length)
    norm.parts = (runs_of_an_image(norm) + norm.at_once - 1) // norm.at_once
    parallel(
        map_item, norm, sizeof(norm[0]), norm.batch * norm.parts,
        threads_for(2.0 * norm.sets * norm.rows * norm.length),
    )


cdef inline Py_ssize_t runs_of_an_image(const Norm* norm) noexcept nogil:
    """Runs, or rows of a matrix, that go with one b."""
    return norm.rows if norm.length == 1 else norm.rows * norm.channels


cdef void map_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Some rows of a matrix, or some runs."""
    cdef Norm* norm = <Norm*> context
    cdef Py_ssize_t b = item // norm.parts, run = item % norm.parts * norm.at_once
    cdef Py_ssize_t runs = runs_of_an_image(norm), last = min(run + norm.at_once, runs)
    cdef Py_ssize_t step = norm.sets * norm.itemsize
    cdef Py_ssize_t size = norm.itemsize * (norm.channels if norm.length == 1 else norm.length)
    cdef Py_ssize_t offset = (b * runs + run) * size
    cdef const char* c = norm.coefficients + b * norm.channels * norm.itemsize
    cdef char* g = NULL if norm.g == NULL else norm.g + offset
    if norm.length == 1:
        norm.k.column_map(
            norm.y + offset, g, norm.x + offset, last - run, norm.channels, c, step, norm.relu,
            norm.ceiling,
        )
        return
    for run in range(run, last):
        offset = (b * runs + run) * size
        norm.k.run_map(
            norm.y + offset, NULL if norm.g == NULL else norm.g + offset, norm.x + offset,
            norm.length, c + run % norm.channels * norm.itemsize, step,
        )
