/* Large workspaces in huge pages: a fresh block of 40 MB otherwise costs 20 ms of page faults. */
#ifndef CNNFAST_HUGE_PAGES_H
#define CNNFAST_HUGE_PAGES_H

#include <stdint.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define CF_HUGE_FROM ((size_t)4 << 20)

static inline void *cf_allocate(size_t size)
{
    void *block = malloc(size);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (block && size >= CF_HUGE_FROM) {
        /* Advice only, for the whole pages inside the block: whether it is taken does not matter. */
        const uintptr_t page = 4096, start = ((uintptr_t)block + page - 1) / page * page;
        madvise((void *)start, (size_t)((uintptr_t)block + size - start) / page * page,
                MADV_HUGEPAGE);
    }
#endif
    return block;
}

#endif
