// A persistent thread pool for fork-join work of a few microseconds or more: idle workers spin for a moment, then park.
#include "CLSTMKernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif

enum {
  MOST_WORKERS = 254,
  SPINS = 4000, // about 50 microseconds, longer than the gaps within a training step
};

static struct {
  pthread_mutex_t running; // held by the thread whose job the pool runs
  pthread_mutex_t parking;
  pthread_cond_t wake;
  // The job's number times 256, plus the number of threads that take part in it: a worker that takes no part must not read
  // the other fields, which may already belong to the next job.
  atomic_size_t generation;
  atomic_size_t pending; // unfinished parts of workers
  // For each part the generation in which it was last taken, by its own worker or, if that one is not running, by the caller
  // that waits for it. So on a busy machine nobody waits for a thread that has no processor.
  atomic_size_t taken[256];
  atomic_size_t parked;
  size_t workers;
  // The job; written before `generation` moves, read by those who have a part in it.
  lstmk_task task;
  void *context;
  size_t threads;
} pool = {.running = PTHREAD_MUTEX_INITIALIZER, .parking = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static size_t await_job(size_t seen) {
  for (int spin = 0; spin < SPINS; spin++) {
    size_t now = atomic_load_explicit(&pool.generation, memory_order_acquire);
    if (now != seen) return now;
    PAUSE();
  }
  pthread_mutex_lock(&pool.parking);
  atomic_fetch_add(&pool.parked, 1);
  size_t now;
  while ((now = atomic_load(&pool.generation)) == seen) pthread_cond_wait(&pool.wake, &pool.parking);
  atomic_fetch_sub(&pool.parked, 1);
  pthread_mutex_unlock(&pool.parking);
  return now;
}

// Takes a part of this generation; returns whether it was still free. While it is taken, `pool` keeps its job.
static int take(size_t part, size_t generation) {
  size_t last = atomic_load_explicit(&pool.taken[part], memory_order_relaxed);
  return last < generation && atomic_compare_exchange_strong(&pool.taken[part], &last, generation);
}

typedef struct {
  size_t index, seen;
} worker_start;

static void *work(void *argument) {
  // The slot was filled before the thread was made and is not reused.
  const worker_start *start = argument;
  const size_t index = start->index;
  size_t seen = start->seen;
  lstmk_begin_computing();
  for (;;) {
    seen = await_job(seen);
    if (index >= (seen & 255) || !take(index, seen)) continue;
    pool.task(pool.context, index, pool.threads);
    atomic_fetch_sub_explicit(&pool.pending, 1, memory_order_release);
  }
  return NULL;
}

static void add_workers(size_t wanted) {
  static worker_start starts[MOST_WORKERS];
  if (wanted > MOST_WORKERS) wanted = MOST_WORKERS;
  while (pool.workers < wanted) {
    pthread_t thread;
    worker_start *start = &starts[pool.workers];
    start->index = pool.workers + 1;
    start->seen = atomic_load(&pool.generation);
    if (pthread_create(&thread, NULL, work, start) != 0) return;
    pthread_detach(thread);
    pool.workers++;
  }
}

static void run(size_t threads, lstmk_task task, void *context) {
  // If the pool is busy, or within a job, the calling thread does all of the work: the parts are independent.
  if (threads <= 1 || pthread_mutex_trylock(&pool.running) != 0) {
    for (size_t thread = 0; thread < threads; thread++) task(context, thread, threads);
    return;
  }
  add_workers(threads - 1);
  const size_t helpers = pool.workers < threads - 1 ? pool.workers : threads - 1;
  pool.task = task;
  pool.context = context;
  pool.threads = threads;
  atomic_store_explicit(&pool.pending, helpers, memory_order_relaxed);
  const size_t generation = (atomic_load(&pool.generation) & ~(size_t)255) + 256 + helpers + 1;
  atomic_store(&pool.generation, generation);
  if (atomic_load(&pool.parked) > 0) {
    pthread_mutex_lock(&pool.parking);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.parking);
  }
  task(context, 0, threads);
  // Parts without a worker.
  for (size_t thread = helpers + 1; thread < threads; thread++) task(context, thread, threads);
  // Parts that no worker has taken yet.
  for (size_t thread = 1; thread <= helpers; thread++) {
    if (!take(thread, generation)) continue;
    task(context, thread, threads);
    atomic_fetch_sub_explicit(&pool.pending, 1, memory_order_release);
  }
  for (size_t spin = 0; atomic_load_explicit(&pool.pending, memory_order_acquire) > 0; spin++) {
    if (spin < SPINS) PAUSE();
    else sched_yield();
  }
  pthread_mutex_unlock(&pool.running);
}

void lstmk_run(size_t threads, lstmk_task task, void *context) {
  const uint64_t before = lstmk_begin_computing();
  run(threads, task, context);
  lstmk_end_computing(before);
}

// A Swift closure of one integer in Swift's calling convention; see `runParts` in Kernels.swift.
typedef __attribute__((swiftcall)) void (*swift_body)(size_t part, __attribute__((swift_context)) void *context);

typedef struct {
  swift_body body;
  void *context;
} swift_closure;

static void call_closure(void *context, size_t thread, size_t threads) {
  (void)threads;
  const swift_closure *closure = context;
  closure->body(thread, closure->context);
}

__attribute__((swiftcall)) void lstmk_run_closure(size_t parts, swift_body body, void *context) {
  swift_closure closure = {body, context};
  lstmk_run(parts, call_closure, &closure);
}
