/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strokes, sampled: a point is inside when it is near enough to the path (round joins and caps), or
 * in one of the polygons that the standard's words make of corners and ends.  The winding number
 * must say so, and never be negative.  Points next to the border are not asked.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cm.h"
#include "lines_look.h"
#include "path_make.h"
#include "pool/os.h"
#include "render/svg/outline.h"

#define LINES_MAX   (1u << 20)
#define SIDE        64
#define CHAIN_MAX   8192
#define CURVE_PARTS 100

static const scene_matrix same = {1, 0, 0, 1, 0, 0};

static path_make made;

/* The path as points close together; a run ends where `ends` says so. */
typedef struct chain {
    scene_point p[CHAIN_MAX];
    bool ends[CHAIN_MAX];
    uint32_t count;
} chain;

static chain way;

static void chain_add(chain *c, double x, double y)
{
    assert_true(c->count < CHAIN_MAX);
    c->ends[c->count] = false;
    c->p[c->count++] = (scene_point){(float)x, (float)y};
}

static void chain_bezier(chain *c, const scene_point *p, int degree)
{
    for (int i = 1; i <= CURVE_PARTS; ++i) {
        double t = i / (double)CURVE_PARTS, u = 1.0 - t, x = 0, y = 0;
        const double quad[] = {u * u, 2 * u * t, t * t};
        const double cubic[] = {u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t};
        for (int k = 0; k <= degree; ++k) {
            double w = degree == 2 ? quad[k] : cubic[k];
            x += w * (double)p[k].x;
            y += w * (double)p[k].y;
        }
        chain_add(c, x, y);
    }
}

static void chain_of_path(chain *c)
{
    c->count = 0;
    const scene_point *p = made.points;
    scene_point start = {0, 0};
    for (uint32_t i = 0; i < made.path.verb_count; ++i) {
        switch (made.verbs[i]) {
        case SCENE_MOVE:
            if (c->count > 0) {
                c->ends[c->count - 1] = true;
            }
            start = *p++;
            chain_add(c, (double)start.x, (double)start.y);
            break;
        case SCENE_LINE:
            chain_add(c, (double)p->x, (double)p->y);
            ++p;
            break;
        case SCENE_QUAD:
            chain_bezier(c, p - 1, 2);
            p += 2;
            break;
        case SCENE_CUBIC:
            chain_bezier(c, p - 1, 3);
            p += 3;
            break;
        default:
            chain_add(c, (double)start.x, (double)start.y);
            break;
        }
    }
    c->ends[c->count - 1] = true;
}

static double distance(const chain *c, double x, double y)
{
    double best = DBL_MAX;
    for (uint32_t i = 0; i < c->count; ++i) {
        const scene_point a = c->p[i], b = c->ends[i] ? a : c->p[i + 1];
        double dx = (double)b.x - (double)a.x, dy = (double)b.y - (double)a.y;
        double px = x - (double)a.x, py = y - (double)a.y, length = dx * dx + dy * dy;
        double t = length > 0 ? (px * dx + py * dy) / length : 0.0;
        t = t < 0 ? 0 : t > 1 ? 1 : t;
        px -= t * dx, py -= t * dy;
        double square = px * px + py * py;
        best = square < best ? square : best;
    }
    return sqrt(best);
}

static outline canvas(void)
{
    return (outline){.lines_max = LINES_MAX, .width = SIDE, .height = SIDE};
}

static void stroke(outline *o, const scene_stroke *s, const scene_matrix *m)
{
    o->count = 0;
    assert_int_equal(outline_stroke(o, &made.scene, &made.path, s, m), DP_OK);
    assert_true(lines_in_canvas(o->lines, o->count, o->width, o->height));
    assert_true(lines_balanced(o->lines, o->count, o->height * RASTER_ONE));
}

/* Compares with the distance at points all over the canvas, `margin` (local) to either side. */
static void assert_round(const outline *o, const scene_stroke *s, const scene_matrix *m,
                         double margin)
{
    double det = (double)m->a * (double)m->d - (double)m->b * (double)m->c;
    for (int i = 0; i < SIDE * SIDE; i += 3) {
        double X = i % SIDE + 0.371, Y = (double)(i / SIDE) + 0.617;
        int winding = lines_winding(o->lines, o->count, X, Y);
        double ex = X - (double)m->e, ey = Y - (double)m->f;
        double x = (ex * (double)m->d - ey * (double)m->c) / det;
        double y = (ey * (double)m->a - ex * (double)m->b) / det;
        double far = distance(&way, x, y) - 0.5 * (double)s->width;
        if (winding < 0) {
            fail_msg("%g %g: winding number %d", X, Y, winding);
        }
        if (fabs(far) > margin && (far < 0) != (winding > 0)) {
            fail_msg("%g %g: %g beyond the border, winding number %d", X, Y, far, winding);
        }
    }
}

static scene_stroke round_stroke(float width)
{
    return (scene_stroke){
        .width = width, .miter_limit = 4, .cap = SCENE_CAP_ROUND, .join = SCENE_JOIN_ROUND};
}

static void round_strokes_of_any_path_are_what_is_near_it(void **state)
{
    (void)state;
    uint64_t random = 17;
    outline o = canvas();
    for (int round = 0; round < 48; ++round) {
        path_any(&made, &random, 8.0f, 56.0f);
        chain_of_path(&way);
        scene_stroke s = round_stroke(powf(2.0f, path_random(&random) * 5.0f - 1.0f));
        stroke(&o, &s, &same);
        assert_round(&o, &s, &same, 0.16);
    }
    outline_drop(&o);
}

static void a_matrix_stretches_the_stroke_with_the_path(void **state)
{
    (void)state;
    uint64_t random = 23;
    outline o = canvas();
    static const scene_matrix matrices[] = {{4, 0, 0, 1, 0, 0},     {-2, 0, 0, 2, 64, 0},
                                            {2, 1, -1, 3, 20, -20}, {0, 2, 3, 0, -10, 5},
                                            {1, 2, 2, -1, -30, 20}, {0.5f, 0, 0, 5, 8, -60}};
    for (int round = 0; round < 36; ++round) {
        const scene_matrix *m = &matrices[round % 6];
        path_any(&made, &random, 4.0f, 28.0f);
        chain_of_path(&way);
        scene_stroke s = round_stroke(0.5f + 5.0f * path_random(&random));
        stroke(&o, &s, m);
        assert_round(&o, &s, m, 0.25);
    }
    outline_drop(&o);
}

static void cusps_loops_and_hairpins_have_no_holes(void **state)
{
    (void)state;
    static const float curves[][8] = {
        {10, 50, 60, 10, 4, 10, 54, 50},             /* loop */
        {10, 50, 54, 10, 10, 10, 54, 50},            /* near a cusp */
        {10, 50, 57.3333f, 10, 6.6667f, 10, 54, 50}, /* a cusp */
        {10, 32, 50, 32, 50, 32, 12, 32},            /* there and back again */
        {30, 32, 31, 10, 32, 10, 33, 32},            /* hairpin */
        {20, 20, 20, 20, 44, 44, 44, 44},            /* handles of no length */
        {20, 20, 44, 44, 20, 20, 44, 44},            /* a line, forth and back and forth */
        {30, 30, 30.5f, 30, 30.5f, 30.5f, 30, 30.5f},
        {30, 30, 30, 30, 30, 30, 31, 30}};
    outline o = canvas();
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); ++i) {
        for (float width = 1.0f; width < 30.0f; width *= 3.1f) {
            path_clear(&made);
            path_move(&made, curves[i][0], curves[i][1]);
            path_cubic(&made, curves[i] + 2);
            chain_of_path(&way);
            scene_stroke s = round_stroke(width);
            stroke(&o, &s, &same);
            assert_round(&o, &s, &same, 0.16);
        }
    }
    outline_drop(&o);
}

static void points_are_dots_squares_or_nothing(void **state)
{
    (void)state;
    outline o = canvas();
    for (int closed = 0; closed < 2; ++closed) {
        path_clear(&made);
        path_move(&made, 32.0f, 32.0f);
        path_line(&made, 32.0f, 32.0f);
        if (closed) {
            path_close(&made);
        }
        scene_stroke s = round_stroke(20.0f);
        stroke(&o, &s, &same);
        assert_true(fabs(lines_area(o.lines, o.count) - 314.159) < 0.3);
        s.cap = SCENE_CAP_SQUARE;
        stroke(&o, &s, &same);
        assert_int_equal(o.count, 2);
        assert_true(lines_area(o.lines, o.count) == 400.0);
        s.cap = SCENE_CAP_BUTT;
        stroke(&o, &s, &same);
        assert_int_equal(o.count, 0);
    }
    path_clear(&made);
    path_move(&made, 32.0f, 32.0f);
    scene_stroke s = round_stroke(20.0f);
    stroke(&o, &s, &same);
    assert_int_equal(o.count, 0); /* a MOVE alone is no subpath */
    outline_drop(&o);
}

/* Inside the triangle, whichever way round it is given. */
static bool in_triangle(const double t[6], double x, double y)
{
    bool plus = false, minus = false;
    for (int i = 0; i < 6; i += 2) {
        int k = (i + 2) % 6;
        double c = (t[k] - t[i]) * (y - t[i + 1]) - (t[k + 1] - t[i + 1]) * (x - t[i]);
        plus |= c > 0;
        minus |= c < 0;
    }
    return !(plus && minus);
}

/* A corner's wedge on both sides: the outer one is real, the inner lies within the segments. */
static bool in_corner(const scene_point p[3], const scene_stroke *s, double x, double y)
{
    double half = 0.5 * (double)s->width;
    double ux = (double)(p[1].x - p[0].x), uy = (double)(p[1].y - p[0].y), ul = hypot(ux, uy);
    double vx = (double)(p[2].x - p[1].x), vy = (double)(p[2].y - p[1].y), vl = hypot(vx, vy);
    ux /= ul, uy /= ul, vx /= vl, vy /= vl;
    double onward = 1.0 + ux * vx + uy * vy, side = ux * vy - uy * vx > 0 ? -half : half;
    double cx = (double)p[1].x, cy = (double)p[1].y;
    double ax = -uy * side, ay = ux * side, bx = -vy * side, by = vx * side;
    const double bevel[6] = {cx, cy, cx + ax, cy + ay, cx + bx, cy + by};
    if (in_triangle(bevel, x, y)) {
        return true;
    }
    double limit = (double)s->miter_limit;
    if (s->join != SCENE_JOIN_MITER || limit * limit * onward < 2.0) {
        return false;
    }
    const double tip[6] = {
        cx + (ax + bx) / onward, cy + (ay + by) / onward, cx + ax, cy + ay, cx + bx, cy + by};
    return in_triangle(tip, x, y);
}

/* Along the segment from p[0] to p[1], `more` beyond both of its ends. */
static bool in_segment(const scene_point p[2], double half, const double more[2], double x,
                       double y)
{
    const scene_point a = p[0], b = p[1];
    double dx = (double)(b.x - a.x), dy = (double)(b.y - a.y), length = hypot(dx, dy);
    double along = ((x - (double)a.x) * dx + (y - (double)a.y) * dy) / length;
    double across = ((x - (double)a.x) * dy - (y - (double)a.y) * dx) / length;
    return along >= -more[0] && along <= length + more[1] && fabs(across) <= half;
}

/* The made path, whose verbs are lines, as a polygon of `count` corners. */
static bool in_polyline(int count, bool closed, const scene_stroke *s, double x, double y)
{
    const scene_point *p = made.points;
    double half = 0.5 * (double)s->width;
    double beyond = s->cap == SCENE_CAP_SQUARE && !closed ? half : 0.0;
    int segments = closed ? count : count - 1;
    for (int i = 0; i < segments; ++i) {
        const double more[2] = {i == 0 ? beyond : 0.0, i == segments - 1 ? beyond : 0.0};
        const scene_point ends[2] = {p[i], p[(i + 1) % count]};
        if (in_segment(ends, half, more, x, y)) {
            return true;
        }
    }
    for (int i = closed ? 0 : 1; i < (closed ? count : count - 1); ++i) {
        const scene_point corner[3] = {p[(i + count - 1) % count], p[i], p[(i + 1) % count]};
        if (in_corner(corner, s, x, y)) {
            return true;
        }
    }
    return false;
}

/* Points whose neighbourhood is not all inside or all outside are next to a border. */
static void assert_polyline(const outline *o, int count, bool closed, const scene_stroke *s)
{
    static const double near[4][2] = {{0.03, 0.03}, {-0.03, 0.03}, {0.03, -0.03}, {-0.03, -0.03}};
    for (int i = 0; i < SIDE * SIDE; i += 3) {
        double x = i % SIDE + 0.371, y = (double)(i / SIDE) + 0.617;
        int winding = lines_winding(o->lines, o->count, x, y), inside = 0;
        for (int k = 0; k < 4; ++k) {
            inside += in_polyline(count, closed, s, x + near[k][0], y + near[k][1]);
        }
        if (winding < 0 || (inside == 4 && winding == 0) || (inside == 0 && winding != 0)) {
            fail_msg("%g %g: inside %d of 4, winding number %d", x, y, inside, winding);
        }
    }
}

static void polygons_have_the_corners_and_ends_that_were_asked_for(void **state)
{
    (void)state;
    uint64_t random = 29;
    outline o = canvas();
    for (int round = 0; round < 200; ++round) {
        int count = 2 + (int)(path_random(&random) * 5.0f);
        bool closed = count > 2 && path_random(&random) < 0.5f;
        path_clear(&made);
        for (int i = 0; i < count; ++i) {
            float x = 6.0f + 52.0f * path_random(&random), y = 6.0f + 52.0f * path_random(&random);
            if (i == 0) {
                path_move(&made, x, y);
            } else {
                path_line(&made, x, y);
            }
        }
        if (closed) {
            path_close(&made);
        }
        scene_stroke s = {.width = 0.7f + 14.0f * path_random(&random), .miter_limit = 4};
        s.cap = round % 2 == 0 ? SCENE_CAP_BUTT : SCENE_CAP_SQUARE;
        s.join = round % 3 == 0 ? SCENE_JOIN_BEVEL : SCENE_JOIN_MITER;
        s.miter_limit = 1.0f + 9.0f * path_random(&random);
        stroke(&o, &s, &same);
        assert_polyline(&o, count, closed, &s);
    }
    outline_drop(&o);
}

static void a_stroked_rectangle_is_two_rectangles(void **state)
{
    (void)state;
    outline o = canvas();
    path_clear(&made);
    path_rect(&made, 10.0f, 10.0f, 40.0f, 30.0f);
    scene_stroke s = {.width = 4.0f, .miter_limit = 4, .join = SCENE_JOIN_MITER};
    stroke(&o, &s, &same);
    assert_int_equal(o.count, 8); /* corners of miters are not merged with the edges they go on */
    assert_true(lines_area(o.lines, o.count) == 44.0 * 34.0 - 36.0 * 26.0);
    outline_drop(&o);
}

static void rings_have_the_area_of_rings(void **state)
{
    (void)state;
    outline o = canvas();
    for (float radius = 3.0f; radius < 28.0f; radius *= 1.5f) {
        for (float width = 0.5f; width < 1.9f * radius && radius + 0.5f * width < 31.0f;
             width *= 2.0f) {
            path_clear(&made);
            path_circle(&made, 32.0f, 32.0f, radius);
            scene_stroke s = {.width = width, .miter_limit = 4};
            stroke(&o, &s, &same);
            double edges = 4.0 * 3.14159265 * (double)radius, area = 0.5 * edges * (double)width;
            /* An edge is off by a hundredth of a pixel at most, all along. */
            if (fabs(lines_area(o.lines, o.count) - area) > 0.01 * edges) {
                fail_msg("radius %g, width %g: %g is not %g", (double)radius, (double)width,
                         lines_area(o.lines, o.count), area);
            }
        }
    }
    outline_drop(&o);
}

static void hairlines_cover_as_much_as_they_are_wide(void **state)
{
    (void)state;
    outline o = canvas();
    path_clear(&made);
    path_move(&made, 10.0f, 10.0f);
    path_line(&made, 50.0f, 50.0f);
    for (float width = 0.05f; width < 2.0f; width *= 2.0f) {
        scene_stroke s = {.width = width, .miter_limit = 4};
        stroke(&o, &s, &same);
        double area = (double)width * 40.0 * sqrt(2.0);
        assert_true(fabs(lines_area(o.lines, o.count) - area) < 40.0 * 2.0 / 256.0);
    }
    scene_stroke none = {.width = 0.0f, .miter_limit = 4};
    stroke(&o, &none, &same);
    assert_int_equal(o.count, 0);
    outline_drop(&o);
}

/* The dashes of a chain, by walking along it in small steps. */
static void chain_dashes(const chain *c, const scene_stroke *s, chain *out)
{
    out->count = 0;
    uint32_t index = 0;
    double remaining = 0.0, offset = (double)s->dash_offset;
    for (uint32_t i = 0; i < c->count; ++i) {
        if (i == 0 || c->ends[i - 1]) {
            index = 0;
            remaining = (double)made.dashes[0] - offset;
            while (remaining < 0.0) {
                index = (index + 1) % s->dash_count;
                remaining += (double)made.dashes[index];
            }
        }
        const scene_point a = c->p[i], b = c->ends[i] ? a : c->p[i + 1];
        double length = hypot((double)(b.x - a.x), (double)(b.y - a.y));
        uint32_t parts = 1 + (uint32_t)(length / 0.25);
        for (uint32_t k = 0; k < parts; ++k) {
            double t = k / (double)parts;
            if (index % 2 == 0) {
                chain_add(out, (double)a.x + t * (double)(b.x - a.x),
                          (double)a.y + t * (double)(b.y - a.y));
                out->ends[out->count - 1] = true;
            }
            for (remaining -= length / parts; remaining < 0.0;) {
                index = (index + 1) % s->dash_count;
                remaining += (double)made.dashes[index];
            }
        }
    }
}

static void dashes_go_round_corners_and_along_curves(void **state)
{
    (void)state;
    static chain dashes;
    uint64_t random = 31;
    outline o = canvas();
    for (int round = 0; round < 40; ++round) {
        path_any(&made, &random, 8.0f, 56.0f);
        chain_of_path(&way);
        scene_stroke s = round_stroke(1.0f + 4.0f * path_random(&random));
        s.dash_count = round % 2 == 0 ? 2 : 4;
        for (uint32_t i = 0; i < s.dash_count; ++i) {
            made.dashes[i] = 3.0f + 17.0f * path_random(&random);
        }
        s.dash_offset = 10.0f * path_random(&random);
        chain_dashes(&way, &s, &dashes);
        stroke(&o, &s, &same);
        /* The walk's step, and lengths that differ a little between the two flattened curves. */
        const chain whole = way;
        way = dashes;
        assert_round(&o, &s, &same, 0.9);
        way = whole;
    }
    outline_drop(&o);
}

static void dashes_are_as_long_as_they_say(void **state)
{
    (void)state;
    outline o = canvas();
    path_clear(&made);
    path_rect(&made, 10.0f, 10.0f, 40.0f, 30.0f);
    scene_stroke s = {.width = 2.0f, .miter_limit = 4, .dash_count = 2};
    made.dashes[0] = 4.0f;
    made.dashes[1] = 6.0f;
    stroke(&o, &s, &same);
    /* 14 dashes of 4 x 2; at three corners gaps, the first begins at a corner: nothing is bent. */
    assert_true(fabs(lines_area(o.lines, o.count) - 14 * 8.0) < 0.2);
    /* Half of the first dash lies before the contour's end: with a miter of 1 x 1 between them. */
    s.dash_offset = 2.0f;
    stroke(&o, &s, &same);
    assert_true(lines_winding(o.lines, o.count, 9.5, 9.5) == 1);
    /* Dots, a square each, that stand the way the path goes. */
    s.dash_offset = 0.0f;
    s.cap = SCENE_CAP_SQUARE;
    made.dashes[0] = 0.0f;
    made.dashes[1] = 10.0f;
    stroke(&o, &s, &same);
    assert_true(fabs(lines_area(o.lines, o.count) - 14 * 4.0) < 0.2);
    /* One dash that is longer than the contour is the contour. */
    made.dashes[0] = 1000.0f;
    s.join = SCENE_JOIN_MITER;
    stroke(&o, &s, &same);
    assert_true(lines_area(o.lines, o.count) == 42.0 * 32.0 - 38.0 * 28.0);
    /* And a gap that is, is nothing. */
    s.dash_offset = 1001.0f;
    made.dashes[1] = 1000.0f;
    stroke(&o, &s, &same);
    assert_int_equal(o.count, 0);
    outline_drop(&o);
}

static void too_many_dashes_are_too_large(void **state)
{
    (void)state;
    outline o = canvas();
    path_clear(&made);
    path_move(&made, 0.0f, 30.0f);
    path_line(&made, 1.0e6f, 30.0f);
    scene_stroke s = {.width = 2.0f, .miter_limit = 4, .dash_count = 2};
    made.dashes[0] = made.dashes[1] = 1.0e-4f;
    assert_int_equal(outline_stroke(&o, &made.scene, &made.path, &s, &same), DP_ERR_TOO_LARGE);
    assert_int_equal(o.count, 0);
    outline_drop(&o);
}

static void strokes_that_leave_the_canvas_are_the_same_inside(void **state)
{
    (void)state;
    uint64_t random = 37;
    outline o = canvas();
    for (int round = 0; round < 48; ++round) {
        path_any(&made, &random, -60.0f, 120.0f);
        chain_of_path(&way);
        scene_stroke s = round_stroke(powf(2.0f, path_random(&random) * 6.0f - 1.0f));
        stroke(&o, &s, &same);
        assert_round(&o, &s, &same, 0.16);
    }
    outline_drop(&o);
}

static void any_numbers_give_closed_rows(void **state)
{
    (void)state;
    static const float odd[] = {NAN,   INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 0.0f,
                                1e30f, -1e30f,   1.0e6f,    FLT_MIN, -0.0f,    20.0f};
    uint64_t random = 41;
    outline o = canvas();
    for (int round = 0; round < 6000; ++round) {
        path_any(&made, &random, -10.0f, 80.0f);
        scene_matrix m = same;
        scene_stroke s = round_stroke(path_random(&random) * 20.0f);
        s.cap = (uint32_t)(round % 3);
        s.join = (uint32_t)(round / 3 % 3);
        s.dash_count = round % 2 == 0 ? 0 : 2;
        float *numbers[] = {&m.a,
                            &m.b,
                            &m.c,
                            &m.d,
                            &m.e,
                            &m.f,
                            &s.width,
                            &s.miter_limit,
                            &made.dashes[0],
                            &made.dashes[1],
                            &s.dash_offset,
                            &made.points[0].x,
                            &made.points[1].y,
                            &made.path.bounds.x0,
                            &made.path.bounds.y1};
        made.dashes[0] = 1.0f + 20.0f * path_random(&random);
        made.dashes[1] = 20.0f * path_random(&random);
        for (int i = round / 6 % 4; i > 0; --i) {
            *numbers[(int)(path_random(&random) * 15.0f)] =
                odd[(int)(path_random(&random) * 12.0f)];
        }
        o.count = 0;
        dp_status status = outline_stroke(&o, &made.scene, &made.path, &s, &m);
        assert_true(status == DP_OK || (status == DP_ERR_TOO_LARGE && o.count == 0));
        assert_true(lines_in_canvas(o.lines, o.count, o.width, o.height));
        assert_true(lines_balanced(o.lines, o.count, o.height * RASTER_ONE));
    }
    outline_drop(&o);
}

static void more_lines_than_allowed_leave_nothing_behind(void **state)
{
    (void)state;
    outline o = canvas();
    path_clear(&made);
    path_circle(&made, 32.0f, 32.0f, 20.0f);
    scene_stroke s = round_stroke(3.0f);
    stroke(&o, &s, &same);
    uint32_t one = o.count;
    o.lines_max = one;
    stroke(&o, &s, &same);
    assert_int_equal(outline_stroke(&o, &made.scene, &made.path, &s, &same), DP_ERR_TOO_LARGE);
    assert_int_equal(o.count, one);
    outline_drop(&o);
}

static void memory_that_ends_leaves_nothing_behind(void **state)
{
    (void)state;
    path_clear(&made);
    for (int i = 0; i < 300; ++i) {
        path_circle(&made, 32.0f, 32.0f, 10.0f);
    }
    scene_stroke s = round_stroke(3.0f);
    dp_status status = DP_ERR_NOMEM;
    uint64_t nth = 1;
    for (; status != DP_OK; ++nth) {
        outline o = canvas();
        os_malloc_fail_nth(nth);
        status = outline_stroke(&o, &made.scene, &made.path, &s, &same);
        os_malloc_fail_nth(0);
        assert_true(status == DP_OK || (status == DP_ERR_NOMEM && o.count == 0));
        outline_drop(&o);
    }
    assert_true(nth > 4); /* several growths were refused */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_strokes_of_any_path_are_what_is_near_it),
        cmocka_unit_test(a_matrix_stretches_the_stroke_with_the_path),
        cmocka_unit_test(cusps_loops_and_hairpins_have_no_holes),
        cmocka_unit_test(points_are_dots_squares_or_nothing),
        cmocka_unit_test(polygons_have_the_corners_and_ends_that_were_asked_for),
        cmocka_unit_test(a_stroked_rectangle_is_two_rectangles),
        cmocka_unit_test(rings_have_the_area_of_rings),
        cmocka_unit_test(hairlines_cover_as_much_as_they_are_wide),
        cmocka_unit_test(dashes_go_round_corners_and_along_curves),
        cmocka_unit_test(dashes_are_as_long_as_they_say),
        cmocka_unit_test(too_many_dashes_are_too_large),
        cmocka_unit_test(strokes_that_leave_the_canvas_are_the_same_inside),
        cmocka_unit_test(any_numbers_give_closed_rows),
        cmocka_unit_test(more_lines_than_allowed_leave_nothing_behind),
        cmocka_unit_test(memory_that_ends_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
