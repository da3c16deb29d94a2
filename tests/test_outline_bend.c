/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strokes of curves, where half the width is more than the bend has room for: folds, inner corners,
 * and dashes along them.
 */
#include <math.h>

#include "cm.h"
#include "lines_look.h"
#include "path_make.h"
#include "render/svg/outline.h"

#define SIDE 64
#ifndef ROUNDS
#define ROUNDS 200
#endif
#define SAMPLES 400

static const scene_matrix same = {1, 0, 0, 1, 0, 0};

static path_make made;

static outline canvas(void)
{
    return (outline){.lines_max = 1u << 20, .width = SIDE, .height = SIDE};
}

static void stroke(outline *o, const scene_stroke *s, const scene_matrix *m)
{
    o->count = 0;
    assert_int_equal(outline_stroke(o, &made.scene, &made.path, s, m), DP_OK);
    assert_true(lines_in_canvas(o->lines, o->count, o->width, o->height));
    assert_true(lines_balanced(o->lines, o->count, o->height * RASTER_ONE));
}

/* A bend of radius 8 under a width of 30: the ends of the stroke meet, and all that is within 23 of
 * the middle is covered, whatever lies on the far side of the bend's middle counting twice.  (In
 * the middle itself the hubs run round a little figure of their own.) */
static void bends_tighter_than_half_the_width_end_square_and_have_no_seam(void **state)
{
    (void)state;
    static const float arcs[4][6] = {{24, 27.5818f, 27.5818f, 24, 32, 24},
                                     {36.4182f, 24, 40, 27.5818f, 40, 32},
                                     {40, 36.4182f, 36.4182f, 40, 32, 40},
                                     {27.5818f, 40, 24, 36.4182f, 24, 32}};
    outline o = canvas();
    scene_stroke s = {.width = 30.0f, .miter_limit = 4};
    path_clear(&made);
    path_move(&made, 24.0f, 32.0f);
    for (int i = 0; i < 4; ++i) {
        path_cubic(&made, arcs[i]);
    }
    stroke(&o, &s, &same);
    for (int i = 0; i < 200 * 128; ++i) {
        /* Close to where the ends meet, and all over the canvas. */
        double y = i % 2 == 0 ? 31.0 + i / 200 / 64.0 : 0.507 + i / 200 / 2.03;
        double x = 0.253 + i % 200 / 3.14;
        double far = hypot(x - 32.0, y - 32.0);
        int winding = lines_winding(o.lines, o.count, x, y);
        int want = far > 23.0 ? 0 : far > 7.0 ? 1 : 2;
        if (far > 0.2 && fabs(far - 23.0) > 0.06 && fabs(far - 7.0) > 0.06 && winding != want) {
            fail_msg("%g %g: winding number %d, not %d", x, y, winding, want);
        }
    }
    outline_drop(&o);
}

static scene_point cubic_at(const scene_point p[4], double t)
{
    double u = 1.0 - t, b[] = {u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t}, x = 0, y = 0;
    for (int i = 0; i < 4; ++i) {
        x += b[i] * (double)p[i].x;
        y += b[i] * (double)p[i].y;
    }
    return (scene_point){(float)x, (float)y};
}

/* Along a curve whose speed varies, each dash begins and ends where its true length says. */
static void dashes_of_curves_do_not_drift(void **state)
{
    (void)state;
    static const scene_point p[4] = {{6, 32}, {20, 0}, {44, 80}, {58, 32}};
    outline o = canvas();
    path_clear(&made);
    path_move(&made, p[0].x, p[0].y);
    path_cubic(&made, (const float[]){p[1].x, p[1].y, p[2].x, p[2].y, p[3].x, p[3].y});
    scene_stroke s = {.width = 3.0f, .miter_limit = 4, .dash_count = 2};
    made.dashes[0] = 1.3f;
    made.dashes[1] = 1.9f;
    stroke(&o, &s, &same);
    double length = 0.0;
    scene_point last = p[0];
    uint32_t asked = 0;
    for (int i = 1; i <= 50000; ++i) {
        scene_point at = cubic_at(p, i / 50000.0);
        length += hypot((double)at.x - (double)last.x, (double)at.y - (double)last.y);
        last = at;
        double place = fmod(length, 3.2), edge = fmin(fabs(place - 1.3), fmin(place, 3.2 - place));
        if (i % 7 == 0 && edge > 0.03) {
            int winding = lines_winding(o.lines, o.count, (double)at.x, (double)at.y);
            assert_int_equal(winding, place < 1.3 ? 1 : 0);
            ++asked;
        }
    }
    assert_true(asked > 5000);
    outline_drop(&o);
}

/* The path's points close together. */
typedef struct chain {
    double x[2048], y[2048];
    int count;
} chain;

static chain way;

/* A cubic of `length` that leaves `at` in `direction` and turns by `turn`; both go on. */
static void bend_on(scene_point *at, double *direction, double length, double turn)
{
    double c0 = cos(*direction), s0 = sin(*direction);
    *direction += turn;
    double c1 = cos(*direction), s1 = sin(*direction), third = length / 3.0;
    scene_point p[4] = {*at};
    double middle = *direction - 0.5 * turn, chord = length * (1.0 - turn * turn / 24.0);
    double x = (double)at->x + chord * cos(middle), y = (double)at->y + chord * sin(middle);
    p[1] = (scene_point){at->x + (float)(third * c0), at->y + (float)(third * s0)};
    p[2] = (scene_point){(float)(x - third * c1), (float)(y - third * s1)};
    p[3] = (scene_point){(float)x, (float)y};
    path_cubic(&made, (const float[]){p[1].x, p[1].y, p[2].x, p[2].y, p[3].x, p[3].y});
    for (int i = 1; i <= 100; ++i, ++way.count) {
        scene_point on = cubic_at(p, i / 100.0);
        way.x[way.count] = (double)on.x;
        way.y[way.count] = (double)on.y;
    }
    *at = p[3];
}

static double distance(double x, double y)
{
    double best = 1e9;
    for (int i = 0; i + 1 < way.count; ++i) {
        double dx = way.x[i + 1] - way.x[i], dy = way.y[i + 1] - way.y[i];
        double px = x - way.x[i], py = y - way.y[i], square = dx * dx + dy * dy;
        double t = square > 0 ? fmin(1.0, fmax(0.0, (px * dx + py * dy) / square)) : 0.0;
        best = fmin(best, hypot(px - t * dx, py - t * dy));
    }
    return best;
}

/* Short curves with corners between them, of about the size of the stroke's width. */
static void inner_corners_of_curves_are_cut_without_holes(void **state)
{
    (void)state;
    uint64_t random = 47;
    outline o = canvas();
    for (int round = 0; round < ROUNDS; ++round) {
        path_clear(&made);
        scene_stroke s = {.miter_limit = 4, .cap = SCENE_CAP_ROUND, .join = SCENE_JOIN_ROUND};
        s.width = 2.0f + 10.0f * path_random(&random);
        scene_point at = {24.0f + 16.0f * path_random(&random),
                          24.0f + 16.0f * path_random(&random)};
        const scene_point start = at;
        double direction = 6.2832 * (double)path_random(&random);
        path_move(&made, at.x, at.y);
        way = (chain){.x = {(double)at.x}, .y = {(double)at.y}, .count = 1};
        int curves = 2 + (int)(path_random(&random) * 4.0f);
        for (int i = 0; i < curves; ++i) {
            double length = (double)s.width * (0.1 + 2.0 * (double)path_random(&random));
            bend_on(&at, &direction, length, 3.0 * (double)path_random(&random) - 1.5);
            direction += 5.0 * (double)path_random(&random) - 2.5;
        }
        if (round % 3 == 0) {
            path_close(&made);
            way.x[way.count] = (double)start.x;
            way.y[way.count++] = (double)start.y;
        }
        stroke(&o, &s, &same);
        for (int i = 0; i < SAMPLES; ++i) {
            double x = 64.0 * (double)path_random(&random), y = 64.0 * (double)path_random(&random);
            double far = distance(x, y) - 0.5 * (double)s.width;
            int winding = lines_winding(o.lines, o.count, x, y);
            if (winding < 0 || (fabs(far) > 0.12 && (far < 0) != (winding > 0))) {
                fail_msg("round %d: %g %g: %g beyond the border, winding number %d", round, x, y,
                         far, winding);
            }
        }
    }
    outline_drop(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bends_tighter_than_half_the_width_end_square_and_have_no_seam),
        cmocka_unit_test(inner_corners_of_curves_are_cut_without_holes),
        cmocka_unit_test(dashes_of_curves_do_not_drift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
