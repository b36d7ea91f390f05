/* A tile of dot products along memory: nothing is packed, so each factor is read as it lies. */

CF_INLINE REAL NAME(lane_sum)(VEC v)
{
    NAME(small) sum = NAME(load_small)((const char *)&v);
#pragma GCC unroll 4
    for (int i = 1; i < LANES / SMALL_LANES; i++)
        sum += NAME(load_small)((const char *)&v + i * 16);
    REAL total = sum[0];
#pragma GCC unroll 4
    for (int i = 1; i < SMALL_LANES; i++)
        total += sum[i];
    return total;
}

CF_INLINE void NAME(dot_tile_body)(const int rows, const int columns, char *y, ptrdiff_t y_step,
                                   const char *x, ptrdiff_t x_step, const char *w,
                                   ptrdiff_t w_step, ptrdiff_t depth, const char *bias)
{
    VEC sums[CF_DOT_ROWS][CF_DOT_COLUMNS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++)
            sums[i][j] = (VEC){0};

    const ptrdiff_t whole = depth / LANES * VECTOR_BYTES, end = depth * (ptrdiff_t)sizeof(REAL);
    for (ptrdiff_t d = 0; d < whole; d += VECTOR_BYTES) {
        VEC weights[CF_DOT_COLUMNS];
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++)
            weights[j] = NAME(load)(w + j * w_step + d);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const VEC values = NAME(load)(x + i * x_step + d);
#pragma GCC unroll 4
            for (int j = 0; j < columns; j++)
                sums[i][j] += values * weights[j];
        }
    }

    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            REAL total = NAME(lane_sum)(sums[i][j]);
            for (ptrdiff_t d = whole; d < end; d += sizeof(REAL))
                total += NAME(at)(x + i * x_step + d) * NAME(at)(w + j * w_step + d);
            ((REAL *)(y + i * y_step))[j] = bias ? ((const REAL *)bias)[j] + total : total;
        }
}

#define DOT_TILE_CASE(rows)                                                                        \
    case rows:                                                                                     \
        if (columns == CF_DOT_COLUMNS)                                                             \
            NAME(dot_tile_body)(rows, CF_DOT_COLUMNS, y, y_step, x, x_step, w, w_step, depth,      \
                                bias);                                                             \
        else                                                                                       \
            for (int j = 0; j < columns; j++)                                                      \
                NAME(dot_tile_body)(rows, 1, y + j * sizeof(REAL), y_step, x, x_step,              \
                                    w + j * w_step, w_step, depth,                                 \
                                    bias ? bias + j * sizeof(REAL) : bias);                        \
        return;

static void NAME(dot_tile)(int rows, int columns, char *y, ptrdiff_t y_step, const char *x,
                           ptrdiff_t x_step, const char *w, ptrdiff_t w_step, ptrdiff_t depth,
                           const char *bias)
{
    switch (rows) {
        DOT_TILE_CASE(1)
        DOT_TILE_CASE(2)
#if CF_DOT_ROWS > 2
        DOT_TILE_CASE(3)
        DOT_TILE_CASE(4)
        DOT_TILE_CASE(5)
        DOT_TILE_CASE(6)
#endif
    }
}

#undef DOT_TILE_CASE
