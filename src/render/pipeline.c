/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pipeline.h.  At most two surfaces are held at a time: the decoded one and the small one that
 * it becomes; the first goes as soon as the second is made.
 */
#include "render/pipeline.h"

#include "pool/nvtx_mark.h"
#include "pool/os.h"
#include "render/codec.h"

void pipeline_fit(const uint32_t source[2], const uint32_t box[2], bool enlarge, uint32_t out[2])
{
    /* The side that meets the box first: compare the ratios by cross multiplication. */
    const uint64_t wide = (uint64_t)box[0] * source[1];
    const uint64_t high = (uint64_t)box[1] * source[0];
    const int tight = wide <= high ? 0 : 1;

    if (!enlarge && source[tight] <= box[tight]) {
        out[0] = source[0];
        out[1] = source[1];
        return;
    }
    const uint64_t other =
        ((uint64_t)source[1 - tight] * box[tight] + source[tight] / 2) / source[tight];
    out[tight] = box[tight];
    out[1 - tight] = other == 0 ? 1 : (uint32_t)other;
}

typedef struct pipeline_state {
    render_task *task;
    const dp_render_job *job;
    dp_render_result result;
    picture picture;
    bool drawing;
    unsigned orientation;
    uint32_t target[2]; /* before the picture is turned */
} pipeline_state;

static void plan_target(pipeline_state *s, const media_info *info)
{
    const bool side = orientation_lies_on_side(info->orientation);
    const uint32_t shown[2] = {side ? info->height : info->width,
                               side ? info->width : info->height};
    const uint32_t box[2] = {s->job->width_max, s->job->height_max};
    uint32_t fitted[2];

    pipeline_fit(shown, box, info->drawing, fitted);
    s->target[0] = fitted[side ? 1 : 0];
    s->target[1] = fitted[side ? 0 : 1];
    s->orientation = info->orientation;
    s->drawing = info->drawing;
    s->result.source_width = shown[0];
    s->result.source_height = shown[1];
}

static dp_status decode(pipeline_state *s)
{
    const media_bytes bytes = {.data = dp_buf_data(s->job->source),
                               .size_bytes = dp_buf_size(s->job->source)};
    decoder *d;

    dp_status status = codec_open(s->task, bytes, &d);
    if (status != DP_OK) {
        return status;
    }
    plan_target(s, &d->info);
    s->result.source_format = d->codec->format;
    s->result.engine = d->codec->engine;
    const decode_hints hints = {.width = s->target[0], .height = s->target[1], .frames_max = 1};
    status = codec_decode(d, &hints, &s->picture);
    codec_close(d);
    if (status == DP_OK) {
        s->result.surface_tier = dp_buf_tier(s->picture.buf);
    }
    return status;
}

/* Errors of the device or of its memory: the same job can still be done by the CPU. */
static bool spare_can_help(dp_status status)
{
    return status == DP_ERR_DEVICE || status == DP_ERR_NOMEM || status == DP_ERR_UNSUPPORTED ||
           status == DP_ERR_QUOTA;
}

static dp_status scale_into(pipeline_state *s, const pipeline_backends *backends,
                            const surface *target)
{
    const surface source = picture_frame(&s->picture, 0);
    dp_tier_id tier = DP_TIER_NONE;
    const backend *first = backends->first;
    dp_status status = first->ops->resize(backends->first, s->task, &source, target, &tier);
    const char *engine = first->ops->name;

    if (spare_can_help(status) && backends->spare != backends->first) {
        s->task->message[0] = '\0';
        status = backends->spare->ops->resize(backends->spare, s->task, &source, target, &tier);
        engine = "cpu (cuda failed)";
    }
    if (status == DP_OK) {
        s->result.engine = s->result.engine == NULL ? engine : s->result.engine;
        s->result.surface_tier = tier;
    }
    return status;
}

static dp_status resize(pipeline_state *s, const pipeline_backends *backends)
{
    picture scaled;

    if (s->picture.width == s->target[0] && s->picture.height == s->target[1]) {
        return DP_OK;
    }
    dp_status status = picture_take(s->task, s->target[0], s->target[1], 1, &scaled);
    if (status != DP_OK) {
        return status;
    }
    const surface frame = picture_frame(&scaled, 0);
    status = scale_into(s, backends, &frame);
    if (status != DP_OK) {
        picture_drop(&scaled);
        return status;
    }
    picture_drop(&s->picture);
    s->picture = scaled;
    return DP_OK;
}

static dp_status encode(pipeline_state *s)
{
    const encode_hints hints = {.drawing = s->drawing};
    s->result.format = s->job->format == DP_MEDIA_UNKNOWN ? DP_MEDIA_WEBP : s->job->format;
    s->result.width = s->picture.width;
    s->result.height = s->picture.height;
    return codec_encode(s->task, s->result.format, &s->picture, &hints, &s->result.picture);
}

dp_status pipeline_run(render_task *task, const pipeline_backends *backends,
                       const dp_render_job *job, dp_render_result *out)
{
    pipeline_state s = {.task = task, .job = job};
    const uint64_t begun = os_clock_ns();

    dp_status status = task_check_time(task);
    if (status == DP_OK) {
        nvtx_push(NVTX_DECODE, NVTX_CATEGORY_RENDER, dp_buf_size(job->source));
        status = decode(&s);
        nvtx_pop();
    }
    const uint64_t decoded = os_clock_ns();
    if (status == DP_OK) {
        status = task_check_time(task);
    }
    if (status == DP_OK) {
        nvtx_push(NVTX_RESIZE, NVTX_CATEGORY_RENDER, dp_buf_size(s.picture.buf));
        status = resize(&s, backends);
        if (status == DP_OK) {
            status = picture_orient(task, &s.picture, s.orientation);
        }
        nvtx_pop();
    }
    const uint64_t resized = os_clock_ns();
    if (status == DP_OK) {
        status = task_check_time(task);
    }
    if (status == DP_OK) {
        nvtx_push(NVTX_ENCODE, NVTX_CATEGORY_RENDER, dp_buf_size(s.picture.buf));
        status = encode(&s);
        nvtx_pop();
    }
    picture_drop(&s.picture);
    if (status == DP_OK) {
        s.result.engine = s.result.engine == NULL ? "cpu" : s.result.engine;
        s.result.decode_ns = decoded - begun;
        s.result.resize_ns = resized - decoded;
        s.result.encode_ns = os_clock_ns() - resized;
        *out = s.result;
    }
    return status;
}
