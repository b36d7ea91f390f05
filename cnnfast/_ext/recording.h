/* Kernels taken down instead of run, to be run later, often, without planning them again.
 *
 * Every kernel plans first (shapes, tiles, tables, memory) and then hands a plain struct to
 * `cf_parallel`, which does all the arithmetic. So while a thread records, `cf_parallel` copies that
 * struct and returns, and the tables that the kernel would then release are kept. Replaying is a
 * loop over the copies.
 */
#ifndef CNNFAST_RECORDING_H
#define CNNFAST_RECORDING_H

#include <stddef.h>

typedef void (*cf_task)(void *context, ptrdiff_t item, int thread);

typedef struct cf_recording cf_recording;

/* NULL if there is no memory. The blocks it keeps go back through the functions they came with. */
cf_recording *cf_new_recording(void);
void cf_free_recording(cf_recording *recording);

/* Make `recording` that of the calling thread; NULL ends it. */
void cf_set_recording(cf_recording *recording);
cf_recording *cf_get_recording(void);

/* What the calling thread's recording takes in; all return 0 if there is none. */
int cf_record(cf_task task, const void *context, size_t size, ptrdiff_t items, int threads);
int cf_keep(char *block, size_t size, void (*release)(char *block));
/* Scratch that is used only while a kernel runs, so all kernels share it. Until `cf_give_scratch`
 * it can not be written to: a first recording finds out how much is wanted. */
char *cf_shared_scratch(size_t size);

void cf_give_scratch(cf_recording *recording, char *scratch, size_t size);

/* What it came to. `failed` tells that memory ran out while recording. */
typedef struct {
    size_t jobs, scratch, kept;
    int threads, failed;
} cf_recorded;
cf_recorded cf_describe(const cf_recording *recording);

/* Let the pointers into the `size` bytes from `base` follow as slot number `slot` is moved. Returns
 * how many there are, -1 without memory. */
ptrdiff_t cf_bind(cf_recording *recording, int slot, const char *base, size_t size);
void cf_move(cf_recording *recording, int slot, char *base);

/* Run jobs first..last-1 on at most `threads` threads. */
void cf_replay(const cf_recording *recording, size_t first, size_t last, int threads);

#endif
