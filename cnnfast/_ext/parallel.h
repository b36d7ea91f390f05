/* The only door to OpenMP. */
#ifndef CNNFAST_PARALLEL_H
#define CNNFAST_PARALLEL_H

#include <stddef.h>

typedef void (*cf_task)(void *context, ptrdiff_t item, int thread);

/* Run task(context, i, t) for every i < items, on up to `threads` threads numbered t < threads.
 * Which thread takes which item is left open: a task's result must not depend on it. */
void cf_parallel(cf_task task, void *context, ptrdiff_t items, int threads);

/* Threads that OpenMP would use for the calling thread: what OMP_NUM_THREADS, omp_set_num_threads
 * and threadpoolctl set; 1 in a serial build. */
int cf_openmp_threads(void);
int cf_has_openmp(void);

/* From here on a forked child of this process runs serially: GNU OpenMP hangs in a child that uses
 * a pool its parent has started. */
void cf_guard_fork(void);
int cf_is_forked_child(void);

#endif
