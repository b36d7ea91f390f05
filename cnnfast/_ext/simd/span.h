/* Pools over whole planes in C order: `count` elements one after the other. */

CF_INLINE NAME(small) NAME(join_small)(const int is_max, NAME(small) a, NAME(small) b)
{
    const NAME(best_part) best = {a, {0}};
    return is_max ? NAME(lead_part)(0, best, b, (NAME(small_index)){0}).value : a + b;
}

CF_INLINE VEC NAME(join)(const int is_max, VEC a, VEC b)
{
    const NAME(best_whole) best = {a, {0}};
    return is_max ? NAME(lead_whole)(0, best, b, (IVEC){0}).value : a + b;
}

/* A plane's sum or maximum, of which the lanes are parts. */
CF_INLINE NAME(small) NAME(span_part)(const int is_max, const char *x, ptrdiff_t count)
{
    const REAL none = is_max ? -(REAL)__builtin_inf() : 0;
    VEC even = (VEC){0} + none, odd = even;
    NAME(small) parts[LANES / SMALL_LANES], rest = (NAME(small)){0} + none, last = rest;
    ptrdiff_t i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
        even = NAME(join)(is_max, even, NAME(load)(x + i * sizeof(REAL)));
        odd = NAME(join)(is_max, odd, NAME(load)(x + (i + LANES) * sizeof(REAL)));
    }
    for (; i + LANES <= count; i += LANES)
        even = NAME(join)(is_max, even, NAME(load)(x + i * sizeof(REAL)));
    for (; i + SMALL_LANES <= count; i += SMALL_LANES)
        rest = NAME(join_small)(is_max, rest, NAME(load_small)(x + i * sizeof(REAL)));
    for (; i < count; i++) {
        last[0] = ((const REAL *)x)[i];
        rest = NAME(join_small)(is_max, rest, last);
    }
    even = NAME(join)(is_max, even, odd);
    memcpy(parts, &even, sizeof even);
    for (int some = LANES / SMALL_LANES / 2; some > 0; some /= 2)
        for (int l = 0; l < some; l++)
            parts[l] = NAME(join_small)(is_max, parts[l], parts[l + some]);
    return NAME(join_small)(is_max, parts[0], rest);
}

/* SMALL_LANES planes at a time: what is left of each is transposed, and joined once. */
CF_INLINE void NAME(spans)(const int is_max, char *y, const char *x, ptrdiff_t x_step,
                           ptrdiff_t count, REAL divisor, ptrdiff_t planes)
{
    for (ptrdiff_t i = 0; i < planes; i += SMALL_LANES) {
        NAME(small) v[SMALL_LANES], w[SMALL_LANES];
        const int some = planes - i < SMALL_LANES ? (int)(planes - i) : SMALL_LANES;
        for (int j = 0; j < SMALL_LANES; j++)
            v[j] = NAME(span_part)(is_max, x + (i + (j < some ? j : 0)) * x_step, count);
        NAME(interleave)(w, v);
        if (SMALL_LANES == 4)
            NAME(interleave)(v, w);
        NAME(small) *const turned = SMALL_LANES == 4 ? v : w;
        for (int j = 1; j < SMALL_LANES; j++)
            turned[0] = NAME(join_small)(is_max, turned[0], turned[j]);
        if (!is_max)
            turned[0] /= divisor;
        memcpy(y + i * sizeof(REAL), turned, some * sizeof(REAL));
    }
}

static void NAME(sum_spans)(char *y, const char *x, ptrdiff_t x_step, ptrdiff_t count,
                            double divisor, ptrdiff_t planes)
{
    NAME(spans)(0, y, x, x_step, count, (REAL)divisor, planes);
}

static void NAME(max_spans)(char *y, const char *x, ptrdiff_t x_step, ptrdiff_t count,
                            ptrdiff_t planes)
{
    NAME(spans)(1, y, x, x_step, count, 1, planes);
}

/* y = g where x has its first maximum or first NaN, 0 elsewhere. */
static void NAME(route_span)(char *y, const char *g, const char *x, ptrdiff_t count)
{
    const NAME(small) bests = NAME(span_part)(1, x, count);
    NAME(small) joined = bests;
    for (int l = 1; l < SMALL_LANES; l++)
        joined = NAME(join_small)(1, joined, (NAME(small)){0} + bests[l]);
    const REAL best = joined[0], grad = NAME(at)(g);
    const IVEC gradient = (IVEC)((VEC){0} + grad);
    IVEC hits = {0};
    INT found = 0;
    ptrdiff_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const VEC v = NAME(load)(x + i * sizeof(REAL));
        const IVEC hit = ~(v < best);
        hits -= hit;
        NAME(store)(y + i * sizeof(REAL), (VEC)(hit & gradient));
    }
    for (int l = 0; l < LANES; l++)
        found += hits[l];
    for (; i < count; i++) {
        const int hit = !(((const REAL *)x)[i] < best);
        found += hit;
        ((REAL *)y)[i] = hit ? grad : 0;
    }
    if (found == 1)
        return;
    /* Several are as large, or NaN: only the first counts. */
    memset(y, 0, count * sizeof(REAL));
    for (i = 0; best == best ? ((const REAL *)x)[i] != best
                             : ((const REAL *)x)[i] == ((const REAL *)x)[i];)
        i++;
    ((REAL *)y)[i] = grad;
}
