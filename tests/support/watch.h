/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool under the watch of a test: scans by a clock that the test moves, and what they reported.
 * Main thread only, like cmocka; the clock may be read by any.
 */
#ifndef DP_TESTS_WATCH_H
#define DP_TESTS_WATCH_H

#include "cm.h"

#include <stdatomic.h>
#include <string.h>

#include <danpool/lifecycle.h>

#include "pool_rig.h"

#define SECOND UINT64_C(1000000000)

#define SEEN_MAX 256u

typedef struct watch {
    dp_pool *pool;
    _Atomic uint64_t now_ns;
    dp_escape_totals totals; /* of the last scan */
    unsigned count;
    dp_escape seen[SEEN_MAX];
} watch;

static inline uint64_t watch_clock(void *user)
{
    watch *self = user;
    return atomic_load(&self->now_ns);
}

static inline void watch_note(void *user, const dp_escape *escape)
{
    watch *self = user;
    assert_true(self->count < SEEN_MAX);
    self->seen[self->count++] = *escape;
}

static inline dp_escape_options watch_options(watch *self)
{
    dp_escape_options options = DP_ESCAPE_OPTIONS_DEFAULT;
    options.clock_ns = watch_clock;
    options.clock_user = self;
    options.report = watch_note;
    options.report_user = self;
    return options;
}

/* Lets time pass and scans; how much was reported. */
static inline unsigned watch_after(watch *self, uint64_t passed_ns)
{
    atomic_fetch_add(&self->now_ns, passed_ns);
    self->count = 0;
    dp_escape_options options = watch_options(self);
    assert_int_equal(dp_escape_scan(self->pool, &options, &self->totals), DP_OK);
    assert_true(self->totals.complete);
    return self->count;
}

static inline void open_watch(pool_rig *rig, watch *self)
{
    memset(rig, 0, sizeof *rig);
    memset(self, 0, sizeof *self);
    pool_rig_open_all(rig);
    self->pool = rig->pool;
    atomic_store(&self->now_ns, 1000 * SECOND);
    assert_int_equal(watch_after(self, 0), 0);
}

#endif
