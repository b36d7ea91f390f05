#include "memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* From here on huge pages: a fresh block of 40 MB otherwise costs 20 ms of page faults. */
#define HUGE_FROM ((size_t)4 << 20)
#define PAGE 4096

static atomic_size_t in_use;
static _Thread_local size_t allocated;

static size_t whole_lines(size_t size)
{
    return (size + 2 * CF_ALIGNMENT - 1) / CF_ALIGNMENT * CF_ALIGNMENT;
}

char *cf_allocate(size_t size)
{
    /* The first line holds the size. */
    const size_t total = CF_ALIGNMENT + whole_lines(size);
    char *block = size < SIZE_MAX / 2 ? aligned_alloc(CF_ALIGNMENT, total) : NULL;
    if (!block)
        return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (size >= HUGE_FROM) {
        /* Advice only, for the whole pages inside the block: whether it is taken does not matter. */
        const uintptr_t start = ((uintptr_t)block + PAGE - 1) / PAGE * PAGE;
        madvise((void *)start, (size_t)((uintptr_t)block + total - start) / PAGE * PAGE,
                MADV_HUGEPAGE);
    }
#endif
    *(size_t *)block = total;
    atomic_fetch_add(&in_use, total);
    allocated += total;
    return block + CF_ALIGNMENT;
}

void cf_release(char *data)
{
    if (!data)
        return;
    char *block = data - CF_ALIGNMENT;
    atomic_fetch_sub(&in_use, *(size_t *)block);
    free(block);
}

size_t cf_in_use(void) { return atomic_load(&in_use); }

size_t cf_allocated(void) { return allocated; }
