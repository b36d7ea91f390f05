/* Elementwise operations: a function of one vector or of two each, and the loop that runs them.
 *
 * x is the forward pass's input, g the gradient of its output; p and q are the operation's
 * numbers. Where x is NaN a gradient takes the branch that lets it through, as in torch.
 */
#define VALUE(name) NAME(name##_value)
#define ONE(name) VALUE(name)(VEC x, REAL p, REAL q)
#define BACKWARD(name) VALUE(name##_backward)(VEC g, VEC x, REAL p, REAL q)

CF_INLINE VEC ONE(copy) { return x; }

CF_INLINE VEC VALUE(add)(VEC a, VEC b, REAL p, REAL q) { return a + b; }

/* ---------------------------------------------------------------------------- bent lines */

CF_INLINE VEC ONE(relu) { return NAME(choose)(x <= 0, (VEC){0}, x); }
CF_INLINE VEC BACKWARD(relu) { return NAME(choose)(x <= 0, (VEC){0}, g); }

CF_INLINE VEC ONE(relu6) { return NAME(at_most)(VALUE(relu)(x, p, q), 6); }
CF_INLINE VEC BACKWARD(relu6) { return NAME(choose)((x <= 0) | (x >= 6), (VEC){0}, g); }

/* p: the slope below 0 */
CF_INLINE VEC ONE(leaky_relu) { return NAME(choose)(x > 0, x, p == 0 ? VALUE(relu)(x, p, q) : x * p); }
CF_INLINE VEC BACKWARD(leaky_relu) { return NAME(choose)(x > 0, g, g * p); }

/* The slope is a vector too: one for each channel. */
CF_INLINE VEC VALUE(prelu)(VEC x, VEC slope, REAL p, REAL q)
{
    return NAME(choose)(x > 0, x, x * slope);
}

CF_INLINE VEC ONE(hardsigmoid) { return VALUE(relu6)(x + 3, p, q) / 6; }
CF_INLINE VEC BACKWARD(hardsigmoid)
{
    return NAME(choose)((x <= -3) | (x >= 3), (VEC){0}, g * (REAL)(1.0 / 6));
}

CF_INLINE VEC ONE(hardswish) { return x * VALUE(hardsigmoid)(x, p, q); }
CF_INLINE VEC BACKWARD(hardswish)
{
    const VEC inside = g * (x * (REAL)(1.0 / 3) + (REAL)0.5);
    return NAME(choose)(x <= -3, (VEC){0}, NAME(choose)(x >= 3, g, inside));
}

/* ---------------------------------------------------------------------------- from exp */

CF_INLINE VEC ONE(sigmoid)
{
    VEC complement;
    return NAME(logistic)(x, &complement);
}
CF_INLINE VEC BACKWARD(sigmoid)
{
    VEC complement;
    const VEC y = NAME(logistic)(x, &complement);
    return g * (y * complement);
}
CF_INLINE VEC VALUE(sigmoid_gradient)(VEC g, VEC y, REAL p, REAL q) { return g * (y * (1 - y)); }

CF_INLINE VEC ONE(silu) { return x * VALUE(sigmoid)(x, p, q); }
CF_INLINE VEC BACKWARD(silu)
{
    VEC complement;
    const VEC s = NAME(logistic)(x, &complement);
    return g * (s * (1 + x * complement));
}

CF_INLINE VEC ONE(tanh) { return NAME(hyperbolic_tangent)(x); }
CF_INLINE VEC VALUE(tanh_gradient)(VEC g, VEC y, REAL p, REAL q) { return g * (1 - y * y); }
CF_INLINE VEC BACKWARD(tanh) { return VALUE(sigmoid_backward)(4 * g, 2 * x, p, q); }

/* p: beta, q: the threshold beyond which it is x itself */
CF_INLINE VEC ONE(softplus)
{
    const VEC z = x * p;
    const VEC y = VALUE(relu)(z, p, q) + NAME(log1p)(NAME(exp)(-NAME(absolute)(z)));
    return NAME(choose)(z > q, x, y / p);
}
CF_INLINE VEC BACKWARD(softplus)
{
    const VEC z = x * p;
    return NAME(choose)(z > q, g, g * VALUE(sigmoid)(z, p, q));
}

/* p: alpha, q: a scale on both sides */
CF_INLINE VEC VALUE(elu)(VEC x, REAL p, REAL q)
{
    return NAME(choose)(x > 0, x, NAME(expm1)(x) * p) * q;
}
CF_INLINE VEC BACKWARD(elu) { return NAME(choose)(x > 0, g, g * NAME(exp)(x) * p) * q; }

/* ---------------------------------------------------------------------------- GELU */

CF_INLINE VEC ONE(gelu)
{
    VEC density;
    return x * NAME(normal)(x, &density);
}
CF_INLINE VEC BACKWARD(gelu)
{
    VEC density;
    const VEC integral = NAME(normal)(x, &density);
    return g * (integral + x * density);
}

/* 0.5 x (1 + tanh(u / 2)) = x sigmoid(u) with u = sqrt(8 / pi) (x + 0.044715 x^3). Beyond 25 the
 * sigmoid is 0 or 1, and its slope 0, in both dtypes: so x is cut there, before its cube is inf. */
CF_INLINE VEC ONE(gelu_tanh)
{
    const VEC c = NAME(at_most)(NAME(at_least)(x, -25), 25);
    const VEC u = (REAL)1.5957691216057308 * (c + (REAL)0.044715 * (c * c * c));
    return x * VALUE(sigmoid)(u, p, q);
}
CF_INLINE VEC BACKWARD(gelu_tanh)
{
    VEC complement;
    const VEC c = NAME(at_most)(NAME(at_least)(x, -25), 25);
    const VEC u = (REAL)1.5957691216057308 * (c + (REAL)0.044715 * (c * c * c));
    const VEC slope = (REAL)1.5957691216057308 * (1 + (REAL)0.134145 * (c * c));
    const VEC s = NAME(logistic)(u, &complement);
    return g * (s * (1 + c * complement * slope));
}

#undef ONE
#undef BACKWARD

/* ---------------------------------------------------------------------------- the loops */

/* RESULT is an expression of the vectors A and B. What is left over after the last whole vector is
 * covered by one that ends with the row, and so overlaps the one before it. Without `restrict` each
 * load waits for the store before it where their addresses agree in the low bits. */
#define LOOP(name, RESULT, LOAD_B, LOAD_PART_B)                                                    \
    static void NAME(name##_map)(char *restrict y, ptrdiff_t y_step, const char *restrict a,       \
                                 ptrdiff_t a_step, const char *restrict b, ptrdiff_t b_step,       \
                                 ptrdiff_t rows, ptrdiff_t columns, double p, double q)            \
    {                                                                                              \
        const ptrdiff_t last = columns * sizeof(REAL) - VECTOR_BYTES;                              \
        for (; rows > 0; rows--, y += y_step, a += a_step, b += b_step) {                          \
            ptrdiff_t i = 0;                                                                       \
            if (last < 0) {                                                                        \
                const VEC A = NAME(load_part)(a, columns);                                         \
                LOAD_PART_B                                                                        \
                NAME(store_part)(y, RESULT, columns);                                              \
                continue;                                                                          \
            }                                                                                      \
            _Pragma("GCC unroll 4") for (; i < last; i += VECTOR_BYTES)                            \
            {                                                                                      \
                const VEC A = NAME(load)(a + i);                                                   \
                LOAD_B                                                                             \
                NAME(store)(y + i, RESULT);                                                        \
            }                                                                                      \
            i = last;                                                                              \
            const VEC A = NAME(load)(a + i);                                                       \
            LOAD_B                                                                                 \
            NAME(store)(y + i, RESULT);                                                            \
        }                                                                                          \
    }
#define ONE(name) LOOP(name, VALUE(name)(A, p, q), , )
#define TWO(name)                                                                                  \
    LOOP(name, VALUE(name)(A, B, p, q), const VEC B = NAME(load)(b + i);                            \
         , const VEC B = NAME(load_part)(b, columns);)
CF_EACH_MAP(ONE, TWO);
#undef ONE
#undef TWO
#undef LOOP
#undef VALUE

#define ENTRY(name) NAME(name##_map),
static const cf_map NAME(maps)[] = {CF_EACH_MAP(ENTRY, ENTRY)};
#undef ENTRY
