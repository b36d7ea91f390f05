/* The transforms of Winograd's minimal filtering F(m x m, 3 x 3), on vectors of channels.
 *
 * With interpolation points p_0 .. p_n-2 and infinity, n = m + 2, and
 * N_i(x) = product over j != i of (x - p_j), the one-dimensional transforms are
 *
 *     input    B^T d : the coefficients of N_i, and for infinity of the product over all points
 *     filter   G g   : (1, p_i, p_i^2) / N_i(p_i),             and for infinity (0, 0, 1)
 *     output   A^T m : the powers 0 .. m-1 of p_i,             and for infinity the last power
 *
 * (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015.) The points come in
 * pairs +-a, so that sums and differences are shared. F(4, 3) takes 0, +-3/4, +-3/2: their error is
 * a quarter of that of the textbook's 0, +-1, +-2. F(2, 3) takes 0, +-1.
 */
#define A1 ((REAL)0.75)
#define B1 ((REAL)1.5)
#define A2 (A1 * A1)
#define B2 (B1 * B1)

/* d is read and t written `step` vectors apart: rows and columns take the same code. */
CF_INLINE void NAME(input_4)(const VEC *d, VEC *t, const int step)
{
    const VEC even_a = d[4 * step] - B2 * d[2 * step], odd_a = A1 * (d[3 * step] - B2 * d[step]);
    const VEC even_b = d[4 * step] - A2 * d[2 * step], odd_b = B1 * (d[3 * step] - A2 * d[step]);
    const VEC first = d[4 * step] - (A2 + B2) * d[2 * step] + A2 * B2 * d[0];
    const VEC last = d[5 * step] - (A2 + B2) * d[3 * step] + A2 * B2 * d[step];
    t[0] = first;
    t[step] = even_a + odd_a;
    t[2 * step] = even_a - odd_a;
    t[3 * step] = even_b + odd_b;
    t[4 * step] = even_b - odd_b;
    t[5 * step] = last;
}

CF_INLINE void NAME(output_4)(const VEC *m, VEC *y, const int m_step, const int y_step)
{
    const VEC sum_a = m[m_step] + m[2 * m_step], difference_a = m[m_step] - m[2 * m_step];
    const VEC sum_b = m[3 * m_step] + m[4 * m_step], difference_b = m[3 * m_step] - m[4 * m_step];
    y[0] = m[0] + sum_a + sum_b;
    y[y_step] = A1 * difference_a + B1 * difference_b;
    y[2 * y_step] = A2 * sum_a + B2 * sum_b;
    y[3 * y_step] = A1 * A2 * difference_a + B1 * B2 * difference_b + m[5 * m_step];
}

CF_INLINE void NAME(filter_4)(const VEC *g, VEC *u, const int g_step, const int u_step)
{
    const REAL scale_a = 1 / (2 * A2 * (A2 - B2)), scale_b = 1 / (2 * B2 * (B2 - A2));
    const VEC even_a = scale_a * (g[0] + A2 * g[2 * g_step]), odd_a = scale_a * A1 * g[g_step];
    const VEC even_b = scale_b * (g[0] + B2 * g[2 * g_step]), odd_b = scale_b * B1 * g[g_step];
    u[0] = g[0] * (1 / (A2 * B2));
    u[u_step] = even_a + odd_a;
    u[2 * u_step] = even_a - odd_a;
    u[3 * u_step] = even_b + odd_b;
    u[4 * u_step] = even_b - odd_b;
    u[5 * u_step] = g[2 * g_step];
}

/* The transposes of the output's and the filter's, for the gradient of the filter: A g and G^T u. */
CF_INLINE void NAME(spread_4)(const VEC *g, VEC *t, const int g_step, const int t_step)
{
    const VEC even_a = g[0] + A2 * g[2 * g_step], odd_a = A1 * (g[g_step] + A2 * g[3 * g_step]);
    const VEC even_b = g[0] + B2 * g[2 * g_step], odd_b = B1 * (g[g_step] + B2 * g[3 * g_step]);
    t[0] = g[0];
    t[t_step] = even_a + odd_a;
    t[2 * t_step] = even_a - odd_a;
    t[3 * t_step] = even_b + odd_b;
    t[4 * t_step] = even_b - odd_b;
    t[5 * t_step] = g[3 * g_step];
}

CF_INLINE void NAME(gather_4)(const VEC *u, VEC *g, const int u_step, const int g_step)
{
    const REAL scale_a = 1 / (2 * A2 * (A2 - B2)), scale_b = 1 / (2 * B2 * (B2 - A2));
    const VEC sum_a = scale_a * (u[u_step] + u[2 * u_step]);
    const VEC sum_b = scale_b * (u[3 * u_step] + u[4 * u_step]);
    g[0] = u[0] * (1 / (A2 * B2)) + sum_a + sum_b;
    g[g_step] = scale_a * A1 * (u[u_step] - u[2 * u_step]) +
                scale_b * B1 * (u[3 * u_step] - u[4 * u_step]);
    g[2 * g_step] = A2 * sum_a + B2 * sum_b + u[5 * u_step];
}

#undef A1
#undef B1
#undef A2
#undef B2

CF_INLINE void NAME(input_2)(const VEC *d, VEC *t, const int step)
{
    const VEC first = d[2 * step] - d[0], plus = d[2 * step] + d[step];
    const VEC minus = d[2 * step] - d[step], last = d[3 * step] - d[step];
    t[0] = first;
    t[step] = plus;
    t[2 * step] = minus;
    t[3 * step] = last;
}

CF_INLINE void NAME(output_2)(const VEC *m, VEC *y, const int m_step, const int y_step)
{
    y[0] = m[0] + m[m_step] + m[2 * m_step];
    y[y_step] = m[m_step] - m[2 * m_step] + m[3 * m_step];
}

CF_INLINE void NAME(filter_2)(const VEC *g, VEC *u, const int g_step, const int u_step)
{
    const VEC even = (REAL)0.5 * (g[0] + g[2 * g_step]), odd = (REAL)0.5 * g[g_step];
    u[0] = -g[0];
    u[u_step] = even + odd;
    u[2 * u_step] = even - odd;
    u[3 * u_step] = g[2 * g_step];
}

/* t[e] = the N x N elements of A g A^T, t_step apart, over whole vectors of filters. */
static void NAME(winograd_spread_4)(char *t, ptrdiff_t t_step, const char *g, ptrdiff_t g_row_step,
                                   ptrdiff_t g_step, ptrdiff_t vectors)
{
    for (ptrdiff_t c = 0; c < vectors * VECTOR_BYTES; c += VECTOR_BYTES) {
        VEC in[16], half[24], out[36];
#pragma GCC unroll 6
        for (int i = 0; i < 4; i++)
#pragma GCC unroll 6
            for (int j = 0; j < 4; j++)
                in[i * 4 + j] = NAME(load)(g + i * g_row_step + j * g_step + c);
#pragma GCC unroll 6
        for (int j = 0; j < 4; j++)
            NAME(spread_4)(in + j, half + j, 4, 4);
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++)
            NAME(spread_4)(half + i * 4, out + i * 6, 1, 1);
#pragma GCC unroll 36
        for (int e = 0; e < 36; e++)
            NAME(store)(t + e * t_step + c, out[e]);
    }
}

/* g = the nine taps of G^T u G, a vector each, from the N x N elements of u, u_step apart. */
static void NAME(winograd_gather_4)(char *g, const char *u, ptrdiff_t u_step)
{
    VEC in[36], half[18], out[9];
#pragma GCC unroll 36
    for (int e = 0; e < 36; e++)
        in[e] = NAME(load)(u + e * u_step);
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++)
        NAME(gather_4)(in + j, half + j, 6, 6);
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++)
        NAME(gather_4)(half + i * 6, out + i * 3, 1, 1);
#pragma GCC unroll 9
    for (int e = 0; e < 9; e++)
        NAME(store)(g + e * VECTOR_BYTES, out[e]);
}

#define M 4
#define N 6
#include "winograd_tile.h"
#undef M
#undef N

#define M 2
#define N 4
#include "winograd_tile.h"
#undef M
#undef N
