/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decorators, and what they are for: the n-th call into a tier fails, for n = 1, 2, 3 ... until
 * no failure shows any more, while a cache is filled, searched, demoted and emptied over it.  After
 * every run nothing is left: the pool asserts that each buffer came back, the fake driver counts
 * its allocations, and the pmem file must hold what the cache said that it holds.
 */
#include "cm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <danpool/stats.h>

#include "cuda_fake.h"
#include "dp_features.h"
#include "pool/os.h"
#include "pool/pool_internal.h"
#include "tier_rig.h"

#define SWEEP_MAX 400u

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
    return rig_path(directory, "fault.pool");
}

static dp_tier *open_host(void)
{
    tier_open_args args = {0};
    char detail[96];
    dp_tier *tier = NULL;
    assert_int_equal(tier_open(DP_TIER_HOST, &args, detail, &tier), DP_OK);
    return tier;
}

static void the_nth_call_fails_and_then_every_kth(void **state)
{
    (void)state;
    dp_tier *tier = NULL;
    assert_int_equal(tier_fault_wrap(open_host(), 3, 4, &tier), DP_OK);
    for (int call = 1; call <= 16; call++) {
        tier_region region;
        dp_status status = tier_region_get(tier, 4096, &region);
        bool fails = call == 3 || call == 7 || call == 11 || call == 15;
        assert_int_equal(status, fails ? DP_ERR_NOMEM : DP_OK);
        if (status == DP_OK) {
            tier_region_put(tier, &region);
        }
    }
    tier_close(tier);
    assert_int_equal(tier_fault_wrap(open_host(), 1, 0, &tier), DP_OK);
    tier_region region;
    assert_int_equal(tier_region_get(tier, 4096, &region), DP_ERR_NOMEM);
    assert_int_equal(tier_region_get(tier, 4096, &region), DP_OK);
    tier_region_put(tier, &region);
    tier_close(tier);
}

static void a_limit_counts_regions_both_ways(void **state)
{
    (void)state;
    dp_tier *tier = NULL;
    tier_region first;
    tier_region second;
    assert_int_equal(tier_limit_wrap(open_host(), 10000, &tier), DP_OK);
    assert_int_equal(tier_region_get(tier, 10001, &first), DP_ERR_QUOTA);
    assert_int_equal(tier_region_get(tier, 6000, &first), DP_OK);
    assert_int_equal(tier_region_get(tier, 4001, &second), DP_ERR_QUOTA);
    assert_int_equal(tier_region_get(tier, 4000, &second), DP_OK);
    tier_region_put(tier, &first);
    assert_int_equal(tier_region_get(tier, 6000, &first), DP_OK);
    tier_region_put(tier, &first);
    tier_region_put(tier, &second);
    tier_close(tier);
    /* A call that the inner tier fails books nothing. */
    dp_tier *failing = NULL;
    assert_int_equal(tier_fault_wrap(open_host(), 1, 0, &failing), DP_OK);
    assert_int_equal(tier_limit_wrap(failing, 10000, &tier), DP_OK);
    assert_int_equal(tier_region_get(tier, 10000, &first), DP_ERR_NOMEM);
    assert_int_equal(tier_region_get(tier, 10000, &first), DP_OK);
    tier_region_put(tier, &first);
    tier_close(tier);
}

/* --- each tier alone under a pool --- */

/* Blocks of every family, one with a region of its own; true when nothing was refused. */
static bool use_pool(dp_pool *pool)
{
    static const size_t sizes[] = {100, 1500, 40000, 700000, 3000000, 40000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    dp_buf *bufs[COUNT] = {NULL};
    unsigned char bytes[64];
    unsigned char back[64];
    bool whole = true;
    for (unsigned i = 0; i < COUNT; i++) {
        dp_request request = {.size_bytes = sizes[i]};
        if (dp_get(pool, &request, &bufs[i]) != DP_OK) {
            whole = false;
            continue;
        }
        rig_fill(bytes, sizeof bytes, i);
        bool kept = dp_buf_write(bufs[i], sizes[i] - 64, bytes, 64) == DP_OK &&
                    dp_buf_read(bufs[i], sizes[i] - 64, back, 64) == DP_OK;
        assert_true(!kept || memcmp(bytes, back, 64) == 0);
        dp_status advised = dp_buf_advise(bufs[i], DP_ADVICE_PREFER_DEVICE);
        whole = whole && kept && advised != DP_ERR_DEVICE;
        pool_check(pool);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        dp_put(bufs[i]);
        pool_check(pool);
    }
    return whole;
}

/* False: the machine lacks the tier.  *whole: the n-th failure did not show. */
static bool run_alone(dp_tier_id id, uint64_t nth, bool *whole)
{
    const dp_route_rule rule = {.kind = DP_KIND_COUNT, .tiers = {id, DP_TIER_NONE}};
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    tier_open_args args = {0};
    char detail[96] = "";
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    dp_pool *pool = NULL;
    cuda_fake_install(&plan);
    bool there = tier_open(id, &args, detail, &tiers[id]) == DP_OK;
    if (there) {
        assert_int_equal(tier_fault_wrap(tiers[id], nth, 0, &tiers[id]), DP_OK);
        config.rules = &rule;
        config.rule_count = 1;
        config.health.enabled = false; /* its fallback would serve what fails */
        assert_int_equal(pool_create_over(&config, tiers, &pool), DP_OK);
        *whole = use_pool(pool);
        dp_pool_destroy(pool);
    } else {
        print_message("tier_fault: %s skipped: %s\n", dp_tier_name(id), detail);
    }
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
    return there;
}

static void a_pool_over_each_tier_survives_each_failure(void **state)
{
    (void)state;
    static const dp_tier_id ids[] = {DP_TIER_HOST, DP_TIER_HUGE,    DP_TIER_PINNED,
                                     DP_TIER_HBM,  DP_TIER_MANAGED, DP_TIER_SHM};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        unsigned whole_in_a_row = 0;
        unsigned shown = 0;
        bool whole = false;
        for (uint64_t nth = 1; nth <= SWEEP_MAX && whole_in_a_row < 5; nth++) {
            if (!run_alone(ids[i], nth, &whole)) {
                break;
            }
            whole_in_a_row = whole ? whole_in_a_row + 1 : 0;
            shown += !whole;
        }
        /* What is absent ended the loop at once; what is there failed, and then did not. */
        assert_true(whole_in_a_row == 5 || (shown == 0 && !whole));
        print_message("tier_fault: %s alone: %u failures shown\n", dp_tier_name(ids[i]), shown);
    }
}

#if DP_HAVE_PMEM

static void a_limit_counts_what_the_store_held_before(void **state)
{
    (void)state;
    dp_tier *inner = rig_pmem_open(pool_path());
    assert_int_equal(rig_commit(inner, 1, 6000), DP_OK);
    tier_close(inner);
    dp_tier *tier = NULL;
    assert_int_equal(tier_limit_wrap(rig_pmem_open(pool_path()), 10000, &tier), DP_OK);
    assert_int_equal(rig_commit(tier, 2, 4001), DP_ERR_QUOTA);
    assert_int_equal(rig_commit(tier, 1, 100), DP_ERR_EXISTS);
    assert_int_equal(rig_commit(tier, 2, 4000), DP_OK);
    dp_cache_key key = rig_key(1);
    assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    assert_int_equal(rig_commit(tier, 3, 6001), DP_ERR_QUOTA);
    assert_int_equal(rig_commit(tier, 3, 6000), DP_OK);
    assert_int_equal(rig_check(tier, 2, 4000), DP_OK);
    tier_close(tier);
    /* A smaller budget than what is there refuses, and keeps what is there. */
    assert_int_equal(tier_limit_wrap(rig_pmem_open(pool_path()), 500, &tier), DP_OK);
    assert_int_equal(rig_commit(tier, 4, 1), DP_ERR_QUOTA);
    assert_int_equal(rig_check(tier, 3, 6000), DP_OK);
    tier_close(tier);
}

/* --- the sweep --- */

#define ENTRY_COUNT  12u
#define ENTRY_BYTES  20000u
#define HOST_BUDGET  60000u
#define PERFECT_RUNS 12u /* a failure may be absorbed without a trace, but not so many in a row */
#define ALLOCS_FAULT DP_TIER_NONE /* the bookkeeping allocations instead of a tier */

typedef struct outcome {
    unsigned refused;     /* gets and inserts that returned an error */
    unsigned not_durable; /* inserts that pmem did not take */
    unsigned missed;      /* lookups of what had been inserted */
    unsigned wrong;       /* lookups with other bytes: never allowed */
    dp_cache_stats cache;
    dp_stats pool;
} outcome;

static dp_status insert_one(dp_pool *pool, dp_cache *cache, uint64_t number, bool *durable)
{
    unsigned char bytes[ENTRY_BYTES];
    /* Every third lives in device memory, so that demoting it has to read it back. */
    bool device = number % 3 == 2;
    dp_request request = {.size_bytes = sizeof bytes,
                          .kind = device ? DP_KIND_SURFACE : DP_KIND_ENCODED,
                          .need = device ? DP_NEED_DEVICE : DP_NEED_HOST,
                          .batch_size = 8};
    dp_cache_entry entry = {.priority = (dp_priority)(number / 2 % 2),
                            .persistent = number % 2 == 0};
    dp_status status = dp_get(pool, &request, &entry.buf);
    if (status != DP_OK) {
        return status;
    }
    rig_fill(bytes, sizeof bytes, number);
    status = dp_buf_write(entry.buf, 0, bytes, sizeof bytes);
    if (status == DP_OK) {
        dp_cache_key key = rig_key(number);
        status = dp_cache_insert(cache, &key, &entry, durable);
    }
    dp_put(entry.buf);
    return status;
}

static void look_up_one(dp_cache *cache, uint64_t number, outcome *seen)
{
    unsigned char bytes[ENTRY_BYTES];
    dp_cache_key key = rig_key(number);
    dp_cache_entry entry;
    if (dp_cache_lookup(cache, &key, &entry) != DP_OK) {
        seen->missed++;
        return;
    }
    if (dp_buf_read(entry.buf, 0, bytes, sizeof bytes) != DP_OK) {
        seen->refused++;
    } else if (!rig_is_filled(bytes, sizeof bytes, number)) {
        seen->wrong++;
    }
    dp_put(entry.buf);
}

static void use_cache(dp_pool *pool, dp_cache *cache, outcome *seen)
{
    bool inserted[ENTRY_COUNT] = {false};
    for (uint64_t i = 0; i < ENTRY_COUNT; i++) {
        bool durable = false;
        inserted[i] = insert_one(pool, cache, i, &durable) == DP_OK;
        seen->refused += !inserted[i];
        seen->not_durable += inserted[i] && i % 2 == 0 && !durable;
    }
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < ENTRY_COUNT; i++) {
            if (inserted[i]) {
                look_up_one(cache, i, seen);
            }
        }
    }
    dp_cache_key key = rig_key(0);
    (void)dp_cache_remove(cache, &key);
    dp_cache_stats_read(cache, &seen->cache);
}

/* One run from an empty file to a closed pool, the n-th call into `faulty` failing. */
static dp_status run_with_fault(dp_tier_id faulty, uint64_t nth, outcome *seen)
{
    memset(seen, 0, sizeof *seen);
    (void)unlink(pool_path());
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    cuda_fake_install(&plan);
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    tier_open_args args = {0};
    char detail[96];
    assert_int_equal(tier_open(DP_TIER_HBM, &args, detail, &tiers[DP_TIER_HBM]), DP_OK);
    tiers[DP_TIER_HOST] = open_host();
    tiers[DP_TIER_PMEM] = rig_pmem_open(pool_path());
    if (faulty != ALLOCS_FAULT) {
        assert_int_equal(tier_fault_wrap(tiers[faulty], nth, 0, &tiers[faulty]), DP_OK);
    }
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.health.enabled = false;
    dp_cache_config cache_config = {.host_bytes_max = HOST_BUDGET};
    dp_pool *pool = NULL;
    dp_cache *cache = NULL;
    os_malloc_fail_nth(faulty == ALLOCS_FAULT ? nth : 0);
    dp_status status = pool_create_over(&config, tiers, &pool);
    if (status == DP_OK) {
        status = dp_cache_create(pool, &cache_config, &cache);
    }
    if (status == DP_OK) {
        use_cache(pool, cache, seen);
        dp_stats_read(pool, &seen->pool);
    }
    dp_cache_destroy(cache);
    if (pool != NULL) {
        pool_check(pool);
    }
    dp_pool_destroy(pool);
    os_malloc_fail_nth(0);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
    return status;
}

/* What the store holds at the end must be whole, and as much as the cache last counted. */
static void expect_store(const outcome *seen)
{
    dp_tier *tier = rig_pmem_open(pool_path());
    size_t found = 0;
    for (uint64_t i = 0; i < ENTRY_COUNT; i++) {
        dp_cache_key key = rig_key(i);
        tier_object object;
        if (tier_store_find(tier, &key, &object) == DP_OK) {
            assert_int_equal(object.size_bytes, ENTRY_BYTES);
            assert_true(rig_is_filled(object.data, object.size_bytes, i));
            tier_store_release(tier, &object);
            found++;
        }
    }
    assert_int_equal(found, rig_count(tier));
    assert_int_equal(found, seen->cache.entries[DP_TIER_PMEM]);
    tier_close(tier);
}

static bool is_perfect(const outcome *seen, const outcome *reference)
{
    return seen->refused + seen->not_durable + seen->missed == 0 &&
           memcmp(&seen->cache, &reference->cache, sizeof seen->cache) == 0 &&
           seen->pool.fallbacks == reference->pool.fallbacks &&
           seen->pool.gets_failed == reference->pool.gets_failed;
}

static void sweep(dp_tier_id faulty, const char *name, unsigned shown_min)
{
    outcome reference;
    outcome seen;
    assert_int_equal(run_with_fault(DP_TIER_HOST, 0, &reference), DP_OK);
    assert_int_equal(reference.refused + reference.not_durable + reference.missed, 0);
    assert_true(reference.cache.demoted > 0 && reference.cache.promoted > 0);
    expect_store(&reference);
    unsigned shown = 0;
    uint64_t nth = 1;
    unsigned perfect_in_a_row = 0;
    for (; nth <= SWEEP_MAX && perfect_in_a_row < PERFECT_RUNS; nth++) {
        dp_status status = run_with_fault(faulty, nth, &seen);
        assert_int_equal(seen.wrong, 0);
        bool perfect = status == DP_OK && is_perfect(&seen, &reference);
        perfect_in_a_row = perfect ? perfect_in_a_row + 1 : 0;
        shown += !perfect;
        if (status == DP_OK) {
            expect_store(&seen);
        } else {
            assert_true(status == DP_ERR_NOMEM);
        }
    }
    print_message("tier_fault: %s: %u failures shown, then none\n", name, shown);
    assert_int_equal(perfect_in_a_row, PERFECT_RUNS);
    assert_true(shown >= shown_min);
}

static void the_cache_survives_each_failure_of_the_host_tier(void **state)
{
    (void)state;
    sweep(DP_TIER_HOST, "host", 1);
}

static void the_cache_survives_each_failure_of_the_hbm_tier(void **state)
{
    (void)state;
    sweep(DP_TIER_HBM, "hbm", 3);
}

static void the_cache_survives_each_failure_of_the_pmem_tier(void **state)
{
    (void)state;
    sweep(DP_TIER_PMEM, "pmem", 6);
}

static void the_cache_survives_each_failed_allocation(void **state)
{
    (void)state;
    sweep(ALLOCS_FAULT, "bookkeeping", 10);
}

#endif

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_call_fails_and_then_every_kth),
        cmocka_unit_test(a_limit_counts_regions_both_ways),
        cmocka_unit_test(a_pool_over_each_tier_survives_each_failure),
#if DP_HAVE_PMEM
        FAULT_TEST(a_limit_counts_what_the_store_held_before),
        FAULT_TEST(the_cache_survives_each_failure_of_the_host_tier),
        FAULT_TEST(the_cache_survives_each_failure_of_the_hbm_tier),
        FAULT_TEST(the_cache_survives_each_failure_of_the_pmem_tier),
        FAULT_TEST(the_cache_survives_each_failed_allocation),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
