/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec table and its front functions, the only callers of a codec's slots.  See codec.h.
 */
#include "render/codec.h"

#include <inttypes.h>

#include "dp_features.h"

#include "pool/os.h"
#include "render/icc.h"

static const codec *const table[DP_MEDIA_FORMAT_COUNT] = {
    [DP_MEDIA_JPEG] = &codec_jpeg, [DP_MEDIA_PNG] = &codec_png,   [DP_MEDIA_WEBP] = &codec_webp,
    [DP_MEDIA_GIF] = &codec_gif,   [DP_MEDIA_AVIF] = &codec_avif, [DP_MEDIA_SVG] = &codec_svg,
};

const codec *codec_find(dp_media_format format)
{
    return (unsigned)format < DP_MEDIA_FORMAT_COUNT ? table[format] : NULL;
}

bool dp_media_can_decode(dp_media_format format)
{
    const codec *found = codec_find(format);
    return found != NULL && found->decode != NULL;
}

dp_status codec_open(render_task *task, media_bytes bytes, decoder **out)
{
    const codec *found = codec_find(dp_media_sniff(bytes.data, bytes.size_bytes));
    if (found == NULL) {
        return task_fail(task, DP_ERR_FORMAT, "not a picture we know");
    }
    if (found->decode == NULL) {
        return task_fail(task, DP_ERR_UNSUPPORTED, "this build cannot read %s",
                         dp_media_format_name(found->format));
    }
    decoder *d = os_calloc(1, found->decoder_bytes);
    if (d == NULL) {
        return task_fail(task, DP_ERR_NOMEM, "no memory for a decoder");
    }
    *d = (decoder){.codec = found, .task = task, .bytes = bytes, .info = {.orientation = 1}};
    dp_status status = found->open(d);
    if (status == DP_OK && !d->info.drawing) {
        status = task_check_pixels(task, d->info.width, d->info.height);
    }
    if (status != DP_OK) {
        codec_close(d);
        return status;
    }
    *out = d;
    return DP_OK;
}

dp_status codec_decode(decoder *d, const decode_hints *hints, picture *out)
{
    DP_ASSERT(hints->width > 0 && hints->height > 0);
    picture made;
    dp_status status = task_check_time(d->task);
    if (status == DP_OK) {
        status = d->codec->decode(d, hints, &made);
    }
    if (status != DP_OK) {
        return status;
    }
    if (d->icc.data != NULL && made.kind == PICTURE_RGBA) {
        status = icc_picture(d->task, d->icc, &made);
    }
    if (status != DP_OK) {
        picture_drop(&made);
        return status;
    }
    *out = made;
    return DP_OK;
}

void codec_close(decoder *d)
{
    if (d == NULL) {
        return;
    }
    if (d->codec->close != NULL) {
        d->codec->close(d);
    }
    os_free(d);
}

dp_status codec_encode(render_task *task, dp_media_format format, const picture *p,
                       const encode_hints *hints, dp_buf **out)
{
    const codec *found = codec_find(format);
    if (found == NULL || found->encode == NULL) {
        return task_fail(task, DP_ERR_UNSUPPORTED, "this build cannot write %s",
                         dp_media_format_name(format));
    }
    DP_ASSERT(p->kind == PICTURE_RGBA);
    return found->encode(task, p, hints, out);
}

bool codec_can_move(dp_media_format format)
{
    return format == DP_MEDIA_WEBP && codec_webp.encode != NULL && DP_HAVE_WEBPMUX;
}

#define DURATION_MS_DEFAULT 100u
#define DURATION_MS_MAX     60000u

/* Browsers take what is faster than a display for a mistake, and so do we. */
#define DURATION_MS_SHORTEST 11.0

uint32_t codec_duration_ms(double ms)
{
    if (!(ms >= DURATION_MS_SHORTEST)) { /* a NaN too */
        return DURATION_MS_DEFAULT;
    }
    return ms < DURATION_MS_MAX ? (uint32_t)ms : DURATION_MS_MAX;
}

dp_status codec_frames_kept(const decoder *d, const decode_hints *hints, uint32_t count,
                            const uint32_t sides[2], uint32_t *kept)
{
    const uint64_t frame_bytes = (uint64_t)sides[0] * sides[1] * 4;
    const uint64_t pixels = (uint64_t)d->info.width * d->info.height;
    const uint32_t wanted =
        hints->frames_max < PICTURE_FRAMES_MAX ? hints->frames_max : PICTURE_FRAMES_MAX;
    uint64_t frames = count < wanted ? count : wanted;

    if (hints->bytes_max != 0 && frames > hints->bytes_max / frame_bytes) {
        frames = hints->bytes_max / frame_bytes;
    }
    frames = frames == 0 ? 1 : frames;
    if (frames > 1 && frames * pixels > ANIMATION_PIXELS_FACTOR * d->task->input_pixels_max) {
        return task_fail(d->task, DP_ERR_TOO_LARGE,
                         "%" PRIu64 " frames of %u x %u pixels are too many", frames, d->info.width,
                         d->info.height);
    }
    *kept = (uint32_t)frames;
    return DP_OK;
}
