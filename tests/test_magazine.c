/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Magazines and depots over a real slab: batches travel between threads, a dead thread's blocks are
 * not lost, and a thread without a set of its own works too.
 */
#include "cm.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_tier.h"
#include "pool/magazine.h"

#define CLASS size_class_of(64)

typedef struct mag_rig {
    fake_tier_counts counts;
    dp_tier *tier;
    slab *slabs[DP_TIER_COUNT];
    magazine_layer layer;
} mag_rig;

static void rig_open(mag_rig *rig, size_t bytes_max)
{
    *rig = (mag_rig){0};
    fake_tier_plan plan = {.id = DP_TIER_HOST, .bytes_max = bytes_max};
    rig->tier = fake_tier_open(&plan, &rig->counts);
    assert_non_null(rig->tier);
    assert_int_equal(slab_create(rig->tier, NULL, &rig->slabs[DP_TIER_HOST]), DP_OK);
    assert_int_equal(magazine_layer_create(rig->slabs, &rig->layer), DP_OK);
}

static magazine *mine(mag_rig *rig)
{
    return magazine_of(magazine_set_mine(&rig->layer), DP_TIER_HOST, CLASS);
}

/* Every block that is out of the slab rests in rounds of the layer, but for `held` ones. */
static void rig_check(mag_rig *rig, uint64_t held)
{
    slab_stats stats;
    slab_check(rig->slabs[DP_TIER_HOST]);
    slab_stats_read(rig->slabs[DP_TIER_HOST], &stats);
    assert_int_equal(magazine_check(&rig->layer, DP_TIER_HOST) + held, stats.live_blocks);
}

static void rig_close(mag_rig *rig)
{
    rig_check(rig, 0);
    magazine_layer_destroy(&rig->layer);
    slab_destroy(rig->slabs[DP_TIER_HOST]);
    assert_int_equal(rig->counts.regions_out, 0);
    tier_close(rig->tier);
}

static dp_buf *get(mag_rig *rig, unsigned size_class)
{
    dp_buf *buf = NULL;
    magazine_want want = {.tier = DP_TIER_HOST, .size_class = size_class};
    return magazine_get(&rig->layer, &want, &buf) == DP_OK ? buf : NULL;
}

static uint64_t live_blocks(mag_rig *rig)
{
    slab_stats stats;
    slab_stats_read(rig->slabs[DP_TIER_HOST], &stats);
    return stats.live_blocks;
}

static void the_block_put_last_is_got_first(void **state)
{
    (void)state;
    mag_rig rig;
    rig_open(&rig, 0);
    dp_buf *first = get(&rig, CLASS);
    dp_buf *second = get(&rig, CLASS);
    assert_ptr_not_equal(first, second);
    magazine_put(&rig.layer, first);
    assert_ptr_equal(get(&rig, CLASS), first);
    rig_check(&rig, 2);
    magazine_put(&rig.layer, first);
    magazine_put(&rig.layer, second);
    rig_close(&rig);
}

static void large_blocks_are_not_kept_by_threads(void **state)
{
    (void)state;
    mag_rig rig;
    rig_open(&rig, 0);
    dp_buf *buf = get(&rig, size_class_of(100000));
    assert_int_equal(live_blocks(&rig), 1);
    magazine_put(&rig.layer, buf);
    assert_int_equal(live_blocks(&rig), 0);
    rig_close(&rig);
}

static void what_a_thread_hoards_is_bounded(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static dp_buf *bufs[COUNT];
    mag_rig rig;
    rig_open(&rig, 0);
    for (unsigned i = 0; i < COUNT; i++)
        bufs[i] = get(&rig, CLASS);
    for (unsigned i = 0; i < COUNT; i++)
        magazine_put(&rig.layer, bufs[i]);
    /* Two magazines in the thread, the depot's fill, the rest went back to the slab. */
    assert_true(live_blocks(&rig) <= (2 + DEPOT_MAGAZINES_MAX) * MAGAZINE_BLOCKS_MAX);
    rig_check(&rig, 0);
    rig_close(&rig);
}

static void a_flush_leaves_nothing_in_the_thread_for_others_to_miss(void **state)
{
    (void)state;
    mag_rig rig;
    rig_open(&rig, 0);
    magazine_put(&rig.layer, get(&rig, CLASS));
    assert_non_null(mine(&rig)->base);
    magazine_flush(&rig.layer);
    assert_null(mine(&rig)->base);
    assert_null(magazine_top(mine(&rig)));
    assert_true(live_blocks(&rig) > 0);
    rig_check(&rig, 0);
    magazine_drain(&rig.layer, DP_TIER_HOST);
    assert_int_equal(live_blocks(&rig), 0);
    rig_close(&rig);
}

/* ---- threads ---- */

#define HANDOVER 256u

typedef struct handover {
    mag_rig *rig;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    dp_buf *bufs[HANDOVER];
    unsigned count;
    unsigned total;
} handover;

static void *put_what_comes(void *user)
{
    handover *line = user;
    unsigned done = 0;
    while (done < line->total) {
        dp_buf *mine[HANDOVER];
        os_lock(&line->lock);
        while (line->count == 0)
            (void)pthread_cond_wait(&line->changed, &line->lock);
        unsigned count = line->count;
        for (unsigned i = 0; i < count; i++)
            mine[i] = line->bufs[i];
        line->count = 0;
        (void)pthread_cond_signal(&line->changed);
        os_unlock(&line->lock);
        for (unsigned i = 0; i < count; i++)
            magazine_put(&line->rig->layer, mine[i]);
        done += count;
    }
    return NULL;
}

/* The pattern that matters: received by one thread, released by another. */
static void blocks_flow_back_from_the_thread_that_puts_to_the_one_that_gets(void **state)
{
    (void)state;
    mag_rig rig;
    rig_open(&rig, 0);
    handover line = {.rig = &rig, .total = 100000};
    os_mutex_init(&line.lock);
    assert_int_equal(pthread_cond_init(&line.changed, NULL), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, put_what_comes, &line), 0);
    for (unsigned i = 0; i < line.total; i++) {
        dp_buf *buf = get(&rig, CLASS);
        os_lock(&line.lock);
        while (line.count == HANDOVER)
            (void)pthread_cond_wait(&line.changed, &line.lock);
        line.bufs[line.count++] = buf;
        (void)pthread_cond_signal(&line.changed);
        os_unlock(&line.lock);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* 100,000 gets, yet never more blocks than were on their way and in magazines. */
    uint64_t fresh = stats_load(&mine(&rig)->fresh);
    assert_true(fresh <= 2 * HANDOVER + 8 * MAGAZINE_BLOCKS_MAX);
    rig_check(&rig, 0);
    (void)pthread_cond_destroy(&line.changed);
    os_mutex_destroy(&line.lock);
    rig_close(&rig);
}

static void *get_and_put_a_hundred(void *user)
{
    mag_rig *rig = user;
    dp_buf *bufs[100];
    for (unsigned i = 0; i < 100; i++)
        bufs[i] = get(rig, CLASS);
    for (unsigned i = 0; i < 100; i++)
        magazine_put(&rig->layer, bufs[i]);
    return NULL;
}

static void run_thread(void *(*body)(void *user), void *user)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, user), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_dead_threads_blocks_serve_the_living(void **state)
{
    (void)state;
    mag_rig rig;
    rig_open(&rig, 0);
    for (unsigned i = 0; i < 50; i++)
        run_thread(get_and_put_a_hundred, &rig);
    rig_check(&rig, 0);
    assert_true(list_is_empty(&rig.layer.sets));
    /* All fifty lived on the blocks of the first. */
    const magazine *folded = magazine_of(rig.layer.shared, DP_TIER_HOST, CLASS);
    assert_int_equal(stats_load(&folded->gets), 5000);
    assert_int_equal(stats_load(&folded->puts), 5000);
    assert_in_range(stats_load(&folded->fresh), 100, 2 * MAGAZINE_BLOCKS_MAX);
    rig_close(&rig);
}

typedef struct meeting {
    mag_rig *rig;
    pthread_barrier_t *barrier;
} meeting;

static void *outlive_the_layer(void *user)
{
    meeting *here = user;
    (void)get_and_put_a_hundred(here->rig);
    (void)pthread_barrier_wait(here->barrier); /* used */
    (void)pthread_barrier_wait(here->barrier); /* destroyed */
    return NULL;
}

static void a_thread_may_end_after_a_layer_that_it_used(void **state)
{
    (void)state;
    mag_rig rig;
    rig_open(&rig, 0);
    pthread_barrier_t barrier;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    meeting here = {.rig = &rig, .barrier = &barrier};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, outlive_the_layer, &here), 0);
    (void)pthread_barrier_wait(&barrier);
    rig_close(&rig);
    (void)pthread_barrier_wait(&barrier);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_barrier_destroy(&barrier);
}

static void *work_without_a_set(void *user)
{
    mag_rig *rig = user;
    dp_buf *bufs[10];
    for (unsigned i = 0; i < 10; i++) {
        os_malloc_fail_nth(1); /* the set; a get that needs no slab takes no other memory */
        bufs[i] = get(rig, CLASS);
        os_malloc_fail_nth(0);
    }
    for (unsigned i = 0; i < 10; i++) {
        os_malloc_fail_nth(1);
        magazine_put(&rig->layer, bufs[i]);
        os_malloc_fail_nth(0);
    }
    return NULL;
}

static void a_thread_with_no_memory_for_magazines_still_gets_and_puts(void **state)
{
    (void)state;
    mag_rig rig;
    rig_open(&rig, 0);
    (void)get_and_put_a_hundred(&rig);
    magazine_flush(&rig.layer);
    run_thread(work_without_a_set, &rig);
    const magazine *shared = magazine_of(rig.layer.shared, DP_TIER_HOST, CLASS);
    assert_int_equal(stats_load(&shared->gets), 10);
    assert_int_equal(stats_load(&shared->puts), 10);
    rig_check(&rig, 0);
    rig_close(&rig);
}

static void without_memory_for_rounds_blocks_come_from_the_slab_one_by_one(void **state)
{
    (void)state;
    mag_rig rig;
    rig_open(&rig, 0);
    magazine_put(&rig.layer, get(&rig, CLASS)); /* the set and the run are made */
    magazine_drain(&rig.layer, DP_TIER_HOST);
    dp_buf *kept = get(&rig, size_class_of(100000)); /* so that the region stays */
    os_malloc_fail_nth(2); /* the first is the run's descriptors, the second the rounds */
    dp_buf *buf = get(&rig, CLASS);
    os_malloc_fail_nth(0);
    if (buf == NULL) { /* the other way round */
        os_malloc_fail_nth(1);
        buf = get(&rig, CLASS);
        os_malloc_fail_nth(0);
    }
    assert_non_null(buf);
    rig_check(&rig, 2);
    os_malloc_fail_nth(1);
    magazine_put(&rig.layer, buf);
    os_malloc_fail_nth(0);
    rig_check(&rig, 1);
    assert_int_equal(stats_load(&mine(&rig)->gets), 2);
    assert_int_equal(stats_load(&mine(&rig)->puts), 2);
    magazine_put(&rig.layer, kept);
    rig_close(&rig);
}

static void a_put_never_fails_whatever_allocation_does(void **state)
{
    (void)state;
    enum { COUNT = 5 * MAGAZINE_BLOCKS_MAX };
    static dp_buf *bufs[COUNT];
    for (uint64_t nth = 1; nth <= 6; nth++) {
        mag_rig rig;
        rig_open(&rig, 0);
        for (unsigned i = 0; i < COUNT; i++)
            bufs[i] = get(&rig, CLASS);
        os_malloc_fail_nth(nth);
        for (unsigned i = 0; i < COUNT; i++) {
            magazine_put(&rig.layer, bufs[i]);
            rig_check(&rig, COUNT - 1 - i);
        }
        os_malloc_fail_nth(0);
        assert_int_equal(stats_load(&mine(&rig)->puts), COUNT);
        rig_close(&rig);
    }
}

static void a_full_tier_is_served_from_what_other_classes_leave_unused(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    dp_buf *bufs[COUNT];
    mag_rig rig;
    rig_open(&rig, (size_t)256 << 10); /* one region of four units */
    unsigned count = 0;
    while (count < COUNT && (bufs[count] = get(&rig, size_class_of(8192))) != NULL)
        count++;
    assert_int_equal(count, 32);
    for (unsigned i = 0; i < count; i++)
        magazine_put(&rig.layer, bufs[i]);
    assert_true(live_blocks(&rig) > 0); /* they rest in this thread and in the depot */
    dp_buf *other = get(&rig, size_class_of(30000));
    assert_non_null(other);
    magazine_put(&rig.layer, other);
    rig_close(&rig);
}

static void alternating_between_more_layers_than_slots_finds_the_right_set(void **state)
{
    (void)state;
    enum { LAYERS = 2 * MAGAZINE_SLOTS + 1 };
    static mag_rig rigs[LAYERS];
    for (unsigned i = 0; i < LAYERS; i++)
        rig_open(&rigs[i], 0);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < LAYERS; i++) {
            dp_buf *buf = get(&rigs[i], CLASS);
            assert_ptr_equal(magazine_set_mine(&rigs[i].layer)->layer, &rigs[i].layer);
            magazine_put(&rigs[i].layer, buf);
        }
    }
    for (unsigned i = 0; i < LAYERS; i++) {
        assert_int_equal(stats_load(&mine(&rigs[i])->gets), 10);
        rig_close(&rigs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_block_put_last_is_got_first),
        cmocka_unit_test(large_blocks_are_not_kept_by_threads),
        cmocka_unit_test(what_a_thread_hoards_is_bounded),
        cmocka_unit_test(a_flush_leaves_nothing_in_the_thread_for_others_to_miss),
        cmocka_unit_test(blocks_flow_back_from_the_thread_that_puts_to_the_one_that_gets),
        cmocka_unit_test(a_dead_threads_blocks_serve_the_living),
        cmocka_unit_test(a_thread_may_end_after_a_layer_that_it_used),
        cmocka_unit_test(a_thread_with_no_memory_for_magazines_still_gets_and_puts),
        cmocka_unit_test(without_memory_for_rounds_blocks_come_from_the_slab_one_by_one),
        cmocka_unit_test(a_put_never_fails_whatever_allocation_does),
        cmocka_unit_test(a_full_tier_is_served_from_what_other_classes_leave_unused),
        cmocka_unit_test(alternating_between_more_layers_than_slots_finds_the_right_set),
    };
    return cmocka_run_group_tests_name("magazine", tests, NULL, NULL);
}
