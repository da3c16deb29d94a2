/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces, joins and caps; outline_nib.h says how they fit.
 *
 * Right edges are drawn the way the path goes, left edges against it, so the order in which lines
 * come is not the order along a contour; each spot is rounded once and kept, so they close anyway.
 */
#include "render/svg/outline_nib.h"

#include <math.h>

#include "render/svg/outline_corner.h"
#include "render/svg/outline_curve.h"

/* Corners that move a point by less than a quarter of a unit are none. */
#define CORNER_UNITS 0.25f

static void line_twice(nib *n, const nib_spot *from, const nib_spot *to)
{
    line(n, from, to);
    line(n, from, to);
}

static void draw_piece(nib *n, const nib_piece *piece)
{
    if (piece->fold == NIB_FLAT) {
        if (!piece->hides_right) {
            line(n, &piece->right0, &piece->right1);
        }
        if (!piece->hides_left) {
            line(n, &piece->left1, &piece->left0);
        }
        return;
    }
    /* One side is drawn as ever, the other the wrong way round. */
    bool left = piece->fold == NIB_FOLD_LEFT;
    const nib_spot *from = left ? &piece->left1 : &piece->right0;
    const nib_spot *to = left ? &piece->left0 : &piece->right1;
    edge(n, left ? &piece->right0 : &piece->left0, left ? &piece->right1 : &piece->left1, !left);
    line(n, to, from);
    if (left ? !piece->fold_goes_on : !piece->folds_on) {
        line_twice(n, from, &piece->hub);
    }
    if (left ? !piece->folds_on : !piece->fold_goes_on) {
        line_twice(n, &piece->hub, to);
    }
}

/* Between two pieces that fold alike. */
static void draw_hubs(nib *n, const nib_piece *a, const nib_piece *b)
{
    if (a->fold == NIB_FOLD_LEFT) {
        line_twice(n, &b->hub, &a->hub);
    } else {
        line_twice(n, &a->hub, &b->hub);
    }
}

/* The spots beside one end of a piece; four numbers at a time, which the compiler makes vectors of.
 */
static inline void flank(const nib *n, scene_point at, scene_point t, nib_spot *left,
                         nib_spot *right)
{
    const nib_map *m = &n->map;
    float on[4];
    int32_t units[4];
/* gcc would unroll it before it looks for vectors. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 1
#endif
    for (int i = 0; i < 4; ++i) {
        float value = m->x[i] * at.x + m->y[i] * at.y + m->more[i] +
                      (m->beside_x[i] * t.x + m->beside_y[i] * t.y);
        on[i] = value;
        units[i] = (int32_t)pen_clamp(value, m->high[i]);
    }
    if (!n->pen.inside) {
        *left = spot_of(n, on[0], on[1]);
        *right = spot_of(n, on[2], on[3]);
        return;
    }
    *left = (nib_spot){on[0], on[1], units[0], units[1]};
    *right = (nib_spot){on[2], on[3], units[2], units[3]};
}

/* How right0, right1, left1, left0 lie: each corner turns the same way where the piece counts +1,
 * at most one does not.  False where the piece is turned over altogether. */
static bool find_fold(const nib *n, nib_piece *q)
{
    float right_x = q->right1.x - q->right0.x, right_y = q->right1.y - q->right0.y;
    float end_x = q->left1.x - q->right1.x, end_y = q->left1.y - q->right1.y;
    float left_x = q->left0.x - q->left1.x, left_y = q->left0.y - q->left1.y;
    float start_x = q->right0.x - q->left0.x, start_y = q->right0.y - q->left0.y;
    bool right1 = right_x * end_y - right_y * end_x < 0.0f;
    bool left1 = end_x * left_y - end_y * left_x < 0.0f;
    bool left0 = left_x * start_y - left_y * start_x < 0.0f;
    bool right0 = start_x * right_y - start_y * right_x < 0.0f;
    q->fold = NIB_FLAT;
    if (right1 + left1 + left0 + right0 >= 3) {
        return true;
    }
    if (right0 != right1 || left0 != left1 || right0 == left0) {
        return false;
    }
    float across = start_x * end_y - start_y * end_x;
    float part = (end_x * left_y - end_y * left_x) / across;
    if (!(part >= 0.0f && part <= 1.0f)) {
        return false;
    }
    q->fold = right0 ? NIB_FOLD_LEFT : NIB_FOLD_RIGHT;
    q->hub = spot_of(n, q->left0.x + part * start_x, q->left0.y + part * start_y);
    return true;
}

/* Whether all that the stroke has around a point of the path is beyond one edge of the canvas: then
 * it covers nothing or a row's left end, and only where it begins and ends matters. */
static bool out_of_sight(const nib *n, scene_point at)
{
    const pen *p = &n->pen;
    float x = pen_x(&p->m, at), y = pen_y(&p->m, at);
    return !p->inside && (x <= -n->reach || y <= -n->reach || x >= p->right + n->reach ||
                          y >= p->bottom + n->reach);
}

/* Around a point of the path from one offset to another, at most half a turn on. */
typedef struct nib_arc {
    scene_point at, from, to;
    float sense; /* +1 turns like `half`, -1 the other way */
    bool left;   /* on the left side, where edges go against the path */
} nib_arc;

/* The arc's points between its ends; `last` goes along. */
static void draw_arc(nib *n, const nib_arc *a, nib_spot *last)
{
    const float c = n->turn_cos, s = n->turn_sin * a->sense;
    const float onward = s >= 0.0f ? 1.0f : -1.0f;
    scene_point w = a->from;
    uint32_t steps = out_of_sight(n, a->at) ? 1 : n->half_turn_steps;
    for (uint32_t i = 1; i < steps; ++i) {
        w = (scene_point){c * w.x - s * w.y, s * w.x + c * w.y};
        if (!(cross(w, a->to) * onward > 0.0f)) {
            break;
        }
        nib_spot next = spot_at(n, a->at, (scene_point){w.x * n->bulge, w.y * n->bulge});
        edge(n, last, &next, a->left);
        *last = next;
    }
}

/* The outer side of a corner, from `a`'s end to `b`'s beginning. */
static void join_outside(nib *n, const nib_piece *a, const nib_piece *b, scene_join style,
                         bool left)
{
    nib_spot last = left ? a->left1 : a->right1;
    scene_point from = normal(n, a->t1), to = normal(n, b->t0);
    if (!left) {
        from = negated(from);
        to = negated(to);
    }
    float onward = 1.0f + dot(a->t1, b->t0);
    if (style == SCENE_JOIN_ROUND) {
        const nib_arc arc = {a->p1, from, to, left ? -1.0f : 1.0f, left};
        draw_arc(n, &arc, &last);
    } else if (style == SCENE_JOIN_MITER && onward > OPPOSITE &&
               n->miter_limit * n->miter_limit * onward >= 2.0f) {
        scene_point tip = {(from.x + to.x) / onward, (from.y + to.y) / onward};
        nib_spot next = spot_at(n, a->p1, tip);
        edge(n, &last, &next, left);
        last = next;
    }
    edge(n, &last, left ? &b->left0 : &b->right0, left);
}

static void join(nib *n, nib_piece *a, nib_piece *b, scene_join style)
{
    float turn = cross(a->t1, b->t0);
    float shift_x = a->left1.x - b->left0.x, shift_y = a->left1.y - b->left0.y;
    if (dot(a->t1, b->t0) > 0.0f && fabsf(shift_x) < CORNER_UNITS &&
        fabsf(shift_y) < CORNER_UNITS) {
        b->left0 = a->left1;
        b->right0 = a->right1;
        return;
    }
    bool inner_left = turn * n->half > 0.0f;
    corner_leave(n);
    corner_inside(n, a, b, inner_left);
    join_outside(n, a, b, style, !inner_left);
}

/* From one side of the path's end to the other, by way of what is beyond; `out` is a unit vector.
 */
static void cap(nib *n, scene_point at, scene_point out, const nib_spot *from, const nib_spot *to)
{
    scene_point side = negated(normal(n, out));
    nib_spot last = *from;
    if (n->cap == SCENE_CAP_ROUND) {
        const nib_arc arc = {at, side, negated(side), 1.0f, false};
        draw_arc(n, &arc, &last);
    } else if (n->cap == SCENE_CAP_SQUARE) {
        float half = fabsf(n->half);
        scene_point corner = {side.x + out.x * half, side.y + out.y * half};
        nib_spot next = spot_at(n, at, corner);
        line(n, &last, &next);
        corner = (scene_point){-side.x + out.x * half, -side.y + out.y * half};
        last = spot_at(n, at, corner);
        line(n, &next, &last);
    }
    line(n, &last, to);
}

static void set_map(nib *n)
{
    const scene_matrix *m = &n->pen.m;
    for (int i = 0; i < 4; ++i) {
        float side = i < 2 ? n->half : -n->half;
        n->map.x[i] = i % 2 == 0 ? m->a : m->b;
        n->map.y[i] = i % 2 == 0 ? m->c : m->d;
        n->map.more[i] = i % 2 == 0 ? m->e : m->f;
        n->map.beside_x[i] = n->map.y[i] * side;
        n->map.beside_y[i] = n->map.x[i] * -side;
        n->map.high[i] = i % 2 == 0 ? n->pen.right : n->pen.bottom;
    }
}

void nib_begin(nib *n, const scene_stroke *stroke, float pixel, float reach)
{
    n->reach = reach;
    const scene_matrix *m = &n->pen.m;
    /* n = half * (-t.y, t.x) is to the right of the path on an unmirrored canvas when half > 0. */
    n->half = m->a * m->d - m->b * m->c < 0.0f ? 0.5f * stroke->width : -0.5f * stroke->width;
    set_map(n);
    n->cap = (scene_cap)stroke->cap;
    n->join = (scene_join)stroke->join;
    n->miter_limit = stroke->miter_limit;
    n->nothing = pixel * (1.0f / 1024.0f);
    n->count = 0;
    /* A chord leaves its arc by r (1 - cos(angle / 2)), about r angle^2 / 8. */
    const float half_turn = 3.14159265f;
    float radius = 0.5f * stroke->width / pixel;
    float steps = ceilf(half_turn / sqrtf(8.0f * CURVE_SAGITTA / radius));
    steps = steps > 4.0f ? steps < (float)CURVE_STEPS_MAX ? steps : (float)CURVE_STEPS_MAX : 4.0f;
    float angle = half_turn / steps;
    n->half_turn_steps = (uint32_t)steps;
    n->turn_cos = cosf(angle);
    n->turn_sin = n->half < 0.0f ? -sinf(angle) : sinf(angle);
    n->bulge = 1.0f + angle * angle * (1.0f / 12.0f) * steps / (steps - 1.0f);
}

void nib_run(nib *n, scene_point at)
{
    n->at = at;
    n->count = 0;
    n->drawn = 1;
    n->chain = 0;
    n->corner.open = false;
}

/* A step that bends.  One edge of it is shorter than the path, the other longer. */
static void bend_piece(const nib *n, const nib_piece *before, nib_piece *out)
{
    scene_point chord = {out->p1.x - out->p0.x, out->p1.y - out->p0.y};
    scene_point turn = {out->t1.x - out->t0.x, out->t1.y - out->t0.y};
    float square = dot(chord, chord);
    /* Both edges go along the chord, on either side of it: the piece is what it should be. */
    if (fabsf(n->half * cross(turn, chord)) < 0.9f * square && dot(chord, out->t0) > 0.0f &&
        dot(chord, out->t1) > 0.0f) {
        return;
    }
    if (find_fold(n, out)) {
        out->folds_on = before != NULL && out->fold != NIB_FLAT && before->fold == out->fold;
        return;
    }
    float length = sqrtf(square);
    out->t0 = out->t1 = (scene_point){chord.x / length, chord.y / length};
    flank(n, out->p0, out->t0, &out->left0, &out->right0);
    flank(n, out->p1, out->t1, &out->left1, &out->right1);
}

/* The piece that a step ends, from where the nib is; `before` is the one it goes on from, or NULL.
 */
static void make_piece(const nib *n, const nib_step *step, const nib_piece *before, nib_piece *out)
{
    out->fold = NIB_FLAT;
    out->folds_on = out->fold_goes_on = out->hides_left = out->hides_right = false;
    out->p0 = n->at;
    out->p1 = step->to;
    out->t0 = step->t0;
    out->t1 = step->t1;
    out->taken_left = out->taken_right = 0.0f;
    if (before != NULL) {
        out->left0 = before->left1;
        out->right0 = before->right1;
    } else {
        flank(n, out->p0, out->t0, &out->left0, &out->right0);
    }
    scene_point t1 = {out->t1.x * step->swell, out->t1.y * step->swell};
    flank(n, out->p1, t1, &out->left1, &out->right1);
    if (step->t0.x != step->t1.x || step->t0.y != step->t1.y) {
        bend_piece(n, before, out);
    }
}

/* Draws what `later` has no room for any more. */
static void draw_before(nib *n, uint32_t end)
{
    for (; n->drawn < end; ++n->drawn) {
        draw_piece(n, piece_at(n, n->drawn));
    }
}

/* The piece that a step adds, and what is between it and the last one. */
static void go_on(nib *n, const nib_step *step)
{
    if (n->count >= NIB_PIECES) {
        draw_before(n, n->count - NIB_PIECES + 1);
    }
    nib_piece *last = piece_at(n, n->count - 1), *next = piece_at(n, n->count);
    bool goes_on = last->t1.x == step->t0.x && last->t1.y == step->t0.y;
    make_piece(n, step, goes_on ? last : NULL, next);
    if (!goes_on || next->t0.x != step->t0.x || next->t0.y != step->t0.y) {
        join(n, last, next, step->smooth ? SCENE_JOIN_ROUND : n->join);
    }
    if (next->folds_on) {
        last->fold_goes_on = true;
        draw_hubs(n, last, next);
    }
    corner_go_on(n, next);
}

void nib_go(nib *n, const nib_step *step)
{
    float dx = step->to.x - n->at.x, dy = step->to.y - n->at.y;
    if (!(dx * dx + dy * dy > n->nothing * n->nothing)) {
        return;
    }
    if (n->count == 0) {
        make_piece(n, step, NULL, &n->first);
    } else {
        go_on(n, step);
    }
    n->at = step->to;
    ++n->count;
}

void nib_end(nib *n, bool closed)
{
    if (n->count == 0) {
        return;
    }
    nib_piece *last = piece_at(n, n->count - 1);
    corner_leave(n);
    if (closed && n->count > 1) {
        join(n, last, &n->first, n->join);
        corner_go_on(n, &n->first);
        corner_leave(n);
    } else {
        cap(n, n->first.p0, negated(n->first.t0), &n->first.left0, &n->first.right0);
        cap(n, last->p1, last->t1, &last->right1, &last->left1);
    }
    draw_piece(n, &n->first);
    draw_before(n, n->count);
    n->count = 0;
}

void nib_dot(nib *n, scene_point at, scene_point tangent)
{
    if (n->cap == SCENE_CAP_BUTT || out_of_sight(n, at)) {
        return;
    }
    nib_spot left, right;
    flank(n, at, tangent, &left, &right);
    cap(n, at, negated(tangent), &left, &right);
    cap(n, at, tangent, &right, &left);
}
