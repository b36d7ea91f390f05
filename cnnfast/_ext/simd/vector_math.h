/* Elementary functions of vectors, within 2.5 units in the last place.
 *
 * NaN gives NaN. Polynomials are minimax fits; the constants stand once for each dtype.
 */
#define CF_LOG2_E_f32 0x1.715476p+0f
#define CF_LOG2_E_f64 0x1.71547652b82fep+0
/* ln 2 in two parts: few enough bits in the first that its product with an exponent is exact. */
#define CF_LN2_HIGH_f32 0.693359375f
#define CF_LN2_HIGH_f64 6.93145751953125e-1
#define CF_LN2_LOW_f32 -2.12194440e-4f
#define CF_LN2_LOW_f64 1.42860682030941723212e-6
/* Adding 1.5 * 2^(mantissa bits) rounds to a whole number, which the low bits then hold. */
#define CF_ROUND_f32 0x1.8p+23f
#define CF_ROUND_f64 0x1.8p+52
#define CF_MANTISSA_BITS_f32 23
#define CF_MANTISSA_BITS_f64 52
/* Below this exp is zero. */
#define CF_EXP_LEAST_f32 -104.0f
#define CF_EXP_LEAST_f64 -746.0
/* A power of 2 that keeps the least exp from 0 until the last multiplication, which rounds it. */
#define CF_LIFT_f32 0x1p+64f
#define CF_LIFT_f64 0x1p+512
/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2 */
#define CF_EXP_f32 0.5f, 1.6666576e-1f, 4.1666552e-2f, 8.363233e-3f, 1.392625e-3f
#define CF_EXP_f64                                                                                 \
    0.5000000000000001, 0.16666666666666669, 0.041666666666623824, 0.008333333333330039,           \
        0.0013888888917367081, 0.00019841269863171557, 2.4801521057868204e-05,                     \
        2.7557268276905696e-06, 2.7620201591031547e-07, 2.5100472505694996e-08
/* (log((1 + s) / (1 - s)) - 2 s) / s^3 as a polynomial in s^2, for (1 + s) / (1 - s) from sqrt(1/2)
 * to sqrt(2) */
#define CF_LOG_f32 6.6666687e-1f, 3.998876e-1f, 2.9580986e-1f
#define CF_LOG_f64                                                                                 \
    0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496,               \
        0.1818289243253687, 0.15331611722055008, 0.14617807153417325
/* (a + K) * exp(a^2 / 2) * P(normal variable > a) as a polynomial in (a - K) / (a + K), for a up to
 * where exp(-a^2 / 2) is zero */
#define CF_TAIL_K_f32 4
#define CF_TAIL_K_f64 5
#define CF_TAIL_f32                                                                                \
    7.5528514e-1f, -6.078966e-1f, 3.8713667e-1f, -1.86523e-1f, 6.040647e-2f, -7.527213e-3f,        \
        -3.523574e-3f, 1.5693137e-3f, 1.9480185e-4f, -1.2298315e-4f
#define CF_TAIL_f64                                                                                \
    0.769193049750063, -0.6653825028900567, 0.4953056159699764, -0.31353315667130455,              \
        0.1650203661703847, -0.06911863870631016, 0.020795066799883178, -0.0029933767705085422,    \
        -0.0007978693984660701, 0.0005448990647731298, -5.937572800991586e-05,                     \
        -4.97628142705858e-05, 1.6681213742042063e-05, 3.9809021578680414e-06,                     \
        -2.76926709599743e-06, -3.366153681012471e-07, 4.331410356862585e-07,                      \
        4.2274993740065346e-08, -6.594221662477223e-08, -9.31356099432606e-09,                     \
        7.66307180076004e-09, 1.753048401408232e-09, -1.5877468827473365e-10

#define CONSTANT(name) CF_GLUE(CF_##name, DTYPE)
#define POLYNOMIAL(x, name)                                                                        \
    NAME(polynomial)(x, (const REAL[]){CONSTANT(name)},                                            \
                     sizeof((const REAL[]){CONSTANT(name)}) / sizeof(REAL))

CF_INLINE VEC NAME(broadcast)(REAL value) { return (VEC){0} + value; }

CF_INLINE UVEC NAME(sign)(VEC x) { return (UVEC)x & (~(UVEC){0} << (8 * sizeof(REAL) - 1)); }

CF_INLINE VEC NAME(absolute)(VEC x) { return (VEC)((UVEC)x ^ NAME(sign)(x)); }

CF_INLINE VEC NAME(at_least)(VEC x, REAL low)
{
    return CHOOSE(x < low, NAME(broadcast)(low), x);
}

CF_INLINE VEC NAME(at_most)(VEC x, REAL high)
{
    return CHOOSE(x > high, NAME(broadcast)(high), x);
}

CF_INLINE VEC NAME(polynomial)(VEC x, const REAL *coefficients, int count)
{
    VEC sum = NAME(broadcast)(coefficients[count - 1]);
#pragma GCC unroll 32
    for (int i = count - 2; i >= 0; i--)
        sum = sum * x + coefficients[i];
    return sum;
}

/* x - n ln 2 with the whole n that makes it smallest, and 2^n times a power of 2, `lift`. */
CF_INLINE VEC NAME(reduced)(VEC x, REAL lift, VEC *power)
{
    const VEC shifted = x * CONSTANT(LOG2_E) + CONSTANT(ROUND), n = shifted - CONSTANT(ROUND);
    *power = (VEC)(((UVEC)shifted << CONSTANT(MANTISSA_BITS)) + (UVEC)NAME(broadcast)(lift));
    return (x - n * CONSTANT(LN2_HIGH)) - n * CONSTANT(LN2_LOW);
}

/* For x <= 0. */
CF_INLINE VEC NAME(exp)(VEC x)
{
    VEC power;
    const VEC r = NAME(reduced)(NAME(at_least)(x, CONSTANT(EXP_LEAST)), CONSTANT(LIFT), &power);
    return (1 + r * (1 + r * POLYNOMIAL(r, EXP))) * power * (1 / CONSTANT(LIFT));
}

/* exp(x) - 1, for x <= 0. */
CF_INLINE VEC NAME(expm1)(VEC x)
{
    VEC power;
    const VEC r = NAME(reduced)(NAME(at_least)(x, -40), 1, &power);
    return power * (r + r * r * POLYNOMIAL(r, EXP)) + (power - 1);
}

/* For x >= 1. */
CF_INLINE VEC NAME(log)(VEC x)
{
    /* x = 2^n * m with m from sqrt(1/2) to sqrt(2) */
    const UVEC low = (UVEC)NAME(broadcast)((REAL)0.70710678118654752);
    const UVEC exponent = ((UVEC)x - low) >> CONSTANT(MANTISSA_BITS);
    const VEC m = (VEC)((UVEC)x - (exponent << CONSTANT(MANTISSA_BITS)));
    const VEC n = (VEC)(exponent | (UVEC)NAME(broadcast)(CONSTANT(ROUND))) - CONSTANT(ROUND);
    const VEC f = m - 1, s = f / (2 + f), z = s * s;
    const VEC log_m = f - s * (f - z * POLYNOMIAL(z, LOG));
    const VEC y = n * CONSTANT(LN2_HIGH) + (log_m + n * CONSTANT(LN2_LOW));
    return CHOOSE(x < (REAL)__builtin_inf(), y, x);
}

/* log(1 + x), for x from 0 to 1; what rounding 1 + x lost is added to the logarithm. */
CF_INLINE VEC NAME(log1p)(VEC x)
{
    const VEC w = 1 + x;
    return NAME(log)(w) + (x - (w - 1));
}

/* 1 / (1 + exp(-x)), and one minus that without cancellation. */
CF_INLINE VEC NAME(logistic)(VEC x, VEC *complement)
{
    const VEC e = NAME(exp)(-NAME(absolute)(x)), large = 1 / (1 + e), small = e * large;
    *complement = CHOOSE(x < 0, large, small);
    return CHOOSE(x < 0, small, large);
}

CF_INLINE VEC NAME(hyperbolic_tangent)(VEC x)
{
    const VEC e = NAME(expm1)(-2 * NAME(absolute)(x));
    return (VEC)((UVEC)(NAME(absolute)(e) / (2 + e)) ^ NAME(sign)(x));
}

/* The normal distribution's density, and its integral up to x, which is (1 + erf(x / sqrt(2))) / 2
 * without cancellation. Errors are 5 units in the last place and x^2 / 2 more. */
CF_INLINE VEC NAME(normal)(VEC x, VEC *density)
{
    const VEC a = NAME(absolute)(x), e = NAME(exp)(a * a * (REAL)-0.5);
    const VEC inverse = 1 / (a + CONSTANT(TAIL_K));
    const VEC tail = e * (inverse * POLYNOMIAL(1 - 2 * CONSTANT(TAIL_K) * inverse, TAIL));
    *density = e * (REAL)0.39894228040143268; /* 1 / sqrt(2 pi) */
    return CHOOSE(x < 0, tail, 1 - tail);
}

#undef CONSTANT
#undef POLYNOMIAL
