/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health on a clock that only the test moves: each transition of a family, what gets do in each
 * state, and the thresholds.  The breaker has test_breaker.c.
 */
#include "health_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/device.h>
#include <danpool/trace.h>

#include "pool/pool_state.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
/* Larger than half a region of the fake tiers: each get that nothing was kept for asks the tier. */
#define OWN_REGION (200 * KIB)

static const dp_route_rule pinned_only[] = {
    {.kind = DP_KIND_COUNT, .tiers = {DP_TIER_PINNED, DP_TIER_NONE}},
};

static void get_and_put(health_rig *rig, size_t size_bytes, dp_tier_id tier)
{
    dp_buf *buf = rig_text(rig, size_bytes);
    assert_non_null(buf);
    assert_int_equal(dp_buf_tier(buf), tier);
    dp_put(buf);
}

/* Degrades the large family of pinned. */
static void fail_three_times(health_rig *rig)
{
    atomic_store(&rig->faults.status, DP_ERR_NOMEM);
    for (unsigned i = 0; i < 3; i++)
        get_and_put(rig, OWN_REGION, DP_TIER_HOST);
    atomic_store(&rig->faults.status, DP_OK);
    assert_int_equal(rig_state(rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
}

/* ---- from ok to degraded ---- */

static void three_failures_in_a_row_degrade_and_the_tier_is_left_alone(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    get_and_put(&rig, OWN_REGION, DP_TIER_HOST);
    get_and_put(&rig, OWN_REGION, DP_TIER_HOST);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_OK);
    assert_int_equal(rig_info(&rig, DP_TIER_PINNED, DP_FAMILY_LARGE).failures, 2);
    get_and_put(&rig, OWN_REGION, DP_TIER_HOST);
    assert_int_equal(rig.event_count, 1);
    assert_int_equal(rig.events[0].tier, DP_TIER_PINNED);
    assert_int_equal(rig.events[0].family, DP_FAMILY_LARGE);
    assert_int_equal(rig.events[0].from, DP_HEALTH_OK);
    assert_int_equal(rig.events[0].to, DP_HEALTH_DEGRADED);
    assert_int_equal(rig.events[0].cause, DP_CAUSE_FAILURES);
    assert_int_equal(rig.events[0].now_ns, rig_clock(NULL));
    unsigned asked = atomic_load(&rig.faults.gets);
    get_and_put(&rig, OWN_REGION, DP_TIER_HOST);
    assert_int_equal(atomic_load(&rig.faults.gets), asked);
    assert_int_equal(rig_info(&rig, DP_TIER_PINNED, DP_FAMILY_LARGE).held_back, 1);
    assert_int_equal(rig_stats(&rig).tiers[DP_TIER_PINNED].failed, 3);
    /* Other families and the other tier are none of its business. */
    assert_int_equal(rig_state(&rig, DP_FAMILY_TINY), DP_HEALTH_OK);
    assert_int_equal(rig_info(&rig, DP_TIER_HOST, DP_FAMILY_LARGE).state, DP_HEALTH_OK);
    health_rig_close(&rig);
}

static void a_get_that_works_starts_the_count_of_failures_anew(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    for (unsigned round = 0; round < 4; round++) {
        atomic_store(&rig.faults.status, DP_ERR_NOMEM);
        get_and_put(&rig, OWN_REGION + round * 64 * KIB, DP_TIER_HOST);
        get_and_put(&rig, OWN_REGION + round * 64 * KIB, DP_TIER_HOST);
        atomic_store(&rig.faults.status, DP_OK);
        get_and_put(&rig, OWN_REGION + round * 64 * KIB, DP_TIER_PINNED);
    }
    assert_int_equal(rig.event_count, 0);
    health_rig_close(&rig);
}

static void what_could_never_fit_is_no_failure_of_the_tier(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    rig.config.budget_bytes_max[DP_TIER_PINNED] = MIB;
    health_rig_open(&rig);
    for (unsigned i = 0; i < 5; i++)
        get_and_put(&rig, 2 * MIB, DP_TIER_HOST);
    assert_int_equal(rig.event_count, 0);
    health_rig_close(&rig);
}

static void less_than_a_tenth_available_degrades(void **state)
{
    (void)state;
    health_rig rig;
    dp_buf *held[29];
    health_rig_prepare(&rig);
    rig.config.budget_bytes_max[DP_TIER_PINNED] = MIB;
    health_rig_open(&rig);
    for (unsigned i = 0; i < 28; i++)
        held[i] = rig_text(&rig, 32 * KIB);
    rig_pass(&rig, 100 * RIG_MS);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_OK);
    held[28] = rig_text(&rig, 32 * KIB); /* 96 KiB of 1 MiB are left */
    rig_pass(&rig, 100 * RIG_MS);
    for (unsigned family = 0; family < DP_FAMILY_COUNT; family++) {
        assert_int_equal(rig_state(&rig, (dp_family)family), DP_HEALTH_DEGRADED);
        assert_int_equal(rig_info(&rig, DP_TIER_PINNED, (dp_family)family).available_percent, 9);
    }
    assert_int_equal(rig_last_event(&rig)->cause, DP_CAUSE_SCARCE);
    get_and_put(&rig, 32 * KIB, DP_TIER_HOST);
    for (unsigned i = 0; i < 29; i++)
        dp_put(held[i]);
    health_rig_close(&rig);
}

static void a_tenth_is_enough(void **state)
{
    (void)state;
    health_rig rig;
    dp_buf *held[9];
    health_rig_prepare(&rig);
    rig.config.budget_bytes_max[DP_TIER_PINNED] = 10 * 128 * KIB;
    health_rig_open(&rig);
    for (unsigned i = 0; i < 9; i++)
        held[i] = rig_text(&rig, 128 * KIB);
    rig_pass(&rig, 100 * RIG_MS);
    assert_int_equal(rig_info(&rig, DP_TIER_PINNED, DP_FAMILY_TINY).available_percent, 10);
    assert_int_equal(rig.event_count, 0);
    for (unsigned i = 0; i < 9; i++)
        dp_put(held[i]);
    health_rig_close(&rig);
}

static void blocks_that_only_rest_are_available(void **state)
{
    (void)state;
    enum { COUNT = 255 };
    health_rig rig;
    static dp_buf *held[COUNT];
    health_rig_prepare(&rig);
    rig.config.budget_bytes_max[DP_TIER_PINNED] = 512 * KIB;
    health_rig_open(&rig);
    for (unsigned i = 0; i < COUNT; i++)
        held[i] = rig_text(&rig, 2 * KIB);
    for (unsigned i = 0; i < COUNT; i++)
        dp_put(held[i]);
    assert_int_equal(rig_stats(&rig).tiers[DP_TIER_PINNED].capacity_bytes, 512 * KIB);
    rig_pass(&rig, 100 * RIG_MS);
    assert_int_equal(rig.event_count, 0);
    assert_int_equal(rig_info(&rig, DP_TIER_PINNED, DP_FAMILY_LARGE).available_percent, 100);
    health_rig_close(&rig);
}

/* Gets of which the first `slow` take that long; held, so that each asks the tier. */
static void gets_of_which(health_rig *rig, unsigned count, unsigned slow, uint64_t slow_ns)
{
    static dp_buf *held[400];
    assert_true(count <= 400);
    atomic_store(&rig->faults.slow_ns, slow_ns);
    for (unsigned i = 0; i < count; i++) {
        if (i == slow)
            atomic_store(&rig->faults.slow_ns, 0);
        assert_non_null(held[i] = rig_text(rig, OWN_REGION));
    }
    rig_pass(rig, 100 * RIG_MS);
    for (unsigned i = 0; i < count; i++)
        dp_put(held[i]);
    atomic_store(&rig->faults.slow_ns, 0);
}

static void a_p99_over_5_ms_degrades(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    gets_of_which(&rig, 2, 2, 7 * RIG_MS); /* two are no P99 */
    assert_int_equal(rig.event_count, 0);
    rig_pass(&rig, 2 * RIG_S);
    gets_of_which(&rig, 320, 5, 7 * RIG_MS); /* two are kept ones; three are less than 1 % */
    assert_int_equal(rig.event_count, 0);
    rig_pass(&rig, 2 * RIG_S);
    gets_of_which(&rig, 280, 11, 7 * RIG_MS); /* the first eight are kept ones */
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    assert_int_equal(rig_last_event(&rig)->cause, DP_CAUSE_SLOW);
    uint64_t p99_ns = rig_info(&rig, DP_TIER_PINNED, DP_FAMILY_LARGE).p99_ns;
    assert_true(p99_ns > 5 * RIG_MS && p99_ns <= 7 * RIG_MS);
    get_and_put(&rig, OWN_REGION, DP_TIER_HOST);
    health_rig_close(&rig);
}

static void slow_gets_are_forgotten_after_the_window(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    for (unsigned i = 0; i < 5; i++) {
        dp_buf *buf = rig_text(&rig, OWN_REGION + i * 64 * KIB);
        atomic_store(&rig.faults.slow_ns, i < 2 ? 7 * RIG_MS : 0);
        dp_put(buf);
        rig_pass(&rig, 1500 * RIG_MS);
    }
    assert_int_equal(rig.event_count, 0);
    assert_int_equal(rig_info(&rig, DP_TIER_PINNED, DP_FAMILY_LARGE).p99_ns, 0);
    health_rig_close(&rig);
}

static void over_50_us_is_a_warning_that_changes_nothing_else(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    gets_of_which(&rig, 5, 5, 100000);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_WARNED);
    assert_int_equal(rig_last_event(&rig)->cause, DP_CAUSE_LATE);
    get_and_put(&rig, OWN_REGION, DP_TIER_PINNED);
    rig_pass(&rig, 2 * RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_OK);
    assert_int_equal(rig_last_event(&rig)->cause, DP_CAUSE_PROMPT);
    gets_of_which(&rig, 9, 9, 100000);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_WARNED);
    gets_of_which(&rig, 20, 20, 7 * RIG_MS); /* and from there it may degrade */
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    health_rig_close(&rig);
}

static void without_an_owner_who_ticks_late_gets_do(void **state)
{
    (void)state;
    health_rig rig;
    dp_buf *held[30];
    health_rig_prepare(&rig);
    rig.config.budget_bytes_max[DP_TIER_PINNED] = MIB;
    health_rig_open(&rig);
    for (unsigned i = 0; i < 29; i++)
        held[i] = rig_text(&rig, 32 * KIB);
    rig_wait(499 * RIG_MS);
    dp_put(rig_text(&rig, 1 * KIB));
    assert_int_equal(rig.event_count, 0);
    rig_wait(RIG_MS);
    dp_put(rig_text(&rig, 9 * KIB)); /* its own magazine is empty: a long one */
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    for (unsigned i = 0; i < 29; i++)
        dp_put(held[i]);
    /* All gets are the fallback's or the next tier's now; it must come back all the same. */
    for (unsigned i = 0; i < 50; i++) {
        rig_wait(500 * RIG_MS);
        dp_put(rig_text(&rig, 9 * KIB));
    }
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_OK);
    health_rig_close(&rig);
}

/* ---- and back ---- */

static void ten_good_seconds_bring_half_back_and_ten_more_all(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    fail_three_times(&rig);
    rig_pass(&rig, 9900 * RIG_MS);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    rig_pass(&rig, 100 * RIG_MS);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_HALF);
    assert_int_equal(rig_last_event(&rig)->cause, DP_CAUSE_STEADY);
    unsigned of_pinned = 0;
    for (unsigned i = 0; i < 100; i++) {
        dp_buf *buf = rig_text(&rig, OWN_REGION);
        of_pinned += dp_buf_tier(buf) == DP_TIER_PINNED;
        dp_put(buf);
    }
    assert_int_equal(of_pinned, 50);
    rig_pass(&rig, 10 * RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_OK);
    for (unsigned i = 0; i < 10; i++)
        get_and_put(&rig, OWN_REGION, DP_TIER_PINNED);
    assert_int_equal(rig.event_count, 3);
    health_rig_close(&rig);
}

static void a_relapse_in_half_begins_again(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    fail_three_times(&rig);
    rig_pass(&rig, 10 * RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_HALF);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    for (unsigned i = 0; i < 6; i++)
        get_and_put(&rig, OWN_REGION, DP_TIER_HOST);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    assert_int_equal(rig_last_event(&rig)->from, DP_HEALTH_HALF);
    rig_pass(&rig, 9900 * RIG_MS);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    atomic_store(&rig.faults.status, DP_OK);
    rig_pass(&rig, 11 * RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_OK);
    health_rig_close(&rig);
}

static void a_failure_while_degraded_puts_the_return_off(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    rig.config.rules = pinned_only;
    rig.config.rule_count = 1;
    rig.config.health.fallback_bytes_max = 0; /* so that the tier is asked at last */
    health_rig_open(&rig);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    for (unsigned i = 0; i < 3; i++)
        assert_null(rig_text(&rig, OWN_REGION));
    rig_pass(&rig, 9 * RIG_S);
    assert_null(rig_text(&rig, OWN_REGION));
    atomic_store(&rig.faults.status, DP_OK);
    rig_pass(&rig, 9 * RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    rig_pass(&rig, RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_HALF);
    health_rig_close(&rig);
}

static void half_empty_is_not_enough_to_come_back(void **state)
{
    (void)state;
    health_rig rig;
    dp_buf *held[29];
    health_rig_prepare(&rig);
    rig.config.budget_bytes_max[DP_TIER_PINNED] = MIB;
    health_rig_open(&rig);
    for (unsigned i = 0; i < 29; i++)
        held[i] = rig_text(&rig, 32 * KIB);
    rig_pass(&rig, 100 * RIG_MS);
    for (unsigned i = 16; i < 29; i++)
        dp_put(held[i]);
    rig_pass(&rig, 30 * RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    for (unsigned i = 6; i < 16; i++)
        dp_put(held[i]);
    rig_pass(&rig, 10 * RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_HALF);
    for (unsigned i = 0; i < 6; i++)
        dp_put(held[i]);
    health_rig_close(&rig);
}

static unsigned short_ways(const health_rig *rig)
{
    unsigned count = 0;
    for (unsigned row = 0; row < ROUTER_ROWS; row++) {
        for (unsigned i = 0; i < POOL_FAST_CLASSES; i++)
            count += atomic_load(&rig->pool->fast[row][i]) != 0;
    }
    return count;
}

static void the_short_way_is_closed_while_a_family_ails_and_open_after(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    unsigned all = short_ways(&rig);
    assert_true(all > 0);
    dp_buf *small = rig_text(&rig, 100);
    fail_three_times(&rig);
    unsigned without_large = short_ways(&rig);
    assert_true(without_large > 0 && without_large < all);
    dp_put(small);
    get_and_put(&rig, 100, DP_TIER_PINNED); /* tiny is well */
    rig_pass(&rig, 10 * RIG_S);
    assert_int_equal(short_ways(&rig), without_large); /* half has to be shared out */
    rig_pass(&rig, 10 * RIG_S);
    assert_int_equal(short_ways(&rig), all);
    for (unsigned row = 0; row < ROUTER_ROWS; row++) {
        for (unsigned i = 0; i < POOL_FAST_CLASSES; i++)
            assert_int_equal(atomic_load(&rig.pool->fast[row][i]), rig.pool->fast_home[row][i]);
    }
    health_rig_close(&rig);
}

/* ---- the fallback ---- */

static void with_no_tier_left_the_fallback_serves_up_to_its_bound(void **state)
{
    (void)state;
    health_rig rig;
    dp_buf *held[8];
    health_rig_prepare(&rig);
    rig.config.rules = pinned_only;
    rig.config.rule_count = 1;
    rig.config.health.fallback_bytes_max = 8 * 32 * KIB;
    health_rig_open(&rig);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    for (unsigned i = 0; i < 8; i++) {
        assert_non_null(held[i] = rig_text(&rig, 32 * KIB));
        assert_int_equal(dp_buf_tier(held[i]), DP_TIER_HOST);
        assert_int_equal(dp_buf_size(held[i]), 32 * KIB);
        assert_int_equal(dp_buf_kind(held[i]), DP_KIND_TEXT);
        memset(dp_buf_data(held[i]), (int)i, 32 * KIB);
        unsigned char byte = (unsigned char)(i + 100);
        assert_int_equal(dp_buf_write(held[i], 7, &byte, 1), DP_OK);
    }
    dp_stats stats = rig_stats(&rig);
    assert_int_equal(stats.fallback_gets, 8);
    assert_int_equal(stats.fallback_puts, 0);
    assert_int_equal(stats.fallback_used_bytes, 8 * 32 * KIB);
    assert_int_equal(stats.gets_failed, 0);
    assert_int_equal(stats.tiers[DP_TIER_HOST].gets[DP_FAMILY_LARGE], 0);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    assert_null(rig_text(&rig, 32 * KIB));
    assert_int_equal(rig_stats(&rig).gets_failed, 1);
    /* Degraded or not: what works is better than nothing. */
    atomic_store(&rig.faults.status, DP_OK);
    get_and_put(&rig, 32 * KIB, DP_TIER_PINNED);
    for (unsigned i = 0; i < 8; i++) {
        unsigned char byte = 0;
        assert_int_equal(dp_buf_read(held[i], 7, &byte, 1), DP_OK);
        assert_int_equal(byte, i + 100);
        assert_int_equal(((unsigned char *)dp_buf_data(held[i]))[8], i);
        dp_put(held[i]);
    }
    stats = rig_stats(&rig);
    assert_int_equal(stats.fallback_puts, 8);
    assert_int_equal(stats.fallback_used_bytes, 0);
    health_rig_close(&rig);
}

static void what_the_fallback_served_can_move_to_the_tier_when_it_is_well(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    rig.config.rules = pinned_only;
    rig.config.rule_count = 1;
    health_rig_open(&rig);
    const dp_request request = {.size_bytes = 1000, .flags = DP_GET_MOVABLE};
    dp_buf *buf = NULL;
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    assert_int_equal(dp_get(rig.pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HOST);
    assert_int_equal(dp_buf_write(buf, 0, "kept", 5), DP_OK);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_PINNED), DP_ERR_NOMEM);
    atomic_store(&rig.faults.status, DP_OK);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_PINNED), DP_OK);
    assert_int_equal(rig_stats(&rig).fallback_puts, 1);
    char back[5] = "";
    assert_int_equal(dp_buf_read(buf, 0, back, 5), DP_OK);
    assert_string_equal(back, "kept");
    dp_put(buf);
    health_rig_close(&rig);
}

static void a_recording_and_the_health_do_not_undo_each_other(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    unsigned all = short_ways(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 0), DP_OK);
    fail_three_times(&rig);
    rig_pass(&rig, 20 * RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_OK);
    assert_int_equal(short_ways(&rig), 0); /* every get is to be recorded */
    fail_three_times(&rig);
    dp_trace_stop(rig.pool);
    unsigned without_large = short_ways(&rig);
    assert_true(without_large > 0 && without_large < all);
    char *json = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&json, &size);
    assert_int_equal(dp_trace_write_chrome(rig.pool, to), DP_OK);
    assert_int_equal(fclose(to), 0);
    assert_non_null(strstr(json, "\"from\":0,\"to\":2"));
    free(json);
    health_rig_close(&rig);
}

static void a_pool_without_a_host_tier_has_a_fallback_too(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    rig.config.rules = pinned_only;
    rig.config.rule_count = 1;
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    const fake_tier_plan pinned = {.id = DP_TIER_PINNED, .faults = &rig.faults};
    tiers[DP_TIER_PINNED] = fake_tier_open(&pinned, &rig.counts[DP_TIER_PINNED]);
    assert_int_equal(pool_create_over(&rig.config, tiers, &rig.pool), DP_OK);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    dp_buf *buf = rig_text(&rig, 1000);
    assert_non_null(buf);
    char back[4] = "";
    assert_int_equal(dp_buf_write(buf, 996, "abc", 4), DP_OK);
    assert_int_equal(dp_buf_read(buf, 996, back, 4), DP_OK);
    assert_string_equal(back, "abc");
    assert_int_equal(dp_buf_advise(buf, DP_ADVICE_PREFER_HOST), DP_ERR_UNSUPPORTED);
    assert_int_equal(dp_buf_prefetch(buf, DP_PLACE_HOST, 0), DP_ERR_UNSUPPORTED);
    dp_put(buf);
    health_rig_close(&rig);
}

static void every_allocation_of_the_fallback_may_fail_once(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    rig.config.rules = pinned_only;
    rig.config.rule_count = 1;
    health_rig_open(&rig);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    for (unsigned i = 0; i < 3; i++)
        get_and_put(&rig, 5000, DP_TIER_HOST); /* from here on nobody else allocates */
    dp_buf *held[8] = {rig_text(&rig, 5000)};  /* it has the spare record of a life */
    unsigned refused = 0;
    bool fired = true;
    for (unsigned nth = 1; fired; nth++) {
        assert_true(nth < 8);
        (void)os_malloc_fail_nth(nth);
        held[nth] = rig_text(&rig, 5000 + nth * 1000);
        fired = os_malloc_fail_nth(0) == 0;
        refused += held[nth] == NULL;
        pool_check(rig.pool);
    }
    assert_int_equal(refused, 2); /* the block, with its descriptor in it, and the record */
    assert_int_equal(rig_stats(&rig).gets_failed, refused);
    for (unsigned i = 0; i < 8; i++)
        dp_put(held[i]);
    pool_check(rig.pool);
    assert_int_equal(rig_stats(&rig).fallback_used_bytes, 0);
    health_rig_close(&rig);
}

/* ---- configuration ---- */

static void switched_off_nothing_is_judged(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    rig.config.health = (dp_health_config){0};
    rig.config.rules = pinned_only;
    rig.config.rule_count = 1;
    health_rig_open(&rig);
    dp_health_info info;
    assert_int_equal(dp_health_read(rig.pool, DP_TIER_PINNED, DP_FAMILY_TINY, &info),
                     DP_ERR_UNSUPPORTED);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    for (unsigned i = 0; i < 5; i++)
        assert_null(rig_text(&rig, 1000));
    assert_int_equal(rig_stats(&rig).tiers[DP_TIER_PINNED].failed, 5);
    dp_pool_tick(rig.pool);
    health_rig_close(&rig);
}

static void thresholds_are_the_configurations(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    rig.config.health.failures_max = 1;
    rig.config.health.recover_ns = RIG_S;
    health_rig_open(&rig);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    get_and_put(&rig, OWN_REGION, DP_TIER_HOST);
    atomic_store(&rig.faults.status, DP_OK);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_DEGRADED);
    rig_pass(&rig, RIG_S);
    assert_int_equal(rig_state(&rig, DP_FAMILY_LARGE), DP_HEALTH_HALF);
    health_rig_close(&rig);
}

static void thresholds_out_of_range_are_refused(void **state)
{
    (void)state;
    dp_pool_config wrong[5];
    for (unsigned i = 0; i < 5; i++) {
        wrong[i] = (dp_pool_config)DP_POOL_CONFIG_DEFAULT;
        wrong[i].tiers = DP_TIER_BIT(DP_TIER_HOST);
    }
    wrong[0].health.available_percent_enough = 9;
    wrong[1].health.available_percent_enough = 100;
    wrong[2].health.failures_max = 0;
    wrong[3].health.window_ns = 0;
    wrong[4].health.tick_ns = 0;
    for (unsigned i = 0; i < 5; i++) {
        dp_pool *pool = NULL;
        assert_int_equal(dp_pool_create(&wrong[i], &pool), DP_ERR_INVALID);
    }
}

static void questions_about_what_is_not_there_are_answered_so(void **state)
{
    (void)state;
    health_rig rig;
    dp_health_info info;
    health_rig_prepare(&rig);
    health_rig_open(&rig);
    assert_int_equal(dp_health_read(rig.pool, DP_TIER_COUNT, DP_FAMILY_TINY, &info),
                     DP_ERR_INVALID);
    assert_int_equal(
        dp_health_read(rig.pool, DP_TIER_HOST, (dp_family)(DP_FAMILY_COUNT + 1), &info),
        DP_ERR_INVALID);
    assert_int_equal(dp_health_read(rig.pool, DP_TIER_HBM, DP_FAMILY_TINY, &info),
                     DP_ERR_UNSUPPORTED);
    assert_string_equal(dp_health_state_name(DP_BREAKER_HALF_OPEN), "half_open");
    assert_string_equal(dp_health_state_name(DP_HEALTH_STATE_COUNT), "unknown");
    assert_string_equal(dp_health_cause_name(DP_CAUSE_STEADY), "steady");
    assert_string_equal(dp_health_cause_name(DP_HEALTH_CAUSE_COUNT), "unknown");
    health_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_failures_in_a_row_degrade_and_the_tier_is_left_alone),
        cmocka_unit_test(a_get_that_works_starts_the_count_of_failures_anew),
        cmocka_unit_test(what_could_never_fit_is_no_failure_of_the_tier),
        cmocka_unit_test(less_than_a_tenth_available_degrades),
        cmocka_unit_test(a_tenth_is_enough),
        cmocka_unit_test(blocks_that_only_rest_are_available),
        cmocka_unit_test(a_p99_over_5_ms_degrades),
        cmocka_unit_test(slow_gets_are_forgotten_after_the_window),
        cmocka_unit_test(over_50_us_is_a_warning_that_changes_nothing_else),
        cmocka_unit_test(without_an_owner_who_ticks_late_gets_do),
        cmocka_unit_test(ten_good_seconds_bring_half_back_and_ten_more_all),
        cmocka_unit_test(a_relapse_in_half_begins_again),
        cmocka_unit_test(a_failure_while_degraded_puts_the_return_off),
        cmocka_unit_test(half_empty_is_not_enough_to_come_back),
        cmocka_unit_test(the_short_way_is_closed_while_a_family_ails_and_open_after),
        cmocka_unit_test(with_no_tier_left_the_fallback_serves_up_to_its_bound),
        cmocka_unit_test(what_the_fallback_served_can_move_to_the_tier_when_it_is_well),
        cmocka_unit_test(a_recording_and_the_health_do_not_undo_each_other),
        cmocka_unit_test(a_pool_without_a_host_tier_has_a_fallback_too),
        cmocka_unit_test(every_allocation_of_the_fallback_may_fail_once),
        cmocka_unit_test(switched_off_nothing_is_judged),
        cmocka_unit_test(thresholds_are_the_configurations),
        cmocka_unit_test(thresholds_out_of_range_are_refused),
        cmocka_unit_test(questions_about_what_is_not_there_are_answered_so),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
