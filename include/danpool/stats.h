/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters of a pool: kept per thread and summed on read, so that counting costs no shared cache
 * line.
 */
#ifndef DANPOOL_STATS_H
#define DANPOOL_STATS_H

#include <danpool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_tier_stats {
    uint64_t gets[DP_FAMILY_COUNT]; /* buffers handed out */
    uint64_t puts[DP_FAMILY_COUNT]; /* buffers whose last reference went */
    uint64_t reused;                /* gets served by a block that had been used before */
    uint64_t fresh;                 /* gets served by memory never handed out */
    uint64_t failed;                /* gets that this tier could not serve */
    uint64_t region_calls;          /* calls into the tier for regions, both ways */
    uint64_t capacity_bytes;        /* taken from the tier */
    uint64_t used_bytes;            /* in buffers that are held, by block size */
} dp_tier_stats;

typedef struct dp_stats {
    dp_tier_stats tiers[DP_TIER_COUNT];
    uint64_t gets_failed;   /* requests that no tier of the rule could serve */
    uint64_t fallbacks;     /* requests served by another tier than the rule's first */
    uint64_t fallback_gets; /* by the fallback (health.h); in no tier's figures */
    uint64_t fallback_puts;
    uint64_t fallback_used_bytes;
    uint64_t bytes_copied;    /* by dp_buf_write, dp_buf_read, migrations and dp_stats_copied */
    uint64_t bytes_delivered; /* that left the program out of pooled buffers, by
                                 dp_stats_delivered: copied / delivered shows what was zero copy */
} dp_stats;

/* Sums the counters.  Exact once the threads are quiet, else each counter is exact at some moment.
 */
DP_API void dp_stats_read(dp_pool *pool, dp_stats *out);

/* Counts bytes that the caller copied between pooled buffers himself. */
DP_API void dp_stats_copied(dp_pool *pool, size_t bytes);

/* Counts bytes of a held buffer that the caller handed to a socket, a file or a peer, each time. */
DP_API void dp_stats_delivered(const dp_buf *buf, size_t bytes);

/* What is timed, each occurrence by itself. */
typedef enum dp_latency_kind {
    DP_LATENCY_GET,       /* gets that a thread's magazine could not serve at once */
    DP_LATENCY_TIER_CALL, /* calls into the tier: regions, device copies, its store */
    DP_LATENCY_COUNT
} dp_latency_kind;

typedef struct dp_latency {
    uint64_t count;   /* timed since the pool was made */
    uint64_t untimed; /* DP_LATENCY_GET: gets that were not */
    uint64_t sum_ns;  /* of all that were timed */
    uint64_t p50_ns;  /* quantiles of the timed ones; at most 1.6 % off */
    uint64_t p99_ns;
    uint64_t p999_ns;
    uint64_t max_ns; /* exact */
} dp_latency;

/*
 * How long such operations took in one tier.  A get that finds a block in the calling thread's
 * magazine is not timed, since looking at the clock would cost more than the get: it takes no lock,
 * waits for nobody and calls nothing, so it is well under a microsecond by construction.  `untimed`
 * says how many those were; over all gets, the share of `untimed` lies below every figure here.
 * DP_ERR_INVALID: no such kind or tier.  Thread safe; reads 9 KiB and, for gets, the counters.
 */
DP_API dp_status dp_latency_read(dp_pool *pool, dp_latency_kind kind, dp_tier_id tier,
                                 dp_latency *out);

#ifdef __cplusplus
}
#endif

#endif
