/* Vectors of LANES elements in GCC's and Clang's vector extension. */

typedef REAL VEC __attribute__((vector_size(VECTOR_BYTES)));
typedef INT IVEC __attribute__((vector_size(VECTOR_BYTES)));
typedef UINT UVEC __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL NAME(unaligned) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)),
                                            may_alias));
/* Thirty-two bytes at most; see elementwise.h. */
typedef REAL NAME(light) __attribute__((vector_size(LIGHT_BYTES)));
typedef REAL NAME(light_unaligned) __attribute__((vector_size(LIGHT_BYTES), aligned(sizeof(REAL)),
                                                  may_alias));
/* Sixteen bytes, for what is left over after whole vectors. */
typedef REAL NAME(small) __attribute__((vector_size(16)));
typedef INT NAME(small_index) __attribute__((vector_size(16)));
typedef REAL NAME(small_unaligned) __attribute__((vector_size(16), aligned(sizeof(REAL)),
                                                  may_alias));

CF_INLINE VEC NAME(load)(const char *x) { return *(const NAME(unaligned) *)x; }

CF_INLINE void NAME(store)(char *y, VEC v) { *(NAME(unaligned) *)y = v; }

CF_INLINE NAME(small) NAME(load_small)(const char *x)
{
    return *(const NAME(small_unaligned) *)x;
}

CF_INLINE void NAME(store_small)(char *y, NAME(small) v) { *(NAME(small_unaligned) *)y = v; }

CF_INLINE REAL NAME(at)(const char *x) { return *(const REAL *)x; }

/* The first `count` < LANES elements; none if that is negative. */
CF_INLINE void NAME(store_part)(char *y, VEC v, int count)
{
    for (int i = 0; i < count; i++)
        ((REAL *)y)[i] = v[i];
}

/* min(max(0, v), ceiling); NaN stays. */
CF_INLINE VEC NAME(rectified)(VEC v, REAL ceiling)
{
    const VEC most = (VEC){0} + ceiling;
    const IVEC over = v > most;
    v = (VEC)((IVEC)v & ~(IVEC)(v < 0));
    return (VEC)((over & (IVEC)most) | (~over & (IVEC)v));
}

/* The first `count` < LANES of some values, after an epilogue. Not inline, or the accumulators of
 * the tiles that end with this would not stay in registers. */
static __attribute__((noinline)) void NAME(finish_part)(REAL *y, const REAL *values, ptrdiff_t count,
                                                        const cf_epilogue *after)
{
    for (ptrdiff_t i = 0; i < count; i++) {
        REAL value = values[i];
        if (after && after->residual)
            value += *(const REAL *)((const char *)(y + i) + after->residual);
        if (after && after->relu && value < 0)
            value = 0;
        if (after && after->relu && value > after->ceiling.DTYPE)
            value = after->ceiling.DTYPE;
        y[i] = value;
    }
}

/* The first `count` elements, all of them if that is more than LANES, after an epilogue. */
CF_INLINE void NAME(finish)(char *y, VEC v, ptrdiff_t count, const cf_epilogue *after)
{
    if (count < LANES) {
        REAL values[LANES];
        NAME(store)((char *)values, v);
        NAME(finish_part)((REAL *)y, values, count, after);
        return;
    }
    if (after && after->residual)
        v += NAME(load)(y + after->residual);
    NAME(store)(y, after && after->relu ? NAME(rectified)(v, after->ceiling.DTYPE) : v);
}
