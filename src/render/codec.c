/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec table and its front functions, the only callers of a codec's slots.  See codec.h.
 */
#include "render/codec.h"

#include "pool/os.h"

static const codec *const table[DP_MEDIA_FORMAT_COUNT] = {
    [DP_MEDIA_JPEG] = &codec_jpeg, [DP_MEDIA_PNG] = &codec_png, [DP_MEDIA_WEBP] = &codec_webp,
    [DP_MEDIA_GIF] = &codec_gif,   [DP_MEDIA_SVG] = &codec_svg,
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

dp_status codec_decode(decoder *d, uint32_t width, uint32_t height, surface *out)
{
    DP_ASSERT(width > 0 && height > 0);
    const dp_status status = task_check_time(d->task);
    return status == DP_OK ? d->codec->decode(d, width, height, out) : status;
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

dp_status codec_encode(render_task *task, dp_media_format format, const surface *picture,
                       const encode_hints *hints, dp_buf **out)
{
    const codec *found = codec_find(format);
    if (found == NULL || found->encode == NULL) {
        return task_fail(task, DP_ERR_UNSUPPORTED, "this build cannot write %s",
                         dp_media_format_name(format));
    }
    return found->encode(task, picture, hints, out);
}
