/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PNG by libspng: every colour type and depth, interlaced or not, to RGBA8 (16 bits are cut to 8).
 *
 * The header is read when the decoder is opened and tells the size before anything is taken; rows
 * come one by one, so the deadline is looked at between them, and are made smaller as they come.
 * The pixels of the most common files are read by png_whole.c where libdeflate was found.  Chunk
 * sizes are capped, checksums of what we show must be right, those of side information are ignored
 * with it.
 */
#include "dp_features.h"

#include "render/codec.h"

#if DP_HAVE_SPNG

#include <math.h>

#include <spng.h>

#include "pool/os.h"
#include "render/exif.h"
#include "render/png_whole.h"
#include "render/rows.h"
#include "render/sink.h"

#define CHUNK_BYTES_MAX    ((size_t)1 << 20)
#define CACHE_BYTES_MAX    ((size_t)4 << 20)
#define COMPRESSION_LEVEL  6
#define ROWS_BETWEEN_LOOKS 16u

/* gAMA of what sRGB comes near to, how near is near, and what is taken for a mistake beyond. */
#define SRGB_GAMMA (1 / 2.2)
#define GAMMA_NEAR 0.05
#define GAMMA_MIN  0.1
#define GAMMA_MAX  2.0

typedef struct png_decoder {
    decoder base;
    spng_ctx *png;
    struct spng_ihdr header;
    double gamma; /* of the file; 0: its codes are sRGB's, or a profile says what they are */
    rows rows;
    picture out;
} png_decoder;

static dp_status png_failed(render_task *task, int error)
{
    if (error == SPNG_EMEM) {
        return task_fail(task, DP_ERR_NOMEM, "no memory to decode the png");
    }
    return task_fail(task, DP_ERR_FORMAT, "png: %s", spng_strerror(error));
}

/*
 * gAMA counts where nothing better says what the codes mean (PNG, third edition, 13.13), and where
 * it is not sRGB's own to within what a viewer would see.
 */
static void read_gamma(png_decoder *d)
{
    uint8_t intent;
    double gamma;
    if (d->base.icc.data == NULL && spng_get_srgb(d->png, &intent) != 0 &&
        spng_get_gama(d->png, &gamma) == 0 && gamma >= GAMMA_MIN && gamma <= GAMMA_MAX &&
        fabs(gamma / SRGB_GAMMA - 1) > GAMMA_NEAR) {
        d->gamma = gamma;
    }
}

/* What stands before the pixels; a file without some of it is none the worse. */
static void read_sides(png_decoder *d)
{
    struct spng_exif exif;
    struct spng_iccp profile;

    if (spng_get_exif(d->png, &exif) == 0) {
        d->base.info.orientation = exif_orientation((const uint8_t *)exif.data, exif.length);
    }
    if (spng_get_iccp(d->png, &profile) == 0) {
        d->base.icc = (media_bytes){(const uint8_t *)profile.profile, profile.profile_len};
    }
    read_gamma(d);
}

static dp_status open_png(decoder *base)
{
    png_decoder *d = (png_decoder *)(void *)base;

    d->png = spng_ctx_new(0);
    if (d->png == NULL) {
        return png_failed(base->task, SPNG_EMEM);
    }
    spng_set_crc_action(d->png, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    spng_set_chunk_limits(d->png, CHUNK_BYTES_MAX, CACHE_BYTES_MAX);
    int error = spng_set_png_buffer(d->png, base->bytes.data, base->bytes.size_bytes);
    if (error == 0) {
        error = spng_get_ihdr(d->png, &d->header);
    }
    if (error != 0) {
        return png_failed(base->task, error);
    }
    base->info.width = d->header.width;
    base->info.height = d->header.height;
    read_sides(d);
    return DP_OK;
}

/* Interlaced rows: each pass adds its pixels to those there. */
static dp_status read_passes(png_decoder *d)
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
            error = spng_decode_row(d->png, surface_row(&out, row.row_num), stride);
        }
    }
    return error == SPNG_EOI ? DP_OK : png_failed(d->base.task, error);
}

static dp_status read_rows(png_decoder *d)
{
    const size_t stride = (size_t)d->header.width * 4;
    int error = 0;

    for (uint32_t y = 0; y < d->header.height && error == 0; y++) {
        if (y % ROWS_BETWEEN_LOOKS == 0 && task_check_time(d->base.task) != DP_OK) {
            return DP_ERR_TIMEOUT;
        }
        error = spng_decode_row(d->png, rows_room(&d->rows), stride);
        if (error == 0 || (error == SPNG_EOI && y + 1 == d->header.height)) {
            rows_put(&d->rows);
        }
    }
    return error == SPNG_EOI ? DP_OK : png_failed(d->base.task, error);
}

/* RGB and RGBA of 8 bits, row by row, nothing transparent but by an alpha channel. */
static bool is_plain(const png_decoder *d, png_whole *out)
{
    struct spng_trns transparent;
    const bool rgb = d->header.color_type == SPNG_COLOR_TYPE_TRUECOLOR;
    const bool rgba = d->header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;

    *out = (png_whole){.file = d->base.bytes,
                       .width = d->header.width,
                       .height = d->header.height,
                       .channels = rgb ? 3 : 4};
    return (rgb || rgba) && d->header.bit_depth == 8 &&
           d->header.interlace_method == SPNG_INTERLACE_NONE && png_whole_can(out) &&
           spng_get_trns(d->png, &transparent) != 0;
}

static dp_status read_pixels(png_decoder *d)
{
    png_whole whole;
    if (is_plain(d, &whole)) {
        return png_whole_read(d->base.task, &whole, &d->rows);
    }
    const int error = spng_decode_image(d->png, NULL, 0, SPNG_FMT_RGBA8,
                                        SPNG_DECODE_TRNS | SPNG_DECODE_PROGRESSIVE);
    if (error != 0) {
        return png_failed(d->base.task, error);
    }
    return d->header.interlace_method == SPNG_INTERLACE_NONE ? read_rows(d) : read_passes(d);
}

/* Codes of another gamma to sRGB's, by the curve that both come near to. */
static void correct_gamma(const png_decoder *d)
{
    const surface out = picture_frame(&d->out, 0);
    const double power = SRGB_GAMMA / d->gamma;
    uint8_t codes[256];

    for (int i = 0; i < 256; i++) {
        codes[i] = (uint8_t)lround(255 * pow(i / 255.0, power));
    }
    for (size_t i = 0; i < surface_bytes(&out); i++) {
        out.pixels[i] = i % 4 == 3 ? out.pixels[i] : codes[out.pixels[i]];
    }
}

static dp_status decode_png(decoder *base, const decode_hints *hints, picture *out)
{
    png_decoder *d = (png_decoder *)(void *)base;
    const bool interlaced = d->header.interlace_method != SPNG_INTERLACE_NONE;
    const decode_hints whole = {.width = base->info.width, .height = base->info.height};
    /* An interlaced picture is whole only at its end. */
    const rows_plan plan = rows_plan_make(&base->info, interlaced ? &whole : hints);

    dp_status status = picture_take(base->task, plan.sides[0], plan.sides[1], 1, &d->out);
    if (status == DP_OK) {
        status = rows_open(&d->rows, base->task, &plan);
    }
    if (status == DP_OK) {
        const surface frame = picture_frame(&d->out, 0);
        rows_begin(&d->rows, &frame);
        status = read_pixels(d);
    }
    if (status == DP_OK && d->gamma != 0) {
        correct_gamma(d);
    }
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
    rows_close(&d->rows);
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
