/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pen that outlines are drawn with: closed contours of floating-point positions in, lines in
 * fixed point out.
 *
 * Positions are in units of 1/256 pixel and half a unit on, so that cutting off the fraction is
 * rounding to nearest; the pen's matrix does both.  A pen that is `inside` was promised that all
 * of the path lies on the canvas: it only clamps, which costs two instructions for four
 * coordinates, keeps NaN and a box that lied from the conversions, and changes nothing otherwise.
 * Any other pen clips (outline_clip.c).
 *
 * Contours close by construction: each point is rounded once and is the end of one line and the
 * beginning of the next; pen_close() leads back to the first.
 *
 * Failure is sticky: the pen draws nothing more, and the caller looks at `status` in the end.
 */
#ifndef DP_RENDER_SVG_OUTLINE_PEN_H
#define DP_RENDER_SVG_OUTLINE_PEN_H

#include "render/svg/outline.h"

/* The clamps below are exact in float: a canvas is at most 4096 * 256 = 2^20 units. */
#define PEN_UNIT ((float)RASTER_ONE)
#define PEN_HALF 0.5f
/* 4 million pixels. */
#define PEN_FAR 1073741824.0f

typedef struct pen {
    raster_line *next; /* where the next line goes */
    raster_line *end;  /* room ends here */
    outline *o;
    uint32_t first; /* the pen's own lines begin here */
    bool inside;
    dp_status status;
    scene_matrix m;             /* local space -> units, and half a unit */
    float right, bottom;        /* of the canvas: width and height in units, and half a unit */
    int32_t ix, iy;             /* where the pen is, on the canvas */
    int32_t start_ix, start_iy; /* where the contour began */
    float x, y, start_x, start_y;
} pen;

/* What of the canvas a box (local space) can touch. */
typedef enum pen_place { PEN_OUTSIDE, PEN_INSIDE, PEN_ACROSS } pen_place;

/* Begins to append to `o`; what `bounds` (local space) promises decides whether the pen clips. */
pen_place pen_begin(pen *p, outline *o, const scene_matrix *to_device, const scene_box *bounds);
/* Makes the lines part of the outline, or leaves it as it was at pen_begin(). */
dp_status pen_end(pen *p);

/* Room for `lines` more; false where there is none, with the status set. */
bool pen_grow(pen *p, uint32_t lines);
/* For a pen that clips. */
void clip_move(pen *p, float x, float y);
void clip_line(pen *p, float x, float y);
void clip_close(pen *p);

/* Numbers that the clipping can compute with; NaN becomes the lowest. */
static inline float clip_tame(float value)
{
    value = value > -PEN_FAR ? value : -PEN_FAR;
    return value < PEN_FAR ? value : PEN_FAR;
}

static inline bool pen_room(pen *p, uint32_t lines)
{
    return (size_t)(p->end - p->next) >= lines || pen_grow(p, lines);
}

/* NaN becomes 0; comparisons this way round are one instruction each. */
static inline float pen_clamp(float value, float high)
{
    value = value > 0.0f ? value : 0.0f;
    return value < high ? value : high;
}

static inline float pen_x(const scene_matrix *m, scene_point at)
{
    return m->a * at.x + m->c * at.y + m->e;
}

static inline float pen_y(const scene_matrix *m, scene_point at)
{
    return m->b * at.x + m->d * at.y + m->f;
}

/* The next point of the contour; the caller has made room.  No branch: a level line is written and
 * then written over. */
static inline void pen_put(pen *p, int32_t ix, int32_t iy)
{
    *p->next = (raster_line){p->ix, p->iy, ix, iy};
    p->next += p->iy != iy;
    p->ix = ix;
    p->iy = iy;
}

static inline void pen_move(pen *p, float x, float y)
{
    if (!p->inside) {
        clip_move(p, x, y);
        return;
    }
    p->start_x = p->x = x;
    p->start_y = p->y = y;
    p->start_ix = p->ix = (int32_t)pen_clamp(x, p->right);
    p->start_iy = p->iy = (int32_t)pen_clamp(y, p->bottom);
}

static inline void pen_line(pen *p, float x, float y)
{
    if (!p->inside) {
        clip_line(p, x, y);
        return;
    }
    p->x = x;
    p->y = y;
    if (pen_room(p, 1)) {
        pen_put(p, (int32_t)pen_clamp(x, p->right), (int32_t)pen_clamp(y, p->bottom));
    }
}

static inline void pen_close(pen *p)
{
    if (!p->inside) {
        clip_close(p);
        return;
    }
    p->x = p->start_x;
    p->y = p->start_y;
    if (pen_room(p, 1)) {
        pen_put(p, p->start_ix, p->start_iy);
    }
}

#endif
