/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of bench_thumb: one file, decoded once for several boxes, each resampled and encoded, on
 * the calling thread, with the codecs and the kernels that the pipeline uses.
 */
#ifndef DP_BENCH_THUMB_WORK_H
#define DP_BENCH_THUMB_WORK_H

#include "render/codec.h"

#define THUMB_OUTPUTS_MAX 3u

typedef struct thumb_output {
    uint32_t width, height;
    dp_media_format format;
} thumb_output;

/* `results` get one reference each; on an error none is held. */
dp_status thumb_work_run(render_task *task, media_bytes file, const thumb_output *outputs,
                         size_t count, dp_buf **results);

#endif
