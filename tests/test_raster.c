/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coverage: exact areas, a brute-force sampler, no trace of tiles or of the order of lines, shapes
 * that overlap themselves.  Random tests print their seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernels/raster_math.h"
#include "lines_look.h"
#include "raster_rig.h"

#define WHITE 0xffffffffu
#define ONE   RASTER_ONE

static plan tested;

static uint32_t alpha(const uint8_t *rgba, uint32_t x, uint32_t y)
{
    return rgba[4 * ((size_t)y * tested.width + x) + 3];
}

static int32_t overlap(int32_t a0, int32_t a1, int32_t b0, int32_t b1)
{
    const int32_t low = a0 > b0 ? a0 : b0;
    const int32_t high = a1 < b1 ? a1 : b1;

    return high > low ? high - low : 0;
}

static void rectangles_cover_their_exact_area(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (uint32_t round = 0; round < 200; round++) {
        const int32_t x0 = (int32_t)(rig_random(&random) % (40 * ONE));
        const int32_t y0 = (int32_t)(rig_random(&random) % (40 * ONE));
        const int32_t x1 = x0 + 1 + (int32_t)(rig_random(&random) % (uint32_t)(40 * ONE - x0));
        const int32_t y1 = y0 + 1 + (int32_t)(rig_random(&random) % (uint32_t)(40 * ONE - y0));
        plan_begin(&tested, 40, 40);
        rig_rect(&tested, x0, y0, x1, y1);
        rig_paint(&tested, 0, round % 2, WHITE);
        uint8_t *rgba = rig_draw(&tested);
        for (int32_t y = 0; y < 40; y++) {
            for (int32_t x = 0; x < 40; x++) {
                const int32_t area = overlap(x0, x1, x * ONE, (x + 1) * ONE) *
                                     overlap(y0, y1, y * ONE, (y + 1) * ONE);
                const uint32_t want = ((uint32_t)area * 255u + 32768u) / 65536u;
                assert_int_equal(alpha(rgba, (uint32_t)x, (uint32_t)y), want);
            }
        }
        free(rgba);
    }
}

/* A polygon of `points` random corners on the canvas. */
static void random_polygon(uint64_t *random, uint32_t points, uint32_t side)
{
    int32_t xy[2 * 64];

    for (uint32_t i = 0; i < 2 * points; i++) {
        xy[i] = (int32_t)(rig_random(random) % (side * ONE + 1));
    }
    rig_polygon(&tested, xy, points);
}

/* The share of 256 points of a pixel that are inside, as a byte. */
static double sampled(uint32_t x, uint32_t y, uint32_t rule)
{
    uint32_t inside = 0;

    for (int j = 0; j < 16; j++) {
        for (int i = 0; i < 16; i++) {
            const int winding = lines_winding(tested.lines.lines, tested.lines.count,
                                              x + (i + 0.53) / 16.0, y + (j + 0.47) / 16.0);
            inside += (rule == RASTER_EVEN_ODD ? winding & 1 : winding != 0) ? 1 : 0;
        }
    }
    return inside * 255.0 / 256.0;
}

/* How many of the pixels differ from the sampler by more than `slack`. */
static uint32_t pixels_off(uint32_t side, uint32_t rule, double slack)
{
    uint32_t off = 0;
    uint8_t *rgba;

    rig_paint(&tested, 0, rule, WHITE);
    rgba = rig_draw(&tested);
    for (uint32_t y = 0; y < side; y++) {
        for (uint32_t x = 0; x < side; x++) {
            const double difference = alpha(rgba, x, y) - sampled(x, y, rule);
            off += difference > slack || difference < -slack;
        }
    }
    free(rgba);
    return off;
}

static void triangles_agree_with_a_sampler(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (uint32_t round = 0; round < 40; round++) {
        plan_begin(&tested, 37, 37);
        random_polygon(&random, 3, 37);
        assert_int_equal(pixels_off(37, round % 2, 14.0), 0);
    }
}

static void polygons_that_cross_themselves_agree_with_a_sampler(void **state)
{
    (void)state;
    uint64_t random = 11;
    uint32_t off = 0;
    for (uint32_t round = 0; round < 40; round++) {
        plan_begin(&tested, 37, 37);
        random_polygon(&random, 7, 37);
        off += pixels_off(37, RASTER_NON_ZERO, 24.0);
    }
    /* Out of 54,760: where three sides meet in one fine cell. */
    print_message("%u pixels off\n", off);
    assert_true(off < 20);
}

static void the_order_of_lines_changes_no_byte(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (uint32_t round = 0; round < 60; round++) {
        plan_begin(&tested, 90, 61);
        random_polygon(&random, 24, 61);
        random_polygon(&random, 12, 61);
        rig_paint(&tested, 0, round % 2, 0xff204080u);
        uint8_t *first = rig_draw(&tested);
        const uint32_t count = tested.lines.count;
        plan_begin(&tested, 90, 61);
        for (uint32_t i = count; i > 1; i--) {
            const uint32_t j = rig_random(&random) % i;
            const raster_line line = tested.lines.lines[i - 1];
            tested.lines.lines[i - 1] = tested.lines.lines[j];
            tested.lines.lines[j] = line;
        }
        tested.lines.count = count;
        rig_paint(&tested, 0, round % 2, 0xff204080u);
        uint8_t *second = rig_draw(&tested);
        assert_memory_equal(first, second, 90 * 61 * 4);
        free(first);
        free(second);
    }
}

static void tiles_leave_no_trace_where_the_picture_is_shifted(void **state)
{
    (void)state;
    uint64_t random = 5;
    int most = 0;
    uint32_t off = 0;
    for (uint32_t round = 0; round < 60; round++) {
        const int32_t dx = (int32_t)(rig_random(&random) % 40);
        const int32_t dy = (int32_t)(rig_random(&random) % 40);
        plan_begin(&tested, 50, 50);
        random_polygon(&random, 3 + rig_random(&random) % 20, 50);
        rig_paint(&tested, 0, round % 2, 0x80402010u);
        uint8_t *here = rig_draw(&tested);
        const uint32_t count = tested.lines.count;
        plan_begin(&tested, 90, 90);
        for (uint32_t i = 0; i < count; i++) {
            const raster_line l = tested.lines.lines[i];
            tested.lines.lines[i] =
                (raster_line){l.x0 + dx * ONE, l.y0 + dy * ONE, l.x1 + dx * ONE, l.y1 + dy * ONE};
        }
        tested.lines.count = count;
        rig_paint(&tested, 0, round % 2, 0x80402010u);
        uint8_t *there = rig_draw(&tested);
        for (int32_t y = 0; y < 50; y++) {
            const uint8_t *a = here + (size_t)y * 50 * 4;
            const uint8_t *b = there + ((size_t)(y + dy) * 90 + (size_t)dx) * 4;
            for (int32_t i = 0; i < 50 * 4; i++) {
                /* A row that is looked at closely in one of the two alone may round otherwise. */
                most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
                off += abs(a[i] - b[i]) > (round % 2 == RASTER_EVEN_ODD ? 0 : 1);
            }
        }
        free(here);
        free(there);
    }
    print_message("%u bytes off, by %d at most\n", off, most);
    /* Out of 600,000: where three sides meet, one tile may see an overlap that another does not. */
    assert_true(off < 20 && most <= 32);
}

/* Pixels whose alpha differs by more than 16 when every contour of the plan is drawn twice. */
static uint32_t doubled_off(void)
{
    const uint32_t count = tested.lines.count;
    const size_t pixels = (size_t)tested.width * tested.height;
    uint32_t off = 0;

    rig_paint(&tested, 0, RASTER_NON_ZERO, WHITE);
    uint8_t *single = rig_draw(&tested);
    plan_begin(&tested, tested.width, tested.height);
    tested.lines.count = count;
    for (uint32_t i = 0; i < count; i++) {
        const raster_line l = tested.lines.lines[i];
        rig_line(&tested, l.x0, l.y0, l.x1, l.y1);
    }
    rig_paint(&tested, 0, RASTER_NON_ZERO, WHITE);
    uint8_t *twice = rig_draw(&tested);
    for (size_t i = 0; i < pixels; i++) {
        off += abs(single[4 * i + 3] - twice[4 * i + 3]) > 16;
    }
    free(single);
    free(twice);
    return off;
}

static void a_rectangle_drawn_twice_looks_like_one(void **state)
{
    (void)state;
    uint64_t random = 13;
    for (uint32_t round = 0; round < 300; round++) {
        const int32_t x0 = (int32_t)(rig_random(&random) % (20 * ONE));
        const int32_t y0 = (int32_t)(rig_random(&random) % (20 * ONE));
        plan_begin(&tested, 64, 64);
        rig_rect(&tested, x0, y0, x0 + 2 * ONE + (int32_t)(rig_random(&random) % (40 * ONE)),
                 y0 + 2 * ONE + (int32_t)(rig_random(&random) % (40 * ONE)));
        assert_int_equal(doubled_off(), 0);
    }
}

static void a_polygon_drawn_twice_looks_like_one(void **state)
{
    (void)state;
    uint64_t random = 17;
    uint32_t off = 0;
    for (uint32_t round = 0; round < 200; round++) {
        plan_begin(&tested, 64, 64);
        random_polygon(&random, 3 + round % 4, 64);
        off += doubled_off();
    }
    /* Out of 819,200: needles thinner than half a pixel, whose sums never go beyond one. */
    print_message("%u pixels off\n", off);
    assert_true(off < 120);
}

static void a_star_is_full_by_one_rule_and_hollow_by_the_other(void **state)
{
    (void)state;
    static const int32_t star[10] = {32 * ONE, 2 * ONE,  50 * ONE, 58 * ONE, 3 * ONE,
                                     23 * ONE, 61 * ONE, 23 * ONE, 14 * ONE, 58 * ONE};
    for (uint32_t rule = 0; rule < 2; rule++) {
        plan_begin(&tested, 64, 64);
        rig_polygon(&tested, star, 5);
        rig_paint(&tested, 0, rule, WHITE);
        uint8_t *rgba = rig_draw(&tested);
        assert_int_equal(alpha(rgba, 32, 32), rule == RASTER_NON_ZERO ? 255 : 0);
        assert_int_equal(alpha(rgba, 32, 14), 255);
        assert_int_equal(alpha(rgba, 2, 2), 0);
        free(rgba);
    }
}

static void what_turns_back_on_itself_is_nothing(void **state)
{
    (void)state;
    uint64_t random = 19;
    plan_begin(&tested, 64, 64);
    random_polygon(&random, 9, 64);
    const uint32_t count = tested.lines.count;
    for (uint32_t i = 0; i < count; i++) {
        const raster_line l = tested.lines.lines[i];
        rig_line(&tested, l.x1, l.y1, l.x0, l.y0);
    }
    rig_paint(&tested, 0, RASTER_NON_ZERO, WHITE);
    uint8_t *rgba = rig_draw(&tested);
    for (size_t i = 0; i < (size_t)64 * 64 * 4; i++) {
        assert_int_equal(rgba[i], 0);
    }
    free(rgba);
}

static void the_largest_canvas_is_covered_from_edge_to_edge(void **state)
{
    (void)state;
    const int32_t side = RASTER_SIDE_MAX * ONE;
    const int32_t triangle[6] = {0, 0, side, side, 0, side};
    plan_begin(&tested, RASTER_SIDE_MAX, RASTER_SIDE_MAX);
    rig_polygon(&tested, triangle, 3);
    rig_paint(&tested, 0, RASTER_NON_ZERO, WHITE);
    uint8_t *rgba = rig_draw(&tested);
    for (uint32_t i = 0; i < RASTER_SIDE_MAX; i++) {
        assert_in_range(alpha(rgba, i, i), 126, 129);
        assert_int_equal(alpha(rgba, 0, i) > 100, 1);
        if (i > 0) {
            assert_int_equal(alpha(rgba, i - 1, i), 255);
            assert_int_equal(alpha(rgba, i, i - 1), 0);
        }
    }
    free(rgba);
}

static void a_thousand_windings_are_as_good_as_one(void **state)
{
    (void)state;
    plan_begin(&tested, 40, 40);
    for (int i = 0; i < 1000; i++) {
        rig_rect(&tested, 3 * ONE + 128, 5 * ONE, 30 * ONE, 31 * ONE);
    }
    rig_paint(&tested, 0, RASTER_NON_ZERO, WHITE);
    uint8_t *rgba = rig_draw(&tested);
    assert_int_equal(alpha(rgba, 10, 10), 255);
    assert_in_range(alpha(rgba, 3, 10), 112, 144);
    assert_int_equal(alpha(rgba, 2, 10), 0);
    assert_int_equal(alpha(rgba, 30, 10), 0);
    free(rgba);
}

static void every_area_has_its_nearest_byte(void **state)
{
    (void)state;
    for (int32_t area = 0; area <= RASTER_FULL; area++) {
        const uint32_t want = (uint32_t)(area * 255.0 / RASTER_FULL + 0.5);
        assert_int_equal(raster_coverage(area), want);
    }
    assert_int_equal(raster_coverage_fine((uint32_t)RASTER_FULL << 8), 255);
    assert_int_equal(raster_coverage_fine((uint32_t)RASTER_FULL << 7), 128);
    assert_int_equal(raster_area(3 * RASTER_FULL / 2, RASTER_EVEN_ODD), RASTER_FULL / 2);
    assert_int_equal(raster_area(-RASTER_FULL / 2, RASTER_EVEN_ODD), RASTER_FULL / 2);
    assert_int_equal(raster_area(-5 * RASTER_FULL, RASTER_EVEN_ODD), RASTER_FULL);
    assert_int_equal(raster_area(-5 * RASTER_FULL, RASTER_NON_ZERO), RASTER_FULL);
}

static int drop(void **state)
{
    (void)state;
    plan_drop(&tested);
    return 0;
}

static void a_plan_without_commands_is_transparent(void **state)
{
    (void)state;
    plan empty = {0};
    plan_begin(&empty, 40, 20);
    uint8_t *rgba = rig_draw(&empty);
    for (size_t i = 0; i < (size_t)40 * 20 * 4; i++) {
        assert_int_equal(rgba[i], 0);
    }
    free(rgba);
    plan_drop(&empty);
}

/* One path may have a million lines. */
static void a_late_plan_is_given_up_within_a_shape(void **state)
{
    (void)state;
    plan late = {0};
    plan_begin(&late, 64, 64);
    rig_rect(&late, 0, 0, ONE, ONE);
    rig_paint(&late, 0, RASTER_NON_ZERO, WHITE);
    assert_int_equal(late.status, DP_OK);
    const uint32_t first = late.lines.count;
    for (int32_t i = 0; i < 10000; i++) {
        rig_line(&late, i % 64 * ONE, 0, (i + 7) % 64 * ONE, 64 * ONE);
        rig_line(&late, (i + 7) % 64 * ONE, 64 * ONE, (i + 1) % 64 * ONE, 0);
    }
    late.deadline_ns = 1;
    rig_paint(&late, first, RASTER_NON_ZERO, WHITE);
    assert_int_equal(late.status, DP_ERR_TIMEOUT);
    plan_drop(&late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rectangles_cover_their_exact_area),
        cmocka_unit_test(triangles_agree_with_a_sampler),
        cmocka_unit_test(polygons_that_cross_themselves_agree_with_a_sampler),
        cmocka_unit_test(the_order_of_lines_changes_no_byte),
        cmocka_unit_test(tiles_leave_no_trace_where_the_picture_is_shifted),
        cmocka_unit_test(a_rectangle_drawn_twice_looks_like_one),
        cmocka_unit_test(a_polygon_drawn_twice_looks_like_one),
        cmocka_unit_test(a_star_is_full_by_one_rule_and_hollow_by_the_other),
        cmocka_unit_test(what_turns_back_on_itself_is_nothing),
        cmocka_unit_test(the_largest_canvas_is_covered_from_edge_to_edge),
        cmocka_unit_test(a_thousand_windings_are_as_good_as_one),
        cmocka_unit_test(every_area_has_its_nearest_byte),
        cmocka_unit_test(a_plan_without_commands_is_transparent),
        cmocka_unit_test(a_late_plan_is_given_up_within_a_shape),
    };
    return cmocka_run_group_tests(tests, NULL, drop);
}
