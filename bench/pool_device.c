/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get+put on every tier but host and pmem beside the bare calls that those tiers are made of.
 *
 * The peer goes through the tier's own region_get/region_put, so both sides use the same driver or
 * kernel calls with the same flags.  Blocks are not written: the figure is the allocator's, not the
 * bus's or the page fault's.
 */
#include "pool_device.h"
#include "pool_pages.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <danpool/pool.h>

#include "pool/tier.h"

#define POOL_OPS         20000u
#define POOL_OPS_QUICK   2000u
#define DRIVER_OPS       50u
#define DRIVER_OPS_QUICK 5u

static const size_t device_sizes[] = {64u << 10, 1u << 20};

/* ns a pair through the pool; NAN when a get fails. */
static double pool_pairs(dp_pool *pool, size_t size_bytes, unsigned ops)
{
    const dp_request request = {.size_bytes = size_bytes};
    uint64_t start = bench_now_ns();
    for (unsigned i = 0; i < ops; i++) {
        dp_buf *buf = NULL;
        if (dp_get(pool, &request, &buf) != DP_OK) {
            return NAN;
        }
        dp_put(buf);
    }
    return (double)(bench_now_ns() - start) / ops;
}

static double driver_pairs(dp_tier *tier, size_t size_bytes, unsigned ops)
{
    uint64_t start = bench_now_ns();
    for (unsigned i = 0; i < ops; i++) {
        tier_region region;
        if (tier_region_get(tier, size_bytes, &region) != DP_OK) {
            return NAN;
        }
        tier_region_put(tier, &region);
    }
    return (double)(bench_now_ns() - start) / ops;
}

static void device_row(bench *b, dp_pool *pool, dp_tier *tier, size_t size_bytes)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s get+put %zu KiB", tier->info.name, size_bytes >> 10);
    if (!bench_wants(b, name)) {
        return;
    }
    unsigned pool_ops = bench_is_quick(b) ? POOL_OPS_QUICK : POOL_OPS;
    unsigned driver_ops = bench_is_quick(b) ? DRIVER_OPS_QUICK : DRIVER_OPS;
    static bench_samples ours;
    static bench_samples theirs;
    ours.count = 0;
    theirs.count = 0;
    (void)pool_pairs(pool, size_bytes, pool_ops / 10);
    (void)driver_pairs(tier, size_bytes, 2);
    for (int i = 0; i < bench_repeats(b); i++) {
        bench_samples_add(&ours, pool_pairs(pool, size_bytes, pool_ops));
        bench_samples_add(&theirs, driver_pairs(tier, size_bytes, driver_ops));
    }
    bench_row row = {.name = name,
                     .unit = "ns",
                     .value = bench_samples_quantile(&ours, 0.5),
                     .min = bench_samples_min(&ours),
                     .p50 = bench_samples_quantile(&ours, 0.5),
                     .p99 = bench_samples_quantile(&ours, 0.99),
                     .peer_count = 1};
    const char *bare = tier->info.device_visible ? "driver alloc+free" : "kernel map+unmap";
    row.peers[0] = (bench_peer){bare, bench_samples_quantile(&theirs, 0.5),
                                bench_samples_quantile(&theirs, 0.99)};
    bench_emit(b, &row);
}

static void device_skip(bench *b, dp_tier_id id, const char *why)
{
    for (size_t i = 0; i < sizeof device_sizes / sizeof device_sizes[0]; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s get+put %zu KiB", dp_tier_name(id),
                       device_sizes[i] >> 10);
        if (bench_wants(b, name)) {
            bench_skip(b, name, why);
        }
    }
}

static void device_tier(bench *b, dp_tier_id id)
{
    const dp_route_rule rule = {.kind = DP_KIND_COUNT, .tiers = {id, DP_TIER_NONE}};
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(id);
    config.rules = &rule;
    config.rule_count = 1;
    dp_pool *pool = NULL;
    dp_tier *tier = NULL;
    char detail[96] = "";
    const tier_open_args none = {.pmem_path = NULL};
    dp_status status = tier_open(id, &none, detail, &tier);
    if (status != DP_OK) {
        device_skip(b, id, *detail != '\0' ? detail : dp_status_message(status));
        return;
    }
    status = dp_pool_create(&config, &pool);
    if (status != DP_OK) {
        device_skip(b, id, dp_status_message(status));
    } else {
        for (size_t i = 0; i < sizeof device_sizes / sizeof device_sizes[0]; i++) {
            device_row(b, pool, tier, device_sizes[i]);
        }
    }
    dp_pool_destroy(pool);
    tier_close(tier);
}

void pool_device_rows(bench *b)
{
    static const dp_tier_id ids[] = {DP_TIER_HUGE, DP_TIER_PINNED, DP_TIER_HBM, DP_TIER_MANAGED,
                                     DP_TIER_SHM};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        device_tier(b, ids[i]);
    }
    pool_pages_row(b);
}
