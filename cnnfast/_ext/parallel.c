#include "parallel.h"

#if defined(_OPENMP)
#include <omp.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

static int forked_child = 0;

void cf_parallel(cf_task task, void *context, ptrdiff_t items, int threads)
{
#if defined(_OPENMP)
    if (threads > 1 && items > 1 && !forked_child) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (ptrdiff_t i = 0; i < items; i++)
            task(context, i, omp_get_thread_num());
        return;
    }
#else
    (void)threads;
#endif
    for (ptrdiff_t i = 0; i < items; i++)
        task(context, i, 0);
}

int cf_openmp_threads(void)
{
#if defined(_OPENMP)
    return omp_get_max_threads();
#else
    return 1;
#endif
}

int cf_has_openmp(void)
{
#if defined(_OPENMP)
    return 1;
#else
    return 0;
#endif
}

int cf_is_forked_child(void) { return forked_child; }

#if defined(_WIN32)
void cf_guard_fork(void) {}
#else
static void mark_child(void) { forked_child = 1; }

void cf_guard_fork(void) { pthread_atfork(NULL, NULL, mark_child); }
#endif
