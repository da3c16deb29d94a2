/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rooms under trouble: every single allocation fails once, and several loops at once.  Whatever
 * fails, numbers join, nothing leaks, and what was admitted arrives when it is tried again.
 */
#include "room_rig.h"

#include <pthread.h>
#include <stdio.h>

#include "pool/os.h"
#include "server/ops/metrics.h"

#define STORY_MESSAGES 40u

static void ignore(void *loop, room_view *view)
{
    (void)loop;
    (void)view;
}

/* Everything a room does; false when any step said that memory lacked. */
static bool story(dp_pool *pool, uint64_t *admitted_count)
{
    room_config config = rig_config();
    room_table *table = NULL;
    dp_room *room = NULL;
    room_view *views[2] = {NULL, NULL};
    bool good = true;
    config.pool = pool;
    config.notify = ignore;
    config.history_max = 20;
    config.settings =
        (room_settings){.display_per_s = 1000, .merge = ROOM_MERGE_ALWAYS, .merge_ms = 1};
    *admitted_count = 0;
    if (room_table_create(&config, &table) != DP_OK) {
        return false;
    }
    if (room_acquire(table, "lobby", true, &room) != DP_OK) {
        room_table_destroy(table);
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        good = room_view_create(room, NULL, i, FORMAT_JSON, &views[i]) == DP_OK && good;
    }
    for (unsigned i = 0; i < STORY_MESSAGES; i++) {
        char text[16];
        room_admitted admitted;
        (void)snprintf(text, sizeof text, "m%u", i);
        const message in = rig_text(text);
        bool taken = room_admit(room, &in, START_NS + i * WINDOW_NS / 30, &admitted) == DP_OK;
        good = good && taken;
        *admitted_count += taken ? 1 : 0;
        assert_true(!taken || admitted.seq == *admitted_count);
    }
    dp_buf *frame = NULL;
    room_resumed resumed = {.frame = NULL};
    const room_seen seen = {.epoch = room_epoch(room), .seq = 0};
    if (views[0] != NULL) {
        good = room_view_history(views[0], 10, &frame) == DP_OK && good;
        good = room_view_resume(views[0], &seen, 100, &resumed) == DP_OK && good;
        dp_put(frame);
        dp_put(resumed.frame);
    }
    /* A flush that failed is tried again, and then everything is out. */
    uint64_t again_ns = room_flush(room, START_NS + 10 * WINDOW_NS);
    good = good && again_ns == 0;
    room_flush_now(room, START_NS + 20 * WINDOW_NS);
    for (unsigned i = 0; i < 2; i++) {
        if (views[i] != NULL) {
            room_view_pull(views[i]); /* a copy may have lacked memory: once more */
            room_view_pull(views[i]);
            assert_int_equal(views[i]->next_seq, *admitted_count + 1);
            rig_part(views[i]);
        }
    }
    room_release(room);
    room_table_destroy(table);
    return good;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t nth = 0;
    bool fired;
    do {
        dp_pool *pool;
        dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
        uint64_t admitted;
        assert_int_equal(dp_pool_create(&pool_config, &pool), DP_OK);
        (void)os_malloc_fail_nth(++nth);
        bool good = story(pool, &admitted);
        fired = os_malloc_fail_nth(0) == 0;
        assert_true(good || fired);
        dp_stats stats;
        dp_stats_read(pool, &stats);
        for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
            assert_int_equal(stats.tiers[id].used_bytes, 0);
        }
        dp_pool_destroy(pool);
    } while (fired);
    /* table, room, views, rings, window twice, scratch twice, history, merge table, past ... */
    assert_true(nth > 12);
}

typedef struct sender {
    room_rig *rig;
    unsigned index;
    uint64_t admitted, told; /* numbers that its view covered */
} sender;

#define THREADS         3u
#define THREAD_MESSAGES 4000u

/* A loop: sends, flushes, and reads its view, all at once with the others. */
static void *run_loop(void *user)
{
    sender *self = user;
    room_view *view = NULL;
    uint64_t first = 0;
    if (room_view_create(self->rig->room, self, self->index, FORMAT_JSON, &view) != DP_OK) {
        return NULL;
    }
    first = view->next_seq;
    for (unsigned i = 0; i < THREAD_MESSAGES; i++) {
        char text[32];
        room_admitted admitted;
        (void)snprintf(text, sizeof text, "t%u m%u", self->index, i % 50);
        const message in = rig_text(text);
        uint64_t now_ns = os_clock_ns();
        self->admitted += room_admit(self->rig->room, &in, now_ns, &admitted) == DP_OK ? 1 : 0;
        if (i % 16 == 0) {
            (void)room_flush(self->rig->room, now_ns);
            room_view_pull(view);
            room_written(self->rig->room, now_ns);
        }
        if (i % 512 == 0) {
            dp_buf *frame = NULL;
            if (room_view_history(view, 5, &frame) == DP_OK) {
                dp_put(frame);
            }
            (void)room_table_bytes(self->rig->table);
        }
    }
    room_flush_now(self->rig->room, os_clock_ns());
    room_view_pull(view);
    self->told = view->next_seq - first;
    room_view_leave(view);
    room_view_destroy(view);
    return NULL;
}

static int set_up_threads(void **state)
{
    room_config config = rig_config();
    config.ring_batches = 64;
    config.notify = ignore;
    config.settings =
        (room_settings){.display_per_s = 5000, .merge = ROOM_MERGE_WHEN_FULL, .merge_ms = 100};
    return rig_set_up(state, config);
}

static void several_loops_share_a_room(void **state)
{
    room_rig *rig = *state;
    sender senders[THREADS];
    pthread_t threads[THREADS];
    int64_t admitted = metrics_read(METRIC_ADMITTED);
    int64_t accounted =
        metrics_read(METRIC_SHOWN) + metrics_read(METRIC_MERGED) + metrics_read(METRIC_SAMPLED);
    for (unsigned i = 0; i < THREADS; i++) {
        senders[i] = (sender){.rig = rig, .index = i};
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop, &senders[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(senders[i].admitted, THREAD_MESSAGES);
        assert_true(senders[i].told >= THREAD_MESSAGES);
    }
    admitted = metrics_read(METRIC_ADMITTED) - admitted;
    accounted = metrics_read(METRIC_SHOWN) + metrics_read(METRIC_MERGED) +
                metrics_read(METRIC_SAMPLED) - accounted;
    assert_int_equal(admitted, THREADS * THREAD_MESSAGES);
    assert_int_equal(accounted, admitted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test_setup_teardown(several_loops_share_a_room, set_up_threads, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
