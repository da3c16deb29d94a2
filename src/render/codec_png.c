/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PNG by libspng: every colour type and depth, interlaced or not, to RGBA8 (16 bits are cut to 8).
 *
 * The header is read when the decoder is opened and tells the size before anything is taken; rows
 * come one by one, so the deadline is looked at between them.  Chunk sizes are capped, checksums of
 * what we show must be right, those of side information are ignored with it.
 */
#include "dp_features.h"

#include "render/codec.h"

#if DP_HAVE_SPNG

#include <spng.h>

#include "pool/os.h"
#include "render/sink.h"

#define CHUNK_BYTES_MAX    ((size_t)1 << 20)
#define CACHE_BYTES_MAX    ((size_t)4 << 20)
#define COMPRESSION_LEVEL  6
#define ROWS_BETWEEN_LOOKS 16u

typedef struct png_decoder {
    decoder base;
    spng_ctx *png;
    picture out;
} png_decoder;

static dp_status png_failed(render_task *task, int error)
{
    if (error == SPNG_EMEM) {
        return task_fail(task, DP_ERR_NOMEM, "no memory to decode the png");
    }
    return task_fail(task, DP_ERR_FORMAT, "png: %s", spng_strerror(error));
}

static dp_status open_png(decoder *base)
{
    png_decoder *d = (png_decoder *)(void *)base;
    struct spng_ihdr header;

    d->png = spng_ctx_new(0);
    if (d->png == NULL) {
        return png_failed(base->task, SPNG_EMEM);
    }
    spng_set_crc_action(d->png, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    spng_set_chunk_limits(d->png, CHUNK_BYTES_MAX, CACHE_BYTES_MAX);
    int error = spng_set_png_buffer(d->png, base->bytes.data, base->bytes.size_bytes);
    if (error == 0) {
        error = spng_get_ihdr(d->png, &header);
    }
    if (error != 0) {
        return png_failed(base->task, error);
    }
    base->info.width = header.width;
    base->info.height = header.height;
    return DP_OK;
}

static dp_status read_rows(png_decoder *d)
{
    const surface out = picture_frame(&d->out, 0);
    const size_t stride = surface_stride_bytes(&out);
    unsigned looks = 0;
    int error = 0;

    while (error == 0) {
        struct spng_row_info row;
        if (looks++ % ROWS_BETWEEN_LOOKS == 0 && task_check_time(d->base.task) != DP_OK) {
            return DP_ERR_TIMEOUT;
        }
        error = spng_get_row_info(d->png, &row);
        if (error == 0) {
            DP_ASSERT(row.row_num < out.height);
            /* Interlaced files come back to a row: each pass adds its pixels to those there. */
            error = spng_decode_row(d->png, surface_row(&out, row.row_num), stride);
        }
    }
    return error == SPNG_EOI ? DP_OK : png_failed(d->base.task, error);
}

static dp_status decode_png(decoder *base, const decode_hints *hints, picture *out)
{
    png_decoder *d = (png_decoder *)(void *)base;
    (void)hints;

    dp_status status = picture_take(base->task, base->info.width, base->info.height, 1, &d->out);
    if (status != DP_OK) {
        return status;
    }
    const int error = spng_decode_image(d->png, NULL, 0, SPNG_FMT_RGBA8,
                                        SPNG_DECODE_TRNS | SPNG_DECODE_PROGRESSIVE);
    if (error != 0) {
        return png_failed(base->task, error);
    }
    status = read_rows(d);
    if (status == DP_OK) {
        *out = d->out;
        d->out = (picture){0};
    }
    return status;
}

static void close_png(decoder *base)
{
    png_decoder *d = (png_decoder *)(void *)base;
    spng_ctx_free(d->png);
    picture_drop(&d->out);
}

static int write_bytes(spng_ctx *png, void *user, void *bytes, size_t length)
{
    (void)png;
    return sink_append(user, bytes, length) == DP_OK ? 0 : SPNG_IO_ERROR;
}

static dp_status write_rows(spng_ctx *png, const surface *frame, sink *s)
{
    struct spng_ihdr header = {.width = frame->width,
                               .height = frame->height,
                               .bit_depth = 8,
                               .color_type = SPNG_COLOR_TYPE_TRUECOLOR_ALPHA};
    int error = spng_set_png_stream(png, write_bytes, s);
    if (error == 0) {
        error = spng_set_ihdr(png, &header);
    }
    if (error == 0) {
        error = spng_set_option(png, SPNG_IMG_COMPRESSION_LEVEL, COMPRESSION_LEVEL);
    }
    if (error == 0) {
        error = spng_encode_image(png, NULL, 0, SPNG_FMT_PNG,
                                  SPNG_ENCODE_PROGRESSIVE | SPNG_ENCODE_FINALIZE);
    }
    for (uint32_t y = 0; y < frame->height && error == 0; y++) {
        if (y % ROWS_BETWEEN_LOOKS == 0 && task_check_time(s->task) != DP_OK) {
            return DP_ERR_TIMEOUT;
        }
        error = spng_encode_row(png, surface_row(frame, y), surface_stride_bytes(frame));
    }
    return error == 0 || error == SPNG_EOI ? DP_OK : png_failed(s->task, error);
}

static dp_status encode_png(render_task *task, const picture *p, const encode_hints *hints,
                            dp_buf **out)
{
    (void)hints;
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (png == NULL) {
        return png_failed(task, SPNG_EMEM);
    }
    const surface frame = picture_frame(p, 0);
    sink s;
    sink_init(&s, task);
    dp_status status = write_rows(png, &frame, &s);
    spng_ctx_free(png);
    if (status == DP_OK) {
        status = sink_finish(&s, out);
    }
    sink_drop(&s);
    return status;
}

const codec codec_png = {.format = DP_MEDIA_PNG,
                         .decoder_bytes = sizeof(png_decoder),
                         .open = open_png,
                         .decode = decode_png,
                         .close = close_png,
                         .encode = encode_png};

#else

const codec codec_png = {.format = DP_MEDIA_PNG};

#endif
