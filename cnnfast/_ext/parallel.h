/* The only door to threads: a small pool of its own.
 *
 * OpenMP ends a parallel loop with a barrier that every thread of the team must reach, also one
 * that the system has not let run yet and that has nothing left to do. Where the processors are
 * shared, each small loop then waits for a time slice of milliseconds. Here the caller works
 * through the items itself and waits only for threads that have begun one.
 */
#ifndef CNNFAST_PARALLEL_H
#define CNNFAST_PARALLEL_H

#include "recording.h"

/* Run task(context, i, t) for every i < items, on up to `threads` threads numbered t < threads, of
 * which the caller is number 0. Which thread takes which item is left open: a task's result must
 * not depend on it. While one caller uses the pool, others run their tasks alone. While the calling
 * thread records, nothing is run: the `size` bytes of the context are copied; see recording.h. */
void cf_parallel(cf_task task, void *context, size_t size, ptrdiff_t items, int threads);

/* A forked child has none of its parent's threads: from here on it starts with an empty pool. */
void cf_guard_fork(void);

/* Threads that OpenMP would use for the calling thread, which OMP_NUM_THREADS and threadpoolctl
 * limit; 0 where the compiler has no OpenMP. */
int cf_openmp_threads(void);

#endif
