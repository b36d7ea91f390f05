/* Weighted sums of pixels, for resampling along an axis. */

/* Pixels of one element, with the same number of taps each: gathers, if that is a constant. */
CF_INLINE void NAME(blend_elements)(REAL *y, const REAL *x, const ptrdiff_t *sources,
                                    const REAL *weights, const ptrdiff_t taps, ptrdiff_t targets)
{
    for (ptrdiff_t i = 0; i < targets; i++) {
        REAL sum = weights[i * taps] * x[sources[i * taps]];
        for (ptrdiff_t k = 1; k < taps; k++)
            sum += weights[i * taps + k] * x[sources[i * taps + k]];
        y[i] = sum;
    }
}

static void NAME(blend)(char *y, const char *x, ptrdiff_t x_step, const ptrdiff_t *starts,
                        const ptrdiff_t *sources, const char *weights, ptrdiff_t taps,
                        ptrdiff_t targets, ptrdiff_t lanes)
{
    const ptrdiff_t size = sizeof(REAL);
    const ptrdiff_t *from = sources + starts[0];
    const REAL *w = (const REAL *)weights + starts[0];
    if (lanes == 1 && x_step == size && taps == 1) {
        NAME(blend_elements)((REAL *)y, (const REAL *)x, from, w, 1, targets);
        return;
    }
    if (lanes == 1 && x_step == size && taps == 2) {
        NAME(blend_elements)((REAL *)y, (const REAL *)x, from, w, 2, targets);
        return;
    }
    for (ptrdiff_t i = 0; i < targets; i++, y += lanes * size) {
        const ptrdiff_t n = starts[i + 1] - starts[i];
        ptrdiff_t j = 0;
        if (n == 0) {
            memset(y, 0, lanes * size);
            continue;
        }
        for (; j + LANES <= lanes; j += LANES) {
            VEC sum = w[0] * NAME(load)(x + from[0] * x_step + j * size);
            for (ptrdiff_t k = 1; k < n; k++)
                sum += w[k] * NAME(load)(x + from[k] * x_step + j * size);
            NAME(store)(y + j * size, sum);
        }
        for (; j + SMALL_LANES <= lanes; j += SMALL_LANES) {
            NAME(small) sum = w[0] * NAME(load_small)(x + from[0] * x_step + j * size);
            for (ptrdiff_t k = 1; k < n; k++)
                sum += w[k] * NAME(load_small)(x + from[k] * x_step + j * size);
            NAME(store_small)(y + j * size, sum);
        }
        for (; j < lanes; j++) {
            REAL sum = w[0] * NAME(at)(x + from[0] * x_step + j * size);
            for (ptrdiff_t k = 1; k < n; k++)
                sum += w[k] * NAME(at)(x + from[k] * x_step + j * size);
            ((REAL *)y)[j] = sum;
        }
        from += n, w += n;
    }
}
