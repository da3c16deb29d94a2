/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes through the codecs, the SVG guard and the resizer, under small limits.
 *
 * Beyond what the sanitizers see: an error has words, a picture is within the limits, and nothing
 * is held afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include <danpool/stats.h>

#include "pool/os.h"
#include "render/pipeline.h"

#define TIME_NS UINT64_C(2000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static dp_pool *pool_once(void)
{
    static dp_pool *pool;
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    if (pool == NULL && dp_pool_create(&config, &pool) != DP_OK) {
        abort();
    }
    return pool;
}

static void render(dp_pool *pool, dp_buf *source)
{
    render_task task = {
        .pool = pool, .deadline_ns = os_clock_ns() + TIME_NS, .input_pixels_max = 1000000};
    const dp_render_job job = {
        .source = source, .width_max = 24, .height_max = 20, .format = DP_MEDIA_PNG};
    char detail[BACKEND_DETAIL_BYTES];
    pipeline_backends backends;
    dp_render_result result;

    if (backend_cpu_open(pool, detail, &backends.first) != DP_OK) {
        abort();
    }
    backends.spare = backends.first;
    if (pipeline_run(&task, &backends, &job, &result) == DP_OK) {
        if (result.width > job.width_max || result.height > job.height_max) {
            abort();
        }
        dp_put(result.picture);
    } else if (task.message[0] == '\0') {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dp_pool *pool = pool_once();
    const dp_request request = {.size_bytes = size, .need = DP_NEED_HOST};
    dp_stats stats;
    dp_buf *source;

    if (size == 0 || dp_get(pool, &request, &source) != DP_OK) {
        return 0;
    }
    memcpy(dp_buf_data(source), data, size);
    render(pool, source);
    dp_put(source);
    dp_stats_read(pool, &stats);
    if (stats.tiers[DP_TIER_HOST].used_bytes != 0) {
        abort();
    }
    return 0;
}
