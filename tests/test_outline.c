/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills as lines: known areas, closed rows, what is cut away, how close curves are kept, and what
 * numbers that are none do.  Random input comes from fixed seeds.
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

#define LINES_MAX (1u << 20)
#define PI        3.14159265358979

static const scene_matrix same = {1, 0, 0, 1, 0, 0};

static path_make made;

static outline canvas(uint32_t width, uint32_t height)
{
    return (outline){.lines_max = LINES_MAX, .width = width, .height = height};
}

/* cmocka's own compares floats. */
static void assert_close(double got, double want, double slack)
{
    if (!(fabs(got - want) <= slack)) {
        fail_msg("%.9g is not %.9g", got, want);
    }
}

static void fill(outline *o, const scene_matrix *m)
{
    assert_int_equal(outline_fill(o, &made.scene, &made.path, m), DP_OK);
    assert_true(lines_in_canvas(o->lines, o->count, o->width, o->height));
    assert_true(lines_balanced(o->lines, o->count, o->height * RASTER_ONE));
}

static void a_rectangle_is_two_lines_of_its_exact_area(void **state)
{
    (void)state;
    outline o = canvas(64, 64);
    path_clear(&made);
    path_rect(&made, 3.25f, 4.5f, 20.0f, 10.75f);
    fill(&o, &same);
    assert_int_equal(o.count, 2);
    assert_close(lines_area(o.lines, o.count), 20.0 * 10.75, 1e-9);
    outline_drop(&o);
}

static void circles_have_the_area_of_circles(void **state)
{
    (void)state;
    outline o = canvas(2048, 2048);
    for (float radius = 0.5f; radius < 1000.0f; radius *= 1.7f) {
        path_clear(&made);
        path_circle(&made, 1024.0f, 1024.0f, radius);
        o.count = 0;
        fill(&o, &same);
        /* Four cubics are a circle to 1 in 3,700; the coordinates' rounding is on top. */
        double area = PI * (double)radius * (double)radius;
        double slack = area * 1e-3 + 2.0 * PI * (double)radius * 0.004;
        assert_close(lines_area(o.lines, o.count), area, slack);
    }
    outline_drop(&o);
}

static void an_even_number_of_quadratics_encloses_what_the_integral_says(void **state)
{
    (void)state;
    outline o = canvas(256, 256);
    path_clear(&made);
    path_move(&made, 20.0f, 200.0f);
    path_quad(&made, 120.0f, 250.0f, 220.0f, 200.0f);
    path_quad(&made, 120.0f, 20.0f, 20.0f, 200.0f);
    fill(&o, &same);
    /* A parabola's segment is two thirds of the triangle of its control points. */
    double area = 2.0 / 3.0 * (0.5 * 200.0 * 180.0 + 0.5 * 200.0 * 50.0);
    assert_close(lines_area(o.lines, o.count), area, area * 1e-3);
    outline_drop(&o);
}

static void a_mirrored_shape_has_the_negative_area(void **state)
{
    (void)state;
    outline o = canvas(64, 64);
    path_clear(&made);
    path_circle(&made, 20.0f, 20.0f, 10.0f);
    const scene_matrix mirror = {-1, 0, 0, 1, 64, 0};
    fill(&o, &same);
    double area = lines_area(o.lines, o.count);
    o.count = 0;
    fill(&o, &mirror);
    assert_true(area > 0.0);
    assert_close(lines_area(o.lines, o.count), -area, 0.05);
    outline_drop(&o);
}

static void open_contours_are_closed_and_contours_append(void **state)
{
    (void)state;
    outline o = canvas(64, 64);
    path_clear(&made);
    path_move(&made, 10.0f, 10.0f);
    path_line(&made, 10.0f, 30.0f);
    path_line(&made, 30.0f, 30.0f);
    path_move(&made, 40.0f, 40.0f);
    path_line(&made, 40.0f, 50.0f);
    path_line(&made, 50.0f, 50.0f);
    fill(&o, &same);
    assert_close(lines_area(o.lines, o.count), 200.0 + 50.0, 1e-9);
    uint32_t once = o.count;
    fill(&o, &same);
    assert_int_equal(o.count, 2 * once);
    outline_drop(&o);
}

static double distance_to_line(double x, double y, const raster_line *l)
{
    double dx = l->x1 - l->x0, dy = l->y1 - l->y0;
    double length = dx * dx + dy * dy;
    double t = length > 0.0 ? ((x - l->x0) * dx + (y - l->y0) * dy) / length : 0.0;
    t = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
    return hypot(x - l->x0 - t * dx, y - l->y0 - t * dy);
}

/* The points' distance from the nearest line; level lines are where one does not begin at the
 * last one's end. */
static void assert_near(const outline *o, const scene_point p[4])
{
    for (int i = 0; i <= 500; ++i) {
        double t = i / 500.0, u = 1.0 - t, best = DBL_MAX;
        double w[4] = {u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t}, x = 0.0, y = 0.0;
        for (int k = 0; k < 4; ++k) {
            x += w[k] * (double)p[k].x * RASTER_ONE;
            y += w[k] * (double)p[k].y * RASTER_ONE;
        }
        for (uint32_t k = 0; k < o->count; ++k) {
            best = fmin(best, distance_to_line(x, y, &o->lines[k]));
            const raster_line *a = &o->lines[k], *b = &o->lines[(k + 1) % o->count];
            const raster_line level = {a->x1, a->y1, b->x0, b->y0};
            best = fmin(best, distance_to_line(x, y, &level));
        }
        if (best / RASTER_ONE > 1.0 / 30.0) {
            fail_msg("t = %g is %g pixels from its outline", t, best / RASTER_ONE);
        }
    }
}

static void no_point_of_a_curve_is_far_from_its_lines(void **state)
{
    (void)state;
    uint64_t random = 11;
    outline o = canvas(1024, 1024);
    for (int round = 0; round < 60; ++round) {
        float side = round % 3 == 0 ? 12.0f : round % 3 == 1 ? 150.0f : 1024.0f;
        scene_point p[4];
        for (int i = 0; i < 4; ++i) {
            p[i] = (scene_point){side * path_random(&random), side * path_random(&random)};
        }
        path_clear(&made);
        path_move(&made, p[0].x, p[0].y);
        path_cubic(&made, (float[]){p[1].x, p[1].y, p[2].x, p[2].y, p[3].x, p[3].y});
        o.count = 0;
        fill(&o, &same);
        assert_near(&o, p);
    }
    outline_drop(&o);
}

/* The same path on a canvas that holds all of it, and the window of `view` cut out of that. */
static void assert_same_window(float low, float high, uint64_t *random)
{
    enum { SIDE = 24 };
    static double whole[96 * 96], part[SIDE * SIDE];
    path_any(&made, random, low, high);
    outline big = canvas(96, 96), small = canvas(SIDE, SIDE);
    const scene_matrix shifted = {1, 0, 0, 1, 36, 36};
    fill(&big, &shifted);
    fill(&small, &same);
    lines_coverage(big.lines, big.count, 96, 96, whole);
    lines_coverage(small.lines, small.count, SIDE, SIDE, part);
    for (int y = 0; y < SIDE; ++y) {
        for (int x = 0; x < SIDE; ++x) {
            double want = whole[(y + 36) * 96 + x + 36], got = part[y * SIDE + x];
            /* Where a line is cut, its ends are rounded once more; curves may be cut elsewhere. */
            if (fabs(want - got) > 0.12) {
                fail_msg("pixel %d %d: %g, uncut %g", x, y, got, want);
            }
        }
    }
    outline_drop(&big);
    outline_drop(&small);
}

static void what_is_cut_away_is_not_missed(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int round = 0; round < 150; ++round) {
        assert_same_window(-36.0f, 60.0f, &random);
    }
}

static void rows_sum_to_nothing_however_a_path_is_cut(void **state)
{
    (void)state;
    uint64_t random = 3;
    outline o = canvas(40, 30);
    for (int round = 0; round < 3000; ++round) {
        float reach = powf(10.0f, path_random(&random) * 5.0f + 0.5f);
        path_any(&made, &random, -reach, reach);
        scene_matrix m = {path_random(&random) * 2 - 1, path_random(&random) * 2 - 1,
                          path_random(&random) * 2 - 1, path_random(&random) * 2 - 1,
                          path_random(&random) * 40,    path_random(&random) * 30};
        o.count = 0;
        fill(&o, &m);
    }
    outline_drop(&o);
}

static void what_is_beside_the_canvas_costs_no_line(void **state)
{
    (void)state;
    outline o = canvas(40, 30);
    const float at[4][2] = {{-200, 0}, {100, 0}, {0, -200}, {0, 100}};
    for (int i = 0; i < 4; ++i) {
        path_clear(&made);
        path_circle(&made, at[i][0], at[i][1], 20.0f);
        fill(&o, &same);
        assert_int_equal(o.count, 0);
    }
    /* Round about the canvas: all of it is inside, and the walls say so; one is in two parts. */
    path_clear(&made);
    path_circle(&made, 20.0f, 15.0f, 100000.0f);
    fill(&o, &same);
    assert_int_equal(o.count, 3);
    assert_close(lines_area(o.lines, o.count), 40.0 * 30.0, 1e-9);
    outline_drop(&o);
}

static void numbers_that_are_none_stay_on_the_canvas(void **state)
{
    (void)state;
    static const float odd[] = {NAN,   INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 0.0f,
                                1e30f, -1e30f,   1.0e6f,    FLT_MIN, -0.0f,    20.0f};
    const uint64_t odd_count = sizeof(odd) / sizeof(odd[0]);
    uint64_t random = 5;
    outline o = canvas(40, 30);
    for (int round = 0; round < 4000; ++round) {
        path_any(&made, &random, -10.0f, 50.0f);
        for (uint32_t i = 0; i < made.path.point_count; ++i) {
            float *value = path_random(&random) < 0.5f ? &made.points[i].x : &made.points[i].y;
            if (path_random(&random) < 0.4f) {
                *value = odd[(uint64_t)(path_random(&random) * 12.0f) % odd_count];
            }
        }
        scene_matrix m = same;
        if (round % 4 == 0) {
            m.a = odd[(uint64_t)(path_random(&random) * 12.0f) % odd_count];
            m.e = odd[(uint64_t)(path_random(&random) * 12.0f) % odd_count];
        }
        /* A box that says nothing of it, and one that knows. */
        if (round % 2 == 0) {
            made.path.bounds = (scene_box){-FLT_MAX, -FLT_MAX, FLT_MAX, FLT_MAX};
        }
        o.count = 0;
        fill(&o, &m);
    }
    outline_drop(&o);
}

static void empty_and_level_paths_are_no_lines(void **state)
{
    (void)state;
    outline o = canvas(40, 30);
    path_clear(&made);
    fill(&o, &same);
    path_move(&made, 3.0f, 3.0f);
    path_close(&made);
    path_move(&made, 3.0f, 5.0f);
    path_line(&made, 30.0f, 5.0f);
    path_close(&made);
    fill(&o, &same);
    assert_int_equal(o.count, 0);
    outline_drop(&o);
}

static void more_lines_than_allowed_leave_nothing_behind(void **state)
{
    (void)state;
    outline o = canvas(512, 512);
    path_clear(&made);
    path_circle(&made, 256.0f, 256.0f, 200.0f);
    fill(&o, &same);
    uint32_t one = o.count;
    o.lines_max = 2 * one;
    fill(&o, &same);
    assert_int_equal(o.count, 2 * one);
    assert_int_equal(outline_fill(&o, &made.scene, &made.path, &same), DP_ERR_TOO_LARGE);
    assert_int_equal(o.count, 2 * one);
    o.lines_max = 3 * one;
    fill(&o, &same);
    assert_int_equal(o.count, 3 * one);
    outline_drop(&o);
}

static void memory_that_ends_leaves_nothing_behind(void **state)
{
    (void)state;
    uint64_t random = 9;
    path_clear(&made);
    for (int i = 0; i < 500; ++i) {
        path_circle(&made, 256.0f, 256.0f, 10.0f + 200.0f * path_random(&random));
    }
    dp_status status = DP_ERR_NOMEM;
    uint64_t nth = 1;
    for (; status != DP_OK; ++nth) {
        outline o = canvas(512, 512);
        os_malloc_fail_nth(nth);
        status = outline_fill(&o, &made.scene, &made.path, &same);
        os_malloc_fail_nth(0);
        assert_true(status == DP_OK || (status == DP_ERR_NOMEM && o.count == 0));
        outline_drop(&o);
    }
    assert_true(nth > 4); /* several growths were refused */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rectangle_is_two_lines_of_its_exact_area),
        cmocka_unit_test(circles_have_the_area_of_circles),
        cmocka_unit_test(an_even_number_of_quadratics_encloses_what_the_integral_says),
        cmocka_unit_test(a_mirrored_shape_has_the_negative_area),
        cmocka_unit_test(open_contours_are_closed_and_contours_append),
        cmocka_unit_test(no_point_of_a_curve_is_far_from_its_lines),
        cmocka_unit_test(what_is_cut_away_is_not_missed),
        cmocka_unit_test(rows_sum_to_nothing_however_a_path_is_cut),
        cmocka_unit_test(what_is_beside_the_canvas_costs_no_line),
        cmocka_unit_test(numbers_that_are_none_stay_on_the_canvas),
        cmocka_unit_test(empty_and_level_paths_are_no_lines),
        cmocka_unit_test(more_lines_than_allowed_leave_nothing_behind),
        cmocka_unit_test(memory_that_ends_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
