/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job from bytes to bytes: open -> fit -> decode -> resize -> turn -> encode.
 *
 * Runs on one thread and keeps nothing; danpoolctl and the workers go through it alike.
 */
#ifndef DP_RENDER_PIPELINE_H
#define DP_RENDER_PIPELINE_H

#include "render/backend.h"
#include "render/render.h"

typedef struct pipeline_backends {
    backend *first; /* who scales */
    backend *spare; /* who does when a device failed; may be the same */
} pipeline_backends;

/*
 * Renders the job within the task's limits.  On DP_OK `out` is filled (but for queued_ns) and the
 * caller owns out->picture; else the task has words.
 */
dp_status pipeline_run(render_task *task, const pipeline_backends *backends,
                       const dp_render_job *job, dp_render_result *out);

/*
 * The size of a picture of width x height fitted into a box: the largest with the same proportions,
 * never larger than the picture itself unless `enlarge`; no side below 1.
 */
void pipeline_fit(const uint32_t source[2], const uint32_t box[2], bool enlarge, uint32_t out[2]);

#endif
