/* Normalisation: sums over sets of elements, and the maps that are linear in the elements.
 *
 * A set consists of `rows` contiguous runs, row_step apart, or is a column of a matrix. Sums of a
 * block are formed in REAL and added up in double.
 */
#define BLOCK 4096
#define ORIGIN 256
/* What is summed over columns: v; g; g where the output, before a ReLU, is above 0. */
#define MOMENTS 0
#define PRODUCTS 1
#define GATED 2

/* Sums of p and of p * v, where v = x - m, and p is the gradient g or v itself. */
CF_INLINE void NAME(add_product)(const int with_grad, VEC *p, VEC *pv, VEC g, VEC v)
{
    *p += with_grad ? g : v;
    *pv += (with_grad ? g : v) * v;
}

/* g where v * s + t, what a ReLU was given, lies between 0 and the ceiling, or is NaN. */
CF_INLINE VEC NAME(gated)(VEC g, VEC v, VEC s, VEC t, REAL ceiling)
{
    const VEC z = v * s + t;
    return (VEC)((IVEC)g & ~(z <= 0) & ~(z >= ceiling));
}

typedef struct {
    VEC p[4], pv[4];
} NAME(sums);

/* ------------------------------------------------------------------ sums over runs */

CF_INLINE void NAME(add_run)(const int with_grad, NAME(sums) *sums, const char *g, const char *x,
                             ptrdiff_t count, REAL m)
{
#define G(i) (with_grad ? NAME(load)(g + (i) * sizeof(REAL)) : (VEC){0})
#define V(i) (NAME(load)(x + (i) * sizeof(REAL)) - m)
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
#pragma GCC unroll 4
        for (int u = 0; u < 4; u++)
            NAME(add_product)(with_grad, sums->p + u, sums->pv + u, G(i + u * LANES), V(i + u * LANES));
    }
    for (; i + LANES <= count; i += LANES)
        NAME(add_product)(with_grad, sums->p + 0, sums->pv + 0, G(i), V(i));
    if (i < count && count >= LANES) {
        /* The vector that ends with the run, without what has been added already. */
        IVEC fresh;
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++)
            fresh[l] = l;
        fresh = fresh >= (INT)(LANES - (count - i));
        NAME(add_product)(with_grad, sums->p + 1, sums->pv + 1, (VEC)(fresh & (IVEC)G(count - LANES)),
                          (VEC)(fresh & (IVEC)V(count - LANES)));
    } else if (i < count) {
        VEC p = {0}, v = {0};
        for (int l = 0; l < count; l++) {
            v[l] = ((const REAL *)x)[l] - m;
            p[l] = with_grad ? ((const REAL *)g)[l] : v[l];
        }
        NAME(add_product)(with_grad, sums->p + 0, sums->pv + 0, p, v);
    }
#undef G
#undef V
}

CF_INLINE double NAME(total)(const VEC *v)
{
    const VEC sum = (v[0] + v[1]) + (v[2] + v[3]);
    double total = 0;
    for (int l = 0; l < LANES; l++)
        total += sum[l];
    return total;
}

CF_INLINE void NAME(add_runs)(const int with_grad, double *p, double *pv, const char *g,
                              const char *x, ptrdiff_t row_step, ptrdiff_t rows, ptrdiff_t count,
                              REAL m)
{
    const NAME(sums) none = {{{0}}};
    NAME(sums) sums = none;
    ptrdiff_t pending = 0;
    *p = *pv = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        for (ptrdiff_t i = 0; i < count; i += BLOCK) {
            const ptrdiff_t offset = r * row_step + i * (ptrdiff_t)sizeof(REAL);
            const ptrdiff_t some = count - i < BLOCK ? count - i : BLOCK;
            NAME(add_run)(with_grad, &sums, with_grad ? g + offset : NULL, x + offset, some, m);
            pending += some;
            if (pending >= BLOCK || (r == rows - 1 && i + some == count)) {
                *p += NAME(total)(sums.p);
                *pv += NAME(total)(sums.pv);
                sums = none;
                pending = 0;
            }
        }
    }
}

static void NAME(deviations)(double *v, double *vv, const char *x, ptrdiff_t row_step,
                             ptrdiff_t rows, ptrdiff_t count, REAL origin)
{
    NAME(add_runs)(0, v, vv, NULL, x, row_step, rows, count, origin);
}

/* Deviations are taken from an origin, the mean of the first elements: as they are part of what m2
 * measures, it is never so far from the mean of all that the subtraction at the end would cancel. */
static void NAME(run_moments)(double *mean, double *m2, const char *x, ptrdiff_t row_step,
                              ptrdiff_t rows, ptrdiff_t count)
{
    const ptrdiff_t first = count < ORIGIN ? count : ORIGIN;
    const ptrdiff_t first_rows = rows < ORIGIN / first ? rows : ORIGIN / first;
    const double n = (double)rows * count;
    double v, vv;
    NAME(deviations)(&v, &vv, x, row_step, first_rows, first, 0);
    const REAL origin = (REAL)(v / (first_rows * first));
    NAME(deviations)(&v, &vv, x, row_step, rows, count, origin);
    *mean = origin + v / n;
    *m2 = vv - v * v / n;
}

static void NAME(run_products)(double *p, double *pv, const char *g, const char *x,
                               ptrdiff_t row_step, ptrdiff_t rows, ptrdiff_t count, const char *m)
{
    NAME(add_runs)(1, p, pv, g, x, row_step, rows, count, NAME(at)(m));
}

/* ------------------------------------------------------------------ sums over columns */

/* Matrices are worked off in strips of so many columns, whose sums stay in L1, and in blocks of so
 * many rows. Their elements are read in the order of memory, which is what the machine foresees. */
#define STRIP (ptrdiff_t)(2048 / sizeof(REAL))
#define BLOCK_ROWS 64
#define ROWS_OF_ORIGIN 16

CF_INLINE VEC NAME(load_first)(const char *x, ptrdiff_t count)
{
    VEC v = {0};
    for (int l = 0; l < count; l++)
        v[l] = ((const REAL *)x)[l];
    return v;
}

/* Where the vector of columns j.. begins: the last one overlaps the one before it. */
CF_INLINE ptrdiff_t NAME(start)(ptrdiff_t j, ptrdiff_t columns)
{
    return j > columns - LANES && columns >= LANES ? columns - LANES : j;
}

CF_INLINE ptrdiff_t NAME(padded)(ptrdiff_t columns)
{
    return (columns + LANES - 1) / LANES * LANES;
}

/* A vector of a list with an element for each column. */
CF_INLINE VEC NAME(load_columns)(const char *list, ptrdiff_t j, ptrdiff_t columns)
{
    return columns < LANES ? NAME(load_first)(list, columns)
                           : NAME(load)(list + NAME(start)(j, columns) * sizeof(REAL));
}

/* Fewer columns than lanes: whole vectors run on into the next rows, except in the last rows. */
CF_INLINE ptrdiff_t NAME(loose_rows)(ptrdiff_t rows, ptrdiff_t columns)
{
    const ptrdiff_t loose = rows - (columns < LANES ? LANES / columns : 0);
    return loose > 0 ? loose : 0;
}

/* The sums of a block of a strip's columns, or the strip's origins. */
typedef union {
    VEC v[STRIP / LANES];
    REAL each[STRIP];
} NAME(strip);

CF_INLINE void NAME(add_gated)(const int mode, VEC *p, VEC *pv, VEC g, VEC v,
                               const NAME(strip) *gate, REAL ceiling, ptrdiff_t u)
{
    if (mode == GATED)
        g = NAME(gated)(g, v, gate[0].v[u], gate[1].v[u], ceiling);
    NAME(add_product)(mode != MOMENTS, p, pv, g, v);
}

CF_INLINE void NAME(sum_block)(const int mode, NAME(strip) *p, NAME(strip) *pv, const char *g,
                               const char *x, ptrdiff_t row_step, ptrdiff_t rows, ptrdiff_t loose,
                               ptrdiff_t columns, const NAME(strip) *m, const NAME(strip) *gate,
                               REAL ceiling)
{
    const VEC none = {0};
    ptrdiff_t r = 0;
    for (ptrdiff_t u = 0; u * LANES < columns; u++)
        p->v[u] = pv->v[u] = none;
#define SOME_ROWS(count)                                                                           \
    for (; r + count <= rows && r + count <= loose; r += count)                                    \
        for (ptrdiff_t u = 0; u * LANES < columns; u++) {                                          \
            const ptrdiff_t offset = r * row_step + NAME(start)(u * LANES, columns) * sizeof(REAL);        \
            VEC sum = none, products = none;                                                       \
            _Pragma("GCC unroll 4") for (int i = 0; i < count; i++)                                \
                NAME(add_gated)(mode, &sum, &products,                                             \
                                mode != MOMENTS ? NAME(load)(g + offset + i * row_step) : none,    \
                                NAME(load)(x + offset + i * row_step) - m->v[u], gate, ceiling, u);         \
            p->v[u] += sum;                                                                        \
            pv->v[u] += products;                                                                  \
        }
    /* Rows side by side save loads and stores of sums, but only short ones are read as fast. */
    if (columns <= STRIP / 4) {
        SOME_ROWS(4)
    }
    SOME_ROWS(1)
#undef SOME_ROWS
    for (; r < rows; r++) {
        const ptrdiff_t offset = r * row_step;
        NAME(add_gated)(mode, p->v, pv->v,
                        mode != MOMENTS ? NAME(load_first)(g + offset, columns) : none,
                        NAME(load_first)(x + offset, columns) - m->v[0], gate, ceiling, 0);
    }
}

CF_INLINE void NAME(sum_columns)(const int mode, double *sums, double *products, const char *g,
                                 const char *x, ptrdiff_t row_step, ptrdiff_t rows,
                                 ptrdiff_t columns, const NAME(strip) *m, const NAME(strip) *gate,
                                 REAL ceiling)
{
    const ptrdiff_t loose = NAME(loose_rows)(rows, columns);
    NAME(strip) p, pv;
    for (ptrdiff_t j = 0; j < NAME(padded)(columns); j++)
        sums[j] = products[j] = 0;
    for (ptrdiff_t r = 0; r < rows; r += BLOCK_ROWS) {
        NAME(sum_block)(mode, &p, &pv, mode != MOMENTS ? g + r * row_step : NULL, x + r * row_step,
                        row_step, rows - r < BLOCK_ROWS ? rows - r : BLOCK_ROWS, loose - r,
                        columns, m, gate, ceiling);
        for (ptrdiff_t j = 0; j < NAME(padded)(columns); j++) {
            sums[j] += p.each[j];
            products[j] += pv.each[j];
        }
    }
}

/* Leave out the padding before the last vector. */
CF_INLINE void NAME(store_sums)(double *y, const double *sums, ptrdiff_t columns)
{
    for (ptrdiff_t j = 0; j < columns; j += LANES) {
        const ptrdiff_t start = NAME(start)(j, columns);
        memcpy(y + start, sums + j, (columns - start < LANES ? columns : LANES) * sizeof(double));
    }
}

static void NAME(strip_moments)(double *mean, double *m2, const char *x, ptrdiff_t row_step,
                                ptrdiff_t rows, ptrdiff_t columns)
{
    const ptrdiff_t first_rows = rows < ROWS_OF_ORIGIN ? rows : ROWS_OF_ORIGIN;
    double v[STRIP], vv[STRIP];
    NAME(strip) origin = {{{0}}};
    NAME(sum_columns)(MOMENTS, v, vv, NULL, x, row_step, first_rows, columns, &origin, NULL, 0);
    for (ptrdiff_t j = 0; j < NAME(padded)(columns); j++)
        origin.each[j] = (REAL)(v[j] / first_rows);
    NAME(sum_columns)(MOMENTS, v, vv, NULL, x, row_step, rows, columns, &origin, NULL, 0);
    for (ptrdiff_t j = 0; j < NAME(padded)(columns); j++) {
        vv[j] -= v[j] * v[j] / rows;
        v[j] = origin.each[j] + v[j] / rows;
    }
    NAME(store_sums)(mean, v, columns);
    NAME(store_sums)(m2, vv, columns);
}

CF_INLINE void NAME(strip_products)(const int mode, double *sums, double *products, const char *g,
                                    const char *x, ptrdiff_t row_step, ptrdiff_t rows,
                                    ptrdiff_t columns, const char *c, ptrdiff_t c_step,
                                    REAL ceiling)
{
    double p[STRIP], pv[STRIP];
    NAME(strip) origin, gate[2];
    for (ptrdiff_t j = 0; j < columns; j += LANES) {
        origin.v[j / LANES] = NAME(load_columns)(c, j, columns);
        if (mode == GATED) {
            gate[0].v[j / LANES] = NAME(load_columns)(c + 4 * c_step, j, columns);
            gate[1].v[j / LANES] = NAME(load_columns)(c + 5 * c_step, j, columns);
        }
    }
    NAME(sum_columns)(mode, p, pv, g, x, row_step, rows, columns, &origin, gate, ceiling);
    NAME(store_sums)(sums, p, columns);
    NAME(store_sums)(products, pv, columns);
}

static void NAME(column_moments)(double *mean, double *m2, const char *x, ptrdiff_t row_step,
                                 ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t j = 0; j < columns; j += STRIP)
        NAME(strip_moments)(mean + j, m2 + j, x + j * (ptrdiff_t)sizeof(REAL), row_step, rows,
                            columns - j < STRIP ? columns - j : STRIP);
}

static void NAME(column_products)(double *sums, double *products, const char *g, const char *x,
                                  ptrdiff_t row_step, ptrdiff_t rows, ptrdiff_t columns,
                                  const char *c, ptrdiff_t c_step, int gated, double ceiling)
{
    for (ptrdiff_t j = 0; j < columns; j += STRIP) {
        const ptrdiff_t at = j * sizeof(REAL), some = columns - j < STRIP ? columns - j : STRIP;
        if (gated)
            NAME(strip_products)(GATED, sums + j, products + j, g + at, x + at, row_step, rows, some,
                                 c + at, c_step, (REAL)ceiling);
        else
            NAME(strip_products)(PRODUCTS, sums + j, products + j, g + at, x + at, row_step, rows,
                                 some, c + at, c_step, 0);
    }
}

#undef STRIP
#undef BLOCK_ROWS
#undef ROWS_OF_ORIGIN

/* ------------------------------------------------------------------ maps */

/* y = (x - m) * s + t, plus g * a; then rectified, or with a gated g. */
CF_INLINE VEC NAME(map)(const int with_grad, const int relu, VEC g, VEC x, const VEC *c,
                        REAL ceiling)
{
    const VEC v = x - c[0];
    VEC y = v * c[1] + c[2];
    if (with_grad && relu == CF_GATE)
        g = NAME(gated)(g, v, c[4], c[5], ceiling);
    if (with_grad)
        y += g * c[3];
    /* NaN passes, as it does in every ReLU here. */
    if (relu == CF_RECTIFY) {
        const IVEC above = y >= ceiling;
        y = (VEC)(((IVEC)y & ~(y <= 0) & ~above) | ((IVEC)((VEC){0} + ceiling) & above));
    }
    return y;
}

CF_INLINE void NAME(map_run)(const int with_grad, char *y, const char *g, const char *x,
                             ptrdiff_t count, const char *c, ptrdiff_t c_step)
{
    const ptrdiff_t size = sizeof(REAL);
    VEC coefficients[4] = {{0}};
    for (int i = 0; i < (with_grad ? 4 : 3); i++)
        coefficients[i] += NAME(at)(c + i * c_step);
    if (count < LANES) {
        const VEC v = NAME(map)(with_grad, CF_PLAIN, NAME(load_first)(g, with_grad ? count : 0),
                                NAME(load_first)(x, count), coefficients, 0);
        NAME(store_part)(y, v, count);
        return;
    }
    for (ptrdiff_t i = 0; i < count; i += LANES) {
        if (i > count - LANES)
            i = count - LANES;
        NAME(store)(y + i * size,
                    NAME(map)(with_grad, CF_PLAIN, with_grad ? NAME(load)(g + i * size) : (VEC){0},
                              NAME(load)(x + i * size), coefficients, 0));
    }
}

CF_INLINE void NAME(map_columns)(const int with_grad, const int relu, char *y, const char *g,
                                 const char *x, ptrdiff_t rows, ptrdiff_t columns, const char *c,
                                 ptrdiff_t c_step, REAL ceiling)
{
    const int needed = relu == CF_GATE ? 6 : with_grad ? 4 : 3;
    const ptrdiff_t row = columns * sizeof(REAL), loose = NAME(loose_rows)(rows, columns);
    VEC coefficients[6];
    ptrdiff_t r = 0;
    if (columns < LANES)
        for (int i = 0; i < needed; i++)
            coefficients[i] = NAME(load_first)(c + i * c_step, columns);
    for (; r < loose; r++)
        for (ptrdiff_t u = 0; u * LANES < columns; u++) {
            const ptrdiff_t start = NAME(start)(u * LANES, columns) * sizeof(REAL);
            const ptrdiff_t at = r * row + start;
            if (columns >= LANES)
                for (int i = 0; i < needed; i++)
                    coefficients[i] = NAME(load)(c + i * c_step + start);
            NAME(store)(y + at, NAME(map)(with_grad, relu,
                                          with_grad ? NAME(load)(g + at) : (VEC){0},
                                          NAME(load)(x + at), coefficients, ceiling));
        }
    for (; r < rows; r++) {
        const VEC v = NAME(map)(with_grad, relu,
                                NAME(load_first)(with_grad ? g + r * row : NULL,
                                                 with_grad ? columns : 0),
                                NAME(load_first)(x + r * row, columns), coefficients, ceiling);
        NAME(store_part)(y + r * row, v, columns);
    }
}

static void NAME(run_map)(char *y, const char *g, const char *x, ptrdiff_t count, const char *c,
                          ptrdiff_t c_step)
{
    if (g)
        NAME(map_run)(1, y, g, x, count, c, c_step);
    else
        NAME(map_run)(0, y, g, x, count, c, c_step);
}

static void NAME(column_map)(char *y, const char *g, const char *x, ptrdiff_t rows,
                             ptrdiff_t columns, const char *c, ptrdiff_t c_step, int relu,
                             double ceiling)
{
    const REAL most = (REAL)ceiling;
    if (relu == CF_GATE)
        NAME(map_columns)(1, CF_GATE, y, g, x, rows, columns, c, c_step, most);
    else if (g && relu)
        NAME(map_columns)(1, CF_RECTIFY, y, g, x, rows, columns, c, c_step, most);
    else if (g)
        NAME(map_columns)(1, CF_PLAIN, y, g, x, rows, columns, c, c_step, most);
    else if (relu)
        NAME(map_columns)(0, CF_RECTIFY, y, g, x, rows, columns, c, c_step, most);
    else
        NAME(map_columns)(0, CF_PLAIN, y, g, x, rows, columns, c, c_step, most);
}

#undef MOMENTS
#undef PRODUCTS
#undef GATED
#undef BLOCK
#undef ORIGIN
