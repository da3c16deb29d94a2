/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strokes: a path's verbs as steps with tangents, for the dashes and the nib.
 *
 * Curves are cut in local space, as finely as the largest stretch of the matrix asks for, by the
 * same bound as fills; a step whose tangents turn further than a round join's step is halved, since
 * the outer side of a wide stroke is longer than the curve.  A curve that cannot be seen, its width
 * included, is a straight step.
 */
#include <math.h>
#include <string.h>

#include "render/svg/outline_curve.h"
#include "render/svg/outline_dash.h"

/* Halvings of one step of a curve; what turns further even then is a cusp and becomes a join. */
#define BENDS_MAX 7u

/* Steps of one stroke; more are too large.  Only what is far off the scale needs as many. */
#define STEPS_FIRST (1u << 18)
#define STEPS_VERB  64u

typedef struct stroker {
    nib nib;
    dash dash;
    float pixel; /* in local space, where it is smallest */
    float bend;  /* cosine of the turn of a round join's step */
    float least; /* local: vectors shorter than it have no direction */
    scene_box bounds;
    scene_point at, start;
    bool smooth; /* the next step goes on with the curve of the step before */
} stroker;

/* A contour's verbs and the points they take. */
typedef struct contour {
    const uint8_t *verbs;
    const scene_point *points;
    uint32_t verb_count;
    bool closed;
    bool drawn; /* there is more than a MOVE */
} contour;

/* The unit vector from `a` to `b`, and how far it is; 0 if they are one point. */
static float direction(const stroker *s, scene_point a, scene_point b, scene_point *out)
{
    float x = b.x - a.x, y = b.y - a.y;
    float length = sqrtf(x * x + y * y);
    if (!(length > s->least) || !isfinite(length)) {
        return 0.0f;
    }
    *out = (scene_point){x / length, y / length};
    return length;
}

/* Whether the stroke of what lies within these points' hull is beyond one edge of the canvas. */
static bool out_of_sight(const stroker *s, const scene_point *p, uint32_t count)
{
    const pen *view = &s->nib.pen;
    if (view->inside) {
        return false;
    }
    bool above = true, below = true, left = true, right = true;
    for (uint32_t i = 0; i < count; ++i) {
        float x = pen_x(&view->m, p[i]), y = pen_y(&view->m, p[i]);
        above &= y <= -s->nib.reach;
        below &= y >= view->bottom + s->nib.reach;
        left &= x <= -s->nib.reach;
        right &= x >= view->right + s->nib.reach;
    }
    return above || below || left || right;
}

/* Cuts the part of a line, t[0] .. t[1], down to where from + t (to - from) is within the limits.
 */
static void trim(float from, float to, float low, float high, float t[2])
{
    float enter = (low - from) / (to - from), leave = (high - from) / (to - from);
    float first = enter < leave ? enter : leave, last = enter < leave ? leave : enter;
    t[0] = first > t[0] ? first : t[0];
    t[1] = last < t[1] ? last : t[1];
}

/* The dashes of a long line that crosses the canvas: only those that can be seen are made. */
static void step_trimmed(stroker *s, const nib_step *whole)
{
    const pen *view = &s->nib.pen;
    const scene_point from = s->at;
    float reach = s->nib.reach, t[4] = {0.0f, 0.0f, 1.0f, 1.0f};
    trim(pen_x(&view->m, from), pen_x(&view->m, whole->to), -reach, view->right + reach, t + 1);
    trim(pen_y(&view->m, from), pen_y(&view->m, whole->to), -reach, view->bottom + reach, t + 1);
    if (!(t[1] < t[2])) {
        dash_go(&s->dash, whole, true);
        return;
    }
    nib_step part = *whole;
    for (int i = 0; i < 3; ++i) {
        if (t[i] < t[i + 1]) {
            part.to = (scene_point){from.x + (whole->to.x - from.x) * t[i + 1],
                                    from.y + (whole->to.y - from.y) * t[i + 1]};
            part.to = i == 2 || t[i + 1] == 1.0f ? whole->to : part.to;
            part.length = whole->length * (t[i + 1] - t[i]);
            dash_go(&s->dash, &part, i == 1);
        }
    }
}

static void step_line(stroker *s, scene_point to)
{
    nib_step step = {.to = to, .swell = 1.0f};
    step.length = direction(s, s->at, to, &step.t0);
    if (!(step.length > 0.0f)) {
        return;
    }
    step.t1 = step.t0;
    const scene_point ends[2] = {s->at, to};
    if (s->nib.pen.inside || s->dash.whole) {
        dash_go(&s->dash, &step, true);
    } else if (out_of_sight(s, ends, 2)) {
        dash_go(&s->dash, &step, false);
    } else {
        step_trimmed(s, &step);
    }
    s->at = to;
}

/* A place on a curve: its parameter, point and tangent. */
typedef struct place {
    float t;
    scene_point at, tangent;
} place;

typedef struct bow {
    curve c;
    float dx[3], dy[3]; /* the derivative's coefficients */
} bow;

static float speed(const bow *b, float t)
{
    float x = b->dx[0] + t * (b->dx[1] + t * b->dx[2]);
    float y = b->dy[0] + t * (b->dy[1] + t * b->dy[2]);
    return sqrtf(x * x + y * y);
}

/* Simpson's rule: steps are short. */
static float length_of(const bow *b, float t0, float t1)
{
    float sum = speed(b, t0) + 4.0f * speed(b, 0.5f * (t0 + t1)) + speed(b, t1);
    return sum * (t1 - t0) * (1.0f / 6.0f);
}

static place place_at(const stroker *s, const bow *b, float t, scene_point from)
{
    place out = {.t = t, .at = {curve_at(b->c.x, t), curve_at(b->c.y, t)}, .tangent = {1, 0}};
    scene_point d = {b->dx[0] + t * (b->dx[1] + t * b->dx[2]),
                     b->dy[0] + t * (b->dy[1] + t * b->dy[2])};
    if (direction(s, (scene_point){0, 0}, d, &out.tangent) == 0.0f) {
        (void)direction(s, from, out.at, &out.tangent);
    }
    return out;
}

/* From the place `last` to the place `next`, one step whose tangents' cosine is `turn`. */
static void step_to(stroker *s, const bow *b, place *last, const place *next, float turn)
{
    nib_step step = {next->at, last->tangent, next->tangent, 0.0f, 1.0f, s->smooth};
    if (next->t < 1.0f) {
        /* 1 + turn^2 / 12, which is for arcs what the balance of curves is. */
        step.swell += (1.0f - turn) * (1.0f / 6.0f);
    }
    if (!s->dash.whole) {
        step.length = length_of(b, last->t, next->t);
    }
    dash_go(&s->dash, &step, true);
    s->smooth = true;
    *last = *next;
}

static float cosine(const place *a, const place *b)
{
    return a->tangent.x * b->tangent.x + a->tangent.y * b->tangent.y;
}

/* The same where it bends too much: halved until it does not. */
static void step_halves(stroker *s, const bow *b, place *last, const place *next)
{
    place stack[BENDS_MAX];
    uint32_t depth = 1;
    stack[0] = *next;
    while (depth > 0 && s->nib.pen.status == DP_OK) {
        const place *top = &stack[depth - 1];
        float turn = cosine(last, top);
        if (turn < s->bend && depth < BENDS_MAX) {
            stack[depth] = place_at(s, b, 0.5f * (last->t + top->t), last->at);
            ++depth;
            continue;
        }
        step_to(s, b, last, top, turn);
        --depth;
    }
}

static void step_bend(stroker *s, const bow *b, place *last, const place *next)
{
    float turn = cosine(last, next);
    if (turn < s->bend) {
        step_halves(s, b, last, next);
    } else {
        step_to(s, b, last, next, turn);
    }
}

/* The derivative's coefficients, from those of a curve whose inner points were moved. */
static void derive(const float x[4], float balance, float out[3])
{
    out[0] = x[1] + balance * x[3] * 0.5f;
    out[1] = 2.0f * x[2];
    out[2] = 3.0f * x[3];
}

/* A curve from p[0] to p[3], whose steps are few; its ends' tangents come from the first control
 * points that are elsewhere. */
static void step_curve(stroker *s, const curve *c, const scene_point p[4])
{
    bow b = {.c = *c};
    derive(c->x, c->balance, b.dx);
    derive(c->y, c->balance, b.dy);
    place here = {.at = p[0]}, last = {.t = 1.0f, .at = p[3]};
    float found = 0.0f;
    for (uint32_t i = 1; i < 4 && found == 0.0f; ++i) {
        found = direction(s, p[0], p[i], &here.tangent);
    }
    if (found == 0.0f) {
        return;
    }
    found = 0.0f;
    for (uint32_t i = 3; i > 0 && found == 0.0f; --i) {
        found = direction(s, p[i - 1], p[3], &last.tangent);
    }
    for (uint32_t i = 1; i < c->steps && s->nib.pen.status == DP_OK; ++i) {
        place next = place_at(s, &b, (float)(int32_t)i * c->step, here.at);
        step_bend(s, &b, &here, &next);
    }
    step_bend(s, &b, &here, &last);
    s->at = p[3];
}

/* By how many times CURVE_SAGITTA the outer side of a bend, half the width away, would leave its
 * chord if the curve were one step.  The turn is that of the control points. */
static float bow_of(const stroker *s, const scene_point p[4])
{
    scene_point last = {0.0f, 0.0f}, next;
    float turn = 0.0f;
    bool found = false;
    for (int i = 0; i < 3; ++i) {
        if (direction(s, p[i], p[i + 1], &next) > 0.0f) {
            float x = next.x - last.x, y = next.y - last.y;
            turn += found ? sqrtf(x * x + y * y) : 0.0f;
            last = next;
            found = true;
        }
    }
    return fabsf(s->nib.half) * turn * turn / (8.0f * CURVE_SAGITTA * s->pixel);
}

/* NaN becomes `low`; comparisons this way round are one instruction each. */
static inline float within(float value, float low, float high)
{
    value = value > low ? value : low;
    return value < high ? value : high;
}

/* On a canvas that it leaves, a long curve is halved, and halves out of sight are straight steps.
 */
static void step_cubic(stroker *s, const scene_point whole[4])
{
    scene_point stack[CURVE_HALVINGS_MAX][4];
    /* Within the path's box, as they should be, few halvings are enough. */
    for (int i = 0; i < 4; ++i) {
        stack[0][i] = (scene_point){within(whole[i].x, s->bounds.x0, s->bounds.x1),
                                    within(whole[i].y, s->bounds.y0, s->bounds.y1)};
    }
    s->smooth = false;
    for (uint32_t depth = 1; depth > 0 && s->nib.pen.status == DP_OK;) {
        scene_point *q = stack[depth - 1];
        curve c = curve_beside_cubic(q, s->pixel, bow_of(s, q));
        if (out_of_sight(s, q, 4)) {
            step_line(s, q[3]);
        } else if (!s->nib.pen.inside && c.steps > CURVE_STEPS_CLIPPED &&
                   depth < CURVE_HALVINGS_MAX) {
            scene_point halves[8];
            curve_halve(q, halves);
            memcpy(stack[depth], halves, sizeof(stack[0]));
            memcpy(q, halves + 4, sizeof(stack[0]));
            ++depth;
            continue;
        } else {
            step_curve(s, &c, q);
        }
        --depth;
    }
}

/* All steps of a contour, from its start. */
static void tour(stroker *s, const contour *c)
{
    const scene_point *points = c->points;
    scene_point cubic[4];
    s->at = s->start;
    for (uint32_t i = 0; i < c->verb_count && s->nib.pen.status == DP_OK; ++i) {
        switch ((scene_verb)c->verbs[i]) {
        case SCENE_LINE:
            step_line(s, *points++);
            break;
        case SCENE_QUAD:
            curve_raise((scene_point[]){s->at, points[0], points[1]}, cubic);
            step_cubic(s, cubic);
            points += 2;
            break;
        case SCENE_CUBIC:
            memcpy(cubic + 1, points, 3 * sizeof(cubic[0]));
            cubic[0] = s->at;
            step_cubic(s, cubic);
            points += 3;
            break;
        case SCENE_CLOSE:
            step_line(s, s->start);
            break;
        default:
            break;
        }
    }
}

static void stroke_contour(stroker *s, const contour *c)
{
    if (!c->drawn) {
        return;
    }
    dash_begin(&s->dash, s->start, c->closed);
    tour(s, c);
    if (dash_again(&s->dash, s->start)) {
        tour(s, c);
    }
    dash_end(&s->dash, c->closed);
    if (!s->dash.moved) {
        nib_dot(&s->nib, s->start, (scene_point){1.0f, 0.0f});
    }
}

/* Takes the next contour's verbs, and its MOVE to s->start. */
static void next_contour(stroker *s, contour *c, const uint8_t *end)
{
    c->verb_count = 0;
    c->closed = c->drawn = false;
    if (*c->verbs == SCENE_MOVE) {
        s->start = *c->points++;
        ++c->verbs;
    }
    while (c->verbs + c->verb_count < end && !c->closed) {
        uint8_t verb = c->verbs[c->verb_count];
        if (verb == SCENE_MOVE) {
            break;
        }
        c->closed = verb == SCENE_CLOSE;
        c->drawn = true;
        ++c->verb_count;
    }
}

static void stroke_verbs(stroker *s, const uint8_t *verbs, uint32_t count,
                         const scene_point *points)
{
    static const uint8_t takes[SCENE_VERB_COUNT] = {1, 1, 2, 3, 0};
    const uint8_t *end = verbs + count;
    contour c = {.verbs = verbs, .points = points};
    while (c.verbs < end && s->nib.pen.status == DP_OK) {
        next_contour(s, &c, end);
        stroke_contour(s, &c);
        for (uint32_t i = 0; i < c.verb_count; ++i) {
            c.points += takes[c.verbs[i]];
        }
        c.verbs += c.verb_count;
    }
}

/* The greatest factor by which the matrix stretches a length (its larger singular value). */
static float stretch(const scene_matrix *m)
{
    float p = 0.5f * (m->a + m->d), q = 0.5f * (m->b - m->c);
    float r = 0.5f * (m->a - m->d), t = 0.5f * (m->b + m->c);
    return sqrtf(p * p + q * q) + sqrtf(r * r + t * t);
}

dp_status outline_stroke(outline *o, const scene *s, const scene_path *path,
                         const scene_stroke *stroke, const scene_matrix *to_device)
{
    float scale = stretch(to_device);
    const scene_box *b = &path->bounds;
    float far = fabsf(b->x0) + fabsf(b->x1) + fabsf(b->y0) + fabsf(b->y1);
    float area = fabsf(to_device->a * to_device->d - to_device->b * to_device->c);
    if (!(stroke->width > 0.0f) || !(scale > 0.0f) || !(area > 0.0f) || !isfinite(scale) ||
        !isfinite(stroke->width * scale) || !isfinite(far)) {
        return DP_OK;
    }
    float reach = 0.5f * stroke->width * (stroke->cap == SCENE_CAP_SQUARE ? 1.42f : 1.0f);
    if (stroke->join == SCENE_JOIN_MITER && stroke->miter_limit > 1.42f) {
        reach = 0.5f * stroke->width * stroke->miter_limit;
    }
    /* A stroke is within its path's box and the reach, but for roundings and arcs' bulges. */
    float slack = 1.001f * reach + 0.1f / scale;
    scene_box bounds = {b->x0 - slack, b->y0 - slack, b->x1 + slack, b->y1 + slack};
    /* Nothing is cut more finely than the coordinates themselves are. */
    stroker st = {.bounds = *b, .pixel = fmaxf(1.0f / scale, far * (1.0f / 4194304.0f))};
    if (pen_begin(&st.nib.pen, o, to_device, &bounds) == PEN_OUTSIDE) {
        return DP_OK;
    }
    nib_begin(&st.nib, stroke, st.pixel, slack * scale * PEN_UNIT);
    dash_set(&st.dash, &st.nib, stroke, s->dashes, STEPS_FIRST + STEPS_VERB * path->verb_count);
    st.bend = st.nib.turn_cos;
    st.least = st.nib.nothing;
    stroke_verbs(&st, s->verbs + path->first_verb, path->verb_count, s->points + path->first_point);
    return pen_end(&st.nib.pen);
}
