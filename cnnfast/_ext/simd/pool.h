/* Pools over a run of windows that share one list of taps.
 *
 * In channels-last memory the run is the channels of one position, in C order the neighbouring
 * positions of one row: the same kernels serve both, x_step apart.
 */
#define WIDTH LANES
#define WIDTH_NAME whole
#include "pool_run.h"
#undef WIDTH
#undef WIDTH_NAME

#define WIDTH SMALL_LANES
#define WIDTH_NAME part
#include "pool_run.h"
#undef WIDTH
#undef WIDTH_NAME

CF_INLINE void NAME(max_run)(const int keep, char *y, uint8_t *winners, const char *x,
                             ptrdiff_t x_step, const ptrdiff_t *taps, const uint8_t *numbers,
                             ptrdiff_t n_taps, ptrdiff_t count)
{
    if (count >= LANES) {
        NAME(max_run_whole)(keep, y, winners, x, x_step, taps, numbers, n_taps, count);
        return;
    }
    if (count >= SMALL_LANES) {
        NAME(max_run_part)(keep, y, winners, x, x_step, taps, numbers, n_taps, count);
        return;
    }
    for (ptrdiff_t i = 0; i < count; i++, x += x_step) {
        REAL best = NAME(at)(x + taps[0]);
        uint8_t winner = numbers[0];
        for (ptrdiff_t t = 1; t < n_taps; t++) {
            const REAL v = NAME(at)(x + taps[t]);
            if (!(v <= best) && best == best) {
                best = v;
                winner = numbers[t];
            }
        }
        ((REAL *)y)[i] = best;
        if (keep)
            winners[i] = winner;
    }
}

/* The usual steps, of one and of two elements, are compiled for themselves. */
#define EACH_STEP(CALL)                                                                            \
    if (x_step == sizeof(REAL))                                                                    \
        CALL(sizeof(REAL));                                                                        \
    else if (x_step == 2 * sizeof(REAL))                                                           \
        CALL(2 * sizeof(REAL));                                                                    \
    else                                                                                           \
        CALL(x_step)

static void NAME(max_taps)(char *y, uint8_t *winners, const char *x, ptrdiff_t x_step,
                           const ptrdiff_t *taps, const uint8_t *numbers, ptrdiff_t n_taps,
                           ptrdiff_t count)
{
#define PLAIN(step) NAME(max_run)(0, y, NULL, x, step, taps, numbers, n_taps, count)
#define KEEPING(step) NAME(max_run)(1, y, winners, x, step, taps, numbers, n_taps, count)
    if (winners == NULL) {
        EACH_STEP(PLAIN);
    } else {
        EACH_STEP(KEEPING);
    }
#undef PLAIN
#undef KEEPING
}

CF_INLINE void NAME(sum_run)(char *y, const char *x, ptrdiff_t x_step, const ptrdiff_t *taps,
                             ptrdiff_t n_taps, REAL divisor, ptrdiff_t count)
{
    if (count >= LANES) {
        NAME(sum_run_whole)(y, x, x_step, taps, n_taps, divisor, count);
        return;
    }
    if (count >= SMALL_LANES) {
        NAME(sum_run_part)(y, x, x_step, taps, n_taps, divisor, count);
        return;
    }
    for (ptrdiff_t i = 0; i < count; i++, x += x_step) {
        REAL sum = NAME(at)(x + taps[0]);
        for (ptrdiff_t t = 1; t < n_taps; t++)
            sum += NAME(at)(x + taps[t]);
        ((REAL *)y)[i] = sum / divisor;
    }
}

static void NAME(sum_taps)(char *y, const char *x, ptrdiff_t x_step, const ptrdiff_t *taps,
                           ptrdiff_t n_taps, double divisor, ptrdiff_t count)
{
#define SUM(step) NAME(sum_run)(y, x, step, taps, n_taps, (REAL)divisor, count)
    EACH_STEP(SUM);
#undef SUM
}

#undef EACH_STEP

static void NAME(max_taps_backward)(char *x, ptrdiff_t x_step, const char *g,
                                    const uint8_t *winners, const ptrdiff_t *taps,
                                    const uint8_t *numbers, ptrdiff_t n_taps, ptrdiff_t count)
{
    if (x_step != sizeof(REAL)) {
        /* The taps of one window are as far apart as the vectors' lanes would be: add one by one,
         * to the tap that won, found by its number. */
        ptrdiff_t where[256];
        for (ptrdiff_t t = 0; t < n_taps; t++)
            where[numbers[t]] = taps[t];
        if (n_taps == 0)
            return;
        for (ptrdiff_t i = 0; i < count; i++, x += x_step)
            *(REAL *)(x + where[winners[i]]) += ((const REAL *)g)[i];
        return;
    }
    for (ptrdiff_t t = 0; t < n_taps; t++) {
        char *at = x + taps[t];
        ptrdiff_t i = NAME(route_run_whole)(at, g, winners, numbers[t], 0, count);
        i = NAME(route_run_part)(at, g, winners, numbers[t], i, count);
        for (; i < count; i++)
            ((REAL *)at)[i] += winners[i] == numbers[t] ? ((const REAL *)g)[i] : 0;
    }
}

static void NAME(sum_taps_backward)(char *x, ptrdiff_t x_step, const char *g,
                                    const ptrdiff_t *taps, ptrdiff_t n_taps, double divisor,
                                    ptrdiff_t count)
{
    const REAL over = (REAL)divisor;
    for (ptrdiff_t t = 0; t < n_taps; t++) {
        char *at = x + taps[t];
        ptrdiff_t i = 0;
        if (x_step == sizeof(REAL)) {
            i = NAME(spread_run_whole)(at, g, over, 0, count);
            i = NAME(spread_run_part)(at, g, over, i, count);
        }
        for (; i < count; i++)
            *(REAL *)(at + i * x_step) += ((const REAL *)g)[i] / over;
    }
}

static ptrdiff_t NAME(route)(char *plane, ptrdiff_t pixel_step, int64_t pixels, const char *g,
                             ptrdiff_t g_step, const char *winners, ptrdiff_t winners_step,
                             ptrdiff_t count)
{
    ptrdiff_t outside = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const int64_t winner = *(const int64_t *)(winners + i * winners_step);
        if (winner < 0 || winner >= pixels)
            outside++;
        else
            *(REAL *)(plane + winner * pixel_step) += NAME(at)(g + i * g_step);
    }
    return outside;
}
