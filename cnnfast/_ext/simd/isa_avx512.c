/* AVX-512: thirty-two 64-byte registers, of which the tile's accumulators take twenty-eight. */
#if defined(__x86_64__)
#include "kernels.h"
#include "target.h"
CF_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")

#define ISA avx512
#define VECTOR_BYTES 64
#define F32_LANES 16
#define F64_LANES 8
#define TILE_ROWS 14
#define TILE_VECTORS 2
#define CF_EACH_ROW_COUNT(CASE)                                                                    \
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11)      \
    CASE(12) CASE(13) CASE(14)
#include "isa.h"

CF_TARGET_END
#endif
