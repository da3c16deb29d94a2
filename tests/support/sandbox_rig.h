/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool and a sandbox of real processes over it, for tests; and tricks played on them.
 */
#ifndef DP_TESTS_SANDBOX_RIG_H
#define DP_TESTS_SANDBOX_RIG_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "decoder_trick.h"
#include "media_make.h"
#include "pool/os.h"
#include "render/sandbox_internal.h"

#define RIG_PIXELS_MAX UINT64_C(4000000)
#define RIG_BYTES_MAX  ((size_t)1 << 20)
#define RIG_NS_PER_MS  UINT64_C(1000000)
/* Enough for a process to start under a sanitizer on a busy machine. */
#define RIG_WAIT_NS (30000 * RIG_NS_PER_MS)

typedef struct sandbox_rig {
    dp_pool *pool;
    sandbox *box;
    bool filtered;
} sandbox_rig;

static inline void rig_open(sandbox_rig *rig, const sandbox_config *config)
{
    const dp_pool_config pool = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    char detail[SANDBOX_DETAIL_BYTES] = "";
    sandbox_stats stats;
    *rig = (sandbox_rig){0};
    assert_int_equal(dp_pool_create(&pool, &rig->pool), DP_OK);
    if (sandbox_create(rig->pool, config, detail, &rig->box) != DP_OK) {
        print_error("%s\n", detail);
        fail();
    }
    const uint64_t until_ns = os_clock_ns() + RIG_WAIT_NS;
    do {
        sandbox_stats_read(rig->box, &stats);
    } while (stats.workers_ready < config->workers && os_clock_ns() < until_ns);
    assert_int_equal(stats.workers_ready, config->workers);
    rig->filtered = stats.filtered;
}

static inline void rig_close(sandbox_rig *rig)
{
    sandbox_destroy(rig->box);
    dp_pool_destroy(rig->pool);
}

static inline sandbox_config rig_config(unsigned workers)
{
    return (sandbox_config){.program = DP_DECODER_TEST,
                            .workers = workers,
                            .input_bytes_max = RIG_BYTES_MAX,
                            .input_pixels_max = RIG_PIXELS_MAX};
}

static inline render_task rig_task(const sandbox_rig *rig, uint64_t time_ms)
{
    return (render_task){.pool = rig->pool,
                         .deadline_ns = os_clock_ns() + time_ms * RIG_NS_PER_MS,
                         .input_pixels_max = RIG_PIXELS_MAX};
}

/* Sends the words `text` as a source and has the worker play a trick on them. */
static inline dp_status rig_trick_from(sandbox_rig *rig, render_task *task, const char *text,
                                       uint64_t tenant, decoder_trick_kind trick)
{
    const media_bytes source = {.data = (const uint8_t *)text, .size_bytes = strlen(text)};
    wire_request request = {.trick = trick, .source_bytes = source.size_bytes};
    wire_reply reply;
    sandbox_job job;

    task->tenant = tenant;
    dp_status status = sandbox_begin(rig->box, task, source, &job);
    if (status == DP_OK) {
        const wire_expected expected = {.op = WIRE_TRICK, .job = job.number};
        job.region->dirty_bytes = SIZE_MAX;
        request.place_bytes = job.place_bytes;
        status = sandbox_ask(&job, job.region, &request, &expected, &reply);
        status = status == DP_OK ? (dp_status)reply.status : status;
        sandbox_close(&job);
    }
    return status;
}

static inline dp_status rig_trick(sandbox_rig *rig, render_task *task, decoder_trick_kind trick)
{
    return rig_trick_from(rig, task, "a source of no format", 0, trick);
}

/* Opens and decodes; the picture is the caller's. */
static inline dp_status rig_picture(sandbox_rig *rig, render_task *task, const made_media *media,
                                    const uint32_t size[2], picture *out)
{
    const media_bytes source = {media->bytes, media->size_bytes};
    sandbox_job job;

    dp_status status = sandbox_open(rig->box, task, source, &job);
    if (status == DP_OK) {
        const decode_hints hints = {.width = size == NULL ? job.info.width : size[0],
                                    .height = size == NULL ? job.info.height : size[1]};
        status = sandbox_decode(&job, &hints, out);
        sandbox_close(&job);
    }
    return status;
}

static inline uint64_t rig_deaths(const sandbox_rig *rig, sandbox_cause cause)
{
    sandbox_stats stats;
    sandbox_stats_read(rig->box, &stats);
    return stats.deaths[cause];
}

static inline unsigned rig_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

#endif
