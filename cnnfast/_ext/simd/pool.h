/* Pools over runs of windows that see the same grid of taps.
 *
 * A vector's lanes go along a run: in channels-last memory the channels of one window, in C order
 * the neighbouring windows of one row, `lane_step` apart in x.
 */
#define WIDTH LANES
#define WIDTH_NAME whole
#include "pool_run.h"
#undef WIDTH
#undef WIDTH_NAME

#if LANES > 2 * SMALL_LANES
#if LANES == 16
#define WIDTH 8
#else
#define WIDTH 4
#endif
#define WIDTH_NAME half
#include "pool_run.h"
#undef WIDTH
#undef WIDTH_NAME
#define IF_HALF(CALL, rows, columns) else if (count >= LANES / 2) CALL(half, rows, columns)
#else
#define IF_HALF(CALL, rows, columns)
#endif

#define WIDTH SMALL_LANES
#define WIDTH_NAME part
#include "pool_run.h"
#undef WIDTH
#undef WIDTH_NAME

#define WIDTH 1
#define WIDTH_NAME one
#include "pool_run.h"
#undef WIDTH
#undef WIDTH_NAME

/* With the widest vectors that a run of `count` fills. */
#define EACH_WIDTH(CALL, rows, columns)                                                            \
    if (count >= LANES)                                                                            \
        CALL(whole, rows, columns)                                                                 \
    IF_HALF(CALL, rows, columns)                                                                   \
    else if (count >= SMALL_LANES)                                                                 \
        CALL(part, rows, columns)                                                                  \
    else                                                                                           \
        CALL(one, rows, columns)

/* Where lanes are loaded one by one, wide vectors bring nothing. */
#define FEW_WIDTHS(CALL, rows, columns)                                                            \
    if (count >= SMALL_LANES)                                                                      \
        CALL(part, rows, columns)                                                                  \
    else                                                                                           \
        CALL(one, rows, columns)

/* The usual windows are compiled for themselves, at the usual steps. */
#define EACH_WINDOW(usual, CALL, OTHER)                                                            \
    if (!(usual)) {                                                                                \
        FEW_WIDTHS(OTHER, taps->rows, taps->columns)                                               \
    } else if (taps->rows == 1 && taps->columns == 1) {                                                   \
        CALL(1, 1)                                                                                 \
    } else if (taps->rows == 2 && taps->columns == 2) {                                            \
        CALL(2, 2)                                                                                 \
    } else if (taps->columns == 3) {                                                               \
        CALL(taps->rows, 3)                                                                        \
    } else {                                                                                       \
        CALL(taps->rows, taps->columns)                                                            \
    }

/* And so are the usual steps, of one and of two elements. */
#define EACH_STEP(CALL)                                                                            \
    if (lane_step == sizeof(REAL))                                                                 \
        CALL(1, sizeof(REAL));                                                                     \
    else if (lane_step == 2 * sizeof(REAL))                                                        \
        CALL(1, 2 * sizeof(REAL));                                                                 \
    else                                                                                           \
        CALL(0, lane_step)

/* The processor does not foresee streams that take turns: ask for what lies ahead in each row of
 * taps of the run at x. Done after a run, it does not delay the loads of that run. */
CF_INLINE void NAME(prefetch_run)(const char *x, ptrdiff_t x_step, const cf_taps *taps,
                                  ptrdiff_t runs)
{
    const ptrdiff_t ahead = 4096, span = x_step < taps->row_step ? x_step : taps->row_step;
    for (ptrdiff_t r = 0; runs > 1 && span >= 128 && r < taps->rows; r++)
        for (ptrdiff_t i = 0; i < span; i += 64)
            __builtin_prefetch(x + r * taps->row_step + i + ahead);
}

/* Short runs that follow each other in y take a vector each, whose excess the next run covers; the
 * last is done exactly. As there is a window after it, a run's excess lies inside x. */
#if LANES > 2 * SMALL_LANES
#define LOOSE_HALF(CALL, rows, columns) else if (count > SMALL_LANES && count < LANES / 2) CALL(half, rows, columns)
#else
#define LOOSE_HALF(CALL, rows, columns)
#endif
#define EACH_LOOSE_WIDTH(CALL, rows, columns)                                                      \
    if (count > LANES / 2 && count < LANES)                                                        \
        CALL(whole, rows, columns)                                                                 \
    LOOSE_HALF(CALL, rows, columns)                                                                \
    else if (count > SMALL_LANES / 2 && count < SMALL_LANES)                                       \
        CALL(part, rows, columns)

CF_INLINE void NAME(max_runs)(const int usual, const int keep, char *y, ptrdiff_t y_step, uint8_t *winners,
                              ptrdiff_t winners_step, const char *x, ptrdiff_t x_step,
                              ptrdiff_t lane_step, const cf_taps *taps, const uint8_t *firsts,
                              ptrdiff_t runs, ptrdiff_t count)
{
    const ptrdiff_t loose = y_step == count * (ptrdiff_t)sizeof(REAL) ? runs - 1 : 0;
    ptrdiff_t i = 0;
#define LOOSE(width, rows, columns)                                                                \
    for (; i < loose; i++)                                                                         \
        NAME(CF_GLUE(max_vector, width))(keep, y + i * y_step,                                     \
                                         keep ? winners + i * winners_step : NULL, x + i * x_step, \
                                         lane_step, taps, rows, columns,                           \
                                         firsts == NULL ? NULL : firsts + i * count);
#define EXACT(width, rows, columns)                                                                \
    for (; i < runs; i++) {                                                                        \
        NAME(CF_GLUE(max_run, width))(keep, y + i * y_step,                                        \
                                      keep ? winners + i * winners_step : NULL, x + i * x_step,    \
                                      lane_step, taps, rows, columns,                              \
                                      firsts == NULL ? NULL : firsts + i * count, count);          \
        NAME(prefetch_run)(x + (i + 1) * x_step, x_step, taps, runs);                              \
    }
#define MAX(rows, columns)                                                                         \
    EACH_LOOSE_WIDTH(LOOSE, rows, columns)                                                         \
    EACH_WIDTH(EXACT, rows, columns)
    EACH_WINDOW(usual, MAX, EXACT)
#undef LOOSE
#undef EXACT
#undef MAX
}

static void NAME(max_windows)(char *y, ptrdiff_t y_step, uint8_t *winners, ptrdiff_t winners_step,
                              const char *x, ptrdiff_t x_step, ptrdiff_t lane_step,
                              const cf_taps *taps, const uint8_t *firsts, ptrdiff_t runs,
                              ptrdiff_t count)
{
#define PLAIN(usual, step)                                                                         \
    NAME(max_runs)(usual, 0, y, y_step, NULL, 0, x, x_step, step, taps, NULL, runs, count)
#define KEEPING(usual, step)                                                                       \
    NAME(max_runs)(usual, 1, y, y_step, winners, winners_step, x, x_step, step, taps, firsts,      \
                   runs, count)
    if (winners == NULL) {
        EACH_STEP(PLAIN);
    } else {
        EACH_STEP(KEEPING);
    }
#undef PLAIN
#undef KEEPING
}

CF_INLINE void NAME(sum_runs)(const int usual, char *y, ptrdiff_t y_step, const char *x,
                              ptrdiff_t x_step,
                              ptrdiff_t lane_step, const cf_taps *taps, REAL divisor,
                              ptrdiff_t runs, ptrdiff_t count)
{
    const ptrdiff_t loose = y_step == count * (ptrdiff_t)sizeof(REAL) ? runs - 1 : 0;
    ptrdiff_t i = 0;
#define LOOSE(width, rows, columns)                                                                \
    for (; i < loose; i++)                                                                         \
        NAME(CF_GLUE(write, width))(y + i * y_step,                                                \
                                    NAME(CF_GLUE(sum_vector, width))(x + i * x_step, lane_step,    \
                                                                     taps, rows, columns) /        \
                                        divisor);
#define EXACT(width, rows, columns)                                                                \
    for (; i < runs; i++) {                                                                        \
        NAME(CF_GLUE(sum_run, width))(y + i * y_step, x + i * x_step, lane_step, taps, rows,       \
                                      columns, divisor, count);                                    \
        NAME(prefetch_run)(x + (i + 1) * x_step, x_step, taps, runs);                              \
    }
#define SUM(rows, columns)                                                                         \
    EACH_LOOSE_WIDTH(LOOSE, rows, columns)                                                         \
    EACH_WIDTH(EXACT, rows, columns)
    EACH_WINDOW(usual, SUM, EXACT)
#undef LOOSE
#undef EXACT
#undef SUM
}

static void NAME(sum_windows)(char *y, ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                              ptrdiff_t lane_step, const cf_taps *taps, double divisor,
                              ptrdiff_t runs, ptrdiff_t count)
{
#define SUM(usual, step)                                                                           \
    NAME(sum_runs)(usual, y, y_step, x, x_step, step, taps, (REAL)divisor, runs, count)
    EACH_STEP(SUM);
#undef SUM
}

static void NAME(route_windows)(char *y, ptrdiff_t y_step, const char *g, ptrdiff_t g_step,
                                const uint8_t *winners, const cf_taps *taps, ptrdiff_t runs,
                                ptrdiff_t count)
{
#define ROUTE(width, rows, columns)                                                                \
    for (ptrdiff_t i = 0; i < runs; i++)                                                           \
        NAME(CF_GLUE(route_run, width))(y + i * y_step, g + i * g_step,                            \
                                        winners + i * (g_step / (ptrdiff_t)sizeof(REAL)), taps,    \
                                        rows, columns, count);
#define WINDOW(rows, columns) EACH_WIDTH(ROUTE, rows, columns)
    EACH_WINDOW(1, WINDOW, ROUTE)
#undef WINDOW
#undef ROUTE
}

/* The gradient of a window of 2x2 at stride 2: pairs from the two taps of a row, side by side. */
static void NAME(route_pairs)(char *y, ptrdiff_t y_row_step, const char *g, const uint8_t *winners,
                              ptrdiff_t runs, ptrdiff_t count)
{
#define ROUTE(width, rows, columns)                                                                \
    for (ptrdiff_t i = 0; i < runs; i++)                                                           \
        NAME(CF_GLUE(route_pairs, width))(y + 2 * i * y_row_step, y_row_step,                      \
                                          g + i * count * sizeof(REAL), winners + i * count,       \
                                          count);
    EACH_WIDTH(ROUTE, 2, 2)
#undef ROUTE
}

static void NAME(max_channels)(char *y, const char *x, ptrdiff_t step, ptrdiff_t pixels,
                               ptrdiff_t count)
{
#define MAX(width, rows, columns) NAME(CF_GLUE(max_channels, width))(y, x, step, pixels, count);
    EACH_WIDTH(MAX, 0, 0)
#undef MAX
}

static void NAME(route_channels)(char *y, const char *g, const char *x, ptrdiff_t step,
                                 ptrdiff_t pixels, ptrdiff_t count)
{
#define ROUTE(width, rows, columns)                                                                \
    NAME(CF_GLUE(route_channels, width))(y, g, x, step, pixels, count);
    EACH_WIDTH(ROUTE, 0, 0)
#undef ROUTE
}

#undef IF_HALF
#undef LOOSE_HALF
#undef EACH_LOOSE_WIDTH
#undef EACH_WIDTH
#undef FEW_WIDTHS
#undef EACH_WINDOW
#undef EACH_STEP

/* y = x over the divisor, `stride` elements apart, with zeros after each. */
static void NAME(spread)(char *y, const char *x, ptrdiff_t stride, double divisor, ptrdiff_t count)
{
    const REAL over = (REAL)divisor;
    ptrdiff_t i = 0;
    for (; stride == 1 && i + LANES <= count; i += LANES)
        NAME(store)(y + i * sizeof(REAL), NAME(load)(x + i * sizeof(REAL)) / over);
    for (; stride == 2 && i < count && count >= SMALL_LANES; i += SMALL_LANES) {
        if (i > count - SMALL_LANES)
            i = count - SMALL_LANES;
        const NAME(small) v = NAME(load_small)(x + i * sizeof(REAL)) / over, zero = {0};
        NAME(store_small)(y + 2 * i * sizeof(REAL),
                          CF_SHUFFLE(v, zero, NAME(small_index), CF_INTERLEAVE_LOW(SMALL_LANES)));
        NAME(store_small)(y + (2 * i + SMALL_LANES) * sizeof(REAL),
                          CF_SHUFFLE(v, zero, NAME(small_index), CF_INTERLEAVE_HIGH(SMALL_LANES)));
    }
    for (; i < count; i++) {
        ((REAL *)y)[i * stride] = NAME(at)(x + i * sizeof(REAL)) / over;
        for (ptrdiff_t j = 1; j < stride; j++)
            ((REAL *)y)[i * stride + j] = 0;
    }
}

/* A copy of `columns` elements, contiguous in y. */
CF_INLINE void NAME(copy_run)(char *y, const char *x, ptrdiff_t x_step, ptrdiff_t columns)
{
    ptrdiff_t i = 0;
    if (x_step == sizeof(REAL) && columns >= SMALL_LANES) {
        for (; i + LANES <= columns; i += LANES)
            NAME(store)(y + i * sizeof(REAL), NAME(load)(x + i * sizeof(REAL)));
        for (; i < columns; i += SMALL_LANES) {
            if (i > columns - SMALL_LANES)
                i = columns - SMALL_LANES;
            NAME(store_small)(y + i * sizeof(REAL), NAME(load_small)(x + i * sizeof(REAL)));
        }
        return;
    }
    for (; i < columns; i++)
        ((REAL *)y)[i] = NAME(at)(x + i * x_step);
}

static void NAME(place_rows)(char *y, ptrdiff_t y_row_step, const char *x, ptrdiff_t x_row_step,
                             ptrdiff_t x_column_step, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        NAME(copy_run)(y + i * y_row_step, x + i * x_row_step, x_column_step, columns);
}

static void NAME(fill)(char *y, double value, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++)
        ((REAL *)y)[i] = (REAL)value;
}

/* GCC and Clang make vectors of the loops over single elements. */
static void NAME(flat_indices)(int64_t *restrict y, const uint8_t *restrict winners,
                               const int64_t *restrict starts, int64_t row_step,
                               int64_t column_step, ptrdiff_t columns, ptrdiff_t runs,
                               ptrdiff_t count)
{
    const uint32_t reciprocal = (uint32_t)(65536 / columns + 1); /* exact for a byte's quotient */
    const int64_t next_row = row_step - columns * column_step;
#define INDEX(winner, start)                                                                       \
    (start) + (int64_t)((winner)*reciprocal >> 16) * next_row + (int64_t)(winner)*column_step
    if (count == 1)
        for (ptrdiff_t i = 0; i < runs; i++)
            y[i] = INDEX(winners[i], starts[i]);
    else
        for (ptrdiff_t i = 0; i < runs; i++, y += count, winners += count)
            for (ptrdiff_t j = 0; j < count; j++)
                y[j] = INDEX(winners[j], starts[i]);
#undef INDEX
}

CF_INLINE ptrdiff_t NAME(scatter_runs)(char *x, ptrdiff_t pixel_step, ptrdiff_t lane_step,
                                       int64_t pixels, const char *g, ptrdiff_t g_run_step,
                                       ptrdiff_t g_step, const char *indices,
                                       ptrdiff_t indices_run_step, ptrdiff_t indices_step,
                                       ptrdiff_t runs, ptrdiff_t count)
{
    ptrdiff_t outside = 0;
    for (ptrdiff_t i = 0; i < runs; i++, g += g_run_step, indices += indices_run_step)
        for (ptrdiff_t j = 0; j < count; j++) {
            const int64_t at = *(const int64_t *)(indices + j * indices_step);
            if ((uint64_t)at >= (uint64_t)pixels)
                outside++;
            else
                *(REAL *)(x + at * pixel_step + j * lane_step) += NAME(at)(g + j * g_step);
        }
    return outside;
}

static ptrdiff_t NAME(scatter)(char *x, ptrdiff_t pixel_step, ptrdiff_t lane_step, int64_t pixels,
                               const char *g, ptrdiff_t g_run_step, ptrdiff_t g_step,
                               const char *indices, ptrdiff_t indices_run_step,
                               ptrdiff_t indices_step, ptrdiff_t runs, ptrdiff_t count)
{
#define SCATTER(pixel_step, lane_step, g_step, indices_step)                                       \
    NAME(scatter_runs)(x, pixel_step, lane_step, pixels, g, g_run_step, g_step, indices,           \
                       indices_run_step, indices_step, runs, count)
    const ptrdiff_t size = sizeof(REAL);
    if (g_step != size || indices_step != sizeof(int64_t))
        return SCATTER(pixel_step, lane_step, g_step, indices_step);
    if (lane_step == 0 && pixel_step == size)
        return SCATTER(sizeof(REAL), 0, sizeof(REAL), sizeof(int64_t));
    return SCATTER(pixel_step, lane_step, sizeof(REAL), sizeof(int64_t));
#undef SCATTER
}
