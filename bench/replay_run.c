/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lanes of a replay.  A slot holds what its get returned; the get stores it with release, a put
 * on another lane waits for it with acquire, as the recorded program will have handed it over.
 * What a pass leaves held is put after it, outside the clock.  Like pool_work.c this file is
 * compiled with -fno-builtin.
 */
#include "replay_run.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/buf.h>

#define RUN_NS    50000000u
#define SPINS_MAX 200u /* before the core is offered to the lane that is waited for */

typedef struct replay {
    const replay_plan *plan;
    replay_row row;
    dp_pool *pool;
    uint64_t run_ns; /* 0: one pass */
    void *_Atomic *slots;
    pthread_barrier_t barrier;
    _Atomic bool failed;
    bool over; /* written by lane 0 between two barriers */
    uint64_t begun_ns;
    uint64_t wall_ns;
    uint64_t passes;
} replay;

typedef struct lane {
    replay *r;
    unsigned index;
    bench_hist *hist;
    uint64_t life_ns;
    uint64_t waited_ns;
} lane;

/* Stands for a block that could not be got, so that its put does not wait for ever. */
static char no_block;

static void *block_get(const replay *r, const replay_op *op)
{
    if (r->pool == NULL) {
        char *block = malloc(op->size_bytes);
        if (block != NULL) {
            *(volatile char *)block = 1;
        }
        return block;
    }
    const dp_request request = {.size_bytes = op->size_bytes, .kind = (dp_kind)op->kind};
    dp_buf *buf = NULL;
    if (dp_get(r->pool, &request, &buf) != DP_OK) {
        return NULL;
    }
    *(volatile char *)dp_buf_data(buf) = 1;
    return buf;
}

static void block_put(const replay *r, void *block)
{
    if (block == &no_block) {
        return;
    }
    if (r->pool == NULL) {
        free(block);
    } else {
        dp_put(block);
    }
}

static void *slot_wait(void *_Atomic *slot)
{
    void *block = atomic_load_explicit(slot, memory_order_acquire);
    for (unsigned spins = 0; block == NULL; spins++) {
        if (spins % SPINS_MAX == SPINS_MAX - 1) {
            (void)sched_yield();
        }
        block = atomic_load_explicit(slot, memory_order_acquire);
    }
    return block;
}

static void lane_pass(lane *l, bool timed)
{
    replay *r = l->r;
    const replay_lane *ops = &r->plan->lanes[l->index];
    for (size_t i = 0; i < ops->count; i++) {
        const replay_op *op = &ops->ops[i];
        void *_Atomic *slot = &r->slots[op->slot];
        if (op->is_put) {
            void *block = slot_wait(slot);
            atomic_store_explicit(slot, NULL, memory_order_relaxed);
            block_put(r, block);
            continue;
        }
        uint64_t ticks = timed ? bench_ticks() : 0;
        void *block = block_get(r, op);
        if (timed) {
            bench_hist_add(l->hist, bench_ticks_ns(bench_ticks() - ticks), 1);
        }
        if (block == NULL) {
            atomic_store_explicit(&r->failed, true, memory_order_relaxed);
            block = &no_block;
        }
        atomic_store_explicit(slot, block, memory_order_release);
    }
}

/* What the recording never put. */
static void leftovers_put(replay *r)
{
    for (size_t i = 0; i < r->plan->gets; i++) {
        void *block = atomic_load_explicit(&r->slots[i], memory_order_relaxed);
        if (block != NULL) {
            atomic_store_explicit(&r->slots[i], NULL, memory_order_relaxed);
            block_put(r, block);
        }
    }
}

/* Lane 0 between two passes, the others waiting: the first was to warm up. */
static void pass_end(replay *r, uint64_t pass)
{
    if (pass > 0) {
        r->wall_ns += bench_now_ns() - r->begun_ns;
        r->passes++;
        r->over = r->wall_ns >= r->run_ns;
    }
    leftovers_put(r);
    r->begun_ns = bench_now_ns();
}

static void *lane_main(void *argument)
{
    lane *l = argument;
    replay *r = l->r;
    (void)bench_pin((int)l->index);
    uint64_t begun_ns = bench_now_ns();
    uint64_t waited_ns = bench_thread_wait_ns();
    for (uint64_t pass = 0; !r->over; pass++) {
        lane_pass(l, pass > 0 && r->row == REPLAY_LATENCY);
        (void)pthread_barrier_wait(&r->barrier);
        if (l->index == 0) {
            pass_end(r, pass);
        }
        (void)pthread_barrier_wait(&r->barrier);
    }
    l->waited_ns = bench_thread_wait_ns() - waited_ns;
    l->life_ns = bench_now_ns() - begun_ns;
    return NULL;
}

static void lanes_run(replay *r, lane lanes[REPLAY_LANES_MAX])
{
    pthread_t threads[REPLAY_LANES_MAX];
    for (unsigned i = 0; i < r->plan->lane_count; i++) {
        /* A lane that is missing would leave the others at the barrier. */
        if (pthread_create(&threads[i], NULL, lane_main, &lanes[i]) != 0) {
            abort();
        }
    }
    for (unsigned i = 0; i < r->plan->lane_count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

static void result_fill(const replay *r, const lane lanes[REPLAY_LANES_MAX], bench_hist *all,
                        work_result *out)
{
    for (unsigned i = 0; i < r->plan->lane_count; i++) {
        double share = 100.0 * (double)lanes[i].waited_ns / ((double)lanes[i].life_ns + 1.0);
        out->waited = share > out->waited ? share : out->waited;
        bench_hist_merge(all, lanes[i].hist);
    }
    out->ok = !atomic_load(&r->failed);
    out->value = (double)r->wall_ns / ((double)r->passes * (double)r->plan->gets);
    if (r->row == REPLAY_LATENCY) {
        out->p50 = (double)bench_hist_quantile(all, 0.5);
        out->p99 = (double)bench_hist_quantile(all, 0.99);
        out->p999 = (double)bench_hist_quantile(all, 0.999);
        out->value = out->p50;
    }
}

void replay_run(const replay_plan *plan, replay_row row, dp_pool *pool, bool quick,
                work_result *out)
{
    replay r = {.plan = plan, .row = row, .pool = pool, .run_ns = quick ? 0 : RUN_NS};
    lane lanes[REPLAY_LANES_MAX];
    bench_hist *hists = calloc(plan->lane_count + 1, sizeof *hists);
    r.slots = calloc(plan->gets, sizeof *r.slots);
    memset(out, 0, sizeof *out);
    if (hists != NULL && r.slots != NULL &&
        pthread_barrier_init(&r.barrier, NULL, plan->lane_count) == 0) {
        for (unsigned i = 0; i < plan->lane_count; i++) {
            lanes[i] = (lane){.r = &r, .index = i, .hist = &hists[i]};
        }
        lanes_run(&r, lanes);
        (void)pthread_barrier_destroy(&r.barrier);
        result_fill(&r, lanes, &hists[plan->lane_count], out);
    }
    free(r.slots);
    free(hists);
}
