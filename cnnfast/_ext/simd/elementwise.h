/* Elementwise operations: a function of one vector or of two each, and the loop that runs them.
 *
 * x is the forward pass's input, g the gradient of its output; p and q are the operation's
 * numbers. V is the vector of the section: 32 bytes at most where a loop waits for memory, which it
 * does less in those than in 64 bytes on some machines (by a fifth on Zen 4).
 */
#define VALUE(name) NAME(name##_value)
#define ONE(name) VALUE(name)(V x, REAL p, REAL q)
#define BACKWARD(name) VALUE(name##_backward)(V g, V x, REAL p, REAL q)

/* RESULT is an expression of the vectors A and B. What is left over after the last whole vector is
 * covered by one that ends with the row, and so overlaps the one before it. Without `restrict` each
 * load waits for the store before it where their addresses agree in the low bits. */
#define LOOP(name, RESULT, SET_B, SET_PART_B)                                                      \
    static void NAME(name##_map)(char *restrict y, ptrdiff_t y_step, const char *restrict a,       \
                                 ptrdiff_t a_step, const char *restrict b, ptrdiff_t b_step,       \
                                 ptrdiff_t rows, ptrdiff_t columns, double p, double q)            \
    {                                                                                              \
        const ptrdiff_t bytes = columns * sizeof(REAL), last = bytes - sizeof(V);                  \
        for (; rows > 0; rows--, y += y_step, a += a_step, b += b_step) {                          \
            if (last < 0) {                                                                        \
                V A = {0};                                                                         \
                memcpy(&A, a, bytes);                                                              \
                SET_PART_B                                                                         \
                const V part = RESULT;                                                             \
                memcpy(y, &part, bytes);                                                           \
                continue;                                                                          \
            }                                                                                      \
            ptrdiff_t i = 0;                                                                       \
            _Pragma("GCC unroll 4") for (; i < last; i += sizeof(V))                               \
            {                                                                                      \
                const V A = *(const LOOSE *)(a + i);                                               \
                SET_B                                                                              \
                *(LOOSE *)(y + i) = RESULT;                                                        \
            }                                                                                      \
            i = last;                                                                              \
            const V A = *(const LOOSE *)(a + i);                                                   \
            SET_B                                                                                  \
            *(LOOSE *)(y + i) = RESULT;                                                            \
        }                                                                                          \
    }
#define LOOP_ONE(name) LOOP(name, VALUE(name)(A, p, q), , )
#define LOOP_TWO(name)                                                                             \
    LOOP(name, VALUE(name)(A, B, p, q), const V B = *(const LOOSE *)(b + i);                       \
         , V B = {0}; memcpy(&B, b, bytes);)

/* ---------------------------------------------------------------------------- few operations */

#define V NAME(light)
#define LOOSE NAME(light_unaligned)

CF_INLINE V VALUE(add)(V a, V b, REAL p, REAL q) { return a + b; }

CF_INLINE V ONE(relu) { return CHOOSE(x <= 0, (V){0}, x); }
CF_INLINE V BACKWARD(relu) { return CHOOSE(x <= 0, (V){0}, g); }

CF_INLINE V ONE(relu6) { return CHOOSE(x > 6, (V){0} + 6, VALUE(relu)(x, p, q)); }
CF_INLINE V BACKWARD(relu6) { return CHOOSE((x <= 0) | (x >= 6), (V){0}, g); }

/* p: the slope below 0 */
CF_INLINE V ONE(leaky_relu) { return CHOOSE(x > 0, x, x * p); }
CF_INLINE V BACKWARD(leaky_relu) { return CHOOSE(x > 0, g, g * p); }

/* The slope is a vector too: one for each channel. */
CF_INLINE V VALUE(prelu)(V x, V slope, REAL p, REAL q)
{
    return CHOOSE(x > 0, x, x * slope);
}

CF_INLINE V ONE(hardsigmoid) { return VALUE(relu6)(x + 3, p, q) / 6; }
CF_INLINE V BACKWARD(hardsigmoid)
{
    return CHOOSE((x <= -3) | (x >= 3), (V){0}, g * (REAL)(1.0 / 6));
}

CF_INLINE V ONE(hardswish) { return x * VALUE(hardsigmoid)(x, p, q); }
CF_INLINE V BACKWARD(hardswish)
{
    const V inside = g * (x * (REAL)(1.0 / 3) + (REAL)0.5);
    return CHOOSE(x <= -3, (V){0}, CHOOSE(x >= 3, g, inside));
}

/* The gradients of sigmoid and tanh from their outputs. */
CF_INLINE V VALUE(sigmoid_gradient)(V g, V y, REAL p, REAL q) { return g * (y * (1 - y)); }
CF_INLINE V VALUE(tanh_gradient)(V g, V y, REAL p, REAL q) { return g * (1 - y * y); }

CF_EACH_LIGHT_MAP(LOOP_ONE, LOOP_TWO);

#undef V
#undef LOOSE

/* ---------------------------------------------------------------------------- from exp */

#define V VEC
#define LOOSE NAME(unaligned)

CF_INLINE V ONE(sigmoid)
{
    V complement;
    return NAME(logistic)(x, &complement);
}
CF_INLINE V BACKWARD(sigmoid)
{
    V complement;
    const V y = NAME(logistic)(x, &complement);
    return g * (y * complement);
}

CF_INLINE V ONE(silu) { return x * VALUE(sigmoid)(x, p, q); }
CF_INLINE V BACKWARD(silu)
{
    V complement;
    const V s = NAME(logistic)(x, &complement);
    return g * (s * (1 + x * complement));
}

CF_INLINE V ONE(tanh) { return NAME(hyperbolic_tangent)(x); }
CF_INLINE V BACKWARD(tanh) { return VALUE(sigmoid_backward)(4 * g, 2 * x, p, q); }

/* p: beta, q: the threshold beyond which it is x itself */
CF_INLINE V ONE(softplus)
{
    const V z = x * p;
    const V y = NAME(at_least)(z, 0) + NAME(log1p)(NAME(exp)(-NAME(absolute)(z)));
    return CHOOSE(z > q, x, y / p);
}
CF_INLINE V BACKWARD(softplus)
{
    const V z = x * p;
    return CHOOSE(z > q, g, g * VALUE(sigmoid)(z, p, q));
}

/* p: alpha, q: a scale on both sides */
CF_INLINE V VALUE(elu)(V x, REAL p, REAL q)
{
    return CHOOSE(x > 0, x, NAME(expm1)(x) * p) * q;
}
CF_INLINE V BACKWARD(elu) { return CHOOSE(x > 0, g, g * NAME(exp)(x) * p) * q; }

CF_INLINE V ONE(gelu)
{
    V density;
    return x * NAME(normal)(x, &density);
}
CF_INLINE V BACKWARD(gelu)
{
    V density;
    const V integral = NAME(normal)(x, &density);
    return g * (integral + x * density);
}

/* 0.5 x (1 + tanh(u / 2)) = x sigmoid(u) with u = sqrt(8 / pi) (x + 0.044715 x^3). Beyond 25 the
 * sigmoid is 0 or 1, and its slope 0, in both dtypes: so x is cut there, before its cube is inf. */
CF_INLINE V ONE(gelu_tanh)
{
    const V c = NAME(at_most)(NAME(at_least)(x, -25), 25);
    const V u = (REAL)1.5957691216057308 * (c + (REAL)0.044715 * (c * c * c));
    return x * VALUE(sigmoid)(u, p, q);
}
CF_INLINE V BACKWARD(gelu_tanh)
{
    V complement;
    const V c = NAME(at_most)(NAME(at_least)(x, -25), 25);
    const V u = (REAL)1.5957691216057308 * (c + (REAL)0.044715 * (c * c * c));
    const V slope = (REAL)1.5957691216057308 * (1 + (REAL)0.134145 * (c * c));
    const V s = NAME(logistic)(u, &complement);
    return g * (s * (1 + c * complement * slope));
}

CF_EACH_HEAVY_MAP(LOOP_ONE, LOOP_TWO);

#undef V
#undef LOOSE
#undef VALUE
#undef ONE
#undef BACKWARD
#undef LOOP
#undef LOOP_ONE
#undef LOOP_TWO

static void NAME(copy_map)(char *y, ptrdiff_t y_step, const char *a, ptrdiff_t a_step,
                           const char *b, ptrdiff_t b_step, ptrdiff_t rows, ptrdiff_t columns,
                           double p, double q)
{
    for (; rows > 0; rows--, y += y_step, a += a_step)
        memcpy(y, a, columns * sizeof(REAL));
}

#define ENTRY(name) NAME(name##_map),
static const cf_map NAME(maps)[] = {CF_EACH_MAP(ENTRY)};
#undef ENTRY
