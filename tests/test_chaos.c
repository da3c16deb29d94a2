/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that get, hand over and put while the tier they use fails, is slow, runs out and is lost,
 * one after the other.  Each time: it is left alone within a second, every get is served all the
 * same, it comes back to the whole traffic when the fault ends, and nothing is lost: all bytes are
 * what was written and all counters agree.
 *
 * Time is made of work: each step of a thread moves the clock, and a thread's own time stands still
 * during a step but for the faults.  So nothing depends on how fast the machine is or who shares
 * it.
 */
#include "health_rig.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include <danpool/cache.h>

#include "pool/pool_state.h"
#include "tier_rig.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

#define WORKERS    4
#define HELD       8
#define MAILBOXES  16
#define STEP_NS    500000u
#define PACE_NS    20000 /* real, between two looks */
#define SLOW_NS    (7 * RIG_MS)
#define BUDGET     (64 * MIB)
#define WAIT_S_MAX 300 /* of the test's own clock: it is broken by then */

/* Text has a second tier, encoded media only the fallback; surfaces are for taking all there is. */
static const dp_route_rule rules[] = {
    {.kind = DP_KIND_TEXT, .tiers = {DP_TIER_PINNED, DP_TIER_HOST, DP_TIER_NONE}},
    {.kind = DP_KIND_COUNT, .tiers = {DP_TIER_PINNED, DP_TIER_NONE}},
};

typedef struct chaos {
    health_rig rig;
    dp_cache *cache; /* (or NULL) */
    _Atomic bool stop;
    _Atomic unsigned next_seed;
    _Atomic uint64_t gets;
    _Atomic(dp_buf *) mailboxes[MAILBOXES];
} chaos;

static _Thread_local uint64_t step_began_ns; /* 0: not a worker */
static _Thread_local uint64_t step_extra_ns;

static uint64_t chaos_clock(void *user)
{
    return step_began_ns == 0 ? rig_clock(user) : step_began_ns + step_extra_ns;
}

static void chaos_wait(uint64_t ns)
{
    step_extra_ns += ns;
}

/*
 * Only work that meets the faults moves the clock, and it stands still while a thread that the
 * system has stopped is in the middle of a tick: nobody else could tick.
 */
static void step_begin(chaos *all, uint64_t moves_ns)
{
    const health *judge = &all->rig.pool->health;
    while (atomic_load(&judge->ticking) &&
           rig_clock(NULL) > atomic_load(&judge->ticked_ns) + 200 * RIG_MS &&
           !atomic_load(&all->stop))
        sched_yield();
    step_began_ns = atomic_fetch_add(&rig_now_ns, moves_ns) + moves_ns;
    step_extra_ns = 0;
    dp_pool_tick(all->rig.pool);
}

/* ---- the workers ---- */

static void fill(dp_buf *buf)
{
    rig_fill(dp_buf_data(buf), 64, (uintptr_t)buf);
    memcpy((char *)dp_buf_data(buf) + dp_buf_size(buf) - 64, dp_buf_data(buf), 64);
}

static void check(const dp_buf *buf)
{
    DP_ASSERT(rig_is_filled(dp_buf_data(buf), 64, (uintptr_t)buf));
    DP_ASSERT(memcmp((char *)dp_buf_data(buf) + dp_buf_size(buf) - 64, dp_buf_data(buf), 64) == 0);
}

/* Every get is served, whatever ails. */
static dp_buf *chaos_get(chaos *all, size_t size_bytes, dp_kind kind)
{
    const dp_request request = {.size_bytes = size_bytes, .kind = (uint8_t)kind};
    dp_buf *buf = NULL;
    DP_ASSERT(dp_get(all->rig.pool, &request, &buf) == DP_OK);
    atomic_fetch_add(&all->gets, 1);
    return buf;
}

static void *work(void *user)
{
    chaos *all = user;
    uint64_t seed = atomic_fetch_add(&all->next_seed, 7919);
    dp_buf *held[HELD] = {NULL};
    while (!atomic_load_explicit(&all->stop, memory_order_relaxed)) {
        step_begin(all, STEP_NS);
        uint64_t draw = rig_random(&seed);
        dp_buf **slot = &held[draw % HELD];
        if (*slot == NULL) {
            /* Small ones, and ones that are a region of their own and so ask the tier. */
            size_t size = 128 + (size_t)(draw >> 8) % 4000;
            if ((draw >> 24) % 2 == 0)
                size = 130 * KIB + (size_t)(draw >> 32) % (200 * KIB);
            *slot = chaos_get(all, size, (draw >> 25) % 2 == 0 ? DP_KIND_TEXT : DP_KIND_ENCODED);
            fill(*slot);
            continue;
        }
        check(*slot);
        if ((draw >> 26) % 2 == 0)
            *slot = atomic_exchange(&all->mailboxes[(draw >> 32) % MAILBOXES], *slot);
        dp_put(*slot);
        *slot = NULL;
    }
    for (unsigned i = 0; i < HELD; i++)
        dp_put(held[i]);
    return NULL;
}

/* Inserts and looks up content that follows from its number; the cache demotes all the while. */
static void *work_on_cache(void *user)
{
    chaos *all = user;
    uint64_t seed = 1;
    for (uint64_t number = 1; !atomic_load_explicit(&all->stop, memory_order_relaxed); number++) {
        step_begin(all, 0);
        dp_cache_key key = rig_key(number);
        dp_cache_entry entry = {.priority = DP_PRIORITY_NORMAL};
        entry.buf = chaos_get(all, 2000 + number % 4000, DP_KIND_ENCODED);
        rig_fill(dp_buf_data(entry.buf), dp_buf_size(entry.buf), number);
        DP_ASSERT(dp_cache_insert(all->cache, &key, &entry, NULL) == DP_OK);
        dp_put(entry.buf);
        uint64_t earlier = number - rig_random(&seed) % (number < 200 ? number : 200);
        key = rig_key(earlier);
        if (dp_cache_lookup(all->cache, &key, &entry) == DP_OK) {
            DP_ASSERT(dp_buf_size(entry.buf) == 2000 + earlier % 4000);
            DP_ASSERT(rig_is_filled(dp_buf_data(entry.buf), dp_buf_size(entry.buf), earlier));
            dp_put(entry.buf);
        }
    }
    return NULL;
}

/* ---- the faults, from the main thread ---- */

static void look_again(uint64_t began_ns)
{
    const struct timespec pace = {.tv_nsec = PACE_NS};
    assert_true(rig_clock(NULL) - began_ns < WAIT_S_MAX * RIG_S);
    nanosleep(&pace, NULL);
}

static void let_pass(uint64_t ns)
{
    uint64_t began_ns = rig_clock(NULL);
    while (rig_clock(NULL) - began_ns < ns)
        look_again(began_ns);
}

static void wait_for(chaos *all, dp_family family, dp_health_state state)
{
    uint64_t began_ns = rig_clock(NULL);
    while (rig_info(&all->rig, DP_TIER_PINNED, family).state != state)
        look_again(began_ns);
}

/* Events are written under the health's lock. */
static unsigned events_now(chaos *all)
{
    os_lock(&all->rig.pool->health.lock);
    unsigned count = all->rig.event_count;
    os_unlock(&all->rig.pool->health.lock);
    return count;
}

/* When pinned's family first went into that state, counted from that event on; 0: not yet. */
static uint64_t event_ns(chaos *all, unsigned from, dp_family family, dp_health_state to)
{
    uint64_t found_ns = 0;
    os_lock(&all->rig.pool->health.lock);
    for (unsigned i = from; found_ns == 0 && i < all->rig.event_count; i++) {
        const dp_health_event *event = &all->rig.events[i];
        if (event->tier == DP_TIER_PINNED && event->family == family && event->to == to)
            found_ns = event->now_ns;
    }
    os_unlock(&all->rig.pool->health.lock);
    return found_ns;
}

/* States may come and go while this thread does not run; events stay. */
static uint64_t wait_for_event(chaos *all, unsigned from, dp_family family, dp_health_state to)
{
    uint64_t began_ns = rig_clock(NULL);
    while (event_ns(all, from, family, to) == 0)
        look_again(began_ns);
    return event_ns(all, from, family, to);
}

typedef struct fault {
    dp_family family; /* DP_FAMILY_COUNT: the breaker */
    dp_health_state ill;
    dp_health_state well;
    uint64_t well_after_ns; /* of the fault's end */
} fault;

/* The fault was made just now, after `from` events: what has to follow comes, and lasts. */
static void see_it_through(chaos *all, const fault *kind, unsigned from)
{
    uint64_t began_ns = rig_clock(NULL);
    uint64_t ill_ns = wait_for_event(all, from, kind->family, kind->ill);
    assert_true(ill_ns < began_ns + RIG_S); /* within a second */
    dp_stats before = rig_stats(&all->rig);
    let_pass(2 * RIG_S);
    dp_stats after = rig_stats(&all->rig);
    assert_int_equal(after.gets_failed, 0);
    assert_true(after.fallback_gets > before.fallback_gets);
    assert_true(after.tiers[DP_TIER_HOST].gets[DP_FAMILY_LARGE] >
                before.tiers[DP_TIER_HOST].gets[DP_FAMILY_LARGE]);
}

static uint64_t served_elsewhere(chaos *all)
{
    dp_stats stats = rig_stats(&all->rig);
    return stats.fallback_gets + stats.fallbacks;
}

/* The fault ended just now, `from` events are from before. */
static void see_it_end(chaos *all, const fault *kind, unsigned from)
{
    uint64_t began_ns = rig_clock(NULL);
    uint64_t well_ns = wait_for_event(all, from, kind->family, kind->well);
    assert_true(well_ns < began_ns + kind->well_after_ns);
    for (unsigned family = 0; family < DP_FAMILY_COUNT; family++)
        wait_for(all, (dp_family)family, DP_HEALTH_OK);
    /* Nobody is served elsewhere any more, once those who were about to be are through. */
    uint64_t elsewhere = 0;
    uint64_t before = served_elsewhere(all);
    for (unsigned look = 0; look == 0 || (elsewhere != before && look < 10); look++) {
        before = served_elsewhere(all);
        let_pass(RIG_S);
        elsewhere = served_elsewhere(all);
    }
    assert_int_equal(elsewhere, before);
}

/* Twice ten seconds, and some for a relapse of the window and the last looks. */
static const fault degrades = {DP_FAMILY_LARGE, DP_HEALTH_DEGRADED, DP_HEALTH_OK, 30 * RIG_S};
static const fault opens = {DP_FAMILY_COUNT, DP_BREAKER_OPEN, DP_BREAKER_CLOSED, 65 * RIG_S};

static void fail_for_a_while(chaos *all, dp_status status, const fault *kind)
{
    unsigned from = events_now(all);
    atomic_store(&all->rig.faults.status, status);
    see_it_through(all, kind, from);
    from = events_now(all);
    atomic_store(&all->rig.faults.status, DP_OK);
    see_it_end(all, kind, from);
}

static void be_slow_for_a_while(chaos *all)
{
    unsigned from = events_now(all);
    atomic_store(&all->rig.faults.slow_ns, SLOW_NS);
    see_it_through(all, &degrades, from);
    from = events_now(all);
    atomic_store(&all->rig.faults.slow_ns, 0);
    see_it_end(all, &degrades, from);
}

static void run_out_for_a_while(chaos *all)
{
    enum { BLOCKS = 59 };
    dp_buf *taken[BLOCKS];
    unsigned from = events_now(all);
    for (unsigned i = 0; i < BLOCKS; i++)
        taken[i] = chaos_get(all, MIB, DP_KIND_SURFACE);
    see_it_through(all, &degrades, from);
    from = events_now(all);
    for (unsigned i = 0; i < BLOCKS; i++)
        dp_put(taken[i]);
    see_it_end(all, &degrades, from);
}

/* ---- the tests ---- */

static void chaos_open(chaos *all, dp_tier *store)
{
    memset(all, 0, sizeof *all);
    health_rig_prepare(&all->rig);
    health_rig *rig = &all->rig;
    rig->faults.wait = chaos_wait;
    rig->config.rules = rules;
    rig->config.rule_count = 2;
    rig->config.budget_bytes_max[DP_TIER_PINNED] = BUDGET;
    rig->config.health.clock = chaos_clock;
    rig->config.health.fallback_bytes_max = 64 * MIB;
    health_rig_open_with(rig, store);
    atomic_store(&all->next_seed, 20261124u);
    print_message("seed %u\n", 20261124u);
}

static void workers_start(chaos *all, pthread_t threads[WORKERS])
{
    for (unsigned i = 0; i < WORKERS; i++) {
        void *(*body)(void *) = i == 0 && all->cache != NULL ? work_on_cache : work;
        assert_int_equal(pthread_create(&threads[i], NULL, body, all), 0);
    }
    let_pass(RIG_S);
}

static void workers_stop(chaos *all, pthread_t threads[WORKERS])
{
    atomic_store(&all->stop, true);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < MAILBOXES; i++)
        dp_put(atomic_exchange(&all->mailboxes[i], NULL));
}

/* Every get was counted once, in the place that served it, and every buffer came back. */
static uint64_t balance(chaos *all)
{
    dp_stats stats = rig_stats(&all->rig);
    uint64_t gets = stats.fallback_gets;
    assert_int_equal(stats.fallback_gets, stats.fallback_puts);
    assert_int_equal(stats.fallback_used_bytes, 0);
    assert_int_equal(stats.gets_failed, 0);
    uint64_t transitions = 0;
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        for (unsigned family = 0; family < DP_FAMILY_COUNT; family++) {
            gets += stats.tiers[id].gets[family];
            assert_int_equal(stats.tiers[id].gets[family], stats.tiers[id].puts[family]);
        }
        for (unsigned family = 0; family <= DP_FAMILY_COUNT; family++) {
            dp_health_info info = {.transitions = 0};
            (void)dp_health_read(all->rig.pool, (dp_tier_id)id, (dp_family)family, &info);
            transitions += info.transitions;
        }
    }
    assert_int_equal(transitions, all->rig.event_count);
    return gets;
}

static void a_tier_may_fail_be_slow_run_out_and_be_lost_and_nobody_waits(void **state)
{
    (void)state;
    static chaos all;
    pthread_t threads[WORKERS];
    chaos_open(&all, NULL);
    workers_start(&all, threads);
    fail_for_a_while(&all, DP_ERR_NOMEM, &degrades);
    be_slow_for_a_while(&all);
    run_out_for_a_while(&all);
    fail_for_a_while(&all, DP_ERR_DEVICE, &opens);
    workers_stop(&all, threads);
    assert_int_equal(balance(&all), atomic_load(&all.gets));
    health_rig_close(&all.rig);
}

static uint64_t demotions(chaos *all, bool has_store)
{
    dp_cache_stats stats;
    dp_cache_stats_read(all->cache, &stats);
    return has_store ? stats.demoted : stats.dropped;
}

static void a_cache_that_demotes_all_the_while_loses_nothing_either(void **state)
{
    (void)state;
    static chaos all;
    pthread_t threads[WORKERS];
    char directory[RIG_PATH_BYTES];
    char detail[96];
    rig_directory_make(directory);
    const tier_open_args args = {.pmem_path = rig_path(directory, "chaos.pmem"),
                                 .pmem_size_bytes = RIG_FILE_BYTES};
    dp_tier *store = NULL; /* without libpmemobj the cache drops instead */
    dp_status status = tier_open(DP_TIER_PMEM, &args, detail, &store);
    assert_true(status == DP_OK || status == DP_ERR_UNSUPPORTED);
    chaos_open(&all, store);
    const dp_cache_config config = {.host_bytes_max = 256 * KIB};
    assert_int_equal(dp_cache_create(all.rig.pool, &config, &all.cache), DP_OK);
    workers_start(&all, threads);
    fail_for_a_while(&all, DP_ERR_NOMEM, &degrades);
    be_slow_for_a_while(&all);
    uint64_t began_ns = rig_clock(NULL);
    while (demotions(&all, store != NULL) < 50)
        look_again(began_ns);
    workers_stop(&all, threads);
    dp_cache_destroy(all.cache);
    /* The cache's own copies are gets as well. */
    assert_true(balance(&all) >= atomic_load(&all.gets));
    health_rig_close(&all.rig);
    rig_directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tier_may_fail_be_slow_run_out_and_be_lost_and_nobody_waits),
        cmocka_unit_test(a_cache_that_demotes_all_the_while_loses_nothing_either),
    };
    return cmocka_run_group_tests_name("chaos", tests, NULL, NULL);
}
