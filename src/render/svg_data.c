/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Embedded pictures are unpacked once, here, to read their headers: a kilobyte of text can be a
 * picture of a gigapixel, and librsvg's loaders have no limit of ours.  The unpacked bytes go when
 * the size is known.  RFC 2397 (data:), RFC 4648 (base64).
 */
#include "render/svg_data.h"

#include <string.h>
#include <strings.h>

static const char *const labels[] = {
    "data:image/png;base64,",  "data:image/jpeg;base64,", "data:image/jpg;base64,",
    "data:image/webp;base64,", "data:image/gif;base64,",
};

const char *svg_data_picture(const char *address)
{
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        const size_t length = strlen(labels[i]);
        if (strncasecmp(address, labels[i], length) == 0) {
            return address + length;
        }
    }
    return NULL;
}

/* 0 .. 63, or -1. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : (c == '/' ? 63 : -1);
}

/* Unpacks at most 3/4 of the text's length; false when it is no base64. */
static bool unpack(const char *text, uint8_t *out, size_t *size_bytes)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t at = 0;

    for (; *text != '\0' && *text != '='; text++) {
        if (strchr(" \t\r\n\f", *text) != NULL) {
            continue;
        }
        const int value = digit_value(*text);
        if (value < 0) {
            return false;
        }
        bits = (bits << 6 | (uint32_t)value) & 0xffffu;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[at++] = (uint8_t)(bits >> held);
        }
    }
    *size_bytes = at;
    return true;
}

static dp_status header_pixels(render_task *task, media_bytes bytes, uint64_t *pixels)
{
    decoder *d;
    if (dp_media_sniff(bytes.data, bytes.size_bytes) == DP_MEDIA_SVG) {
        return task_fail(task, DP_ERR_FORMAT, "svg embeds another svg");
    }
    const dp_status status = codec_open(task, bytes, &d);
    if (status == DP_OK) {
        *pixels = (uint64_t)d->info.width * d->info.height;
        codec_close(d);
    }
    return status;
}

dp_status svg_data_pixels(render_task *task, const char *base64, uint64_t *pixels)
{
    const dp_request request = {.size_bytes = strlen(base64) / 4 * 3 + 4, .need = DP_NEED_HOST};
    dp_buf *buf;
    dp_status status = task_get(task, &request, &buf);
    if (status != DP_OK) {
        return task_fail(task, status, "no memory to read an embedded picture");
    }
    media_bytes bytes = {.data = dp_buf_data(buf)};
    if (unpack(base64, dp_buf_data(buf), &bytes.size_bytes)) {
        status = header_pixels(task, bytes, pixels);
    } else {
        status = task_fail(task, DP_ERR_FORMAT, "svg embeds a picture that is not base64");
    }
    dp_put(buf);
    return status;
}
