/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Managed memory over the fake driver: what the driver is told by advice and prefetch, in both
 * forms that drivers have, how a device or driver that lacks something says so, and the budget that
 * holds where nobody set one.
 */
#include "cm.h"

#include <stdio.h>
#include <string.h>

#include <danpool/device.h>

#include "cuda_fake.h"
#include "pool/os.h"
#include "pool/pool_internal.h"

#define MIB ((size_t)1 << 20)

static const dp_route_rule rules[] = {
    {.kind = DP_KIND_SURFACE, .tiers = {DP_TIER_MANAGED, DP_TIER_NONE}},
    {.kind = DP_KIND_COUNT, .tiers = {DP_TIER_HOST, DP_TIER_NONE}},
};

static dp_pool *pool_over(const cuda_fake_plan *plan, size_t budget_bytes_max)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.health.enabled = false; /* its fallback would serve what a full tier does not */
    dp_pool *pool = NULL;
    cuda_fake_install(plan);
    config.tiers = DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_MANAGED);
    config.budget_bytes_max[DP_TIER_MANAGED] = budget_bytes_max;
    config.rules = rules;
    config.rule_count = sizeof rules / sizeof *rules;
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    return pool;
}

static void pool_close(dp_pool *pool)
{
    pool_check(pool);
    dp_pool_destroy(pool);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

static dp_buf *get(dp_pool *pool, size_t size_bytes, dp_kind kind)
{
    dp_buf *buf = NULL;
    dp_request request = {.size_bytes = size_bytes, .kind = kind};
    assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
    return buf;
}

static void one_address_serves_both_sides(void **state)
{
    (void)state;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    dp_pool *pool = pool_over(&plan, 0);
    dp_buf *buf = get(pool, 100000, DP_KIND_SURFACE);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_MANAGED);
    assert_int_equal((uintptr_t)dp_buf_data(buf), dp_buf_device_address(buf));
    assert_int_equal(dp_buf_device_address(buf) % 256, 0);
    memset(dp_buf_data(buf), 0x5a, 100000);
    dp_put(buf);
    pool_close(pool);
}

static void expect_advice(dp_buf *buf, dp_advice advice, int told, int location_type)
{
    unsigned count = cuda_fake_hint_read().count;
    assert_int_equal(dp_buf_advise(buf, advice), DP_OK);
    cuda_fake_hint hint = cuda_fake_hint_read();
    assert_int_equal(hint.count, count + 1);
    assert_false(hint.is_prefetch);
    assert_int_equal(hint.advice, told);
    assert_int_equal(hint.location.type, location_type);
    assert_int_equal(hint.address, dp_buf_device_address(buf));
    assert_int_equal(hint.size_bytes, dp_buf_capacity(buf));
}

static void expect_all_hints(uint32_t lacks, bool by_ordinal)
{
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    plan.lacks = lacks;
    dp_pool *pool = pool_over(&plan, 0);
    dp_buf *buf = get(pool, 65536, DP_KIND_SURFACE);
    expect_advice(buf, DP_ADVICE_PREFER_HOST, CUDA_ADVISE_PREFER, CUDA_LOCATION_HOST);
    expect_advice(buf, DP_ADVICE_PREFER_DEVICE, CUDA_ADVISE_PREFER, CUDA_LOCATION_DEVICE);
    expect_advice(buf, DP_ADVICE_PREFER_NONE, CUDA_ADVISE_PREFER_NONE, CUDA_LOCATION_DEVICE);
    expect_advice(buf, DP_ADVICE_READ_MOSTLY, CUDA_ADVISE_READ_MOSTLY, CUDA_LOCATION_DEVICE);
    expect_advice(buf, DP_ADVICE_READ_WRITE, CUDA_ADVISE_NOT_READ_MOSTLY, CUDA_LOCATION_DEVICE);
    assert_int_equal(cuda_fake_hint_read().by_ordinal, by_ordinal);
    dp_buf_set_size(buf, 60000);
    assert_int_equal(dp_buf_prefetch(buf, DP_PLACE_DEVICE, 5), DP_OK);
    cuda_fake_hint hint = cuda_fake_hint_read();
    assert_true(hint.is_prefetch && hint.by_ordinal == by_ordinal);
    assert_int_equal(hint.location.type, CUDA_LOCATION_DEVICE);
    assert_int_equal(hint.size_bytes, 60000);
    assert_int_equal(hint.stream, 5);
    assert_int_equal(dp_buf_prefetch(buf, DP_PLACE_HOST, 0), DP_OK);
    assert_int_equal(cuda_fake_hint_read().location.type, CUDA_LOCATION_HOST);
    dp_put(buf);
    pool_close(pool);
}

static void hints_reach_the_driver_in_its_newest_form(void **state)
{
    (void)state;
    expect_all_hints(0, false);
    expect_all_hints(CUDA_FAKE_LACKS_ORDINAL, false);
    expect_all_hints(CUDA_FAKE_LACKS_LOCATION, true);
}

static void advice_stays_within_the_pages_of_the_block(void **state)
{
    (void)state;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    dp_pool *pool = pool_over(&plan, 0);
    size_t page_bytes = os_page_bytes();
    dp_buf *small = get(pool, 1000, DP_KIND_SURFACE);
    assert_int_equal(dp_buf_advise(small, DP_ADVICE_READ_MOSTLY), DP_ERR_INVALID);
    assert_int_equal(cuda_fake_hint_read().count, 0);
    assert_int_equal(dp_buf_prefetch(small, DP_PLACE_DEVICE, 0), DP_OK);
    dp_put(small);
    /* Blocks of no whole number of pages: those that share pages with a neighbour leave them out.
     */
    dp_buf *bufs[3];
    for (int i = 0; i < 3; i++) {
        bufs[i] = get(pool, 11000, DP_KIND_SURFACE);
        assert_int_equal(dp_buf_advise(bufs[i], DP_ADVICE_READ_MOSTLY), DP_OK);
        cuda_fake_hint hint = cuda_fake_hint_read();
        assert_true(hint.address >= dp_buf_device_address(bufs[i]));
        assert_true(hint.address + hint.size_bytes <=
                    dp_buf_device_address(bufs[i]) + dp_buf_capacity(bufs[i]));
        assert_int_equal(hint.address % page_bytes, 0);
        assert_int_equal(hint.size_bytes % page_bytes, 0);
    }
    for (int i = 0; i < 3; i++) {
        dp_put(bufs[i]);
    }
    pool_close(pool);
}

static void hints_out_of_range_or_of_another_tier_are_refused(void **state)
{
    (void)state;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    dp_pool *pool = pool_over(&plan, 0);
    dp_buf *managed = get(pool, 65536, DP_KIND_SURFACE);
    dp_buf *host = get(pool, 65536, DP_KIND_OTHER);
    assert_int_equal(dp_buf_advise(managed, DP_ADVICE_COUNT), DP_ERR_INVALID);
    assert_int_equal(dp_buf_prefetch(managed, DP_PLACE_COUNT, 0), DP_ERR_INVALID);
    assert_int_equal(dp_buf_advise(host, DP_ADVICE_PREFER_HOST), DP_ERR_UNSUPPORTED);
    assert_int_equal(dp_buf_prefetch(host, DP_PLACE_HOST, 0), DP_ERR_UNSUPPORTED);
    assert_int_equal(cuda_fake_hint_read().count, 0);
    cuda_fake_lose();
    assert_int_equal(dp_buf_advise(managed, DP_ADVICE_PREFER_HOST), DP_ERR_DEVICE);
    assert_int_equal(dp_buf_prefetch(managed, DP_PLACE_HOST, 0), DP_ERR_DEVICE);
    dp_put(managed);
    dp_put(host);
    pool_close(pool);
}

static void expect_absent(const cuda_fake_plan *plan, const char *detail)
{
    dp_tier *tier = NULL;
    tier_open_args args = {0};
    char said[96] = "";
    cuda_fake_install(plan);
    assert_int_equal(tier_open(DP_TIER_MANAGED, &args, said, &tier), DP_ERR_UNSUPPORTED);
    assert_string_equal(said, detail);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    plan.lacks = CUDA_FAKE_LACKS_MANAGED;
    expect_absent(&plan, "CUDA driver too old: it lacks cuMemAllocManaged");
    plan.lacks = 0;
    plan.no_managed = true;
    expect_absent(&plan, "fake device 0 has no managed memory");
    plan.no_managed = false;
    plan.no_concurrency = true;
    expect_absent(&plan, "fake device 0: the CPU may not touch it while a kernel runs");
    plan.device_count = 0;
    expect_absent(&plan, "CUDA driver found, no device");
}

static void a_driver_without_advice_still_has_the_tier(void **state)
{
    (void)state;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    plan.lacks = CUDA_FAKE_LACKS_LOCATION | CUDA_FAKE_LACKS_ORDINAL;
    dp_pool *pool = pool_over(&plan, 0);
    dp_tier_info info;
    assert_int_equal(dp_pool_tier_info(pool, DP_TIER_MANAGED, &info), DP_OK);
    assert_string_equal(info.detail, "shared with fake device 0, without advice");
    dp_buf *buf = get(pool, 65536, DP_KIND_SURFACE);
    assert_int_equal(dp_buf_advise(buf, DP_ADVICE_READ_MOSTLY), DP_ERR_UNSUPPORTED);
    assert_int_equal(dp_buf_prefetch(buf, DP_PLACE_DEVICE, 0), DP_ERR_UNSUPPORTED);
    dp_put(buf);
    pool_close(pool);
}

/* How many blocks of 8 MiB a pool of that budget gives out. */
static unsigned count_blocks(size_t budget_bytes_max, size_t *budget_shown)
{
    enum { COUNT_MAX = 100 };
    static dp_buf *bufs[COUNT_MAX];
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    plan.managed_bytes = 512 * MIB;
    dp_pool *pool = pool_over(&plan, budget_bytes_max);
    dp_request request = {.size_bytes = 8 * MIB, .kind = DP_KIND_SURFACE};
    dp_tier_info info;
    unsigned count = 0;
    assert_int_equal(dp_pool_tier_info(pool, DP_TIER_MANAGED, &info), DP_OK);
    *budget_shown = info.budget_bytes_max;
    while (count < COUNT_MAX && dp_get(pool, &request, &bufs[count]) == DP_OK) {
        count++;
    }
    for (unsigned i = 0; i < count; i++) {
        dp_put(bufs[i]);
    }
    pool_close(pool);
    return count;
}

static void the_budget_is_small_unless_the_owner_says_otherwise(void **state)
{
    (void)state;
    size_t shown = 0;
    assert_int_equal(count_blocks(0, &shown), 32);
    assert_int_equal(shown, 256 * MIB);
    assert_int_equal(count_blocks(16 * MIB, &shown), 2);
    assert_int_equal(shown, 16 * MIB);
    assert_int_equal(count_blocks(SIZE_MAX, &shown), 64);
    assert_int_equal(shown, SIZE_MAX);
}

static void a_fault_reaches_the_caller_of_a_hint(void **state)
{
    (void)state;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    tier_open_args args = {0};
    char detail[96];
    dp_tier *tier = NULL;
    tier_region region;
    cuda_fake_install(&plan);
    assert_int_equal(tier_open(DP_TIER_MANAGED, &args, detail, &tier), DP_OK);
    assert_int_equal(tier_fault_wrap(tier, 3, 2, &tier), DP_OK);
    assert_int_equal(tier_region_get(tier, 65536, &region), DP_OK);
    assert_int_equal(tier_advise(tier, region.device, 65536, DP_ADVICE_READ_MOSTLY), DP_OK);
    assert_int_equal(tier_prefetch(tier, region.device, 65536, DP_PLACE_HOST, 0), DP_ERR_DEVICE);
    assert_int_equal(tier_prefetch(tier, region.device, 65536, DP_PLACE_HOST, 0), DP_OK);
    assert_int_equal(tier_advise(tier, region.device, 65536, DP_ADVICE_READ_MOSTLY), DP_ERR_DEVICE);
    assert_int_equal(cuda_fake_hint_read().count, 2);
    tier_region_put(tier, &region);
    tier_close(tier);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_serves_both_sides),
        cmocka_unit_test(hints_reach_the_driver_in_its_newest_form),
        cmocka_unit_test(advice_stays_within_the_pages_of_the_block),
        cmocka_unit_test(hints_out_of_range_or_of_another_tier_are_refused),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(a_driver_without_advice_still_has_the_tier),
        cmocka_unit_test(the_budget_is_small_unless_the_owner_says_otherwise),
        cmocka_unit_test(a_fault_reaches_the_caller_of_a_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
