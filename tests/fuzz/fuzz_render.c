/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes through one whole job of several outputs, under small limits: the plan of
 * its outputs, cuts, shared pixels and frames, on top of what fuzz_decode sees of the codecs.
 *
 * Beyond what the sanitizers see: an error has words, a result is within its size, and nothing is
 * held afterwards.
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

/* Three shapes of output, so that a cut and an animation are among them. */
static const dp_render_job wanted = {
    .outputs = {{.width = 24, .height = 20, .format = DP_MEDIA_PNG},
                {.width = 16, .height = 16, .fit = DP_RENDER_COVER, .format = DP_MEDIA_WEBP},
                {.width = 9, .height = 30, .fit = DP_RENDER_EXACT, .format = DP_MEDIA_JPEG}},
    .output_count = 3};

static void render(dp_pool *pool, dp_buf *source)
{
    char detail[BACKEND_DETAIL_BYTES];
    dp_render_job job = wanted;
    backend *cpu;

    job.source = source;
    if (backend_cpu_open(pool, detail, &cpu) != DP_OK) {
        abort();
    }
    pipeline p = {
        .task = {.pool = pool, .deadline_ns = os_clock_ns() + TIME_NS, .input_pixels_max = 1000000},
        .job = &job,
        .reader = &decode_in_thread,
        .animation_bytes_max = (size_t)16 << 20};
    if (pipeline_run(&p, cpu, NULL) == DP_OK) {
        for (unsigned i = 0; i < job.output_count; i++) {
            if (p.result.pictures[i].width > job.outputs[i].width ||
                p.result.pictures[i].height > job.outputs[i].height) {
                abort();
            }
        }
        pipeline_drop_results(&p);
    } else if (p.task.message[0] == '\0') {
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
