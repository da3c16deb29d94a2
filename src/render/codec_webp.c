/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebP by libwebp; lossy and lossless.  What moves is webp_motion.c's, where its libraries are.
 *
 * Bytes are shown to the incremental decoder a piece at a time, without copies, so that the
 * deadline is looked at in between.  It writes straight into our surface.  Pictures much larger
 * than wanted are scaled by libwebp down to twice the wanted size; the rest is done in linear light
 * by the resizer.
 */
#include "dp_features.h"

#include "render/codec.h"

#if DP_HAVE_WEBP

#include <webp/decode.h>
#include <webp/encode.h>

#include "render/exif.h"
#include "render/sink.h"
#include "render/webp_motion.h"

#define PIECE_BYTES   ((size_t)32 << 10)
#define QUALITY       80.0f
#define ALPHA_QUALITY 100

/* Of libwebp's 0 .. 6: for a photograph, 4 takes a third longer for 4 % of the bytes. */
#define METHOD         2
#define METHOD_DRAWING 4

typedef struct webp_decoder {
    decoder base;
    picture out;
    bool moves;
} webp_decoder;

static dp_status decode_failed(render_task *task, VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return task_fail(task, DP_ERR_NOMEM, "no memory to decode the webp");
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return task_fail(task, DP_ERR_FORMAT, "the webp ends early");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return task_fail(task, DP_ERR_FORMAT, "the webp uses a feature we cannot read");
    default:
        return task_fail(task, DP_ERR_FORMAT, "the webp is damaged");
    }
}

static dp_status open_webp(decoder *base)
{
    WebPBitstreamFeatures features;
    const VP8StatusCode code = WebPGetFeatures(base->bytes.data, base->bytes.size_bytes, &features);
    if (code != VP8_STATUS_OK) {
        return decode_failed(base->task, code);
    }
    if (features.has_animation && !DP_HAVE_WEBPDEMUX) {
        return task_fail(base->task, DP_ERR_UNSUPPORTED, "this build cannot read animated webp");
    }
    base->info.width = (uint32_t)features.width;
    base->info.height = (uint32_t)features.height;
    ((webp_decoder *)(void *)base)->moves = features.has_animation;
#if DP_HAVE_WEBPDEMUX
    const webp_sides sides = webp_read_sides(base->bytes);
    base->info.orientation = exif_orientation(sides.exif.data, sides.exif.size_bytes);
    base->icc = sides.icc;
#endif
    return DP_OK;
}

static dp_status feed(const webp_decoder *d, WebPIDecoder *incremental)
{
    VP8StatusCode code = VP8_STATUS_SUSPENDED;
    size_t shown = 0;

    while (code == VP8_STATUS_SUSPENDED && shown < d->base.bytes.size_bytes) {
        if (task_check_time(d->base.task) != DP_OK) {
            return DP_ERR_TIMEOUT;
        }
        const size_t left = d->base.bytes.size_bytes - shown;
        shown += left < PIECE_BYTES ? left : PIECE_BYTES;
        code = WebPIUpdate(incremental, d->base.bytes.data, shown);
    }
    return code == VP8_STATUS_OK ? DP_OK : decode_failed(d->base.task, code);
}

static dp_status decode_still(decoder *base, const decode_hints *hints, picture *out)
{
    webp_decoder *d = (webp_decoder *)(void *)base;
    const bool scale =
        hints->width <= base->info.width / 4 && hints->height <= base->info.height / 4;
    WebPDecoderConfig config;

    dp_status status = picture_take(base->task, scale ? hints->width * 2 : base->info.width,
                                    scale ? hints->height * 2 : base->info.height, 1, &d->out);
    if (status != DP_OK) {
        return status;
    }
    if (!WebPInitDecoderConfig(&config)) {
        return task_fail(base->task, DP_ERR_UNSUPPORTED, "another libwebp than at build time");
    }
    config.options.use_scaling = scale;
    config.options.bypass_filtering = scale;
    config.options.no_fancy_upsampling = scale;
    config.options.scaled_width = (int)d->out.width;
    config.options.scaled_height = (int)d->out.height;
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    const surface frame = picture_frame(&d->out, 0);
    config.output.u.RGBA.rgba = frame.pixels;
    config.output.u.RGBA.stride = (int)surface_stride_bytes(&frame);
    config.output.u.RGBA.size = surface_bytes(&frame);
    WebPIDecoder *incremental = WebPIDecode(NULL, 0, &config);
    if (incremental == NULL) {
        return decode_failed(base->task, VP8_STATUS_OUT_OF_MEMORY);
    }
    status = feed(d, incremental);
    WebPIDelete(incremental);
    if (status == DP_OK) {
        *out = d->out;
        d->out = (picture){0};
    }
    return status;
}

static dp_status decode_webp(decoder *base, const decode_hints *hints, picture *out)
{
#if DP_HAVE_WEBPDEMUX
    if (((webp_decoder *)(void *)base)->moves) {
        return webp_read_frames(base, hints, out);
    }
#endif
    return decode_still(base, hints, out);
}

static void close_webp(decoder *base)
{
    picture_drop(&((webp_decoder *)(void *)base)->out);
}

static int write_bytes(const uint8_t *bytes, size_t size_bytes, const WebPPicture *webp)
{
    return sink_append(webp->custom_ptr, bytes, size_bytes) == DP_OK;
}

static int go_on(int percent, const WebPPicture *webp)
{
    const sink *s = webp->user_data;
    (void)percent;
    return task_check_time(s->task) == DP_OK;
}

static dp_status encode_failed(render_task *task, WebPEncodingError error)
{
    switch (error) {
    case VP8_ENC_ERROR_OUT_OF_MEMORY:
    case VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY:
    case VP8_ENC_ERROR_BAD_WRITE: /* the sink has said why, where there is more to say */
        return task_fail(task, DP_ERR_NOMEM, "no memory to encode the webp");
    case VP8_ENC_ERROR_USER_ABORT:
        return DP_ERR_TIMEOUT;
    default:
        return task_fail(task, DP_ERR_INVALID, "libwebp cannot encode this (%d)", (int)error);
    }
}

static dp_status encode_webp(render_task *task, const picture *p, const encode_hints *hints,
                             dp_buf **out)
{
#if DP_HAVE_WEBPMUX
    if (p->frame_count > 1) {
        return webp_write_frames(task, p, METHOD, QUALITY, out);
    }
#endif
    WebPConfig config;
    WebPPicture webp;
    sink s;

    if (!WebPConfigPreset(&config, hints->drawing ? WEBP_PRESET_ICON : WEBP_PRESET_PHOTO,
                          QUALITY) ||
        !WebPPictureInit(&webp)) {
        return task_fail(task, DP_ERR_UNSUPPORTED, "another libwebp than at build time");
    }
    const surface frame = picture_frame(p, 0);
    config.alpha_quality = ALPHA_QUALITY;
    config.method = hints->drawing ? METHOD_DRAWING : METHOD;
    /* Halved colour planes smear the edges of flat shapes; this spends time to place them well. */
    config.use_sharp_yuv = hints->drawing;
    sink_init(&s, task);
    webp.use_argb = hints->drawing;
    webp.width = (int)frame.width;
    webp.height = (int)frame.height;
    webp.writer = write_bytes;
    webp.custom_ptr = &s;
    webp.progress_hook = go_on;
    webp.user_data = &s;
    dp_status status = DP_OK;
    if (!WebPPictureImportRGBA(&webp, frame.pixels, (int)surface_stride_bytes(&frame)) ||
        !WebPEncode(&config, &webp)) {
        status = encode_failed(task, webp.error_code);
    }
    WebPPictureFree(&webp);
    if (status == DP_OK) {
        status = sink_finish(&s, out);
    }
    sink_drop(&s);
    return status;
}

const codec codec_webp = {.format = DP_MEDIA_WEBP,
                          .decoder_bytes = sizeof(webp_decoder),
                          .open = open_webp,
                          .decode = decode_webp,
                          .close = close_webp,
                          .encode = encode_webp};

#else

const codec codec_webp = {.format = DP_MEDIA_WEBP};

#endif
