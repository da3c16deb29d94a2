/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a buffer: its steps, and that escapes are found, all of them, at their place, and
 * nothing else.  The clock is the test's own.
 */
#include "cm.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include <danpool/cache.h>

#include "dies.h"
#include "watch.h"

/* ---- states ---- */

static void a_buffer_goes_through_its_states_and_no_other_way(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    static const struct {
        dp_buf_state steps[3]; /* after PENDING; ended by FREE */
        dp_buf_state wrong[5];
    } rows[] = {
        {{DP_BUF_FREE}, {DP_BUF_PENDING, DP_BUF_RENDERING, DP_BUF_FREE, DP_BUF_STATE_COUNT}},
        {{DP_BUF_QUEUED}, {DP_BUF_PENDING, DP_BUF_QUEUED, DP_BUF_FREE, DP_BUF_STATE_COUNT}},
        {{DP_BUF_QUEUED, DP_BUF_RENDERING},
         {DP_BUF_PENDING, DP_BUF_QUEUED, DP_BUF_RENDERING, DP_BUF_FREE, DP_BUF_STATE_COUNT}},
        {{DP_BUF_QUEUED, DP_BUF_RENDERING, DP_BUF_RECYCLED},
         {DP_BUF_PENDING, DP_BUF_QUEUED, DP_BUF_RENDERING, DP_BUF_RECYCLED, DP_BUF_FREE}},
        {{DP_BUF_QUEUED, DP_BUF_RECYCLED}, {DP_BUF_QUEUED, DP_BUF_RENDERING, DP_BUF_RECYCLED}},
        {{DP_BUF_RECYCLED}, {DP_BUF_QUEUED, DP_BUF_RENDERING, DP_BUF_RECYCLED}},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 100);
        /* Also when the block's last life ended in another state. */
        assert_int_equal(dp_buf_state_of(buf), DP_BUF_PENDING);
        dp_buf_state now = DP_BUF_PENDING;
        for (unsigned k = 0; k < 3 && rows[i].steps[k] != DP_BUF_FREE; k++) {
            now = rows[i].steps[k];
            assert_int_equal(dp_buf_advance(buf, now), DP_OK);
        }
        for (unsigned k = 0; k < 5; k++) {
            assert_int_equal(dp_buf_advance(buf, rows[i].wrong[k]), DP_ERR_INVALID);
            assert_int_equal(dp_buf_state_of(buf), now);
        }
        assert_int_equal(dp_buf_kind(buf), DP_KIND_TEXT);
        dp_put(buf);
        assert_int_equal(dp_buf_state_of(buf), DP_BUF_FREE);
    }
    assert_string_equal(dp_buf_state_name(DP_BUF_RENDERING), "rendering");
    assert_string_equal(dp_buf_state_name(DP_BUF_STATE_COUNT), "unknown");
    assert_string_equal(dp_escape_severity_name(DP_ESCAPE_MEDIUM), "medium");
    assert_string_equal(dp_escape_severity_name(DP_ESCAPE_SEVERITY_COUNT), "unknown");
    pool_rig_close(&rig);
}

typedef struct race {
    dp_buf *buf;
    pthread_barrier_t start;
    _Atomic unsigned won;
} race;

static void *race_run(void *user)
{
    race *self = user;
    (void)pthread_barrier_wait(&self->start);
    if (dp_buf_advance(self->buf, DP_BUF_QUEUED) == DP_OK)
        atomic_fetch_add(&self->won, 1);
    return NULL;
}

static void of_two_holders_that_advance_at_once_one_learns_that_he_was_late(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    for (unsigned round = 0; round < 50; round++) {
        race self = {.buf = rig_get(rig.pool, DP_KIND_TEXT, 100)};
        pthread_t threads[2];
        assert_int_equal(pthread_barrier_init(&self.start, NULL, 2), 0);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, race_run, &self), 0);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(atomic_load(&self.won), 1);
        (void)pthread_barrier_destroy(&self.start);
        dp_put(self.buf);
    }
    pool_rig_close(&rig);
}

static void advance_a_free_one(void *user)
{
    (void)dp_buf_advance(user, DP_BUF_QUEUED);
}

static void lease_a_shared_one(void *user)
{
    (void)dp_buf_lease(dp_ref(user), 1000, NULL, NULL);
}

static void what_a_holder_may_not_do_stops_the_program(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 100);
    assert_true(dies_of(lease_a_shared_one, buf, "buf_references(buf) == 1"));
    dp_put(buf);
    assert_true(dies_of(advance_a_free_one, buf, "buf_references(buf) != 0"));
    pool_rig_close(&rig);
}

/* ---- escapes ---- */

/* Fifty places to get a buffer at, each a function of its own that is not inlined. */
#define TEN(X, n) X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7) X(n##8) X(n##9)
#define FIFTY(X)  TEN(X, 1) TEN(X, 2) TEN(X, 3) TEN(X, 4) TEN(X, 5)
#define PLACE(n)                                                                                   \
    static __attribute__((noinline))                                                               \
    dp_status place_##n(dp_pool *pool, const dp_request *request, dp_buf **out)                    \
    {                                                                                              \
        dp_status status = dp_get(pool, request, out);                                             \
        __asm__ volatile("" ::"r"(n)); /* no two of them are folded into one */                    \
        return status;                                                                             \
    }
FIFTY(PLACE)

typedef dp_status place(dp_pool *pool, const dp_request *request, dp_buf **out);
#define PLACE_NAME(n) place_##n,
static place *const places[50] = {FIFTY(PLACE_NAME)};

/* Which of the places a return address lies in: the last that begins before it. */
static unsigned place_of_site(const void *site)
{
    unsigned best = 50;
    uintptr_t best_start = 0;
    for (unsigned i = 0; i < 50; i++) {
        uintptr_t start = (uintptr_t)places[i];
        if (start < (uintptr_t)site && start > best_start) {
            best = i;
            best_start = start;
        }
    }
    assert_true(best < 50 && (uintptr_t)site - best_start < 4096);
    return best;
}

/* All sizes, from tiny to huge, in all tiers of the rig. */
static dp_request place_request(unsigned i)
{
    static const size_t sizes[] = {1, 64, 200, 1500, 5000, 40000, 70000, 600000, 1200000};
    return (dp_request){.size_bytes = sizes[i % 9],
                        .kind = (uint8_t)(i % DP_KIND_COUNT),
                        .batch_size = i % 5 == 0 ? 8 : 0};
}

static void fifty_planted_escapes_are_all_found_at_their_place_once(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    dp_buf *escaped[50];
    for (unsigned i = 0; i < 50; i++) {
        dp_request request = place_request(i);
        assert_int_equal(places[i](rig.pool, &request, &escaped[i]), DP_OK);
        for (unsigned k = 0; k < 40; k++) { /* among many that come back */
            dp_buf *other = NULL;
            assert_int_equal(places[(i + k) % 50](rig.pool, &request, &other), DP_OK);
            dp_put(other);
        }
    }
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(self.totals.held, 50);
    assert_int_equal(watch_after(&self, 5 * SECOND), 0); /* not over it yet */
    assert_int_equal(watch_after(&self, SECOND), 50);
    assert_int_equal(self.totals.reported[DP_ESCAPE_LOW], 50);
    bool found[50] = {false};
    bool tiers[DP_TIER_COUNT] = {false};
    for (unsigned i = 0; i < 50; i++) {
        const dp_escape *escape = &self.seen[i];
        unsigned at = place_of_site(escape->site);
        assert_false(found[at]);
        found[at] = true;
        assert_ptr_equal(escape->buf, escaped[at]);
        assert_int_equal(escape->tier, dp_buf_tier(escaped[at]));
        assert_int_equal(escape->kind, dp_buf_kind(escaped[at]));
        assert_int_equal(escape->capacity_bytes, dp_buf_capacity(escaped[at]));
        assert_int_equal(escape->references, 1);
        assert_int_equal(escape->state, DP_BUF_PENDING);
        assert_true(escape->age_ns > 5 * SECOND && escape->age_ns <= 7 * SECOND);
        assert_non_null(strstr(escape->module, "test_lifecycle"));
        assert_true(escape->module_bytes > 0 && escape->module_bytes < 64u << 20);
        tiers[escape->tier] = true;
    }
    assert_true(tiers[DP_TIER_PINNED] && tiers[DP_TIER_HBM]);
    assert_int_equal(watch_after(&self, SECOND), 0); /* said already */
    for (unsigned i = 0; i < 50; i++)
        dp_put(escaped[i]);
    assert_int_equal(watch_after(&self, 60 * SECOND), 0);
    assert_int_equal(self.totals.held, 0);
    pool_rig_close(&rig);
}

static void an_escape_is_told_again_when_it_becomes_worse(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 100);
    dp_buf *shared = dp_ref(rig_get(rig.pool, DP_KIND_TEXT, 100));
    dp_buf *popular = dp_ref(dp_ref(rig_get(rig.pool, DP_KIND_TEXT, 100)));
    assert_int_equal(dp_buf_advance(popular, DP_BUF_QUEUED), DP_OK);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 5 * SECOND + 1), 3);
    for (unsigned i = 0; i < 3; i++) {
        const dp_escape *escape = &self.seen[i];
        assert_int_equal(escape->severity, escape->buf == buf      ? DP_ESCAPE_LOW
                                           : escape->buf == shared ? DP_ESCAPE_MEDIUM
                                                                   : DP_ESCAPE_HIGH);
        assert_int_equal(escape->state, escape->buf == popular ? DP_BUF_QUEUED : DP_BUF_PENDING);
    }
    assert_int_equal(watch_after(&self, 2 * SECOND), 0);
    assert_int_equal(watch_after(&self, SECOND), 1);
    assert_int_equal(self.seen[0].severity, DP_ESCAPE_MEDIUM);
    assert_ptr_equal(self.seen[0].buf, buf);
    assert_int_equal(watch_after(&self, 2 * SECOND), 2);
    assert_int_equal(self.totals.reported[DP_ESCAPE_HIGH], 2);
    assert_int_equal(watch_after(&self, 1000 * SECOND), 0);
    /* The block's next life begins with nothing said. */
    dp_put(buf);
    dp_buf *again = rig_get(rig.pool, DP_KIND_TEXT, 100);
    assert_ptr_equal(again, buf);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 6 * SECOND), 1);
    dp_put(again);
    for (unsigned i = 0; i < 3; i++)
        dp_put(popular);
    dp_put(shared);
    dp_put(shared);
    pool_rig_close(&rig);
}

static void an_escape_is_found_however_long_ago_it_was_and_however_often_is_scanned(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 100);
    dp_buf_expect_long(buf);
    for (unsigned i = 0; i < 10000; i++) /* 250 s, a scan each 25 ms */
        assert_int_equal(watch_after(&self, SECOND / 40), 0);
    dp_buf_renew(buf);
    unsigned scans = 0;
    while (watch_after(&self, SECOND / 40) == 0)
        scans++;
    assert_true(scans >= 200 && scans <= 212);
    for (unsigned i = 0; i < 5000; i++) /* more epochs than are remembered */
        (void)watch_after(&self, SECOND / 4);
    dp_buf *other = rig_get(rig.pool, DP_KIND_TEXT, 100);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 6 * SECOND), 1);
    assert_ptr_equal(self.seen[0].buf, other);
    dp_put(other);
    dp_put(buf);
    pool_rig_close(&rig);
}

static void a_scan_in_small_steps_finds_what_stays_while_runs_and_regions_go(void **state)
{
    (void)state;
    static watch self;
    static dp_buf *blocks[6000];
    pool_rig rig;
    open_watch(&rig, &self);
    static const size_t sizes[] = {100, 9000, 70000, 300000};
    unsigned count = 0;
    for (unsigned i = 0; i < 6000; i++) {
        size_t size = sizes[i % 100 == 0 ? 1 + i / 100 % 3 : 0];
        blocks[count++] = rig_get(rig.pool, DP_KIND_OTHER, size);
        assert_non_null(blocks[i]);
    }
    assert_int_equal(watch_after(&self, SECOND), 0);
    atomic_fetch_add(&self.now_ns, 6 * SECOND);
    self.count = 0;
    dp_escape_options options = watch_options(&self);
    options.blocks_max = 97;
    unsigned gone = 0;
    unsigned calls = 0;
    do { /* the last quarter stays; the rest is put from the back, so that runs end ahead */
        assert_int_equal(dp_escape_scan(rig.pool, &options, &self.totals), DP_OK);
        assert_true(self.totals.blocks <= 97);
        self.count = 0;
        for (unsigned k = 0; k < 80 && gone < 4500; k++, gone++) {
            unsigned at = gone % 3 + gone / 3 * 4; /* three of four */
            dp_put(blocks[at]);
            blocks[at] = NULL;
        }
        dp_pool_thread_flush(rig.pool);
        calls++;
    } while (!self.totals.complete);
    assert_true(calls > 20);
    while (gone < 4500) {
        unsigned at = gone % 3 + gone / 3 * 4;
        dp_put(blocks[at]);
        blocks[at] = NULL;
        gone++;
    }
    /* Those that stayed have been told, each once: nothing is left to say. */
    options.blocks_max = 0;
    self.count = 0;
    assert_int_equal(dp_escape_scan(rig.pool, &options, &self.totals), DP_OK);
    assert_int_equal(self.count, 0);
    assert_int_equal(self.totals.held, 1500);
    pool_check(rig.pool);
    for (unsigned i = 0; i < 6000; i++)
        dp_put(blocks[i]);
    pool_rig_close(&rig);
}

static __attribute__((noinline)) dp_buf *forget_a_movable(dp_pool *pool)
{
    const dp_request request = {.size_bytes = 5000, .kind = DP_KIND_TEXT, .flags = DP_GET_MOVABLE};
    dp_buf *buf = NULL;
    assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
    __asm__ volatile("" ::"r"(buf));
    return buf;
}

static void a_movable_buffer_escapes_once_wherever_it_moves(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    dp_buf *buf = forget_a_movable(rig.pool);
    dp_buf *kept = forget_a_movable(rig.pool);
    dp_buf *leased = forget_a_movable(rig.pool);
    dp_buf_expect_long(kept);
    assert_int_equal(dp_buf_lease(leased, 60000, NULL, NULL), DP_OK);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 4 * SECOND), 0);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_HOST), DP_OK);
    assert_int_equal(dp_buf_migrate(kept, DP_TIER_HOST), DP_OK);
    assert_int_equal(watch_after(&self, 2 * SECOND), 1);
    assert_ptr_equal(self.seen[0].buf, buf);
    assert_int_equal(self.seen[0].tier, DP_TIER_HOST);
    uintptr_t site = (uintptr_t)self.seen[0].site;
    assert_true(site > (uintptr_t)forget_a_movable && site - (uintptr_t)forget_a_movable < 4096);
    assert_int_equal(watch_after(&self, SECOND), 0);
    dp_put(buf);
    /* Back to the default lease, which is over: as any other. */
    dp_buf_unlease(leased);
    assert_int_equal(watch_after(&self, SECOND), 1);
    assert_ptr_equal(self.seen[0].buf, leased);
    dp_put(kept);
    dp_put(leased);
    assert_int_equal(watch_after(&self, 60 * SECOND), 0);
    pool_rig_close(&rig);
}

static void nothing_to_release(void *user, uint64_t cookie)
{
    (void)user;
    (void)cookie;
}

static void a_buffer_over_stored_bytes_escapes_like_any(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    char bytes[100];
    const buf_wrap_args args = {.tier = DP_TIER_PMEM,
                                .kind = DP_KIND_ENCODED,
                                .region = {.host = bytes, .size_bytes = sizeof bytes},
                                .size_bytes = sizeof bytes,
                                .release = nothing_to_release};
    dp_buf *buf = NULL;
    assert_int_equal(buf_wrap(rig.pool, &args, &buf), DP_OK);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 6 * SECOND), 1);
    assert_ptr_equal(self.seen[0].buf, buf);
    assert_int_equal(self.seen[0].tier, DP_TIER_PMEM);
    dp_put(buf);
    assert_int_equal(watch_after(&self, 6 * SECOND), 0);
    pool_rig_close(&rig);
}

static void what_is_expected_to_last_is_not_reported(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    dp_cache *cache = NULL;
    const dp_cache_config config = {.host_bytes_max = 1 << 20};
    assert_int_equal(dp_cache_create(rig.pool, &config, &cache), DP_OK);
    dp_buf *picture = rig_get(rig.pool, DP_KIND_ENCODED, 1000);
    memset(dp_buf_data(picture), 7, 1000);
    const dp_cache_key key = {{1}};
    const dp_cache_entry entry = {.buf = picture};
    assert_int_equal(dp_cache_insert(cache, &key, &entry, NULL), DP_OK);
    dp_put(picture);
    dp_buf *history = rig_get(rig.pool, DP_KIND_TEXT, 100);
    dp_buf_expect_long(history);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 100 * SECOND), 0);
    assert_int_equal(self.totals.held, 2);
    dp_buf_renew(history); /* whoever takes it out of there has his lease */
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 6 * SECOND), 1);
    assert_ptr_equal(self.seen[0].buf, history);
    dp_put(history);
    dp_cache_destroy(cache);
    pool_rig_close(&rig);
}

/* ---- with threads ---- */

#define WORKERS  3u
#define SECTIONS 4u /* buffers that a worker keeps over one step of the clock */

/*
 * Workers get, hand over and put all the time; the clock steps by 4 s when each of them has gone
 * round twice since its last step.  A buffer got in one round is put in the next, so none is ever
 * held for over 4 s, and the blocks at rest are full of old epochs.
 */
typedef struct crowd {
    watch *watched;
    _Atomic uint64_t rounds[WORKERS];
    _Atomic(dp_buf *) handed[WORKERS][SECTIONS];
    _Atomic unsigned next;
    _Atomic bool stop;
} crowd;

static void *crowd_run(void *user)
{
    crowd *self = user;
    unsigned me = atomic_fetch_add(&self->next, 1);
    uint32_t random = me + 1;
    while (!atomic_load(&self->stop)) {
        for (unsigned i = 0; i < SECTIONS; i++) {
            /* What this worker got in its last round; somebody puts it by then, here or there. */
            dp_put(atomic_exchange(&self->handed[me][i], NULL));
        }
        for (unsigned i = 0; i < 64; i++) {
            random = random * 1664525u + 1013904223u;
            dp_buf *buf = rig_get(self->watched->pool, DP_KIND_TEXT, 1 + (random >> 20));
            dp_buf *other = (random & 256u) == 0 ? dp_ref(buf) : NULL;
            unsigned to = (me + 1) % WORKERS;
            if (i < SECTIONS)
                dp_put(atomic_exchange(&self->handed[me][i], buf));
            else
                dp_put((random & 512u) == 0 ? atomic_exchange(&self->handed[to][i % SECTIONS], NULL)
                                            : NULL);
            dp_put(i < SECTIONS ? NULL : buf);
            dp_put(other);
        }
        atomic_fetch_add(&self->rounds[me], 1);
    }
    for (unsigned i = 0; i < SECTIONS; i++)
        dp_put(atomic_exchange(&self->handed[me][i], NULL));
    return NULL;
}

static void crowd_wait_for_a_round(const crowd *self)
{
    uint64_t before[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++)
        before[i] = atomic_load(&self->rounds[i]);
    for (unsigned i = 0; i < WORKERS; i++) {
        while (atomic_load(&self->rounds[i]) < before[i] + 2)
            sched_yield();
    }
}

static void nothing_is_reported_where_everything_comes_back(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    static crowd all;
    memset(&all, 0, sizeof all);
    all.watched = &self;
    pthread_t threads[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &all), 0);
    uint64_t held = 0;
    for (unsigned i = 0; i < 100; i++) {
        crowd_wait_for_a_round(&all);
        atomic_fetch_add(&self.now_ns, 4 * SECOND);
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(watch_after(&self, 0), 0);
            held += self.totals.held;
        }
    }
    atomic_store(&all.stop, true);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(held > 0); /* it did look at held ones */
    pool_rig_close(&rig);
}

static void scan_again(void *user, const dp_escape *escape)
{
    watch *self = user;
    (void)escape;
    dp_escape_options options = DP_ESCAPE_OPTIONS_DEFAULT;
    dp_escape_totals totals = {.blocks = 77};
    assert_int_equal(dp_escape_scan(self->pool, &options, &totals), DP_ERR_BUSY);
    assert_int_equal(totals.blocks, 77);
    self->count++;
}

static void a_scan_in_a_scan_and_options_out_of_range_are_refused(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 100);
    assert_int_equal(watch_after(&self, SECOND), 0);
    dp_escape_options options = watch_options(&self);
    options.report = scan_again;
    atomic_fetch_add(&self.now_ns, 6 * SECOND);
    assert_int_equal(dp_escape_scan(rig.pool, &options, &self.totals), DP_OK);
    assert_int_equal(self.count, 1);
    const dp_escape_options wrong[] = {
        {.lease_ms = DP_LEASE_MS_MAX + 1}, {.medium_ms = 60001}, {.high_ms = 60001}};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(dp_escape_scan(rig.pool, &wrong[i], &self.totals), DP_ERR_INVALID);
    /* By the real clock and without a report: what has been told is not told again. */
    assert_int_equal(dp_escape_scan(rig.pool, &(dp_escape_options){0}, &self.totals), DP_OK);
    assert_int_equal(self.totals.held, 1);
    dp_put(buf);
    pool_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_goes_through_its_states_and_no_other_way),
        cmocka_unit_test(of_two_holders_that_advance_at_once_one_learns_that_he_was_late),
        cmocka_unit_test(what_a_holder_may_not_do_stops_the_program),
        cmocka_unit_test(fifty_planted_escapes_are_all_found_at_their_place_once),
        cmocka_unit_test(an_escape_is_told_again_when_it_becomes_worse),
        cmocka_unit_test(an_escape_is_found_however_long_ago_it_was_and_however_often_is_scanned),
        cmocka_unit_test(a_scan_in_small_steps_finds_what_stays_while_runs_and_regions_go),
        cmocka_unit_test(a_movable_buffer_escapes_once_wherever_it_moves),
        cmocka_unit_test(a_buffer_over_stored_bytes_escapes_like_any),
        cmocka_unit_test(what_is_expected_to_last_is_not_reported),
        cmocka_unit_test(nothing_is_reported_where_everything_comes_back),
        cmocka_unit_test(a_scan_in_a_scan_and_options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
