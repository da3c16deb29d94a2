/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole pool: making and taking down, tiers that are absent, full or failing, every allocation
 * of its own failing once, and a seeded life on several threads with the walker after it.
 */
#include "cm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dies.h"
#include "pool_rig.h"

#define MIB ((size_t)1 << 20)

static dp_stats stats_of(dp_pool *pool)
{
    dp_stats stats;
    dp_stats_read(pool, &stats);
    return stats;
}

/* ---- making ---- */

static void the_default_pool_serves_on_any_machine(void **state)
{
    (void)state;
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool = NULL;
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        dp_tier_info info;
        assert_int_equal(dp_pool_tier_info(pool, (dp_tier_id)id, &info), DP_OK);
        assert_int_equal(info.id, id);
        assert_string_equal(info.name, dp_tier_name((dp_tier_id)id));
        assert_true(strlen(info.detail) > 0);
        assert_int_equal(info.state == DP_OK, pool_tier(pool, (dp_tier_id)id) != NULL);
    }
    dp_tier_info info;
    assert_int_equal(dp_pool_tier_info(pool, DP_TIER_NONE, &info), DP_ERR_INVALID);
    dp_buf *buf = rig_get(pool, DP_KIND_TEXT, 100);
    assert_non_null(buf);
    memset(dp_buf_data(buf), 1, 100);
    dp_put(buf);
    pool_check(pool);
    dp_pool_destroy(pool);
    dp_pool_destroy(NULL);
}

static void a_tier_not_asked_for_is_absent_and_says_so(void **state)
{
    (void)state;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    dp_pool *pool = NULL;
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    dp_tier_info info;
    assert_int_equal(dp_pool_tier_info(pool, DP_TIER_PINNED, &info), DP_OK);
    assert_int_equal(info.state, DP_ERR_UNSUPPORTED);
    assert_non_null(strstr(info.detail, "not asked for"));
    dp_pool_destroy(pool);
}

static void a_configuration_out_of_range_is_refused(void **state)
{
    (void)state;
    dp_pool *pool = NULL;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = 0;
    assert_int_equal(dp_pool_create(&config, &pool), DP_ERR_INVALID);
    config.tiers = DP_TIER_BIT(DP_TIER_COUNT);
    assert_int_equal(dp_pool_create(&config, &pool), DP_ERR_INVALID);
    const dp_route_rule wrong = {.kind = DP_KIND_TEXT, .tiers = {DP_TIER_NONE}};
    config = (dp_pool_config){.tiers = DP_TIER_BIT(DP_TIER_HOST), .rules = &wrong, .rule_count = 1};
    assert_int_equal(dp_pool_create(&config, &pool), DP_ERR_INVALID);
    assert_null(pool);
}

static void a_pool_without_any_memory_is_not_made(void **state)
{
    (void)state;
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    dp_pool *pool = NULL;
    assert_int_equal(pool_create_over(&config, tiers, &pool), DP_ERR_UNSUPPORTED);
    fake_tier_counts counts;
    tiers[DP_TIER_PMEM] =
        fake_tier_open(&(fake_tier_plan){.id = DP_TIER_PMEM, .store_only = true}, &counts);
    assert_int_equal(pool_create_over(&config, tiers, &pool), DP_ERR_UNSUPPORTED);
    assert_int_equal(counts.closed, 1);
    assert_null(pool);
}

/* ---- routes ---- */

/* The short way's table is by size class; a bound inside a class must hold to the byte all the
 * same. */
static void a_rule_that_cuts_a_class_in_two_is_kept_to_the_byte(void **state)
{
    (void)state;
    const dp_route_rule rules[] = {
        {.kind = DP_KIND_COUNT, .size_bytes_max = 100, .tiers = {DP_TIER_PINNED, DP_TIER_NONE}},
        {.kind = DP_KIND_COUNT, .size_bytes_min = 5000, .tiers = {DP_TIER_PINNED, DP_TIER_NONE}},
        {.kind = DP_KIND_COUNT, .tiers = {DP_TIER_HOST, DP_TIER_NONE}},
    };
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    fake_tier_counts counts[2] = {{0}};
    tiers[DP_TIER_HOST] = fake_tier_open(&(fake_tier_plan){.id = DP_TIER_HOST}, &counts[0]);
    tiers[DP_TIER_PINNED] =
        fake_tier_open(&(fake_tier_plan){.id = DP_TIER_PINNED, .alignment_bytes = 64}, &counts[1]);
    dp_pool_config config = {.rules = rules, .rule_count = 3};
    dp_pool *pool = NULL;
    assert_int_equal(pool_create_over(&config, tiers, &pool), DP_OK);
    for (unsigned round = 0; round < 3; round++) { /* cold, then from the magazines */
        for (size_t size = 90; size < 6000; size += size == 120 ? 4800 : 1) {
            dp_request request = {.size_bytes = size};
            dp_buf *buf = NULL;
            assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
            bool in_pinned = size <= 100 || size >= 5000;
            assert_int_equal(dp_buf_tier(buf), in_pinned ? DP_TIER_PINNED : DP_TIER_HOST);
            assert_true(dp_buf_capacity(buf) >= size);
            dp_put(buf);
        }
    }
    pool_check(pool);
    dp_pool_destroy(pool);
}

static void the_route_says_what_get_then_does(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    for (unsigned kind = 0; kind < DP_KIND_COUNT; kind++) {
        for (unsigned need = 0; need < 4; need++) {
            dp_request request = {
                .size_bytes = 300, .kind = (uint8_t)kind, .batch_size = 8, .need = (uint8_t)need};
            dp_tier_id tiers[DP_TIER_COUNT];
            size_t rule = 0;
            dp_status status = dp_pool_route(rig.pool, &request, tiers, &rule);
            dp_buf *buf = NULL;
            assert_int_equal(dp_get(rig.pool, &request, &buf), status);
            if (status == DP_OK)
                assert_int_equal(dp_buf_tier(buf), tiers[0]);
            dp_put(buf);
        }
    }
    dp_request surface = {.size_bytes = 1, .kind = DP_KIND_SURFACE, .batch_size = 8};
    dp_tier_id tiers[DP_TIER_COUNT];
    size_t rule = 99;
    assert_int_equal(dp_pool_route(rig.pool, &surface, tiers, &rule), DP_OK);
    assert_int_equal(rule, 1);
    assert_int_equal(tiers[0], DP_TIER_HBM);
    assert_int_equal(tiers[2], DP_TIER_HOST);
    assert_int_equal(tiers[3], DP_TIER_NONE);
    surface.size_bytes = 0;
    assert_int_equal(dp_pool_route(rig.pool, &surface, tiers, &rule), DP_ERR_INVALID);
    pool_rig_close(&rig);
}

static void an_exhausted_tier_falls_to_the_next_and_is_counted(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static dp_buf *bufs[COUNT];
    static const size_t bytes_max[DP_TIER_COUNT] = {[DP_TIER_HOST] = 2 * MIB,
                                                    [DP_TIER_PINNED] = MIB,
                                                    [DP_TIER_HBM] = SIZE_MAX,
                                                    [DP_TIER_PMEM] = SIZE_MAX};
    pool_rig rig = {0};
    pool_rig_open(&rig, bytes_max);
    unsigned got = 0;
    unsigned in_tier[DP_TIER_COUNT] = {0};
    while (got < COUNT && (bufs[got] = rig_get(rig.pool, DP_KIND_TEXT, 32768)) != NULL)
        in_tier[dp_buf_tier(bufs[got++])]++;
    assert_int_equal(in_tier[DP_TIER_PINNED], 32);
    assert_int_equal(in_tier[DP_TIER_HOST], 64);
    assert_int_equal(got, 96);
    dp_stats stats = stats_of(rig.pool);
    assert_int_equal(stats.fallbacks, 64);
    assert_int_equal(stats.tiers[DP_TIER_PINNED].failed, 65);
    assert_int_equal(stats.tiers[DP_TIER_HOST].failed, 1);
    assert_int_equal(stats.gets_failed, 1);
    dp_buf *untouched = NULL;
    dp_request request = {.size_bytes = 32768, .kind = DP_KIND_TEXT};
    assert_int_equal(dp_get(rig.pool, &request, &untouched), DP_ERR_NOMEM);
    assert_null(untouched);
    pool_check(rig.pool);
    while (got > 0)
        dp_put(bufs[--got]);
    dp_buf *again = rig_get(rig.pool, DP_KIND_TEXT, 32768);
    assert_int_equal(dp_buf_tier(again), DP_TIER_PINNED);
    dp_put(again);
    pool_rig_close(&rig);
}

static void a_budget_holds_and_its_end_is_the_next_tiers_begin(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    static dp_buf *bufs[COUNT];
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.budget_bytes_max[DP_TIER_PINNED] = MIB;
    config.health.enabled = false;
    fake_tier_counts counts[2];
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    tiers[DP_TIER_HOST] = fake_tier_open(&(fake_tier_plan){.id = DP_TIER_HOST}, &counts[0]);
    tiers[DP_TIER_PINNED] = fake_tier_open(&(fake_tier_plan){.id = DP_TIER_PINNED}, &counts[1]);
    dp_pool *pool = NULL;
    assert_int_equal(pool_create_over(&config, tiers, &pool), DP_OK);
    dp_tier_info info;
    assert_int_equal(dp_pool_tier_info(pool, DP_TIER_PINNED, &info), DP_OK);
    assert_int_equal(info.budget_bytes_max, MIB);
    for (unsigned i = 0; i < COUNT; i++) {
        bufs[i] = rig_get(pool, DP_KIND_ENCODED, 32768);
        assert_non_null(bufs[i]);
    }
    assert_true(counts[1].bytes_out <= MIB);
    assert_int_equal(stats_of(pool).fallbacks, COUNT - 32);
    for (unsigned i = 0; i < COUNT; i++)
        dp_put(bufs[i]);
    pool_check(pool);
    dp_pool_destroy(pool);
    assert_int_equal(counts[0].closed + counts[1].closed, 2);
}

/* ---- failures ---- */

/* Gets one buffer of each order of magnitude and puts them all; true when every get worked. */
static bool use_pool(dp_pool *pool)
{
    static const size_t sizes[] = {1, 500, 9000, 200000, 3 << 20};
    dp_buf *bufs[5];
    bool all = true;
    for (unsigned i = 0; i < 5; i++) {
        bufs[i] = rig_get(pool, DP_KIND_TEXT, sizes[i]);
        all = all && bufs[i] != NULL;
    }
    for (unsigned i = 0; i < 5; i++)
        dp_put(bufs[i]);
    return all;
}

static void every_allocation_of_the_pool_may_fail_once(void **state)
{
    (void)state;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    config.budget_bytes_max[DP_TIER_HOST] = 64 * MIB;
    config.health.enabled = false; /* its fallback would serve what fails */
    unsigned refused = 0;
    unsigned served_less = 0;
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        dp_pool *pool = NULL;
        (void)os_malloc_fail_nth(nth);
        dp_status status = dp_pool_create(&config, &pool);
        if (status != DP_OK) {
            assert_int_equal(os_malloc_fail_nth(0), 0);
            assert_int_equal(status, DP_ERR_NOMEM);
            assert_null(pool);
            refused++;
            continue;
        }
        served_less += !use_pool(pool);
        fired = os_malloc_fail_nth(0) == 0;
        assert_true(use_pool(pool));
        pool_check(pool);
        dp_pool_destroy(pool);
    }
    /* Pool, tier, budget, router, slab, layer; and a first get has nothing to fall back to. */
    assert_true(refused >= 6 && served_less >= 1);
}

static void every_call_into_a_tier_may_fail_once(void **state)
{
    (void)state;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.health.enabled = false;
    for (uint64_t nth = 1; nth <= 6; nth++) {
        fake_tier_counts counts;
        dp_tier *tiers[DP_TIER_COUNT] = {NULL};
        dp_tier *inner = fake_tier_open(&(fake_tier_plan){.id = DP_TIER_HOST}, &counts);
        assert_int_equal(tier_fault_wrap(inner, nth, 0, &tiers[DP_TIER_HOST]), DP_OK);
        dp_pool *pool = NULL;
        assert_int_equal(pool_create_over(&config, tiers, &pool), DP_OK);
        /* One region for the three small ones, one more for 200,000 bytes, one for 3 MiB. */
        bool all = use_pool(pool);
        pool_check(pool);
        if (nth == 1)
            assert_false(all); /* nothing is kept yet that a second try could use */
        assert_int_equal(stats_of(pool).gets_failed > 0, !all);
        assert_true(use_pool(pool));
        pool_check(pool);
        dp_pool_destroy(pool);
        assert_int_equal(counts.regions_out, 0);
        assert_int_equal(counts.closed, 1);
    }
}

/* ---- several pools, threads ---- */

static void pools_in_one_process_do_not_know_each_other(void **state)
{
    (void)state;
    enum { POOLS = 12 };
    static pool_rig rigs[POOLS];
    dp_buf *bufs[POOLS];
    memset(rigs, 0, sizeof rigs);
    for (unsigned i = 0; i < POOLS; i++) {
        pool_rig_open_all(&rigs[i]);
        bufs[i] = rig_get(rigs[i].pool, DP_KIND_OTHER, 64);
    }
    for (unsigned i = 0; i < POOLS; i++)
        dp_put(bufs[POOLS - 1 - i]);
    for (unsigned i = 0; i < POOLS; i++) {
        assert_int_equal(stats_of(rigs[i].pool).tiers[DP_TIER_HOST].gets[DP_FAMILY_TINY], 1);
        pool_rig_close(&rigs[i]);
    }
}

#define WORKERS      4
#define WORK_STEPS   20000
#define MAILBOXES    64
#define HELD_BY_EACH 64

typedef struct market {
    dp_pool *pool;
    _Atomic(dp_buf *) mailboxes[MAILBOXES]; /* buffers change owners here */
    _Atomic unsigned next_seed;
} market;

/* xorshift: rand() has a lock, which would order the threads for us. */
static unsigned draw(unsigned *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Marks both ends of a block, so that an owner notices if another one has the same block. */
static void stamp(dp_buf *buf)
{
    unsigned char *bytes = dp_buf_data(buf);
    size_t size = dp_buf_size(buf);
    unsigned char mark = (unsigned char)((uintptr_t)buf >> 6);
    bytes[0] = mark;
    bytes[size - 1] = mark;
}

static void check_stamp(const dp_buf *buf)
{
    const unsigned char *bytes = dp_buf_data(buf);
    unsigned char mark = (unsigned char)((uintptr_t)buf >> 6);
    DP_ASSERT(bytes[0] == mark && bytes[dp_buf_size(buf) - 1] == mark);
}

static void *trade(void *user)
{
    market *market_here = user;
    unsigned seed = atomic_fetch_add(&market_here->next_seed, 7919);
    dp_buf *held[HELD_BY_EACH] = {NULL};
    for (unsigned step = 0; step < WORK_STEPS; step++) {
        dp_buf **slot = &held[draw(&seed) % HELD_BY_EACH];
        if (*slot == NULL) {
            size_t size = 1 + draw(&seed) % (16u << (draw(&seed) % 14));
            dp_kind kind = draw(&seed) % 2 == 0 ? DP_KIND_TEXT : DP_KIND_OTHER;
            *slot = rig_get(market_here->pool, kind, size);
            if (*slot != NULL)
                stamp(*slot);
            continue;
        }
        check_stamp(*slot);
        if (draw(&seed) % 4 == 0)
            dp_put(dp_ref(*slot));
        /* Half of them are put by whoever finds them in the mailbox. */
        if (draw(&seed) % 2 == 0)
            *slot = atomic_exchange(&market_here->mailboxes[draw(&seed) % MAILBOXES], *slot);
        dp_put(*slot);
        *slot = NULL;
        if (step % 5000 == 4999)
            dp_pool_thread_flush(market_here->pool);
    }
    for (unsigned i = 0; i < HELD_BY_EACH; i++)
        dp_put(held[i]);
    return NULL;
}

static void a_seeded_life_on_several_threads_ends_in_order(void **state)
{
    (void)state;
    static const size_t bytes_max[DP_TIER_COUNT] = {[DP_TIER_HOST] = 24 * MIB,
                                                    [DP_TIER_PINNED] = 6 * MIB,
                                                    [DP_TIER_HBM] = SIZE_MAX,
                                                    [DP_TIER_PMEM] = SIZE_MAX};
    pool_rig rig = {0};
    pool_rig_open(&rig, bytes_max);
    static market all;
    memset(&all, 0, sizeof all);
    all.pool = rig.pool;
    atomic_store(&all.next_seed, 20240612u);
    printf("seed %u\n", 20240612u);
    for (unsigned round = 0; round < 2; round++) { /* the second one on dead threads' blocks */
        pthread_t threads[WORKERS];
        for (unsigned i = 0; i < WORKERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, trade, &all), 0);
        for (unsigned i = 0; i < WORKERS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        pool_check(rig.pool);
    }
    for (unsigned i = 0; i < MAILBOXES; i++)
        dp_put(atomic_exchange(&all.mailboxes[i], NULL));
    dp_stats stats = stats_of(rig.pool);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        for (unsigned family = 0; family < DP_FAMILY_COUNT; family++)
            assert_int_equal(stats.tiers[id].gets[family], stats.tiers[id].puts[family]);
    }
    assert_true(stats.tiers[DP_TIER_PINNED].gets[DP_FAMILY_LARGE] > 0);
    pool_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_pool_serves_on_any_machine),
        cmocka_unit_test(a_tier_not_asked_for_is_absent_and_says_so),
        cmocka_unit_test(a_configuration_out_of_range_is_refused),
        cmocka_unit_test(a_pool_without_any_memory_is_not_made),
        cmocka_unit_test(a_rule_that_cuts_a_class_in_two_is_kept_to_the_byte),
        cmocka_unit_test(the_route_says_what_get_then_does),
        cmocka_unit_test(an_exhausted_tier_falls_to_the_next_and_is_counted),
        cmocka_unit_test(a_budget_holds_and_its_end_is_the_next_tiers_begin),
        cmocka_unit_test(every_allocation_of_the_pool_may_fail_once),
        cmocka_unit_test(every_call_into_a_tier_may_fail_once),
        cmocka_unit_test(pools_in_one_process_do_not_know_each_other),
        cmocka_unit_test(a_seeded_life_on_several_threads_ends_in_order),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
