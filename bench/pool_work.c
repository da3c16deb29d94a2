/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops of bench_pool.  See pool_work.h for what an operation is.
 *
 * The branch between pool and malloc goes the same way for a whole run, so it is predicted and
 * costs both sides the same fraction of a nanosecond.  This file is compiled with -fno-builtin:
 * otherwise the compiler may remove a malloc whose block is freed at once.
 */
#include "pool_work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/buf.h>
#include <danpool/tenant.h>

#include "pool_trouble.h"

#define WARM_OPS     4096u
#define CHUNK_OPS    512u /* between two looks at the clock: its 25 ns are lost in them */
#define RUN_NS       25000000u
#define RUN_NS_QUICK 2000000u

#define RING_SLOTS   1024u
#define LIVE_BLOCKS  1024u
#define MIX_STEPS    8192u
#define MIX_BITS_MIN 4u  /* sizes are log-uniform from 16 B */
#define MIX_BITS_MAX 14u /* to 16 KiB */

#define PACED_GAP_NS       10000u
#define PACED_RUN_NS       500000000u
#define PACED_RUN_NS_QUICK 20000000u

#define CACHE_LINE 128 /* two lines: processors fetch them in pairs */

#define GOAL_NONE                                                                                  \
    {                                                                                              \
        BENCH_GOAL_NONE, 0.0, false                                                                \
    }
#define GOAL_RATIO(limit)                                                                          \
    {                                                                                              \
        BENCH_GOAL_RATIO_MAX, (limit), false                                                       \
    }

const work work_list[] = {
    {"get+put 64 B, 1 thread", WORK_PAIR, 64, 1, GOAL_RATIO(1.0), NULL},
    {"get+put 64 B, 2 threads", WORK_PAIR, 64, 2, GOAL_NONE, NULL},
    {"get+put 4 KiB, 1 thread", WORK_PAIR, 4096, 1, GOAL_RATIO(1.0), NULL},
    {"get+put 4 KiB, 2 threads", WORK_PAIR, 4096, 2, GOAL_RATIO(1.0), NULL},
    {"get+put 1 MiB, 1 thread", WORK_PAIR, 1u << 20, 1, GOAL_NONE, NULL},
    {"get+put 64 B for a tenant, 1 thread", WORK_TENANT, 64, 1, GOAL_NONE,
     "the long way, with a quota booked and given back"},
    {"A gets, B puts, 64 B", WORK_CROSS, 64, 2, GOAL_RATIO(0.5), NULL},
    {"raw hand-over, 64 B apart", WORK_RAW, 64, 2, GOAL_NONE,
     "no allocator: what the ring and moving the block's first line cost by themselves"},
    {"A gets, B puts, 4 KiB", WORK_CROSS, 4096, 2, GOAL_RATIO(0.5), NULL},
    {"raw hand-over, 4 KiB apart", WORK_RAW, 4096, 2, GOAL_NONE, NULL},
    {"mixed 16 B-16 KiB, 1,024 live", WORK_MIXED, 0, 1, GOAL_NONE, NULL},
    {"get latency, mixed 100k/s", WORK_PACED, 0, 1, GOAL_NONE, "one get timed at a time"},
    {"get under trouble, mixed 100k/s", WORK_TROUBLE, 0, 1, GOAL_NONE,
     "eviction, demotion and forced degrades all the while; gets that lost their core left out"},
};
const size_t work_count = sizeof work_list / sizeof work_list[0];

/* One step of the mixed work: which live block is replaced by one of what size. */
typedef struct mix_step {
    uint32_t slot;
    uint32_t size_bytes;
} mix_step;

/* Single producer, single consumer; each side keeps a copy of the other's index on its own line. */
typedef struct ring {
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* written by the producer */
    uint64_t tail_seen;
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* written by the consumer */
    uint64_t head_seen;
    _Alignas(CACHE_LINE) void *slots[RING_SLOTS];
} ring;

/* Everything a repeat's threads share.  Owned by work_run(), which outlives them. */
typedef struct run {
    const work *w;
    dp_pool *pool;
    uint16_t tenant; /* WORK_TENANT, of the pool */
    uint64_t run_ns;
    ring ring;
    char *raw_blocks; /* WORK_RAW: 2 x RING_SLOTS blocks */
    mix_step *mix;
    trouble *trouble; /* (or NULL) beside the lane */
    bench_hist *hist;
    _Atomic int ready;
    _Atomic bool failed;
} run;

typedef struct lane {
    run *r;
    int index;
    uint64_t ops;
    uint64_t elapsed_ns; /* inside the clock */
    uint64_t life_ns;    /* with the warm-up */
    uint64_t waited_ns;  /* of it, without a core */
    uint64_t descheduled;
} lane;

static inline void *block_get(dp_pool *pool, size_t size_bytes)
{
    if (pool == NULL) {
        return malloc(size_bytes);
    }
    const dp_request request = {.size_bytes = size_bytes};
    dp_buf *buf = NULL;
    return dp_get(pool, &request, &buf) == DP_OK ? buf : NULL;
}

static inline void block_put(dp_pool *pool, void *block)
{
    if (pool == NULL) {
        free(block);
    } else {
        dp_put(block);
    }
}

static inline volatile uint64_t *block_words(dp_pool *pool, void *block)
{
    return pool == NULL ? block : dp_buf_data(block);
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Lets the lanes start together; the warm-up comes before. */
static void start_together(run *r)
{
    atomic_fetch_add(&r->ready, 1);
    while (atomic_load(&r->ready) < r->w->threads) {
        cpu_relax();
    }
}

static bool pair_ops(run *r, uint64_t count)
{
    size_t size_bytes = r->w->size_bytes;
    for (uint64_t i = 0; i < count; i++) {
        void *block = block_get(r->pool, size_bytes);
        if (block == NULL) {
            return false;
        }
        *block_words(r->pool, block) = i;
        block_put(r->pool, block);
    }
    return true;
}

static bool tenant_ops(run *r, uint64_t count)
{
    const dp_request request = {.size_bytes = r->w->size_bytes, .tenant = r->tenant};
    for (uint64_t i = 0; i < count; i++) {
        dp_buf *buf = NULL;
        if (dp_get(r->pool, &request, &buf) != DP_OK) {
            return false;
        }
        *(volatile uint64_t *)dp_buf_data(buf) = i;
        dp_put(buf);
    }
    return true;
}

static bool pair_lane(lane *l)
{
    run *r = l->r;
    bool (*ops)(run * r, uint64_t count) = r->tenant != 0 ? tenant_ops : pair_ops;
    bool ok = ops(r, WARM_OPS);
    start_together(r);
    uint64_t start = bench_now_ns();
    while (ok && l->elapsed_ns < r->run_ns) {
        ok = ops(r, CHUNK_OPS);
        l->ops += CHUNK_OPS;
        l->elapsed_ns = bench_now_ns() - start;
    }
    return ok;
}

/* Acquire/release pairs on head and tail carry the slot and the block's bytes across. */
static void ring_push(ring *q, void *item)
{
    uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    while (head - q->tail_seen == RING_SLOTS) {
        q->tail_seen = atomic_load_explicit(&q->tail, memory_order_acquire);
        cpu_relax();
    }
    q->slots[head % RING_SLOTS] = item;
    atomic_store_explicit(&q->head, head + 1, memory_order_release);
}

static void *ring_pop(ring *q)
{
    uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    while (q->head_seen == tail) {
        q->head_seen = atomic_load_explicit(&q->head, memory_order_acquire);
        cpu_relax();
    }
    void *item = q->slots[tail % RING_SLOTS];
    atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
    return item;
}

/* The producer's next block: allocated, or one of a set larger than the ring can hold. */
static void *cross_block(run *r, uint64_t i)
{
    if (r->w->kind == WORK_RAW) {
        return r->raw_blocks + (i % (2 * RING_SLOTS)) * r->w->size_bytes;
    }
    return block_get(r->pool, r->w->size_bytes);
}

static bool cross_produce(lane *l)
{
    run *r = l->r;
    bool raw = r->w->kind == WORK_RAW;
    start_together(r);
    uint64_t start = bench_now_ns();
    uint64_t i = 0;
    bool ok = true;
    while (ok && l->elapsed_ns < r->run_ns) {
        for (uint64_t end = i + CHUNK_OPS; ok && i < end; i++) {
            void *block = cross_block(r, i);
            ok = block != NULL;
            if (ok) {
                *(raw ? (volatile uint64_t *)block : block_words(r->pool, block)) = i;
                ring_push(&r->ring, block);
            }
        }
        if (i == 8 * CHUNK_OPS) { /* both sides are warm: the clock starts here */
            start = bench_now_ns();
            l->ops = 0;
        } else {
            l->ops += CHUNK_OPS;
        }
        l->elapsed_ns = bench_now_ns() - start;
    }
    ring_push(&r->ring, NULL);
    return ok;
}

static bool cross_consume(lane *l)
{
    run *r = l->r;
    bool raw = r->w->kind == WORK_RAW;
    bool ok = true;
    start_together(r);
    uint64_t expected = 0;
    for (void *block = ring_pop(&r->ring); block != NULL; block = ring_pop(&r->ring)) {
        if (raw) {
            ok = ok && *(volatile uint64_t *)block == expected++;
        } else {
            ok = ok && *block_words(r->pool, block) == expected++;
            block_put(r->pool, block);
        }
    }
    return ok;
}

/* A fixed pseudo-random sequence (Knuth's MMIX generator), the same for every subject. */
static mix_step *mix_make(void)
{
    mix_step *mix = calloc(MIX_STEPS, sizeof *mix);
    uint64_t seed = 20240607;
    for (size_t i = 0; mix != NULL && i < MIX_STEPS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t bits = MIX_BITS_MIN + (uint32_t)(seed >> 60) % (MIX_BITS_MAX - MIX_BITS_MIN);
        mix[i].slot = (uint32_t)(seed >> 20) % LIVE_BLOCKS;
        mix[i].size_bytes = (1u << bits) + ((uint32_t)(seed >> 32) & ((1u << bits) - 1u));
    }
    return mix;
}

static bool mix_replace(run *r, void **live, uint64_t i)
{
    const mix_step *step = &r->mix[i % MIX_STEPS];
    if (live[step->slot] != NULL) {
        block_put(r->pool, live[step->slot]);
    }
    live[step->slot] = block_get(r->pool, step->size_bytes);
    if (live[step->slot] == NULL) {
        return false;
    }
    *block_words(r->pool, live[step->slot]) = i;
    return true;
}

static void mix_finish(run *r, void **live)
{
    for (size_t i = 0; i < LIVE_BLOCKS; i++) {
        if (live[i] != NULL) {
            block_put(r->pool, live[i]);
        }
    }
}

static bool mixed_lane(lane *l)
{
    run *r = l->r;
    void *live[LIVE_BLOCKS] = {NULL};
    bool ok = true;
    uint64_t i = 0;
    for (; ok && i < 2 * MIX_STEPS; i++) {
        ok = mix_replace(r, live, i);
    }
    uint64_t start = bench_now_ns();
    while (ok && l->elapsed_ns < r->run_ns) {
        for (uint64_t end = i + CHUNK_OPS; ok && i < end; i++) {
            ok = mix_replace(r, live, i);
        }
        l->ops += CHUNK_OPS;
        l->elapsed_ns = bench_now_ns() - start;
    }
    mix_finish(r, live);
    return ok;
}

/* Whether the thread had to wait for a core since it was asked last, which was after the get
 * before.
 */
static bool lost_its_core(lane *l, int wait_file, uint64_t *waited_ns)
{
    uint64_t before_ns = *waited_ns;
    *waited_ns = bench_thread_wait_read(wait_file);
    if (*waited_ns == before_ns) {
        return false;
    }
    l->descheduled++;
    return true;
}

/* As mixed_lane, but only the get is inside the clock, and it comes when its time has come. */
static bool paced_lane(lane *l)
{
    run *r = l->r;
    void *live[LIVE_BLOCKS] = {NULL};
    bool ok = true;
    int wait_file = r->trouble == NULL ? -1 : bench_thread_wait_open();
    uint64_t waited_ns = bench_thread_wait_read(wait_file);
    uint64_t i = 0;
    for (; ok && i < 2 * MIX_STEPS; i++) {
        ok = mix_replace(r, live, i);
    }
    uint64_t start = bench_now_ns();
    for (uint64_t due = start; ok && due - start < r->run_ns; due += PACED_GAP_NS, i++) {
        const mix_step *step = &r->mix[i % MIX_STEPS];
        if (live[step->slot] != NULL) {
            block_put(r->pool, live[step->slot]);
        }
        while (bench_now_ns() < due) {
            cpu_relax();
        }
        uint64_t ticks = bench_ticks();
        live[step->slot] = block_get(r->pool, step->size_bytes);
        ticks = bench_ticks() - ticks;
        if (r->trouble == NULL || !lost_its_core(l, wait_file, &waited_ns)) {
            bench_hist_add(r->hist, bench_ticks_ns(ticks), 1);
        }
        ok = live[step->slot] != NULL;
        if (ok) {
            *block_words(r->pool, live[step->slot]) = i;
        }
        l->ops++;
    }
    l->elapsed_ns = bench_now_ns() - start;
    bench_thread_wait_close(wait_file);
    mix_finish(r, live);
    return ok;
}

bool work_is_paced(const work *w)
{
    return w->kind == WORK_PACED || w->kind == WORK_TROUBLE;
}

static void *lane_main(void *argument)
{
    lane *l = argument;
    bool ok = false;
    (void)bench_pin(l->index);
    uint64_t start = bench_now_ns();
    uint64_t waited = bench_thread_wait_ns();
    switch (l->r->w->kind) {
    case WORK_PAIR:
    case WORK_TENANT:
        ok = pair_lane(l);
        break;
    case WORK_CROSS:
    case WORK_RAW:
        ok = l->index == 0 ? cross_produce(l) : cross_consume(l);
        break;
    case WORK_MIXED:
        ok = mixed_lane(l);
        break;
    case WORK_PACED:
    case WORK_TROUBLE:
        ok = paced_lane(l);
        break;
    }
    l->waited_ns = bench_thread_wait_ns() - waited;
    l->life_ns = bench_now_ns() - start;
    if (!ok) {
        atomic_store(&l->r->failed, true);
    }
    return NULL;
}

/* Starts the lanes and waits for them.  A thread that cannot be started ends the program: its
 * partner would spin for ever. */
static void lanes_run(run *r, lane lanes[2])
{
    pthread_t threads[2];
    for (int i = 0; i < r->w->threads; i++) {
        lanes[i] = (lane){.r = r, .index = i};
        if (pthread_create(&threads[i], NULL, lane_main, &lanes[i]) != 0) {
            abort();
        }
    }
    for (int i = 0; i < r->w->threads; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

static void result_fill(const run *r, const lane lanes[2], work_result *out)
{
    memset(out, 0, sizeof *out);
    out->ok = !atomic_load(&r->failed);
    for (int i = 0; i < r->w->threads; i++) {
        double share = 100.0 * (double)lanes[i].waited_ns / ((double)lanes[i].life_ns + 1.0);
        out->waited = share > out->waited ? share : out->waited;
    }
    if (work_is_paced(r->w)) {
        out->p9999 = (double)bench_hist_quantile(r->hist, 0.9999);
        out->worst = (double)r->hist->max;
        out->descheduled = (double)lanes[0].descheduled;
        out->p50 = (double)bench_hist_quantile(r->hist, 0.5);
        out->p99 = (double)bench_hist_quantile(r->hist, 0.99);
        out->p999 = (double)bench_hist_quantile(r->hist, 0.999);
        out->value = out->p50;
        return;
    }
    double sum = 0.0;
    int counted = 0;
    for (int i = 0; i < r->w->threads; i++) {
        if (lanes[i].ops > 0) { /* a consumer's time is in its producer's */
            sum += (double)lanes[i].elapsed_ns / (double)lanes[i].ops;
            counted++;
        }
    }
    out->value = counted == 0 ? 0.0 : sum / counted;
}

void work_run(const work *w, dp_pool *pool, bool quick, work_result *out)
{
    static run r; /* the ring is aligned and too large for a stack */
    memset(&r, 0, sizeof r);
    memset(out, 0, sizeof *out);
    r.w = w;
    r.pool = pool;
    r.run_ns = quick ? RUN_NS_QUICK : RUN_NS;
    if (work_is_paced(w)) {
        r.run_ns = quick ? PACED_RUN_NS_QUICK : PACED_RUN_NS;
    }
    size_t raw_bytes = w->kind == WORK_RAW ? 2 * RING_SLOTS * w->size_bytes : 1;
    r.mix = mix_make();
    r.hist = calloc(1, sizeof *r.hist);
    r.raw_blocks = calloc(1, raw_bytes);
    bool ready = r.mix != NULL && r.hist != NULL && r.raw_blocks != NULL;
    if (ready && w->kind == WORK_TROUBLE) {
        r.trouble = trouble_start(pool != NULL);
        ready = r.trouble != NULL;
        r.pool = ready ? trouble_pool(r.trouble) : NULL;
    }
    if (ready && w->kind == WORK_TENANT && pool != NULL) {
        ready = dp_tenant_create(pool, "bench", NULL, &r.tenant) == DP_OK;
    }
    if (ready) {
        lane lanes[2];
        trouble_report report = {0};
        lanes_run(&r, lanes);
        if (r.trouble != NULL) {
            trouble_stop(r.trouble, &report);
            trouble_destroy(r.trouble);
        }
        if (r.tenant != 0) {
            (void)dp_tenant_destroy(pool, r.tenant);
        }
        result_fill(&r, lanes, out);
        out->demotions = (double)report.demotions;
        out->degrades = (double)report.degrades;
        out->fallback_gets = (double)report.fallback_gets;
    }
    free(r.raw_blocks);
    free(r.hist);
    free(r.mix);
}
