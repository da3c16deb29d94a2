/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The breaker of a tier, over a driver whose device is lost and mended, and how much of a device is
 * available, on a clock that only the test moves.
 */
#include "health_rig.h"

#include "cuda_fake.h"

#define MIB ((size_t)1 << 20)

static dp_buf *surface(dp_pool *pool, unsigned need, dp_status *status)
{
    const dp_request request = {
        .size_bytes = MIB, .kind = DP_KIND_SURFACE, .batch_size = 8, .need = (uint8_t)need};
    dp_buf *buf = NULL;
    *status = dp_get(pool, &request, &buf);
    return buf;
}

static void put_surface_of(dp_pool *pool, dp_tier_id tier)
{
    dp_status status = DP_OK;
    dp_buf *buf = surface(pool, 0, &status);
    assert_int_equal(status, DP_OK);
    assert_int_equal(dp_buf_tier(buf), tier);
    dp_put(buf);
}

static dp_health_state breaker_of(const health_rig *rig, dp_tier_id tier)
{
    return rig_info(rig, tier, DP_FAMILY_COUNT).state;
}

static void cuda_rig_open(health_rig *rig)
{
    const cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    cuda_fake_install(&plan);
    health_rig_prepare(rig);
    rig->config.tiers =
        DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_PINNED) | DP_TIER_BIT(DP_TIER_HBM);
    assert_int_equal(dp_pool_create(&rig->config, &rig->pool), DP_OK);
}

static void cuda_rig_close(health_rig *rig)
{
    pool_check(rig->pool);
    dp_pool_destroy(rig->pool);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

static void a_lost_device_opens_its_breaker_and_the_call_goes_on(void **state)
{
    (void)state;
    health_rig rig;
    cuda_rig_open(&rig);
    cuda_fake_lose();
    put_surface_of(rig.pool, DP_TIER_HOST); /* hbm and pinned are of one device */
    assert_int_equal(breaker_of(&rig, DP_TIER_HBM), DP_BREAKER_OPEN);
    assert_int_equal(breaker_of(&rig, DP_TIER_PINNED), DP_BREAKER_OPEN);
    assert_int_equal(rig.event_count, 2);
    assert_int_equal(rig.events[0].cause, DP_CAUSE_DEVICE);
    uint64_t calls = cuda_fake_calls();
    put_surface_of(rig.pool, DP_TIER_HOST);
    assert_int_equal(cuda_fake_calls(), calls); /* nobody asks it any more */
    /* What needs the device says so. */
    dp_status status = DP_OK;
    assert_null(surface(rig.pool, DP_NEED_DEVICE, &status));
    assert_int_equal(status, DP_ERR_DEVICE);
    assert_int_equal(rig_stats(&rig).fallback_gets, 0);
    cuda_fake_mend();
    cuda_rig_close(&rig);
}

static void after_60_seconds_one_trial_decides(void **state)
{
    (void)state;
    health_rig rig;
    cuda_rig_open(&rig);
    cuda_fake_lose();
    put_surface_of(rig.pool, DP_TIER_HOST);
    rig_wait(60 * RIG_S - 1);
    put_surface_of(rig.pool, DP_TIER_HOST);
    assert_int_equal(breaker_of(&rig, DP_TIER_HBM), DP_BREAKER_OPEN);
    assert_int_equal(rig.event_count, 2);
    rig_wait(1);
    uint64_t calls = cuda_fake_calls();
    put_surface_of(rig.pool, DP_TIER_HOST); /* still lost */
    assert_true(cuda_fake_calls() > calls);
    assert_int_equal(breaker_of(&rig, DP_TIER_HBM), DP_BREAKER_OPEN);
    assert_int_equal(rig.event_count, 6);
    assert_int_equal(rig.events[2].to, DP_BREAKER_HALF_OPEN);
    assert_int_equal(rig.events[3].cause, DP_CAUSE_DEVICE);
    cuda_fake_mend();
    put_surface_of(rig.pool, DP_TIER_HOST); /* not before another 60 s */
    rig_wait(60 * RIG_S);
    put_surface_of(rig.pool, DP_TIER_HBM); /* by the get itself */
    assert_int_equal(breaker_of(&rig, DP_TIER_HBM), DP_BREAKER_CLOSED);
    assert_int_equal(rig_last_event(&rig)->cause, DP_CAUSE_WORKED);
    dp_pool_tick(rig.pool); /* nobody has asked pinned */
    assert_int_equal(breaker_of(&rig, DP_TIER_PINNED), DP_BREAKER_CLOSED);
    cuda_rig_close(&rig);
}

static void a_copy_that_finds_the_device_lost_opens_the_breaker_too(void **state)
{
    (void)state;
    health_rig rig;
    cuda_rig_open(&rig);
    dp_status status = DP_OK;
    dp_buf *buf = surface(rig.pool, 0, &status);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HBM);
    cuda_fake_lose();
    assert_int_equal(dp_buf_write(buf, 0, "x", 1), DP_ERR_DEVICE);
    assert_int_equal(breaker_of(&rig, DP_TIER_HBM), DP_BREAKER_OPEN);
    /* The region that hbm has is not cut any further. */
    put_surface_of(rig.pool, DP_TIER_HOST);
    cuda_fake_mend();
    dp_put(buf);
    cuda_rig_close(&rig);
}

static void a_device_that_is_nearly_full_is_scarce_without_a_budget(void **state)
{
    (void)state;
    health_rig rig;
    cuda_rig_open(&rig);
    const dp_request request = {.size_bytes = 240 * MIB, .kind = DP_KIND_SURFACE, .batch_size = 8};
    dp_buf *buf = NULL;
    assert_int_equal(dp_get(rig.pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HBM);
    rig_pass(&rig, 100 * RIG_MS);
    dp_health_info info = rig_info(&rig, DP_TIER_HBM, DP_FAMILY_LARGE);
    assert_int_equal(info.state, DP_HEALTH_DEGRADED);
    assert_int_equal(info.available_percent, 6);
    put_surface_of(rig.pool, DP_TIER_PINNED);
    dp_put(buf);
    rig_pass(&rig, 20 * RIG_S);
    assert_int_equal(rig_info(&rig, DP_TIER_HBM, DP_FAMILY_LARGE).state, DP_HEALTH_OK);
    cuda_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_device_opens_its_breaker_and_the_call_goes_on),
        cmocka_unit_test(after_60_seconds_one_trial_decides),
        cmocka_unit_test(a_copy_that_finds_the_device_lost_opens_the_breaker_too),
        cmocka_unit_test(a_device_that_is_nearly_full_is_scarce_without_a_budget),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
