/* The elementwise operations, listed once: those of one input and those of two; the light ones,
 * whose loops wait for memory, and the heavy ones, which compute.
 *
 * A new one is a word here and a function in elementwise.h.
 */
#ifndef CNNFAST_MAPS_H
#define CNNFAST_MAPS_H

#include <stddef.h>

/* y[i][j] = f(a[i][j], b[i][j]) for i < rows, j < columns, each row contiguous; p and q are
 * numbers that f may need. y lies apart from a and b. */
typedef void (*cf_map)(char *y, ptrdiff_t y_step, const char *a, ptrdiff_t a_step, const char *b,
                       ptrdiff_t b_step, ptrdiff_t rows, ptrdiff_t columns, double p, double q);

#define CF_EACH_LIGHT_MAP(ONE, TWO)                                                                \
    TWO(add)                                                                                       \
    ONE(relu) TWO(relu_backward) ONE(relu6) TWO(relu6_backward)                                    \
    ONE(leaky_relu) TWO(leaky_relu_backward) TWO(prelu)                                            \
    ONE(hardsigmoid) TWO(hardsigmoid_backward) ONE(hardswish) TWO(hardswish_backward)              \
    TWO(sigmoid_gradient) TWO(tanh_gradient)
#define CF_EACH_HEAVY_MAP(ONE, TWO)                                                                \
    ONE(sigmoid) TWO(sigmoid_backward) ONE(silu) TWO(silu_backward)                                \
    ONE(tanh) TWO(tanh_backward) ONE(softplus) TWO(softplus_backward)                              \
    ONE(elu) TWO(elu_backward) ONE(gelu) TWO(gelu_backward)                                        \
    ONE(gelu_tanh) TWO(gelu_tanh_backward)
#define CF_EACH_MAP(ENTRY)                                                                         \
    ENTRY(copy) CF_EACH_LIGHT_MAP(ENTRY, ENTRY) CF_EACH_HEAVY_MAP(ENTRY, ENTRY)

#define CF_MAP_NAME(name) #name,
static const char *const cf_map_names[] = {CF_EACH_MAP(CF_MAP_NAME)};
#undef CF_MAP_NAME

#endif
