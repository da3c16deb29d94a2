/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPEG by libjpeg-turbo.
 *
 * libjpeg reports errors by longjmp: every function that calls into it sets `escape` first, keeps
 * what must survive in the decoder (never in locals), and frees in close().  Decoding is scaled in
 * the DCT (8/8 .. 1/8) as long as twice the wanted size is left: the rest is done in linear light
 * by the resizer.  Hostile files: scans and warnings are counted, the deadline is looked at in
 * libjpeg's progress hook, its own memory (whole coefficient planes of progressive files) is
 * capped, and a file that ends early is an error, not half a picture.
 */
#include <danpool/status.h>

#include "dp_features.h"

#include "render/codec.h"

#if DP_HAVE_JPEG

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "kernels/composite.h"
#include "pool/os.h"
#include "render/exif.h"
#include "render/icc.h"
#include "render/sink.h"

#define SCANS_MAX         100
#define WARNINGS_MAX      16
#define LIBRARY_BYTES_MAX (256L << 20)
#define MARKER_BYTES_MAX  65533u
#define QUALITY           85

/* libjpeg's error object, extended; jpeg_error_mgr must come first. */
typedef struct jpeg_trouble {
    struct jpeg_error_mgr manager;
    jmp_buf escape;
    render_task *task;
    dp_status status;
} jpeg_trouble;

typedef struct jpeg_decoder {
    decoder base;
    struct jpeg_decompress_struct jpeg;
    struct jpeg_progress_mgr progress;
    jpeg_trouble trouble;
    bool made; /* jpeg_create_decompress() was called */
    picture out;
    surface frame; /* of `out` */
    dp_buf *row;   /* one CMYK row */
    JOCTET *icc;   /* libjpeg's malloc() */
    icc_transform *inks;
} jpeg_decoder;

static void give_up(j_common_ptr jpeg, dp_status status, const char *words)
{
    jpeg_trouble *trouble = (jpeg_trouble *)(void *)jpeg->err;
    trouble->status = task_fail(trouble->task, status, "%s", words);
    longjmp(trouble->escape, 1);
}

static void on_error(j_common_ptr jpeg)
{
    char words[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, words);
    const int code = jpeg->err->msg_code;
    const bool memory = code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE;
    give_up(jpeg, memory ? DP_ERR_TOO_LARGE : DP_ERR_FORMAT,
            memory ? "the jpeg needs too much memory to decode" : words);
}

static void on_message(j_common_ptr jpeg, int level)
{
    if (level >= 0) {
        return;
    }
    jpeg->err->num_warnings++;
    if (jpeg->err->msg_code == JWRN_JPEG_EOF) {
        give_up(jpeg, DP_ERR_FORMAT, "the jpeg ends early");
    }
    if (jpeg->err->num_warnings > WARNINGS_MAX) {
        give_up(jpeg, DP_ERR_FORMAT, "the jpeg is damaged in many places");
    }
}

static void on_output(j_common_ptr jpeg)
{
    (void)jpeg; /* nothing of ours goes to stderr */
}

static void on_progress(j_common_ptr jpeg)
{
    jpeg_trouble *trouble = (jpeg_trouble *)(void *)jpeg->err;
    if (jpeg->is_decompressor && ((j_decompress_ptr)jpeg)->input_scan_number > SCANS_MAX) {
        give_up(jpeg, DP_ERR_FORMAT, "the jpeg has too many scans");
    }
    trouble->status = task_check_time(trouble->task);
    if (trouble->status != DP_OK) {
        longjmp(trouble->escape, 1);
    }
}

static struct jpeg_error_mgr *trouble_init(jpeg_trouble *trouble, render_task *task)
{
    jpeg_std_error(&trouble->manager);
    trouble->manager.error_exit = on_error;
    trouble->manager.emit_message = on_message;
    trouble->manager.output_message = on_output;
    trouble->task = task;
    trouble->status = DP_OK;
    return &trouble->manager;
}

static void read_orientation(jpeg_decoder *d)
{
    for (jpeg_saved_marker_ptr m = d->jpeg.marker_list; m != NULL; m = m->next) {
        if (m->marker == JPEG_APP0 + 1 && m->data_length >= 4 && memcmp(m->data, "Exif", 4) == 0) {
            d->base.info.orientation = exif_orientation(m->data, m->data_length);
            return;
        }
    }
}

static void read_profile(jpeg_decoder *d)
{
    unsigned int size_bytes = 0;
    if (jpeg_read_icc_profile(&d->jpeg, &d->icc, &size_bytes)) {
        d->base.icc = (media_bytes){d->icc, size_bytes};
    }
}

static dp_status open_jpeg(decoder *base)
{
    jpeg_decoder *d = (jpeg_decoder *)(void *)base;

    d->jpeg.err = trouble_init(&d->trouble, base->task);
    if (setjmp(d->trouble.escape) != 0) {
        return d->trouble.status;
    }
    jpeg_create_decompress(&d->jpeg);
    d->made = true;
    d->jpeg.mem->max_memory_to_use = LIBRARY_BYTES_MAX;
    d->progress.progress_monitor = on_progress;
    d->jpeg.progress = &d->progress;
    jpeg_mem_src(&d->jpeg, base->bytes.data, base->bytes.size_bytes);
    jpeg_save_markers(&d->jpeg, JPEG_APP0 + 1, MARKER_BYTES_MAX);
    jpeg_save_markers(&d->jpeg, JPEG_APP0 + 2, MARKER_BYTES_MAX);
    jpeg_read_header(&d->jpeg, TRUE);
    read_orientation(d);
    read_profile(d);
    base->info.width = d->jpeg.image_width;
    base->info.height = d->jpeg.image_height;
    return DP_OK;
}

/*
 * The smallest scaling that leaves 1.5 times the wanted size, or none: less would be seen, twice
 * costs a small thumbnail twice the time for 0.02 of SSIM (docs/performance.md).
 */
static unsigned scale_eighths(const jpeg_decoder *d, uint32_t width, uint32_t height)
{
    for (unsigned n = 1; n < 8; n++) {
        if ((uint64_t)d->jpeg.image_width * n >= (uint64_t)width * 12 &&
            (uint64_t)d->jpeg.image_height * n >= (uint64_t)height * 12) {
            return n;
        }
    }
    return 8;
}

/*
 * Inks to light, where no colour profile says how.  Files by Adobe's programs (they say so) hold
 * the ink upside down.
 */
static void inks_to_rgba(const jpeg_decoder *d, const uint8_t *inks, uint8_t *rgba)
{
    const unsigned flip = d->jpeg.saw_Adobe_marker ? 0 : 255;
    for (uint32_t x = 0; x < d->frame.width; x++) {
        const unsigned key = inks[4 * x + 3] ^ flip;
        for (uint32_t c = 0; c < 3; c++) {
            rgba[4 * x + c] = (uint8_t)(((inks[4 * x + c] ^ flip) * key + 127) / 255);
        }
        rgba[4 * x + 3] = 255;
    }
}

static void read_rows(jpeg_decoder *d)
{
    const bool inks = d->jpeg.out_color_space == JCS_CMYK;
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        uint8_t *out = surface_row(&d->frame, d->jpeg.output_scanline);
        JSAMPROW row = inks ? dp_buf_data(d->row) : out;
        jpeg_read_scanlines(&d->jpeg, &row, 1);
        if (d->inks != NULL) {
            icc_pixels(d->inks, row, out, d->frame.width);
        } else if (inks) {
            inks_to_rgba(d, row, out);
        }
    }
}

static dp_status take_surface(jpeg_decoder *d)
{
    render_task *task = d->base.task;
    const dp_status status =
        picture_take(task, d->jpeg.output_width, d->jpeg.output_height, 1, &d->out);
    if (status == DP_OK) {
        d->frame = picture_frame(&d->out, 0);
    }
    if (status != DP_OK || d->jpeg.out_color_space != JCS_CMYK) {
        return status;
    }
    /* The profile is of the inks, so it is applied here and not to what they become. */
    d->inks = icc_open(d->base.icc, d->jpeg.saw_Adobe_marker ? ICC_CMYK_INVERTED : ICC_CMYK);
    d->base.icc = (media_bytes){0};
    const dp_request request = {.size_bytes = surface_stride_bytes(&d->frame),
                                .need = DP_NEED_HOST};
    const dp_status row = task_get(task, &request, &d->row);
    return row == DP_OK ? DP_OK : task_fail(task, row, "no memory for a row of the picture");
}

static void read_colours(jpeg_decoder *d)
{
    const bool inks = d->jpeg.jpeg_color_space == JCS_CMYK || d->jpeg.jpeg_color_space == JCS_YCCK;
    d->jpeg.out_color_space = inks ? JCS_CMYK : JCS_EXT_RGBA;
    jpeg_start_decompress(&d->jpeg);
    d->trouble.status = take_surface(d);
    if (d->trouble.status != DP_OK) {
        longjmp(d->trouble.escape, 1);
    }
    read_rows(d);
}

/* --- planes ------------------------------------------------------------------------------- */

static uint32_t half_up(uint32_t side)
{
    return side / 2 + side % 2;
}

/* Sizes of the planes at the scaling chosen; false unless they are of a kind that a picture has. */
static bool plan_planes(jpeg_decoder *d, uint32_t chroma[2])
{
    if (d->jpeg.jpeg_color_space != JCS_YCbCr || d->jpeg.num_components != 3) {
        return false;
    }
    jpeg_calc_output_dimensions(&d->jpeg);
    const jpeg_component_info *c = d->jpeg.comp_info;
    const uint32_t width = d->jpeg.output_width, height = d->jpeg.output_height;
    chroma[0] = c[1].downsampled_width;
    chroma[1] = c[1].downsampled_height;
    const bool alike = c[2].downsampled_width == chroma[0] &&
                       c[2].downsampled_height == chroma[1] && c[0].downsampled_width == width &&
                       c[0].downsampled_height == height;
    const bool wide = chroma[0] == width || chroma[0] == half_up(width);
    const bool high = chroma[1] == height || (chroma[0] != width && chroma[1] == half_up(height));
    return alike && wide && high;
}

/* Whether what is spare behind a plane holds what a row of blocks writes beyond it. */
static bool blocks_fit(const jpeg_decoder *d)
{
    for (int i = 0; i < 3; i++) {
        const jpeg_component_info *c = &d->jpeg.comp_info[i];
        const size_t across = (size_t)c->width_in_blocks * (size_t)c->DCT_scaled_size;
        const int down = c->v_samp_factor * c->DCT_scaled_size;
        if (across > d->out.planes[i].stride_bytes || down > (int)PICTURE_PLANE_ROWS) {
            return false;
        }
    }
    return true;
}

/* One row of blocks of every plane at a time, straight into the picture. */
static void read_planes(jpeg_decoder *d)
{
    JSAMPROW rows[3][PICTURE_PLANE_ROWS];
    JSAMPARRAY planes[3] = {rows[0], rows[1], rows[2]};
    uint32_t done[3] = {0, 0, 0};
    const uint32_t lines = (uint32_t)(d->jpeg.max_v_samp_factor * d->jpeg.min_DCT_scaled_size);

    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        for (int i = 0; i < 3; i++) {
            const jpeg_component_info *c = &d->jpeg.comp_info[i];
            const picture_plane *plane = &d->out.planes[i];
            for (int y = 0; y < c->v_samp_factor * c->DCT_scaled_size; y++, done[i]++) {
                rows[i][y] = d->out.bytes + plane->offset_bytes + done[i] * plane->stride_bytes;
            }
        }
        if (jpeg_read_raw_data(&d->jpeg, planes, lines) == 0) {
            give_up((j_common_ptr)&d->jpeg, DP_ERR_FORMAT, "the jpeg ends early");
        }
    }
}

static void read_raw(jpeg_decoder *d, const uint32_t chroma[2])
{
    d->jpeg.out_color_space = JCS_YCbCr;
    d->jpeg.raw_data_out = TRUE;
    jpeg_start_decompress(&d->jpeg);
    d->trouble.status = picture_take_planes(d->base.task, d->jpeg.output_width,
                                            d->jpeg.output_height, chroma, &d->out);
    if (d->trouble.status != DP_OK) {
        longjmp(d->trouble.escape, 1);
    }
    if (!blocks_fit(d)) {
        give_up((j_common_ptr)&d->jpeg, DP_ERR_FORMAT, "the jpeg's planes are of an unknown kind");
    }
    read_planes(d);
}

/* Colours of another profile than sRGB are converted as RGB. */
static bool profile_counts(const decoder *base)
{
    icc_transform *t = icc_open(base->icc, ICC_RGBA);
    icc_close(t);
    return t != NULL;
}

static dp_status decode_jpeg(decoder *base, const decode_hints *hints, picture *out)
{
    jpeg_decoder *d = (jpeg_decoder *)(void *)base;
    uint32_t chroma[2];

    if (setjmp(d->trouble.escape) != 0) {
        return d->trouble.status;
    }
    d->jpeg.scale_num = scale_eighths(d, hints->width, hints->height);
    d->jpeg.scale_denom = 8;
    if (hints->want_planes && plan_planes(d, chroma) && !profile_counts(base)) {
        read_raw(d, chroma);
    } else {
        read_colours(d);
    }
    jpeg_finish_decompress(&d->jpeg);
    *out = d->out;
    d->out = (picture){0};
    return DP_OK;
}

static void close_jpeg(decoder *base)
{
    jpeg_decoder *d = (jpeg_decoder *)(void *)base;
    if (d->made) {
        jpeg_destroy_decompress(&d->jpeg);
    }
    picture_drop(&d->out);
    dp_put(d->row);
    icc_close(d->inks);
    free(d->icc);
}

/* The encoder's state; the destination manager must be reachable from the callbacks. */
typedef struct jpeg_encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_destination_mgr destination;
    struct jpeg_progress_mgr progress;
    jpeg_trouble trouble;
    sink sink;
    uint8_t source_row[4 * RENDER_TARGET_SIDE_MAX];
    uint8_t row[4 * RENDER_TARGET_SIDE_MAX];
} jpeg_encoder;

/* libjpeg keeps its room until it is full: it writes straight into the pooled block. */
static void more_room(j_compress_ptr jpeg)
{
    jpeg_encoder *e = jpeg->client_data;
    const dp_status status = sink_reserve(&e->sink, 1);
    if (status != DP_OK) {
        e->trouble.status = status;
        longjmp(e->trouble.escape, 1);
    }
    e->destination.next_output_byte = sink_room(&e->sink, &e->destination.free_in_buffer);
}

static boolean block_full(j_compress_ptr jpeg)
{
    jpeg_encoder *e = jpeg->client_data;
    e->sink.size_bytes = dp_buf_capacity(e->sink.buf); /* the contract: all of it was filled */
    more_room(jpeg);
    return TRUE;
}

static void last_block(j_compress_ptr jpeg)
{
    jpeg_encoder *e = jpeg->client_data;
    e->sink.size_bytes = dp_buf_capacity(e->sink.buf) - e->destination.free_in_buffer;
}

/* JPEG has no transparency: what is see-through is shown over white. */
static void flatten_row(jpeg_encoder *e, const surface *frame, uint32_t y)
{
    const size_t bytes = surface_stride_bytes(frame);
    memcpy(e->source_row, surface_row(frame, y), bytes);
    composite_premultiply_cpu(e->source_row, frame->width);
    memset(e->row, 255, bytes);
    composite_over_cpu(e->row, e->source_row, frame->width);
}

static void write_rows(jpeg_encoder *e, const surface *frame)
{
    jpeg_create_compress(&e->jpeg);
    e->jpeg.client_data = e;
    e->destination = (struct jpeg_destination_mgr){.init_destination = more_room,
                                                   .empty_output_buffer = block_full,
                                                   .term_destination = last_block};
    e->jpeg.dest = &e->destination;
    e->progress.progress_monitor = on_progress;
    e->jpeg.progress = &e->progress;
    e->jpeg.image_width = frame->width;
    e->jpeg.image_height = frame->height;
    e->jpeg.input_components = 4;
    e->jpeg.in_color_space = JCS_EXT_RGBX;
    jpeg_set_defaults(&e->jpeg);
    jpeg_set_quality(&e->jpeg, QUALITY, TRUE);
    e->jpeg.optimize_coding = TRUE;
    jpeg_start_compress(&e->jpeg, TRUE);
    for (uint32_t y = 0; y < frame->height; y++) {
        JSAMPROW row = e->row;
        flatten_row(e, frame, y);
        jpeg_write_scanlines(&e->jpeg, &row, 1);
    }
    jpeg_finish_compress(&e->jpeg);
}

static dp_status encode_jpeg(render_task *task, const picture *p, const encode_hints *hints,
                             dp_buf **out)
{
    (void)hints;
    const surface frame = picture_frame(p, 0);
    DP_ASSERT(frame.width <= RENDER_TARGET_SIDE_MAX);
    jpeg_encoder *const e = os_calloc(1, sizeof *e);
    if (e == NULL) {
        return task_fail(task, DP_ERR_NOMEM, "no memory for an encoder");
    }
    sink_init(&e->sink, task);
    e->jpeg.err = trouble_init(&e->trouble, task);
    if (setjmp(e->trouble.escape) == 0) {
        write_rows(e, &frame);
        e->trouble.status = sink_finish(&e->sink, out);
    }
    const dp_status status = e->trouble.status;
    jpeg_destroy_compress(&e->jpeg); /* fine on an object of zeros */
    sink_drop(&e->sink);
    os_free(e);
    return status;
}

const codec codec_jpeg = {.format = DP_MEDIA_JPEG,
                          .decoder_bytes = sizeof(jpeg_decoder),
                          .open = open_jpeg,
                          .decode = decode_jpeg,
                          .close = close_jpeg,
                          .encode = encode_jpeg};

#else

const codec codec_jpeg = {.format = DP_MEDIA_JPEG};

#endif
