/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seeded stress over pool and cache: threads get, share, put, insert, look up and remove at random,
 * over tiers that are small and that fail now and then, while allocations fail now and then too.
 *
 * It runs in rounds.  A round opens a pool over the pmem file that the last one left, lets the
 * threads loose on it, and takes it down: the walkers find every block in one place, the pool finds
 * that every buffer came back, the store holds what the cache says.  Whatever is found on the way
 * must be whole: content follows from its number.
 *
 * A few seconds; ten minutes with DP_SOAK=1.  DP_SEED repeats the choices, not how threads meet.
 * Threads know no cmocka: they assert as the pool does.
 */
#include "cm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <danpool/cache.h>
#include <danpool/stats.h>

#include "dp_features.h"
#include "pool/os.h"
#include "pool/pool_internal.h"
#include "tier_rig.h"

#define SECONDS      4
#define SECONDS_SOAK 600
#define ROUND_OPS    4000u /* of each thread */
#define THREADS      4u
#define HELD_MAX     48u
#define MAIL_SLOTS   32u
#define KEYS         300u
#define MANY_MAX     40u

#define HOST_BUDGET  ((size_t)4 << 20) /* two regions */
#define PMEM_BUDGET  ((size_t)1 << 20)
#define CACHE_BUDGET ((size_t)1 << 19)

static char directory[RIG_PATH_BYTES];

/* A buffer and the number that its content follows from; it has one reference. */
typedef struct stress_buf {
    dp_buf *buf;
    uint64_t number;
} stress_buf;

typedef struct stress {
    dp_pool *pool;
    dp_cache *cache;
    /* Buffers on their way from thread to thread; whoever finds one full empties it. */
    pthread_mutex_t mail_lock;
    stress_buf mail[MAIL_SLOTS];
    atomic_uint_fast64_t found;
    atomic_uint_fast64_t refused;
    unsigned rounds;
    /* Of the closed rounds: entries that made way, and that pmem did not take. */
    uint64_t dropped;
    uint64_t persist_failed;
} stress;

typedef struct stress_thread {
    stress *at;
    uint64_t random;
    stress_buf held[HELD_MAX];
} stress_thread;

static uint64_t draw(stress_thread *self, uint64_t below)
{
    return rig_random(&self->random) % below;
}

static size_t size_of(uint64_t number)
{
    uint64_t state = number;
    uint64_t random = rig_random(&state);
    return 1 + (size_t)(random >> 8) % (random % 8 == 0 ? 70000 : 3000);
}

/* Errors that tiers with limits and faults are there to make; anything else is a bug. */
static bool is_expected(dp_status status)
{
    return status == DP_OK || status == DP_ERR_NOMEM || status == DP_ERR_QUOTA;
}

static void drop(stress_buf *one)
{
    if (one->buf != NULL) {
        DP_ASSERT(dp_buf_size(one->buf) == size_of(one->number));
        DP_ASSERT(rig_is_filled(dp_buf_data(one->buf), size_of(one->number), one->number));
        dp_put(one->buf);
    }
    *one = (stress_buf){.buf = NULL};
}

static dp_status get(stress_thread *self, uint64_t number, dp_buf **out)
{
    dp_request request = {.size_bytes = size_of(number),
                          .kind = (dp_kind)(number % DP_KIND_COUNT),
                          .priority = (dp_priority)(number % DP_PRIORITY_COUNT),
                          .need = DP_NEED_HOST};
    dp_status status = dp_get(self->at->pool, &request, out);
    DP_ASSERT(is_expected(status));
    if (status == DP_OK) {
        rig_fill(dp_buf_data(*out), size_of(number), number);
    } else {
        atomic_fetch_add_explicit(&self->at->refused, 1, memory_order_relaxed);
    }
    return status;
}

/* --- what a thread does --- */

static void op_get(stress_thread *self)
{
    stress_buf *one = &self->held[draw(self, HELD_MAX)];
    drop(one);
    uint64_t number = draw(self, UINT64_MAX);
    if (get(self, number, &one->buf) == DP_OK) {
        one->number = number;
    }
}

static void op_put(stress_thread *self)
{
    drop(&self->held[draw(self, HELD_MAX)]);
}

/* A second holder in this thread. */
static void op_ref(stress_thread *self)
{
    stress_buf *from = &self->held[draw(self, HELD_MAX)];
    stress_buf *to = &self->held[draw(self, HELD_MAX)];
    if (from->buf != NULL && to->buf == NULL) {
        *to = (stress_buf){.buf = dp_ref(from->buf), .number = from->number};
    }
}

/* Leaves one for another thread and takes what was there. */
static void op_mail(stress_thread *self)
{
    stress_buf *mine = &self->held[draw(self, HELD_MAX)];
    stress_buf *slot = &self->at->mail[draw(self, MAIL_SLOTS)];
    os_lock(&self->at->mail_lock);
    stress_buf there = *slot;
    *slot = *mine;
    os_unlock(&self->at->mail_lock);
    *mine = there;
}

static bool item_make(stress_thread *self, dp_cache_item *item)
{
    uint64_t number = draw(self, KEYS);
    *item = (dp_cache_item){.key = rig_key(number),
                            .entry = {.priority = (dp_priority)(number % DP_PRIORITY_COUNT),
                                      .persistent = number % 4 != 0,
                                      .meta_bytes = 8}};
    memcpy(item->entry.meta, &number, 8);
    return get(self, number, &item->entry.buf) == DP_OK;
}

static void op_insert(stress_thread *self)
{
    dp_cache_item item;
    bool durable = false;
    if (item_make(self, &item)) {
        dp_status status = dp_cache_insert(self->at->cache, &item.key, &item.entry, &durable);
        DP_ASSERT(is_expected(status) || status == DP_ERR_EXISTS);
        DP_ASSERT(!durable || (status == DP_OK && item.entry.persistent));
        dp_put(item.entry.buf);
    }
}

static void op_insert_many(stress_thread *self)
{
    dp_cache_item items[MANY_MAX];
    size_t count = 0;
    for (uint64_t left = 1 + draw(self, MANY_MAX); left > 0; left--) {
        count += item_make(self, &items[count]);
    }
    (void)dp_cache_insert_many(self->at->cache, items, count);
    for (size_t i = 0; i < count; i++) {
        DP_ASSERT(is_expected(items[i].status) || items[i].status == DP_ERR_EXISTS);
        DP_ASSERT(!items[i].durable || items[i].status == DP_OK);
        dp_put(items[i].entry.buf);
    }
}

static void op_look_up(stress_thread *self)
{
    uint64_t number = draw(self, KEYS);
    dp_cache_key key = rig_key(number);
    dp_cache_entry entry;
    dp_status status = dp_cache_lookup(self->at->cache, &key, &entry);
    DP_ASSERT(is_expected(status) || status == DP_ERR_NOT_FOUND);
    if (status == DP_OK) {
        DP_ASSERT(entry.meta_bytes == 8 && memcmp(entry.meta, &number, 8) == 0);
        stress_buf *one = &self->held[draw(self, HELD_MAX)];
        drop(one);
        *one = (stress_buf){.buf = entry.buf, .number = number};
        atomic_fetch_add_explicit(&self->at->found, 1, memory_order_relaxed);
    }
}

static void op_remove(stress_thread *self)
{
    dp_cache_key key = rig_key(draw(self, KEYS));
    dp_status status = dp_cache_remove(self->at->cache, &key);
    DP_ASSERT(is_expected(status) || status == DP_ERR_NOT_FOUND);
}

static void op_fail(stress_thread *self)
{
    os_malloc_fail_nth(1 + draw(self, 300));
}

static void op_flush(stress_thread *self)
{
    dp_pool_thread_flush(self->at->pool);
}

static const struct {
    void (*run)(stress_thread *self);
    unsigned share;
} ops[] = {
    {op_get, 30},        {op_put, 20},     {op_ref, 10},   {op_mail, 15}, {op_insert, 6},
    {op_insert_many, 1}, {op_look_up, 20}, {op_remove, 3}, {op_fail, 1},  {op_flush, 1},
};

static void *stress_main(void *user)
{
    stress_thread *self = user;
    unsigned shares = 0;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        shares += ops[i].share;
    }
    for (unsigned n = 0; n < ROUND_OPS; n++) {
        uint64_t choice = draw(self, shares);
        size_t op = 0;
        while (choice >= ops[op].share) {
            choice -= ops[op++].share;
        }
        ops[op].run(self);
    }
    for (size_t i = 0; i < HELD_MAX; i++) {
        drop(&self->held[i]);
    }
    return NULL;
}

/* --- rounds --- */

/* A limit round the tier, and faults round that. */
static dp_tier *decorate(dp_tier *tier, size_t budget_bytes, uint64_t every_max, uint64_t *random)
{
    dp_tier *limited = NULL;
    dp_tier *faulty = NULL;
    uint64_t every = 2 + rig_random(random) % every_max;
    assert_int_equal(tier_limit_wrap(tier, budget_bytes, &limited), DP_OK);
    assert_int_equal(tier_fault_wrap(limited, every, every, &faulty), DP_OK);
    return faulty;
}

static void round_open(stress *at, uint64_t *random)
{
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    tier_open_args args = {0};
    char detail[96];
    dp_tier *host = NULL;
    assert_int_equal(tier_open(DP_TIER_HOST, &args, detail, &host), DP_OK);
    tiers[DP_TIER_HOST] = decorate(host, HOST_BUDGET, 6, random);
#if DP_HAVE_PMEM
    tiers[DP_TIER_PMEM] =
        decorate(rig_pmem_open(rig_path(directory, "stress.pool")), PMEM_BUDGET, 200, random);
#endif
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    /* Every other round without the fallback, so that gets are refused as well. */
    config.health.enabled = at->rounds++ % 2 == 0;
    dp_cache_config cache_config = {.host_bytes_max = CACHE_BUDGET};
    assert_int_equal(pool_create_over(&config, tiers, &at->pool), DP_OK);
    assert_int_equal(dp_cache_create(at->pool, &cache_config, &at->cache), DP_OK);
}

static void round_close(stress *at)
{
    for (size_t i = 0; i < MAIL_SLOTS; i++) {
        drop(&at->mail[i]);
    }
    dp_cache_stats stats;
    dp_cache_stats_read(at->cache, &stats);
    at->dropped += stats.dropped;
    at->persist_failed += stats.persist_failed;
    dp_cache_destroy(at->cache);
    pool_check(at->pool);
    dp_pool_destroy(at->pool); /* asserts that every buffer came back */
#if DP_HAVE_PMEM
    dp_tier *pmem = rig_pmem_open(rig_path(directory, "stress.pool"));
    assert_int_equal(rig_count(pmem), stats.entries[DP_TIER_PMEM]);
    tier_close(pmem);
    assert_int_equal(rig_heap_count(rig_path(directory, "stress.pool"), RIG_ENTRY_TYPE),
                     stats.entries[DP_TIER_PMEM]);
#endif
}

static void round_run(stress *at, uint64_t *random)
{
    static stress_thread threads[THREADS];
    pthread_t ids[THREADS];
    round_open(at, random);
    for (size_t i = 0; i < THREADS; i++) {
        threads[i] = (stress_thread){.at = at, .random = rig_random(random)};
        assert_int_equal(pthread_create(&ids[i], NULL, stress_main, &threads[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    }
    os_malloc_fail_nth(0);
    round_close(at);
}

static void what_is_found_is_whole_and_everything_comes_back(void **state)
{
    (void)state;
    const char *given = getenv("DP_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    uint64_t random = seed;
    uint64_t seconds = getenv("DP_SOAK") != NULL ? SECONDS_SOAK : SECONDS;
    print_message("stress: %llu s with DP_SEED=%llu\n", (unsigned long long)seconds,
                  (unsigned long long)seed);
    static stress at;
    os_mutex_init(&at.mail_lock);
    uint64_t end = os_clock_ns() + seconds * 1000000000u;
    unsigned rounds = 0;
    while (rounds < 2 || os_clock_ns() < end) { /* every other round refuses gets */
        round_run(&at, &random);
        rounds++;
    }
    os_mutex_destroy(&at.mail_lock);
    print_message(
        "stress: %u rounds, %llu found, %llu gets refused, %llu entries dropped, "
        "%llu not persisted\n",
        rounds, (unsigned long long)at.found, (unsigned long long)at.refused,
        (unsigned long long)at.dropped, (unsigned long long)at.persist_failed);
    /* A round in which nothing fails would prove little. */
    assert_true(at.found > 0 && at.refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_is_whole_and_everything_comes_back),
    };
    rig_directory_make(directory);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    rig_directory_remove(directory);
    return failures;
}
