/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyed cache: what is found, what makes way for what, and what survives.
 *
 * Pools here are made over tiers that the test opened: host always, pmem on a temporary file where
 * it is built in, hbm over the fake driver in one test.  Threads report by a return value, since
 * cmocka knows the main thread only.
 */
#include "cm.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <danpool/cache.h>
#include <danpool/stats.h>

#include "cuda_fake.h"
#include "dp_features.h"
#include "pool/os.h"
#include "pool/pool_internal.h"
#include "tier_rig.h"

static char directory[RIG_PATH_BYTES];

static int setup(void **state)
{
    (void)state;
    rig_directory_make(directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_directory_remove(directory);
    return 0;
}

static const char *pool_path(void)
{
    return rig_path(directory, "cache.pool");
}

/* A pool with one cache, and what they were made of. */
typedef struct rig {
    dp_pool *pool;
    dp_cache *cache;
} rig;

static dp_tier *open_tier(dp_tier_id id)
{
    tier_open_args args = {0};
    char detail[96];
    dp_tier *tier = NULL;
    assert_int_equal(tier_open(id, &args, detail, &tier), DP_OK);
    return tier;
}

/* Takes `pmem` over, which may be NULL. */
static rig rig_open(dp_tier *pmem, size_t host_bytes_max, size_t pmem_bytes_max)
{
    rig made = {NULL, NULL};
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    tiers[DP_TIER_HOST] = open_tier(DP_TIER_HOST);
    tiers[DP_TIER_PMEM] = pmem;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_cache_config cache_config = {.host_bytes_max = host_bytes_max,
                                    .pmem_bytes_max = pmem_bytes_max};
    assert_int_equal(pool_create_over(&config, tiers, &made.pool), DP_OK);
    assert_int_equal(dp_cache_create(made.pool, &cache_config, &made.cache), DP_OK);
    return made;
}

static void rig_close(rig *at)
{
    dp_cache_destroy(at->cache);
    pool_check(at->pool);
    dp_pool_destroy(at->pool);
}

static dp_status insert(rig *at, uint64_t number, size_t size_bytes, dp_priority priority,
                        bool persistent, bool *durable)
{
    dp_request request = {.size_bytes = size_bytes, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    dp_cache_entry entry = {.priority = priority, .persistent = persistent, .meta_bytes = 8};
    dp_status status = dp_get(at->pool, &request, &entry.buf);
    if (status != DP_OK) {
        return status;
    }
    rig_fill(dp_buf_data(entry.buf), size_bytes, number);
    memcpy(entry.meta, &number, 8);
    dp_cache_key key = rig_key(number);
    status = dp_cache_insert(at->cache, &key, &entry, durable);
    dp_put(entry.buf);
    return status;
}

/* Looks up, compares every byte, puts; the tier it was served from, DP_TIER_NONE when missing. */
static dp_tier_id look_up(rig *at, uint64_t number)
{
    dp_cache_key key = rig_key(number);
    dp_cache_entry entry;
    dp_status status = dp_cache_lookup(at->cache, &key, &entry);
    if (status != DP_OK) {
        DP_ASSERT(status == DP_ERR_NOT_FOUND);
        return DP_TIER_NONE;
    }
    DP_ASSERT(entry.meta_bytes == 8 && memcmp(entry.meta, &number, 8) == 0);
    DP_ASSERT(rig_is_filled(dp_buf_data(entry.buf), dp_buf_size(entry.buf), number));
    DP_ASSERT(dp_buf_kind(entry.buf) == DP_KIND_ENCODED);
    dp_tier_id tier = dp_buf_tier(entry.buf);
    dp_put(entry.buf);
    return tier;
}

static dp_cache_stats stats_of(const rig *at)
{
    dp_cache_stats stats;
    dp_cache_stats_read(at->cache, &stats);
    return stats;
}

/* --- host memory alone --- */

static void an_entry_is_found_with_its_bytes_and_facts(void **state)
{
    (void)state;
    rig at = rig_open(NULL, 1 << 20, 0);
    bool durable = true;
    assert_int_equal(look_up(&at, 1), DP_TIER_NONE);
    assert_int_equal(insert(&at, 1, 5000, DP_PRIORITY_HIGH, true, &durable), DP_OK);
    assert_false(durable); /* there is no pmem: said, not failed */
    assert_int_equal(insert(&at, 1, 100, DP_PRIORITY_LOW, false, NULL), DP_ERR_EXISTS);
    assert_int_equal(insert(&at, 2, (1 << 20) + 1, DP_PRIORITY_HIGH, false, NULL),
                     DP_ERR_TOO_LARGE);
    assert_int_equal(look_up(&at, 1), DP_TIER_HOST);
    dp_cache_key key = rig_key(1);
    dp_cache_entry entry;
    assert_int_equal(dp_cache_lookup(at.cache, &key, &entry), DP_OK);
    assert_int_equal(entry.priority, DP_PRIORITY_HIGH);
    assert_int_equal(dp_buf_size(entry.buf), 5000);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_ERR_NOT_FOUND);
    assert_int_equal(look_up(&at, 1), DP_TIER_NONE);
    assert_true(rig_is_filled(dp_buf_data(entry.buf), 5000, 1)); /* holders keep theirs */
    dp_put(entry.buf);
    dp_cache_stats stats = stats_of(&at);
    assert_int_equal(stats.hits[DP_TIER_HOST], 2);
    assert_int_equal(stats.misses, 2);
    assert_int_equal(stats.inserted, 1);
    assert_int_equal(stats.persist_failed, 0);
    assert_int_equal(stats.entries[DP_TIER_HOST], 0);
    assert_int_equal(stats.bytes[DP_TIER_HOST], 0);
    rig_close(&at);
}

static void the_lowest_priority_goes_first_then_the_least_recently_used(void **state)
{
    (void)state;
    rig at = rig_open(NULL, 50000, 0);
    static const dp_priority priorities[5] = {DP_PRIORITY_NORMAL, DP_PRIORITY_LOW, DP_PRIORITY_HIGH,
                                              DP_PRIORITY_LOW, DP_PRIORITY_NORMAL};
    static const uint64_t expected[5] = {3, 1, 4, 0, 2}; /* 1 and 0 are used again below */
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(insert(&at, i, 10000, priorities[i], false, NULL), DP_OK);
    }
    assert_int_equal(look_up(&at, 1), DP_TIER_HOST);
    assert_int_equal(look_up(&at, 0), DP_TIER_HOST);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(insert(&at, 10 + i, 10000, DP_PRIORITY_HIGH, false, NULL), DP_OK);
        assert_int_equal(stats_of(&at).dropped, i + 1);
        dp_cache_stats before = stats_of(&at);
        assert_int_equal(look_up(&at, expected[i]), DP_TIER_NONE);
        assert_int_equal(before.bytes[DP_TIER_HOST], 50000);
    }
    rig_close(&at);
}

static void eviction_never_takes_a_referenced_buffer(void **state)
{
    (void)state;
    rig at = rig_open(NULL, 50000, 0);
    dp_cache_entry held[3];
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(insert(&at, i, 10000, DP_PRIORITY_LOW, false, NULL), DP_OK);
    }
    for (uint64_t i = 0; i < 3; i++) {
        dp_cache_key key = rig_key(i);
        assert_int_equal(dp_cache_lookup(at.cache, &key, &held[i]), DP_OK);
    }
    for (uint64_t i = 10; i < 60; i++) {
        assert_int_equal(insert(&at, i, 10000, DP_PRIORITY_HIGH, false, NULL), DP_OK);
    }
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(look_up(&at, i), DP_TIER_HOST);
        assert_true(rig_is_filled(dp_buf_data(held[i].buf), 10000, i));
        dp_put(held[i].buf);
    }
    for (uint64_t i = 60; i < 70; i++) {
        assert_int_equal(insert(&at, i, 10000, DP_PRIORITY_HIGH, false, NULL), DP_OK);
    }
    assert_int_equal(look_up(&at, 0), DP_TIER_NONE); /* free to go once nobody holds it */
    assert_int_equal(stats_of(&at).bytes[DP_TIER_HOST], 50000);
    rig_close(&at);
}

/* --- with pmem --- */

#if DP_HAVE_PMEM

static void persistent_entries_survive_the_pool_and_are_promoted_on_the_second_hit(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 0);
    bool durable = false;
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(insert(&at, i, 9000, DP_PRIORITY_NORMAL, i < 10, &durable), DP_OK);
        assert_int_equal(durable, i < 10);
    }
    rig_close(&at);

    at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 0);
    assert_int_equal(stats_of(&at).entries[DP_TIER_PMEM], 10);
    assert_int_equal(stats_of(&at).bytes[DP_TIER_PMEM], 90000);
    assert_int_equal(look_up(&at, 12), DP_TIER_NONE);
    assert_int_equal(look_up(&at, 3), DP_TIER_PMEM);
    assert_int_equal(stats_of(&at).promoted, 0);
    assert_int_equal(look_up(&at, 3), DP_TIER_HOST); /* found in pmem, served from its new copy */
    assert_int_equal(look_up(&at, 3), DP_TIER_HOST);
    dp_cache_stats stats = stats_of(&at);
    assert_int_equal(stats.promoted, 1);
    assert_int_equal(stats.hits[DP_TIER_PMEM], 2);
    assert_int_equal(stats.hits[DP_TIER_HOST], 1);
    assert_int_equal(stats.entries[DP_TIER_PMEM], 10);
    assert_int_equal(stats.entries[DP_TIER_HOST], 1);
    assert_int_equal(insert(&at, 3, 9000, DP_PRIORITY_NORMAL, true, NULL), DP_ERR_EXISTS);
    dp_cache_key key = rig_key(3);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    rig_close(&at);

    at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 0);
    assert_int_equal(look_up(&at, 3), DP_TIER_NONE);
    assert_int_equal(look_up(&at, 4), DP_TIER_PMEM);
    rig_close(&at);
}

static void what_is_in_pmem_is_served_in_place_and_outlives_the_cache(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 0);
    assert_int_equal(insert(&at, 1, 70000, DP_PRIORITY_LOW, true, NULL), DP_OK);
    rig_close(&at);
    at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 0);
    dp_cache_key key = rig_key(1);
    dp_cache_entry entry;
    dp_stats copies;
    assert_int_equal(dp_cache_lookup(at.cache, &key, &entry), DP_OK);
    dp_stats_read(at.pool, &copies);
    assert_int_equal(copies.bytes_copied, 0);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    assert_int_equal(look_up(&at, 1), DP_TIER_NONE);
    dp_cache_destroy(at.cache);
    assert_true(rig_is_filled(dp_buf_data(entry.buf), 70000, 1));
    dp_put(entry.buf);
    dp_pool_destroy(at.pool);
    dp_tier *tier = rig_pmem_open(pool_path());
    assert_int_equal(rig_count(tier), 0);
    tier_close(tier);
}

static void demotion_goes_to_pmem_and_costs_nothing_for_what_is_there(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 50000, 0);
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(insert(&at, i, 10000, DP_PRIORITY_LOW, i % 2 == 0, NULL), DP_OK);
    }
    dp_cache_stats stats = stats_of(&at);
    assert_int_equal(stats.demoted, 15);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.entries[DP_TIER_HOST], 5);
    /* The ten persistent ones, and the odd ones of the fifteen that left host memory. */
    assert_int_equal(stats.entries[DP_TIER_PMEM], 17);
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(look_up(&at, i), i < 15 ? DP_TIER_PMEM : DP_TIER_HOST);
    }
    rig_close(&at);
}

static void a_promotion_never_makes_a_lookup_write_to_pmem(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 30000, 0);
    assert_int_equal(insert(&at, 1, 10000, DP_PRIORITY_LOW, true, NULL), DP_OK);
    for (uint64_t i = 2; i < 5; i++) {
        assert_int_equal(insert(&at, i, 10000, DP_PRIORITY_LOW, false, NULL), DP_OK);
    }
    /* Host memory is full of copies that are nowhere else: 1 stays where it is. */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(look_up(&at, 1), DP_TIER_PMEM);
    }
    assert_int_equal(stats_of(&at).entries[DP_TIER_PMEM], 1);
    assert_int_equal(stats_of(&at).promoted, 0);
    dp_cache_key key = rig_key(2);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    assert_int_equal(look_up(&at, 1), DP_TIER_HOST);
    rig_close(&at);
}

static void a_pmem_budget_is_kept_by_the_lowest_priority_making_way(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 50000);
    bool durable = false;
    assert_int_equal(insert(&at, 0, 10000, DP_PRIORITY_HIGH, true, &durable), DP_OK);
    for (uint64_t i = 1; i < 9; i++) {
        assert_int_equal(insert(&at, i, 10000, DP_PRIORITY_NORMAL, true, &durable), DP_OK);
        assert_true(durable);
        assert_true(stats_of(&at).bytes[DP_TIER_PMEM] <= 50000);
    }
    /* A lower priority gets no room from higher ones: it stays in host memory, and that is said. */
    assert_int_equal(insert(&at, 9, 10000, DP_PRIORITY_LOW, true, &durable), DP_OK);
    assert_false(durable);
    assert_int_equal(stats_of(&at).persist_failed, 1);
    assert_int_equal(insert(&at, 10, 60000, DP_PRIORITY_HIGH, true, &durable), DP_OK);
    assert_false(durable); /* larger than the whole budget: nobody is thrown out in vain */
    assert_int_equal(stats_of(&at).entries[DP_TIER_PMEM], 5);
    for (uint64_t i = 0; i < 11; i++) {
        assert_int_equal(look_up(&at, i), DP_TIER_HOST);
    }
    rig_close(&at);
    at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 50000);
    for (uint64_t i = 0; i < 11; i++) {
        bool kept = i == 0 || (i >= 5 && i <= 8);
        assert_int_equal(look_up(&at, i), kept ? DP_TIER_PMEM : DP_TIER_NONE);
    }
    rig_close(&at);
}

static void a_full_pmem_file_makes_room_but_never_takes_a_held_entry(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 300000, 0);
    bool durable = false;
    dp_cache_key key = rig_key(0);
    dp_cache_entry held;
    assert_int_equal(insert(&at, 0, 100000, DP_PRIORITY_LOW, true, &durable), DP_OK);
    for (uint64_t i = 1; i < 5; i++) {
        assert_int_equal(insert(&at, i, 100000, DP_PRIORITY_LOW, true, &durable), DP_OK);
    }
    assert_int_equal(dp_cache_lookup(at.cache, &key, &held), DP_OK);
    assert_int_equal(dp_buf_tier(held.buf), DP_TIER_PMEM);
    for (uint64_t i = 5; i < 300; i++) {
        assert_int_equal(insert(&at, i, 100000, DP_PRIORITY_LOW, true, &durable), DP_OK);
        assert_true(durable);
    }
    assert_true(stats_of(&at).dropped > 100);
    assert_int_equal(stats_of(&at).persist_failed, 0);
    assert_true(rig_is_filled(dp_buf_data(held.buf), 100000, 0));
    assert_int_equal(look_up(&at, 1), DP_TIER_NONE);
    assert_int_equal(look_up(&at, 0), DP_TIER_HOST); /* still there: the second hit promotes */
    dp_put(held.buf);
    rig_close(&at);
}

static void a_corrupt_entry_is_a_miss_and_can_be_inserted_again(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 0);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(insert(&at, i, 10000, DP_PRIORITY_LOW, true, NULL), DP_OK);
    }
    rig_close(&at);
    assert_true(rig_damage(pool_path(), 2));
    at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 0);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(look_up(&at, i), i == 2 ? DP_TIER_NONE : DP_TIER_PMEM);
    }
    assert_int_equal(stats_of(&at).misses, 1);
    assert_int_equal(stats_of(&at).dropped, 1);
    bool durable = false;
    assert_int_equal(insert(&at, 2, 10000, DP_PRIORITY_LOW, true, &durable), DP_OK);
    assert_true(durable);
    rig_close(&at);
    at = rig_open(rig_pmem_open(pool_path()), 1 << 20, 0);
    assert_int_equal(look_up(&at, 2), DP_TIER_PMEM);
    rig_close(&at);
}

static void device_memory_is_read_back_to_be_persisted(void **state)
{
    (void)state;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    cuda_fake_install(&plan);
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    tiers[DP_TIER_HOST] = open_tier(DP_TIER_HOST);
    tiers[DP_TIER_HBM] = open_tier(DP_TIER_HBM);
    tiers[DP_TIER_PMEM] = rig_pmem_open(pool_path());
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_cache_config cache_config = {.host_bytes_max = 1 << 20};
    dp_pool *pool = NULL;
    dp_cache *cache = NULL;
    assert_int_equal(pool_create_over(&config, tiers, &pool), DP_OK);
    assert_int_equal(dp_cache_create(pool, &cache_config, &cache), DP_OK);
    unsigned char bytes[5000];
    rig_fill(bytes, sizeof bytes, 1);
    dp_request request = {.size_bytes = sizeof bytes,
                          .kind = DP_KIND_SURFACE,
                          .need = DP_NEED_DEVICE,
                          .batch_size = 8};
    dp_cache_entry entry = {.persistent = true};
    assert_int_equal(dp_get(pool, &request, &entry.buf), DP_OK);
    assert_int_equal(dp_buf_tier(entry.buf), DP_TIER_HBM);
    assert_int_equal(dp_buf_write(entry.buf, 0, bytes, sizeof bytes), DP_OK);
    dp_cache_key key = rig_key(1);
    bool durable = false;
    assert_int_equal(dp_cache_insert(cache, &key, &entry, &durable), DP_OK);
    assert_true(durable);
    dp_put(entry.buf);
    /* The device goes away; the stored copy is still what was inserted. */
    cuda_fake_lose();
    dp_cache_destroy(cache);
    dp_pool_destroy(pool);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
    dp_tier *tier = rig_pmem_open(pool_path());
    tier_object object;
    assert_int_equal(tier_store_find(tier, &key, &object), DP_OK);
    assert_memory_equal(object.data, bytes, sizeof bytes);
    assert_int_equal(object.kind, DP_KIND_SURFACE);
    tier_store_release(tier, &object);
    tier_close(tier);
}

/* --- a commit that takes its time --- */

/* A pmem tier whose commits wait at a gate. */
typedef struct gate_tier {
    dp_tier tier;
    tier_ops ops;
    tier_store_ops store;
    dp_tier *inner;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_shut;
    unsigned waiting;
} gate_tier;

static void gate_close(dp_tier *tier)
{
    tier_close(((gate_tier *)tier)->inner);
}

static void gate_commit(dp_tier *tier, tier_item *items, size_t count)
{
    gate_tier *self = (gate_tier *)tier;
    os_lock(&self->lock);
    self->waiting++;
    pthread_cond_broadcast(&self->changed);
    while (self->is_shut) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    self->waiting--;
    os_unlock(&self->lock);
    tier_store_commit_many(self->inner, items, count);
}

static dp_status gate_find(dp_tier *tier, const dp_cache_key *key, tier_object *out)
{
    return tier_store_find(((gate_tier *)tier)->inner, key, out);
}

static void gate_release(dp_tier *tier, const tier_object *object)
{
    tier_store_release(((gate_tier *)tier)->inner, object);
}

static dp_status gate_remove(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes)
{
    return tier_store_remove(((gate_tier *)tier)->inner, key, size_bytes);
}

static void gate_each(dp_tier *tier, tier_visit *visit, void *user)
{
    tier_store_each(((gate_tier *)tier)->inner, visit, user);
}

static void gate_totals(dp_tier *tier, tier_store_totals *out)
{
    tier_store_totals_read(((gate_tier *)tier)->inner, out);
}

static void gate_unclaim(dp_tier *tier)
{
    tier_store_unclaim(((gate_tier *)tier)->inner);
}

static bool gate_claim(dp_tier *tier, const dp_cache_key *key, tier_claim *out)
{
    return tier_store_claim(((gate_tier *)tier)->inner, key, out);
}

static bool gate_claim_oldest(dp_tier *tier, dp_priority priority, tier_claim *out)
{
    return tier_store_claim_oldest(((gate_tier *)tier)->inner, priority, out);
}

static void gate_init(gate_tier *self, dp_tier *inner)
{
    memset(self, 0, sizeof *self);
    self->inner = inner;
    self->tier = *inner;
    self->tier.ops = &self->ops;
    self->store = (tier_store_ops){.commit = gate_commit,
                                   .find = gate_find,
                                   .release = gate_release,
                                   .remove = gate_remove,
                                   .each = gate_each,
                                   .totals = gate_totals,
                                   .unclaim = gate_unclaim,
                                   .claim = gate_claim,
                                   .claim_oldest = gate_claim_oldest};
    self->ops = (tier_ops){.close = gate_close, .store = &self->store};
    os_mutex_init(&self->lock);
    pthread_cond_init(&self->changed, NULL);
    self->is_shut = true;
}

typedef struct job {
    rig *at;
    uint64_t number;
    dp_status status;
    bool durable;
} job;

static void *insert_on_a_thread(void *user)
{
    job *self = user;
    self->status = insert(self->at, self->number, 20000, DP_PRIORITY_LOW, true, &self->durable);
    return NULL;
}

static void *remove_on_a_thread(void *user)
{
    job *self = user;
    dp_cache_key key = rig_key(self->number);
    self->status = dp_cache_remove(self->at->cache, &key);
    return NULL;
}

static void lookups_do_not_wait_for_a_commit_but_a_removal_does(void **state)
{
    (void)state;
    gate_tier gate;
    gate_init(&gate, rig_pmem_open(pool_path()));
    rig at = rig_open(&gate.tier, 1 << 20, 0);
    assert_int_equal(insert(&at, 1, 20000, DP_PRIORITY_LOW, false, NULL), DP_OK);
    job writing = {.at = &at, .number = 2};
    job removing = {.at = &at, .number = 2};
    pthread_t writer;
    pthread_t remover;
    assert_int_equal(pthread_create(&writer, NULL, insert_on_a_thread, &writing), 0);
    os_lock(&gate.lock);
    while (gate.waiting == 0) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    os_unlock(&gate.lock);
    /* The commit is stuck; this thread would be too if any lock were held over it. */
    assert_int_equal(look_up(&at, 1), DP_TIER_HOST);
    assert_int_equal(look_up(&at, 2), DP_TIER_HOST);
    assert_int_equal(insert(&at, 3, 20000, DP_PRIORITY_LOW, false, NULL), DP_OK);
    assert_int_equal(insert(&at, 2, 20000, DP_PRIORITY_LOW, true, NULL), DP_ERR_EXISTS);
    assert_int_equal(pthread_create(&remover, NULL, remove_on_a_thread, &removing), 0);
    os_lock(&gate.lock);
    gate.is_shut = false;
    pthread_cond_broadcast(&gate.changed);
    os_unlock(&gate.lock);
    pthread_join(writer, NULL);
    pthread_join(remover, NULL);
    assert_int_equal(writing.status, DP_OK);
    assert_true(writing.durable);
    assert_int_equal(removing.status, DP_OK);
    assert_int_equal(look_up(&at, 2), DP_TIER_NONE);
    rig_close(&at);
    pthread_cond_destroy(&gate.changed);
    os_mutex_destroy(&gate.lock);
}

/* --- threads --- */

#define CACHE_THREADS 4
#define CACHE_ROUNDS  150
#define CACHE_KEYS    40

typedef struct fighter {
    rig *at;
    uint64_t random;
    unsigned inserted;
    const char *complaint;
} fighter;

static void *fight(void *user)
{
    fighter *self = user;
    for (int i = 0; i < CACHE_ROUNDS && self->complaint == NULL; i++) {
        uint64_t number = rig_random(&self->random) % CACHE_KEYS;
        size_t size_bytes = 1000 + 500 * (size_t)number;
        (void)look_up(self->at, number); /* asserts every byte of what it finds */
        dp_status status =
            insert(self->at, number, size_bytes, (dp_priority)(number % 3), number % 2 == 0, NULL);
        if (status == DP_OK) {
            self->inserted++;
        } else if (status != DP_ERR_EXISTS) {
            self->complaint = dp_status_name(status);
        }
        if (rig_random(&self->random) % 8 == 0) {
            dp_cache_key key = rig_key(rig_random(&self->random) % CACHE_KEYS);
            (void)dp_cache_remove(self->at->cache, &key);
        }
    }
    dp_pool_thread_flush(self->at->pool);
    return NULL;
}

static void threads_insert_find_and_remove_the_same_keys(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("cache: threads with seed %llu\n", (unsigned long long)seed);
    rig at = rig_open(rig_pmem_open(pool_path()), 100000, 150000);
    pthread_t threads[CACHE_THREADS];
    fighter fighters[CACHE_THREADS];
    for (unsigned i = 0; i < CACHE_THREADS; i++) {
        fighters[i] = (fighter){.at = &at, .random = seed + i};
        assert_int_equal(pthread_create(&threads[i], NULL, fight, &fighters[i]), 0);
    }
    unsigned inserted = 0;
    for (unsigned i = 0; i < CACHE_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_null(fighters[i].complaint);
        inserted += fighters[i].inserted;
    }
    dp_cache_stats stats = stats_of(&at);
    assert_int_equal(stats.inserted, inserted);
    assert_true(stats.bytes[DP_TIER_PMEM] <= 150000);
    uint64_t entries_pmem = stats.entries[DP_TIER_PMEM];
    for (uint64_t i = 0; i < CACHE_KEYS; i++) {
        dp_cache_key key = rig_key(i);
        (void)dp_cache_remove(at.cache, &key);
    }
    stats = stats_of(&at);
    assert_int_equal(stats.bytes[DP_TIER_HOST] + stats.bytes[DP_TIER_PMEM], 0);
    rig_close(&at);
    dp_tier *tier = rig_pmem_open(pool_path());
    assert_int_equal(rig_count(tier), 0);
    tier_close(tier);
    print_message("cache: %u inserted, %llu were in pmem at the end\n", inserted,
                  (unsigned long long)entries_pmem);
}

#endif

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(an_entry_is_found_with_its_bytes_and_facts),
        CACHE_TEST(the_lowest_priority_goes_first_then_the_least_recently_used),
        CACHE_TEST(eviction_never_takes_a_referenced_buffer),
#if DP_HAVE_PMEM
        CACHE_TEST(persistent_entries_survive_the_pool_and_are_promoted_on_the_second_hit),
        CACHE_TEST(what_is_in_pmem_is_served_in_place_and_outlives_the_cache),
        CACHE_TEST(demotion_goes_to_pmem_and_costs_nothing_for_what_is_there),
        CACHE_TEST(a_promotion_never_makes_a_lookup_write_to_pmem),
        CACHE_TEST(a_pmem_budget_is_kept_by_the_lowest_priority_making_way),
        CACHE_TEST(a_full_pmem_file_makes_room_but_never_takes_a_held_entry),
        CACHE_TEST(a_corrupt_entry_is_a_miss_and_can_be_inserted_again),
        CACHE_TEST(device_memory_is_read_back_to_be_persisted),
        CACHE_TEST(lookups_do_not_wait_for_a_commit_but_a_removal_does),
        CACHE_TEST(threads_insert_find_and_remove_the_same_keys),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
