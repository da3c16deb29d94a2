/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See webp_motion.h.
 *
 * libwebp's reader of animations keeps two canvases of its own and gives whole ones; its writer
 * keeps a few frames and finds out by itself what changed between them.  A frame is one call for
 * both: the deadline is looked at between frames.
 */
#include "render/webp_motion.h"

#include "dp_features.h"

#if DP_HAVE_WEBPDEMUX

#include <webp/demux.h>

#include "render/rows.h"

/* A file of no chunks but the pixels' has no sides; `VP8X` says that there may be more. */
static media_bytes chunk_of(const WebPDemuxer *demuxer, const char *name)
{
    WebPChunkIterator chunk;
    media_bytes out = {0};
    if (WebPDemuxGetChunk(demuxer, name, 1, &chunk)) {
        out = (media_bytes){chunk.chunk.bytes, chunk.chunk.size};
    }
    WebPDemuxReleaseChunkIterator(&chunk);
    return out;
}

webp_sides webp_read_sides(media_bytes file)
{
    const WebPData data = {file.data, file.size_bytes};
    webp_sides sides = {0};
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (demuxer != NULL) {
        sides.icc = chunk_of(demuxer, "ICCP");
        sides.exif = chunk_of(demuxer, "EXIF");
    }
    WebPDemuxDelete(demuxer);
    return sides;
}

static WebPAnimDecoder *open_frames(const decoder *d)
{
    const WebPData data = {d->bytes.data, d->bytes.size_bytes};
    WebPAnimDecoderOptions options;
    if (!WebPAnimDecoderOptionsInit(&options)) {
        return NULL;
    }
    options.color_mode = MODE_RGBA;
    return WebPAnimDecoderNew(&data, &options);
}

static dp_status read_frames(decoder *d, WebPAnimDecoder *frames, rows *r, const picture *p)
{
    int shown_ms = 0;
    for (uint32_t i = 0; i < p->frame_count; i++) {
        const surface frame = picture_frame(p, i);
        uint8_t *pixels = NULL;
        int until_ms = 0;
        if (task_check_time(d->task) != DP_OK) {
            return DP_ERR_TIMEOUT;
        }
        if (!WebPAnimDecoderGetNext(frames, &pixels, &until_ms)) {
            return task_fail(d->task, DP_ERR_FORMAT, "a frame of the webp is damaged");
        }
        const surface whole = {
            .pixels = pixels, .width = r->plan.source[0], .height = r->plan.source[1]};
        rows_begin(r, &frame);
        rows_put_frame(r, &whole);
        if (p->frame_count > 1) {
            picture_durations_ms(p)[i] = codec_duration_ms((double)until_ms - shown_ms);
        }
        shown_ms = until_ms;
    }
    return DP_OK;
}

static dp_status take_frames(decoder *d, const decode_hints *hints, const WebPAnimInfo *info,
                             rows *r, picture *out)
{
    const rows_plan plan = rows_plan_make(&d->info, hints);
    uint32_t kept;
    dp_status status = codec_frames_kept(d, hints, info->frame_count, plan.sides, &kept);
    if (status == DP_OK) {
        status = picture_take(d->task, plan.sides[0], plan.sides[1], kept, out);
    }
    if (status == DP_OK) {
        out->loop_count = info->loop_count;
        status = rows_open(r, d->task, &plan);
    }
    return status;
}

dp_status webp_read_frames(decoder *d, const decode_hints *hints, picture *out)
{
    WebPAnimInfo info;
    picture made = {0};
    rows r = {0};

    WebPAnimDecoder *frames = open_frames(d);
    if (frames == NULL) {
        return task_fail(d->task, DP_ERR_FORMAT, "the webp ends early or is damaged");
    }
    dp_status status = DP_OK;
    if (!WebPAnimDecoderGetInfo(frames, &info) || info.frame_count == 0 ||
        info.canvas_width != d->info.width || info.canvas_height != d->info.height) {
        status = task_fail(d->task, DP_ERR_FORMAT, "the webp's canvas makes no sense");
    }
    if (status == DP_OK) {
        status = take_frames(d, hints, &info, &r, &made);
    }
    if (status == DP_OK) {
        status = read_frames(d, frames, &r, &made);
    }
    WebPAnimDecoderDelete(frames);
    rows_close(&r);
    if (status != DP_OK) {
        picture_drop(&made);
        return status;
    }
    *out = made;
    return DP_OK;
}

#endif

#if DP_HAVE_WEBPMUX

#include <webp/encode.h>
#include <webp/mux.h>

#include "render/sink.h"

#define LOOPS_MAX 65535u /* what the file has bits for */

static dp_status write_failed(render_task *task)
{
    return task_fail(task, DP_ERR_NOMEM, "no memory to encode the webp");
}

static int go_on(int percent, const WebPPicture *webp)
{
    (void)percent;
    return task_check_time(webp->user_data) == DP_OK;
}

static dp_status add_frame(render_task *task, WebPAnimEncoder *encoder, const surface *frame,
                           const WebPConfig *config, int at_ms)
{
    WebPPicture webp;
    if (!WebPPictureInit(&webp)) {
        return task_fail(task, DP_ERR_UNSUPPORTED, "another libwebp than at build time");
    }
    webp.use_argb = 1;
    webp.width = (int)frame->width;
    webp.height = (int)frame->height;
    webp.progress_hook = go_on;
    webp.user_data = task;
    dp_status status = DP_OK;
    if (!WebPPictureImportRGBA(&webp, frame->pixels, (int)surface_stride_bytes(frame)) ||
        !WebPAnimEncoderAdd(encoder, &webp, at_ms, config)) {
        status = task_is_late(task) ? task_check_time(task) : write_failed(task);
    }
    WebPPictureFree(&webp);
    return status;
}

static dp_status add_frames(render_task *task, WebPAnimEncoder *encoder, const picture *p,
                            const WebPConfig *config)
{
    const uint32_t *durations_ms = picture_durations_ms(p);
    dp_status status = DP_OK;
    int at_ms = 0;

    for (uint32_t i = 0; i < p->frame_count && status == DP_OK; i++) {
        const surface frame = picture_frame(p, i);
        status = task_check_time(task);
        if (status == DP_OK) {
            status = add_frame(task, encoder, &frame, config, at_ms);
        }
        at_ms += durations_ms == NULL ? 0 : (int)durations_ms[i];
    }
    if (status == DP_OK && !WebPAnimEncoderAdd(encoder, NULL, at_ms, NULL)) {
        status = write_failed(task);
    }
    return status;
}

static dp_status assemble(render_task *task, WebPAnimEncoder *encoder, dp_buf **out)
{
    WebPData data;
    sink s;
    WebPDataInit(&data);
    if (!WebPAnimEncoderAssemble(encoder, &data)) {
        return write_failed(task);
    }
    sink_init(&s, task);
    dp_status status = sink_append(&s, data.bytes, data.size);
    WebPDataClear(&data);
    if (status == DP_OK) {
        status = sink_finish(&s, out);
    }
    sink_drop(&s);
    return status;
}

dp_status webp_write_frames(render_task *task, const picture *p, int method, float quality,
                            dp_buf **out)
{
    WebPAnimEncoderOptions options;
    WebPConfig config;

    if (!WebPAnimEncoderOptionsInit(&options) || !WebPConfigInit(&config)) {
        return task_fail(task, DP_ERR_UNSUPPORTED, "another libwebp than at build time");
    }
    options.anim_params.loop_count = (int)(p->loop_count < LOOPS_MAX ? p->loop_count : LOOPS_MAX);
    config.quality = quality;
    config.method = method;
    WebPAnimEncoder *encoder = WebPAnimEncoderNew((int)p->width, (int)p->height, &options);
    if (encoder == NULL) {
        return write_failed(task);
    }
    dp_status status = add_frames(task, encoder, p, &config);
    if (status == DP_OK) {
        status = assemble(task, encoder, out);
    }
    WebPAnimEncoderDelete(encoder);
    return status;
}

#endif
