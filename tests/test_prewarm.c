/* SPDX-License-Identifier: Apache-2.0 */
/* Warm-up: what was warmed rests where gets find it, within the budget, and nothing is lost. */
#define _DEFAULT_SOURCE /* mincore */

#include "cm.h"

#include <pthread.h>
#include <sys/mman.h>

#include "pool_rig.h"

static dp_stats stats_of(dp_pool *pool)
{
    dp_stats stats;
    dp_stats_read(pool, &stats);
    return stats;
}

static const dp_request request_small = {
    .size_bytes = 200, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};

typedef struct other {
    dp_pool *pool;
    uint64_t fresh;
} other;

static void *other_run(void *user)
{
    other *self = user;
    dp_buf *bufs[512];
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(dp_get(self->pool, &request_small, &bufs[i]), DP_OK);
    for (unsigned i = 0; i < 512; i++)
        dp_put(bufs[i]);
    return NULL;
}

static void warmed_blocks_serve_this_thread_and_others_without_a_call_below(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    size_t ready = 0;
    assert_int_equal(dp_prewarm(rig.pool, &request_small, 1000, &ready), DP_OK);
    assert_int_equal(ready, 1000);
    pool_check(rig.pool);
    dp_stats before = stats_of(rig.pool);
    assert_int_equal(before.tiers[DP_TIER_PINNED].fresh, 1000);
    unsigned calls = rig.counts[DP_TIER_PINNED].calls;
    dp_buf *bufs[256];
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(dp_get(rig.pool, &request_small, &bufs[i]), DP_OK);
    other self = {.pool = rig.pool};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, other_run, &self), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (unsigned i = 0; i < 256; i++)
        dp_put(bufs[i]);
    dp_stats after = stats_of(rig.pool);
    assert_int_equal(after.tiers[DP_TIER_PINNED].fresh, 1000); /* none was new */
    assert_int_equal(rig.counts[DP_TIER_PINNED].calls, calls);
    pool_rig_close(&rig);
}

static void no_more_is_taken_than_rests(void **state)
{
    (void)state;
    static const struct {
        size_t size_bytes;
        size_t ready;
    } rows[] = {
        {200, 64 * 66},             /* two magazines and 64 in the depot */
        {(size_t)16 << 10, 2 * 34}, /* magazines of 2, and 1 MiB in the depot */
        {(size_t)64 << 10, 4},      /* none: what the slab keeps, a region of 256 KiB */
        {(size_t)16 << 20, 4},      /* huge: 64 MiB */
        {(size_t)128 << 20, 0},     /* larger than what is kept */
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pool_rig rig = {0};
        pool_rig_open_all(&rig);
        dp_request request = request_small;
        request.size_bytes = rows[i].size_bytes;
        size_t ready = 77;
        assert_int_equal(dp_prewarm(rig.pool, &request, 1000000, &ready), DP_OK);
        assert_int_equal(ready, rows[i].ready);
        pool_check(rig.pool);
        unsigned calls = rig.counts[DP_TIER_PINNED].calls;
        dp_buf *bufs[64];
        unsigned count = ready < 64 ? (unsigned)ready : 64;
        for (unsigned k = 0; k < count; k++)
            assert_int_equal(dp_get(rig.pool, &request, &bufs[k]), DP_OK);
        assert_int_equal(rig.counts[DP_TIER_PINNED].calls, calls);
        for (unsigned k = 0; k < count; k++)
            dp_put(bufs[k]);
        pool_rig_close(&rig);
    }
}

/* The real host tier, whose pages the kernel gives when they are first touched. */
static void the_pages_are_there_before_the_first_get(void **state)
{
    (void)state;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    dp_pool *pool = NULL;
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    const dp_request request = {.size_bytes = 20000};
    size_t ready = 0;
    assert_int_equal(dp_prewarm(pool, &request, 8, &ready), DP_OK);
    assert_int_equal(ready, 8);
    for (unsigned i = 0; i < 8; i++) {
        dp_buf *buf = NULL;
        assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
        uintptr_t page = os_page_bytes();
        uintptr_t start = (uintptr_t)dp_buf_data(buf) & ~(page - 1);
        uintptr_t end = (uintptr_t)dp_buf_data(buf) + dp_buf_capacity(buf);
        for (uintptr_t at = start; at < end; at += page) {
            unsigned char resident = 0;
            /* NOLINTNEXTLINE: the address of a page is a number here */
            assert_int_equal(mincore((void *)at, page, &resident), 0);
            assert_true((resident & 1u) != 0);
        }
        dp_put(buf);
    }
    dp_pool_destroy(pool);
}

static void a_budget_ends_it_early_and_an_absent_tier_at_once(void **state)
{
    (void)state;
    pool_rig rig = {0};
    const size_t bytes_max[DP_TIER_COUNT] = {[DP_TIER_HOST] = (size_t)512 << 10,
                                             [DP_TIER_PINNED] = SIZE_MAX,
                                             [DP_TIER_HBM] = SIZE_MAX,
                                             [DP_TIER_PMEM] = SIZE_MAX};
    pool_rig_open(&rig, bytes_max);
    dp_request request = {.size_bytes = 30000};
    size_t ready = 0;
    assert_int_equal(dp_prewarm(rig.pool, &request, 50, &ready), DP_OK);
    assert_true(ready >= 8 && ready <= 17);
    pool_check(rig.pool);
    request.size_bytes = (size_t)1 << 20;
    ready = 77;
    assert_int_equal(dp_prewarm(rig.pool, &request, 1, &ready), DP_ERR_NOMEM);
    request.size_bytes = 0;
    assert_int_equal(dp_prewarm(rig.pool, &request, 1, &ready), DP_ERR_INVALID);
    request = (dp_request){.size_bytes = 100, .need = DP_NEED_DEVICE};
    assert_int_equal(dp_prewarm(rig.pool, &request, 1, &ready), DP_ERR_UNSUPPORTED);
    assert_int_equal(ready, 77);
    pool_rig_close(&rig);
}

static void without_memory_for_bookkeeping_nothing_is_lost(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        pool_rig rig = {0};
        pool_rig_open_all(&rig);
        size_t ready = 0;
        (void)os_malloc_fail_nth(nth);
        dp_status status = dp_prewarm(rig.pool, &request_small, 500, &ready);
        bool fired = os_malloc_fail_nth(0) == 0;
        assert_true(status == DP_OK || status == DP_ERR_NOMEM);
        pool_rig_close(&rig);
        if (!fired) {
            assert_int_equal(ready, 500);
            assert_true(nth > 5);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warmed_blocks_serve_this_thread_and_others_without_a_call_below),
        cmocka_unit_test(no_more_is_taken_than_rests),
        cmocka_unit_test(the_pages_are_there_before_the_first_get),
        cmocka_unit_test(a_budget_ends_it_early_and_an_absent_tier_at_once),
        cmocka_unit_test(without_memory_for_bookkeeping_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
