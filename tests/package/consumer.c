/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody else's program does with an installed danpool, in the C that C++ takes too: opens a
 * pool, gets, writes and reads a buffer, puts it, reads the counters.  Built and run by
 * test_package.sh once for each way to link; says "good" and the tier, or where it failed.
 *
 * With CONSUMER_OWN_NAMES it also has functions that are named like the library's insides: an
 * archive must not make those its own.
 */
#include <danpool/buf.h>
#include <danpool/cache.h>
#include <danpool/pool.h>
#include <danpool/stats.h>
#include <danpool/status.h>
#include <danpool/tier.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(bool is, const char *what)
{
    if (!is) {
        printf("consumer: no: %s\n", what);
        exit(1);
    }
}

#ifdef CONSUMER_OWN_NAMES
void os_free(void *memory);
void slab_destroy(void *slab);

void os_free(void *memory)
{
    (void)memory;
    expect(false, "the library called the program's os_free()");
}

void slab_destroy(void *slab)
{
    (void)slab;
    expect(false, "the library called the program's slab_destroy()");
}
#endif

int main(void)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool = NULL;
    dp_buf *buf = NULL;
    dp_request request;
    dp_stats stats;
    char back[6];
    expect(dp_pool_create(&config, &pool) == DP_OK, "the pool is made");
    memset(&request, 0, sizeof request);
    request.size_bytes = 4096;
    request.kind = DP_KIND_TEXT;
    request.need = DP_NEED_HOST;
    expect(dp_get(pool, &request, &buf) == DP_OK, "a buffer is got");
    expect(dp_buf_capacity(buf) >= 4096, "it is as large as asked for");
    expect(dp_buf_write(buf, 4090, "hello", 6) == DP_OK, "it is written");
    expect(dp_buf_read(buf, 4090, back, 6) == DP_OK, "it is read");
    expect(memcmp(back, "hello", 6) == 0, "what was written is read");
    dp_tier_id tier = dp_buf_tier(buf);
    dp_put(buf);
    dp_stats_read(pool, &stats);
    expect(stats.tiers[tier].gets[DP_FAMILY_LARGE] == 1, "one get is counted");
    expect(stats.tiers[tier].puts[DP_FAMILY_LARGE] == 1, "one put is counted");
    expect(stats.tiers[tier].used_bytes == 0, "nothing is held");
    expect(stats.bytes_copied == 12, "the bytes that were copied are counted");
    dp_pool_destroy(pool);
    printf("good %s\n", dp_tier_name(tier));
    return 0;
}
