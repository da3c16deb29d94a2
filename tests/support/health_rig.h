/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of health share: a pool whose pinned tier ails as the test says, over a clock that
 * only the test moves, with every transition written down.  Gets may come from any thread.
 */
#ifndef DP_TESTS_HEALTH_RIG_H
#define DP_TESTS_HEALTH_RIG_H

#include "cm.h"

#include <danpool/health.h>
#include <danpool/stats.h>

#include "fake_tier.h"
#include "pool/os.h"
#include "pool/pool_internal.h"

#define RIG_EVENTS_MAX 256u
#define RIG_MS         UINT64_C(1000000)
#define RIG_S          (1000 * RIG_MS)

typedef struct health_rig {
    dp_pool_config config; /* the test may change it before it opens */
    fake_tier_counts counts[DP_TIER_COUNT];
    fake_tier_faults faults; /* of pinned */
    dp_pool *pool;
    dp_health_event events[RIG_EVENTS_MAX]; /* written under the health's lock */
    unsigned event_count;
} health_rig;

static _Atomic uint64_t rig_now_ns;

static inline uint64_t rig_clock(void *user)
{
    (void)user;
    return atomic_load(&rig_now_ns);
}

static inline void rig_wait(uint64_t ns)
{
    atomic_fetch_add(&rig_now_ns, ns);
}

static inline void rig_listen(void *user, const dp_health_event *event)
{
    health_rig *rig = user;
    DP_ASSERT(rig->event_count < RIG_EVENTS_MAX);
    rig->events[rig->event_count++] = *event;
}

static inline void health_rig_prepare(health_rig *rig)
{
    *rig = (health_rig){.config = DP_POOL_CONFIG_DEFAULT, .faults = {.wait = rig_wait}};
    rig->config.health.clock = rig_clock;
    rig->config.health.listener = rig_listen;
    rig->config.health.listener_user = rig;
    atomic_store(&rig_now_ns, 1000 * RIG_S);
}

/*
 * Host and pinned, both host visible and without limit but for what the configuration says, and
 * `store` (or NULL) as the pmem tier.
 */
static inline void health_rig_open_with(health_rig *rig, dp_tier *store)
{
    dp_tier *tiers[DP_TIER_COUNT] = {[DP_TIER_PMEM] = store};
    const fake_tier_plan host = {.id = DP_TIER_HOST};
    const fake_tier_plan pinned = {.id = DP_TIER_PINNED, .faults = &rig->faults};
    assert_non_null(tiers[DP_TIER_HOST] = fake_tier_open(&host, &rig->counts[DP_TIER_HOST]));
    assert_non_null(tiers[DP_TIER_PINNED] = fake_tier_open(&pinned, &rig->counts[DP_TIER_PINNED]));
    assert_int_equal(pool_create_over(&rig->config, tiers, &rig->pool), DP_OK);
}

static inline void health_rig_open(health_rig *rig)
{
    health_rig_open_with(rig, NULL);
}

static inline void health_rig_close(health_rig *rig)
{
    pool_check(rig->pool);
    dp_pool_destroy(rig->pool);
    assert_int_equal(rig->counts[DP_TIER_HOST].regions_out, 0);
    assert_int_equal(rig->counts[DP_TIER_PINNED].regions_out, 0);
}

/* Lets time pass in ticks of 100 ms. */
static inline void rig_pass(health_rig *rig, uint64_t ns)
{
    uint64_t end = atomic_load(&rig_now_ns) + ns;
    while (atomic_load(&rig_now_ns) < end) {
        rig_wait(100 * RIG_MS);
        dp_pool_tick(rig->pool);
    }
}

static inline dp_health_info rig_info(const health_rig *rig, dp_tier_id tier, dp_family family)
{
    dp_health_info info = {.state = DP_HEALTH_STATE_COUNT};
    DP_ASSERT(dp_health_read(rig->pool, tier, family, &info) == DP_OK);
    return info;
}

static inline dp_health_state rig_state(const health_rig *rig, dp_family family)
{
    return rig_info(rig, DP_TIER_PINNED, family).state;
}

static inline const dp_health_event *rig_last_event(const health_rig *rig)
{
    assert_true(rig->event_count > 0);
    return &rig->events[rig->event_count - 1];
}

/* Text: pinned, then host.  NULL where dp_get() fails. */
static inline dp_buf *rig_text(health_rig *rig, size_t size_bytes)
{
    const dp_request request = {.size_bytes = size_bytes, .kind = DP_KIND_TEXT};
    dp_buf *buf = NULL;
    return dp_get(rig->pool, &request, &buf) == DP_OK ? buf : NULL;
}

static inline dp_stats rig_stats(health_rig *rig)
{
    dp_stats stats;
    dp_stats_read(rig->pool, &stats);
    return stats;
}

#endif
