#define _GNU_SOURCE /* for processor sets */
#include "parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#if defined(_OPENMP)
#include <omp.h>
#endif

/* Looks at the next job before a worker goes to sleep, some tens of microseconds: the kernels of a
 * network follow each other faster than a sleeping thread is woken. */
#define SPINS 2000
#define MOST_WORKERS 1023

/* Items that one thread begins with, and others take when their own are done: what a thread had in
 * its cache after one operation it then finds there in the next. */
typedef struct {
    _Atomic ptrdiff_t next;
    ptrdiff_t end;
    char rest_of_cache_line[48];
} share;

static struct {
    /* The job. Valid while `open` is not 0, and for those who counted themselves in `active`
     * before they saw that. */
    cf_task task;
    void *context;
    int threads;
    share shares[MOST_WORKERS + 1];
    atomic_int open, active;

    atomic_flag taken; /* by the one caller who may give out a job */
    atomic_ulong jobs; /* given out so far */
    atomic_int sleeping;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int workers;
} pool = {.taken = ATOMIC_FLAG_INIT,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER};

/* A sleeping thread is at times woken on the caller's processor, and then waits for milliseconds
 * behind the very caller it is to help. So the caller bars his processor to it while he wakes it;
 * awake it may again run anywhere. All of this happens under the pool's lock. */
#if defined(__linux__)
static struct {
    pthread_t thread;
    int asleep, barred;
    cpu_set_t allowed;
} sleepers[MOST_WORKERS + 1];

static void fall_asleep(int thread)
{
    sleepers[thread].thread = pthread_self();
    sleepers[thread].asleep = 1;
}

static void bar_processor(int threads)
{
    const int here = sched_getcpu();
    for (int i = 1; i < threads; i++) {
        cpu_set_t others;
        if (!sleepers[i].asleep || sleepers[i].barred ||
            pthread_getaffinity_np(sleepers[i].thread, sizeof(others), &others))
            continue;
        sleepers[i].allowed = others;
        CPU_CLR(here, &others);
        sleepers[i].barred = CPU_COUNT(&others) > 0 &&
                             !pthread_setaffinity_np(sleepers[i].thread, sizeof(others), &others);
    }
}

static void awake(int thread)
{
    sleepers[thread].asleep = 0;
    if (sleepers[thread].barred)
        pthread_setaffinity_np(pthread_self(), sizeof(cpu_set_t), &sleepers[thread].allowed);
    sleepers[thread].barred = 0;
}

static void forget_sleepers(void) { memset(sleepers, 0, sizeof(sleepers)); }
#else
static void fall_asleep(int thread) { (void)thread; }
static void bar_processor(int threads) { (void)threads; }
static void awake(int thread) { (void)thread; }
static void forget_sleepers(void) {}
#endif

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work(int thread)
{
    for (int i = 0; i < pool.threads; i++) {
        share *from = &pool.shares[(thread + i) % pool.threads];
        for (;;) {
            const ptrdiff_t item = atomic_fetch_add(&from->next, 1);
            if (item >= from->end)
                break;
            pool.task(pool.context, item, thread);
        }
    }
}

static unsigned long wait_for_job(int thread, unsigned long seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&pool.jobs) != seen)
            return atomic_load(&pool.jobs);
        relax();
    }
    pthread_mutex_lock(&pool.lock);
    fall_asleep(thread);
    atomic_fetch_add(&pool.sleeping, 1);
    while (atomic_load(&pool.jobs) == seen)
        pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleeping, 1);
    awake(thread);
    pthread_mutex_unlock(&pool.lock);
    return atomic_load(&pool.jobs);
}

static void *worker(void *number)
{
    const int thread = (int)(ptrdiff_t)number;
    unsigned long seen = 0;
    for (;;) {
        seen = wait_for_job(thread, seen);
        atomic_fetch_add(&pool.active, 1);
        if (atomic_load(&pool.open) && thread < pool.threads)
            work(thread);
        atomic_fetch_sub(&pool.active, 1);
    }
    return NULL;
}

/* Start workers until there are `wanted`, or as many as the system gives. */
static void start_workers(int wanted)
{
    sigset_t all, before;
    pthread_attr_t detached;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the threads that were there */
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    while (pool.workers < wanted && pool.workers < MOST_WORKERS) {
        pthread_t thread;
        if (pthread_create(&thread, &detached, worker, (void *)(ptrdiff_t)(pool.workers + 1)))
            break;
        pool.workers++;
    }
    pthread_attr_destroy(&detached);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void cf_parallel(cf_task task, void *context, size_t size, ptrdiff_t items, int threads)
{
    if (cf_record(task, context, size, items, threads))
        return;
    if (threads <= 1 || items <= 1 || atomic_flag_test_and_set(&pool.taken)) {
        for (ptrdiff_t i = 0; i < items; i++)
            task(context, i, 0);
        return;
    }
    if (threads > items)
        threads = (int)items;
    start_workers(threads - 1);

    pool.task = task;
    pool.context = context;
    pool.threads = threads;
    for (int i = 0; i < threads; i++) {
        atomic_store(&pool.shares[i].next, items * i / threads);
        pool.shares[i].end = items * (i + 1) / threads;
    }
    atomic_store(&pool.open, 1);
    atomic_fetch_add(&pool.jobs, 1);
    if (atomic_load(&pool.sleeping)) {
        pthread_mutex_lock(&pool.lock);
        bar_processor(threads);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
    work(0);
    atomic_store(&pool.open, 0);
    for (int i = 0; atomic_load(&pool.active); i++) {
        if (i < SPINS)
            relax();
        else
            sched_yield(); /* the worker may be waiting for this very processor */
    }
    atomic_flag_clear(&pool.taken);
}

static void empty_pool(void)
{
    pool.workers = 0;
    atomic_store(&pool.open, 0);
    atomic_store(&pool.active, 0);
    atomic_store(&pool.sleeping, 0);
    forget_sleepers();
    atomic_flag_clear(&pool.taken);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
}

void cf_guard_fork(void) { pthread_atfork(NULL, NULL, empty_pool); }

int cf_openmp_threads(void)
{
#if defined(_OPENMP)
    return omp_get_max_threads();
#else
    return 0;
#endif
}
