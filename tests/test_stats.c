/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: exact once the threads are quiet, whichever thread counted and whether it still lives.
 */
#include "cm.h"

#include <pthread.h>

#include "pool_rig.h"

static dp_stats stats_of(dp_pool *pool)
{
    dp_stats stats;
    dp_stats_read(pool, &stats);
    return stats;
}

static void a_new_pool_has_counted_nothing(void **state)
{
    (void)state;
    static const dp_stats nothing;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_stats stats = stats_of(rig.pool);
    assert_memory_equal(&stats, &nothing, sizeof stats);
    pool_rig_close(&rig);
}

static void gets_and_puts_are_counted_by_family_and_used_bytes_by_block(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    static const size_t sizes[] = {10, 100, 500, 2000, 3000, 5000000};
    dp_buf *bufs[6];
    uint64_t used = 0;
    for (unsigned i = 0; i < 6; i++) {
        bufs[i] = rig_get(rig.pool, DP_KIND_OTHER, sizes[i]);
        used += dp_buf_capacity(bufs[i]);
    }
    dp_tier_stats host = stats_of(rig.pool).tiers[DP_TIER_HOST];
    for (unsigned family = 0; family < DP_FAMILY_COUNT; family++) {
        assert_int_equal(host.gets[family], 2);
        assert_int_equal(host.puts[family], 0);
    }
    assert_int_equal(host.used_bytes, used);
    assert_int_equal(host.fresh, 6);
    assert_int_equal(host.capacity_bytes, rig.counts[DP_TIER_HOST].bytes_out);
    assert_int_equal(host.region_calls, rig.counts[DP_TIER_HOST].calls);
    for (unsigned i = 0; i < 6; i++)
        dp_put(bufs[i]);
    host = stats_of(rig.pool).tiers[DP_TIER_HOST];
    assert_int_equal(host.puts[DP_FAMILY_TINY], 2);
    assert_int_equal(host.puts[DP_FAMILY_MEDIUM], 2);
    assert_int_equal(host.puts[DP_FAMILY_LARGE], 2);
    assert_int_equal(host.used_bytes, 0);
    pool_rig_close(&rig);
}

static void a_block_that_comes_again_counts_as_reused(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    for (unsigned i = 0; i < 10; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    dp_tier_stats host = stats_of(rig.pool).tiers[DP_TIER_HOST];
    assert_int_equal(host.fresh, 1);
    assert_int_equal(host.reused, 9);
    pool_rig_close(&rig);
}

static void another_tier_than_the_rules_first_is_a_fallback(void **state)
{
    (void)state;
    /* No pinned tier: text, whose rule names it first, falls to host on every way of a get. */
    static const size_t bytes_max[DP_TIER_COUNT] = {
        [DP_TIER_PINNED] = SIZE_MAX, [DP_TIER_HBM] = SIZE_MAX, [DP_TIER_PMEM] = SIZE_MAX};
    pool_rig rig = {0};
    pool_rig_open(&rig, bytes_max);
    for (unsigned i = 0; i < 5; i++)
        dp_put(rig_get(rig.pool, DP_KIND_TEXT, 64));
    for (unsigned i = 0; i < 3; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(stats_of(rig.pool).fallbacks, 5);
    pool_rig_close(&rig);
}

static void copies_that_callers_make_are_counted_too(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_stats_copied(rig.pool, 100);
    dp_stats_copied(rig.pool, 23);
    assert_int_equal(stats_of(rig.pool).bytes_copied, 123);
    pool_rig_close(&rig);
}

/* ---- threads ---- */

#define THREADS   4
#define PER_COUNT 5000

typedef struct counting {
    dp_pool *pool;
    pthread_barrier_t barrier;
} counting;

static void *count_and_wait(void *user)
{
    counting *all = user;
    for (unsigned i = 0; i < PER_COUNT; i++) {
        dp_buf *buf = rig_get(all->pool, DP_KIND_TEXT, 1 + i % 4000);
        dp_stats_copied(all->pool, 1);
        dp_stats_delivered(buf, 3);
        dp_put(buf);
    }
    (void)rig_get(all->pool, DP_KIND_TEXT, 0); /* refused: counts as nothing */
    (void)pthread_barrier_wait(&all->barrier); /* all have counted */
    (void)pthread_barrier_wait(&all->barrier); /* the main thread has looked */
    return NULL;
}

static void assert_sums(const dp_stats *stats)
{
    const dp_tier_stats *tier = &stats->tiers[DP_TIER_PINNED];
    uint64_t gets = 0;
    for (unsigned family = 0; family < DP_FAMILY_COUNT; family++) {
        assert_int_equal(tier->gets[family], tier->puts[family]);
        gets += tier->gets[family];
    }
    assert_int_equal(gets, THREADS * PER_COUNT);
    assert_int_equal(tier->fresh + tier->reused, gets);
    assert_int_equal(tier->used_bytes, 0);
    assert_int_equal(stats->bytes_copied, THREADS * PER_COUNT);
    assert_int_equal(stats->bytes_delivered, 3 * THREADS * PER_COUNT);
    assert_int_equal(stats->gets_failed, 0);
    assert_int_equal(stats->fallbacks, 0);
}

static void sums_are_exact_while_threads_rest_and_after_they_died(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    counting all = {.pool = rig.pool};
    pthread_t threads[THREADS];
    assert_int_equal(pthread_barrier_init(&all.barrier, NULL, THREADS + 1), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_and_wait, &all), 0);
    for (unsigned i = 0; i < 50; i++) {
        dp_stats running = stats_of(rig.pool); /* whatever it says, it must be plausible */
        assert_true(running.bytes_copied <= THREADS * PER_COUNT);
        assert_true(running.tiers[DP_TIER_PINNED].used_bytes < (uint64_t)1 << 32);
    }
    (void)pthread_barrier_wait(&all.barrier);
    dp_stats living = stats_of(rig.pool);
    (void)pthread_barrier_wait(&all.barrier);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    dp_stats dead = stats_of(rig.pool);
    assert_sums(&living);
    assert_sums(&dead);
    (void)pthread_barrier_destroy(&all.barrier);
    pool_rig_close(&rig);
}

/*
 * Fallbacks and failures, from threads that live and threads that died: each thread counts for
 * itself what came back, and the pool's sums must say the same.  No pinned tier, so all text falls
 * back; host is bounded, so that some requests find it full.
 */
typedef struct tally {
    dp_pool *pool;
    uint64_t served;
    uint64_t failed;
} tally;

static void *take_more_than_there_is(void *user)
{
    tally *mine = user;
    dp_buf *held[16] = {NULL};
    for (unsigned i = 0; i < 2000; i++) {
        unsigned at = i % 16;
        dp_put(held[at]);
        held[at] = rig_get(mine->pool, DP_KIND_TEXT, 1 + (i * 7919u) % 200000);
        if (held[at] != NULL)
            mine->served++;
        else
            mine->failed++;
    }
    for (unsigned at = 0; at < 16; at++)
        dp_put(held[at]);
    return NULL;
}

static void fallbacks_and_failures_of_many_threads_are_counted_exactly(void **state)
{
    (void)state;
    static const size_t bytes_max[DP_TIER_COUNT] = {[DP_TIER_HOST] = 2 << 20,
                                                    [DP_TIER_PINNED] = SIZE_MAX,
                                                    [DP_TIER_HBM] = SIZE_MAX,
                                                    [DP_TIER_PMEM] = SIZE_MAX};
    pool_rig rig = {0};
    pool_rig_open(&rig, bytes_max);
    pthread_t threads[THREADS];
    tally tallies[THREADS];
    uint64_t served = 0;
    uint64_t failed = 0;
    for (unsigned round = 0; round < 2; round++) { /* the second beside sets of dead threads */
        for (unsigned i = 0; i < THREADS; i++) {
            tallies[i] = (tally){.pool = rig.pool};
            assert_int_equal(
                pthread_create(&threads[i], NULL, take_more_than_there_is, &tallies[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            served += tallies[i].served;
            failed += tallies[i].failed;
        }
    }
    dp_stats stats = stats_of(rig.pool);
    const dp_tier_stats *host = &stats.tiers[DP_TIER_HOST];
    uint64_t gets = 0;
    for (unsigned family = 0; family < DP_FAMILY_COUNT; family++) {
        assert_int_equal(host->gets[family], host->puts[family]);
        gets += host->gets[family];
    }
    assert_true(served > 0 && failed > 0);
    assert_int_equal(gets, served);
    assert_int_equal(host->fresh + host->reused, served);
    assert_int_equal(stats.fallbacks, served);
    assert_int_equal(stats.gets_failed, failed);
    assert_int_equal(host->failed, failed);
    assert_int_equal(host->used_bytes, 0);
    pool_rig_close(&rig);
}

static void families_have_names(void **state)
{
    (void)state;
    assert_string_equal(dp_family_name(DP_FAMILY_TINY), "tiny");
    assert_string_equal(dp_family_name(DP_FAMILY_LARGE), "large");
    assert_string_equal(dp_family_name(DP_FAMILY_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_pool_has_counted_nothing),
        cmocka_unit_test(gets_and_puts_are_counted_by_family_and_used_bytes_by_block),
        cmocka_unit_test(a_block_that_comes_again_counts_as_reused),
        cmocka_unit_test(another_tier_than_the_rules_first_is_a_fallback),
        cmocka_unit_test(copies_that_callers_make_are_counted_too),
        cmocka_unit_test(sums_are_exact_while_threads_rest_and_after_they_died),
        cmocka_unit_test(fallbacks_and_failures_of_many_threads_are_counted_exactly),
        cmocka_unit_test(families_have_names),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
