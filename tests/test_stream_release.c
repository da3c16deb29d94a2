/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting in the order of a stream: no block is reused before every stream that used it has passed,
 * nothing waits but dp_pool_destroy(), and nothing is left behind by a device that was lost or by
 * memory that ran out.  All over the fake driver, whose streams stand still when told to.
 */
#include "cm.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include <danpool/device.h>
#include <danpool/stats.h>

#include "cuda_fake.h"
#include "pool/os.h"
#include "pool/pool_internal.h"
#include "pool/stream_release.h"

#define BLOCK_BYTES 40000u /* too large for a magazine: a put goes to the slab, a get finds it */

static const dp_route_rule rules[] = {
    {.kind = DP_KIND_SURFACE, .tiers = {DP_TIER_HBM, DP_TIER_NONE}},
    {.kind = DP_KIND_TEXT, .tiers = {DP_TIER_PINNED, DP_TIER_NONE}},
    {.kind = DP_KIND_ENCODED, .tiers = {DP_TIER_MANAGED, DP_TIER_NONE}},
    {.kind = DP_KIND_COUNT, .tiers = {DP_TIER_HOST, DP_TIER_NONE}},
};

static dp_status pool_try(dp_pool **out)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.health.enabled = false; /* its fallback would serve what a full tier does not */
    config.tiers = DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_HBM) |
                   DP_TIER_BIT(DP_TIER_PINNED) | DP_TIER_BIT(DP_TIER_MANAGED);
    config.rules = rules;
    config.rule_count = sizeof rules / sizeof *rules;
    return dp_pool_create(&config, out);
}

static int setup(void **state)
{
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    plan.device_bytes = (size_t)64 << 20;
    cuda_fake_install(&plan);
    return pool_try((dp_pool **)state) == DP_OK ? 0 : -1;
}

/* The pool may be gone already: a test that destroys it leaves NULL. */
static int teardown(void **state)
{
    dp_pool_destroy(*state);
    bool clean = cuda_fake_is_clean();
    cuda_fake_uninstall();
    return clean ? 0 : -1;
}

static dp_buf *get(dp_pool *pool, dp_kind kind)
{
    dp_buf *buf = NULL;
    dp_request request = {.size_bytes = BLOCK_BYTES, .kind = kind};
    assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
    return buf;
}

static void a_buffer_that_no_device_sees_is_put_at_once(void **state)
{
    dp_pool *pool = *state;
    cuda_fake_streams_hold(true);
    dp_buf *buf = get(pool, DP_KIND_OTHER);
    const void *block = dp_buf_data(buf);
    uint64_t calls = cuda_fake_calls();
    dp_put_on_stream(buf, 7);
    dp_put_on_stream(NULL, 7);
    assert_int_equal(cuda_fake_calls(), calls);
    assert_int_equal(dp_pool_reclaim(pool), 0);
    buf = get(pool, DP_KIND_OTHER);
    assert_ptr_equal(dp_buf_data(buf), block);
    dp_put(buf);
}

static void expect_held_until_passed(dp_pool *pool, dp_kind kind)
{
    dp_buf *first = get(pool, kind);
    uint64_t block = dp_buf_device_address(first);
    dp_put_on_stream(first, 7);
    assert_int_equal(dp_pool_reclaim(pool), 1);
    pool_check(pool);
    dp_buf *second = get(pool, kind);
    assert_int_not_equal(dp_buf_device_address(second), block);
    cuda_fake_stream_pass(7);
    assert_int_equal(dp_pool_reclaim(pool), 0);
    pool_check(pool);
    dp_buf *third = get(pool, kind);
    assert_int_equal(dp_buf_device_address(third), block);
    dp_put(second);
    dp_put(third);
}

static void a_block_is_not_reused_before_its_stream_has_passed(void **state)
{
    cuda_fake_streams_hold(true);
    expect_held_until_passed(*state, DP_KIND_SURFACE);
    expect_held_until_passed(*state, DP_KIND_TEXT);
    expect_held_until_passed(*state, DP_KIND_ENCODED);
    assert_int_equal(cuda_fake_waits(), 0);
}

static void the_stream_of_every_sharer_must_pass(void **state)
{
    dp_pool *pool = *state;
    cuda_fake_streams_hold(true);
    dp_buf *buf = get(pool, DP_KIND_SURFACE);
    uint64_t block = dp_buf_device_address(buf);
    (void)dp_ref(dp_ref(buf));
    dp_put_on_stream(buf, 1);
    dp_put_on_stream(buf, 2);
    dp_put(buf); /* the last to put knows nothing of streams */
    cuda_fake_stream_pass(2);
    assert_int_equal(dp_pool_reclaim(pool), 1);
    assert_int_equal(buf_references(buf), 1);
    dp_buf *other = get(pool, DP_KIND_SURFACE);
    assert_int_not_equal(dp_buf_device_address(other), block);
    cuda_fake_stream_pass(1);
    assert_int_equal(dp_pool_reclaim(pool), 0);
    dp_buf *again = get(pool, DP_KIND_SURFACE);
    assert_int_equal(dp_buf_device_address(again), block);
    dp_put(other);
    dp_put(again);
}

static void work_queued_later_does_not_hold_a_block(void **state)
{
    dp_pool *pool = *state;
    cuda_fake_streams_hold(true);
    dp_put_on_stream(get(pool, DP_KIND_SURFACE), 1);
    cuda_fake_stream_pass(1);
    dp_put_on_stream(get(pool, DP_KIND_SURFACE), 1);
    assert_int_equal(dp_pool_reclaim(pool), 1);
    cuda_fake_stream_pass(1);
    assert_int_equal(dp_pool_reclaim(pool), 0);
}

static void a_stream_that_stands_still_does_not_hide_the_others(void **state)
{
    enum { STILL = 100, QUICK = 10 };
    dp_pool *pool = *state;
    cuda_fake_streams_hold(true);
    for (int i = 0; i < STILL; i++) {
        dp_put_on_stream(get(pool, DP_KIND_SURFACE), 1);
    }
    for (int i = 0; i < QUICK; i++) {
        dp_put_on_stream(get(pool, DP_KIND_SURFACE), 2);
    }
    cuda_fake_stream_pass(2);
    uint64_t calls = cuda_fake_calls();
    size_t left = STILL + QUICK;
    for (int i = 0; i < (STILL + QUICK) / (int)STREAM_POLLS_MAX + 1; i++) {
        left = dp_pool_reclaim(pool);
    }
    assert_int_equal(left, STILL);
    /* Bounded work: the still stream's entries are not all asked about. */
    assert_true(cuda_fake_calls() - calls < STILL);
    pool_check(pool);
    cuda_fake_streams_hold(false);
    while (dp_pool_reclaim(pool) > 0) {
    }
    assert_int_equal(cuda_fake_waits(), 0);
}

static void a_get_on_the_slow_way_takes_what_has_passed(void **state)
{
    enum { COUNT_MAX = 8192 };
    static dp_buf *bufs[COUNT_MAX];
    dp_pool *pool = *state;
    dp_request request = {.size_bytes = (size_t)1 << 20, .kind = DP_KIND_SURFACE};
    int count = 0;
    cuda_fake_streams_hold(true);
    while (count < COUNT_MAX && dp_get(pool, &request, &bufs[count]) == DP_OK) {
        count++;
    }
    assert_true(count > 1 && count < COUNT_MAX);
    for (int i = 0; i < count; i++) {
        dp_put_on_stream(bufs[i], 3);
    }
    assert_int_equal(dp_get(pool, &request, &bufs[0]), DP_ERR_NOMEM);
    cuda_fake_stream_pass(3);
    assert_int_equal(dp_get(pool, &request, &bufs[0]), DP_OK);
    dp_put(bufs[0]);
}

static void destroying_waits_for_the_streams(void **state)
{
    dp_pool *pool = *state;
    cuda_fake_streams_hold(true);
    for (int i = 0; i < 5; i++) {
        dp_put_on_stream(get(pool, DP_KIND_SURFACE), (uint64_t)i);
    }
    *state = NULL;
    assert_int_equal(cuda_fake_waits(), 0);
    dp_pool_destroy(pool);
    assert_int_equal(cuda_fake_waits(), 5);
    assert_true(cuda_fake_is_clean());
}

static void a_lost_device_counts_as_passed(void **state)
{
    dp_pool *pool = *state;
    cuda_fake_streams_hold(true);
    dp_put_on_stream(get(pool, DP_KIND_SURFACE), 1);
    dp_buf *late = get(pool, DP_KIND_SURFACE);
    cuda_fake_lose();
    dp_put_on_stream(late, 1);
    assert_int_equal(dp_pool_reclaim(pool), 0);
    pool_check(pool);
    *state = NULL;
    dp_pool_destroy(pool);
    assert_true(cuda_fake_is_clean());
}

static void destroying_does_not_wait_for_a_lost_device(void **state)
{
    dp_pool *pool = *state;
    cuda_fake_streams_hold(true);
    for (int i = 0; i < 3; i++) {
        dp_put_on_stream(get(pool, DP_KIND_SURFACE), 1);
    }
    cuda_fake_lose();
    *state = NULL;
    dp_pool_destroy(pool);
    assert_int_equal(cuda_fake_waits(), 0);
    assert_true(cuda_fake_is_clean());
}

static void without_memory_for_an_entry_the_put_waits(void **state)
{
    dp_pool *pool = *state;
    cuda_fake_streams_hold(true);
    dp_buf *buf = get(pool, DP_KIND_SURFACE);
    uint64_t block = dp_buf_device_address(buf);
    os_malloc_fail_nth(1);
    dp_put_on_stream(buf, 1);
    assert_int_equal(os_malloc_fail_nth(0), 0);
    assert_int_equal(cuda_fake_waits(), 1);
    assert_int_equal(dp_pool_reclaim(pool), 0);
    buf = get(pool, DP_KIND_SURFACE);
    assert_int_equal(dp_buf_device_address(buf), block);
    dp_put(buf);
}

static void without_an_event_the_put_waits(void **state)
{
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    plan.events_max = 2;
    dp_pool_destroy(*state);
    cuda_fake_uninstall();
    cuda_fake_install(&plan);
    assert_int_equal(pool_try((dp_pool **)state), DP_OK);
    cuda_fake_streams_hold(true);
    for (int i = 0; i < 3; i++) {
        dp_put_on_stream(get(*state, DP_KIND_SURFACE), 1);
    }
    assert_int_equal(cuda_fake_waits(), 1);
    assert_int_equal(dp_pool_reclaim(*state), 0); /* it had waited for all of the stream */
}

static void events_are_reused_and_few_are_kept(void **state)
{
    dp_pool *pool = *state;
    for (int i = 0; i < 500; i++) {
        dp_put_on_stream(get(pool, DP_KIND_SURFACE), 1);
    }
    assert_true(cuda_fake_leaks_read().events <= 2);
    cuda_fake_streams_hold(true);
    for (int i = 0; i < 200; i++) {
        dp_put_on_stream(get(pool, DP_KIND_SURFACE), 1);
    }
    assert_true(cuda_fake_leaks_read().events >= 200);
    cuda_fake_streams_hold(false);
    while (dp_pool_reclaim(pool) > 0) {
    }
    assert_int_equal(cuda_fake_leaks_read().events, STREAM_SPARES_MAX);
    pool_check(pool);
}

/* --- threads --- */

#define THREADS 4
#define ROUNDS  300

/* No cmocka here, which knows the main thread only. */
static void *put_on_streams(void *user)
{
    dp_pool *pool = user;
    const char *complaint = NULL;
    uint64_t seed = (uintptr_t)&complaint;
    for (int i = 0; i < ROUNDS && complaint == NULL; i++) {
        dp_buf *buf = NULL;
        dp_request request = {.size_bytes = 64 + (size_t)(seed >> 40) % BLOCK_BYTES,
                              .kind = i % 2 == 0 ? DP_KIND_SURFACE : DP_KIND_TEXT};
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        if (dp_get(pool, &request, &buf) != DP_OK) {
            complaint = "a get failed";
            break;
        }
        (void)dp_ref(buf);
        dp_put_on_stream(buf, seed >> 62);
        if (i % 3 == 0) {
            cuda_fake_stream_pass(seed >> 62);
            (void)dp_pool_reclaim(pool);
        }
        dp_put_on_stream(buf, seed >> 60 & 3);
    }
    return (void *)(uintptr_t)complaint;
}

static void threads_put_and_reclaim_together(void **state)
{
    dp_pool *pool = *state;
    pthread_t threads[THREADS];
    cuda_fake_streams_hold(true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, put_on_streams, pool), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *complaint = NULL;
        pthread_join(threads[i], &complaint);
        assert_null(complaint);
    }
    cuda_fake_streams_hold(false);
    while (dp_pool_reclaim(pool) > 0) {
    }
    pool_check(pool);
    dp_stats stats;
    dp_stats_read(pool, &stats);
    assert_int_equal(stats.tiers[DP_TIER_HBM].used_bytes, 0);
    assert_int_equal(stats.tiers[DP_TIER_PINNED].used_bytes, 0);
}

/* --- sweeps --- */

/* One life of a pool; whatever fails in it, nothing may be left when it is over. */
static bool live_once(void)
{
    dp_pool *pool = NULL;
    bool whole = pool_try(&pool) == DP_OK;
    for (int i = 0; i < 12 && pool != NULL; i++) {
        dp_buf *buf = NULL;
        dp_request request = {.size_bytes = BLOCK_BYTES,
                              .kind = i % 2 == 0 ? DP_KIND_SURFACE : DP_KIND_ENCODED};
        if (dp_get(pool, &request, &buf) != DP_OK) {
            whole = false;
            continue;
        }
        whole = dp_buf_write(buf, 0, "bytes", 5) == DP_OK && whole;
        dp_put_on_stream(dp_ref(buf), 1);
        dp_put_on_stream(buf, 2);
        if (i % 4 == 3) {
            cuda_fake_stream_pass(1);
            (void)dp_pool_reclaim(pool);
        }
        pool_check(pool);
    }
    whole = whole && cuda_fake_waits() == 0; /* no put had to wait in place of an entry */
    dp_pool_destroy(pool);
    return whole;
}

static void run_sweep(bool allocations, uint64_t nth_max)
{
    uint64_t nth = 1;
    bool whole = false;
    unsigned whole_in_a_row = 0;
    for (; nth < nth_max && whole_in_a_row < 5; nth++) {
        cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
        plan.lost_after = allocations ? 0 : nth;
        cuda_fake_install(&plan);
        cuda_fake_streams_hold(true);
        os_malloc_fail_nth(allocations ? nth : 0);
        whole = live_once();
        whole_in_a_row = whole ? whole_in_a_row + 1 : 0;
        os_malloc_fail_nth(0);
        assert_true(cuda_fake_is_clean());
        cuda_fake_uninstall();
    }
    assert_int_equal(whole_in_a_row, 5);
    assert_true(nth > 20);
    print_message("stream_release: %u failures shown, then none\n", (unsigned)nth - 6);
}

static void every_failed_allocation_leaves_nothing_behind(void **state)
{
    (void)state;
    run_sweep(true, 500);
}

static void a_device_lost_at_any_call_leaves_nothing_behind(void **state)
{
    (void)state;
    run_sweep(false, 1000);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(a_buffer_that_no_device_sees_is_put_at_once),
        STREAM_TEST(a_block_is_not_reused_before_its_stream_has_passed),
        STREAM_TEST(the_stream_of_every_sharer_must_pass),
        STREAM_TEST(work_queued_later_does_not_hold_a_block),
        STREAM_TEST(a_stream_that_stands_still_does_not_hide_the_others),
        STREAM_TEST(a_get_on_the_slow_way_takes_what_has_passed),
        STREAM_TEST(destroying_waits_for_the_streams),
        STREAM_TEST(a_lost_device_counts_as_passed),
        STREAM_TEST(destroying_does_not_wait_for_a_lost_device),
        STREAM_TEST(without_memory_for_an_entry_the_put_waits),
        STREAM_TEST(without_an_event_the_put_waits),
        STREAM_TEST(events_are_reused_and_few_are_kept),
        STREAM_TEST(threads_put_and_reclaim_together),
        cmocka_unit_test(every_failed_allocation_leaves_nothing_behind),
        cmocka_unit_test(a_device_lost_at_any_call_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
