#include "memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap.h"

/* Blocks from this size on lie in one range of addresses, whose pages stay with the process when a
 * block is released: fresh pages cost as much as a layer. The range is as long as half of the
 * memory that there is; pages that never were in use cost nothing. */
#define FROM ((size_t)64 << 10)
#define HUGE_PAGE ((size_t)2 << 20)

/* What precedes a block, in a cache line of its own. */
typedef struct {
    size_t size; /* of what follows */
} header;

static atomic_size_t in_use;

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    char *data;
    cf_heap heap;
    size_t kept, reused;
} range = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

/* How many bytes a container's file allows. */
static size_t allowed(const char *name)
{
    unsigned long long bytes = SIZE_MAX;
    FILE *file = fopen(name, "r");
    if (!file)
        return SIZE_MAX;
    const int found = fscanf(file, "%llu", &bytes); /* not where it says "max" */
    fclose(file);
    return found == 1 && bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX;
}

/* Of the machine, and of the container in it: its cgroup, of version 2 or 1. */
static size_t memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0)
        return 0;
    size_t size = (size_t)pages * (size_t)page;
    const size_t limits[] = {allowed("/sys/fs/cgroup/memory.max"),
                             allowed("/sys/fs/cgroup/memory/memory.limit_in_bytes")};
    for (int i = 0; i < 2; i++)
        if (limits[i] < size)
            size = limits[i];
    return size;
}

static void reserve(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return; /* the sanitizer knows the ends of the blocks that malloc gives */
#endif
    const size_t size = memory() / 2 / HUGE_PAGE * HUGE_PAGE;
    if (!size)
        return;
    char *data = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return;
    range.data = (char *)(((uintptr_t)data + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    range.heap.size = size;
#if defined(MADV_HUGEPAGE)
    madvise(range.data, size, MADV_HUGEPAGE); /* advice: whether it is taken does not matter */
#endif
}

/* A block in the range; NULL if there is no room in it. */
static header *take(size_t size)
{
    size_t fresh;
    pthread_once(&range.once, reserve);
    pthread_mutex_lock(&range.lock);
    const ptrdiff_t start = cf_heap_take(&range.heap, size, &fresh);
    if (start >= 0 && fresh < size) {
        const size_t again = size - fresh;
        range.kept -= again < range.kept ? again : range.kept;
        range.reused++;
    }
    pthread_mutex_unlock(&range.lock);
    return start < 0 ? NULL : (header *)(range.data + start);
}

static void give(header *block)
{
    const size_t start = (size_t)((char *)block - range.data);
    pthread_mutex_lock(&range.lock);
    range.kept += CF_ALIGNMENT + block->size;
    cf_heap_give(&range.heap, start);
    pthread_mutex_unlock(&range.lock);
}

static int in_range(const header *block)
{
    return range.data && (uintptr_t)block >= (uintptr_t)range.data &&
           (uintptr_t)block < (uintptr_t)range.data + range.heap.size;
}

void cf_empty_cache(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    pthread_mutex_lock(&range.lock);
    for (int i = 0; i < range.heap.count; i++) {
        const size_t start = (range.heap.starts[i] + page - 1) / page * page;
        const size_t end = range.heap.starts[i + 1] / page * page;
        if (!range.heap.used[i] && end > start)
            madvise(range.data + start, end - start, MADV_DONTNEED);
    }
    range.kept = 0;
    pthread_mutex_unlock(&range.lock);
}

char *cf_allocate(size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    /* Whole cache lines, and one more. */
    size = (size + 2 * CF_ALIGNMENT - 1) / CF_ALIGNMENT * CF_ALIGNMENT;
    header *block = size >= FROM ? take(CF_ALIGNMENT + size) : NULL;
    if (!block)
        block = aligned_alloc(CF_ALIGNMENT, CF_ALIGNMENT + size);
    if (!block)
        return NULL;
    block->size = size;
    atomic_fetch_add(&in_use, size);
    return (char *)block + CF_ALIGNMENT;
}

void cf_release(char *data)
{
    if (!data)
        return;
    header *block = (header *)(data - CF_ALIGNMENT);
    atomic_fetch_sub(&in_use, block->size);
    if (in_range(block))
        give(block);
    else
        free(block);
}

size_t cf_size(const char *data) { return ((const header *)(data - CF_ALIGNMENT))->size; }

cf_memory cf_memory_now(void)
{
    cf_memory now = {.in_use = atomic_load(&in_use)};
    pthread_once(&range.once, reserve);
    pthread_mutex_lock(&range.lock);
    now.limit = range.heap.size;
    now.kept = range.kept;
    now.reused = range.reused;
    pthread_mutex_unlock(&range.lock);
    return now;
}

static void lock(void) { pthread_mutex_lock(&range.lock); }

static void unlock(void) { pthread_mutex_unlock(&range.lock); }

void cf_guard_memory(void) { pthread_atfork(lock, unlock, unlock); }
