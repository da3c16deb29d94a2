/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See sheet.h.  Names are drawn by the SVG codec, from a document of our own with one text in it,
 * where this build has it; the sheet is without names where not.
 */
#include "ctl/sheet.h"

#include <stdio.h>
#include <string.h>

#include "kernels/composite.h"
#include "render/codec.h"

#define MARGIN      8u
#define LABEL_BYTES 1024
/* A name is shown by its end, which is what differs. */
#define NAME_SHOWN   20u
#define LABEL_HEIGHT 16u

static uint32_t cell_height(const sheet *s)
{
    return SHEET_CELL_SIDE + (s->labels ? LABEL_HEIGHT : 0) + MARGIN;
}

dp_status sheet_open(dp_pool *pool, unsigned cell_count, bool labels, sheet *out)
{
    sheet s = {.task = {.pool = pool}, .cell_count = cell_count, .columns = 1, .labels = labels};
    if (cell_count == 0 || cell_count > SHEET_CELLS_MAX) {
        return DP_ERR_TOO_LARGE;
    }
    while (s.columns * s.columns < cell_count) {
        s.columns++;
    }
    const uint32_t rows = (cell_count + s.columns - 1) / s.columns;
    const dp_status status = picture_take(&s.task, MARGIN + s.columns * (SHEET_CELL_SIDE + MARGIN),
                                          MARGIN + rows * cell_height(&s), 1, &s.pixels);
    if (status != DP_OK) {
        return status;
    }
    memset(s.pixels.bytes, 255, s.pixels.frame_bytes);
    *out = s;
    return DP_OK;
}

/* Lays a picture, which it premultiplies, over the sheet; what hangs over is cut. */
static void lay(const sheet *s, const surface *from, uint32_t left, uint32_t top)
{
    const surface to = picture_frame(&s->pixels, 0);
    composite_premultiply_cpu(from->pixels, (size_t)from->width * from->height);
    const uint32_t width = from->width < to.width - left ? from->width : to.width - left;
    for (uint32_t y = 0; y < from->height && top + y < to.height; y++) {
        composite_over_cpu(surface_row(&to, top + y) + (size_t)left * 4, surface_row(from, y),
                           width);
    }
}

static dp_status decode(const sheet *s, media_bytes bytes, picture *out)
{
    render_task task = {.pool = s->task.pool, .input_pixels_max = 1u << 20};
    decoder *d;
    dp_status status = codec_open(&task, bytes, &d);
    if (status == DP_OK) {
        const decode_hints hints = {
            .width = d->info.width, .height = d->info.height, .frames_max = 1};
        status = codec_decode(d, &hints, out);
        codec_close(d);
    }
    return status;
}

static void put_picture(const sheet *s, const dp_buf *encoded, uint32_t left, uint32_t top)
{
    const media_bytes bytes = {.data = dp_buf_data(encoded), .size_bytes = dp_buf_size(encoded)};
    picture shown;
    if (decode(s, bytes, &shown) == DP_OK) {
        const surface frame = picture_frame(&shown, 0);
        lay(s, &frame, left + (SHEET_CELL_SIDE - frame.width) / 2,
            top + (SHEET_CELL_SIDE - frame.height) / 2);
        picture_drop(&shown);
    }
}

/* A gray field with a red line through it. */
static void put_failure(const sheet *s, uint32_t left, uint32_t top)
{
    const surface to = picture_frame(&s->pixels, 0);
    for (uint32_t y = 0; y < SHEET_CELL_SIDE; y++) {
        uint8_t *row = surface_row(&to, top + y) + (size_t)left * 4;
        memset(row, 230, (size_t)SHEET_CELL_SIDE * 4);
        for (uint32_t x = 0; x < SHEET_CELL_SIDE; x++) {
            row[4 * x + 3] = 255;
        }
        memcpy(row + 4 * (size_t)y, "\xc0\x20\x20\xff", 4);
    }
}

/* The end of a path's last part; every byte that is none of XML's or ASCII's becomes a reference or
 * an underscore. */
static void write_name(const char *name, char *to, size_t to_bytes)
{
    const char *slash = strrchr(name, '/');
    const char *last = slash == NULL ? name : slash + 1;
    const size_t length = strlen(last);
    size_t at = 0;
    last += length > NAME_SHOWN ? length - NAME_SHOWN : 0;
    for (; *last != '\0' && at + 8 < to_bytes; last++) {
        const char c = *last >= ' ' && *last <= '~' ? *last : '_';
        at += (size_t)snprintf(to + at, to_bytes - at, "&#%d;", c);
    }
    to[at] = '\0';
}

static void put_name(const sheet *s, const char *name, uint32_t left, uint32_t top)
{
    char shown[8 * NAME_SHOWN], text[LABEL_BYTES];
    picture label;
    write_name(name, shown, sizeof shown);
    const int length = snprintf(
        text, sizeof text,
        "<svg xmlns='http://www.w3.org/2000/svg' width='%u' height='%u'><text x='%u' y='12' "
        "text-anchor='middle' font-family='sans-serif' font-size='10'>%s</text></svg>",
        SHEET_CELL_SIDE, LABEL_HEIGHT, SHEET_CELL_SIDE / 2, shown);
    const media_bytes bytes = {.data = (const uint8_t *)text, .size_bytes = (size_t)length};
    if (dp_media_can_decode(DP_MEDIA_SVG) && decode(s, bytes, &label) == DP_OK) {
        const surface frame = picture_frame(&label, 0);
        lay(s, &frame, left, top);
        picture_drop(&label);
    }
}

void sheet_put(const sheet *s, unsigned cell, const dp_buf *encoded, const char *name)
{
    const uint32_t left = MARGIN + cell % s->columns * (SHEET_CELL_SIDE + MARGIN);
    const uint32_t top = MARGIN + cell / s->columns * cell_height(s);
    if (encoded != NULL) {
        put_picture(s, encoded, left, top);
    } else {
        put_failure(s, left, top);
    }
    if (s->labels) {
        put_name(s, name, left, top + SHEET_CELL_SIDE);
    }
}

dp_status sheet_encode(sheet *s, dp_buf **out)
{
    const encode_hints hints = {.drawing = true};
    return codec_encode(&s->task, DP_MEDIA_PNG, &s->pixels, &hints, out);
}

void sheet_close(sheet *s)
{
    picture_drop(&s->pixels);
}
