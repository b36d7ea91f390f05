/* The microkernels for one dtype and one instruction set. */
#define NAME(name) CF_PASTE(name, DTYPE, ISA)
#define VEC NAME(vec)
#define IVEC NAME(ivec)
#define UVEC NAME(uvec)

#include "vector.h"
#include "vector_math.h"

#include "blend.h"
#include "conv_tile.h"
#include "dot_tile.h"
#include "rank_update.h"
#include "outer_tile.h"
#include "position_tile.h"
#include "depthwise.h"
#include "elementwise.h"
#include "move.h"
#include "norm.h"
#include "lrn.h"
#include "pool.h"
#include "softmax.h"
#include "span.h"
#include "update.h"
#ifdef WITH_WINOGRAD
#include "winograd.h"
#endif

#undef NAME
#undef VEC
#undef IVEC
#undef UVEC
