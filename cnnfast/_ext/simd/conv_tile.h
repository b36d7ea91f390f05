/* A tile of the convolution (or matrix product): rows x vectors of accumulators, kept in registers.
 *
 * Scalars of x are broadcast, vectors of packed weights streamed. Rows lie x_step apart; reaching
 * them as four bases plus 0..3 steps keeps all fourteen addresses in six registers.
 */
CF_INLINE void NAME(conv_tile_body)(const int rows, const int vectors, int channels, char *y,
                                    ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                                    const ptrdiff_t *taps, ptrdiff_t n_taps, ptrdiff_t depth,
                                    const char *w, const char *bias, const cf_epilogue *after)
{
    VEC sums[TILE_ROWS][TILE_VECTORS];
    const ptrdiff_t x_step3 = 3 * x_step;

#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        const VEC b = NAME(load)(bias + v * VECTOR_BYTES);
#pragma GCC unroll 16
        for (int m = 0; m < rows; m++)
            sums[m][v] = b;
    }

    for (ptrdiff_t t = 0; t < n_taps; t++) {
        const char *base[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            base[i] = x + taps[t] + 4 * i * x_step;

        for (ptrdiff_t d = 0; d < depth; d++) {
            VEC weights[TILE_VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                weights[v] = NAME(load)(w + v * VECTOR_BYTES);
            w += vectors * VECTOR_BYTES;
#pragma GCC unroll 16
            for (int m = 0; m < rows; m++) {
                const ptrdiff_t step = m % 4 == 3 ? x_step3 : (m % 4) * x_step;
                const REAL a = NAME(at)(base[m / 4] + step);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++)
                    sums[m][v] += a * weights[v];
            }
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                base[i] += sizeof(REAL);
        }
    }

#pragma GCC unroll 16
    for (int m = 0; m < rows; m++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            NAME(finish)(y + m * y_step + v * VECTOR_BYTES, sums[m][v], channels - v * LANES, after);
    }
}

#define CONV_TILE_CASE(rows)                                                                       \
    case rows:                                                                                     \
        if (vectors == 1)                                                                          \
            NAME(conv_tile_body)(rows, 1, channels, y, y_step, x, x_step, taps, n_taps, depth, w,  \
                                 bias, after);                                                     \
        else                                                                                       \
            NAME(conv_tile_body)(rows, 2, channels, y, y_step, x, x_step, taps, n_taps, depth, w,  \
                                 bias, after);                                                     \
        return;

static void NAME(conv_tile)(int rows, int vectors, int channels, char *y, ptrdiff_t y_step,
                            const char *x, ptrdiff_t x_step, const ptrdiff_t *taps,
                            ptrdiff_t n_taps, ptrdiff_t depth, const char *w, const char *bias,
                            const cf_epilogue *after)
{
    switch (rows) {
        CF_EACH_ROW_COUNT(CONV_TILE_CASE)
    }
}

#undef CONV_TILE_CASE
