/* Pools with vectors of WIDTH lanes, over runs of at least WIDTH.
 *
 * Included by pool.h, once for each width. What is left over after the last whole vector of a run
 * is covered by one that ends with the run, and so overlaps the one before it.
 */
#define W(name) NAME(CF_GLUE(name, WIDTH_NAME))

typedef REAL W(reals) __attribute__((vector_size(WIDTH * sizeof(REAL))));
typedef REAL W(loose) __attribute__((vector_size(WIDTH * sizeof(REAL)), aligned(sizeof(REAL)),
                                     may_alias));
typedef INT W(ints) __attribute__((vector_size(WIDTH * sizeof(REAL))));
typedef uint8_t W(bytes) __attribute__((vector_size(WIDTH)));
typedef int8_t W(flags) __attribute__((vector_size(WIDTH)));

CF_INLINE W(reals) W(read)(const char *x) { return *(const W(loose) *)x; }

/* Numbers of one byte each, and back. Four at a time are what GCC makes scalars of. */
CF_INLINE W(ints) W(widen)(const uint8_t *x)
{
    if (WIDTH == 4 && sizeof(INT) == 4) {
        cf_bytes16 zero = {0}, v = zero;
        W(ints) wide;
        memcpy(&v, x, 4);
        v = CF_SHUFFLE(v, zero, cf_bytes16, 0, 16, 16, 16, 1, 16, 16, 16, 2, 16, 16, 16, 3, 16, 16,
                       16);
        memcpy(&wide, &v, sizeof wide);
        return wide;
    }
    W(bytes) narrow;
    memcpy(&narrow, x, WIDTH);
    return __builtin_convertvector(narrow, W(ints));
}

CF_INLINE void W(narrow)(uint8_t *y, W(ints) wide)
{
    if (WIDTH == 4 && sizeof(INT) == 4) {
        cf_bytes16 v;
        memcpy(&v, &wide, sizeof wide);
        v = CF_SHUFFLE(v, v, cf_bytes16, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
        memcpy(y, &v, 4);
        return;
    }
    const W(bytes) narrow = __builtin_convertvector(wide, W(bytes));
    memcpy(y, &narrow, WIDTH);
}

CF_INLINE void W(write)(char *y, W(reals) v) { *(W(loose) *)y = v; }

/* WIDTH elements `step` bytes apart, and as many from one element further on. Of a step of two,
 * both come from the same two vectors. */
CF_INLINE void W(load_pair)(W(reals) *v, const char *x)
{
    const W(reals) a = W(read)(x), b = W(read)(x + WIDTH * sizeof(REAL));
    v[0] = CF_SHUFFLE(a, b, W(ints), CF_EVENS(WIDTH));
    v[1] = CF_SHUFFLE(a, b, W(ints), CF_ODDS(WIDTH));
}

/* Nothing past the last of the WIDTH elements is read. */
CF_INLINE W(reals) W(load_step)(const char *x, ptrdiff_t step)
{
    if (step == sizeof(REAL))
        return W(read)(x);
    if (step == 2 * sizeof(REAL)) {
        const W(reals) a = W(read)(x), b = W(read)(x + (WIDTH - 1) * sizeof(REAL));
        return CF_SHUFFLE(a, b, W(ints), CF_EVENS_OVERLAPPING(WIDTH));
    }
    W(reals) v;
#pragma GCC unroll 16
    for (int i = 0; i < WIDTH; i++)
        v[i] = NAME(at)(x + i * step);
    return v;
}

typedef struct {
    W(reals) value;
    W(ints) number;
} W(best);

/* A later value takes the lead if it is greater, or the first NaN: not (v <= best), and best no
 * NaN. */
CF_INLINE W(best) W(lead)(const int keep, W(best) best, W(reals) v, W(ints) number)
{
    const W(ints) lead = ~(v <= best.value) & (best.value == best.value);
    best.value = (W(reals))((lead & (W(ints))v) | (~lead & (W(ints))best.value));
    if (keep)
        best.number = (lead & number) | (~lead & best.number);
    return best;
}

/* The best of one row of taps, the first of which has the numbers `first` and `number`. */
CF_INLINE W(best) W(max_row)(const int keep, const char *x, ptrdiff_t step, ptrdiff_t tap_step,
                             const ptrdiff_t columns, W(ints) first, INT number)
{
    const int paired = step == 2 * sizeof(REAL) && tap_step == sizeof(REAL) && columns > 1;
    const W(ints) zero = {0};
    W(best) best = {{0}, first};
    W(reals) v[2];
    ptrdiff_t s = 1;
    if (paired) {
        W(load_pair)(v, x);
        best.value = v[0];
        best = W(lead)(keep, best, v[1], zero + (number + 1));
        s = 2;
    } else {
        best.value = W(load_step)(x, step);
    }
    for (; paired && s + 2 <= columns; s += 2) {
        W(load_pair)(v, x + s * sizeof(REAL));
        best = W(lead)(keep, best, v[0], zero + (number + (INT)s));
        best = W(lead)(keep, best, v[1], zero + (number + (INT)s + 1));
    }
    for (; s < columns; s++)
        best = W(lead)(keep, best, W(load_step)(x + s * tap_step, step), zero + (number + (INT)s));
    return best;
}

CF_INLINE void W(max_vector)(const int keep, char *y, uint8_t *winners, const char *x,
                             ptrdiff_t step, const cf_taps *taps, const ptrdiff_t rows,
                             const ptrdiff_t columns, const uint8_t *firsts)
{
    INT number = (INT)taps->number;
    const W(ints) zero = {0};
    const W(ints) first = keep && firsts != NULL ? W(widen)(firsts) : zero + number;
    W(best) best = W(max_row)(keep, x, step, taps->column_step, columns, first, number);
    for (ptrdiff_t r = 1; r < rows; r++) {
        number += (INT)taps->row_number;
        const W(best) row = W(max_row)(keep, x + r * taps->row_step, step, taps->column_step,
                                       columns, zero + number, number);
        best = W(lead)(keep, best, row.value, row.number);
    }
    W(write)(y, best.value);
    if (keep)
        W(narrow)(winners, best.number);
}

/* Pixels `step` apart: four vectors at a time, each of which would wait for itself. */
CF_INLINE void W(max_pixels)(const int keep, W(best) *best, const int vectors, const char *x,
                             ptrdiff_t step, ptrdiff_t pixels)
{
    const W(ints) zero = {0};
    for (int j = 0; j < vectors; j++)
        best[j] = (W(best)){W(read)(x + j * WIDTH * sizeof(REAL)), zero};
    for (ptrdiff_t p = 1; p < pixels; p++) {
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            best[j] = W(lead)(keep, best[j], W(read)(x + p * step + j * WIDTH * sizeof(REAL)),
                              zero + (INT)p);
    }
}

CF_INLINE void W(max_run)(const int keep, char *y, uint8_t *winners, const char *x,
                          ptrdiff_t step, const cf_taps *taps, const ptrdiff_t rows,
                          const ptrdiff_t columns, const uint8_t *firsts, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += WIDTH) {
        if (i > count - WIDTH)
            i = count - WIDTH;
        W(max_vector)(keep, y + i * sizeof(REAL), keep ? winners + i : NULL, x + i * step, step,
                      taps, rows, columns, firsts == NULL ? NULL : firsts + i);
    }
}

CF_INLINE W(reals) W(sum_vector)(const char *x, ptrdiff_t step, const cf_taps *taps,
                                 const ptrdiff_t rows, const ptrdiff_t columns)
{
    W(reals) sum = {0};
    const int paired = step == 2 * sizeof(REAL) && taps->column_step == sizeof(REAL);
    for (ptrdiff_t r = 0; r < rows; r++) {
        const char *row = x + r * taps->row_step;
        ptrdiff_t s = 0;
        for (; paired && s + 2 <= columns; s += 2) {
            W(reals) v[2];
            W(load_pair)(v, row + s * sizeof(REAL));
            sum += v[0];
            sum += v[1];
        }
        for (; s < columns; s++)
            sum += W(load_step)(row + s * taps->column_step, step);
    }
    return sum;
}

/* Eight vectors side by side, where a long list of taps would go through memory eight times. */
CF_INLINE void W(sum_eight)(char *y, const char *x, const cf_taps *taps, REAL divisor)
{
    W(reals) sums[8] = {{0}};
    for (ptrdiff_t r = 0; r < taps->rows; r++) {
        const char *row = x + r * taps->row_step;
        for (ptrdiff_t s = 0; s < taps->columns; s++, row += taps->column_step) {
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++)
                sums[j] += W(read)(row + j * WIDTH * sizeof(REAL));
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        W(write)(y + j * WIDTH * sizeof(REAL), sums[j] / divisor);
}

CF_INLINE void W(sum_run)(char *y, const char *x, ptrdiff_t step, const cf_taps *taps,
                          const ptrdiff_t rows, const ptrdiff_t columns, REAL divisor,
                          ptrdiff_t count)
{
    ptrdiff_t i = 0;
    for (; step == sizeof(REAL) && i + 8 * WIDTH <= count; i += 8 * WIDTH)
        W(sum_eight)(y + i * sizeof(REAL), x + i * sizeof(REAL), taps, divisor);
    for (; i < count; i += WIDTH) {
        if (i > count - WIDTH)
            i = count - WIDTH;
        W(write)(y + i * sizeof(REAL), W(sum_vector)(x + i * step, step, taps, rows, columns) / divisor);
    }
}

CF_INLINE void W(route_run)(char *y, const char *g, const uint8_t *winners, const cf_taps *taps,
                            const ptrdiff_t rows, const ptrdiff_t columns, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += WIDTH) {
        if (i > count - WIDTH)
            i = count - WIDTH;
        W(reals) sum = {0};
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t s = 0; s < columns; s++) {
                const ptrdiff_t at = r * taps->row_step + s * taps->column_step;
                const uint8_t number = (uint8_t)(taps->number + r * taps->row_number +
                                                 s * taps->column_number);
                W(bytes) numbers;
                memcpy(&numbers, winners + at / (ptrdiff_t)sizeof(REAL) + i, WIDTH);
                const W(flags) won = (W(flags))(numbers == number);
                sum += (W(reals))(__builtin_convertvector(won, W(ints)) &
                                  (W(ints))W(read)(g + at + i * sizeof(REAL)));
            }
        W(write)(y + i * sizeof(REAL), sum);
    }
}

CF_INLINE void W(route_pairs)(char *y, ptrdiff_t y_row_step, const char *g, const uint8_t *winners,
                              ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += WIDTH) {
        if (i > count - WIDTH)
            i = count - WIDTH;
        const W(ints) grad = (W(ints))W(read)(g + i * sizeof(REAL)), winner = W(widen)(winners + i);
        for (int r = 0; r < 2; r++) {
            char *row = y + r * y_row_step + 2 * i * sizeof(REAL);
            const W(reals) even = (W(reals))((winner == 2 * r) & grad);
            const W(reals) odd = (W(reals))((winner == 2 * r + 1) & grad);
            W(write)(row, CF_SHUFFLE(even, odd, W(ints), CF_INTERLEAVE_LOW(WIDTH)));
            W(write)(row + WIDTH * sizeof(REAL),
                     CF_SHUFFLE(even, odd, W(ints), CF_INTERLEAVE_HIGH(WIDTH)));
        }
    }
}

CF_INLINE void W(max_channels)(char *y, const char *x, ptrdiff_t step, ptrdiff_t pixels,
                               ptrdiff_t count)
{
    W(best) best[4];
    ptrdiff_t i = 0;
    for (; i + 4 * WIDTH <= count; i += 4 * WIDTH) {
        W(max_pixels)(0, best, 4, x + i * sizeof(REAL), step, pixels);
        for (int j = 0; j < 4; j++)
            W(write)(y + (i + j * WIDTH) * sizeof(REAL), best[j].value);
    }
    for (; i < count; i += WIDTH) {
        if (i > count - WIDTH)
            i = count - WIDTH;
        W(max_pixels)(0, best, 1, x + i * sizeof(REAL), step, pixels);
        W(write)(y + i * sizeof(REAL), best[0].value);
    }
}

CF_INLINE void W(route_vectors)(const int vectors, char *y, const char *g, const char *x,
                                ptrdiff_t step, ptrdiff_t pixels)
{
    W(best) best[4];
    W(max_pixels)(1, best, vectors, x, step, pixels);
    for (ptrdiff_t p = 0; p < pixels; p++) {
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) {
            const ptrdiff_t at = j * WIDTH * sizeof(REAL);
            W(write)(y + p * step + at,
                     (W(reals))((best[j].number == (INT)p) & (W(ints))W(read)(g + at)));
        }
    }
}

CF_INLINE void W(route_channels)(char *y, const char *g, const char *x, ptrdiff_t step,
                                 ptrdiff_t pixels, ptrdiff_t count)
{
    const ptrdiff_t size = sizeof(REAL);
    ptrdiff_t i = 0;
    for (; i + 4 * WIDTH <= count; i += 4 * WIDTH)
        W(route_vectors)(4, y + i * size, g + i * size, x + i * size, step, pixels);
    for (; i < count; i += WIDTH) {
        if (i > count - WIDTH)
            i = count - WIDTH;
        W(route_vectors)(1, y + i * size, g + i * size, x + i * size, step, pixels);
    }
}

#undef W
