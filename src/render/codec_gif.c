/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GIF by giflib: frames on a transparent canvas, as many as the hints let an animation keep.
 *
 * Records are read one by one (DGifSlurp would read all frames into memory first); the canvas is
 * the logical screen, and a frame that reaches beyond is cut.  Every size in the file is checked
 * before it is used.  How many frames there are is found by walking the blocks (gif_walk.c),
 * without decoding any, so that limits are checked before memory is taken.  A still that is not
 * made smaller is drawn straight into its picture; otherwise there is one canvas, and a second one
 * once a frame asks to be taken back.
 */
#include "dp_features.h"

#include "render/codec.h"

#if DP_HAVE_GIF

#include <string.h>

#include <gif_lib.h>

#include "pool/os.h"
#include "render/gif_walk.h"
#include "render/rows.h"

#define SCREEN_AT          6u /* the logical screen descriptor, behind the signature */
#define ROWS_BETWEEN_LOOKS 64u
#define NOT_TRANSPARENT    (-1)
#define MS_PER_TICK        10.0

/* A hostile file may hold extensions without end; each costs a call, not memory. */
#define EXTENSIONS_MAX 10000u

/* What a frame leaves for the next one (GIF89a, 23.c.iv). */
typedef enum gif_disposal { DISPOSE_NOT, DISPOSE_CLEAR = 2, DISPOSE_BACK = 3 } gif_disposal;

typedef struct gif_decoder {
    decoder base;
    GifFileType *gif;
    size_t at; /* read position in base.bytes */
    /* Of the next frame, by its graphic control extension. */
    int transparent;
    unsigned disposal;
    uint32_t duration_ms;

    uint32_t loop_count;
    picture out;
    rows rows;
    surface canvas; /* of `out`, or its own */
    bool canvas_is_own;
    surface before; /* what a frame that is taken back began with; empty until there is one */
    dp_buf *line;
    size_t line_bytes;
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
    if (base->bytes.size_bytes < GIF_SCREEN_BYTES) {
        return task_fail(base->task, DP_ERR_FORMAT, "the gif ends early");
    }
    base->info.width = (uint32_t)(screen[0] | screen[1] << 8);
    base->info.height = (uint32_t)(screen[2] | screen[3] << 8);
    return DP_OK;
}

/* The application's block that tells how often to loop: a 1, and the count of repeats. */
static void read_loop_count(gif_decoder *d, const GifByteType *block)
{
    if (block[0] >= 3 && block[1] == 1) {
        const uint32_t repeats = block[2] | (uint32_t)block[3] << 8;
        d->loop_count = repeats == 0 ? 0 : repeats + 1;
    }
}

static void read_control(gif_decoder *d, const GifByteType *block)
{
    if (block[0] >= 4) {
        d->transparent = (block[1] & 1) != 0 ? block[4] : NOT_TRANSPARENT;
        d->disposal = block[1] >> 2 & 7u;
        d->duration_ms = codec_duration_ms(MS_PER_TICK * (block[2] | block[3] << 8));
    }
}

/* giflib's blocks begin with their length. */
static dp_status read_extension(gif_decoder *d)
{
    GifByteType *block = NULL;
    int code = 0;
    bool loops = false;

    if (DGifGetExtension(d->gif, &code, &block) == GIF_ERROR) {
        return gif_failed(d, d->gif->Error);
    }
    if (code == GRAPHICS_EXT_FUNC_CODE && block != NULL) {
        read_control(d, block);
    } else if (code == APPLICATION_EXT_FUNC_CODE && block != NULL && block[0] == 11) {
        loops = memcmp(block + 1, "NETSCAPE2.0", 11) == 0;
    }
    while (block != NULL) {
        if (DGifGetExtensionNext(d->gif, &block) == GIF_ERROR) {
            return gif_failed(d, d->gif->Error);
        }
        if (loops && block != NULL) {
            read_loop_count(d, block);
        }
    }
    return DP_OK;
}

/* Reads records up to the next picture's descriptor. */
static dp_status find_frame(gif_decoder *d)
{
    d->transparent = NOT_TRANSPARENT;
    d->disposal = DISPOSE_NOT;
    d->duration_ms = codec_duration_ms(0);
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
static void paint_line(const gif_decoder *d, const GifByteType *line, uint32_t y)
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
        return task_fail(d->base.task, DP_ERR_FORMAT, "a frame of the gif makes no sense");
    }
    if (frame->ColorMap == NULL && d->gif->SColorMap == NULL) {
        return task_fail(d->base.task, DP_ERR_FORMAT, "the gif has no colours");
    }
    return task_check_pixels(d->base.task, (uint64_t)frame->Width, (uint64_t)frame->Height);
}

/* Room for a line of indices, which may be longer than the canvas is wide. */
static dp_status take_line(gif_decoder *d)
{
    const dp_request request = {.size_bytes = (size_t)d->gif->Image.Width, .need = DP_NEED_HOST};
    dp_buf *line;
    if (request.size_bytes <= d->line_bytes) {
        return DP_OK;
    }
    const dp_status status = task_get(d->base.task, &request, &line);
    if (status != DP_OK) {
        return task_fail(d->base.task, status, "no memory for a line of the gif");
    }
    dp_put(d->line);
    d->line = line;
    d->line_bytes = request.size_bytes;
    return DP_OK;
}

static dp_status keep_before(gif_decoder *d)
{
    if (d->before.buf == NULL) {
        const dp_status status =
            surface_take(d->base.task, d->canvas.width, d->canvas.height, &d->before);
        if (status != DP_OK) {
            return status;
        }
    }
    memcpy(d->before.pixels, d->canvas.pixels, surface_bytes(&d->canvas));
    return DP_OK;
}

static dp_status read_frame(gif_decoder *d)
{
    dp_status status = find_frame(d);
    if (status == DP_OK) {
        status = check_frame(d);
    }
    if (status == DP_OK) {
        status = take_line(d);
    }
    if (status == DP_OK && d->disposal == DISPOSE_BACK && d->out.frame_count > 1) {
        status = keep_before(d);
    }
    return status == DP_OK ? read_lines(d) : status;
}

/* The frame has been shown: leaves the canvas as it asks. */
static void dispose(const gif_decoder *d)
{
    const GifImageDesc *frame = &d->gif->Image;
    const uint32_t left = (uint32_t)frame->Left, width = (uint32_t)frame->Width;

    if (d->disposal == DISPOSE_BACK) {
        memcpy(d->canvas.pixels, d->before.pixels, surface_bytes(&d->canvas));
    } else if (d->disposal == DISPOSE_CLEAR && left < d->canvas.width) {
        const uint32_t room = d->canvas.width - left;
        const size_t bytes = 4 * (size_t)(width < room ? width : room);
        for (int y = frame->Top; y < frame->Top + frame->Height && y < (int)d->canvas.height; y++) {
            memset(surface_row(&d->canvas, (uint32_t)y) + 4 * (size_t)left, 0, bytes);
        }
    }
}

/* Memory for the frames, and for a canvas unless the only frame can be one. */
static dp_status take_frames(gif_decoder *d, const decode_hints *hints)
{
    render_task *task = d->base.task;
    const media_info *info = &d->base.info;
    const rows_plan plan = rows_plan_make(info, hints);
    const uint32_t count = gif_walk_frames(d->base.bytes);
    uint32_t kept;

    dp_status status = codec_frames_kept(&d->base, hints, count, plan.sides, &kept);
    if (status == DP_OK) {
        status = picture_take(task, plan.sides[0], plan.sides[1], kept, &d->out);
    }
    if (status == DP_OK) {
        status = rows_open(&d->rows, task, &plan);
    }
    if (status == DP_OK && (kept > 1 || rows_plan_shrinks(&plan))) {
        status = surface_take(task, info->width, info->height, &d->canvas);
        d->canvas_is_own = status == DP_OK;
    } else if (status == DP_OK) {
        d->canvas = picture_frame(&d->out, 0);
    }
    if (status == DP_OK) {
        memset(d->canvas.pixels, 0, surface_bytes(&d->canvas));
    }
    return status;
}

static dp_status read_frames(gif_decoder *d)
{
    for (uint32_t i = 0; i < d->out.frame_count; i++) {
        const surface frame = picture_frame(&d->out, i);
        const dp_status status = read_frame(d);
        if (status != DP_OK) {
            return status;
        }
        if (d->canvas_is_own) {
            rows_begin(&d->rows, &frame);
            rows_put_frame(&d->rows, &d->canvas);
        }
        if (d->out.frame_count > 1) {
            picture_durations_ms(&d->out)[i] = d->duration_ms;
            dispose(d);
        }
    }
    return DP_OK;
}

static dp_status decode_gif(decoder *base, const decode_hints *hints, picture *out)
{
    gif_decoder *d = (gif_decoder *)(void *)base;
    int error = 0;

    d->loop_count = 1; /* what a file that says nothing asks for */
    d->gif = DGifOpen(d, read_bytes, &error);
    if (d->gif == NULL) {
        return gif_failed(d, error);
    }
    dp_status status = take_frames(d, hints);
    if (status == DP_OK) {
        status = read_frames(d);
    }
    if (status == DP_OK) {
        d->out.loop_count = d->loop_count;
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
    if (d->canvas_is_own) {
        surface_drop(&d->canvas);
    }
    surface_drop(&d->before);
    rows_close(&d->rows);
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
