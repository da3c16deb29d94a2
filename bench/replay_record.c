/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chat room's script.  The receiving thread is the caller's, the other one fans out: it takes
 * batches from a ring of pointers and puts each when 64 newer ones have come, as the viewers' ring
 * of danpoold does.
 */
#include "replay_record.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <danpool/pool.h>

#define HISTORY            100u
#define WINDOW             20u
#define BATCHES            64u
#define STICKERS           64u
#define RING               256u
#define STICKER_EVERY      200u
#define SURFACE_BYTES      (160u * 160u * 4u)
#define EVENTS_PER_MESSAGE 6u

typedef struct room {
    dp_pool *pool;
    dp_buf *_Atomic ring[RING]; /* NULL: free */
    dp_buf *history[HISTORY];
    dp_buf *stickers[STICKERS];
    uint64_t seed;
    size_t window_bytes;
    bool failed;
} room;

/* The end of the batches; no buffer has this address. */
static char end_of_batches;

/* Log-uniform from `low` to `high`, which are powers of two (Knuth's MMIX generator). */
static size_t some_size(room *at, size_t low, size_t high)
{
    at->seed = at->seed * 6364136223846793005u + 1442695040888963407u;
    size_t doublings = 0;
    while (low << (doublings + 1) <= high) {
        doublings++;
    }
    size_t base = low << (at->seed >> 60) % doublings;
    return base + (size_t)(at->seed >> 32) % base;
}

static dp_buf *take(room *at, size_t size_bytes, dp_kind kind)
{
    const dp_request request = {.size_bytes = size_bytes, .kind = kind};
    dp_buf *buf = NULL;
    if (dp_get(at->pool, &request, &buf) != DP_OK) {
        at->failed = true;
    }
    return buf;
}

static void hand_over(room *at, unsigned number, void *buf)
{
    dp_buf *_Atomic *slot = &at->ring[number % RING];
    while (atomic_load_explicit(slot, memory_order_acquire) != NULL) {
        (void)sched_yield();
    }
    atomic_store_explicit(slot, buf, memory_order_release);
}

static void *fan_out(void *user)
{
    room *at = user;
    dp_buf *held[BATCHES] = {NULL};
    for (unsigned number = 0;; number++) {
        dp_buf *_Atomic *slot = &at->ring[number % RING];
        dp_buf *batch;
        while ((batch = atomic_load_explicit(slot, memory_order_acquire)) == NULL) {
            (void)sched_yield();
        }
        atomic_store_explicit(slot, NULL, memory_order_release);
        if ((void *)batch == (void *)&end_of_batches) {
            break;
        }
        dp_put(held[number % BATCHES]);
        held[number % BATCHES] = batch;
    }
    for (unsigned i = 0; i < BATCHES; i++) {
        dp_put(held[i]);
    }
    return NULL;
}

static void sticker(room *at, unsigned number)
{
    dp_buf *source = take(at, some_size(at, 2048, 32768), DP_KIND_ENCODED);
    dp_buf *surface = take(at, SURFACE_BYTES, DP_KIND_SURFACE);
    dp_put(source);
    dp_put(at->stickers[number % STICKERS]);
    at->stickers[number % STICKERS] = take(at, some_size(at, 4096, 32768), DP_KIND_ENCODED);
    dp_put(surface);
}

static void message(room *at, unsigned number)
{
    dp_buf *frame = take(at, some_size(at, 64, 512), DP_KIND_TEXT);
    size_t size_bytes = some_size(at, 128, 512);
    dp_put(at->history[number % HISTORY]);
    at->history[number % HISTORY] = take(at, size_bytes, DP_KIND_TEXT);
    at->window_bytes += size_bytes;
    dp_put(frame);
    if (number % STICKER_EVERY == STICKER_EVERY - 1) {
        sticker(at, number / STICKER_EVERY);
    }
}

static void receive(room *at, unsigned messages)
{
    unsigned batches = 0;
    for (unsigned i = 0; i < messages; i++) {
        message(at, i);
        if (i % WINDOW != WINDOW - 1) {
            continue;
        }
        dp_buf *batch = take(at, at->window_bytes, DP_KIND_TEXT);
        at->window_bytes = 0;
        if (batch != NULL) {
            hand_over(at, batches++, batch);
        }
    }
    hand_over(at, batches, &end_of_batches);
    for (unsigned i = 0; i < HISTORY; i++) {
        dp_put(at->history[i]);
    }
    for (unsigned i = 0; i < STICKERS; i++) {
        dp_put(at->stickers[i]);
    }
}

dp_status replay_record(unsigned messages, FILE *to)
{
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    room *at = calloc(1, sizeof *at);
    if (at == NULL) {
        return DP_ERR_NOMEM;
    }
    pthread_t thread;
    at->seed = 20240607;
    dp_status status = dp_pool_create(&config, &at->pool);
    if (status == DP_OK) {
        status = dp_trace_start(at->pool, messages * EVENTS_PER_MESSAGE);
    }
    if (status == DP_OK && pthread_create(&thread, NULL, fan_out, at) != 0) {
        status = DP_ERR_NOMEM;
    }
    if (status == DP_OK) {
        receive(at, messages);
        (void)pthread_join(thread, NULL);
        status = at->failed ? DP_ERR_NOMEM : dp_trace_write(at->pool, to);
    }
    dp_pool_destroy(at->pool);
    free(at);
    return status;
}
