/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVIF by libavif, stills and sequences, read only.
 *
 * The container is read when the decoder is opened: libavif is given our limits of sides, pixels
 * and frames before, and decodes nothing yet.  One frame is one call that cannot be stopped, so the
 * deadline is looked at between frames; the pixel limit bounds what one can cost.  What the AV1
 * payload says about its size is compared with the container again, because libavif lets it win.
 */
#include "dp_features.h"

#include "render/codec.h"

#if DP_HAVE_AVIF

#include <avif/avif.h>

#include "pool/os.h"
#include "render/exif.h"
#include "render/rows.h"

#define MS_PER_S 1000.0

typedef struct avif_decoder {
    decoder base;
    avifDecoder *avif;
    picture out;
    rows rows;
    surface canvas; /* where frames are made smaller, else empty */
} avif_decoder;

static dp_status avif_failed(render_task *task, avifResult result)
{
    switch (result) {
    case AVIF_RESULT_OUT_OF_MEMORY:
        return task_fail(task, DP_ERR_NOMEM, "no memory to decode the avif");
    case AVIF_RESULT_TRUNCATED_DATA:
    case AVIF_RESULT_WAITING_ON_IO:
    case AVIF_RESULT_IO_ERROR:
        return task_fail(task, DP_ERR_FORMAT, "the avif ends early");
    case AVIF_RESULT_NO_CODEC_AVAILABLE:
        return task_fail(task, DP_ERR_UNSUPPORTED, "this libavif has no AV1 decoder");
    default:
        return task_fail(task, DP_ERR_FORMAT, "avif: %s", avifResultToString(result));
    }
}

/* The file's own turns, in its order: by quarters against the clock, then mirrored. */
static unsigned turn_of(const avifImage *image)
{
    static const uint8_t turned[4] = {1, 8, 3, 6};
    static const uint8_t mirrored[2][4] = {{4, 5, 2, 7}, {2, 7, 4, 5}};
    const bool turns = (image->transformFlags & AVIF_TRANSFORM_IROT) != 0;
    const unsigned quarters = turns ? image->irot.angle & 3u : 0;

    if ((image->transformFlags & AVIF_TRANSFORM_IMIR) != 0) {
        return mirrored[image->imir.mode & 1u][quarters];
    }
    if (turns) {
        return turned[quarters];
    }
    return exif_orientation(image->exif.data, image->exif.size);
}

static dp_status open_avif(decoder *base)
{
    avif_decoder *d = (avif_decoder *)(void *)base;

    d->avif = avifDecoderCreate();
    if (d->avif == NULL) {
        return avif_failed(base->task, AVIF_RESULT_OUT_OF_MEMORY);
    }
    d->avif->maxThreads = 1;
    d->avif->ignoreXMP = AVIF_TRUE;
    d->avif->imageDimensionLimit = RENDER_SOURCE_SIDE_MAX;
    avifResult result = avifDecoderSetIOMemory(d->avif, base->bytes.data, base->bytes.size_bytes);
    if (result == AVIF_RESULT_OK) {
        result = avifDecoderParse(d->avif);
    }
    if (result != AVIF_RESULT_OK) {
        return avif_failed(base->task, result);
    }
    const avifImage *image = d->avif->image;
    base->info.width = image->width;
    base->info.height = image->height;
    base->info.orientation = turn_of(image);
    base->icc = (media_bytes){image->icc.data, image->icc.size};
    return DP_OK;
}

/* Into the canvas where frames are made smaller, else straight into the picture. */
static dp_status read_frame(avif_decoder *d, uint32_t index)
{
    const avifResult result = avifDecoderNextImage(d->avif);
    if (result != AVIF_RESULT_OK) {
        return avif_failed(d->base.task, result);
    }
    const avifImage *image = d->avif->image;
    if (image->width != d->base.info.width || image->height != d->base.info.height) {
        return task_fail(d->base.task, DP_ERR_FORMAT, "the avif's frames differ in size");
    }
    const surface frame = picture_frame(&d->out, index);
    const surface *whole = d->canvas.buf != NULL ? &d->canvas : &frame;
    avifRGBImage rgb;
    avifRGBImageSetDefaults(&rgb, image);
    rgb.format = AVIF_RGB_FORMAT_RGBA;
    rgb.depth = 8;
    rgb.pixels = whole->pixels;
    rgb.rowBytes = (uint32_t)surface_stride_bytes(whole);
    const avifResult converted = avifImageYUVToRGB(image, &rgb);
    if (converted != AVIF_RESULT_OK) {
        return avif_failed(d->base.task, converted);
    }
    if (d->canvas.buf != NULL) {
        rows_begin(&d->rows, &frame);
        rows_put_frame(&d->rows, &d->canvas);
    }
    if (d->out.frame_count > 1) {
        const double ms = d->avif->imageTiming.duration * MS_PER_S;
        picture_durations_ms(&d->out)[index] = codec_duration_ms(ms);
    }
    return DP_OK;
}

/*
 * The header was read under libavif's own limit, so that a refusal is in our words; what the AV1
 * payload may claim is held to ours, by making its decoders anew.
 */
static dp_status limit_payload(const avif_decoder *d)
{
    const uint64_t pixels = d->base.task->input_pixels_max;
    if (pixels < AVIF_DEFAULT_IMAGE_SIZE_LIMIT) {
        d->avif->imageSizeLimit = (uint32_t)pixels;
    }
    const avifResult result = avifDecoderReset(d->avif);
    return result == AVIF_RESULT_OK ? DP_OK : avif_failed(d->base.task, result);
}

static dp_status take_frames(avif_decoder *d, const decode_hints *hints)
{
    render_task *task = d->base.task;
    const media_info *info = &d->base.info;
    const rows_plan plan = rows_plan_make(info, hints);
    const uint32_t count = d->avif->imageCount > 0 ? (uint32_t)d->avif->imageCount : 1;
    uint32_t kept;

    dp_status status = codec_frames_kept(&d->base, hints, count, plan.sides, &kept);
    if (status == DP_OK) {
        status = limit_payload(d);
    }
    if (status == DP_OK) {
        status = picture_take(task, plan.sides[0], plan.sides[1], kept, &d->out);
    }
    if (status == DP_OK && rows_plan_shrinks(&plan)) {
        status = rows_open(&d->rows, task, &plan);
        if (status == DP_OK) {
            status = surface_take(task, info->width, info->height, &d->canvas);
        }
    }
    return status;
}

static dp_status decode_avif(decoder *base, const decode_hints *hints, picture *out)
{
    avif_decoder *d = (avif_decoder *)(void *)base;

    dp_status status = take_frames(d, hints);
    for (uint32_t i = 0; status == DP_OK && i < d->out.frame_count; i++) {
        status = task_check_time(base->task);
        if (status == DP_OK) {
            status = read_frame(d, i);
        }
    }
    if (status == DP_OK) {
        *out = d->out;
        d->out = (picture){0};
    }
    return status;
}

static void close_avif(decoder *base)
{
    avif_decoder *d = (avif_decoder *)(void *)base;
    if (d->avif != NULL) {
        avifDecoderDestroy(d->avif);
    }
    surface_drop(&d->canvas);
    rows_close(&d->rows);
    picture_drop(&d->out);
}

const codec codec_avif = {.format = DP_MEDIA_AVIF,
                          .decoder_bytes = sizeof(avif_decoder),
                          .open = open_avif,
                          .decode = decode_avif,
                          .close = close_avif};

#else

const codec codec_avif = {.format = DP_MEDIA_AVIF};

#endif
