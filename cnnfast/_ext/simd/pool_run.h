/* Pooling `count` windows with vectors of WIDTH lanes, count >= WIDTH.
 *
 * Included by pool.h, once for whole vectors and once for small ones. What is left over after the
 * last whole vector is covered by one that ends with the run, and so overlaps the one before it.
 */
#define W(name) NAME(CF_GLUE(name, WIDTH_NAME))

typedef REAL W(reals) __attribute__((vector_size(WIDTH * sizeof(REAL))));
typedef REAL W(loose) __attribute__((vector_size(WIDTH * sizeof(REAL)), aligned(sizeof(REAL)),
                                     may_alias));
typedef INT W(ints) __attribute__((vector_size(WIDTH * sizeof(REAL))));
typedef uint8_t W(bytes) __attribute__((vector_size(WIDTH)));

/* WIDTH elements `step` bytes apart. Two vectors and a shuffle serve the common step of two
 * elements; the second is loaded one element early, so that nothing past the last is read. */
CF_INLINE W(reals) W(load_step)(const char *x, ptrdiff_t step)
{
    if (step == sizeof(REAL))
        return *(const W(loose) *)x;
    if (step == 2 * sizeof(REAL)) {
        const W(reals) a = *(const W(loose) *)x;
        const W(reals) b = *(const W(loose) *)(x + (WIDTH - 1) * sizeof(REAL));
        return CF_SHUFFLE(a, b, W(ints), CF_EVENS(WIDTH));
    }
    W(reals) v;
#pragma GCC unroll 16
    for (int i = 0; i < WIDTH; i++)
        v[i] = NAME(at)(x + i * step);
    return v;
}

/* A value takes the lead if it is greater, or the first NaN: not (v <= best), and best no NaN. */
CF_INLINE void W(max_vector)(const int keep, char *y, uint8_t *winners, const char *x,
                             ptrdiff_t x_step, const ptrdiff_t *taps, const uint8_t *numbers,
                             ptrdiff_t n_taps)
{
    W(reals) best = W(load_step)(x + taps[0], x_step);
    W(ints) winner = (W(ints)){0} + numbers[0];
    for (ptrdiff_t t = 1; t < n_taps; t++) {
        const W(reals) v = W(load_step)(x + taps[t], x_step);
        const W(ints) lead = ~(v <= best) & (best == best);
        best = (W(reals))((lead & (W(ints))v) | (~lead & (W(ints))best));
        if (keep)
            winner = (lead & ((W(ints)){0} + numbers[t])) | (~lead & winner);
    }
    *(W(loose) *)y = best;
    if (keep) {
        const W(bytes) narrow = __builtin_convertvector(winner, W(bytes));
        memcpy(winners, &narrow, WIDTH);
    }
}

CF_INLINE void W(max_run)(const int keep, char *y, uint8_t *winners, const char *x,
                          ptrdiff_t x_step, const ptrdiff_t *taps, const uint8_t *numbers,
                          ptrdiff_t n_taps, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += WIDTH) {
        if (i > count - WIDTH)
            i = count - WIDTH;
        W(max_vector)(keep, y + i * sizeof(REAL), keep ? winners + i : NULL, x + i * x_step,
                      x_step, taps, numbers, n_taps);
    }
}

CF_INLINE void W(sum_run)(char *y, const char *x, ptrdiff_t x_step, const ptrdiff_t *taps,
                          ptrdiff_t n_taps, REAL divisor, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += WIDTH) {
        if (i > count - WIDTH)
            i = count - WIDTH;
        W(reals) sum = W(load_step)(x + i * x_step + taps[0], x_step);
        for (ptrdiff_t t = 1; t < n_taps; t++)
            sum += W(load_step)(x + i * x_step + taps[t], x_step);
        *(W(loose) *)(y + i * sizeof(REAL)) = sum / divisor;
    }
}

/* The gradients add, so here no vector may overlap another: they return how far they came. */
CF_INLINE ptrdiff_t W(route_run)(char *x, const char *g, const uint8_t *winners, uint8_t number,
                                 ptrdiff_t i, ptrdiff_t count)
{
    for (; i + WIDTH <= count; i += WIDTH) {
        W(bytes) narrow;
        memcpy(&narrow, winners + i, WIDTH);
        const W(ints) won = __builtin_convertvector(narrow, W(ints)) == (INT)number;
        const W(reals) grad = *(const W(loose) *)(g + i * sizeof(REAL));
        *(W(loose) *)(x + i * sizeof(REAL)) += (W(reals))(won & (W(ints))grad);
    }
    return i;
}

CF_INLINE ptrdiff_t W(spread_run)(char *x, const char *g, REAL divisor, ptrdiff_t i,
                                  ptrdiff_t count)
{
    for (; i + WIDTH <= count; i += WIDTH)
        *(W(loose) *)(x + i * sizeof(REAL)) +=
            *(const W(loose) *)(g + i * sizeof(REAL)) / divisor;
    return i;
}

#undef W
