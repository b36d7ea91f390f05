/* A tile of a convolution to few output channels: filters x vectors of neighbouring positions.
 *
 * The scalars of the filters are broadcast, the positions' values loaded from where they lie, at
 * one offset for each input channel and tap.
 */
CF_INLINE void NAME(position_tile_body)(const int rows, const int vectors, int positions, char *y,
                                        ptrdiff_t y_step, const char *x,
                                        const ptrdiff_t *offsets, ptrdiff_t depth, const char *w,
                                        const char *bias)
{
    VEC sums[TILE_ROWS][TILE_VECTORS];
#pragma GCC unroll 16
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sums[m][v] = (VEC){0} + ((const REAL *)bias)[m];

    for (ptrdiff_t d = 0; d < depth; d++) {
        VEC values[TILE_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            values[v] = NAME(load)(x + offsets[d] + v * VECTOR_BYTES);
#pragma GCC unroll 16
        for (int m = 0; m < rows; m++) {
            const REAL a = NAME(at)(w + m * sizeof(REAL));
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sums[m][v] += a * values[v];
        }
        w += rows * sizeof(REAL);
    }

#pragma GCC unroll 16
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            char *at = y + m * y_step + v * VECTOR_BYTES;
            if (positions >= (v + 1) * LANES)
                NAME(store)(at, sums[m][v]);
            else
                NAME(store_part)(at, sums[m][v], positions - v * LANES);
        }
}

#define POSITION_TILE_CASE(rows)                                                                   \
    case rows:                                                                                     \
        if (vectors == 1)                                                                          \
            NAME(position_tile_body)(rows, 1, positions, y, y_step, x, offsets, depth, w, bias);   \
        else                                                                                       \
            NAME(position_tile_body)(rows, 2, positions, y, y_step, x, offsets, depth, w, bias);   \
        return;

static void NAME(position_tile)(int rows, int vectors, int positions, char *y, ptrdiff_t y_step,
                                const char *x, const ptrdiff_t *offsets, ptrdiff_t depth,
                                const char *w, const char *bias)
{
    switch (rows) {
        CF_EACH_ROW_COUNT(POSITION_TILE_CASE)
    }
}

#undef POSITION_TILE_CASE
