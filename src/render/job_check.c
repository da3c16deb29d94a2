/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job must be to be queued at all; see job_check.h.  Looks at its first bytes, never
 * further.
 */
#include "render/job_check.h"

#include "pool/os.h"
#include "render/codec.h"
#include "render/task.h"

bool dp_media_can_encode(dp_media_format format)
{
    const codec *encoder = codec_find(format);
    return encoder != NULL && encoder->encode != NULL;
}

static dp_status check_outputs(const dp_render_job *job)
{
    if (job->output_count == 0 || job->output_count > DP_RENDER_OUTPUTS_MAX) {
        return DP_ERR_INVALID;
    }
    for (unsigned i = 0; i < job->output_count; i++) {
        const dp_render_output *output = &job->outputs[i];
        if (output->width == 0 || output->height == 0 || output->width > RENDER_TARGET_SIDE_MAX ||
            output->height > RENDER_TARGET_SIDE_MAX ||
            (unsigned)output->fit >= DP_RENDER_FIT_COUNT) {
            return DP_ERR_INVALID;
        }
        if (!dp_media_can_encode(output->format == DP_MEDIA_UNKNOWN ? DP_MEDIA_WEBP
                                                                    : output->format)) {
            return DP_ERR_UNSUPPORTED;
        }
    }
    return DP_OK;
}

dp_status render_job_check(const dp_render_config *config, const dp_render_job *job)
{
    DP_ASSERT(job->source != NULL && job->done != NULL);
    const void *bytes = dp_buf_data(job->source);
    const size_t size_bytes = dp_buf_size(job->source);

    if (bytes == NULL || (unsigned)job->priority >= DP_PRIORITY_COUNT) {
        return DP_ERR_INVALID;
    }
    if (size_bytes > config->input_bytes_max) {
        return DP_ERR_TOO_LARGE;
    }
    const dp_media_format source = dp_media_sniff(bytes, size_bytes);
    if (source == DP_MEDIA_UNKNOWN) {
        return DP_ERR_FORMAT;
    }
    return dp_media_can_decode(source) ? check_outputs(job) : DP_ERR_UNSUPPORTED;
}
