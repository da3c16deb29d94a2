/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebP that moves: libwebpdemux reads it, libwebpmux writes it.  Each is optional; codec_webp.c
 * asks DP_HAVE_WEBPDEMUX and DP_HAVE_WEBPMUX before it comes here.
 */
#ifndef DP_RENDER_WEBP_MOTION_H
#define DP_RENDER_WEBP_MOTION_H

#include "render/codec.h"

/* What stands beside the pixels of a WebP; pointers into the file, empty where there is nothing. */
typedef struct webp_sides {
    media_bytes icc, exif;
} webp_sides;

webp_sides webp_read_sides(media_bytes file);

/*
 * The frames of an animation, whole canvases, made smaller where the hints allow it.  d->info is
 * filled.  DP_ERR_FORMAT, DP_ERR_TOO_LARGE, DP_ERR_TIMEOUT, the pool's errors, with words.
 */
dp_status webp_read_frames(decoder *d, const decode_hints *hints, picture *out);

/* Writes all frames.  `method` and `quality` are libwebp's.  As codec_encode(). */
dp_status webp_write_frames(render_task *task, const picture *p, int method, float quality,
                            dp_buf **out);

#endif
