#include "recording.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"

typedef struct {
    cf_task task;
    void *context;
    size_t size; /* of the context */
    ptrdiff_t items;
    int threads;
} job;

typedef struct {
    char *block;
    void (*release)(char *block);
} kept_block;

/* A pointer in some job's context that is `offset` bytes into what slot `slot` points to. */
typedef struct {
    char **pointer;
    ptrdiff_t offset;
    int slot;
} binding;

struct cf_recording {
    job *jobs;
    kept_block *kept;
    binding *bindings;
    size_t n_jobs, n_kept, n_bindings;
    char *scratch;
    size_t scratch_size, scratch_wanted, kept_bytes;
    int threads, failed;
};

static _Thread_local cf_recording *current;

cf_recording *cf_new_recording(void)
{
    cf_recording *recording = calloc(1, sizeof(*recording));
    if (recording)
        recording->threads = 1;
    return recording;
}

void cf_free_recording(cf_recording *recording)
{
    if (!recording)
        return;
    for (size_t i = 0; i < recording->n_jobs; i++)
        free(recording->jobs[i].context);
    for (size_t i = 0; i < recording->n_kept; i++)
        recording->kept[i].release(recording->kept[i].block);
    free(recording->jobs);
    free(recording->kept);
    free(recording->bindings);
    free(recording);
}

void cf_set_recording(cf_recording *recording) { current = recording; }

cf_recording *cf_get_recording(void) { return current; }

/* Room for one more at the end of an array of `count`, whose capacity is the next power of two. */
static int grown(void **array, size_t count, size_t itemsize)
{
    if (count & (count - 1))
        return 1; /* not a power of two: there is room */
    void *larger = realloc(*array, (count ? 2 * count : 1) * itemsize);
    if (larger)
        *array = larger;
    return larger != NULL;
}

int cf_record(cf_task task, const void *context, size_t size, ptrdiff_t items, int threads)
{
    if (!current)
        return 0;
    void *copy = malloc(size ? size : 1);
    if (!copy || !grown((void **)&current->jobs, current->n_jobs, sizeof(job))) {
        free(copy);
        current->failed = 1;
        return 1;
    }
    memcpy(copy, context, size);
    current->jobs[current->n_jobs++] =
        (job){.task = task, .context = copy, .size = size, .items = items, .threads = threads};
    if (threads > current->threads)
        current->threads = threads;
    return 1;
}

int cf_keep(char *block, size_t size, void (*release)(char *block))
{
    if (!current)
        return 0;
    if (!grown((void **)&current->kept, current->n_kept, sizeof(kept_block))) {
        current->failed = 1;
        return 0;
    }
    current->kept[current->n_kept++] = (kept_block){.block = block, .release = release};
    current->kept_bytes += size;
    return 1;
}

char *cf_shared_scratch(size_t size)
{
    if (!current)
        return NULL;
    if (size > current->scratch_wanted)
        current->scratch_wanted = size;
    return current->scratch ? current->scratch : (char *)current;
}

void cf_give_scratch(cf_recording *recording, char *scratch, size_t size)
{
    recording->scratch = scratch;
    recording->scratch_size = size;
}

cf_recorded cf_describe(const cf_recording *recording)
{
    return (cf_recorded){
        .jobs = recording->n_jobs,
        .scratch = recording->scratch_wanted,
        .kept = recording->kept_bytes,
        .threads = recording->threads,
        .failed = recording->failed || (recording->scratch &&
                                        recording->scratch_wanted > recording->scratch_size),
    };
}

ptrdiff_t cf_bind(cf_recording *recording, int slot, const char *base, size_t size)
{
    ptrdiff_t found = 0;
    for (size_t i = 0; i < recording->n_jobs; i++) {
        char **const words = recording->jobs[i].context;
        for (size_t w = 0; w < recording->jobs[i].size / sizeof(char *); w++) {
            /* No other number can be mistaken for an address that is in use. */
            if ((uintptr_t)words[w] - (uintptr_t)base >= size)
                continue;
            if (!grown((void **)&recording->bindings, recording->n_bindings, sizeof(binding)))
                return -1;
            recording->bindings[recording->n_bindings++] =
                (binding){.pointer = &words[w], .offset = words[w] - base, .slot = slot};
            found++;
        }
    }
    return found;
}

void cf_move(cf_recording *recording, int slot, char *base)
{
    for (size_t i = 0; i < recording->n_bindings; i++)
        if (recording->bindings[i].slot == slot)
            *recording->bindings[i].pointer = base + recording->bindings[i].offset;
}

void cf_replay(const cf_recording *recording, size_t first, size_t last, int threads)
{
    for (size_t i = first; i < last; i++) {
        const job *j = &recording->jobs[i];
        cf_parallel(j->task, j->context, j->size, j->items,
                    j->threads < threads ? j->threads : threads);
    }
}
