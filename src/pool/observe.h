/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1: the one place that a slow path tells what it did.  From there it goes to the histograms,
 * to the recording if one runs, and to the probes; so a path that is to be seen needs one line.
 *
 * Every call takes NULL for the observer (a layer that no pool owns) and then only fires
 * the probe.  All are thread safe and take no lock but trace_record()'s on a thread's first event;
 * none allocates but there, and none can fail.
 */
#ifndef DP_POOL_OBSERVE_H
#define DP_POOL_OBSERVE_H

#include <danpool/buf.h>
#include <danpool/stats.h>

#include "pool/histogram.h"
#include "pool/tier.h"
#include "pool/trace.h"

typedef struct observer {
    trace trace;
    histogram *latency[DP_LATENCY_COUNT]; /* [DP_TIER_COUNT] each */
} observer;

/* DP_ERR_NOMEM.  Looks for an NVTX tool, too. */
dp_status observer_init(observer *self);
/* No thread may be in a call on it.  Zeroed memory is fine. */
void observer_destroy(observer *self);

/* Whether gets and puts have to go the slow way, to be recorded. */
static inline bool observer_is_recording(const observer *self)
{
    return trace_is_on(&self->trace);
}

/* A buffer that is got, or put, on the slow way. */
typedef struct observed_buf {
    dp_tier_id tier;
    unsigned size_class;
    size_t size_bytes; /* asked for (get), in use (put) */
    uint64_t id;       /* the same at get and put, not 0 */
} observed_buf;

/* A get that was served; it began at begun_ns on os_clock_ns(). */
typedef struct observed_get {
    observed_buf buf;
    uint64_t begun_ns;
    const void *site; /* where dp_get() returns to */
    dp_kind kind;
    bool fresh;
} observed_get;

void observe_get(observer *self, const observed_get *got);
void observe_put(observer *self, const observed_buf *buf);

void observe_refill(dp_tier_id tier, unsigned size_class, dp_status status);

/* For tier_trace_wrap(): every call into the tier is timed and told, with an NVTX range round it.
 */
tier_trace_sink observer_sink(observer *self);

/* A cached copy left a tier, or moved on to another. */
void observe_evict(observer *self, dp_tier_id tier, size_t size_bytes, dp_priority priority);
void observe_migrate(observer *self, dp_tier_id from, dp_tier_id to, size_t size_bytes);

/* A tier was full, and blocks at rest were taken back to make room. */
void observe_reclaim(observer *self, dp_tier_id tier);

/* A class changed its state of health; states are below 16. */
void observe_health(observer *self, dp_tier_id tier, unsigned size_class, unsigned from,
                    unsigned to);

#endif
