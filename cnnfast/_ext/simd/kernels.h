/* The table of microkernels that every instruction set fills in, once for float and once for double.
 *
 * Pointers into images are char, and every step is in bytes, so that one table type and one loop
 * nest serve both dtypes. "x" is read, "y" written; a step goes from one element, pixel or tap to
 * the next along the named axis.
 */
#ifndef CNNFAST_KERNELS_H
#define CNNFAST_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "maps.h"

/* The largest tile of any instruction set, for buffers on the stack. */
#define CF_MAX_TILE_ROWS 14

/* What a convolution does to its output before it stores it: y = min(max(0, y + r), ceiling), where
 * r lies `residual` bytes from y (0: there is none), and the rest is for `relu`. NULL for nothing. */
typedef struct {
    ptrdiff_t residual;
    int relu;
    struct {
        float f32;
        double f64;
    } ceiling;
} cf_epilogue;

/* The transforms of Winograd's F(m x m, r x r), with n = m + r - 1; see winograd.h. */
typedef struct {
    int m, r;
    /* v[e] = B^T x B for each of the n^2 elements e, v_step apart, over whole vectors. */
    void (*input)(char *v, ptrdiff_t v_step, const char *x, ptrdiff_t x_row_step,
                  ptrdiff_t x_step, ptrdiff_t vectors);
    /* y = A^T m A + bias, of which rows x columns pixels of `channels` are stored. */
    void (*output)(char *y, ptrdiff_t y_row_step, ptrdiff_t y_step, int rows, int columns,
                   const char *m, ptrdiff_t m_step, const char *bias, ptrdiff_t channels,
                   const cf_epilogue *after);
    /* u[e] = G g G^T for a vector of filters; g holds the r^2 taps, a vector each. */
    void (*filter)(char *u, ptrdiff_t u_step, const char *g);
    /* For the gradient of the filters: t[e] = A g A^T of a tile of the output's gradient, over
     * whole vectors, and g = G^T u G, the r^2 taps, a vector each. */
    void (*spread)(char *t, ptrdiff_t t_step, const char *g, ptrdiff_t g_row_step,
                   ptrdiff_t g_step, ptrdiff_t vectors);
    void (*gather)(char *g, const char *u, ptrdiff_t u_step);
} cf_winograd;

#define CF_WINOGRADS 5

enum { CF_PLAIN, CF_RECTIFY, CF_GATE };

/* Normalisation. Sets of elements are `rows` contiguous runs of `count`, row_step apart, or the
 * columns of a matrix; see norm.h. */
typedef struct {
    /* The mean, and the sum of squared deviations from it. */
    void (*run_moments)(double *mean, double *m2, const char *x, ptrdiff_t row_step,
                        ptrdiff_t rows, ptrdiff_t count);
    void (*column_moments)(double *mean, double *m2, const char *x, ptrdiff_t row_step,
                           ptrdiff_t rows, ptrdiff_t columns);

    /* The sums of g and of g * (x - m). */
    void (*run_products)(double *sum, double *products, const char *g, const char *x,
                         ptrdiff_t row_step, ptrdiff_t rows, ptrdiff_t count, const char *m);
    void (*column_products)(double *sum, double *products, const char *g, const char *x,
                            ptrdiff_t row_step, ptrdiff_t rows, ptrdiff_t columns,
                            const char *c, ptrdiff_t c_step, int gated, double ceiling);

    /* y = (x - m) * s + t, plus g * a unless g is NULL. The coefficients m, s, t, a lie c_step
     * apart; a run has one of each, a matrix one for each column. Its rows are adjacent. `relu`
     * rectifies y, to at most `ceiling`; or gates g, here and in the products: it counts only where
     * the x to which it belongs gave (x - m) * s' + t' between 0 and `ceiling`; those coefficients
     * are the next two. Without a ceiling that is NaN, which nothing exceeds. */
    void (*run_map)(char *y, const char *g, const char *x, ptrdiff_t count, const char *c,
                    ptrdiff_t c_step);
    void (*column_map)(char *y, const char *g, const char *x, ptrdiff_t rows, ptrdiff_t columns,
                       const char *c, ptrdiff_t c_step, int relu, double ceiling);
} cf_norm;

/* Local response normalisation of a run of `count`. A window's taps, tap_step apart, begin at
 * squares, and slopes; whole vectors of these and of scales are read. See lrn.h. */
typedef struct {
    /* y = x * x. */
    void (*square)(char *y, const char *x, ptrdiff_t count);

    /* y = x * d^-beta, where d = k + alpha * the window's sum of squares. */
    void (*forward)(char *y, const char *x, const char *squares, ptrdiff_t taps,
                    ptrdiff_t tap_step, ptrdiff_t count, double alpha, double beta, double k);

    /* scales = d^-beta, and slopes = g * x * its derivative by the squares, doubled. */
    void (*slopes)(char *scales, char *slopes, const char *g, const char *x, const char *squares,
                   ptrdiff_t taps, ptrdiff_t tap_step, ptrdiff_t count, double alpha, double beta,
                   double k);

    /* gx = g * scales + x * the window's sum of slopes. */
    void (*backward)(char *gx, const char *g, const char *x, const char *scales,
                     const char *slopes, ptrdiff_t taps, ptrdiff_t tap_step, ptrdiff_t count);
} cf_lrn;

/* y = an operation over lines of a and b: along each of `rows` rows, of which each has
 * CF_LINE_VECTORS vectors of columns or more; or across the rows, in each of `columns` columns, of
 * which there are `lanes` or more. */
#define CF_LINE_VECTORS 4
typedef void (*cf_lines)(char *y, ptrdiff_t y_step, const char *a, ptrdiff_t a_step, const char *b,
                         ptrdiff_t b_step, ptrdiff_t rows, ptrdiff_t columns);

typedef struct {
    cf_lines along, across;
} cf_line_operation;

/* The taps of a window: a grid of elements, and the number of each. Steps are in bytes. */
typedef struct {
    ptrdiff_t rows, columns, row_step, column_step;
    ptrdiff_t number, row_number, column_number; /* of the first, and how it grows */
} cf_taps;

/* Of one parameter's step; see update.h. `first` if there is no velocity yet. */
typedef struct {
    double lr, momentum, dampening, weight_decay;
    int nesterov, first;
} cf_sgd;

/* rate = lr / (1 - beta1^t) and root = sqrt(1 - beta2^t) at step t. */
typedef struct {
    double rate, root, beta1, beta2, eps, weight_decay;
} cf_adam;

typedef struct {
    int itemsize;
    int lanes;        /* elements of a vector register */
    int tile_rows;    /* accumulator tile: rows ... */
    int tile_vectors; /* ... by vectors */
    int dot_rows, dot_columns; /* tile of dot products */

    /* y[i][j] = bias[j] + sum over taps t and depth d of x[i][t][d] * w[t][d][j], for i < rows and
     * j < channels <= vectors * lanes. w and bias are packed and zero-padded to whole vectors. */
    void (*conv_tile)(int rows, int vectors, int channels, char *y, ptrdiff_t y_step,
                      const char *x, ptrdiff_t x_step, const ptrdiff_t *taps, ptrdiff_t n_taps,
                      ptrdiff_t depth, const char *w, const char *bias, const cf_epilogue *after);

    /* sums[i][j] += sum over a grid of positions p of g[p][i] * x[p][j], for i < rows and j over
     * whole vectors. */
    void (*outer_tile)(int rows, int vectors, char *sums, ptrdiff_t sums_step,
                       const char *g, ptrdiff_t g_row_step, ptrdiff_t g_step,
                       const char *x, ptrdiff_t x_row_step, ptrdiff_t x_step,
                       ptrdiff_t grid_rows, ptrdiff_t grid_columns);

    /* y[i][j] = bias[i] + sum over depth d of w[d][i] * x[offsets[d]][j], for i < rows and j <
     * positions <= vectors * lanes; whole vectors of x are read. */
    void (*position_tile)(int rows, int vectors, int positions, char *y, ptrdiff_t y_step,
                          const char *x, const ptrdiff_t *offsets, ptrdiff_t depth,
                          const char *w, const char *bias);

    /* y[i][j] = bias[j] + sum over d of x[i][d] * w[j][d], d contiguous, for i < rows <= dot_rows
     * and j < columns <= dot_columns; bias may be NULL. */
    void (*dot_tile)(int rows, int columns, char *y, ptrdiff_t y_step, const char *x,
                     ptrdiff_t x_step, const char *w, ptrdiff_t w_step, ptrdiff_t depth,
                     const char *bias);

    /* y[i][j] += sum over p < depth of g[i][p] * x[p][j], j contiguous. */
    void (*rank_update)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, char *y,
                        ptrdiff_t y_step, const char *g, ptrdiff_t g_row_step, ptrdiff_t g_step,
                        const char *x, ptrdiff_t x_step);

    /* Depthwise: y[i][j] = bias[j] + sum over taps t of x[i][t][j] * w[t][j]. x holds whole
     * vectors; w and bias are packed and zero-padded to tile_vectors vectors. */
    void (*depthwise_tile)(int vectors, int channels, ptrdiff_t positions, char *y,
                           ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                           const cf_taps *taps, const char *w, const char *bias,
                           const cf_epilogue *after);

    /* Depthwise, for one vector of channels j: sums[t][j] += sum over positions i of
     * g[i][j] * x[i][t][j], for the taps t. */
    void (*depthwise_sums)(char *sums, ptrdiff_t sums_step, const char *g, ptrdiff_t g_step,
                           const char *x, ptrdiff_t x_step, ptrdiff_t positions,
                           const cf_taps *taps);

    /* y[i][j] = x[i][j] for i < rows, j < columns: a copy, a gather or a transpose. */
    void (*copy2d)(char *y, ptrdiff_t y_row_step, ptrdiff_t y_column_step, const char *x,
                   ptrdiff_t x_row_step, ptrdiff_t x_column_step, ptrdiff_t rows,
                   ptrdiff_t columns);

    /* y[i] += x[i]. */
    void (*add)(char *y, const char *x, ptrdiff_t count);

    /* y[i][j] = x[i][j], the rows of y adjacent. x is read up to a vector past each row's end. */
    void (*copy_rows)(char *y, const char *x, ptrdiff_t x_row_step, ptrdiff_t rows,
                      ptrdiff_t columns);

    /* y[i][j] += x[i][j], the rows of x adjacent. y is added 0 up to a vector past each row. */
    void (*add_rows)(char *y, ptrdiff_t y_row_step, const char *x, ptrdiff_t rows,
                     ptrdiff_t columns);

    /* Pools: `runs` runs of `count` windows that see the same taps, their neighbours in a run
     * lane_step apart in x and contiguous in y. max keeps the first maximum, or the first NaN;
     * winners (unless NULL) gets the number of its tap; if all are -infinity, that of the first
     * tap, or what `firsts` (unless NULL) holds. */
    void (*max_windows)(char *y, ptrdiff_t y_step, uint8_t *winners, ptrdiff_t winners_step,
                        const char *x, ptrdiff_t x_step, ptrdiff_t lane_step,
                        const cf_taps *taps, const uint8_t *firsts, ptrdiff_t runs,
                        ptrdiff_t count);
    void (*sum_windows)(char *y, ptrdiff_t y_step, const char *x, ptrdiff_t x_step,
                        ptrdiff_t lane_step, const cf_taps *taps, double divisor,
                        ptrdiff_t runs, ptrdiff_t count);

    /* The gradient of max: y = the sum of those g in the windows over it (the taps, of lane step
     * 1) whose winners have the taps' numbers. */
    void (*route_windows)(char *y, ptrdiff_t y_step, const char *g, ptrdiff_t g_step,
                          const uint8_t *winners, const cf_taps *taps, ptrdiff_t runs,
                          ptrdiff_t count);

    /* The same for rows of neighbouring windows of 2x2 taps at stride 2, whose inputs y are not
     * those of others: y has two rows, y_row_step apart, for each row of g. */
    void (*route_pairs)(char *y, ptrdiff_t y_row_step, const char *g, const uint8_t *winners,
                        ptrdiff_t runs, ptrdiff_t count);

    /* y = x over the divisor, `stride` elements apart, zeros between them. */
    void (*spread)(char *y, const char *x, ptrdiff_t stride, double divisor, ptrdiff_t count);

    /* y[i][j] = x[i][j], contiguous along j in y: for short rows. */
    void (*place_rows)(char *y, ptrdiff_t y_row_step, const char *x, ptrdiff_t x_row_step,
                       ptrdiff_t x_column_step, ptrdiff_t rows, ptrdiff_t columns);

    /* y[i] = value. */
    void (*fill)(char *y, double value, ptrdiff_t count);

    /* y[i][j] = starts[i] + r row_step + s column_step, where winners[i][j] is the number of row r
     * and column s of a window `columns` wide. */
    void (*flat_indices)(int64_t *y, const uint8_t *winners, const int64_t *starts,
                         int64_t row_step, int64_t column_step, ptrdiff_t columns,
                         ptrdiff_t runs, ptrdiff_t count);

    /* x[indices[i][j]][j] += g[i][j], where x has `pixels` pixels pixel_step apart. Returns how
     * many indices lay outside 0..pixels-1; those are left out. */
    ptrdiff_t (*scatter)(char *x, ptrdiff_t pixel_step, ptrdiff_t lane_step, int64_t pixels,
                         const char *g, ptrdiff_t g_run_step, ptrdiff_t g_step,
                         const char *indices, ptrdiff_t indices_run_step,
                         ptrdiff_t indices_step, ptrdiff_t runs, ptrdiff_t count);

    /* Pools over whole planes, of which each is `count` elements one after the other: y[i] = the
     * sum over the divisor, or the maximum, of plane i; y = g where x has its first maximum, 0
     * elsewhere. */
    void (*sum_spans)(char *y, const char *x, ptrdiff_t x_step, ptrdiff_t count, double divisor,
                      ptrdiff_t planes);
    void (*max_spans)(char *y, const char *x, ptrdiff_t x_step, ptrdiff_t count,
                      ptrdiff_t planes);
    void (*route_span)(char *y, const char *g, const char *x, ptrdiff_t count);

    /* Maxima and their gradient for `count` channels side by side, of pixels (at most 2^31) `step`
     * apart in x, and in the gradient y. */
    void (*max_channels)(char *y, const char *x, ptrdiff_t step, ptrdiff_t pixels,
                         ptrdiff_t count);
    void (*route_channels)(char *y, const char *g, const char *x, ptrdiff_t step,
                           ptrdiff_t pixels, ptrdiff_t count);

    /* y[i][j] = the sum of weights[k] * x[sources[k]][j] over k = starts[i]..starts[i + 1] - 1, 0 if
     * that is none, for i < targets, j < lanes; y's pixels are adjacent, those of x x_step apart.
     * `taps` is the number of k for every i, or 0 if it differs. */
    void (*blend)(char *y, const char *x, ptrdiff_t x_step, const ptrdiff_t *starts,
                  const ptrdiff_t *sources, const char *weights, ptrdiff_t taps, ptrdiff_t targets,
                  ptrdiff_t lanes);

    /* The elementwise operations, in the order of maps.h. */
    const cf_map *maps;

    /* Of x; and, backward, of the output's gradient and the output itself. */
    cf_line_operation softmax, log_softmax, softmax_backward, log_softmax_backward;

    cf_norm norm;
    cf_lrn lrn;

    void (*sgd)(char *values, const char *gradient, char *velocity, ptrdiff_t count,
                const cf_sgd *settings);
    void (*adam)(char *values, const char *gradient, char *mean, char *square, ptrdiff_t count,
                 const cf_adam *settings);

    /* CF_WINOGRADS of them for float; NULL for double, which never takes that way. */
    const cf_winograd *winograd;
} cf_kernels;

typedef struct {
    const char *name;
    cf_kernels f32, f64;
} cf_isa;

extern const cf_isa cf_isa__baseline;
#if defined(__x86_64__)
extern const cf_isa cf_isa__avx2, cf_isa__avx512;
#elif defined(__aarch64__)
extern const cf_isa cf_isa__neon;
#endif

/* The instruction sets this machine can run, best first, ending with NULL. */
const cf_isa *const *cf_supported_isas(void);

const char *cf_compiler(void);

#endif
