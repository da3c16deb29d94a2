/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many frames a GIF holds, without decoding one: limits are then checked before memory is
 * taken.
 */
#ifndef DP_RENDER_GIF_WALK_H
#define DP_RENDER_GIF_WALK_H

#include "render/codec.h"

/* The signature and the logical screen descriptor. */
#define GIF_SCREEN_BYTES 13u

/*
 * Frames up to the end, the first mistake, or just beyond PICTURE_FRAMES_MAX; at least 1, because a
 * file without any is told so by its decoder.  Of at least GIF_SCREEN_BYTES; pure function.
 */
uint32_t gif_walk_frames(media_bytes file);

#endif
