/* Copies and transposes, and additions into strided memory. */

/* Blocks of this many rows and columns keep both sides of a transpose in L1. */
#define BLOCK 16

static void NAME(copy2d)(char *y, ptrdiff_t y_row_step, ptrdiff_t y_column_step, const char *x,
                         ptrdiff_t x_row_step, ptrdiff_t x_column_step, ptrdiff_t rows,
                         ptrdiff_t columns)
{
    if (y_column_step == sizeof(REAL) && x_column_step == sizeof(REAL)) {
        for (ptrdiff_t i = 0; i < rows; i++)
            memcpy(y + i * y_row_step, x + i * x_row_step, columns * sizeof(REAL));
        return;
    }
    for (ptrdiff_t i0 = 0; i0 < rows; i0 += BLOCK) {
        const ptrdiff_t i1 = i0 + BLOCK < rows ? i0 + BLOCK : rows;
        for (ptrdiff_t j0 = 0; j0 < columns; j0 += BLOCK) {
            const ptrdiff_t j1 = j0 + BLOCK < columns ? j0 + BLOCK : columns;
            for (ptrdiff_t i = i0; i < i1; i++)
                for (ptrdiff_t j = j0; j < j1; j++)
                    *(REAL *)(y + i * y_row_step + j * y_column_step) =
                        NAME(at)(x + i * x_row_step + j * x_column_step);
        }
    }
}

#undef BLOCK

static void NAME(add)(char *y, const char *x, ptrdiff_t count)
{
    ptrdiff_t i = 0;
    for (; i + LANES <= count; i += LANES)
        NAME(store)(y + i * sizeof(REAL),
                    NAME(load)(y + i * sizeof(REAL)) + NAME(load)(x + i * sizeof(REAL)));
    for (; i + SMALL_LANES <= count; i += SMALL_LANES)
        NAME(store_small)(y + i * sizeof(REAL), NAME(load_small)(y + i * sizeof(REAL)) +
                                                    NAME(load_small)(x + i * sizeof(REAL)));
    for (; i < count; i++)
        ((REAL *)y)[i] += ((const REAL *)x)[i];
}

/* Rows are short, so they are moved in whole vectors whose excess the next rows overwrite, or in
 * which it is masked; the last rows, which the excess would leave, are moved exactly. */
CF_INLINE ptrdiff_t NAME(rows_with_excess)(ptrdiff_t rows, ptrdiff_t columns)
{
    const ptrdiff_t exact = (LANES + columns - 1) / columns;
    return rows > exact ? rows - exact : 0;
}

static void NAME(copy_rows)(char *y, const char *x, ptrdiff_t x_row_step, ptrdiff_t rows,
                            ptrdiff_t columns)
{
    const ptrdiff_t bytes = columns * sizeof(REAL);
    const ptrdiff_t loose = NAME(rows_with_excess)(rows, columns);
    ptrdiff_t i = 0;
    for (; i < loose; i++, y += bytes, x += x_row_step)
        for (ptrdiff_t j = 0; j < bytes; j += VECTOR_BYTES)
            NAME(store)(y + j, NAME(load)(x + j));
    for (; i < rows; i++, y += bytes, x += x_row_step)
        memcpy(y, x, bytes);
}

static void NAME(add_rows)(char *y, ptrdiff_t y_row_step, const char *x, ptrdiff_t rows,
                           ptrdiff_t columns)
{
    const ptrdiff_t bytes = columns * sizeof(REAL);
    const ptrdiff_t whole = columns / LANES * VECTOR_BYTES;
    const ptrdiff_t loose = NAME(rows_with_excess)(rows, columns);
    IVEC rest;
    for (int l = 0; l < LANES; l++)
        rest[l] = l < columns % LANES ? -1 : 0;
    ptrdiff_t i = 0;
    for (; i < loose; i++, y += y_row_step, x += bytes) {
        for (ptrdiff_t j = 0; j < whole; j += VECTOR_BYTES)
            NAME(store)(y + j, NAME(load)(y + j) + NAME(load)(x + j));
        if (columns % LANES)
            NAME(store)(y + whole,
                        NAME(load)(y + whole) + (VEC)(rest & (IVEC)NAME(load)(x + whole)));
    }
    for (; i < rows; i++, y += y_row_step, x += bytes)
        NAME(add)(y, x, columns);
}
