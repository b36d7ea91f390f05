/* The transforms of Winograd's minimal filtering F(m x m, r x r), on vectors of channels.
 *
 * With interpolation points p_0 .. p_n-2 and infinity, n = m + r - 1, and
 * N_i(x) = product over j != i of (x - p_j), the one-dimensional transforms are
 *
 *     input    B^T d : the coefficients of N_i, and for infinity of the product over all points
 *     filter   G g   : the polynomial g at p_i over N_i(p_i),  and for infinity its last coefficient
 *     output   A^T m : the powers 0 .. m-1 of p_i,             and for infinity the last power
 *
 * (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015.) So what is particular
 * to a set of points is how a polynomial is evaluated there, the transpose of that (`collect`), the
 * scales 1 / N_i(p_i) and B^T. The points come in pairs +-a, so that sums and differences are
 * shared. n = 6 takes 0, +-3/4, +-3/2: their error is a quarter of that of the textbook's 0, +-1,
 * +-2. n = 4 takes 0, +-1.
 *
 * Vectors are read and written `step` apart: rows and columns of a tile take the same code. n, m, r
 * and the counts of coefficients are constants wherever these functions are inlined.
 */
#define A1 ((REAL)0.75)
#define B1 ((REAL)1.5)
#define A2 (A1 * A1)
#define B2 (B1 * B1)

CF_INLINE void NAME(evaluate_6)(const int count, const VEC *g, VEC *u, const int g_step,
                                const int u_step)
{
    VEC even_a = g[0], even_b = g[0], odd_a = g[g_step], odd_b = g[g_step];
    if (count > 2) {
        even_a += A2 * g[2 * g_step];
        even_b += B2 * g[2 * g_step];
    }
    if (count > 3) {
        odd_a += A2 * g[3 * g_step];
        odd_b += B2 * g[3 * g_step];
    }
    if (count > 4) {
        even_a += A2 * A2 * g[4 * g_step];
        even_b += B2 * B2 * g[4 * g_step];
    }
    odd_a *= A1;
    odd_b *= B1;
    u[0] = g[0];
    u[u_step] = even_a + odd_a;
    u[2 * u_step] = even_a - odd_a;
    u[3 * u_step] = even_b + odd_b;
    u[4 * u_step] = even_b - odd_b;
    u[5 * u_step] = g[(count - 1) * g_step];
}

CF_INLINE void NAME(collect_6)(const int count, const VEC *u, VEC *g, const int u_step,
                               const int g_step)
{
    const VEC sum_a = u[u_step] + u[2 * u_step], difference_a = u[u_step] - u[2 * u_step];
    const VEC sum_b = u[3 * u_step] + u[4 * u_step], difference_b = u[3 * u_step] - u[4 * u_step];
    g[0] = u[0] + sum_a + sum_b;
    g[g_step] = A1 * difference_a + B1 * difference_b;
    if (count > 2)
        g[2 * g_step] = A2 * sum_a + B2 * sum_b;
    if (count > 3)
        g[3 * g_step] = A1 * A2 * difference_a + B1 * B2 * difference_b;
    if (count > 4)
        g[4 * g_step] = A2 * A2 * sum_a + B2 * B2 * sum_b;
    g[(count - 1) * g_step] += u[5 * u_step];
}

CF_INLINE void NAME(scale_6)(const VEC *u, VEC *scaled, const int u_step, const int scaled_step)
{
    const REAL scale_a = 1 / (2 * A2 * (A2 - B2)), scale_b = 1 / (2 * B2 * (B2 - A2));
    scaled[0] = u[0] * (1 / (A2 * B2));
    scaled[scaled_step] = scale_a * u[u_step];
    scaled[2 * scaled_step] = scale_a * u[2 * u_step];
    scaled[3 * scaled_step] = scale_b * u[3 * u_step];
    scaled[4 * scaled_step] = scale_b * u[4 * u_step];
    scaled[5 * scaled_step] = u[5 * u_step];
}

CF_INLINE void NAME(input_6)(const VEC *d, VEC *t, const int step)
{
    const VEC even_a = d[4 * step] - B2 * d[2 * step], odd_a = A1 * (d[3 * step] - B2 * d[step]);
    const VEC even_b = d[4 * step] - A2 * d[2 * step], odd_b = B1 * (d[3 * step] - A2 * d[step]);
    t[0] = d[4 * step] - (A2 + B2) * d[2 * step] + A2 * B2 * d[0];
    t[step] = even_a + odd_a;
    t[2 * step] = even_a - odd_a;
    t[3 * step] = even_b + odd_b;
    t[4 * step] = even_b - odd_b;
    t[5 * step] = d[5 * step] - (A2 + B2) * d[3 * step] + A2 * B2 * d[step];
}

#undef A1
#undef B1
#undef A2
#undef B2

CF_INLINE void NAME(evaluate_4)(const int count, const VEC *g, VEC *u, const int g_step,
                                const int u_step)
{
    const VEC even = count > 2 ? g[0] + g[2 * g_step] : g[0];
    u[0] = g[0];
    u[u_step] = even + g[g_step];
    u[2 * u_step] = even - g[g_step];
    u[3 * u_step] = g[(count - 1) * g_step];
}

CF_INLINE void NAME(collect_4)(const int count, const VEC *u, VEC *g, const int u_step,
                               const int g_step)
{
    const VEC sum = u[u_step] + u[2 * u_step];
    g[0] = u[0] + sum;
    g[g_step] = u[u_step] - u[2 * u_step];
    if (count > 2)
        g[2 * g_step] = sum;
    g[(count - 1) * g_step] += u[3 * u_step];
}

CF_INLINE void NAME(scale_4)(const VEC *u, VEC *scaled, const int u_step, const int scaled_step)
{
    scaled[0] = -u[0];
    scaled[scaled_step] = (REAL)0.5 * u[u_step];
    scaled[2 * scaled_step] = (REAL)0.5 * u[2 * u_step];
    scaled[3 * scaled_step] = u[3 * u_step];
}

CF_INLINE void NAME(input_4)(const VEC *d, VEC *t, const int step)
{
    t[0] = d[2 * step] - d[0];
    t[step] = d[2 * step] + d[step];
    t[2 * step] = d[2 * step] - d[step];
    t[3 * step] = d[3 * step] - d[step];
}

/* The two-dimensional transforms: columns first, then rows. */

/* v[e] = the n x n elements of B^T x B. */
CF_INLINE void NAME(winograd_input)(const int n, char *v, ptrdiff_t v_step, const char *x,
                                    ptrdiff_t x_row_step, ptrdiff_t x_step, ptrdiff_t vectors)
{
    for (ptrdiff_t c = 0; c < vectors * VECTOR_BYTES; c += VECTOR_BYTES) {
        VEC d[36], t[36], out[36];
#pragma GCC unroll 6
        for (int i = 0; i < n; i++)
#pragma GCC unroll 6
            for (int j = 0; j < n; j++)
                d[i * n + j] = NAME(load)(x + i * x_row_step + j * x_step + c);
#pragma GCC unroll 6
        for (int j = 0; j < n; j++)
            n == 6 ? NAME(input_6)(d + j, t + j, n) : NAME(input_4)(d + j, t + j, n);
#pragma GCC unroll 6
        for (int i = 0; i < n; i++)
            n == 6 ? NAME(input_6)(t + i * n, out + i * n, 1)
                   : NAME(input_4)(t + i * n, out + i * n, 1);
#pragma GCC unroll 36
        for (int e = 0; e < n * n; e++)
            NAME(store)(v + e * v_step + c, out[e]);
    }
}

CF_INLINE void NAME(evaluate)(const int n, const int count, const VEC *g, VEC *u, const int g_step,
                              const int u_step)
{
    n == 6 ? NAME(evaluate_6)(count, g, u, g_step, u_step)
           : NAME(evaluate_4)(count, g, u, g_step, u_step);
}

CF_INLINE void NAME(collect)(const int n, const int count, const VEC *u, VEC *g, const int u_step,
                             const int g_step)
{
    n == 6 ? NAME(collect_6)(count, u, g, u_step, g_step)
           : NAME(collect_4)(count, u, g, u_step, g_step);
}

CF_INLINE void NAME(scale)(const int n, VEC *u, const int step)
{
    n == 6 ? NAME(scale_6)(u, u, step, step) : NAME(scale_4)(u, u, step, step);
}

/* y = A^T m A + bias, of which rows x columns x channels are stored. */
CF_INLINE void NAME(winograd_output)(const int n, const int m, char *y, ptrdiff_t y_row_step,
                                     ptrdiff_t y_step, int rows, int columns, const char *products,
                                     ptrdiff_t products_step, const char *bias, ptrdiff_t channels,
                                     const cf_epilogue *after)
{
    for (ptrdiff_t c = 0; c < channels; c += LANES) {
        VEC in[36], t[36], out[36];
        const VEC b = NAME(load)(bias + c * sizeof(REAL));
#pragma GCC unroll 36
        for (int e = 0; e < n * n; e++)
            in[e] = NAME(load)(products + e * products_step + c * sizeof(REAL));
#pragma GCC unroll 6
        for (int j = 0; j < n; j++)
            NAME(collect)(n, m, in + j, t + j, n, n);
#pragma GCC unroll 6
        for (int i = 0; i < m; i++)
            NAME(collect)(n, m, t + i * n, out + i * m, 1, 1);
        char *at = y + c * sizeof(REAL);
        if (rows == m && columns == m && channels - c >= LANES) {
#pragma GCC unroll 6
            for (int i = 0; i < m; i++)
#pragma GCC unroll 6
                for (int j = 0; j < m; j++)
                    NAME(finish)(at + i * y_row_step + j * y_step, out[i * m + j] + b, LANES, after);
            continue;
        }
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                NAME(finish)(at + i * y_row_step + j * y_step, out[i * m + j] + b, channels - c,
                             after);
    }
}

/* u[e] = the n x n elements of G g G^T, of the r x r taps of one vector of filters. */
CF_INLINE void NAME(winograd_filter)(const int n, const int r, char *u, ptrdiff_t u_step,
                                     const char *g)
{
    VEC in[36], t[36], out[36];
#pragma GCC unroll 36
    for (int e = 0; e < r * r; e++)
        in[e] = NAME(load)(g + e * VECTOR_BYTES);
#pragma GCC unroll 6
    for (int j = 0; j < r; j++) {
        NAME(evaluate)(n, r, in + j, t + j, r, r);
        NAME(scale)(n, t + j, r);
    }
#pragma GCC unroll 6
    for (int i = 0; i < n; i++) {
        NAME(evaluate)(n, r, t + i * r, out + i * n, 1, 1);
        NAME(scale)(n, out + i * n, 1);
    }
#pragma GCC unroll 36
    for (int e = 0; e < n * n; e++)
        NAME(store)(u + e * u_step, out[e]);
}

/* t[e] = the n x n elements of A g A^T, of m x m pixels of the output's gradient. */
CF_INLINE void NAME(winograd_spread)(const int n, const int m, char *t, ptrdiff_t t_step,
                                     const char *g, ptrdiff_t g_row_step, ptrdiff_t g_step,
                                     ptrdiff_t vectors)
{
    for (ptrdiff_t c = 0; c < vectors * VECTOR_BYTES; c += VECTOR_BYTES) {
        VEC in[36], half[36], out[36];
#pragma GCC unroll 6
        for (int i = 0; i < m; i++)
#pragma GCC unroll 6
            for (int j = 0; j < m; j++)
                in[i * m + j] = NAME(load)(g + i * g_row_step + j * g_step + c);
#pragma GCC unroll 6
        for (int j = 0; j < m; j++)
            NAME(evaluate)(n, m, in + j, half + j, m, m);
#pragma GCC unroll 6
        for (int i = 0; i < n; i++)
            NAME(evaluate)(n, m, half + i * m, out + i * n, 1, 1);
#pragma GCC unroll 36
        for (int e = 0; e < n * n; e++)
            NAME(store)(t + e * t_step + c, out[e]);
    }
}

/* g = the r x r taps of G^T u G, a vector each. */
CF_INLINE void NAME(winograd_gather)(const int n, const int r, char *g, const char *u,
                                     ptrdiff_t u_step)
{
    VEC in[36], half[36], out[36];
#pragma GCC unroll 36
    for (int e = 0; e < n * n; e++)
        in[e] = NAME(load)(u + e * u_step);
#pragma GCC unroll 6
    for (int j = 0; j < n; j++) {
        NAME(scale)(n, in + j, n);
        NAME(collect)(n, r, in + j, half + j, n, n);
    }
#pragma GCC unroll 6
    for (int i = 0; i < r; i++) {
        NAME(scale)(n, half + i * n, 1);
        NAME(collect)(n, r, half + i * n, out + i * r, 1, 1);
    }
#pragma GCC unroll 36
    for (int e = 0; e < r * r; e++)
        NAME(store)(g + e * VECTOR_BYTES, out[e]);
}

#define SIZED(name, m, r) NAME(CF_GLUE(CF_GLUE(winograd_##name, m), r))

#define WINOGRAD(m, r)                                                                             \
    static void SIZED(input, m, r)(char *v, ptrdiff_t v_step, const char *x, ptrdiff_t x_row_step, \
                                   ptrdiff_t x_step, ptrdiff_t vectors)                            \
    {                                                                                              \
        NAME(winograd_input)(m + r - 1, v, v_step, x, x_row_step, x_step, vectors);                \
    }                                                                                              \
    static void SIZED(output, m, r)(char *y, ptrdiff_t y_row_step, ptrdiff_t y_step, int rows,     \
                                    int columns, const char *products, ptrdiff_t products_step,    \
                                    const char *bias, ptrdiff_t channels,                          \
                                    const cf_epilogue *after)                                      \
    {                                                                                              \
        NAME(winograd_output)(m + r - 1, m, y, y_row_step, y_step, rows, columns, products,        \
                              products_step, bias, channels, after);                               \
    }                                                                                              \
    static void SIZED(filter, m, r)(char *u, ptrdiff_t u_step, const char *g)                      \
    {                                                                                              \
        NAME(winograd_filter)(m + r - 1, r, u, u_step, g);                                         \
    }                                                                                              \
    static void SIZED(spread, m, r)(char *t, ptrdiff_t t_step, const char *g,                      \
                                    ptrdiff_t g_row_step, ptrdiff_t g_step, ptrdiff_t vectors)     \
    {                                                                                              \
        NAME(winograd_spread)(m + r - 1, m, t, t_step, g, g_row_step, g_step, vectors);            \
    }                                                                                              \
    static void SIZED(gather, m, r)(char *g, const char *u, ptrdiff_t u_step)                      \
    {                                                                                              \
        NAME(winograd_gather)(m + r - 1, r, g, u, u_step);                                         \
    }                                                                                              \
    struct cf_ignored /* for the semicolon after it */

WINOGRAD(4, 3);
WINOGRAD(2, 3);
WINOGRAD(5, 2);
WINOGRAD(3, 4);
WINOGRAD(2, 5);

#define SIZES(m, r)                                                                                \
    {m, r, SIZED(input, m, r), SIZED(output, m, r), SIZED(filter, m, r), SIZED(spread, m, r),      \
     SIZED(gather, m, r)}

static const cf_winograd NAME(winograd)[] = {SIZES(4, 3), SIZES(2, 3), SIZES(5, 2), SIZES(3, 4),
                                             SIZES(2, 5)};

#undef SIZED
#undef WINOGRAD
#undef SIZES
