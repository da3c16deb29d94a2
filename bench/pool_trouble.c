/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pool_trouble.h.  The pmem file lies on /dev/shm, where a commit waits for no disk; without
 * libpmemobj or /dev/shm the cache drops what it would demote.
 */
#include "pool_trouble.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <danpool/cache.h>
#include <danpool/health.h>
#include <danpool/stats.h>

#include "harness.h"

#define HOST_BUDGET   ((size_t)256 << 20)
#define TAKEN_BLOCKS  236u /* of 1 MiB: over 90 % of the budget */
#define TAKEN_BYTES   ((size_t)1 << 20)
#define CACHE_BYTES   ((size_t)1 << 20)
#define PMEM_BYTES    ((size_t)32 << 20)
#define INSERT_GAP_NS 100000u
#define CYCLE_NS      200000000u
#define TAKEN_NS      60000000u
#define KEPT          128u
#define CONTENT_MIN   4096u
#define CONTENT_STEP  61u
#define CONTENT_SPAN  8192u
#define THREAD_CORE   1

struct trouble {
    dp_pool *pool; /* NULL: malloc */
    dp_cache *cache;
    char path[64]; /* of the pmem file, empty: none */
    pthread_t thread;
    _Atomic bool stop;
    _Atomic uint64_t degrades;
    void *taken[TAKEN_BLOCKS];
    void *kept[2][KEPT]; /* malloc: what the cache would hold in host memory, and in pmem */
};

static void on_transition(void *user, const dp_health_event *event)
{
    trouble *t = user;
    if (event->to == DP_HEALTH_DEGRADED) {
        atomic_fetch_add_explicit(&t->degrades, 1, memory_order_relaxed);
    }
}

static size_t content_bytes(uint64_t number)
{
    return CONTENT_MIN + (size_t)(number * CONTENT_STEP) % CONTENT_SPAN;
}

static void *block_get(trouble *t, size_t size_bytes)
{
    const dp_request request = {.size_bytes = size_bytes, .kind = DP_KIND_ENCODED};
    dp_buf *buf = NULL;
    if (t->pool == NULL) {
        return malloc(size_bytes);
    }
    return dp_get(t->pool, &request, &buf) == DP_OK ? buf : NULL;
}

static void block_put(trouble *t, void *block)
{
    if (t->pool == NULL) {
        free(block);
    } else {
        dp_put(block);
    }
}

static void insert(trouble *t, uint64_t number)
{
    size_t size_bytes = content_bytes(number);
    void *block = block_get(t, size_bytes);
    if (block == NULL) {
        return;
    }
    memset(t->pool == NULL ? block : dp_buf_data(block), (int)number, size_bytes);
    if (t->pool != NULL) {
        dp_cache_key key = {{0}};
        dp_cache_entry entry = {.buf = block, .priority = DP_PRIORITY_NORMAL};
        memcpy(key.bytes, &number, sizeof number);
        (void)dp_cache_insert(t->cache, &key, &entry, NULL);
        dp_put(block);
        return;
    }
    /* The one that makes way is copied to where it goes and released. */
    void **host = &t->kept[0][number % KEPT];
    void **store = &t->kept[1][number % KEPT];
    if (*host != NULL) {
        size_t old_bytes = content_bytes(number - KEPT);
        free(*store);
        *store = malloc(old_bytes);
        if (*store != NULL) {
            memcpy(*store, *host, old_bytes);
        }
        free(*host);
    }
    *host = block;
}

static void taken_get(trouble *t)
{
    for (unsigned i = 0; i < TAKEN_BLOCKS; i++) {
        t->taken[i] = block_get(t, TAKEN_BYTES);
    }
}

static void taken_put(trouble *t)
{
    for (unsigned i = 0; i < TAKEN_BLOCKS; i++) {
        if (t->taken[i] != NULL) {
            block_put(t, t->taken[i]);
        }
        t->taken[i] = NULL;
    }
}

static void *make_trouble(void *user)
{
    trouble *t = user;
    (void)bench_pin(THREAD_CORE);
    uint64_t cycle_ns = bench_now_ns();
    bool has_taken = false;
    for (uint64_t number = 1; !atomic_load_explicit(&t->stop, memory_order_relaxed); number++) {
        insert(t, number);
        if (t->pool != NULL) {
            dp_pool_tick(t->pool);
        }
        uint64_t now_ns = bench_now_ns();
        if (now_ns - cycle_ns > CYCLE_NS) {
            cycle_ns = now_ns;
        }
        bool takes = now_ns - cycle_ns < TAKEN_NS;
        if (takes != has_taken) {
            (takes ? taken_get : taken_put)(t);
            has_taken = takes;
        }
        const struct timespec gap = {.tv_nsec = INSERT_GAP_NS};
        nanosleep(&gap, NULL);
    }
    taken_put(t);
    return NULL;
}

static bool pool_make(trouble *t)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_cache_config cache_config = {.host_bytes_max = CACHE_BYTES};
    config.tiers = DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_PMEM);
    config.budget_bytes_max[DP_TIER_HOST] = HOST_BUDGET;
    config.pmem_size_bytes = PMEM_BYTES;
    if (access("/dev/shm", W_OK) == 0) {
        (void)snprintf(t->path, sizeof t->path, "/dev/shm/danpool-bench-%d.pmem", (int)getpid());
        (void)unlink(t->path);
        config.pmem_path = t->path;
    }
    /* The thresholds of production, on a faster clock: a run lasts half a second. */
    config.health.tick_ns = 2000000u;
    config.health.window_ns = 50000000u;
    config.health.recover_ns = 20000000u;
    config.health.fallback_bytes_max = (size_t)64 << 20;
    config.health.listener = on_transition;
    config.health.listener_user = t;
    return dp_pool_create(&config, &t->pool) == DP_OK &&
           dp_cache_create(t->pool, &cache_config, &t->cache) == DP_OK;
}

trouble *trouble_start(bool with_pool)
{
    trouble *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    if ((with_pool && !pool_make(t)) || pthread_create(&t->thread, NULL, make_trouble, t) != 0) {
        trouble_destroy(t);
        return NULL;
    }
    return t;
}

dp_pool *trouble_pool(const trouble *t)
{
    return t->pool;
}

void trouble_stop(trouble *t, trouble_report *out)
{
    atomic_store(&t->stop, true);
    (void)pthread_join(t->thread, NULL);
    *out = (trouble_report){.degrades = atomic_load(&t->degrades)};
    if (t->pool != NULL) {
        dp_cache_stats cache;
        dp_stats stats;
        dp_cache_stats_read(t->cache, &cache);
        dp_stats_read(t->pool, &stats);
        out->demotions = cache.demoted + (cache.demoted == 0 ? cache.dropped : 0);
        out->fallback_gets = stats.fallback_gets;
    }
}

void trouble_destroy(trouble *t)
{
    for (unsigned i = 0; i < KEPT; i++) {
        free(t->kept[0][i]);
        free(t->kept[1][i]);
    }
    if (t->cache != NULL) {
        dp_cache_destroy(t->cache);
    }
    dp_pool_destroy(t->pool);
    if (t->path[0] != '\0') {
        (void)unlink(t->path);
    }
    free(t);
}
