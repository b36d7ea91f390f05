/* AVX2 with FMA: sixteen 32-byte registers, of which the tile's accumulators take twelve. */
#if defined(__x86_64__)
#include "kernels.h"
#include "target.h"
CF_TARGET_BEGIN("avx2,fma")

#define ISA avx2
#define VECTOR_BYTES 32
#define F32_LANES 8
#define F64_LANES 4
#define TILE_ROWS 6
#define TILE_VECTORS 2
#define CF_EACH_ROW_COUNT(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#include "isa.h"

CF_TARGET_END
#endif
