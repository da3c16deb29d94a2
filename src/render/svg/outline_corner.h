/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the nib's two files share: spots, edges, and the inner sides of corners.
 *
 * Where both pieces at a corner are longer than the cut, their inner edges end where they cross.
 * Else the corner is left open: each piece that follows is looked at, whether its inner edge
 * crosses that of a piece before the corner, from within to without.  There both are cut, and the
 * edges in between hidden.  What they went around was covered by both sides, and still is by one.
 * A corner that never closes so goes by way of its own point.
 */
#ifndef DP_RENDER_SVG_OUTLINE_CORNER_H
#define DP_RENDER_SVG_OUTLINE_CORNER_H

#include "render/svg/outline_nib.h"

/* Tangents nearer to opposite than this have no corner where their edges cross. */
#define OPPOSITE 1e-6f

static inline nib_spot spot_of(const nib *n, float x, float y)
{
    const pen *p = &n->pen;
    if (!p->inside) {
        x = clip_tame(x);
        y = clip_tame(y);
    }
    return (nib_spot){x, y, (int32_t)pen_clamp(x, p->right), (int32_t)pen_clamp(y, p->bottom)};
}

static inline nib_spot spot_at(const nib *n, scene_point at, scene_point offset)
{
    const scene_matrix *m = &n->pen.m;
    at.x += offset.x;
    at.y += offset.y;
    return spot_of(n, pen_x(m, at), pen_y(m, at));
}

static inline void line(nib *n, const nib_spot *from, const nib_spot *to)
{
    pen *p = &n->pen;
    if (!p->inside) {
        p->x = from->x, p->y = from->y;
        p->ix = from->ix, p->iy = from->iy;
        clip_line(p, to->x, to->y);
    } else if (pen_room(p, 1)) {
        *p->next = (raster_line){from->ix, from->iy, to->ix, to->iy};
        p->next += from->iy != to->iy;
    }
}

/* An edge on the left side goes against the path. */
static inline void edge(nib *n, const nib_spot *from, const nib_spot *to, bool left)
{
    if (left) {
        line(n, to, from);
    } else {
        line(n, from, to);
    }
}

static inline scene_point normal(const nib *n, scene_point t)
{
    return (scene_point){-t.y * n->half, t.x * n->half};
}

static inline scene_point negated(scene_point v)
{
    return (scene_point){-v.x, -v.y};
}

static inline float cross(scene_point a, scene_point b)
{
    return a.x * b.y - a.y * b.x;
}

static inline float dot(scene_point a, scene_point b)
{
    return a.x * b.x + a.y * b.y;
}

/* The piece of a number that is not drawn yet. */
static inline nib_piece *piece_at(nib *n, uint32_t i)
{
    return i == 0 ? &n->first : &n->later[i % NIB_PIECES];
}

/* The inner side between two pieces, of which `b` may be the run's first: cut, or left open. */
void corner_inside(nib *n, nib_piece *a, nib_piece *b, bool left);
/* Looks at the piece that follows the last, if a corner is open. */
void corner_go_on(nib *n, nib_piece *next);
/* Closes an open corner by way of its point; the pieces at it are in the run. */
void corner_leave(nib *n);

#endif
