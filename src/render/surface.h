/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Surfaces: pictures in memory, straight (not premultiplied) sRGB in RGBA8, rows without gaps, in
 * one pooled buffer of kind DP_KIND_SURFACE that the CPU can see.
 *
 * A surface has one owner, who drops it; functions that take one over say so.  picture_frame()
 * gives one to look at, which is never dropped.
 */
#ifndef DP_RENDER_SURFACE_H
#define DP_RENDER_SURFACE_H

#include <danpool/buf.h>

#include "render/task.h"

typedef struct surface {
    dp_buf *buf; /* NULL: no surface */
    uint8_t *pixels;
    uint32_t width, height;
} surface;

/* Takes memory for a picture of undefined content.  The pool's errors, with words. */
dp_status surface_take(render_task *task, uint32_t width, uint32_t height, surface *out);

/* Gives the memory back; an empty surface is fine. */
void surface_drop(surface *s);

static inline size_t surface_stride_bytes(const surface *s)
{
    return (size_t)s->width * 4;
}

static inline uint8_t *surface_row(const surface *s, uint32_t y)
{
    return s->pixels + y * surface_stride_bytes(s);
}

static inline size_t surface_bytes(const surface *s)
{
    return s->height * surface_stride_bytes(s);
}

/* EXIF's 5 .. 8 exchange width and height. */
static inline bool orientation_lies_on_side(unsigned orientation)
{
    return orientation >= 5 && orientation <= 8;
}

/*
 * Fills `to` with `from` turned as EXIF's orientation (1 .. 8) says.  Its sides are those of
 * `from`, exchanged where the orientation says so, and the two do not overlap.
 */
void surface_turn(const surface *from, const surface *to, unsigned orientation);

#endif
