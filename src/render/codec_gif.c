/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GIF by giflib: the first frame on a transparent canvas.
 *
 * Records are read one by one up to the first picture (DGifSlurp would read all frames into memory
 * first); the canvas is the logical screen, and a frame that reaches beyond is cut.  Every size in
 * the file is checked before it is used; one line buffer is all that is taken beside the surface.
 */
#include "dp_features.h"

#include "render/codec.h"

#if DP_HAVE_GIF

#include <string.h>

#include <gif_lib.h>

#include "pool/os.h"

#define SCREEN_AT          6u /* the logical screen descriptor, behind the signature */
#define ROWS_BETWEEN_LOOKS 64u
#define NOT_TRANSPARENT    (-1)

/* A hostile file may hold extensions without end; each costs a call, not memory. */
#define EXTENSIONS_MAX 10000u

typedef struct gif_decoder {
    decoder base;
    GifFileType *gif;
    size_t at; /* read position in base.bytes */
    int transparent;
    picture out;
    surface canvas; /* of `out` */
    dp_buf *line;
} gif_decoder;

static dp_status gif_failed(const gif_decoder *d, int error)
{
    const char *words = GifErrorString(error);
    return task_fail(d->base.task, error == D_GIF_ERR_NOT_ENOUGH_MEM ? DP_ERR_NOMEM : DP_ERR_FORMAT,
                     "gif: %s", words == NULL ? "damaged" : words);
}

static int read_bytes(GifFileType *gif, GifByteType *out, int length)
{
    gif_decoder *d = gif->UserData;
    const size_t left = d->base.bytes.size_bytes - d->at;
    const size_t taken = (size_t)length < left ? (size_t)length : left;
    memcpy(out, d->base.bytes.data + d->at, taken);
    d->at += taken;
    return (int)taken;
}

static dp_status open_gif(decoder *base)
{
    const uint8_t *screen = base->bytes.data + SCREEN_AT;
    if (base->bytes.size_bytes < SCREEN_AT + 4) {
        return task_fail(base->task, DP_ERR_FORMAT, "the gif ends early");
    }
    base->info.width = (uint32_t)(screen[0] | screen[1] << 8);
    base->info.height = (uint32_t)(screen[2] | screen[3] << 8);
    return DP_OK;
}

static dp_status read_extension(gif_decoder *d)
{
    GifByteType *block = NULL;
    int code = 0;

    if (DGifGetExtension(d->gif, &code, &block) == GIF_ERROR) {
        return gif_failed(d, d->gif->Error);
    }
    /* giflib's blocks begin with their length. */
    if (code == GRAPHICS_EXT_FUNC_CODE && block != NULL && block[0] >= 4) {
        d->transparent = (block[1] & 1) != 0 ? block[4] : NOT_TRANSPARENT;
    }
    while (block != NULL) {
        if (DGifGetExtensionNext(d->gif, &block) == GIF_ERROR) {
            return gif_failed(d, d->gif->Error);
        }
    }
    return DP_OK;
}

/* Reads records up to the first picture's descriptor. */
static dp_status find_frame(gif_decoder *d)
{
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        GifRecordType type;
        if (DGifGetRecordType(d->gif, &type) == GIF_ERROR) {
            return gif_failed(d, d->gif->Error);
        }
        if (type == TERMINATE_RECORD_TYPE) {
            return task_fail(d->base.task, DP_ERR_FORMAT, "the gif holds no picture");
        }
        if (type == IMAGE_DESC_RECORD_TYPE) {
            return DGifGetImageDesc(d->gif) == GIF_ERROR ? gif_failed(d, d->gif->Error) : DP_OK;
        }
        const dp_status status =
            type == EXTENSION_RECORD_TYPE ? read_extension(d) : task_check_time(d->base.task);
        if (status != DP_OK) {
            return status;
        }
    }
    return task_fail(d->base.task, DP_ERR_FORMAT, "the gif has too many extensions");
}

/* Colours one line of indices; `y` is on the canvas. */
static void paint_line(gif_decoder *d, const GifByteType *line, uint32_t y)
{
    const GifImageDesc *frame = &d->gif->Image;
    const ColorMapObject *map = frame->ColorMap != NULL ? frame->ColorMap : d->gif->SColorMap;
    uint8_t *out = surface_row(&d->canvas, y);

    for (int i = 0; i < frame->Width; i++) {
        const int x = frame->Left + i;
        if (x >= (int)d->canvas.width) {
            return;
        }
        if (line[i] == d->transparent || line[i] >= map->ColorCount) {
            continue;
        }
        const GifColorType colour = map->Colors[line[i]];
        uint8_t *pixel = out + 4 * (size_t)x;
        pixel[0] = colour.Red;
        pixel[1] = colour.Green;
        pixel[2] = colour.Blue;
        pixel[3] = 255;
    }
}

/* Reads every step-th line from `first` on: one pass of an interlaced picture (GIF89a, appendix E).
 */
static dp_status read_pass(gif_decoder *d, int first, int step)
{
    const GifImageDesc *frame = &d->gif->Image;
    GifByteType *line = dp_buf_data(d->line);

    for (int row = first; row < frame->Height; row += step) {
        if ((unsigned)row % ROWS_BETWEEN_LOOKS < (unsigned)step &&
            task_check_time(d->base.task) != DP_OK) {
            return DP_ERR_TIMEOUT;
        }
        if (DGifGetLine(d->gif, line, frame->Width) == GIF_ERROR) {
            return gif_failed(d, d->gif->Error);
        }
        if (frame->Top + row < (int)d->canvas.height) {
            paint_line(d, line, (uint32_t)(frame->Top + row));
        }
    }
    return DP_OK;
}

static dp_status read_lines(gif_decoder *d)
{
    static const int passes[4][2] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
    dp_status status = DP_OK;

    if (!d->gif->Image.Interlace) {
        return read_pass(d, 0, 1);
    }
    for (int i = 0; i < 4 && status == DP_OK; i++) {
        status = read_pass(d, passes[i][0], passes[i][1]);
    }
    return status;
}

static dp_status check_frame(const gif_decoder *d)
{
    const GifImageDesc *frame = &d->gif->Image;
    if (frame->Width < 0 || frame->Height < 0 || frame->Left < 0 || frame->Top < 0) {
        return task_fail(d->base.task, DP_ERR_FORMAT, "the gif's first frame makes no sense");
    }
    if (frame->ColorMap == NULL && d->gif->SColorMap == NULL) {
        return task_fail(d->base.task, DP_ERR_FORMAT, "the gif has no colours");
    }
    return task_check_pixels(d->base.task, (uint64_t)frame->Width, (uint64_t)frame->Height);
}

static dp_status read_frame(gif_decoder *d)
{
    dp_status status = find_frame(d);
    if (status == DP_OK) {
        status = check_frame(d);
    }
    if (status != DP_OK) {
        return status;
    }
    const dp_request request = {.size_bytes = (size_t)d->gif->Image.Width, .need = DP_NEED_HOST};
    status = task_get(d->base.task, &request, &d->line);
    if (status == DP_OK) {
        status = picture_take(d->base.task, d->base.info.width, d->base.info.height, 1, &d->out);
    }
    if (status != DP_OK) {
        return status;
    }
    d->canvas = picture_frame(&d->out, 0);
    memset(d->canvas.pixels, 0, surface_bytes(&d->canvas));
    return read_lines(d);
}

static dp_status decode_gif(decoder *base, const decode_hints *hints, picture *out)
{
    gif_decoder *d = (gif_decoder *)(void *)base;
    int error = 0;
    (void)hints;

    d->transparent = NOT_TRANSPARENT;
    d->gif = DGifOpen(d, read_bytes, &error);
    if (d->gif == NULL) {
        return gif_failed(d, error);
    }
    const dp_status status = read_frame(d);
    if (status == DP_OK) {
        *out = d->out;
        d->out = (picture){0};
    }
    return status;
}

static void close_gif(decoder *base)
{
    gif_decoder *d = (gif_decoder *)(void *)base;
    if (d->gif != NULL) {
        DGifCloseFile(d->gif, NULL);
    }
    picture_drop(&d->out);
    dp_put(d->line);
}

const codec codec_gif = {.format = DP_MEDIA_GIF,
                         .decoder_bytes = sizeof(gif_decoder),
                         .open = open_gif,
                         .decode = decode_gif,
                         .close = close_gif};

#else

const codec codec_gif = {.format = DP_MEDIA_GIF};

#endif
