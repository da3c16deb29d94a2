/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dependent reads of one cache line each, all over a block of 256 MiB, in the huge tier and in
 * host.
 *
 * The lines of the block are one random cycle (S. Sattolo, "An algorithm to generate a random
 * cyclic permutation", 1986): each holds where the next is, so no read can start before the last
 * one has ended, and none is near it.  What differs between the tiers is the walk of the page
 * tables.
 */
#include "pool_pages.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <danpool/pool.h>

#define LINE_BYTES        64u
#define BYTES             ((size_t)256 << 20)
#define BYTES_QUICK       ((size_t)8 << 20)
#define READS             2000000u
#define READS_QUICK       20000u
#define PAGES_REPEATS_MAX 5

typedef struct line {
    uint32_t next;
    unsigned char rest[LINE_BYTES - sizeof(uint32_t)];
} line;

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 32) * limit >> 32);
}

static void make_cycle(line *lines, uint32_t count)
{
    uint64_t state = 1;
    for (uint32_t i = 0; i < count; i++) {
        lines[i].next = i;
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t at = random_below(&state, i);
        uint32_t next = lines[i].next;
        lines[i].next = lines[at].next;
        lines[at].next = next;
    }
}

/* Where the last read led: the next call goes on there, and no compiler may leave the reads out. */
static volatile uint32_t stopped_at[2];

/* ns a read. */
static double read_lines(const line *lines, unsigned reads, volatile uint32_t *at)
{
    uint32_t now = *at;
    uint64_t start = bench_now_ns();
    for (unsigned i = 0; i < reads; i++) {
        now = lines[now].next;
    }
    uint64_t end = bench_now_ns();
    *at = now;
    return (double)(end - start) / reads;
}

static void measure(bench *b, const char *name, dp_buf *const bufs[2], const char *detail)
{
    static bench_samples samples[2];
    unsigned reads = bench_is_quick(b) ? READS_QUICK : READS;
    uint32_t count = (uint32_t)(dp_buf_size(bufs[0]) / LINE_BYTES);
    int repeats = bench_repeats(b) < PAGES_REPEATS_MAX ? bench_repeats(b) : PAGES_REPEATS_MAX;
    for (int i = 0; i < 2; i++) {
        samples[i].count = 0;
        make_cycle(dp_buf_data(bufs[i]), count);
    }
    for (int i = 0; i < 2 * repeats; i++) {
        const line *lines = dp_buf_data(bufs[i % 2]);
        bench_samples_add(&samples[i % 2], read_lines(lines, reads, &stopped_at[i % 2]));
    }
    bench_row row = {.name = name,
                     .unit = "ns",
                     .value = bench_samples_quantile(&samples[0], 0.5),
                     .min = bench_samples_min(&samples[0]),
                     .p50 = bench_samples_quantile(&samples[0], 0.5),
                     .p99 = bench_samples_quantile(&samples[0], 0.99),
                     .peer_count = 1,
                     .goal = {.kind = BENCH_GOAL_RATIO_MAX, .limit = 1.0},
                     .note = detail};
    row.peers[0] = (bench_peer){"host tier", bench_samples_quantile(&samples[1], 0.5),
                                bench_samples_quantile(&samples[1], 0.99)};
    bench_emit(b, &row);
}

/* One block of each; the first rule is the huge tier's. */
static bool get_blocks(dp_pool *pool, size_t size_bytes, dp_buf *bufs[2])
{
    static const dp_kind kinds[2] = {DP_KIND_SURFACE, DP_KIND_OTHER};
    bool all = true;
    for (int i = 0; i < 2; i++) {
        dp_request request = {.size_bytes = size_bytes, .kind = kinds[i]};
        all = dp_get(pool, &request, &bufs[i]) == DP_OK && all;
    }
    return all;
}

void pool_pages_row(bench *b)
{
    static const dp_route_rule rules[] = {
        {.kind = DP_KIND_SURFACE, .tiers = {DP_TIER_HUGE, DP_TIER_NONE}},
        {.kind = DP_KIND_OTHER, .tiers = {DP_TIER_HOST, DP_TIER_NONE}},
    };
    const char *name = "huge random reads 256 MiB";
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool = NULL;
    dp_buf *bufs[2] = {NULL, NULL};
    dp_tier_info info;
    if (!bench_wants(b, name)) {
        return;
    }
    config.tiers = DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_HUGE);
    config.rules = rules;
    config.rule_count = sizeof rules / sizeof rules[0];
    dp_status status = dp_pool_create(&config, &pool);
    if (status != DP_OK) {
        bench_skip(b, name, dp_status_message(status));
        return;
    }
    size_t size_bytes = bench_is_quick(b) ? BYTES_QUICK : BYTES;
    if (dp_pool_tier_info(pool, DP_TIER_HUGE, &info) != DP_OK || info.state != DP_OK) {
        bench_skip(b, name, info.detail);
    } else if (!get_blocks(pool, size_bytes, bufs)) {
        bench_skip(b, name, "no memory for two such blocks");
    } else {
        measure(b, name, bufs, info.detail);
    }
    dp_put(bufs[0]);
    dp_put(bufs[1]);
    dp_pool_destroy(pool);
}
