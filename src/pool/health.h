/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: the states of tiers and families, and what moves them.
 *
 *     get  -> health_admits: may this tier be asked?      get  -> health_get: the answer is judged
 *     tick -> availability and latencies are judged       both -> health_move: THE setter
 *
 * A cell is one state machine: one for each tier and family, and one for each tier's breaker.  All
 * transitions stand in one table (health.c) and are made by one function, under the lock, with
 * their counter and the listener.  Everything else is atomics: a state is read relaxed, since a
 * get that acts on the one of a moment ago is a get of a moment ago.
 *
 * Granularity: size classes would be judged by too few gets to judge them by; families are what
 * rules and statistics speak of.
 *
 * Lock order: the health lock is taken with no other lock held; under it the listener is called,
 * and the owner's `changed`, which rewrites the table of the short way.
 */
#ifndef DP_POOL_HEALTH_H
#define DP_POOL_HEALTH_H

#include <danpool/health.h>

#include "pool/magazine.h"

/* Buckets of times: all below 1 us in the first, then four to each doubling, up to 64 s. */
#define HEALTH_BUCKETS       (1u + 4u * 26u)
#define HEALTH_SLOW_GETS_MIN 3u /* fewer slow ones are no P99 */
/* The owner has forgotten to tick when so many periods have passed: then gets do it. */
#define HEALTH_LATE_TICKS 5u

/* The times of gets, as counts; the current half of the window and the one before. */
typedef struct health_window {
    _Atomic uint32_t counts[2][HEALTH_BUCKETS];
    _Atomic uint64_t begun_ns; /* the current half */
    _Atomic uint8_t current;
} health_window;

typedef struct health_cell {
    alignas(64) _Atomic uint8_t state;
    _Atomic uint8_t available_percent;
    _Atomic uint32_t failures; /* in a row */
    _Atomic uint32_t turn;     /* half: odd turns are the tier's */
    _Atomic uint64_t held_back;
    _Atomic uint64_t since_ns;
    _Atomic uint64_t unfit_ns; /* when it was last seen in a state in which it cannot recover */
    _Atomic uint64_t transitions;
    _Atomic uint64_t p99_ns;
    health_window window;
} health_cell;

#define HEALTH_BREAKER DP_FAMILY_COUNT /* the breaker's place among a tier's cells */

typedef struct health {
    dp_health_config config;
    magazine_layer *layer;
    dp_tier *const *tiers;
    void (*changed)(void *user, dp_tier_id tier); /* health_is_open() has; under the lock */
    void *changed_user;
    pthread_mutex_t lock;
    _Atomic uint64_t ticked_ns;
    _Atomic bool ticking;
    health_cell cells[DP_TIER_COUNT][DP_FAMILY_COUNT + 1];
} health;

typedef struct health_links {
    magazine_layer *layer; /* whose slabs say which tiers there are; borrowed */
    dp_tier *const *tiers; /* by id; borrowed */
    void (*changed)(void *user, dp_tier_id tier);
    void *user;
} health_links;

/* DP_ERR_INVALID: a threshold is out of its range.  Asks nothing of a configuration that is off. */
dp_status health_config_check(const dp_health_config *config);
void health_init(health *self, const dp_health_config *config, const health_links *links);
void health_destroy(health *self);

/* Calls `changed` for every tier, under the lock. */
void health_reapply(health *self);

/* Does the whole traffic go to that tier?  What the table of the short way depends on. */
bool health_is_open(const health *self, dp_tier_id tier, dp_family family);

/*
 * May this request be served by that tier?  In half, says yes every second time.  A breaker that
 * was open for long enough is tried by whoever asks first.
 */
bool health_admits(health *self, dp_tier_id tier, dp_family family);

/* As health_admits, for a request that nobody else serves: all but an open breaker will do. */
bool health_admits_at_last(const health *self, dp_tier_id tier);

/* magazine_get(), timed and judged where the thread's own magazine has nothing. */
dp_status health_get(health *self, const magazine_want *want, dp_buf **out);

/* Anything but a get said so: DP_ERR_DEVICE opens the breaker. */
void health_report(health *self, dp_tier_id tier, dp_status status);

/* Looks at everything when so many periods have passed since the last look. */
void health_tick(health *self, unsigned periods);

/* As health_tick, for a caller who has just read os_clock_ns(): a look costs as much as a get. */
void health_tick_at(health *self, unsigned periods, uint64_t os_now_ns);

void health_cell_read(const health *self, dp_tier_id tier, dp_family family, dp_health_info *out);

/* Asserts that every state is one of its machine's. */
void health_check(const health *self);

#endif
