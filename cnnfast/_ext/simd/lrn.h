/* Local response normalisation: sums over a window of taps, and their power. */
#define MANTISSA (sizeof(REAL) == 4 ? 23 : 52)
#define BIAS (sizeof(REAL) == 4 ? 127 : 1023)
#define ROOT_HALF ((INT)(sizeof(REAL) == 4 ? 0x3f3504f3 : 0x3fe6a09e667f3bcd)) /* sqrt(1/2), bits */
#define ROUNDER ((REAL)(sizeof(REAL) == 4 ? 0x1.8p23 : 0x1.8p52)) /* so large, nothing but integers */
#define LOG_TERMS (sizeof(REAL) == 4 ? 5 : 11)
#define EXP_TERMS (sizeof(REAL) == 4 ? 7 : 13)

/* d^exponent, for d > 0 and exponent < 0: exp2(exponent * log2(d)). */
CF_INLINE VEC NAME(power)(VEC d, REAL exponent)
{
    /* d = 2^e * m, m in sqrt(1/2)..sqrt(2); log(m) = 2 atanh(s) = 2 (s + s^3 / 3 + ...). */
    const IVEC e = ((IVEC)d - ROOT_HALF) >> MANTISSA;
    const VEC m = (VEC)((IVEC)d - (e << MANTISSA));
    const VEC s = (m - 1) / (m + 1), ss = s * s;
    VEC series = (VEC){0} + (REAL)(1.0 / (2 * LOG_TERMS - 1));
#pragma GCC unroll 16
    for (int i = LOG_TERMS - 2; i >= 0; i--)
        series = series * ss + (REAL)(1.0 / (2 * i + 1));
    const VEC log2_m = s * series * (REAL)(2 / 0.69314718055994530942);

    /* 2^(n + f) with f in -1/2..1/2, by Taylor's series. */
    const VEC whole = __builtin_convertvector(e, VEC) * exponent, part = log2_m * exponent;
    const VEC n = ((whole + part) + ROUNDER) - ROUNDER;
    const VEC x = ((whole - n) + part) * (REAL)0.69314718055994530942;
    VEC power = (VEC){0} + 1;
#pragma GCC unroll 16
    for (int i = EXP_TERMS; i > 0; i--)
        power = power * x * (REAL)(1.0 / i) + 1;
    /* Below the least exponent there is 0, above the greatest infinity. */
    VEC limited = CHOOSE(n < -BIAS, (VEC){0} - BIAS, n);
    limited = CHOOSE(n > BIAS + 1, (VEC){0} + (BIAS + 1), limited);
    const VEC result = power * (VEC)((__builtin_convertvector(limited, IVEC) + BIAS) << MANTISSA);
    /* 0 of infinity, NaN of NaN. */
    return CHOOSE(d - d == 0, result, CHOOSE(d == d, (VEC){0}, d));
}

/* Runs end with a vector that overlaps the one before it, or are shorter than one. */
#define EACH_VECTOR(i) for (ptrdiff_t i = 0; i < count; i = NAME(next)(i, count))

CF_INLINE ptrdiff_t NAME(next)(ptrdiff_t i, ptrdiff_t count)
{
    return i + LANES < count && i + 2 * LANES > count ? count - LANES : i + LANES;
}

CF_INLINE VEC NAME(load_some)(const char *x, ptrdiff_t i, ptrdiff_t count)
{
    return count < LANES ? NAME(load_first)(x, count) : NAME(load)(x + i * sizeof(REAL));
}

CF_INLINE void NAME(store_some)(char *y, ptrdiff_t i, ptrdiff_t count, VEC v)
{
    if (count < LANES)
        NAME(store_part)(y, v, count);
    else
        NAME(store)(y + i * sizeof(REAL), v);
}

CF_INLINE VEC NAME(window)(const char *x, ptrdiff_t i, ptrdiff_t taps, ptrdiff_t tap_step)
{
    VEC sum = NAME(load)(x + i * sizeof(REAL));
    for (ptrdiff_t t = 1; t < taps; t++)
        sum += NAME(load)(x + i * sizeof(REAL) + t * tap_step);
    return sum;
}

static void NAME(square)(char *y, const char *x, ptrdiff_t count)
{
    EACH_VECTOR(i)
    {
        const VEC v = NAME(load_some)(x, i, count);
        NAME(store_some)(y, i, count, v * v);
    }
}

static void NAME(lrn)(char *y, const char *x, const char *squares, ptrdiff_t taps,
                      ptrdiff_t tap_step, ptrdiff_t count, double alpha, double beta, double k)
{
    EACH_VECTOR(i)
    {
        const VEC d = NAME(window)(squares, i, taps, tap_step) * (REAL)alpha + (REAL)k;
        NAME(store_some)(y, i, count, NAME(load_some)(x, i, count) * NAME(power)(d, (REAL)-beta));
    }
}

static void NAME(lrn_slopes)(char *scale, char *slopes, const char *g, const char *x,
                             const char *squares, ptrdiff_t taps, ptrdiff_t tap_step,
                             ptrdiff_t count, double alpha, double beta, double k)
{
    EACH_VECTOR(i)
    {
        const VEC d = NAME(window)(squares, i, taps, tap_step) * (REAL)alpha + (REAL)k;
        const VEC s = NAME(power)(d, (REAL)-beta);
        NAME(store_some)(scale, i, count, s);
        NAME(store_some)(slopes, i, count, NAME(load_some)(g, i, count) * NAME(load_some)(x, i, count) *
                                               s * (REAL)(-2 * alpha * beta) / d);
    }
}

static void NAME(lrn_backward)(char *gx, const char *g, const char *x, const char *scale,
                               const char *slopes, ptrdiff_t taps, ptrdiff_t tap_step,
                               ptrdiff_t count)
{
    EACH_VECTOR(i)
        NAME(store_some)(gx, i, count,
                         NAME(load_some)(g, i, count) * NAME(load)(scale + i * sizeof(REAL)) +
                             NAME(load_some)(x, i, count) *
                                 NAME(window)(slopes, i, taps, tap_step));
}

#undef EACH_VECTOR
#undef MANTISSA
#undef BIAS
#undef ROOT_HALF
#undef ROUNDER
#undef LOG_TERMS
#undef EXP_TERMS
