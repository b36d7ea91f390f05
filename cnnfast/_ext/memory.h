/* The only door to scratch memory: aligned, in huge pages where large, and counted. */
#ifndef CNNFAST_MEMORY_H
#define CNNFAST_MEMORY_H

#include <stddef.h>

#define CF_ALIGNMENT 64

/* At least `size` bytes, aligned to a cache line, and as many more behind them that vector loads may
 * run into; NULL if there is no room. */
char *cf_allocate(size_t size);
void cf_release(char *data);

/* Bytes that all threads have allocated and not yet released. */
size_t cf_in_use(void);

/* Bytes that the calling thread has allocated in its life. */
size_t cf_allocated(void);

#endif
