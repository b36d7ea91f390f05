/* Copies and transposes, and additions into strided memory. */

/* One round of a transpose: the first half of the vectors interleaved with the second. */
CF_INLINE void NAME(interleave)(NAME(small) *to, const NAME(small) *from)
{
#pragma GCC unroll 2
    for (int i = 0; i < SMALL_LANES / 2; i++) {
        to[2 * i] = CF_SHUFFLE(from[i], from[i + SMALL_LANES / 2], NAME(small_index),
                               CF_INTERLEAVE_LOW(SMALL_LANES));
        to[2 * i + 1] = CF_SHUFFLE(from[i], from[i + SMALL_LANES / 2], NAME(small_index),
                                   CF_INTERLEAVE_HIGH(SMALL_LANES));
    }
}

/* A small square: SMALL_LANES rows of y from as many contiguous pieces of x. */
CF_INLINE void NAME(transpose_small)(char *y, ptrdiff_t y_row_step, const char *x,
                                     ptrdiff_t x_column_step)
{
    NAME(small) v[SMALL_LANES], w[SMALL_LANES];
#pragma GCC unroll 4
    for (int i = 0; i < SMALL_LANES; i++)
        v[i] = NAME(load_small)(x + i * x_column_step);
    NAME(interleave)(w, v);
    if (SMALL_LANES == 4)
        NAME(interleave)(v, w);
#pragma GCC unroll 4
    for (int i = 0; i < SMALL_LANES; i++)
        NAME(store_small)(y + i * y_row_step, SMALL_LANES == 4 ? v[i] : w[i]);
}

CF_INLINE void NAME(copy_any)(char *y, ptrdiff_t y_row_step, ptrdiff_t y_column_step,
                              const char *x, ptrdiff_t x_row_step, ptrdiff_t x_column_step,
                              ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            *(REAL *)(y + i * y_row_step + j * y_column_step) =
                NAME(at)(x + i * x_row_step + j * x_column_step);
}

CF_INLINE void NAME(copy_row)(char *y, const char *x, ptrdiff_t columns)
{
    if (columns > 4 * SMALL_LANES) {
        memcpy(y, x, columns * sizeof(REAL));
        return;
    }
    /* Too short for a call. */
    ptrdiff_t j = 0;
    for (; j + SMALL_LANES <= columns; j += SMALL_LANES)
        NAME(store_small)(y + j * sizeof(REAL), NAME(load_small)(x + j * sizeof(REAL)));
    for (; j < columns; j++)
        ((REAL *)y)[j] = ((const REAL *)x)[j];
}

/* A block of a transpose, small square by small square: y's columns and x's rows are contiguous. */
CF_INLINE void NAME(transpose_block)(char *y, ptrdiff_t y_row_step, const char *x,
                                     ptrdiff_t x_column_step, ptrdiff_t rows, ptrdiff_t columns)
{
    const ptrdiff_t size = sizeof(REAL), whole_rows = rows / SMALL_LANES * SMALL_LANES;
    const ptrdiff_t whole_columns = columns / SMALL_LANES * SMALL_LANES;
    for (ptrdiff_t i = 0; i < whole_rows; i += SMALL_LANES)
        for (ptrdiff_t j = 0; j < whole_columns; j += SMALL_LANES)
            NAME(transpose_small)(y + i * y_row_step + j * size, y_row_step,
                                  x + i * size + j * x_column_step, x_column_step);
    NAME(copy_any)(y + whole_columns * size, y_row_step, size, x + whole_columns * x_column_step,
                   size, x_column_step, whole_rows, columns - whole_columns);
    NAME(copy_any)(y + whole_rows * y_row_step, y_row_step, size, x + whole_rows * size, size,
                   x_column_step, rows - whole_rows, columns);
}

/* Blocks of this many rows and columns keep both sides of a transpose in L1. */
#define BLOCK 16

static void NAME(copy2d)(char *y, ptrdiff_t y_row_step, ptrdiff_t y_column_step, const char *x,
                         ptrdiff_t x_row_step, ptrdiff_t x_column_step, ptrdiff_t rows,
                         ptrdiff_t columns)
{
    const ptrdiff_t size = sizeof(REAL);
    if (y_column_step == size && x_column_step == size) {
        for (ptrdiff_t i = 0; i < rows; i++)
            NAME(copy_row)(y + i * y_row_step, x + i * x_row_step, columns);
        return;
    }
    for (ptrdiff_t i = 0; i < rows; i += BLOCK) {
        const ptrdiff_t some_rows = rows - i < BLOCK ? rows - i : BLOCK;
        for (ptrdiff_t j = 0; j < columns; j += BLOCK) {
            const ptrdiff_t some_columns = columns - j < BLOCK ? columns - j : BLOCK;
            char *target = y + i * y_row_step + j * y_column_step;
            const char *source = x + i * x_row_step + j * x_column_step;
            if (y_column_step == size && x_row_step == size)
                NAME(transpose_block)(target, y_row_step, source, x_column_step, some_rows,
                                      some_columns);
            else
                NAME(copy_any)(target, y_row_step, y_column_step, source, x_row_step,
                               x_column_step, some_rows, some_columns);
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
