/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health: what a pool does about a tier that runs out, grows slow or fails, so that gets go on.
 *
 * Each tier and family of sizes (dp_family) has a state, and each tier a breaker:
 *
 *     ok -> degraded     less than a tenth of the tier is available, the P99 of its gets is over
 *                        5 ms, or three gets in a row failed
 *     ok <-> warned      the P99 is over 50 us: nothing changes but what you can read
 *     degraded -> half   more than 80 % was available for 10 s: every second get goes there again
 *     half -> ok         another 10 s of the same
 *     closed -> open     the tier answered that its device failed (DP_ERR_DEVICE)
 *     open -> half_open  60 s later one trial is made; it leads back to open or to closed
 *
 * A request passes over what is degraded or open and is served by the next tier of its rule, else
 * by the fallback: host memory of a bounded size beside all budgets.  What needs a device
 * (DP_NEED_DEVICE) is not served by the fallback.  When that is full, degraded tiers are asked
 * after all.
 *
 * Only gets that the calling thread's magazine cannot serve are timed and judged: the others ask
 * nobody.  So the P99 is that of the slow ones, and three of them must be late before it counts.
 */
#ifndef DANPOOL_HEALTH_H
#define DANPOOL_HEALTH_H

#include <danpool/buf.h>
#include <danpool/status.h>
#include <danpool/tier.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name).  The first four are a family's, the others a breaker's. */
#define DP_HEALTH_STATE_LIST(X)                                                                    \
    X(DP_HEALTH_OK, "ok")                                                                          \
    X(DP_HEALTH_WARNED, "warned")                                                                  \
    X(DP_HEALTH_DEGRADED, "degraded")                                                              \
    X(DP_HEALTH_HALF, "half")                                                                      \
    X(DP_BREAKER_CLOSED, "closed")                                                                 \
    X(DP_BREAKER_OPEN, "open")                                                                     \
    X(DP_BREAKER_HALF_OPEN, "half_open")

typedef enum dp_health_state {
#define DP_HEALTH_STATE_ENUM(id, name) id,
    DP_HEALTH_STATE_LIST(DP_HEALTH_STATE_ENUM)
#undef DP_HEALTH_STATE_ENUM
        DP_HEALTH_STATE_COUNT
} dp_health_state;

/* What makes a state change.  X(enumerator, name). */
#define DP_HEALTH_CAUSE_LIST(X)                                                                    \
    X(DP_CAUSE_FAILURES, "failures")                                                               \
    X(DP_CAUSE_SCARCE, "scarce")                                                                   \
    X(DP_CAUSE_SLOW, "slow")                                                                       \
    X(DP_CAUSE_LATE, "late")                                                                       \
    X(DP_CAUSE_PROMPT, "prompt")                                                                   \
    X(DP_CAUSE_STEADY, "steady")                                                                   \
    X(DP_CAUSE_DEVICE, "device")                                                                   \
    X(DP_CAUSE_WAITED, "waited")                                                                   \
    X(DP_CAUSE_WORKED, "worked")

typedef enum dp_health_cause {
#define DP_HEALTH_CAUSE_ENUM(id, name) id,
    DP_HEALTH_CAUSE_LIST(DP_HEALTH_CAUSE_ENUM)
#undef DP_HEALTH_CAUSE_ENUM
        DP_HEALTH_CAUSE_COUNT
} dp_health_cause;

typedef struct dp_health_event {
    dp_tier_id tier;
    dp_family family; /* DP_FAMILY_COUNT: the tier's breaker */
    dp_health_state from;
    dp_health_state to;
    dp_health_cause cause;
    uint64_t now_ns; /* on the clock of the configuration */
} dp_health_event;

/* Told of each transition, one at a time and in order, by the thread that caused it.  Must not call
 * the pool. */
typedef void dp_health_listener(void *user, const dp_health_event *event);
/* Nanoseconds that only grow. */
typedef uint64_t dp_health_clock(void *user);

/* All zero: off.  Then no state is kept and there is no fallback. */
typedef struct dp_health_config {
    bool enabled;
    uint8_t available_percent_min;    /* below: degraded */
    uint8_t available_percent_enough; /* above, for recover_ns: half, then ok */
    uint16_t failures_max;            /* so many in a row: degraded */
    uint64_t p99_ns_max;              /* above: degraded; 0 = never */
    uint64_t p99_ns_warn;             /* above: warned; 0 = never */
    uint64_t window_ns;               /* what the P99 is taken over */
    uint64_t recover_ns;
    uint64_t breaker_ns;       /* how long a breaker stays open */
    uint64_t tick_ns;          /* how often dp_pool_tick() looks */
    size_t fallback_bytes_max; /* 0: no fallback */
    dp_health_clock *clock;    /* (optional) NULL: the monotonic clock */
    void *clock_user;
    dp_health_listener *listener; /* (optional) */
    void *listener_user;
} dp_health_config;

#define DP_HEALTH_CONFIG_DEFAULT                                                                   \
    {                                                                                              \
        .enabled = true, .available_percent_min = 10, .available_percent_enough = 80,              \
        .failures_max = 3, .p99_ns_max = 5000000u, .p99_ns_warn = 50000u,                          \
        .window_ns = 1000000000u, .recover_ns = 10000000000u, .breaker_ns = 60000000000u,          \
        .tick_ns = 100000000u, .fallback_bytes_max = (size_t)16 << 20,                             \
    }

/*
 * Looks at availability and latencies and makes due transitions.  Its owner calls it about every
 * 100 ms from one thread that may take a moment; where nobody does, a get that is on a slow way
 * anyway does it every 500 ms.  Returns at once when it is not due.  Thread safe.
 * Cost: a look at each family's latencies, some microseconds; for a tier of which over 90 % are
 * taken, or that is on its way back, the sum of its counters over all threads; for a breaker that
 * is due, one small allocation of that tier.
 */
DP_API void dp_pool_tick(dp_pool *pool);

typedef struct dp_health_info {
    dp_health_state state;
    uint64_t since_ns; /* when it became so, on the clock of the configuration */
    uint64_t transitions;
    uint64_t held_back; /* gets that passed this tier over because of this state */
    /* The rest is 0 for a breaker. */
    uint32_t failures;         /* in a row, now */
    uint8_t available_percent; /* of the tier, at the last tick that looked */
    uint64_t p99_ns;           /* of timed gets, at the last tick; at most a quarter off */
} dp_health_info;

/*
 * How a tier stands for one family of sizes, or, with DP_FAMILY_COUNT, its breaker.
 * DP_ERR_INVALID: no such tier or family; DP_ERR_UNSUPPORTED: the tier is absent, or health is
 * off.  Thread safe, no lock.
 */
DP_API dp_status dp_health_read(const dp_pool *pool, dp_tier_id tier, dp_family family,
                                dp_health_info *out);

/* "ok", "degraded"; "slow", "device".  "unknown" outside the lists. */
DP_API const char *dp_health_state_name(dp_health_state state);
DP_API const char *dp_health_cause_name(dp_health_cause cause);

#ifdef __cplusplus
}
#endif

#endif
