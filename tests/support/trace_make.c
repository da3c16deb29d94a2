/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a recording whose every count is known, for tests of the programs that read one.
 *
 * usage: trace_make FILE
 * 300 gets in take_text(), all put, of one block; 40 in take_sticker(), of which 7 stay held in the
 * recording.
 */
#include <stdio.h>

#include <danpool/trace.h>

#define STICKERS 40
#define HELD     7

static __attribute__((noinline)) dp_buf *take_text(dp_pool *pool)
{
    const dp_request request = {.size_bytes = 100, .kind = DP_KIND_TEXT};
    dp_buf *buf = NULL;
    return dp_get(pool, &request, &buf) == DP_OK ? buf : NULL;
}

static __attribute__((noinline)) dp_buf *take_sticker(dp_pool *pool)
{
    const dp_request request = {.size_bytes = 5000, .kind = DP_KIND_ENCODED};
    dp_buf *buf = NULL;
    return dp_get(pool, &request, &buf) == DP_OK ? buf : NULL;
}

int main(int argc, char **argv)
{
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    dp_pool *pool = NULL;
    dp_buf *held[STICKERS];
    if (argc != 2 || dp_pool_create(&config, &pool) != DP_OK ||
        dp_trace_start(pool, 10000) != DP_OK) {
        return 1;
    }
    for (int i = 0; i < 300; i++) {
        dp_put(take_text(pool));
    }
    for (int i = 0; i < STICKERS; i++) {
        held[i] = take_sticker(pool);
    }
    for (int i = HELD; i < STICKERS; i++) {
        dp_put(held[i]);
    }
    FILE *to = fopen(argv[1], "wb");
    const int ok = to != NULL && dp_trace_write(pool, to) == DP_OK && fclose(to) == 0;
    for (int i = 0; i < HELD; i++) {
        dp_put(held[i]);
    }
    dp_pool_destroy(pool);
    return ok ? 0 : 1;
}
