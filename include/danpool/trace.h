/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording what a pool does: every get and put with its size, thread and call site, and what goes
 * on behind them.
 *
 * While a recording runs every get and put takes the slow way and is written down, some 100 ns
 * each; without one nothing of this is on anybody's way.  Events go to a ring of the thread that
 * made them; when it is full the oldest are overwritten, which is counted.  A recording can be
 * written at any time, while it runs too:
 *
 *  - dp_trace_write_chrome(): JSON in the Trace Event Format, for chrome://tracing and Perfetto;
 *  - dp_trace_write(): a compact file for `danpoolctl reuse` and `bench pool-replay`.
 *
 * All calls are thread safe.
 */
#ifndef DANPOOL_TRACE_H
#define DANPOOL_TRACE_H

#include <stdio.h>

#include <danpool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an event tells of.  X(enumerator, name).  The order is part of the file format. */
#define DP_TRACE_EVENT_LIST(X)                                                                     \
    X(DP_TRACE_GET, "get")                                                                         \
    X(DP_TRACE_PUT, "put")                                                                         \
    X(DP_TRACE_EVICT, "evict")                                                                     \
    X(DP_TRACE_MIGRATE, "migrate")                                                                 \
    X(DP_TRACE_RECLAIM, "reclaim")                                                                 \
    X(DP_TRACE_TIER_CALL, "tier call")                                                             \
    X(DP_TRACE_HEALTH, "health")

typedef enum dp_trace_event {
#define DP_TRACE_ENUM(id, name) id,
    DP_TRACE_EVENT_LIST(DP_TRACE_ENUM)
#undef DP_TRACE_ENUM
        DP_TRACE_EVENT_COUNT
} dp_trace_event;

/*
 * Starts a recording, which forgets the one before.  Each thread that does anything, up to 64 of
 * them, gets a ring for at least its last `events_per_thread` events of 40 bytes (0 = 16,383); a
 * ring that a thread has from an earlier recording stays as large as it is.
 * DP_ERR_EXISTS: one is running.  DP_ERR_INVALID: 2^24 events or more.
 */
DP_API dp_status dp_trace_start(dp_pool *pool, uint32_t events_per_thread);

/* Stops it; what was recorded can be written until the next start.  Without one it does nothing. */
DP_API void dp_trace_stop(dp_pool *pool);

typedef struct dp_trace_stats {
    bool running;
    uint32_t threads;  /* rings, of this recording or an earlier one */
    uint64_t recorded; /* events since the start, those that are lost too */
    uint64_t dropped;  /* overwritten, or of a thread for which no ring could be made */
} dp_trace_stats;

DP_API void dp_trace_stats_read(dp_pool *pool, dp_trace_stats *out);

/*
 * Write what the rings hold, in the order of time.  DP_ERR_NOMEM, or DP_ERR_IO when `to` has taken
 * less than all of it.  Cost: a copy of the rings in memory, then the output.
 */
DP_API dp_status dp_trace_write_chrome(dp_pool *pool, FILE *to);
DP_API dp_status dp_trace_write(dp_pool *pool, FILE *to);

#ifdef __cplusplus
}
#endif

#endif
