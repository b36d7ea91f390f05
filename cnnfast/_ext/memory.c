#include "memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* From here on huge pages: a fresh block of 40 MB otherwise costs 20 ms of page faults. */
#define HUGE_FROM ((size_t)4 << 20)
#define PAGE 4096
/* Blocks from this size on are kept for the next that needs one of nearly the same, up to a quarter
 * of the machine's memory and no more than 2 GB: fresh pages cost as much as a layer. */
#define KEPT_FROM ((size_t)1 << 20)
#define MOST_KEPT 128
#define MOST_KEPT_BYTES ((size_t)2 << 30)

/* What precedes a block, in a cache line of its own. */
typedef struct {
    size_t size; /* of what follows */
} header;

static atomic_size_t in_use;

static struct {
    pthread_mutex_t lock;
    header *blocks[MOST_KEPT]; /* the longest unused first */
    int count;
    size_t bytes, reused;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t most_kept_bytes(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const size_t quarter = pages > 0 && page > 0 ? (size_t)pages / 4 * (size_t)page : 0;
    return quarter < MOST_KEPT_BYTES ? quarter : MOST_KEPT_BYTES;
}

static header *take_out(int index)
{
    header *block = kept.blocks[index];
    kept.bytes -= block->size;
    kept.count--;
    for (int i = index; i < kept.count; i++)
        kept.blocks[i] = kept.blocks[i + 1];
    return block;
}

/* The smallest kept block of at least `size`, unless even that is much too large. */
static header *reuse(size_t size)
{
    header *found = NULL;
    int best = -1;
    pthread_mutex_lock(&kept.lock);
    for (int i = 0; i < kept.count; i++)
        if (kept.blocks[i]->size >= size && kept.blocks[i]->size <= size + size / 4 &&
            (best < 0 || kept.blocks[i]->size < kept.blocks[best]->size))
            best = i;
    if (best >= 0) {
        found = take_out(best);
        kept.reused++;
    }
    pthread_mutex_unlock(&kept.lock);
    return found;
}

static void keep(header *block)
{
    const size_t most = most_kept_bytes();
    if (block->size > most) {
        free(block);
        return;
    }
    pthread_mutex_lock(&kept.lock);
    while (kept.count == MOST_KEPT || kept.bytes + block->size > most)
        free(take_out(0));
    kept.blocks[kept.count++] = block;
    kept.bytes += block->size;
    pthread_mutex_unlock(&kept.lock);
}

void cf_empty_cache(void)
{
    pthread_mutex_lock(&kept.lock);
    while (kept.count)
        free(take_out(kept.count - 1));
    pthread_mutex_unlock(&kept.lock);
}

static header *fresh(size_t size)
{
    header *block = aligned_alloc(CF_ALIGNMENT, CF_ALIGNMENT + size);
    if (!block) {
        cf_empty_cache();
        block = aligned_alloc(CF_ALIGNMENT, CF_ALIGNMENT + size);
    }
    if (!block)
        return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (size >= HUGE_FROM) {
        /* Advice only, for the whole pages inside the block: whether it is taken does not matter. */
        const uintptr_t start = ((uintptr_t)block + PAGE - 1) / PAGE * PAGE;
        madvise((void *)start, (size_t)((uintptr_t)block + size - start) / PAGE * PAGE,
                MADV_HUGEPAGE);
    }
#endif
    block->size = size;
    return block;
}

char *cf_allocate(size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    /* Whole cache lines, and one more. */
    size = (size + 2 * CF_ALIGNMENT - 1) / CF_ALIGNMENT * CF_ALIGNMENT;
    header *block = size >= KEPT_FROM ? reuse(size) : NULL;
    if (!block)
        block = fresh(size);
    if (!block)
        return NULL;
    atomic_fetch_add(&in_use, block->size);
    return (char *)block + CF_ALIGNMENT;
}

void cf_release(char *data)
{
    if (!data)
        return;
    header *block = (header *)(data - CF_ALIGNMENT);
    atomic_fetch_sub(&in_use, block->size);
    if (block->size >= KEPT_FROM)
        keep(block);
    else
        free(block);
}

size_t cf_size(const char *data) { return ((const header *)(data - CF_ALIGNMENT))->size; }

cf_memory cf_memory_now(void)
{
    cf_memory now = {.in_use = atomic_load(&in_use), .limit = most_kept_bytes()};
    pthread_mutex_lock(&kept.lock);
    now.kept = kept.bytes;
    now.reused = kept.reused;
    pthread_mutex_unlock(&kept.lock);
    return now;
}

static void lock(void) { pthread_mutex_lock(&kept.lock); }

static void unlock(void) { pthread_mutex_unlock(&kept.lock); }

void cf_guard_memory(void) { pthread_atfork(lock, unlock, unlock); }
