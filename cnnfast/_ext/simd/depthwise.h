/* Depthwise convolution: one filter a channel, so the channels themselves are the vector lanes. */

CF_INLINE void NAME(depthwise_body)(const int positions, const int vectors, int channels, char *y,
                                    ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                                    const ptrdiff_t *taps, ptrdiff_t n_taps, const char *w,
                                    const char *bias, const cf_epilogue *after)
{
    VEC sums[4][TILE_VECTORS];
#pragma GCC unroll 4
    for (int m = 0; m < positions; m++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sums[m][v] = NAME(load)(bias + v * VECTOR_BYTES);

    for (ptrdiff_t t = 0; t < n_taps; t++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const VEC weight = NAME(load)(w + (t * TILE_VECTORS + v) * VECTOR_BYTES);
#pragma GCC unroll 4
            for (int m = 0; m < positions; m++)
                sums[m][v] += weight * NAME(load)(x + taps[t] + m * x_step + v * VECTOR_BYTES);
        }
    }

#pragma GCC unroll 4
    for (int m = 0; m < positions; m++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            NAME(finish)(y + m * y_step + v * VECTOR_BYTES, sums[m][v], channels - v * LANES, after);
}

CF_INLINE void NAME(depthwise_row)(const int vectors, int channels, ptrdiff_t positions, char *y,
                                   ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                                   const ptrdiff_t *taps, ptrdiff_t n_taps, const char *w,
                                   const char *bias, const cf_epilogue *after)
{
    ptrdiff_t i = 0;
    for (; i + 4 <= positions; i += 4)
        NAME(depthwise_body)(4, vectors, channels, y + i * y_step, y_step, x + i * x_step, x_step,
                             taps, n_taps, w, bias, after);
    for (; i < positions; i++)
        NAME(depthwise_body)(1, vectors, channels, y + i * y_step, y_step, x + i * x_step, x_step,
                             taps, n_taps, w, bias, after);
}

static void NAME(depthwise_tile)(int vectors, int channels, ptrdiff_t positions, char *y,
                                 ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                                 const ptrdiff_t *taps, ptrdiff_t n_taps, const char *w,
                                 const char *bias, const cf_epilogue *after)
{
    if (vectors == 1)
        NAME(depthwise_row)(1, channels, positions, y, y_step, x, x_step, taps, n_taps, w, bias,
                            after);
    else
        NAME(depthwise_row)(2, channels, positions, y, y_step, x, x_step, taps, n_taps, w, bias,
                            after);
}

static void NAME(depthwise_sums)(int vectors, char *sums, const char *g, ptrdiff_t g_row_step,
                                 ptrdiff_t g_step, const char *x, ptrdiff_t x_row_step,
                                 ptrdiff_t x_step, ptrdiff_t grid_rows, ptrdiff_t grid_columns)
{
    for (int v = 0; v < vectors; v++) {
        VEC acc = {0};
        for (ptrdiff_t i = 0; i < grid_rows; i++) {
            const char *gp = g + i * g_row_step + v * VECTOR_BYTES;
            const char *xp = x + i * x_row_step + v * VECTOR_BYTES;
            for (ptrdiff_t j = 0; j < grid_columns; j++)
                acc += NAME(load)(gp + j * g_step) * NAME(load)(xp + j * x_step);
        }
        char *at = sums + v * VECTOR_BYTES;
        NAME(store)(at, NAME(load)(at) + acc);
    }
}
