/* One instruction set: every microkernel for float and for double, and the table that names them.
 *
 * Included once by each isa_*.c, which sets the target and defines ISA, VECTOR_BYTES, F32_LANES,
 * F64_LANES, TILE_ROWS and TILE_VECTORS. All functions are static: a shared inline function compiled for a newer machine
 * could otherwise be the one the linker keeps.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CF_INLINE static inline __attribute__((always_inline))
#define CF_PASTE_(name, dtype, isa) cf_##name##_##dtype##__##isa
#define CF_PASTE(name, dtype, isa) CF_PASTE_(name, dtype, isa)
#define CF_GLUE_(a, b) a##_##b
#define CF_GLUE(a, b) CF_GLUE_(a, b)
#define CF_ISA_(isa) cf_isa__##isa
#define CF_ISA(isa) CF_ISA_(isa)
#define CF_TEXT_(text) #text
#define CF_TEXT(text) CF_TEXT_(text)

#define LIGHT_BYTES (VECTOR_BYTES < 32 ? VECTOR_BYTES : 32)
/* A mask of a comparison, and vectors of any one width to choose from. */
#define CHOOSE(mask, yes, no)                                                                      \
    ((__typeof__(yes))(((mask) & (__typeof__(mask))(yes)) | (~(mask) & (__typeof__(mask))(no))))

/* Every second element of two vectors of n, from the first or from the second on. */
#define CF_EVENS_1 0
#define CF_EVENS_2 0, 2
#define CF_EVENS_4 0, 2, 4, 6
#define CF_EVENS_8 0, 2, 4, 6, 8, 10, 12, 14
#define CF_EVENS_16 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define CF_EVENS(n) CF_GLUE(CF_EVENS, n)
#define CF_ODDS_1 1
#define CF_ODDS_2 1, 3
#define CF_ODDS_4 1, 3, 5, 7
#define CF_ODDS_8 1, 3, 5, 7, 9, 11, 13, 15
#define CF_ODDS_16 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define CF_ODDS(n) CF_GLUE(CF_ODDS, n)
/* The same of two vectors of n that overlap by one; see load_step. */
#define CF_EVENS_OVERLAPPING_1 0
#define CF_EVENS_OVERLAPPING_2 0, 3
#define CF_EVENS_OVERLAPPING_4 0, 2, 5, 7
#define CF_EVENS_OVERLAPPING_8 0, 2, 4, 6, 9, 11, 13, 15
#define CF_EVENS_OVERLAPPING_16 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31
#define CF_EVENS_OVERLAPPING(n) CF_GLUE(CF_EVENS_OVERLAPPING, n)
/* The first, and the last, halves of two vectors of n, element by element. */
#define CF_INTERLEAVE_LOW_1 0
#define CF_INTERLEAVE_LOW_2 0, 2
#define CF_INTERLEAVE_LOW_4 0, 4, 1, 5
#define CF_INTERLEAVE_LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define CF_INTERLEAVE_LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define CF_INTERLEAVE_LOW(n) CF_GLUE(CF_INTERLEAVE_LOW, n)
#define CF_INTERLEAVE_HIGH_1 1
#define CF_INTERLEAVE_HIGH_2 1, 3
#define CF_INTERLEAVE_HIGH_4 2, 6, 3, 7
#define CF_INTERLEAVE_HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define CF_INTERLEAVE_HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define CF_INTERLEAVE_HIGH(n) CF_GLUE(CF_INTERLEAVE_HIGH, n)
#if defined(__clang__)
#define CF_SHUFFLE(a, b, integers, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define CF_SHUFFLE(a, b, integers, ...) __builtin_shuffle(a, b, (integers){__VA_ARGS__})
#endif

/* Dot products: accumulators, the columns' vectors and one of a row have to fit the registers. */
#define CF_DOT_COLUMNS 4
#if TILE_ROWS > 6
#define CF_DOT_ROWS 6
#else
#define CF_DOT_ROWS 2
#endif

/* Rows of a matrix that are read side by side. */
#define CF_RANK 4

typedef uint8_t cf_bytes16 __attribute__((vector_size(16)));

#define DTYPE f32
#define REAL float
#define INT int32_t
#define UINT uint32_t
#define LANES F32_LANES
#define SMALL_LANES 4
#define SQUARE_ROOT __builtin_sqrtf
#define WITH_WINOGRAD
#include "template.h"
#undef WITH_WINOGRAD
#undef DTYPE
#undef REAL
#undef INT
#undef UINT
#undef LANES
#undef SMALL_LANES
#undef SQUARE_ROOT

#define DTYPE f64
#define REAL double
#define INT int64_t
#define UINT uint64_t
#define LANES F64_LANES
#define SMALL_LANES 2
#define SQUARE_ROOT __builtin_sqrt
#include "template.h"
#undef DTYPE
#undef REAL
#undef INT
#undef UINT
#undef LANES
#undef SMALL_LANES
#undef SQUARE_ROOT

#define CF_TABLE(dtype, real, transforms)                                                          \
    {                                                                                              \
        .itemsize = sizeof(real), .lanes = VECTOR_BYTES / sizeof(real), .tile_rows = TILE_ROWS,    \
        .tile_vectors = TILE_VECTORS, .dot_rows = CF_DOT_ROWS, .dot_columns = CF_DOT_COLUMNS,       \
        .dot_tile = CF_PASTE(dot_tile, dtype, ISA),                                                \
        .rank_update = CF_PASTE(rank_update, dtype, ISA), .conv_tile = CF_PASTE(conv_tile, dtype, ISA),                \
        .outer_tile = CF_PASTE(outer_tile, dtype, ISA),                                            \
        .position_tile = CF_PASTE(position_tile, dtype, ISA),                                      \
        .depthwise_tile = CF_PASTE(depthwise_tile, dtype, ISA),                                    \
        .depthwise_sums = CF_PASTE(depthwise_sums, dtype, ISA),                                    \
        .copy2d = CF_PASTE(copy2d, dtype, ISA), .add = CF_PASTE(add, dtype, ISA),                  \
        .copy_rows = CF_PASTE(copy_rows, dtype, ISA), .add_rows = CF_PASTE(add_rows, dtype, ISA),  \
        .max_windows = CF_PASTE(max_windows, dtype, ISA),                                          \
        .sum_windows = CF_PASTE(sum_windows, dtype, ISA),                                          \
        .route_windows = CF_PASTE(route_windows, dtype, ISA),                                      \
        .route_pairs = CF_PASTE(route_pairs, dtype, ISA),                                          \
        .spread = CF_PASTE(spread, dtype, ISA),                                                    \
        .place_rows = CF_PASTE(place_rows, dtype, ISA),                                            \
        .fill = CF_PASTE(fill, dtype, ISA),                                                        \
        .max_channels = CF_PASTE(max_channels, dtype, ISA),                                        \
        .flat_indices = CF_PASTE(flat_indices, dtype, ISA),                                        \
        .scatter = CF_PASTE(scatter, dtype, ISA),                                                  \
        .route_channels = CF_PASTE(route_channels, dtype, ISA),                                    \
        .sum_spans = CF_PASTE(sum_spans, dtype, ISA),                                              \
        .max_spans = CF_PASTE(max_spans, dtype, ISA),                                              \
        .route_span = CF_PASTE(route_span, dtype, ISA),                                            \
        .blend = CF_PASTE(blend, dtype, ISA),                                                      \
        .maps = CF_PASTE(maps, dtype, ISA),                                                        \
        .softmax = {CF_PASTE(softmax_along, dtype, ISA),                                           \
                    CF_PASTE(softmax_across, dtype, ISA)},                                         \
        .log_softmax = {CF_PASTE(log_softmax_along, dtype, ISA),                                   \
                        CF_PASTE(log_softmax_across, dtype, ISA)},                                 \
        .softmax_backward = {CF_PASTE(softmax_backward_along, dtype, ISA),                         \
                             CF_PASTE(softmax_backward_across, dtype, ISA)},                       \
        .log_softmax_backward = {CF_PASTE(log_softmax_backward_along, dtype, ISA),                 \
                                 CF_PASTE(log_softmax_backward_across, dtype, ISA)},               \
        .norm = {CF_PASTE(run_moments, dtype, ISA), CF_PASTE(column_moments, dtype, ISA),           \
                 CF_PASTE(run_products, dtype, ISA), CF_PASTE(column_products, dtype, ISA),         \
                 CF_PASTE(run_map, dtype, ISA), CF_PASTE(column_map, dtype, ISA)},                  \
        .lrn = {CF_PASTE(square, dtype, ISA), CF_PASTE(lrn, dtype, ISA),                           \
                CF_PASTE(lrn_slopes, dtype, ISA), CF_PASTE(lrn_backward, dtype, ISA)},             \
        .sgd = CF_PASTE(sgd, dtype, ISA), .adam = CF_PASTE(adam, dtype, ISA),                      \
        .winograd = transforms,                                                                    \
    }

const cf_isa CF_ISA(ISA) = {CF_TEXT(ISA),
                            CF_TABLE(f32, float, CF_PASTE(winograd, f32, ISA)),
                            CF_TABLE(f64, double, NULL)};
