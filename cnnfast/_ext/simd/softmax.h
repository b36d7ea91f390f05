/* Softmax, its logarithm and their gradients over lines of numbers.
 *
 * A line lies along a row, its elements adjacent: then `along` is 1, the vectors of a line follow
 * each other, and sums are folded over the lanes. Or it lies across rows: then each lane has a line
 * of its own. One body serves both: `vectors` whole ones, `step` apart, and `rest` elements.
 */
typedef struct {
    ptrdiff_t vectors;
    int rest;
} NAME(line);

#define EACH(i, line) for (ptrdiff_t i = 0; i < (line).vectors; i++)

/* The rest of a line, filled up with `fill`. */
CF_INLINE VEC NAME(load_rest)(const char *x, int count, REAL fill)
{
    VEC v = NAME(broadcast)(fill);
    memcpy(&v, x, count * sizeof(REAL));
    return v;
}

CF_INLINE VEC NAME(larger)(VEC a, VEC b) { return NAME(choose)(a > b, a, b); }

CF_INLINE VEC NAME(fold_sum)(VEC v)
{
    REAL lanes[LANES];
    memcpy(lanes, &v, sizeof v);
#pragma GCC unroll 4
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return NAME(broadcast)(lanes[0]);
}

CF_INLINE VEC NAME(fold_max)(VEC v)
{
    REAL lanes[LANES];
    memcpy(lanes, &v, sizeof v);
#pragma GCC unroll 4
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
    return NAME(broadcast)(lanes[0]);
}

/* The largest element, from which NaN is left out: it spreads by way of the sum. */
CF_INLINE VEC NAME(largest)(const int along, const char *x, ptrdiff_t x_step, NAME(line) line)
{
    VEC top = NAME(broadcast)(-(REAL)__builtin_inf());
    EACH(i, line) top = NAME(larger)(NAME(load)(x + i * x_step), top);
    if (!along)
        return top;
    if (line.rest)
        top = NAME(larger)(NAME(load_rest)(x + line.vectors * x_step, line.rest,
                                           -(REAL)__builtin_inf()), top);
    return NAME(fold_max)(top);
}

CF_INLINE void NAME(softmax)(const int along, char *y, ptrdiff_t y_step, const char *x,
                             ptrdiff_t x_step, const char *unused, ptrdiff_t unused_step,
                             NAME(line) line)
{
    const VEC top = NAME(largest)(along, x, x_step, line);
    VEC sum = {0}, last = {0};
    EACH(i, line)
    {
        const VEC e = NAME(exp)(NAME(load)(x + i * x_step) - top);
        NAME(store)(y + i * y_step, e);
        sum += e;
    }
    if (along) {
        if (line.rest)
            last = NAME(exp)(NAME(load_rest)(x + line.vectors * x_step, line.rest,
                                             -(REAL)__builtin_inf()) - top);
        sum = NAME(fold_sum)(sum + last);
    }
    const VEC scale = 1 / sum;
    EACH(i, line) NAME(store)(y + i * y_step, NAME(load)(y + i * y_step) * scale);
    if (along)
        NAME(store_part)(y + line.vectors * y_step, last * scale, line.rest);
}

CF_INLINE void NAME(log_softmax)(const int along, char *y, ptrdiff_t y_step, const char *x,
                                 ptrdiff_t x_step, const char *unused, ptrdiff_t unused_step,
                                 NAME(line) line)
{
    const VEC top = NAME(largest)(along, x, x_step, line);
    VEC sum = {0}, last = {0};
    EACH(i, line) sum += NAME(exp)(NAME(load)(x + i * x_step) - top);
    if (along) {
        if (line.rest) {
            last = NAME(load_rest)(x + line.vectors * x_step, line.rest,
                                   -(REAL)__builtin_inf()) - top;
            sum += NAME(exp)(last);
        }
        sum = NAME(fold_sum)(sum);
    }
    const VEC log_sum = NAME(log)(sum);
    EACH(i, line) NAME(store)(y + i * y_step, (NAME(load)(x + i * x_step) - top) - log_sum);
    if (along)
        NAME(store_part)(y + line.vectors * y_step, last - log_sum, line.rest);
}

/* gx = y (g - sum of g y) */
CF_INLINE void NAME(softmax_backward)(const int along, char *gx, ptrdiff_t gx_step, const char *g,
                                      ptrdiff_t g_step, const char *y, ptrdiff_t y_step,
                                      NAME(line) line)
{
    VEC sum = {0}, last_g = {0}, last_y = {0};
    EACH(i, line) sum += NAME(load)(g + i * g_step) * NAME(load)(y + i * y_step);
    if (along) {
        last_g = NAME(load_rest)(g + line.vectors * g_step, line.rest, 0);
        last_y = NAME(load_rest)(y + line.vectors * y_step, line.rest, 0);
        sum = NAME(fold_sum)(sum + last_g * last_y);
    }
    EACH(i, line)
        NAME(store)(gx + i * gx_step,
                    NAME(load)(y + i * y_step) * (NAME(load)(g + i * g_step) - sum));
    if (along)
        NAME(store_part)(gx + line.vectors * gx_step, last_y * (last_g - sum), line.rest);
}

/* gx = g - exp(y) * (sum of g) */
CF_INLINE void NAME(log_softmax_backward)(const int along, char *gx, ptrdiff_t gx_step,
                                          const char *g, ptrdiff_t g_step, const char *y,
                                          ptrdiff_t y_step, NAME(line) line)
{
    VEC sum = {0}, last_g = {0}, last_y = {0};
    EACH(i, line) sum += NAME(load)(g + i * g_step);
    if (along) {
        last_g = NAME(load_rest)(g + line.vectors * g_step, line.rest, 0);
        last_y = NAME(load_rest)(y + line.vectors * y_step, line.rest, 0);
        sum = NAME(fold_sum)(sum + last_g);
    }
    EACH(i, line)
        NAME(store)(gx + i * gx_step, NAME(load)(g + i * g_step) -
                                          NAME(exp)(NAME(load)(y + i * y_step)) * sum);
    if (along)
        NAME(store_part)(gx + line.vectors * gx_step, last_g - NAME(exp)(last_y) * sum,
                         line.rest);
}

#undef EACH

/* `rows` lines along rows, or `columns` of them, in whole vectors, across rows. */
#define BOTH_WAYS(name)                                                                            \
    static void NAME(name##_along)(char *y, ptrdiff_t y_step, const char *a, ptrdiff_t a_step,     \
                                   const char *b, ptrdiff_t b_step, ptrdiff_t rows,                \
                                   ptrdiff_t columns)                                              \
    {                                                                                              \
        const NAME(line) line = {columns / LANES, columns % LANES};                                \
        for (; rows > 0; rows--, y += y_step, a += a_step, b += b_step)                            \
            NAME(name)(1, y, VECTOR_BYTES, a, VECTOR_BYTES, b, VECTOR_BYTES, line);                \
    }                                                                                              \
    static void NAME(name##_across)(char *y, ptrdiff_t y_step, const char *a, ptrdiff_t a_step,    \
                                    const char *b, ptrdiff_t b_step, ptrdiff_t rows,               \
                                    ptrdiff_t columns)                                             \
    {                                                                                              \
        const NAME(line) line = {rows, 0};                                                         \
        for (ptrdiff_t j = 0; j < columns; j += LANES)                                             \
            NAME(name)(0, y + j * sizeof(REAL), y_step, a + j * sizeof(REAL), a_step,              \
                       b + j * sizeof(REAL), b_step, line);                                        \
    }
BOTH_WAYS(softmax)
BOTH_WAYS(log_softmax)
BOTH_WAYS(softmax_backward)
BOTH_WAYS(log_softmax_backward)
#undef BOTH_WAYS
