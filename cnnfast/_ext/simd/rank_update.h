/* Adds products of few factors to a matrix: each row of x, read as it lies, times a number. */
CF_INLINE void NAME(rank_update_body)(const int depth, ptrdiff_t rows, char *y, ptrdiff_t y_step,
                                      const char *g, ptrdiff_t g_row_step, ptrdiff_t g_step,
                                      const char *x, ptrdiff_t x_step, ptrdiff_t columns)
{
    ptrdiff_t j = 0;
    for (; j + LANES <= columns; j += LANES) {
        VEC values[CF_RANK];
#pragma GCC unroll 8
        for (int p = 0; p < depth; p++)
            values[p] = NAME(load)(x + p * x_step + j * sizeof(REAL));
        for (ptrdiff_t i = 0; i < rows; i++) {
            char *at = y + i * y_step + j * sizeof(REAL);
            VEC sum = NAME(at)(g + i * g_row_step) * values[0];
#pragma GCC unroll 8
            for (int p = 1; p < depth; p++)
                sum += NAME(at)(g + i * g_row_step + p * g_step) * values[p];
            NAME(store)(at, NAME(load)(at) + sum);
        }
    }
    for (; j < columns; j++)
        for (ptrdiff_t i = 0; i < rows; i++) {
            REAL sum = 0;
            for (int p = 0; p < depth; p++)
                sum += NAME(at)(g + i * g_row_step + p * g_step) *
                       NAME(at)(x + p * x_step + j * sizeof(REAL));
            ((REAL *)(y + i * y_step))[j] += sum;
        }
}

static void NAME(rank_update)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, char *y,
                              ptrdiff_t y_step, const char *g, ptrdiff_t g_row_step,
                              ptrdiff_t g_step, const char *x, ptrdiff_t x_step)
{
    ptrdiff_t p = 0;
    for (; p + CF_RANK <= depth; p += CF_RANK)
        NAME(rank_update_body)(CF_RANK, rows, y, y_step, g + p * g_step, g_row_step, g_step,
                               x + p * x_step, x_step, columns);
    for (; p < depth; p++)
        NAME(rank_update_body)(1, rows, y, y_step, g + p * g_step, g_row_step, g_step,
                               x + p * x_step, x_step, columns);
}
