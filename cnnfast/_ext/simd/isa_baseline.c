/* What every machine of the architecture has: SSE2 on x86-64, or plain 16-byte vectors. */
#include "kernels.h"

#define ISA baseline
#define VECTOR_BYTES 16
#define F32_LANES 4
#define F64_LANES 2
#define TILE_ROWS 6
#define TILE_VECTORS 2
#define CF_EACH_ROW_COUNT(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#include "isa.h"
