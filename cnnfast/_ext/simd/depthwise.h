/* Depthwise convolution: one filter a channel, so the channels themselves are the vector lanes. */

CF_INLINE void NAME(depthwise_body)(const int positions, const int vectors, int channels, char *y,
                                    ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                                    const cf_taps *taps, const char *w, const char *bias,
                                    const cf_epilogue *after)
{
    VEC sums[4][TILE_VECTORS];
#pragma GCC unroll 4
    for (int m = 0; m < positions; m++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sums[m][v] = NAME(load)(bias + v * VECTOR_BYTES);

    for (ptrdiff_t r = 0; r < taps->rows; r++) {
        const char *from = x + r * taps->row_step;
        const char *weights =
            w + (taps->number + r * taps->row_number) * TILE_VECTORS * VECTOR_BYTES;
        for (ptrdiff_t s = 0; s < taps->columns; s++) {
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                const VEC weight = NAME(load)(weights + v * VECTOR_BYTES);
#pragma GCC unroll 4
                for (int m = 0; m < positions; m++)
                    sums[m][v] += weight * NAME(load)(from + m * x_step + v * VECTOR_BYTES);
            }
            from += taps->column_step;
            weights += taps->column_number * TILE_VECTORS * VECTOR_BYTES;
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
                                   const cf_taps *taps, const char *w, const char *bias,
                                   const cf_epilogue *after)
{
    ptrdiff_t i = 0;
    for (; i + 4 <= positions; i += 4)
        NAME(depthwise_body)(4, vectors, channels, y + i * y_step, y_step, x + i * x_step, x_step,
                             taps, w, bias, after);
    for (; i < positions; i++)
        NAME(depthwise_body)(1, vectors, channels, y + i * y_step, y_step, x + i * x_step, x_step,
                             taps, w, bias, after);
}

static void NAME(depthwise_tile)(int vectors, int channels, ptrdiff_t positions, char *y,
                                 ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                                 const cf_taps *taps, const char *w, const char *bias,
                                 const cf_epilogue *after)
{
    if (vectors == 1)
        NAME(depthwise_row)(1, channels, positions, y, y_step, x, x_step, taps, w, bias, after);
    else
        NAME(depthwise_row)(2, channels, positions, y, y_step, x, x_step, taps, w, bias, after);
}

CF_INLINE void NAME(depthwise_sums_body)(const int rows, const int columns, char *sums,
                                         ptrdiff_t sums_step, const char *g, ptrdiff_t g_step,
                                         const char *x, ptrdiff_t x_step, ptrdiff_t positions,
                                         const cf_taps *taps)
{
    const ptrdiff_t row_step = taps->row_step, column_step = taps->column_step;
    VEC sum[3][3] = {{{0}}};
    for (ptrdiff_t i = 0; i < positions; i++) {
        const VEC gradient = NAME(load)(g + i * g_step);
        const char *window = x + i * x_step;
#pragma GCC unroll 3
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
            for (int s = 0; s < columns; s++)
                sum[r][s] += gradient * NAME(load)(window + r * row_step + s * column_step);
    }
#pragma GCC unroll 3
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (int s = 0; s < columns; s++) {
            char *at = sums + (r * taps->row_number + s * taps->column_number) * sums_step;
            NAME(store)(at, NAME(load)(at) + sum[r][s]);
        }
}

/* Three rows by three columns of taps at a time, and single ones where that many are not left. */
static void NAME(depthwise_sums)(char *sums, ptrdiff_t sums_step, const char *g, ptrdiff_t g_step,
                                 const char *x, ptrdiff_t x_step, ptrdiff_t positions,
                                 const cf_taps *taps)
{
    for (ptrdiff_t r = 0; r < taps->rows; r += r + 3 <= taps->rows ? 3 : 1)
        for (ptrdiff_t s = 0; s < taps->columns; s += s + 3 <= taps->columns ? 3 : 1) {
            const int three_rows = r + 3 <= taps->rows, three_columns = s + 3 <= taps->columns;
            const ptrdiff_t number =
                taps->number + r * taps->row_number + s * taps->column_number;
            const char *from = x + r * taps->row_step + s * taps->column_step;
#define CF_SUMS(ROWS, COLUMNS)                                                                     \
    NAME(depthwise_sums_body)(ROWS, COLUMNS, sums + number * sums_step, sums_step, g, g_step,      \
                              from, x_step, positions, taps)
            if (three_rows && three_columns)
                CF_SUMS(3, 3);
            else if (three_rows)
                CF_SUMS(3, 1);
            else if (three_columns)
                CF_SUMS(1, 3);
            else
                CF_SUMS(1, 1);
#undef CF_SUMS
        }
}
