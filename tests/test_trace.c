/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recordings: what is in them, what falls out, and that a snapshot of a running one is whole.
 *
 * Threads report by a return value or an assertion of the pool's, since cmocka knows the main
 * thread only.
 */
#include "cm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/trace.h>

#include "pool/observe.h"
#include "pool/trace_file.h"
#include "pool_rig.h"

/* What the pool has recorded; cleared by the caller. */
static trace_file recorded(dp_pool *pool)
{
    trace_file file;
    assert_int_equal(trace_file_from(&pool_observer(pool)->trace, &file), DP_OK);
    return file;
}

static size_t count_of(const trace_file *file, dp_trace_event type)
{
    size_t count = 0;
    for (size_t i = 0; i < file->event_count; i++)
        count += file->events[i].type == (uint8_t)type;
    return count;
}

/* The n-th event of a type, from 0. */
static const trace_event *nth(const trace_file *file, dp_trace_event type, size_t n)
{
    for (size_t i = 0; i < file->event_count; i++) {
        if (file->events[i].type == (uint8_t)type && n-- == 0)
            return &file->events[i];
    }
    fail_msg("no such event");
    return NULL;
}

static dp_trace_stats stats_of(dp_pool *pool)
{
    dp_trace_stats stats;
    dp_trace_stats_read(pool, &stats);
    return stats;
}

/* ---- what is recorded ---- */

static void without_a_recording_nothing_is_recorded(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 100));
    assert_int_equal(dp_trace_start(rig.pool, 0), DP_OK);
    assert_true(stats_of(rig.pool).running);
    dp_trace_stop(rig.pool);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 100));
    trace_file file = recorded(rig.pool);
    assert_int_equal(file.event_count, 0);
    assert_false(stats_of(rig.pool).running);
    assert_int_equal(stats_of(rig.pool).recorded, 0);
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

static void a_get_and_its_put_are_recorded_with_what_they_were(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 100), DP_OK);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 1000);
    dp_put(dp_ref(buf)); /* not the last reference: no event */
    dp_buf_set_size(buf, 7);
    dp_put(buf);
    trace_file file = recorded(rig.pool);
    assert_int_equal(count_of(&file, DP_TRACE_GET), 1);
    assert_int_equal(count_of(&file, DP_TRACE_PUT), 1);
    assert_int_equal(count_of(&file, DP_TRACE_TIER_CALL), 1); /* the region it is cut from */
    const trace_event *get = nth(&file, DP_TRACE_GET, 0);
    assert_int_equal(get->tier, DP_TIER_PINNED);
    assert_int_equal(get->size_bytes, 1000);
    assert_int_equal(get->detail, TRACE_GET_FRESH | DP_KIND_TEXT << TRACE_GET_KIND_SHIFT);
    assert_true(get->duration_ns > 0);
    const trace_event *put = nth(&file, DP_TRACE_PUT, 0);
    assert_true(put->id == get->id);
    assert_int_equal(put->size_bytes, 7);
    assert_int_equal(put->size_class, get->size_class);
    assert_int_equal(put->thread, get->thread);
    const trace_event *call = nth(&file, DP_TRACE_TIER_CALL, 0);
    assert_int_equal(call->detail, TIER_REGION_GET);
    assert_int_equal(call->size_bytes, rig.counts[DP_TIER_PINNED].bytes_out);
    assert_true(call->time_ns <= get->time_ns && get->time_ns <= put->time_ns);
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

static __attribute__((noinline)) dp_buf *get_here(dp_pool *pool)
{
    dp_request request = {.size_bytes = 64};
    dp_buf *buf = NULL;
    assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
    return buf;
}

static __attribute__((noinline)) dp_buf *get_there(dp_pool *pool)
{
    dp_request request = {.size_bytes = 65};
    dp_buf *buf = NULL;
    assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
    return buf;
}

static void a_call_site_is_an_address_in_the_module_that_called(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 100), DP_OK);
    dp_put(get_here(rig.pool));
    dp_put(get_there(rig.pool));
    dp_put(get_here(rig.pool));
    trace_file file = recorded(rig.pool);
    uint64_t here = nth(&file, DP_TRACE_GET, 0)->site;
    uint64_t there = nth(&file, DP_TRACE_GET, 1)->site;
    assert_true(here == nth(&file, DP_TRACE_GET, 2)->site);
    assert_true(here - (uint64_t)(uintptr_t)get_here < 4096);
    assert_true(there - (uint64_t)(uintptr_t)get_there < 4096);
    const trace_module *module = trace_file_module(&file, here);
    assert_non_null(module);
    assert_ptr_equal(module, trace_file_module(&file, there));
    assert_non_null(strstr(module->path, "test_trace"));
    assert_null(trace_file_module(&file, 1));
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

static void a_get_says_whether_its_block_was_used_before(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    /* One block's life was fast so far; whatever it was then, it is used now. */
    dp_buf *first = rig_get(rig.pool, DP_KIND_OTHER, 64);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    dp_put(first);
    assert_int_equal(dp_trace_start(rig.pool, 100), DP_OK);
    dp_buf *bufs[4];
    for (unsigned i = 0; i < 4; i++)
        bufs[i] = rig_get(rig.pool, DP_KIND_OTHER, 64);
    for (unsigned i = 0; i < 4; i++)
        dp_put(bufs[i]);
    for (unsigned i = 0; i < 3; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    trace_file file = recorded(rig.pool);
    unsigned fresh = 0;
    for (unsigned i = 0; i < 7; i++)
        fresh += nth(&file, DP_TRACE_GET, i)->detail & TRACE_GET_FRESH;
    assert_int_equal(fresh, 2);
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    assert_int_equal(stats.tiers[DP_TIER_HOST].fresh,
                     4); /* the counters agree: 2 before, 2 in it */
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

static void a_put_whose_get_was_not_recorded_is_not_either(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *small = rig_get(rig.pool, DP_KIND_OTHER, 64);
    dp_buf *large = rig_get(rig.pool, DP_KIND_OTHER, 100000); /* its put is slow anyway */
    assert_int_equal(dp_trace_start(rig.pool, 100), DP_OK);
    dp_put(small);
    dp_put(large);
    trace_file file = recorded(rig.pool);
    assert_int_equal(count_of(&file, DP_TRACE_PUT), 0);
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

/* ---- starting, stopping, losing ---- */

static void a_second_start_is_refused_and_a_new_one_forgets(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 1u << 24), DP_ERR_INVALID);
    assert_int_equal(dp_trace_start(rig.pool, 10), DP_OK);
    assert_int_equal(dp_trace_start(rig.pool, 10), DP_ERR_EXISTS);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    dp_trace_stop(rig.pool);
    dp_trace_stop(rig.pool);
    trace_file file = recorded(rig.pool);
    assert_int_equal(count_of(&file, DP_TRACE_GET), 1); /* stopped is not forgotten */
    trace_file_clear(&file);
    assert_int_equal(dp_trace_start(rig.pool, 10), DP_OK);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 65));
    file = recorded(rig.pool);
    assert_int_equal(file.event_count, 2);
    assert_int_equal(file.events[0].size_bytes, 65);
    assert_int_equal(stats_of(rig.pool).recorded, 2);
    assert_int_equal(stats_of(rig.pool).threads, 1); /* the same ring again */
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

static void a_full_ring_keeps_the_newest_and_counts_the_rest(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(dp_trace_start(rig.pool, 7), DP_OK);
    for (unsigned i = 0; i < 50; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 1 + i));
    trace_file file = recorded(rig.pool);
    assert_int_equal(file.event_count, 7);
    assert_int_equal(file.dropped, 93);
    assert_int_equal(file.events[6].type, DP_TRACE_PUT);
    assert_int_equal(file.events[5].size_bytes, 50);
    assert_int_equal(file.events[0].type, DP_TRACE_PUT);
    assert_int_equal(stats_of(rig.pool).recorded, 100);
    assert_int_equal(stats_of(rig.pool).dropped, 93);
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

static void a_thread_without_a_ring_loses_events_but_no_buffer(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(dp_trace_start(rig.pool, 100), DP_OK);
    os_malloc_fail_nth(1);
    for (unsigned i = 0; i < 5; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(os_malloc_fail_nth(0), 0);
    dp_trace_stats stats = stats_of(rig.pool);
    assert_int_equal(stats.threads, 0);
    assert_int_equal(stats.recorded, 10);
    assert_int_equal(stats.dropped, 10);
    dp_trace_stop(rig.pool);
    assert_int_equal(dp_trace_start(rig.pool, 100), DP_OK); /* tries again */
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(stats_of(rig.pool).dropped, 0);
    assert_int_equal(stats_of(rig.pool).recorded, 2);
    pool_rig_close(&rig);
}

#define CROWD (TRACE_RINGS_MAX + 6)

typedef struct crowd {
    dp_pool *pool;
    pthread_barrier_t barrier;
} crowd;

static void *one_of_many(void *user)
{
    crowd *all = user;
    dp_put(rig_get(all->pool, DP_KIND_OTHER, 64));
    (void)pthread_barrier_wait(&all->barrier); /* all are alive at once */
    return NULL;
}

static void rings_are_bounded_and_the_dead_leave_theirs(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 15), DP_OK);
    crowd all = {.pool = rig.pool};
    pthread_t threads[CROWD];
    assert_int_equal(pthread_barrier_init(&all.barrier, NULL, CROWD), 0);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &all), 0);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    dp_trace_stats stats = stats_of(rig.pool);
    assert_int_equal(stats.threads, TRACE_RINGS_MAX);
    assert_true(stats.dropped >= 2 * (CROWD - TRACE_RINGS_MAX));
    trace_file file = recorded(rig.pool);
    assert_int_equal(file.event_count + file.dropped, stats.recorded);
    trace_file_clear(&file);
    (void)pthread_barrier_destroy(&all.barrier);
    pool_rig_close(&rig);
}

static void *get_and_put(void *user)
{
    dp_put(rig_get(user, DP_KIND_OTHER, 64));
    return NULL;
}

static void threads_that_come_and_go_do_not_use_up_the_rings(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 1000), DP_OK);
    for (unsigned i = 0; i < 2 * TRACE_RINGS_MAX; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, get_and_put, rig.pool), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    trace_file file = recorded(rig.pool);
    assert_int_equal(file.dropped, 0);
    assert_int_equal(count_of(&file, DP_TRACE_GET), 2 * TRACE_RINGS_MAX);
    uint32_t first = nth(&file, DP_TRACE_GET, 0)->thread;
    assert_true(nth(&file, DP_TRACE_GET, 1)->thread != first); /* though the ring is the same */
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

/* ---- threads ---- */

#define PAIRS 3000

typedef struct pipe_of_bufs {
    dp_pool *pool;
    dp_buf *_Atomic slot; /* NULL: empty */
} pipe_of_bufs;

static void *get_and_hand_over(void *user)
{
    pipe_of_bufs *at = user;
    for (unsigned i = 0; i < PAIRS; i++) {
        dp_buf *buf = rig_get(at->pool, DP_KIND_OTHER, 1 + i % 500);
        while (atomic_load_explicit(&at->slot, memory_order_acquire) != NULL)
            continue;
        atomic_store_explicit(&at->slot, buf, memory_order_release);
    }
    return NULL;
}

static void *take_and_put(void *user)
{
    pipe_of_bufs *at = user;
    for (unsigned i = 0; i < PAIRS;) {
        dp_buf *buf = atomic_exchange_explicit(&at->slot, NULL, memory_order_acq_rel);
        if (buf == NULL)
            continue;
        dp_put(buf);
        i++;
    }
    return NULL;
}

/* In the order of time every buffer is got before it is put, and not got again while it is held. */
static void assert_lives_make_sense(const trace_file *file)
{
    uint64_t held[PAIRS + 1];
    size_t count = 0;
    for (size_t i = 0; i < file->event_count; i++) {
        const trace_event *event = &file->events[i];
        assert_true(i == 0 || event->time_ns >= file->events[i - 1].time_ns);
        if (event->type != DP_TRACE_GET && event->type != DP_TRACE_PUT)
            continue;
        size_t at = 0;
        while (at < count && held[at] != event->id)
            at++;
        assert_int_equal(at == count, event->type == DP_TRACE_GET);
        if (event->type == DP_TRACE_GET)
            held[count++] = event->id;
        else
            held[at] = held[--count];
    }
    assert_int_equal(count, 0);
}

static void a_buffer_that_crosses_threads_is_got_before_it_is_put(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 8 * PAIRS), DP_OK);
    pipe_of_bufs at = {.pool = rig.pool};
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, get_and_hand_over, &at), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, take_and_put, &at), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    trace_file file = recorded(rig.pool);
    assert_int_equal(file.dropped, 0);
    assert_int_equal(count_of(&file, DP_TRACE_GET), PAIRS);
    assert_int_equal(count_of(&file, DP_TRACE_PUT), PAIRS);
    assert_true(nth(&file, DP_TRACE_GET, 0)->thread != nth(&file, DP_TRACE_PUT, 0)->thread);
    assert_lives_make_sense(&file);
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

static uint64_t timed_gets(dp_pool *pool)
{
    dp_latency latency;
    assert_int_equal(dp_latency_read(pool, DP_LATENCY_GET, DP_TIER_HOST, &latency), DP_OK);
    return latency.count;
}

static void gets_are_quick_again_when_a_recording_is_over(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(timed_gets(rig.pool), 1);
    assert_int_equal(dp_trace_start(rig.pool, 10), DP_OK);
    for (unsigned i = 0; i < 20; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(timed_gets(rig.pool), 21); /* all went the long way */
    dp_trace_stop(rig.pool);
    for (unsigned i = 0; i < 20; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(timed_gets(rig.pool), 21);
    pool_rig_close(&rig);
}

typedef struct switching {
    dp_pool *pool;
    _Atomic bool stop;
} switching;

static void *get_and_put_until_told(void *user)
{
    switching *at = user;
    dp_buf *held[8] = {NULL};
    for (unsigned i = 0; !atomic_load_explicit(&at->stop, memory_order_relaxed); i++) {
        dp_put(held[i % 8]);
        held[i % 8] = rig_get(at->pool, DP_KIND_OTHER, 1 + i % 300);
    }
    for (unsigned i = 0; i < 8; i++)
        dp_put(held[i]);
    return NULL;
}

static void *start_and_stop(void *user)
{
    switching *at = user;
    for (unsigned i = 0; i < 100; i++) {
        (void)dp_trace_start(at->pool, 100);
        dp_trace_stop(at->pool);
    }
    return NULL;
}

/* Whoever starts and stops, and whoever gets meanwhile: in the end nothing is lost or left slow. */
static void recordings_may_be_switched_while_others_get(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    switching at = {.pool = rig.pool};
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < 2 ? start_and_stop : get_and_put_until_told, &at),
            0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (i == 1)
            atomic_store_explicit(&at.stop, true, memory_order_relaxed);
    }
    assert_false(stats_of(rig.pool).running);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    uint64_t before = timed_gets(rig.pool);
    for (unsigned i = 0; i < 20; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    assert_int_equal(timed_gets(rig.pool), before);
    pool_rig_close(&rig);
}

typedef struct writers {
    trace trace;
    _Atomic bool stop;
} writers;

/* Events whose fields all follow from one number, so that a torn one is found. */
static void *write_numbers(void *user)
{
    writers *at = user;
    for (uint64_t i = 1; !atomic_load_explicit(&at->stop, memory_order_relaxed); i++) {
        const trace_event event = {.id = i,
                                   .site = i * 3,
                                   .size_bytes = (uint32_t)i ^ 0x5555u,
                                   .duration_ns = (uint32_t)i,
                                   .type = DP_TRACE_PUT,
                                   .detail = (uint8_t)i};
        trace_record(&at->trace, &event);
    }
    return NULL;
}

static bool is_whole(const trace_event *event)
{
    return event->site == event->id * 3 && event->size_bytes == ((uint32_t)event->id ^ 0x5555u) &&
           event->duration_ns == (uint32_t)event->id && event->type == DP_TRACE_PUT &&
           event->detail == (uint8_t)event->id;
}

static void a_snapshot_of_a_running_recording_is_whole(void **state)
{
    (void)state;
    static writers at;
    trace_init(&at.trace);
    assert_int_equal(trace_start(&at.trace, 60), DP_OK);
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_numbers, &at), 0);
    size_t seen = 0;
    for (unsigned round = 0; round < 2000 || seen < 1000; round++) {
        trace_event *events = NULL;
        size_t count = 0;
        uint64_t dropped = 0;
        assert_int_equal(trace_snapshot(&at.trace, &events, &count, &dropped), DP_OK);
        for (size_t i = 0; i < count; i++)
            assert_true(is_whole(&events[i]));
        seen += count;
        os_free(events);
    }
    atomic_store_explicit(&at.stop, true, memory_order_relaxed);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    trace_destroy(&at.trace);
}

/* ---- failing ---- */

static void a_dump_that_finds_no_memory_says_so_and_changes_nothing(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 100), DP_OK);
    dp_put(get_here(rig.pool));
    FILE *to = tmpfile();
    assert_non_null(to);
    dp_status status = DP_ERR_NOMEM;
    unsigned nth_call = 0;
    while (status == DP_ERR_NOMEM) {
        os_malloc_fail_nth(++nth_call);
        status = dp_trace_write(rig.pool, to);
        assert_true(status == DP_OK || ftell(to) == 0);
        (void)os_malloc_fail_nth(0);
    }
    assert_int_equal(status, DP_OK);
    assert_int_equal(nth_call, 4); /* two arrays, one path; the fourth was not asked for */
    assert_true(ftell(to) > 3 * 40);
    assert_int_equal(fclose(to), 0);
    pool_rig_close(&rig);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    FILE *to = fopen("/dev/full", "w");
    if (to == NULL)
        skip();
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 100), DP_OK);
    dp_put(get_here(rig.pool));
    assert_int_equal(dp_trace_write(rig.pool, to), DP_ERR_IO);
    assert_int_equal(dp_trace_write_chrome(rig.pool, to), DP_ERR_IO);
    (void)fclose(to);
    pool_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_recording_nothing_is_recorded),
        cmocka_unit_test(a_get_and_its_put_are_recorded_with_what_they_were),
        cmocka_unit_test(a_call_site_is_an_address_in_the_module_that_called),
        cmocka_unit_test(a_get_says_whether_its_block_was_used_before),
        cmocka_unit_test(a_put_whose_get_was_not_recorded_is_not_either),
        cmocka_unit_test(a_second_start_is_refused_and_a_new_one_forgets),
        cmocka_unit_test(a_full_ring_keeps_the_newest_and_counts_the_rest),
        cmocka_unit_test(a_thread_without_a_ring_loses_events_but_no_buffer),
        cmocka_unit_test(rings_are_bounded_and_the_dead_leave_theirs),
        cmocka_unit_test(threads_that_come_and_go_do_not_use_up_the_rings),
        cmocka_unit_test(a_buffer_that_crosses_threads_is_got_before_it_is_put),
        cmocka_unit_test(gets_are_quick_again_when_a_recording_is_over),
        cmocka_unit_test(recordings_may_be_switched_while_others_get),
        cmocka_unit_test(a_snapshot_of_a_running_recording_is_whole),
        cmocka_unit_test(a_dump_that_finds_no_memory_says_so_and_changes_nothing),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
