/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills: a path's contours, closed, as lines.
 *
 * A path on the canvas goes through the short loops here: points of a curve are computed four at a
 * time, which the compiler turns into vector instructions, and then written one after another.
 * A path that leaves it is walked point by point by the clipping pen; curves too long for the
 * canvas are halved first, and halves out of sight are one line.
 */
#include "render/svg/outline_curve.h"
#include "render/svg/outline_pen.h"

#define LANES 4u
/* One coordinate of four points of a curve, the first of them number `first`. */
static inline void four_points(const float x[4], float step, float first, float high,
                               int32_t out[LANES])
{
    static const float lanes[LANES] = {0.0f, 1.0f, 2.0f, 3.0f};
/* gcc would unroll it before it looks for vectors. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 1
#endif
    for (uint32_t i = 0; i < LANES; ++i) {
        float t = (first + lanes[i]) * step;
        out[i] = (int32_t)pen_clamp(curve_at(x, t), high);
    }
}

/* Points 1 .. steps - 1 of the curve, then its end. */
static void put_curve(pen *p, const curve *c)
{
    if (!pen_room(p, c->steps + LANES)) {
        return;
    }
    raster_line *next = p->next;
    int32_t last_x = p->ix, last_y = p->iy;
    for (uint32_t i = 1; i < c->steps; i += LANES) {
        int32_t ix[LANES], iy[LANES];
        four_points(c->x, c->step, (float)(int32_t)i, p->right, ix);
        four_points(c->y, c->step, (float)(int32_t)i, p->bottom, iy);
        uint32_t lanes = c->steps - i < LANES ? c->steps - i : LANES;
        for (uint32_t lane = 0; lane < lanes; ++lane) {
            *next = (raster_line){last_x, last_y, ix[lane], iy[lane]};
            next += last_y != iy[lane];
            last_x = ix[lane];
            last_y = iy[lane];
        }
    }
    p->next = next;
    p->ix = last_x;
    p->iy = last_y;
    p->x = c->end_x;
    p->y = c->end_y;
    pen_put(p, (int32_t)pen_clamp(c->end_x, p->right), (int32_t)pen_clamp(c->end_y, p->bottom));
}

/* Whether all four points are beyond one and the same edge of the canvas. */
static bool out_of_sight(const pen *p, const scene_point q[4])
{
    bool above = true, below = true, left = true, right = true;
    for (int i = 0; i < 4; ++i) {
        above &= q[i].y <= 0.0f;
        below &= q[i].y >= p->bottom;
        left &= q[i].x <= 0.0f;
        right &= q[i].x >= p->right;
    }
    return above || below || left || right;
}

static void clip_curve(pen *p, const scene_point whole[4])
{
    scene_point stack[CURVE_HALVINGS_MAX][4];
    uint32_t depth = 1;
    for (int i = 0; i < 4; ++i) {
        stack[0][i] = (scene_point){clip_tame(whole[i].x), clip_tame(whole[i].y)};
    }
    while (depth > 0) {
        const scene_point *q = stack[depth - 1];
        if (out_of_sight(p, q)) {
            clip_line(p, q[3].x, q[3].y);
            --depth;
            continue;
        }
        curve c = curve_of_cubic(q, PEN_UNIT);
        if (c.steps > CURVE_STEPS_CLIPPED && depth < CURVE_HALVINGS_MAX) {
            scene_point halves[8];
            curve_halve(q, halves);
            for (int i = 0; i < 4; ++i) {
                stack[depth - 1][i] = halves[4 + i];
                stack[depth][i] = halves[i];
            }
            ++depth;
            continue;
        }
        for (uint32_t i = 1; i < c.steps; ++i) {
            float t = (float)(int32_t)i * c.step;
            clip_line(p, curve_at(c.x, t), curve_at(c.y, t));
        }
        clip_line(p, c.end_x, c.end_y);
        --depth;
    }
}

static inline scene_point map(const pen *p, scene_point at)
{
    return (scene_point){pen_x(&p->m, at), pen_y(&p->m, at)};
}

static void fill_quad(pen *p, const scene_point *points)
{
    scene_point q[3] = {{p->x, p->y}, map(p, points[0]), map(p, points[1])};
    if (p->inside) {
        curve c = curve_of_quad(q, PEN_UNIT);
        put_curve(p, &c);
        return;
    }
    scene_point cubic[4];
    curve_raise(q, cubic);
    clip_curve(p, cubic);
}

static void fill_cubic(pen *p, const scene_point *points)
{
    scene_point q[4] = {{p->x, p->y}, map(p, points[0]), map(p, points[1]), map(p, points[2])};
    if (!p->inside) {
        clip_curve(p, q);
        return;
    }
    curve c = curve_of_cubic(q, PEN_UNIT);
    put_curve(p, &c);
}

static void fill_verbs(pen *p, const uint8_t *verbs, uint32_t verb_count, const scene_point *points)
{
    pen_move(p, 0.0f, 0.0f);
    for (uint32_t i = 0; i < verb_count && p->status == DP_OK; ++i) {
        scene_point at;
        switch ((scene_verb)verbs[i]) {
        case SCENE_MOVE:
            pen_close(p);
            at = map(p, *points++);
            pen_move(p, at.x, at.y);
            break;
        case SCENE_LINE:
            at = map(p, *points++);
            pen_line(p, at.x, at.y);
            break;
        case SCENE_QUAD:
            fill_quad(p, points);
            points += 2;
            break;
        case SCENE_CUBIC:
            fill_cubic(p, points);
            points += 3;
            break;
        default:
            pen_close(p);
            break;
        }
    }
    pen_close(p);
}

dp_status outline_fill(outline *o, const scene *s, const scene_path *path,
                       const scene_matrix *to_device)
{
    pen p;
    if (pen_begin(&p, o, to_device, &path->bounds) == PEN_OUTSIDE) {
        return DP_OK;
    }
    fill_verbs(&p, s->verbs + path->first_verb, path->verb_count, s->points + path->first_point);
    return pen_end(&p);
}
