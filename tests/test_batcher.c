/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batcher over a device that the test plays: sizes of batches, the delay, failure, and the way
 * back.  The device counts and holds; assertions belong to the main thread.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cm.h"
#include "pool/os.h"
#include "render/batcher.h"

#define BATCHES_MAX 256
#define NS_PER_MS   UINT64_C(1000000)

/* What the played device does with its n-th batch. */
typedef struct played {
    backend base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held; /* run() does not return while it is */
    unsigned runs;
    size_t counts[BATCHES_MAX];
    dp_status answers[BATCHES_MAX]; /* DP_OK unless set */
    dp_render_device told[BATCHES_MAX];
    unsigned told_count;
    char words[160];
} played;

typedef struct job {
    batch_group group;
    backend_item items[DP_RENDER_OUTPUTS_MAX];
    render_task task;
    played *device;
    bool done;
} job;

static dp_status play(backend *b, backend_item *const items[], size_t count,
                      char detail[BACKEND_DETAIL_BYTES])
{
    played *p = (played *)(void *)b;
    pthread_mutex_lock(&p->lock);
    const unsigned run = p->runs++;
    p->counts[run] = count;
    pthread_cond_broadcast(&p->changed);
    while (p->held) {
        pthread_cond_wait(&p->changed, &p->lock);
    }
    const dp_status status = p->answers[run];
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < count; i++) {
        items[i]->status = DP_OK;
        items[i]->tier = DP_TIER_HBM;
    }
    if (status != DP_OK) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "played: batch %u fails", run);
    }
    return status;
}

static void stop_playing(backend *b)
{
    (void)b;
}

static const backend_ops played_ops = {.name = "cuda", .run = play, .close = stop_playing};

static void listen(void *user, dp_render_device from, dp_render_device to, const char *words)
{
    played *p = user;
    (void)from;
    pthread_mutex_lock(&p->lock);
    p->told[p->told_count++] = to;
    snprintf(p->words, sizeof p->words, "%s", words);
    pthread_mutex_unlock(&p->lock);
}

static played device_of(void)
{
    return (played){.base = {.ops = &played_ops},
                    .lock = PTHREAD_MUTEX_INITIALIZER,
                    .changed = PTHREAD_COND_INITIALIZER};
}

static render_batcher *start(played *p, unsigned batch_max, unsigned delay_ms, unsigned retry_ms)
{
    const render_batcher_config config = {.device = &p->base,
                                          .batch_max = batch_max,
                                          .delay_ns_max = delay_ms * NS_PER_MS,
                                          .retry_ns = retry_ms * NS_PER_MS,
                                          .listener = listen,
                                          .listener_user = p};
    render_batcher *batcher;
    assert_int_equal(render_batcher_create(&config, &batcher), DP_OK);
    return batcher;
}

static void note_done(batch_group *group)
{
    job *j = group->user;
    pthread_mutex_lock(&j->device->lock);
    j->done = true;
    pthread_cond_broadcast(&j->device->changed);
    pthread_mutex_unlock(&j->device->lock);
}

static bool submit(render_batcher *batcher, played *p, job *j, unsigned items)
{
    *j = (job){.device = p};
    j->group = (batch_group){.items = j->items, .item_count = items, .done = note_done, .user = j};
    for (unsigned i = 0; i < items; i++) {
        j->items[i].task = &j->task;
    }
    return render_batcher_submit(batcher, &j->group);
}

static void wait_done(job *j)
{
    pthread_mutex_lock(&j->device->lock);
    while (!j->done) {
        pthread_cond_wait(&j->device->changed, &j->device->lock);
    }
    pthread_mutex_unlock(&j->device->lock);
}

static void wait_runs(played *p, unsigned runs)
{
    pthread_mutex_lock(&p->lock);
    while (p->runs < runs) {
        pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

static void hold(played *p, bool held)
{
    pthread_mutex_lock(&p->lock);
    p->held = held;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void a_full_batch_does_not_wait_for_the_delay(void **state)
{
    played p = device_of();
    job jobs[4];
    (void)state;
    render_batcher *batcher = start(&p, 8, 60000, 60000);
    for (int i = 0; i < 4; i++) {
        assert_true(submit(batcher, &p, &jobs[i], 2));
    }
    for (int i = 0; i < 4; i++) {
        wait_done(&jobs[i]); /* the delay is longer than the test may take */
        assert_int_equal(jobs[i].items[1].status, DP_OK);
    }
    assert_int_equal(p.runs, 1);
    assert_int_equal(p.counts[0], 8);
    render_batcher_destroy(batcher);
}

static void a_lonely_item_waits_for_the_delay_and_no_longer(void **state)
{
    played p = device_of();
    job alone;
    (void)state;
    render_batcher *batcher = start(&p, 100, 30, 60000);
    const uint64_t begun = os_clock_ns();
    assert_true(submit(batcher, &p, &alone, 1));
    wait_done(&alone);
    assert_true(os_clock_ns() - begun >= 30 * NS_PER_MS);
    assert_true(alone.group.wait_ns >= 30 * NS_PER_MS);
    assert_int_equal(p.counts[0], 1);
    render_batcher_destroy(batcher);
}

static void what_comes_while_a_batch_runs_is_the_next_one(void **state)
{
    played p = device_of();
    job jobs[7];
    (void)state;
    render_batcher *batcher = start(&p, 6, 1, 60000);
    hold(&p, true);
    assert_true(submit(batcher, &p, &jobs[0], 1));
    wait_runs(&p, 1);
    for (int i = 1; i < 7; i++) {
        assert_true(submit(batcher, &p, &jobs[i], i < 4 ? 2 : 1));
    }
    hold(&p, false);
    for (int i = 0; i < 7; i++) {
        wait_done(&jobs[i]);
    }
    /* 1; then 2 + 2 + 2; then 1 + 1 + 1. */
    assert_int_equal(p.runs, 3);
    assert_int_equal(p.counts[1], 6);
    assert_int_equal(p.counts[2], 3);
    render_batcher_destroy(batcher);
}

static void a_group_is_never_split_even_if_it_is_larger_than_a_batch(void **state)
{
    played p = device_of();
    job jobs[3];
    (void)state;
    render_batcher *batcher = start(&p, 5, 1, 60000);
    hold(&p, true);
    assert_true(submit(batcher, &p, &jobs[0], 8));
    wait_runs(&p, 1);
    assert_true(submit(batcher, &p, &jobs[1], 3));
    assert_true(submit(batcher, &p, &jobs[2], 3));
    hold(&p, false);
    for (int i = 0; i < 3; i++) {
        wait_done(&jobs[i]);
    }
    assert_int_equal(p.counts[0], 8);
    assert_int_equal(p.counts[1], 3);
    assert_int_equal(p.counts[2], 3);
    render_batcher_destroy(batcher);
}

static void an_item_whose_time_is_over_takes_no_place_in_a_batch(void **state)
{
    played p = device_of();
    job late, good;
    (void)state;
    render_batcher *batcher = start(&p, 2, 5, 60000);
    hold(&p, true);
    job first;
    assert_true(submit(batcher, &p, &first, 2));
    wait_runs(&p, 1);
    late = (job){.device = &p};
    assert_true(submit(batcher, &p, &late, 1));
    late.task.deadline_ns = 1;
    assert_true(submit(batcher, &p, &good, 1));
    hold(&p, false);
    wait_done(&late);
    wait_done(&good);
    assert_int_equal(late.items[0].status, DP_ERR_TIMEOUT);
    assert_int_equal(good.items[0].status, DP_OK);
    assert_int_equal(p.counts[1], 1);
    render_batcher_destroy(batcher);
}

/* The device is lost at the third batch, and comes back at the fifth. */
static void a_lost_device_is_left_alone_and_tried_again_later(void **state)
{
    static const dp_render_device expected[] = {DP_RENDER_DEVICE_FAILED, DP_RENDER_DEVICE_TRIED,
                                                DP_RENDER_DEVICE_FAILED, DP_RENDER_DEVICE_TRIED,
                                                DP_RENDER_DEVICE_OK};
    played p = device_of();
    render_batcher_stats stats;
    job j;
    (void)state;
    p.answers[2] = DP_ERR_DEVICE;
    p.answers[3] = DP_ERR_DEVICE;
    render_batcher *batcher = start(&p, 1, 1, 50);
    for (int i = 0; i < 3; i++) {
        assert_true(submit(batcher, &p, &j, 1));
        wait_done(&j);
        assert_int_equal(j.items[0].status, i < 2 ? DP_OK : DP_ERR_DEVICE);
    }
    assert_string_equal(p.words, "played: batch 2 fails");
    assert_false(submit(batcher, &p, &j, 1)); /* the CPU does it */
    pause_ms(60);
    assert_true(submit(batcher, &p, &j, 1)); /* tried, in vain */
    wait_done(&j);
    assert_int_equal(j.items[0].status, DP_ERR_DEVICE);
    assert_false(submit(batcher, &p, &j, 1));
    pause_ms(60);
    assert_true(submit(batcher, &p, &j, 1)); /* tried, and well */
    wait_done(&j);
    assert_true(submit(batcher, &p, &j, 1));
    wait_done(&j);
    assert_int_equal(j.items[0].status, DP_OK);
    render_batcher_stats_read(batcher, &stats);
    assert_int_equal(stats.batches, 4);
    assert_int_equal(stats.batches_failed, 2);
    assert_int_equal(stats.state, DP_RENDER_DEVICE_OK);
    render_batcher_destroy(batcher);
    assert_int_equal(p.told_count, 5);
    assert_memory_equal(p.told, expected, sizeof expected);
}

static void while_a_device_is_tried_the_others_do_not_wait_for_it(void **state)
{
    played p = device_of();
    job first, trying, other;
    (void)state;
    p.answers[0] = DP_ERR_DEVICE;
    render_batcher *batcher = start(&p, 1, 1, 1);
    assert_true(submit(batcher, &p, &first, 1));
    wait_done(&first);
    pause_ms(5);
    hold(&p, true);
    assert_true(submit(batcher, &p, &trying, 1));
    assert_false(submit(batcher, &p, &other, 1));
    hold(&p, false);
    wait_done(&trying);
    assert_int_equal(trying.items[0].status, DP_OK);
    render_batcher_destroy(batcher);
}

static void three_failures_in_a_row_are_one_of_the_device(void **state)
{
    played p = device_of();
    job j;
    (void)state;
    p.answers[0] = p.answers[1] = p.answers[3] = p.answers[4] = p.answers[5] = DP_ERR_NOMEM;
    render_batcher *batcher = start(&p, 1, 1, 60000);
    for (int i = 0; i < 6; i++) {
        assert_true(submit(batcher, &p, &j, 1));
        wait_done(&j);
        assert_true(i == 2 || backend_spare_can_help(j.items[0].status));
    }
    assert_false(submit(batcher, &p, &j, 1));
    render_batcher_destroy(batcher);
}

/* Groups that were let in before the failure are not run on the failed device. */
static void what_waited_while_the_device_failed_goes_to_the_spare(void **state)
{
    played p = device_of();
    job jobs[5];
    (void)state;
    p.answers[0] = DP_ERR_DEVICE;
    render_batcher *batcher = start(&p, 1, 1, 60000);
    hold(&p, true);
    for (int i = 0; i < 5; i++) {
        assert_true(submit(batcher, &p, &jobs[i], 1));
    }
    hold(&p, false);
    for (int i = 0; i < 5; i++) {
        wait_done(&jobs[i]);
        assert_int_equal(jobs[i].items[0].status, DP_ERR_DEVICE);
    }
    assert_int_equal(p.runs, 1);
    render_batcher_destroy(batcher);
}

static void destroy_runs_what_waits(void **state)
{
    played p = device_of();
    job jobs[3];
    (void)state;
    render_batcher *batcher = start(&p, 100, 60000, 60000);
    for (int i = 0; i < 3; i++) {
        assert_true(submit(batcher, &p, &jobs[i], 1));
    }
    render_batcher_destroy(batcher);
    for (int i = 0; i < 3; i++) {
        assert_true(jobs[i].done);
        assert_int_equal(jobs[i].items[0].status, DP_OK);
    }
    render_batcher_destroy(NULL);
}

static void no_failed_creation_leaks(void **state)
{
    played p = device_of();
    const render_batcher_config config = {.device = &p.base, .batch_max = 4};
    render_batcher *batcher = NULL;
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        os_malloc_fail_nth(nth);
        const dp_status status = render_batcher_create(&config, &batcher);
        if (os_malloc_fail_nth(0) != 0) {
            assert_int_equal(status, DP_OK);
            break;
        }
        assert_int_equal(status, DP_ERR_NOMEM);
        assert_null(batcher);
    }
    render_batcher_destroy(batcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_batch_does_not_wait_for_the_delay),
        cmocka_unit_test(a_lonely_item_waits_for_the_delay_and_no_longer),
        cmocka_unit_test(what_comes_while_a_batch_runs_is_the_next_one),
        cmocka_unit_test(a_group_is_never_split_even_if_it_is_larger_than_a_batch),
        cmocka_unit_test(an_item_whose_time_is_over_takes_no_place_in_a_batch),
        cmocka_unit_test(a_lost_device_is_left_alone_and_tried_again_later),
        cmocka_unit_test(while_a_device_is_tried_the_others_do_not_wait_for_it),
        cmocka_unit_test(three_failures_in_a_row_are_one_of_the_device),
        cmocka_unit_test(what_waited_while_the_device_failed_goes_to_the_spare),
        cmocka_unit_test(destroy_runs_what_waits),
        cmocka_unit_test(no_failed_creation_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
