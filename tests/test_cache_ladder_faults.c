/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache's ladder when things fail or happen at once: any allocation, any call into a tier,
 * threads that insert, find and remove while one maintains.  Sums and bytes are right after all.
 */
#include "cm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "ladder_rig.h"

/* ---- failing ---- */

/* A life with moves in every direction; every entry that is left has its bytes. */
static void life(rig *at)
{
    for (uint64_t i = 0; i < 8; i++) {
        given what = {.number = i, .tier = DP_TIER_HBM, .movable = i % 3 == 0};
        (void)insert(at, &what);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 8; i++) {
            dp_cache_key key = rig_key(i);
            dp_cache_entry entry;
            if (dp_cache_lookup(at->cache, &key, &entry) == DP_OK) {
                dp_put(entry.buf);
            }
        }
    }
    dp_cache_key key = rig_key(7);
    (void)dp_cache_remove(at->cache, &key);
    (void)dp_cache_maintain(at->cache, 100);
}

/* The sums are those of the entries, and they are whole. */
static void life_check(rig *at)
{
    uint64_t entries[DP_TIER_COUNT + 1] = {0};
    pool_check(at->pool);
    for (uint64_t i = 0; i < 8; i++) {
        entries[look_up(at, i)]++;
    }
    dp_cache_stats stats = stats_of(at);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        assert_int_equal(stats.entries[id], entries[id]);
        assert_int_equal(stats.bytes[id], entries[id] * ENTRY_BYTES);
    }
}

static void any_allocation_may_fail_and_the_sums_are_right(void **state)
{
    (void)state;
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        rig at;
        tiers_make(&at);
        dp_cache_config config = budgets(2, 2, 2);
        (void)os_malloc_fail_nth(nth);
        dp_status status = rig_start(&at, &config);
        if (status == DP_OK) {
            life(&at);
        }
        fired = os_malloc_fail_nth(0) == 0;
        assert_true(fired || status == DP_OK);
        if (status == DP_OK) {
            life_check(&at);
            rig_close(&at);
        }
    }
}

static void any_tier_call_may_fail_and_the_sums_are_right(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RIG_IDS; i++) {
        for (uint64_t nth = 1; nth < 40; nth++) {
            rig at;
            tiers_make(&at);
            dp_tier **tier = &at.tiers[rig_ids[i]];
            assert_int_equal(tier_fault_wrap(*tier, nth, 0, tier), DP_OK);
            dp_cache_config config = budgets(2, 2, 2);
            assert_int_equal(rig_start(&at, &config), DP_OK);
            life(&at);
            life_check(&at);
            rig_close(&at);
        }
    }
}

/* ---- threads ---- */

#define LADDER_THREADS 3
#define LADDER_ROUNDS  300
#define LADDER_KEYS    24

typedef struct walker {
    rig *at;
    uint64_t random;
    atomic_bool *stop;
} walker;

static void *walk(void *user)
{
    walker *self = user;
    for (int i = 0; i < LADDER_ROUNDS; i++) {
        uint64_t number = rig_random(&self->random) % LADDER_KEYS;
        (void)look_up(self->at, number); /* asserts every byte of what it finds */
        (void)look_up(self->at, number);
        given what = {.number = number,
                      .tier = rig_ids[number % RIG_IDS],
                      .priority = (dp_priority)(number % 2),
                      .movable = number % 4 == 0};
        dp_status status = insert(self->at, &what);
        DP_ASSERT(status == DP_OK || status == DP_ERR_EXISTS);
        if (rig_random(&self->random) % 2 == 0) {
            dp_cache_key key = rig_key(rig_random(&self->random) % LADDER_KEYS);
            (void)dp_cache_remove(self->at->cache, &key);
        }
    }
    return NULL;
}

static void *maintain(void *user)
{
    walker *self = user;
    while (!atomic_load(self->stop)) {
        (void)dp_cache_maintain(self->at->cache, 4);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    return NULL;
}

static void threads_insert_find_and_remove_while_one_maintains(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("ladder: threads with seed %llu\n", (unsigned long long)seed);
    rig at;
    dp_cache_config config = budgets(4, 4, 4);
    config.low_percent = 75;
    rig_open(&at, config);
    atomic_bool stop = false;
    walker walkers[LADDER_THREADS + 1];
    pthread_t threads[LADDER_THREADS + 1];
    for (unsigned i = 0; i <= LADDER_THREADS; i++) {
        walkers[i] = (walker){.at = &at, .random = seed + i, .stop = &stop};
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < LADDER_THREADS ? walk : maintain, &walkers[i]),
            0);
    }
    for (unsigned i = 0; i < LADDER_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&stop, true);
    pthread_join(threads[LADDER_THREADS], NULL);
    dp_cache_stats stats = stats_of(&at);
    print_message("ladder: %llu inserted, %llu down, %llu up, %llu dropped\n",
                  (unsigned long long)stats.inserted, (unsigned long long)stats.demoted,
                  (unsigned long long)stats.promoted, (unsigned long long)stats.dropped);
    assert_true(stats.demoted > 0);
    (void)dp_cache_maintain(at.cache, 1000);
    stats = stats_of(&at);
    for (unsigned i = 0; i < RIG_IDS; i++) {
        assert_in_range(stats.bytes[rig_ids[i]], 0, 3 * ENTRY_BYTES);
    }
    for (uint64_t i = 0; i < LADDER_KEYS; i++) {
        dp_cache_key key = rig_key(i);
        (void)dp_cache_remove(at.cache, &key);
    }
    stats = stats_of(&at);
    for (unsigned i = 0; i < RIG_IDS; i++) {
        assert_int_equal(stats.entries[rig_ids[i]], 0);
    }
    rig_close(&at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail_and_the_sums_are_right),
        cmocka_unit_test(any_tier_call_may_fail_and_the_sums_are_right),
        cmocka_unit_test(threads_insert_find_and_remove_while_one_maintains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
