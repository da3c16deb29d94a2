/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: recordings and latencies of a pool, as its users ask for them.  Everything is the
 * observer's; here is only which one, and that a recording closes the short way of gets while it
 * runs.  The two change together, under a lock of their own: switch_lock, then the trace's.
 */
#include <danpool/trace.h>

#include "pool/pool_state.h"
#include "pool/trace_file.h"

static pthread_mutex_t switch_lock = PTHREAD_MUTEX_INITIALIZER;

struct observer *pool_observer(dp_pool *pool)
{
    return &pool->observer;
}

dp_status dp_trace_start(dp_pool *pool, uint32_t events_per_thread)
{
    DP_ASSERT(pool != NULL);
    os_lock(&switch_lock);
    dp_status status = trace_start(&pool->observer.trace, events_per_thread);
    if (status == DP_OK)
        pool_fast_follow(pool);
    os_unlock(&switch_lock);
    return status;
}

void dp_trace_stop(dp_pool *pool)
{
    os_lock(&switch_lock);
    trace_stop(&pool->observer.trace);
    pool_fast_follow(pool);
    os_unlock(&switch_lock);
}

void dp_trace_stats_read(dp_pool *pool, dp_trace_stats *out)
{
    trace_stats_read(&pool->observer.trace, out);
}

static dp_status trace_write(dp_pool *pool, FILE *to,
                             dp_status (*write)(const trace_file *file, FILE *to))
{
    DP_ASSERT(to != NULL);
    trace_file file;
    dp_status status = trace_file_from(&pool->observer.trace, &file);
    if (status != DP_OK)
        return status;
    status = write(&file, to);
    trace_file_clear(&file);
    return status;
}

dp_status dp_trace_write(dp_pool *pool, FILE *to)
{
    return trace_write(pool, to, trace_file_write);
}

dp_status dp_trace_write_chrome(dp_pool *pool, FILE *to)
{
    return trace_write(pool, to, trace_file_write_chrome);
}

/* Gets of that tier by the counters, less those that were timed. */
static uint64_t untimed_gets(dp_pool *pool, dp_tier_id tier, uint64_t timed)
{
    dp_stats stats;
    dp_stats_read(pool, &stats);
    uint64_t gets = 0;
    for (unsigned family = 0; family < DP_FAMILY_COUNT; family++)
        gets += stats.tiers[tier].gets[family];
    return gets > timed ? gets - timed : 0;
}

dp_status dp_latency_read(dp_pool *pool, dp_latency_kind kind, dp_tier_id tier, dp_latency *out)
{
    if ((unsigned)kind >= DP_LATENCY_COUNT || (unsigned)tier >= DP_TIER_COUNT)
        return DP_ERR_INVALID;
    histogram_sum sum = {.total = 0};
    histogram_merge(&sum, &pool->observer.latency[kind][tier]);
    *out = (dp_latency){
        .count = sum.total,
        .untimed = kind == DP_LATENCY_GET ? untimed_gets(pool, tier, sum.total) : 0,
        .sum_ns = sum.sum,
        .p50_ns = histogram_quantile(&sum, 0.5),
        .p99_ns = histogram_quantile(&sum, 0.99),
        .p999_ns = histogram_quantile(&sum, 0.999),
        .max_ns = sum.max,
    };
    return DP_OK;
}
