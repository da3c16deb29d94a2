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

#include "kernels/shrink.h"
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
    bool moves, has_alpha;
    bool lossy; /* all of it */
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
    webp_decoder *d = (webp_decoder *)(void *)base;
    d->moves = features.has_animation;
    d->has_alpha = features.has_alpha;
    d->lossy = features.format == 1;
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

/* Decodes as the configuration says, into its own memory. */
static dp_status run(const webp_decoder *d, WebPDecoderConfig *config)
{
    WebPIDecoder *incremental = WebPIDecode(NULL, 0, config);
    if (incremental == NULL) {
        return decode_failed(d->base.task, VP8_STATUS_OUT_OF_MEMORY);
    }
    const dp_status status = feed(d, incremental);
    WebPIDelete(incremental);
    return status;
}

/*
 * Where the result will be much smaller, what a thumbnail does not show is left out: the filter
 * that smooths the seams of blocks (nothing is predicted from what it made), and smooth colours
 * between the halved ones.
 */
static dp_status configure(const webp_decoder *d, bool small, WebPDecoderConfig *config)
{
    if (!WebPInitDecoderConfig(config)) {
        return task_fail(d->base.task, DP_ERR_UNSUPPORTED, "another libwebp than at build time");
    }
    config->options.bypass_filtering = small;
    config->options.no_fancy_upsampling = small;
    config->output.is_external_memory = 1;
    return DP_OK;
}

static dp_status decode_colours(webp_decoder *d, const decode_hints *hints)
{
    const media_info *info = &d->base.info;
    const bool scale = hints->width <= info->width / 4 && hints->height <= info->height / 4;
    WebPDecoderConfig config;

    dp_status status = picture_take(d->base.task, scale ? hints->width * 2 : info->width,
                                    scale ? hints->height * 2 : info->height, 1, &d->out);
    if (status == DP_OK) {
        status = configure(d, scale, &config);
    }
    if (status != DP_OK) {
        return status;
    }
    const surface frame = picture_frame(&d->out, 0);
    config.options.use_scaling = scale;
    config.options.scaled_width = (int)frame.width;
    config.options.scaled_height = (int)frame.height;
    config.output.colorspace = MODE_RGBA;
    config.output.u.RGBA.rgba = frame.pixels;
    config.output.u.RGBA.stride = (int)surface_stride_bytes(&frame);
    config.output.u.RGBA.size = surface_bytes(&frame);
    return run(d, &config);
}

/* --- planes: opaque lossy pictures, made smaller before they have colours ------------------ */

/* Sides of the planes as decoded, and where they lie in one block with what shrinking needs. */
typedef struct webp_planes {
    uint32_t factors[2]; /* even; chroma is halved already */
    uint32_t luma[2], chroma[2];
    uint32_t small[2]; /* of all planes when they are shrunk */
    dp_buf *memory;
    uint8_t *decoded[3], *shrunk[3];
    void *scratch;
} webp_planes;

/* libwebp's own scaling costs more than half as much as its decoding; ours a tenth of that. */
static bool plan_planes(const webp_decoder *d, const decode_hints *hints, webp_planes *out)
{
    const uint32_t sides[2] = {d->base.info.width, d->base.info.height};
    const uint32_t wanted[2] = {hints->width, hints->height};
    *out = (webp_planes){0};
    for (int i = 0; i < 2; i++) {
        out->factors[i] = shrink_factor(sides[i], wanted[i]) & ~1u;
        if (out->factors[i] == 0) {
            return false;
        }
        out->luma[i] = sides[i];
        out->chroma[i] = sides[i] / 2 + sides[i] % 2;
        out->small[i] = shrink_side(sides[i], out->factors[i]);
    }
    return d->lossy && !d->has_alpha;
}

static dp_status take_planes(render_task *task, webp_planes *p)
{
    const size_t scratch_bytes = shrink_scratch_bytes(p->luma[0]);
    const size_t luma_bytes = (size_t)p->luma[0] * p->luma[1];
    const size_t chroma_bytes = (size_t)p->chroma[0] * p->chroma[1];
    const size_t small_bytes = (size_t)p->small[0] * p->small[1];
    const dp_request request = {.size_bytes =
                                    scratch_bytes + luma_bytes + 2 * chroma_bytes + 3 * small_bytes,
                                .need = DP_NEED_HOST};
    const dp_status status = task_get(task, &request, &p->memory);
    if (status != DP_OK) {
        return task_fail(task, status, "no memory to decode the webp");
    }
    uint8_t *at = dp_buf_data(p->memory);
    p->scratch = at;
    at += scratch_bytes;
    for (int i = 0; i < 3; i++) {
        p->decoded[i] = at;
        at += i == 0 ? luma_bytes : chroma_bytes;
    }
    for (int i = 0; i < 3; i++) {
        p->shrunk[i] = at;
        at += small_bytes;
    }
    return DP_OK;
}

static dp_status fill_planes(const webp_decoder *d, const webp_planes *p)
{
    WebPDecoderConfig config;
    const dp_status status = configure(d, true, &config);
    if (status != DP_OK) {
        return status;
    }
    WebPYUVABuffer *yuv = &config.output.u.YUVA;
    config.output.colorspace = MODE_YUV;
    yuv->y = p->decoded[0];
    yuv->u = p->decoded[1];
    yuv->v = p->decoded[2];
    yuv->y_stride = (int)p->luma[0];
    yuv->u_stride = yuv->v_stride = (int)p->chroma[0];
    yuv->y_size = (size_t)p->luma[0] * p->luma[1];
    yuv->u_size = yuv->v_size = (size_t)p->chroma[0] * p->chroma[1];
    return run(d, &config);
}

static void shrink_planes(const webp_planes *p)
{
    for (int i = 0; i < 3; i++) {
        const uint32_t *side = i == 0 ? p->luma : p->chroma;
        const uint32_t halved = i == 0 ? 1 : 2;
        const shrink_plane_args args = {.source = p->decoded[i],
                                        .stride_bytes = side[0],
                                        .width = side[0],
                                        .height = side[1],
                                        .factor_x = p->factors[0] / halved,
                                        .factor_y = p->factors[1] / halved,
                                        .target = p->shrunk[i]};
        shrink_plane(&args, p->scratch);
    }
}

static uint8_t clip(int value)
{
    return (uint8_t)(value < 0 ? 0 : (value > 255 ? 255 : value));
}

/* BT.601 of limited range (RFC 6386, 9.2) in 14-bit fractions. */
static void colour_planes(const webp_planes *p, const surface *out)
{
    const size_t pixels = (size_t)p->small[0] * p->small[1];
    for (size_t i = 0; i < pixels; i++) {
        const int luma = 19077 * (p->shrunk[0][i] - 16) + 8192;
        const int u = p->shrunk[1][i] - 128, v = p->shrunk[2][i] - 128;
        uint8_t *pixel = out->pixels + 4 * i;
        pixel[0] = clip((luma + 26149 * v) >> 14);
        pixel[1] = clip((luma - 6419 * u - 13320 * v) >> 14);
        pixel[2] = clip((luma + 33050 * u) >> 14);
        pixel[3] = 255;
    }
}

static dp_status decode_planes(webp_decoder *d, webp_planes *p)
{
    dp_status status = take_planes(d->base.task, p);
    if (status == DP_OK) {
        status = picture_take(d->base.task, p->small[0], p->small[1], 1, &d->out);
    }
    if (status == DP_OK) {
        status = fill_planes(d, p);
    }
    if (status == DP_OK) {
        const surface frame = picture_frame(&d->out, 0);
        shrink_planes(p);
        colour_planes(p, &frame);
    }
    dp_put(p->memory);
    return status;
}

static dp_status decode_still(decoder *base, const decode_hints *hints, picture *out)
{
    webp_decoder *d = (webp_decoder *)(void *)base;
    webp_planes planes;

    const dp_status status =
        plan_planes(d, hints, &planes) ? decode_planes(d, &planes) : decode_colours(d, hints);
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
