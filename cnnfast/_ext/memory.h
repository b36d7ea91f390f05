/* The only door to memory: aligned, in huge pages where large, kept for reuse, and counted. */
#ifndef CNNFAST_MEMORY_H
#define CNNFAST_MEMORY_H

#include <stddef.h>

#define CF_ALIGNMENT 64

/* At least `size` bytes, aligned to a cache line, and as many more behind them that vector loads may
 * run into; NULL if there is no room. */
char *cf_allocate(size_t size);
void cf_release(char *data);

/* Bytes that a block holds. */
size_t cf_size(const char *data);

/* Bytes that all threads have allocated and not yet released; those that are kept for reuse, at most
 * how many may be, and how often one of those blocks was taken. */
typedef struct {
    size_t in_use, kept, limit, reused;
} cf_memory;

cf_memory cf_memory_now(void);

/* Give back to the system what is kept. */
void cf_empty_cache(void);

/* A fork waits until no other thread is at the kept blocks. */
void cf_guard_memory(void);

#endif
