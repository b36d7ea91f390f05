/* A tile of the gradient of the weights: sums of outer products g x^T over a grid of positions.
 *
 * The accumulators start at zero in every call and are added to `sums` at its end: the caller keeps
 * the grid to some hundred positions, because one long chain of additions loses two digits.
 */
CF_INLINE void NAME(outer_tile_body)(const int rows, const int vectors, char *sums,
                                     ptrdiff_t sums_step, const char *g, ptrdiff_t g_row_step,
                                     ptrdiff_t g_step, const char *x, ptrdiff_t x_row_step,
                                     ptrdiff_t x_step, ptrdiff_t grid_rows,
                                     ptrdiff_t grid_columns)
{
    VEC acc[TILE_ROWS][TILE_VECTORS];
#pragma GCC unroll 16
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            acc[m][v] = (VEC){0};

    for (ptrdiff_t i = 0; i < grid_rows; i++) {
        const char *gp = g + i * g_row_step;
        const char *xp = x + i * x_row_step;
        for (ptrdiff_t j = 0; j < grid_columns; j++) {
            VEC values[TILE_VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                values[v] = NAME(load)(xp + v * VECTOR_BYTES);
#pragma GCC unroll 16
            for (int m = 0; m < rows; m++) {
                const REAL a = NAME(at)(gp + m * sizeof(REAL));
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++)
                    acc[m][v] += a * values[v];
            }
            gp += g_step;
            xp += x_step;
        }
    }

#pragma GCC unroll 16
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            char *at = sums + m * sums_step + v * VECTOR_BYTES;
            NAME(store)(at, NAME(load)(at) + acc[m][v]);
        }
}

#define OUTER_TILE_CASE(rows)                                                                      \
    case rows:                                                                                     \
        if (vectors == 1)                                                                          \
            NAME(outer_tile_body)(rows, 1, sums, sums_step, g, g_row_step, g_step, x, x_row_step,  \
                                  x_step, grid_rows, grid_columns);                                \
        else                                                                                       \
            NAME(outer_tile_body)(rows, 2, sums, sums_step, g, g_row_step, g_step, x, x_row_step,  \
                                  x_step, grid_rows, grid_columns);                                \
        return;

static void NAME(outer_tile)(int rows, int vectors, char *sums, ptrdiff_t sums_step,
                             const char *g, ptrdiff_t g_row_step, ptrdiff_t g_step, const char *x,
                             ptrdiff_t x_row_step, ptrdiff_t x_step, ptrdiff_t grid_rows,
                             ptrdiff_t grid_columns)
{
    switch (rows) {
        CF_EACH_ROW_COUNT(OUTER_TILE_CASE)
    }
}

#undef OUTER_TILE_CASE
