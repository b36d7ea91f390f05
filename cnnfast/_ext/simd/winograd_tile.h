/* The two-dimensional transforms of F(M x M, 3 x 3), N = M + 2: columns first, then rows. */
#define SIZED(name) NAME(CF_GLUE(name, M))

/* v[e] = the N x N elements of B^T d B, v_step apart, over whole vectors of channels. */
static void SIZED(winograd_input)(char *v, ptrdiff_t v_step, const char *x, ptrdiff_t x_row_step,
                                  ptrdiff_t x_step, ptrdiff_t vectors)
{
    for (ptrdiff_t c = 0; c < vectors * VECTOR_BYTES; c += VECTOR_BYTES) {
        VEC d[N * N], t[N * N], out[N * N];
#pragma GCC unroll 6
        for (int i = 0; i < N; i++)
#pragma GCC unroll 6
            for (int j = 0; j < N; j++)
                d[i * N + j] = NAME(load)(x + i * x_row_step + j * x_step + c);
#pragma GCC unroll 6
        for (int j = 0; j < N; j++)
            SIZED(input)(d + j, t + j, N);
#pragma GCC unroll 6
        for (int i = 0; i < N; i++)
            SIZED(input)(t + i * N, out + i * N, 1);
#pragma GCC unroll 36
        for (int e = 0; e < N * N; e++)
            NAME(store)(v + e * v_step + c, out[e]);
    }
}

/* y = A^T m A + bias, of which rows x columns x channels are stored. */
static void SIZED(winograd_output)(char *y, ptrdiff_t y_row_step, ptrdiff_t y_step, int rows,
                                   int columns, const char *m, ptrdiff_t m_step, const char *bias,
                                   ptrdiff_t channels)
{
    for (ptrdiff_t c = 0; c < channels; c += LANES) {
        VEC in[N * N], t[M * N], out[M * M];
        const VEC b = NAME(load)(bias + c * sizeof(REAL));
#pragma GCC unroll 36
        for (int e = 0; e < N * N; e++)
            in[e] = NAME(load)(m + e * m_step + c * sizeof(REAL));
#pragma GCC unroll 6
        for (int j = 0; j < N; j++)
            SIZED(output)(in + j, t + j, N, N);
#pragma GCC unroll 6
        for (int i = 0; i < M; i++)
            SIZED(output)(t + i * N, out + i * M, 1, 1);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) {
                char *at = y + i * y_row_step + j * y_step + c * sizeof(REAL);
                if (channels - c >= LANES)
                    NAME(store)(at, out[i * M + j] + b);
                else
                    NAME(store_part)(at, out[i * M + j] + b, channels - c);
            }
    }
}

/* u[e] = the N x N elements of G g G^T, u_step apart, for one vector of filters; g holds the nine
 * taps, a vector each. */
static void SIZED(winograd_filter)(char *u, ptrdiff_t u_step, const char *g)
{
    VEC in[9], t[N * 3], out[N * N];
#pragma GCC unroll 9
    for (int e = 0; e < 9; e++)
        in[e] = NAME(load)(g + e * VECTOR_BYTES);
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++)
        SIZED(filter)(in + j, t + j, 3, 3);
#pragma GCC unroll 6
    for (int i = 0; i < N; i++)
        SIZED(filter)(t + i * 3, out + i * N, 1, 1);
#pragma GCC unroll 36
    for (int e = 0; e < N * N; e++)
        NAME(store)(u + e * u_step, out[e]);
}

#undef SIZED
