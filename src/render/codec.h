/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codecs behind one table: each file format in its own file, each library behind the same few
 * calls.
 *
 *     codec_open()  reads the header only; info is filled, the pixel limit checked, nothing taken
 *     codec_decode() gives the picture, at any size the format finds cheap and still large enough
 *     codec_close()
 *
 * A codec never trusts a byte: what the file says is checked before memory is taken, the deadline
 * is looked at every few rows, and an error in the file is a status with words.  A decoder is used
 * by one thread.  The bytes must stay where they are until codec_close().
 */
#ifndef DP_RENDER_CODEC_H
#define DP_RENDER_CODEC_H

#include <danpool/buf.h>

#include "render/picture.h"
#include "render/render.h"

typedef struct codec codec;
typedef struct decoder decoder;

typedef struct media_bytes {
    const uint8_t *data;
    size_t size_bytes;
} media_bytes;

typedef struct media_info {
    uint32_t width, height; /* as the file says; drawings: their natural size */
    unsigned orientation;   /* EXIF's, 1 .. 8: how to turn the decoded picture */
    bool drawing;           /* made of shapes: any size is its own */
} media_info;

/* The first member of every codec's own decoder. */
struct decoder {
    const codec *codec;
    render_task *task;
    media_bytes bytes;
    media_info info;
    /* (optional) the file's colour profile, alive until close(): codec_decode() applies it to what
     * decode() gave.  A codec that has done so itself leaves it empty. */
    media_bytes icc;
};

/* What the results will need of a picture; what is cheaper and still enough is what is decoded. */
typedef struct decode_hints {
    /*
     * The whole picture's sides in the largest of all results, before it is turned or cut.  A
     * drawing is given exactly that, anything else from there up to its own size.
     */
    uint32_t width, height;
    uint32_t frames_max; /* of an animation, the first ones are kept; 0 and 1: the first frame */
    size_t bytes_max;    /* of all frames kept of an animation (never fewer than one); 0 = any */
    bool want_planes;    /* give PICTURE_YCBCR where the file has it and its colours are sRGB */
} decode_hints;

typedef struct encode_hints {
    bool drawing; /* flat colours and sharp edges */
} encode_hints;

/* NULL slots: this build lacks it. */
struct codec {
    dp_media_format format;
    size_t decoder_bytes; /* sizeof the codec's own decoder */
    const char *engine;   /* (optional) who draws, where that is not the backend */
    dp_status (*open)(decoder *d);
    dp_status (*decode)(decoder *d, const decode_hints *hints, picture *out);
    void (*close)(decoder *d); /* (optional) also after a failed open: members are zero until set */
    dp_status (*encode)(render_task *task, const picture *p, const encode_hints *hints,
                        dp_buf **out);
};

extern const codec codec_jpeg, codec_png, codec_webp, codec_gif, codec_avif, codec_svg;

/*
 * From here on the fonts that a drawing's text used stay open, for a process that will not be able
 * to open them again.  Before the first drawing.
 */
void codec_svg_keep_fonts(void);

/* The table's row for a format; NULL for DP_MEDIA_UNKNOWN and beyond. */
const codec *codec_find(dp_media_format format);

/*
 * DP_ERR_FORMAT (unknown or broken), DP_ERR_UNSUPPORTED (no such codec here), DP_ERR_TOO_LARGE
 * (over the pixel limit), DP_ERR_NOMEM, DP_ERR_TIMEOUT: all with words in the task.
 */
dp_status codec_open(render_task *task, media_bytes bytes, decoder **out);
dp_status codec_decode(decoder *d, const decode_hints *hints, picture *out);
void codec_close(decoder *d);

/*
 * Encodes a picture of RGBA: all frames where the format can move, else the first.
 * DP_ERR_UNSUPPORTED where this build cannot write the format.
 */
dp_status codec_encode(render_task *task, dp_media_format format, const picture *p,
                       const encode_hints *hints, dp_buf **out);
/* Whether frames beyond the first would be kept. */
bool codec_can_move(dp_media_format format);

/* --- for codecs -------------------------------------------------------------------------- */

/*
 * How many of `count` frames the hints and the limits leave, at least one; `sides` are those that
 * the picture will have.  DP_ERR_TOO_LARGE, with words, when decoding those would be more than
 * ANIMATION_PIXELS_FACTOR pictures of the pixel limit.
 */
#define ANIMATION_PIXELS_FACTOR 4u
dp_status codec_frames_kept(const decoder *d, const decode_hints *hints, uint32_t count,
                            const uint32_t sides[2], uint32_t *kept);
/* A frame's time as browsers show it: what a file leaves at nothing or makes endless is corrected.
 */
uint32_t codec_duration_ms(double ms);

#endif
