/* The elementwise operations: those of one input and those of two, listed once.
 *
 * A new one is a line here and a function in elementwise.h.
 */
#ifndef CNNFAST_MAPS_H
#define CNNFAST_MAPS_H

#include <stddef.h>

/* y[i][j] = f(a[i][j], b[i][j]) for i < rows, j < columns, each row contiguous; p and q are
 * numbers that f may need. y lies apart from a and b. */
typedef void (*cf_map)(char *y, ptrdiff_t y_step, const char *a, ptrdiff_t a_step, const char *b,
                       ptrdiff_t b_step, ptrdiff_t rows, ptrdiff_t columns, double p, double q);

#define CF_EACH_MAP(ONE, TWO)                                                                      \
    ONE(copy) TWO(add)                                                                             \
    ONE(relu) TWO(relu_backward) ONE(relu6) TWO(relu6_backward)                                    \
    ONE(leaky_relu) TWO(leaky_relu_backward) TWO(prelu)                                            \
    ONE(sigmoid) TWO(sigmoid_backward) TWO(sigmoid_gradient)                                       \
    ONE(tanh) TWO(tanh_backward) TWO(tanh_gradient)                                                \
    ONE(silu) TWO(silu_backward) ONE(softplus) TWO(softplus_backward)                              \
    ONE(elu) TWO(elu_backward)                                        \
    ONE(gelu) TWO(gelu_backward) ONE(gelu_tanh) TWO(gelu_tanh_backward)                            \
    ONE(hardsigmoid) TWO(hardsigmoid_backward) ONE(hardswish) TWO(hardswish_backward)

#define CF_MAP_NAME(name) #name,
static const char *const cf_map_names[] = {CF_EACH_MAP(CF_MAP_NAME, CF_MAP_NAME)};
#undef CF_MAP_NAME

#endif
