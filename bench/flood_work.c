/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flood's two threads.  Batches pass from A to B through a ring with one producer and one
 * consumer; everything else belongs to thread A, which owns the rooms and the pictures.
 *
 * What is live is counted by the sizes that were asked for, so that fragmentation says the same of
 * every allocator: how much of what it took from the system is not in anybody's hands.
 */
#include "flood_work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <danpool/pool.h>
#include <danpool/stats.h>

#include "harness.h"

#define ROOMS         500u
#define HISTORY       200u /* comments that a room keeps */
#define WINDOW_MAX    512u /* comments of a room in one window */
#define WINDOW_MS     20u
#define HELD_BATCHES  4096u /* that thread B keeps for slow viewers, of all rooms */
#define RING_SLOTS    65536u
#define PICTURES      4096u
#define PICTURE_MS    5u
#define SURFACE_BYTES ((size_t)160 * 160 * 4)
#define WARM_SECONDS  4u
#define NS_PER_MS     1000000u

/* What malloc's users put in front of a block to share it. */
typedef struct counted {
    _Atomic uint32_t references;
    uint32_t size_bytes;
    char bytes[];
} counted;

typedef struct room {
    void *window[WINDOW_MAX];
    void *history[HISTORY];
    uint32_t window_count;
    uint32_t history_next;
} room;

typedef struct flood {
    const flood_config *config;
    dp_pool *pool;
    room rooms[ROOMS];
    void *pictures[PICTURES];
    uint32_t picture_next;
    uint64_t random;
    uint64_t messages;
    uint64_t batches;
    _Atomic int64_t live_bytes;
    _Alignas(64) _Atomic uint64_t head; /* written by A */
    _Alignas(64) _Atomic uint64_t tail; /* written by B */
    _Atomic bool stop;
    _Atomic bool failed;
    _Atomic uint64_t checksum; /* so that reading is not optimised away */
    void *ring[RING_SLOTS];
    void *held[HELD_BATCHES];
    bench_samples waited;
} flood;

static uint32_t random_next(flood *f)
{
    f->random = f->random * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
    return (uint32_t)(f->random >> 33);
}

/* ---- blocks of either kind ---- */

static void *block_get(flood *f, size_t size_bytes, dp_kind kind)
{
    void *block = NULL;
    if (f->pool == NULL) {
        counted *made = malloc(sizeof *made + size_bytes);
        if (made != NULL) {
            atomic_init(&made->references, 1);
            made->size_bytes = (uint32_t)size_bytes;
        }
        block = made;
    } else {
        const dp_request request = {.size_bytes = size_bytes, .kind = (uint8_t)kind};
        dp_buf *buf = NULL;
        block = dp_get(f->pool, &request, &buf) == DP_OK ? buf : NULL;
    }
    if (block == NULL) {
        atomic_store(&f->failed, true);
        return NULL;
    }
    atomic_fetch_add_explicit(&f->live_bytes, (int64_t)size_bytes, memory_order_relaxed);
    return block;
}

static size_t block_size(const flood *f, const void *block)
{
    return f->pool == NULL ? ((const counted *)block)->size_bytes : dp_buf_size(block);
}

static char *block_bytes(const flood *f, void *block)
{
    return f->pool == NULL ? ((counted *)block)->bytes : dp_buf_data(block);
}

static void block_put(flood *f, void *block)
{
    if (block == NULL) {
        return;
    }
    /* Every block here has one holder by now. */
    int64_t size_bytes = (int64_t)block_size(f, block);
    atomic_fetch_sub_explicit(&f->live_bytes, size_bytes, memory_order_relaxed);
    if (f->pool != NULL) {
        dp_put(block);
    } else if (atomic_fetch_sub_explicit(&((counted *)block)->references, 1,
                                         memory_order_acq_rel) == 1) {
        free(block);
    }
}

/* ---- thread A ---- */

/* Most comments are short; a few carry an `ext`.  With their JSON they take 120 to 1,200 bytes. */
static size_t comment_bytes(flood *f)
{
    uint32_t dice = random_next(f);
    size_t size_bytes = 120 + dice % 120;
    return dice >> 16 & 15u ? size_bytes : size_bytes + (dice >> 20) % 1000;
}

/* A tenth of the rooms gets half of the comments. */
static room *room_choose(flood *f)
{
    uint32_t dice = random_next(f);
    return &f->rooms[(dice & 1u) != 0 ? (dice >> 1) % (ROOMS / 10) : (dice >> 1) % ROOMS];
}

static void comment_arrives(flood *f)
{
    room *to = room_choose(f);
    size_t size_bytes = comment_bytes(f);
    if (to->window_count == WINDOW_MAX) {
        return;
    }
    void *block = block_get(f, size_bytes, DP_KIND_TEXT);
    if (block != NULL) {
        memset(block_bytes(f, block), (int)(size_bytes & 0x7f), size_bytes);
        to->window[to->window_count++] = block;
        f->messages++;
    }
}

static void ring_push(flood *f, void *batch)
{
    uint64_t head = atomic_load_explicit(&f->head, memory_order_relaxed);
    while (head - atomic_load_explicit(&f->tail, memory_order_acquire) == RING_SLOTS) {
        (void)sched_yield();
    }
    f->ring[head % RING_SLOTS] = batch;
    atomic_store_explicit(&f->head, head + 1, memory_order_release);
}

static void window_flush(flood *f, room *of)
{
    size_t size_bytes = 64;
    for (uint32_t i = 0; i < of->window_count; i++) {
        size_bytes += block_size(f, of->window[i]);
    }
    void *batch = block_get(f, size_bytes, DP_KIND_TEXT);
    if (batch == NULL) {
        return;
    }
    char *at = block_bytes(f, batch) + 64;
    memset(at - 64, 0, 64);
    for (uint32_t i = 0; i < of->window_count; i++) {
        void *comment = of->window[i];
        size_t bytes = block_size(f, comment);
        memcpy(at, block_bytes(f, comment), bytes);
        at += bytes;
        uint32_t slot = of->history_next++ % HISTORY;
        block_put(f, of->history[slot]);
        of->history[slot] = comment;
    }
    of->window_count = 0;
    f->batches++;
    ring_push(f, batch);
}

static void picture_arrives(flood *f)
{
    void *surface = block_get(f, SURFACE_BYTES, DP_KIND_SURFACE);
    size_t size_bytes = 3000 + random_next(f) % 21000;
    void *picture = block_get(f, size_bytes, DP_KIND_ENCODED);
    if (surface == NULL || picture == NULL) {
        return;
    }
    memset(block_bytes(f, surface), 1, SURFACE_BYTES);
    memcpy(block_bytes(f, picture), block_bytes(f, surface), size_bytes);
    block_put(f, surface);
    uint32_t slot = f->picture_next++ % PICTURES;
    block_put(f, f->pictures[slot]);
    f->pictures[slot] = picture;
}

static void sleep_until(uint64_t due_ns)
{
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000u),
                           .tv_nsec = (long)(due_ns % 1000000000u)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

/* One millisecond's work. */
static void millisecond(flood *f, uint64_t number)
{
    uint64_t per_s = f->config->messages_per_s;
    uint64_t due = (number + 1) * per_s / 1000 - number * per_s / 1000;
    for (uint64_t i = 0; i < due; i++) {
        comment_arrives(f);
    }
    if (number % PICTURE_MS == 0) {
        picture_arrives(f);
    }
    if (number % WINDOW_MS == 0) {
        for (uint32_t i = 0; i < ROOMS; i++) {
            if (f->rooms[i].window_count > 0) {
                window_flush(f, &f->rooms[i]);
            }
        }
    }
}

/* Returns the worst lateness in milliseconds. */
static double run_for(flood *f, uint64_t first, uint64_t count)
{
    uint64_t start = bench_now_ns();
    uint64_t worst = 0;
    for (uint64_t i = 0; i < count && !atomic_load(&f->failed); i++) {
        uint64_t due = start + i * NS_PER_MS;
        sleep_until(due);
        uint64_t late = bench_now_ns() - due;
        worst = late > worst ? late : worst;
        millisecond(f, first + i);
    }
    return (double)worst / NS_PER_MS;
}

/* ---- thread B ---- */

static void *fan_out(void *argument)
{
    flood *f = argument;
    uint64_t tail = 0;
    uint64_t start = bench_now_ns();
    uint64_t waited = bench_thread_wait_ns();
    (void)bench_pin(1);
    for (;;) {
        if (tail == atomic_load_explicit(&f->head, memory_order_acquire)) {
            if (atomic_load(&f->stop)) {
                break;
            }
            sleep_until(bench_now_ns() + NS_PER_MS);
            continue;
        }
        void *batch = f->ring[tail % RING_SLOTS];
        const char *bytes = block_bytes(f, batch);
        uint64_t sum = 0;
        for (size_t i = 0; i < block_size(f, batch); i += 64) {
            sum += (unsigned char)bytes[i];
        }
        atomic_fetch_add_explicit(&f->checksum, sum, memory_order_relaxed);
        block_put(f, f->held[tail % HELD_BATCHES]);
        f->held[tail % HELD_BATCHES] = batch;
        atomic_store_explicit(&f->tail, ++tail, memory_order_release);
    }
    double life = (double)(bench_now_ns() - start) + 1.0;
    bench_samples_add(&f->waited, 100.0 * (double)(bench_thread_wait_ns() - waited) / life);
    return NULL;
}

/* ---- the whole ---- */

static void give_everything_back(flood *f)
{
    for (uint32_t i = 0; i < ROOMS; i++) {
        for (uint32_t k = 0; k < f->rooms[i].window_count; k++) {
            block_put(f, f->rooms[i].window[k]);
        }
        for (uint32_t k = 0; k < HISTORY; k++) {
            block_put(f, f->rooms[i].history[k]);
        }
    }
    for (uint32_t i = 0; i < PICTURES; i++) {
        block_put(f, f->pictures[i]);
    }
    for (uint32_t i = 0; i < HELD_BATCHES; i++) {
        block_put(f, f->held[i]);
    }
}

static double resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        (void)fscanf(file, "%*d %ld", &pages);
        (void)fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Pages of the bookkeeping are touched first, so that they are nobody's fragmentation. */
static flood *flood_make(const flood_config *config)
{
    flood *f = aligned_alloc(64, (sizeof(flood) + 63) / 64 * 64);
    if (f == NULL) {
        return NULL;
    }
    memset(f, 0, sizeof *f);
    f->config = config;
    f->random = 20240607;
    if (config->with_pool) {
        dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
        pool_config.tiers = DP_TIER_BIT(DP_TIER_HOST);
        if (dp_pool_create(&pool_config, &f->pool) != DP_OK) {
            free(f);
            return NULL;
        }
    }
    return f;
}

static uint64_t sum_of(const uint64_t counts[DP_FAMILY_COUNT])
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < DP_FAMILY_COUNT; i++) {
        sum += counts[i];
    }
    return sum;
}

static void measure(flood *f, double resident_before, flood_result *out)
{
    dp_stats before = {0};
    dp_stats after = {0};
    uint64_t warm_ms = f->config->seconds > WARM_SECONDS ? 1000 * WARM_SECONDS : 500;
    (void)run_for(f, 0, warm_ms);
    if (f->pool != NULL) {
        dp_stats_read(f->pool, &before);
    }
    uint64_t messages = f->messages;
    uint64_t batches = f->batches;
    uint64_t start = bench_now_ns();
    double cpu = cpu_seconds();
    f->config->measure_begin();
    out->late_ms_worst = run_for(f, warm_ms, (uint64_t)f->config->seconds * 1000);
    f->config->measure_end();
    out->cpu_seconds = cpu_seconds() - cpu;
    out->seconds = (double)(bench_now_ns() - start) / 1e9;
    out->messages = f->messages - messages;
    out->batches = f->batches - batches;
    out->live_bytes = (double)atomic_load(&f->live_bytes);
    out->resident_bytes = resident_bytes() - resident_before;
    if (f->pool != NULL) {
        dp_stats_read(f->pool, &after);
        const dp_tier_stats *now = &after.tiers[DP_TIER_HOST];
        const dp_tier_stats *then = &before.tiers[DP_TIER_HOST];
        uint64_t gets = sum_of(now->gets) - sum_of(then->gets);
        out->reuse_percent = 100.0 * (double)(now->reused - then->reused) / (double)(gets + !gets);
        out->block_bytes = (double)now->used_bytes;
        out->taken_bytes = (double)now->capacity_bytes;
        out->fragmentation = 100.0 * (1.0 - out->live_bytes / (out->taken_bytes + 1.0));
    }
}

void flood_work(const flood_config *config, flood_result *out)
{
    memset(out, 0, sizeof *out);
    flood *f = flood_make(config);
    if (f == NULL) {
        return;
    }
    double resident = resident_bytes();
    pthread_t thread;
    (void)bench_pin(0);
    uint64_t start = bench_now_ns();
    uint64_t waited = bench_thread_wait_ns();
    if (pthread_create(&thread, NULL, fan_out, f) == 0) {
        measure(f, resident, out);
        atomic_store(&f->stop, true);
        (void)pthread_join(thread, NULL);
        double life = (double)(bench_now_ns() - start) + 1.0;
        bench_samples_add(&f->waited, 100.0 * (double)(bench_thread_wait_ns() - waited) / life);
        out->waited_percent = bench_samples_max(&f->waited);
        give_everything_back(f);
        out->ok = !atomic_load(&f->failed) && atomic_load(&f->live_bytes) == 0;
    }
    dp_pool_destroy(f->pool);
    free(f);
}
