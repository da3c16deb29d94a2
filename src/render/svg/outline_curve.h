/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Curves as polynomials, and into how many lines they are cut.
 *
 * A chord over the parameter step h = 1/n leaves a curve by at most s = h^2/8 max|B''|, which gives
 * n (Wang's bound).  Chords of a smooth curve lie on its inner side, so shapes would shrink: by 2/3
 * s all along their edges.  Therefore the n - 1 points between the ends are moved outwards by
 * h^2/12 n/(n-1) B''(t), after which curve and lines enclose nothing on balance.  B'' of a cubic is
 * linear in t, so the moved points lie on a cubic too, and moving costs nothing: its coefficients
 * are what is evaluated.  No point is then further off than 2/3 s n/(n-1), which n is chosen for. A
 * single line cannot be balanced.
 *
 * The moved points are still inside the hull of the control points, so a path whose box is on the
 * canvas stays there: for a cubic they are its blossom at (t - a, t, t + a) with a^2 = h^2/2
 * n/(n-1), and h <= t <= 1 - h.
 */
#ifndef DP_RENDER_SVG_OUTLINE_CURVE_H
#define DP_RENDER_SVG_OUTLINE_CURVE_H

#include <math.h>
#include <stdint.h>

#include "kernels/raster.h"
#include "render/svg/scene.h"

/* s n/(n-1) above, in pixels: two thirds of it and the rounding are 1/30 pixel. */
#define CURVE_SAGITTA   0.04f
#define CURVE_STEPS_MAX 1024u
/* A curve of more steps is halved where the path leaves the canvas, and halves out of sight are one
 * step.  Each halving halves the steps too: from 2^30 units it takes 9. */
#define CURVE_STEPS_CLIPPED 32u
#define CURVE_HALVINGS_MAX  16u

/* x(t) = x[0] + t (x[1] + t (x[2] + t x[3])) for 0 < t < 1; the end is (end_x, end_y). */
typedef struct curve {
    float x[4], y[4];
    float end_x, end_y;
    float step;    /* 1 / steps */
    float balance; /* 1 / (steps (steps - 1)) */
    uint32_t steps;
} curve;

/* `fourth`: (s n^2 / CURVE_SAGITTA)^2; it may be anything, NaN is 0.  n (n - 1) is to be its root.
 */
static inline void curve_steps(curve *c, float fourth)
{
    c->steps = 1;
    c->step = c->balance = 1.0f;
    if (fourth > 4.0f / 9.0f) {
        float least = sqrtf(sqrtf(fourth)) + 1.5f;
        c->steps = least < (float)CURVE_STEPS_MAX ? (uint32_t)least : CURVE_STEPS_MAX;
        float n = (float)(int32_t)c->steps;
        c->balance = 1.0f / (n * (n - 1.0f));
        c->step = c->balance * (n - 1.0f);
    }
}

/* Moves the inner points (see above); x[3] = 0 for a quadratic. */
static inline void curve_balance(float x[4], float balance)
{
    x[0] -= balance * x[2] * (1.0f / 6.0f);
    x[1] -= balance * x[3] * 0.5f;
}

/* `p`: three points in units, `unit` the length of a pixel in them. */
static inline curve curve_of_quad(const scene_point p[3], float unit)
{
    curve c;
    float dx = p[0].x - 2.0f * p[1].x + p[2].x, dy = p[0].y - 2.0f * p[1].y + p[2].y;
    float s = 4.0f * CURVE_SAGITTA * unit;
    curve_steps(&c, (dx * dx + dy * dy) / (s * s));
    c.x[0] = p[0].x, c.x[1] = 2.0f * (p[1].x - p[0].x), c.x[2] = dx, c.x[3] = 0.0f;
    c.y[0] = p[0].y, c.y[1] = 2.0f * (p[1].y - p[0].y), c.y[2] = dy, c.y[3] = 0.0f;
    c.end_x = p[2].x, c.end_y = p[2].y;
    curve_balance(c.x, c.balance);
    curve_balance(c.y, c.balance);
    return c;
}

/* `bow`: how many times CURVE_SAGITTA units a line beside the curve leaves it more than the curve
 * does, by its turn: width turn^2 / 8 of one step. */
static inline curve curve_beside_cubic(const scene_point p[4], float unit, float bow)
{
    curve c;
    float d0x = p[0].x - 2.0f * p[1].x + p[2].x, d0y = p[0].y - 2.0f * p[1].y + p[2].y;
    float d1x = p[1].x - 2.0f * p[2].x + p[3].x, d1y = p[1].y - 2.0f * p[2].y + p[3].y;
    float d0 = d0x * d0x + d0y * d0y, d1 = d1x * d1x + d1y * d1y;
    float s = CURVE_SAGITTA / 0.75f * unit;
    float least = (d0 > d1 ? d0 : d1) / (s * s);
    if (bow > 0.0f) {
        least = sqrtf(least) + bow;
        least *= least;
    }
    curve_steps(&c, least);
    c.x[0] = p[0].x, c.x[1] = 3.0f * (p[1].x - p[0].x), c.x[2] = 3.0f * d0x, c.x[3] = d1x - d0x;
    c.y[0] = p[0].y, c.y[1] = 3.0f * (p[1].y - p[0].y), c.y[2] = 3.0f * d0y, c.y[3] = d1y - d0y;
    c.end_x = p[3].x, c.end_y = p[3].y;
    curve_balance(c.x, c.balance);
    curve_balance(c.y, c.balance);
    return c;
}

static inline curve curve_of_cubic(const scene_point p[4], float unit)
{
    return curve_beside_cubic(p, unit, 0.0f);
}

static inline float curve_at(const float c[4], float t)
{
    return c[0] + t * (c[1] + t * (c[2] + t * c[3]));
}

/* The first half of `whole` to out[0 .. 3], the second to out[4 .. 7] (de Casteljau). */
static inline void curve_halve(const scene_point whole[4], scene_point out[8])
{
    const scene_point a = whole[0], b = whole[1], c = whole[2], d = whole[3];
    scene_point ab = {(a.x + b.x) * 0.5f, (a.y + b.y) * 0.5f};
    scene_point bc = {(b.x + c.x) * 0.5f, (b.y + c.y) * 0.5f};
    scene_point cd = {(c.x + d.x) * 0.5f, (c.y + d.y) * 0.5f};
    scene_point abc = {(ab.x + bc.x) * 0.5f, (ab.y + bc.y) * 0.5f};
    scene_point bcd = {(bc.x + cd.x) * 0.5f, (bc.y + cd.y) * 0.5f};
    scene_point mid = {(abc.x + bcd.x) * 0.5f, (abc.y + bcd.y) * 0.5f};
    out[0] = a, out[1] = ab, out[2] = abc, out[3] = mid;
    out[4] = mid, out[5] = bcd, out[6] = cd, out[7] = d;
}

/* The cubic that a quadratic is. */
static inline void curve_raise(const scene_point q[3], scene_point out[4])
{
    const float part = 2.0f / 3.0f;
    out[0] = q[0];
    out[1] = (scene_point){q[0].x + (q[1].x - q[0].x) * part, q[0].y + (q[1].y - q[0].y) * part};
    out[2] = (scene_point){q[2].x + (q[1].x - q[2].x) * part, q[2].y + (q[1].y - q[2].y) * part};
    out[3] = q[2];
}

#endif
