/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench pool-cursor: what it costs threads to share one pool of 4,096 slots, by five schemes.
 *
 * The row's value is the shipped scheme, magazines, and its peers are the others, so that the goal
 * says whether the shipped one is the fastest measured.  An operation is a get, a write into the
 * slot and a put.  "Raw" is the same loop over slots of the thread's own, and for the hand-over the
 * queue between the two threads without a pool.  Repeats of all schemes take turns.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <danpool/pool.h>

#include "cursor_schemes.h"
#include "harness.h"

#define OPS       1000000u
#define OPS_QUICK 20000u
#define HELD      64u
#define QUEUE     1024u

typedef enum loop_kind { LOOP_PAIR, LOOP_HELD, LOOP_SCARCE, LOOP_HAND_OVER } loop_kind;

typedef struct queue {
    _Alignas(64) atomic_uint pushed;
    _Alignas(64) atomic_uint popped;
    _Alignas(64) uint32_t slots[QUEUE];
} queue;

typedef struct loop {
    const cursor_scheme *scheme; /* NULL: the pool itself */
    cursor_state *state;
    dp_pool *pool;
    loop_kind kind;
    unsigned ops;
    queue queue;
    pthread_barrier_t start;
} loop;

typedef struct loop_thread {
    loop *of;
    unsigned number;
    double ns; /* for all ops, without what other programs held the core */
    bool failed;
} loop_thread;

/* --- loops --- */

/* Takes one for sure; nobody holds more than a small part of the slots. */
static uint32_t take(loop_thread *self)
{
    loop *of = self->of;
    uint32_t slot = of->scheme->get(of->state, self->number);
    while (slot == CURSOR_NONE) {
        sched_yield(); /* the other thread has them on their way back */
        slot = of->scheme->get(of->state, self->number);
    }
    of->state->slots[slot].owner = self->number;
    return slot;
}

/* A slot that was handed to two threads at once shows here, most of the time. */
static void give(loop_thread *self, uint32_t slot, unsigned taker)
{
    loop *of = self->of;
    self->failed |= of->state->slots[slot].owner != taker;
    of->scheme->put(of->state, self->number, slot);
}

static void loop_pair(loop_thread *self)
{
    for (unsigned i = 0; i < self->of->ops; i++) {
        give(self, take(self), self->number);
    }
}

/* Holds HELD slots and puts the oldest for each that it takes. */
static void loop_held(loop_thread *self)
{
    uint32_t held[HELD];
    for (unsigned i = 0; i < HELD; i++) {
        held[i] = take(self);
    }
    for (unsigned i = 0; i < self->of->ops; i++) {
        give(self, held[i % HELD], self->number);
        held[i % HELD] = take(self);
    }
    for (unsigned i = 0; i < HELD; i++) {
        give(self, held[i], self->number);
    }
}

/* Thread 0 takes, thread 1 gives back. */
static void loop_hand_over(loop_thread *self)
{
    queue *between = &self->of->queue;
    for (unsigned i = 0; i < self->of->ops; i++) {
        if (self->number == 0) {
            uint32_t slot = take(self);
            while (i - atomic_load_explicit(&between->popped, memory_order_acquire) >= QUEUE) {
            }
            between->slots[i % QUEUE] = slot;
            atomic_store_explicit(&between->pushed, i + 1, memory_order_release);
        } else {
            while (atomic_load_explicit(&between->pushed, memory_order_acquire) == i) {
            }
            uint32_t slot = between->slots[i % QUEUE];
            atomic_store_explicit(&between->popped, i + 1, memory_order_release);
            give(self, slot, 0);
        }
    }
}

/* The pool's own call, with everything that it does besides: references, routing, counters. */
static void loop_pool(loop_thread *self)
{
    const dp_request request = {.size_bytes = 64, .need = DP_NEED_HOST};
    for (unsigned i = 0; i < self->of->ops; i++) {
        dp_buf *buf = NULL;
        if (dp_get(self->of->pool, &request, &buf) != DP_OK) {
            self->failed = true;
            return;
        }
        *(uint32_t *)dp_buf_data(buf) = self->number;
        dp_put(buf);
    }
}

static void *thread_main(void *user)
{
    loop_thread *self = user;
    (void)bench_pin((int)self->number);
    (void)pthread_barrier_wait(&self->of->start);
    uint64_t start = bench_now_ns();
    uint64_t waited = bench_thread_wait_ns();
    if (self->of->scheme == NULL) {
        loop_pool(self);
    } else if (self->of->kind == LOOP_HELD) {
        loop_held(self);
    } else if (self->of->kind == LOOP_HAND_OVER) {
        loop_hand_over(self);
    } else {
        loop_pair(self);
    }
    waited = bench_thread_wait_ns() - waited; /* within the clock, so never more than it shows */
    self->ns = (double)(bench_now_ns() - start - waited);
    return NULL;
}

/* Nanoseconds an operation, the mean of the threads; false when a slot had two owners. */
static bool loop_run(loop *of, unsigned threads, double *ns_out)
{
    loop_thread each[CURSOR_THREADS_MAX];
    pthread_t ids[CURSOR_THREADS_MAX];
    memset(&of->queue, 0, sizeof of->queue);
    (void)pthread_barrier_init(&of->start, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        each[i] = (loop_thread){.of = of, .number = i};
        if (pthread_create(&ids[i], NULL, thread_main, &each[i]) != 0) {
            return false;
        }
    }
    double ns = 0;
    bool failed = false;
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(ids[i], NULL);
        ns += each[i].ns / (double)of->ops / (double)threads;
        failed |= each[i].failed;
    }
    (void)pthread_barrier_destroy(&of->start);
    *ns_out = ns;
    return !failed;
}

/* Takes all but a few slots for the whole run, spread evenly: two magazines a thread, and two. */
static void make_scarce(const cursor_scheme *scheme, cursor_state *state, unsigned threads)
{
    unsigned stride = CURSOR_SLOTS / (128 + 128 * threads);
    for (uint32_t i = 0; i < CURSOR_SLOTS; i++) {
        (void)scheme->get(state, 0);
    }
    for (uint32_t slot = 0; slot<CURSOR_SLOTS; slot += stride> 0 ? stride : 1) {
        scheme->put(state, 0, slot);
    }
}

static bool scheme_run(const cursor_scheme *scheme, loop_kind kind, unsigned threads, unsigned ops,
                       double *ns)
{
    static loop of;
    of.scheme = scheme;
    of.kind = kind;
    of.ops = ops;
    of.state = cursor_create(scheme, threads);
    if (of.state == NULL) {
        return false;
    }
    if (kind == LOOP_SCARCE && scheme != &cursor_schemes[CURSOR_RAW]) {
        make_scarce(scheme, of.state, threads);
    }
    bool ok = loop_run(&of, threads, ns);
    cursor_destroy(of.state);
    return ok;
}

/* --- rows --- */

static const char *const kind_names[] = {
    [LOOP_PAIR] = "get+put",
    [LOOP_HELD] = "get+put, 64 held",
    [LOOP_SCARCE] = "get+put, few free",
    [LOOP_HAND_OVER] = "A gets, B puts",
};

static void scheme_row(bench *b, loop_kind kind, unsigned threads)
{
    static bench_samples values[CURSOR_SCHEMES];
    unsigned ops = bench_is_quick(b) ? OPS_QUICK : OPS;
    char name[64];
    (void)snprintf(name, sizeof name, "%s, %u thread%s", kind_names[kind], threads,
                   threads == 1 ? "" : "s");
    if (!bench_wants(b, name)) {
        return;
    }
    memset(values, 0, sizeof values);
    for (int i = 0; i < bench_repeats(b); i++) {
        for (size_t s = 0; s < CURSOR_SCHEMES; s++) {
            double ns = 0;
            if (!scheme_run(&cursor_schemes[s], kind, threads, ops, &ns)) {
                bench_fail(b, "%s: %s failed, or gave a slot to two threads", name,
                           cursor_schemes[s].name);
                return;
            }
            bench_samples_add(&values[s], ns);
        }
    }
    char note[64];
    double raw = bench_samples_quantile(&values[CURSOR_RAW], 0.5);
    (void)snprintf(note, sizeof note, "raw loop %.1f ns", raw);
    const bench_samples *ours = &values[CURSOR_MAGAZINES];
    bench_row row = {.name = name,
                     .unit = "ns",
                     .value = bench_samples_quantile(ours, 0.5),
                     .min = bench_samples_min(ours),
                     .p50 = bench_samples_quantile(ours, 0.5),
                     .p99 = bench_samples_quantile(ours, 0.99),
                     .goal = {BENCH_GOAL_RATIO_MAX, 1.0, false},
                     .note = note};
    for (size_t s = CURSOR_SHARED; s < CURSOR_MAGAZINES; s++) {
        row.peers[row.peer_count++] =
            (bench_peer){cursor_schemes[s].name, bench_samples_quantile(&values[s], 0.5),
                         bench_samples_quantile(&values[s], 0.99)};
    }
    bench_emit(b, &row);
}

static void pool_row(bench *b, dp_pool *pool, unsigned threads)
{
    static bench_samples values;
    static loop of;
    char name[64];
    (void)snprintf(name, sizeof name, "the pool's dp_get+dp_put 64 B, %u thread%s", threads,
                   threads == 1 ? "" : "s");
    if (!bench_wants(b, name)) {
        return;
    }
    values.count = 0;
    of.pool = pool;
    of.ops = bench_is_quick(b) ? OPS_QUICK : OPS;
    for (int i = 0; i < bench_repeats(b); i++) {
        double ns = 0;
        if (!loop_run(&of, threads, &ns)) {
            bench_fail(b, "%s: the pool could not serve a request", name);
            return;
        }
        bench_samples_add(&values, ns);
    }
    bench_row row = {.name = name,
                     .unit = "ns",
                     .value = bench_samples_quantile(&values, 0.5),
                     .min = bench_samples_min(&values),
                     .p50 = bench_samples_quantile(&values, 0.5),
                     .p99 = bench_samples_quantile(&values, 0.99),
                     .note = "the same magazines with references, routing and counters"};
    bench_emit(b, &row);
}

/* 1, 2, 4 ... and as many as there are cores. */
static unsigned next_threads(unsigned threads, unsigned cores)
{
    return threads * 2 < cores || threads == cores ? threads * 2 : cores;
}

static int run(bench *b)
{
    unsigned cores = (unsigned)bench_cores();
    cores = cores < CURSOR_THREADS_MAX ? cores : CURSOR_THREADS_MAX;
    for (loop_kind kind = LOOP_PAIR; kind <= LOOP_SCARCE; kind++) {
        for (unsigned threads = 1; threads <= cores; threads = next_threads(threads, cores)) {
            scheme_row(b, kind, threads);
        }
    }
    if (cores >= 2) {
        scheme_row(b, LOOP_HAND_OVER, 2);
    } else {
        bench_skip(b, kind_names[LOOP_HAND_OVER], "needs a core for each thread");
    }
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    dp_pool *pool = NULL;
    if (dp_pool_create(&config, &pool) != DP_OK) {
        bench_fail(b, "no pool");
        return bench_close(b);
    }
    for (unsigned threads = 1; threads <= cores; threads = next_threads(threads, cores)) {
        pool_row(b, pool, threads);
    }
    dp_pool_destroy(pool);
    return bench_close(b);
}

int main(int argc, char **argv)
{
    static const bench_config config = {
        .name = "pool-cursor",
        .summary = "threads that share one pool of 4,096 slots, by five schemes",
        .repeats_default = 11,
        .repeats_quick = 1,
    };
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    return b == NULL ? status : run(b);
}
