/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures: what a decoder gives, in one pooled buffer of kind DP_KIND_SURFACE that the CPU can
 * see.
 *
 *     PICTURE_RGBA   one or more frames of straight (not premultiplied) sRGB RGBA8, one below the
 *                    other, rows without gaps
 *     PICTURE_YCBCR  one frame of three planes as a JPEG decoder has them: JFIF's full-range
 * BT.601, chroma of 1/1, 1/2 in width, or 1/2 in both; so a device that resamples is sent half the
 * bytes and does the colours itself
 *
 * Everything lies at offsets into one block, so that a picture made in another process is handed
 * over as it is: picture_check() is what makes it safe to follow offsets that somebody else wrote.
 * A picture has one owner, who drops it.
 */
#ifndef DP_RENDER_PICTURE_H
#define DP_RENDER_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>

#include "render/task.h"

#define PICTURE_FRAMES_MAX 512u

typedef enum picture_kind { PICTURE_RGBA, PICTURE_YCBCR } picture_kind;

typedef struct picture_plane {
    size_t offset_bytes, stride_bytes;
    uint32_t width, height;
} picture_plane;

typedef struct picture {
    dp_buf *buf; /* NULL: no picture */
    uint8_t *bytes;
    picture_kind kind;
    uint32_t width, height;
    uint32_t frame_count;          /* 1 unless it moves */
    uint32_t loop_count;           /* of an animation, 0 = for ever */
    picture_plane planes[3];       /* YCBCR: Y, Cb, Cr; RGBA: unused */
    size_t frame_bytes;            /* RGBA: from one frame to the next */
    size_t durations_offset_bytes; /* animations: frame_count uint32_t, milliseconds */
} picture;

#endif
