/* NEON on 64-bit ARM: thirty-two 16-byte registers, of which the accumulators take twenty-four. */
#if defined(__aarch64__)
#include "kernels.h"

#define ISA neon
#define VECTOR_BYTES 16
#define F32_LANES 4
#define F64_LANES 2
#define TILE_ROWS 12
#define TILE_VECTORS 2
#define CF_EACH_ROW_COUNT(CASE)                                                                    \
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11)      \
    CASE(12)
#include "isa.h"
#endif
