/* Softmax, its logarithm and their gradients over lines of numbers.
 *
 * A line lies along a row, its elements adjacent, or across the rows, one line to a lane. One body
 * serves both. It goes through `groups` of `width` vectors, group_step apart; along a row (`along`
 * is 1) these are parts of one line, and their sums are folded into one. What is left over there is
 * covered by a last group that ends with the line: it repeats elements of the one before, which
 * its sums leave out.
 */
#define GROUP CF_LINE_VECTORS

typedef struct {
    ptrdiff_t groups;
    ptrdiff_t last;    /* where the last group begins, in bytes; 0: there is none */
    IVEC fresh[GROUP]; /* its elements that are no repetition */
} NAME(line);

#define EACH_GROUP(line) for (ptrdiff_t i = 0; i < (line)->groups; i++)
#define EACH_VECTOR _Pragma("GCC unroll 4") for (int v = 0; v < width; v++)
#define IN_GROUP(x) (x + i * x##_step + v * VECTOR_BYTES)
#define IN_LAST(x) (x + line->last + v * VECTOR_BYTES)

CF_INLINE VEC NAME(only)(IVEC mask, VEC v) { return (VEC)(mask & (IVEC)v); }

CF_INLINE VEC NAME(larger)(VEC a, VEC b) { return CHOOSE(a > b, a, b); }

/* Fold the vectors of a group, and their lanes; all lanes of all of them get the result. */
#define FOLD(name, combine)                                                                        \
    CF_INLINE void NAME(name)(VEC * group)                                                         \
    {                                                                                              \
        const VEC v = combine(combine(group[0], group[1]), combine(group[2], group[3]));           \
        REAL lanes[LANES];                                                                         \
        memcpy(lanes, &v, sizeof v);                                                               \
        _Pragma("GCC unroll 4") for (int half = LANES / 2; half > 0; half /= 2)                    \
        {                                                                                          \
            for (int l = 0; l < half; l++)                                                         \
                lanes[l] = combine##_ONE(lanes[l], lanes[l + half]);                               \
        }                                                                                          \
        group[0] = group[1] = group[2] = group[3] = NAME(broadcast)(lanes[0]);                     \
    }
#define SUM(a, b) ((a) + (b))
#define SUM_ONE SUM
#define LARGER NAME(larger)
#define LARGER_ONE(a, b) ((a) > (b) ? (a) : (b))
FOLD(fold_sum, SUM);
FOLD(fold_largest, LARGER);
#undef SUM
#undef SUM_ONE
#undef LARGER
#undef LARGER_ONE
#undef FOLD

/* The largest elements; NaN is left out, and spreads by way of the sum. */
CF_INLINE void NAME(largest)(const int along, const int width, VEC *top, const char *x,
                             ptrdiff_t x_step, const NAME(line) * line)
{
    EACH_VECTOR top[v] = NAME(broadcast)(-(REAL)__builtin_inf());
    EACH_GROUP(line) EACH_VECTOR top[v] = NAME(larger)(NAME(load)(IN_GROUP(x)), top[v]);
    if (along && line->last)
        EACH_VECTOR top[v] = NAME(larger)(NAME(load)(IN_LAST(x)), top[v]);
    if (along)
        NAME(fold_largest)(top);
}

/* y = exp(x) / (sum of exp(x)). The other operand is not used. */
CF_INLINE void NAME(softmax)(const int along, const int width, char *y, ptrdiff_t y_step,
                             const char *x, ptrdiff_t x_step, const char *b, ptrdiff_t b_step,
                             const NAME(line) * line)
{
    VEC top[GROUP], sum[GROUP] = {0}, last[GROUP];
    NAME(largest)(along, width, top, x, x_step, line);
    EACH_GROUP(line) EACH_VECTOR
    {
        const VEC e = NAME(exp)(NAME(load)(IN_GROUP(x)) - top[v]);
        NAME(store)(IN_GROUP(y), e);
        sum[v] += e;
    }
    if (along && line->last)
        EACH_VECTOR
        {
            last[v] = NAME(exp)(NAME(load)(IN_LAST(x)) - top[v]);
            sum[v] += NAME(only)(line->fresh[v], last[v]);
        }
    if (along)
        NAME(fold_sum)(sum);
    EACH_VECTOR sum[v] = 1 / sum[v];
    EACH_GROUP(line) EACH_VECTOR NAME(store)(IN_GROUP(y), NAME(load)(IN_GROUP(y)) * sum[v]);
    if (along && line->last)
        EACH_VECTOR NAME(store)(IN_LAST(y), last[v] * sum[v]);
}

/* y = x - log(sum of exp(x)). The other operand is not used. */
CF_INLINE void NAME(log_softmax)(const int along, const int width, char *y, ptrdiff_t y_step,
                                 const char *x, ptrdiff_t x_step, const char *b, ptrdiff_t b_step,
                                 const NAME(line) * line)
{
    VEC top[GROUP], sum[GROUP] = {0};
    NAME(largest)(along, width, top, x, x_step, line);
    EACH_GROUP(line) EACH_VECTOR sum[v] += NAME(exp)(NAME(load)(IN_GROUP(x)) - top[v]);
    if (along && line->last)
        EACH_VECTOR sum[v] += NAME(only)(line->fresh[v],
                                         NAME(exp)(NAME(load)(IN_LAST(x)) - top[v]));
    if (along)
        NAME(fold_sum)(sum);
    EACH_VECTOR sum[v] = NAME(log)(sum[v]);
    EACH_GROUP(line) EACH_VECTOR
        NAME(store)(IN_GROUP(y), (NAME(load)(IN_GROUP(x)) - top[v]) - sum[v]);
    if (along && line->last)
        EACH_VECTOR NAME(store)(IN_LAST(y), (NAME(load)(IN_LAST(x)) - top[v]) - sum[v]);
}

/* The gradients: x = y (g - sum of g y), and x = g - exp(y) (sum of g). TERM is what is summed,
 * RESULT a function of g, y and the sum. */
#define GRADIENT(name, TERM, RESULT)                                                               \
    CF_INLINE void NAME(name)(const int along, const int width, char *x, ptrdiff_t x_step,         \
                              const char *g, ptrdiff_t g_step, const char *y, ptrdiff_t y_step,    \
                              const NAME(line) * line)                                             \
    {                                                                                              \
        VEC sum[GROUP] = {0};                                                                      \
        EACH_GROUP(line) EACH_VECTOR sum[v] += TERM(IN_GROUP);                                     \
        if (along && line->last)                                                                   \
            EACH_VECTOR sum[v] += NAME(only)(line->fresh[v], TERM(IN_LAST));                       \
        if (along)                                                                                 \
            NAME(fold_sum)(sum);                                                                   \
        EACH_GROUP(line) EACH_VECTOR NAME(store)(IN_GROUP(x), RESULT(IN_GROUP));                   \
        if (along && line->last)                                                                   \
            EACH_VECTOR NAME(store)(IN_LAST(x), RESULT(IN_LAST));                                  \
    }
#define PRODUCT(at) NAME(load)(at(g)) * NAME(load)(at(y))
#define WEIGHTED(at) NAME(load)(at(y)) * (NAME(load)(at(g)) - sum[v])
#define PLAIN(at) NAME(load)(at(g))
#define LESS_SHARE(at) NAME(load)(at(g)) - NAME(exp)(NAME(load)(at(y))) * sum[v]
GRADIENT(softmax_backward, PRODUCT, WEIGHTED);
GRADIENT(log_softmax_backward, PLAIN, LESS_SHARE);
#undef GRADIENT
#undef PRODUCT
#undef WEIGHTED
#undef PLAIN
#undef LESS_SHARE

/* The groups of a line along a row of `columns` elements, a whole group at least. */
CF_INLINE NAME(line) NAME(line_along)(ptrdiff_t columns)
{
    const ptrdiff_t whole = columns / (GROUP * LANES) * (GROUP * LANES);
    const ptrdiff_t last = columns > whole ? columns - GROUP * LANES : 0;
    NAME(line) line = {whole / (GROUP * LANES), last * (ptrdiff_t)sizeof(REAL)};
    for (int i = 0; i < GROUP * LANES; i++)
        line.fresh[i / LANES][i % LANES] = last + i >= whole ? -1 : 0;
    return line;
}

/* `rows` lines along rows, or `columns` lines across rows, of which the last vector ends with the
 * row and so overlaps the one before it. */
#define BOTH_WAYS(name)                                                                            \
    static void NAME(name##_along)(char *restrict y, ptrdiff_t y_step, const char *a,              \
                                   ptrdiff_t a_step, const char *b, ptrdiff_t b_step,              \
                                   ptrdiff_t rows, ptrdiff_t columns)                              \
    {                                                                                              \
        const ptrdiff_t step = GROUP * VECTOR_BYTES;                                               \
        const NAME(line) line = NAME(line_along)(columns);                                         \
        for (; rows > 0; rows--, y += y_step, a += a_step, b += b_step)                            \
            NAME(name)(1, GROUP, y, step, a, step, b, step, &line);                                \
    }                                                                                              \
    static void NAME(name##_across)(char *restrict y, ptrdiff_t y_step, const char *a,             \
                                    ptrdiff_t a_step, const char *b, ptrdiff_t b_step,             \
                                    ptrdiff_t rows, ptrdiff_t columns)                             \
    {                                                                                              \
        const NAME(line) line = {rows, 0};                                                         \
        const ptrdiff_t bytes = columns * sizeof(REAL);                                            \
        ptrdiff_t j = 0;                                                                           \
        for (; j + GROUP * VECTOR_BYTES <= bytes; j += GROUP * VECTOR_BYTES)                       \
            NAME(name)(0, GROUP, y + j, y_step, a + j, a_step, b + j, b_step, &line);              \
        for (; j < bytes; j += VECTOR_BYTES) {                                                     \
            if (j > bytes - VECTOR_BYTES)                                                          \
                j = bytes - VECTOR_BYTES;                                                          \
            NAME(name)(0, 1, y + j, y_step, a + j, a_step, b + j, b_step, &line);                  \
        }                                                                                          \
    }
BOTH_WAYS(softmax);
BOTH_WAYS(log_softmax);
BOTH_WAYS(softmax_backward);
BOTH_WAYS(log_softmax_backward);
#undef BOTH_WAYS
#undef EACH_GROUP
#undef EACH_VECTOR
#undef IN_GROUP
#undef IN_LAST
#undef GROUP
