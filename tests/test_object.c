/* SPDX-License-Identifier: Apache-2.0 */
/* Typed objects: constructed once, reset at the put, handed over by any thread, never lost. */
#include "cm.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/object.h>

#include "dies.h"
#include "watch.h"

/* An object with something of its own outside, and a mark that only the constructor makes. */
typedef struct thing {
    uint64_t mark;
    char *nested;
    unsigned value;
} thing;

#define MARK UINT64_C(0x7468696e67)

typedef struct kind {
    _Atomic unsigned constructed;
    _Atomic unsigned reset;
    _Atomic unsigned destroyed;
    unsigned fail_at; /* the construction with this number fails */
} kind;

static dp_status thing_construct(void *object, void *user)
{
    thing *self = object;
    kind *of = user;
    assert_int_equal(self->mark, 0); /* the memory is zeroed, whoever had it before */
    assert_int_equal(self->value, 0);
    if (atomic_fetch_add(&of->constructed, 1) + 1 == of->fail_at) {
        atomic_fetch_sub(&of->constructed, 1);
        return DP_ERR_DEVICE;
    }
    self->mark = MARK;
    self->nested = calloc(1, 16);
    assert_non_null(self->nested);
    return DP_OK;
}

static void thing_reset(void *object, void *user)
{
    thing *self = object;
    kind *of = user;
    self->value = 0;
    self->nested[0] = '\0';
    atomic_fetch_add(&of->reset, 1);
}

static void thing_destroy(void *object, void *user)
{
    thing *self = object;
    kind *of = user;
    assert_int_equal(self->mark, MARK);
    free(self->nested);
    atomic_fetch_add(&of->destroyed, 1);
}

static dp_object_type type_of(kind *of)
{
    return (dp_object_type){.name = "thing",
                            .size_bytes = sizeof(thing),
                            .user = of,
                            .construct = thing_construct,
                            .reset = thing_reset,
                            .destroy = thing_destroy};
}

static dp_objects *objects_open(dp_pool *pool, kind *of)
{
    const dp_object_type type = type_of(of);
    dp_objects *objects = NULL;
    assert_int_equal(dp_objects_create(pool, &type, &objects), DP_OK);
    return objects;
}

static thing *thing_get(dp_objects *objects)
{
    void *object = NULL;
    assert_int_equal(dp_object_get(objects, &object), DP_OK);
    thing *self = object;
    assert_int_equal(self->mark, MARK);
    assert_int_equal(self->value, 0);
    assert_int_equal(self->nested[0], 0);
    return self;
}

static void an_object_is_constructed_once_and_reset_each_time(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    kind of = {0};
    dp_objects *objects = objects_open(rig.pool, &of);
    thing *first = thing_get(objects);
    const char *nested = first->nested;
    for (unsigned i = 0; i < 100; i++) {
        first->value = 5;
        strcpy(first->nested, "words");
        dp_object_put(first);
        assert_int_equal(atomic_load(&of.reset), i + 1);
        assert_ptr_equal(thing_get(objects), first);
        assert_ptr_equal(first->nested, nested);
    }
    assert_int_equal(atomic_load(&of.constructed), 1);
    dp_object_stats stats;
    dp_objects_stats_read(objects, &stats);
    assert_int_equal(stats.gets, 101);
    assert_int_equal(stats.puts, 100);
    assert_int_equal(stats.fresh, 1);
    assert_int_equal(stats.constructed, 1);
    dp_object_put(first);
    dp_object_put(NULL);
    dp_objects_destroy(objects);
    assert_int_equal(atomic_load(&of.destroyed), 1);
    dp_objects_destroy(NULL);
    pool_rig_close(&rig);
}

static void bytes_reset(void *object, void *user)
{
    (void)user;
    *(char *)object = 0;
}

static void objects_are_aligned_as_their_type_says_and_all_theirs(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    static const size_t alignments[] = {0, 1, 8, 16, 32, 64, 256, 4096};
    static const size_t sizes[] = {1, 15, 64, 1000, 40000};
    for (unsigned i = 0; i < sizeof alignments / sizeof alignments[0]; i++) {
        for (unsigned k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            const dp_object_type type = {.name = "bytes",
                                         .size_bytes = sizes[k],
                                         .alignment_bytes = alignments[i],
                                         .kind = DP_KIND_TEXT,
                                         .reset = bytes_reset};
            dp_objects *objects = NULL;
            assert_int_equal(dp_objects_create(rig.pool, &type, &objects), DP_OK);
            void *held[5];
            for (unsigned n = 0; n < 5; n++) {
                assert_int_equal(dp_object_get(objects, &held[n]), DP_OK);
                size_t alignment = alignments[i] < 16 ? 16 : alignments[i];
                assert_int_equal((uintptr_t)held[n] % alignment, 0);
                memset(held[n], 0xee, sizes[k]);
                dp_buf *buf = dp_object_buf(held[n]);
                assert_true((char *)held[n] + sizes[k] <=
                            (char *)dp_buf_data(buf) + dp_buf_capacity(buf));
            }
            for (unsigned n = 0; n < 5; n++)
                dp_object_put(held[n]);
            dp_objects_destroy(objects);
        }
    }
    pool_rig_close(&rig);
}

static void types_out_of_range_are_refused(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    const dp_object_type types[] = {
        {.size_bytes = 8},
        {.size_bytes = 0, .reset = bytes_reset},
        {.size_bytes = 8, .alignment_bytes = 24, .reset = bytes_reset},
        {.size_bytes = 8, .alignment_bytes = 8192, .reset = bytes_reset},
        {.size_bytes = 8, .kind = DP_KIND_COUNT, .reset = bytes_reset},
        {.size_bytes = DP_SIZE_BYTES_MAX, .reset = bytes_reset},
    };
    dp_objects *untouched = (dp_objects *)&rig;
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        dp_objects *objects = untouched;
        assert_int_equal(dp_objects_create(rig.pool, &types[i], &objects), DP_ERR_INVALID);
        assert_ptr_equal(objects, untouched);
    }
    pool_rig_close(&rig);
}

static void what_rests_is_bounded_and_goes_when_it_is_trimmed(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    kind of = {0};
    dp_objects *objects = objects_open(rig.pool, &of);
    static thing *held[3000];
    for (unsigned i = 0; i < 3000; i++)
        held[i] = thing_get(objects);
    for (unsigned i = 0; i < 3000; i++)
        dp_object_put(held[i]);
    unsigned resting = atomic_load(&of.constructed) - atomic_load(&of.destroyed);
    assert_true(resting > 1024 && resting <= 1024 + 64);
    dp_objects_trim(objects);
    assert_int_equal(atomic_load(&of.destroyed), 3000);
    size_t ready = 0;
    assert_int_equal(dp_objects_prewarm(objects, 100, &ready), DP_OK);
    assert_int_equal(ready, 100);
    assert_int_equal(dp_objects_prewarm(objects, 100, &ready), DP_OK);
    assert_int_equal(atomic_load(&of.constructed), 3100); /* they were there already */
    assert_int_equal(dp_objects_prewarm(objects, 1000000, &ready), DP_OK);
    assert_int_equal(ready, 1024 + 64);
    dp_object_stats before;
    dp_objects_stats_read(objects, &before);
    for (unsigned i = 0; i < 1000; i++)
        held[i] = thing_get(objects);
    for (unsigned i = 0; i < 1000; i++)
        dp_object_put(held[i]);
    dp_object_stats after;
    dp_objects_stats_read(objects, &after);
    assert_int_equal(after.gets - before.gets, 1000);
    assert_int_equal(after.fresh, before.fresh); /* warm */
    dp_objects_destroy(objects);
    assert_int_equal(atomic_load(&of.destroyed), atomic_load(&of.constructed));
    pool_rig_close(&rig);
}

static void a_constructor_or_a_pool_that_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    pool_rig rig = {0};
    const size_t bytes_max[DP_TIER_COUNT] = {[DP_TIER_HOST] = (size_t)256 << 10,
                                             [DP_TIER_PINNED] = SIZE_MAX,
                                             [DP_TIER_HBM] = SIZE_MAX,
                                             [DP_TIER_PMEM] = SIZE_MAX};
    pool_rig_open(&rig, bytes_max);
    kind of = {.fail_at = 3};
    dp_objects *objects = objects_open(rig.pool, &of);
    thing *held[2] = {thing_get(objects), thing_get(objects)};
    void *untouched = &rig;
    assert_int_equal(dp_object_get(objects, &untouched), DP_ERR_DEVICE);
    assert_ptr_equal(untouched, &rig);
    of.fail_at = 0;
    dp_object_put(held[0]);
    dp_object_put(held[1]);
    static void *all[20000];
    unsigned count = 0;
    dp_status status = DP_OK;
    while (count < 20000 && (status = dp_object_get(objects, &all[count])) == DP_OK)
        count++;
    assert_int_equal(status, DP_ERR_NOMEM);
    dp_object_stats stats;
    dp_objects_stats_read(objects, &stats);
    assert_int_equal(stats.failed, 2);
    assert_int_equal(stats.gets, 2 + count);
    for (unsigned i = 0; i < count; i++)
        dp_object_put(all[i]);
    dp_objects_destroy(objects);
    assert_int_equal(atomic_load(&of.destroyed), atomic_load(&of.constructed));
    pool_rig_close(&rig);
}

static void *sweep_thread(void *user)
{
    dp_objects *objects = user;
    void *held[100];
    unsigned count = 0;
    while (count < 100 && dp_object_get(objects, &held[count]) == DP_OK)
        count++;
    for (unsigned i = 0; i < count; i++)
        dp_object_put(held[i]);
    return NULL;
}

static void without_memory_for_bookkeeping_objects_are_slower_or_refused(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        pool_rig rig = {0};
        pool_rig_open_all(&rig);
        kind of = {0};
        const dp_object_type type = type_of(&of);
        dp_objects *objects = NULL;
        (void)os_malloc_fail_nth(nth);
        dp_status status = dp_objects_create(rig.pool, &type, &objects);
        if (status == DP_OK) {
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, sweep_thread, objects), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
        }
        bool fired = os_malloc_fail_nth(0) == 0;
        assert_true(status == DP_OK || (status == DP_ERR_NOMEM && fired));
        dp_objects_destroy(objects);
        assert_int_equal(atomic_load(&of.destroyed), atomic_load(&of.constructed));
        pool_rig_close(&rig);
        if (!fired) {
            assert_true(nth > 5);
            break;
        }
    }
}

/* ---- between threads ---- */

#define THREADS 3u

typedef struct exchange {
    dp_objects *objects;
    _Atomic(thing *) handed[16];
    _Atomic unsigned next;
} exchange;

static void *exchange_run(void *user)
{
    exchange *self = user;
    uint32_t random = atomic_fetch_add(&self->next, 1) + 1;
    for (unsigned i = 0; i < 20000; i++) {
        random = random * 1664525u + 1013904223u;
        thing *mine = thing_get(self->objects);
        mine->value = i + 1;
        mine->nested[0] = 'x';
        dp_object_put(atomic_exchange(&self->handed[random >> 28], mine));
    }
    return NULL;
}

static void objects_go_from_thread_to_thread_and_outlive_those(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    kind of = {0};
    static exchange self;
    memset(&self, 0, sizeof self);
    self.objects = objects_open(rig.pool, &of);
    pthread_t threads[THREADS];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, exchange_run, &self), 0);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (unsigned i = 0; i < 16; i++)
        dp_object_put(atomic_exchange(&self.handed[i], NULL));
    dp_object_stats stats;
    dp_objects_stats_read(self.objects, &stats);
    assert_int_equal(stats.gets, 2 * THREADS * 20000);
    assert_int_equal(stats.puts, stats.gets);
    assert_true(stats.constructed < 2000); /* what dead threads had is used again */
    assert_int_equal(stats.constructed, atomic_load(&of.constructed));
    dp_objects_destroy(self.objects);
    assert_int_equal(atomic_load(&of.destroyed), atomic_load(&of.constructed));
    pool_rig_close(&rig);
}

static void more_types_than_threads_keep_caches_of_work_as_well(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    kind of = {0};
    dp_objects *all[40];
    for (unsigned round = 0; round < 2; round++) { /* the second takes the first's slots */
        for (unsigned i = 0; i < 40; i++) {
            all[i] = objects_open(rig.pool, &of);
            thing *one = thing_get(all[i]);
            thing *two = thing_get(all[i]);
            dp_object_put(one);
            dp_object_put(two);
            dp_object_put(thing_get(all[i]));
        }
        for (unsigned i = 0; i < 40; i++)
            dp_objects_destroy(all[i]);
        assert_int_equal(atomic_load(&of.constructed), 80 * (round + 1));
        assert_int_equal(atomic_load(&of.destroyed), 80 * (round + 1));
    }
    pool_rig_close(&rig);
}

/* ---- as buffers ---- */

static __attribute__((noinline)) thing *forget_one(dp_objects *objects)
{
    void *object = NULL;
    assert_int_equal(dp_object_get(objects, &object), DP_OK);
    __asm__ volatile("" ::"r"(object));
    return object;
}

static void an_object_that_is_out_too_long_is_an_escape_and_one_at_rest_is_not(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    kind of = {0};
    dp_objects *objects = objects_open(rig.pool, &of);
    thing *resting = thing_get(objects);
    thing *forgotten = forget_one(objects);
    assert_int_equal(dp_buf_advance(dp_object_buf(resting), DP_BUF_QUEUED), DP_OK);
    assert_int_equal(dp_buf_lease(dp_object_buf(resting), 1000, NULL, NULL), DP_OK);
    dp_object_put(resting);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 6 * SECOND), 1);
    uintptr_t site = (uintptr_t)self.seen[0].site;
    assert_true(site > (uintptr_t)forget_one && site - (uintptr_t)forget_one < 4096);
    /* Its next life is as new, in age, state and lease. */
    dp_object_put(forgotten);
    assert_ptr_equal(thing_get(objects), forgotten);
    assert_ptr_equal(thing_get(objects), resting);
    assert_int_equal(dp_buf_state_of(dp_object_buf(resting)), DP_BUF_PENDING);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 4 * SECOND), 0);
    assert_int_equal(watch_after(&self, 2 * SECOND), 2);
    dp_object_put(resting);
    dp_object_put(forgotten);
    dp_objects_destroy(objects);
    pool_rig_close(&rig);
}

static void put_again(void *object)
{
    dp_object_put(object);
}

static void destroy_early(void *objects)
{
    dp_objects_destroy(objects);
}

static void what_an_owner_may_not_do_stops_the_program(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    kind of = {0};
    dp_objects *objects = objects_open(rig.pool, &of);
    thing *one = thing_get(objects);
    assert_true(dies_of(destroy_early, objects, "constructed"));
    dp_object_put(one);
    assert_true(dies_of(put_again, one, "owner & 1u"));
    dp_objects_destroy(objects);
    pool_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_constructed_once_and_reset_each_time),
        cmocka_unit_test(objects_are_aligned_as_their_type_says_and_all_theirs),
        cmocka_unit_test(types_out_of_range_are_refused),
        cmocka_unit_test(what_rests_is_bounded_and_goes_when_it_is_trimmed),
        cmocka_unit_test(a_constructor_or_a_pool_that_fails_leaves_nothing_behind),
        cmocka_unit_test(without_memory_for_bookkeeping_objects_are_slower_or_refused),
        cmocka_unit_test(objects_go_from_thread_to_thread_and_outlive_those),
        cmocka_unit_test(more_types_than_threads_keep_caches_of_work_as_well),
        cmocka_unit_test(an_object_that_is_out_too_long_is_an_escape_and_one_at_rest_is_not),
        cmocka_unit_test(what_an_owner_may_not_do_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
