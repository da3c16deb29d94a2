/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenes by hand to pixels: what each command does, filters as layers, limits, deadlines, and every
 * allocation that fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "path_make.h"
#include "pool/os.h"
#include "render/svg/draw.h"

#define SIDE         64u
#define COMMANDS_MAX 32u
#define RED          0xff0000ffu
#define GREEN        0xff00ff00u
#define BLUE         0xffff0000u

/* A scene of a few rectangles; paths are 0: all, 1: left half, 2: upper half, 3: the middle. */
static struct {
    path_make make;
    scene_path paths[4];
    scene_matrix matrices[1];
    scene_paint paints[8];
    scene_stop stops[2];
    scene_stroke strokes[1];
    scene_filter filters[2];
    scene_filter_part parts[2];
    scene_command commands[COMMANDS_MAX];
    scene_header header;
    scene scene;
    uint32_t paint_count;
} by_hand;

static draw_context *context;
static uint8_t pixels[SIDE * SIDE * 4];

static void add_path(uint32_t which, float x, float y, float width, float height)
{
    const uint32_t verb = by_hand.make.path.verb_count;
    const uint32_t point = by_hand.make.path.point_count;

    path_rect(&by_hand.make, x, y, width, height);
    by_hand.paths[which] = (scene_path){.first_verb = verb,
                                        .verb_count = by_hand.make.path.verb_count - verb,
                                        .first_point = point,
                                        .point_count = by_hand.make.path.point_count - point,
                                        .bounds = {x, y, x + width, y + height}};
}

static int begin(void **state)
{
    (void)state;
    memset(&by_hand, 0, sizeof(by_hand));
    path_clear(&by_hand.make);
    add_path(0, 0, 0, 32, 32);
    add_path(1, 0, 0, 16, 32);
    add_path(2, 0, 0, 32, 16);
    add_path(3, 8, 8, 16, 16);
    by_hand.matrices[0] = (scene_matrix){1, 0, 0, 1, 0, 0};
    by_hand.header = (scene_header){.width = 32.0f, .height = 32.0f};
    by_hand.scene = by_hand.make.scene;
    by_hand.scene.header = &by_hand.header;
    by_hand.scene.paths = by_hand.paths;
    by_hand.scene.matrices = by_hand.matrices;
    by_hand.scene.paints = by_hand.paints;
    by_hand.scene.stops = by_hand.stops;
    by_hand.scene.strokes = by_hand.strokes;
    by_hand.scene.filters = by_hand.filters;
    by_hand.scene.parts = by_hand.parts;
    by_hand.scene.commands = by_hand.commands;
    return draw_context_create(&context) == DP_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    draw_context_destroy(context);
    return 0;
}

static scene_command *command(scene_op op)
{
    scene_command *c = &by_hand.commands[by_hand.scene.command_count++];

    assert_true(by_hand.scene.command_count <= COMMANDS_MAX);
    *c = (scene_command){.op = (uint8_t)op,
                         .path = SCENE_NONE,
                         .matrix = SCENE_NONE,
                         .paint = SCENE_NONE,
                         .stroke = SCENE_NONE,
                         .filter = SCENE_NONE,
                         .opacity = 1.0f,
                         .partner = SCENE_NONE};
    return c;
}

static uint32_t colour(uint32_t rgba)
{
    by_hand.paints[by_hand.paint_count] = (scene_paint){.kind = SCENE_SOLID, .colour = rgba};
    return by_hand.paint_count++;
}

static scene_command *fill(uint32_t path, uint32_t paint)
{
    scene_command *c = command(SCENE_FILL);

    c->path = path;
    c->matrix = 0;
    c->paint = paint;
    return c;
}

/* Links an END (and a READY) to the BEGIN at `at`. */
static void close_level(uint32_t at, uint32_t ready, scene_op op)
{
    const uint32_t last = by_hand.scene.command_count;

    command(op)->partner = at;
    by_hand.commands[at].partner = last;
    if (ready != SCENE_NONE) {
        by_hand.commands[ready].partner = at;
    }
}

static void draw(void)
{
    assert_int_equal(draw_scene(context, &by_hand.scene, SIDE, SIDE, pixels, SIDE * 4), DP_OK);
}

/* At a place of the scene, not of the pixels. */
static uint32_t pixel(uint32_t x, uint32_t y)
{
    const uint8_t *p = pixels + 4 * ((size_t)y * 2 * SIDE + (size_t)x * 2);

    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void shapes_are_painted_in_their_order(void **state)
{
    (void)state;
    fill(0, colour(RED));
    fill(1, colour(GREEN));
    fill(3, colour(BLUE))->opacity = 0.5f;
    draw();
    assert_int_equal(pixel(30, 30), RED);
    assert_int_equal(pixel(2, 30), GREEN);
    assert_int_equal(pixel(20, 12), 0xff80007fu);
    assert_int_equal(pixel(12, 12), 0xff807f00u);
}

static void a_stroke_covers_half_its_width_on_both_sides(void **state)
{
    (void)state;
    scene_command *c = command(SCENE_STROKE);
    c->path = 3;
    c->matrix = 0;
    c->paint = colour(RED);
    c->stroke = 0;
    by_hand.strokes[0] = (scene_stroke){.width = 4.0f, .miter_limit = 4.0f};
    draw();
    assert_int_equal(pixel(7, 12), RED);
    assert_int_equal(pixel(9, 12), RED);
    assert_int_equal(pixel(6, 6), RED);
    assert_int_equal(pixel(5, 12), 0);
    assert_int_equal(pixel(12, 12), 0);
}

static void a_gradient_goes_from_its_first_stop_to_its_last(void **state)
{
    (void)state;
    by_hand.stops[0] = (scene_stop){0.0f, 0xff000000u};
    by_hand.stops[1] = (scene_stop){1.0f, 0xff0000ffu};
    by_hand.paints[0] = (scene_paint){.kind = SCENE_LINEAR,
                                      .stop_count = 2,
                                      .matrix = {1, 0, 0, 1, 0, 0},
                                      .geometry = {0, 0, 32, 0}};
    by_hand.paint_count = 1;
    fill(0, 0);
    draw();
    for (uint32_t x = 0; x < 32; x++) {
        /* The left one of the two pixels of column x. */
        assert_in_range(pixel(x, 5) & 255u, (2 * x + 0.5) * 255 / 64 - 1.5,
                        (2 * x + 0.5) * 255 / 64 + 1.5);
    }
}

/* A gradient between equal points or with no radius has one colour; a flat matrix none at all. */
static void degenerate_gradients_paint_what_svg_says(void **state)
{
    (void)state;
    by_hand.stops[0] = (scene_stop){0.0f, RED};
    by_hand.stops[1] = (scene_stop){1.0f, BLUE};
    for (uint32_t i = 0; i < 3; i++) {
        by_hand.paints[i] = (scene_paint){.kind = i == 1 ? SCENE_RADIAL : SCENE_LINEAR,
                                          .stop_count = 2,
                                          .matrix = {1, 0, 0, i == 2 ? 0 : 1, 0, 0},
                                          .geometry = {4, 4, i == 0 ? 4 : 0, 4, 4, 0}};
    }
    by_hand.paint_count = 3;
    fill(1, 0);
    fill(3, 1);
    fill(2, 2);
    draw();
    assert_int_equal(pixel(2, 30), BLUE);
    assert_int_equal(pixel(20, 20), BLUE);
    assert_int_equal(pixel(30, 2), 0);
}

static void a_focal_point_outside_makes_a_cone(void **state)
{
    (void)state;
    by_hand.stops[0] = (scene_stop){0.0f, RED};
    by_hand.stops[1] = (scene_stop){1.0f, BLUE};
    by_hand.paints[0] = (scene_paint){.kind = SCENE_RADIAL,
                                      .stop_count = 2,
                                      .matrix = {1, 0, 0, 1, 0, 0},
                                      .geometry = {16, 16, 8, 36, 16, 0}};
    by_hand.paint_count = 1;
    fill(0, 0);
    draw();
    /* The circle that ends at x = 28.25 is the one of 12 t = 7.75. */
    assert_in_range(pixel(28, 16) & 255u, 88, 92);
    assert_int_equal(pixel(28, 18) >> 24, 255);
    assert_int_equal(pixel(28, 22), 0);
    assert_int_equal(pixel(2, 2), BLUE);
    assert_int_equal(pixel(8, 1), 0);
    /* On the circle: half a plane. */
    by_hand.paints[0].geometry[3] = 24;
    draw();
    assert_int_equal(pixel(2, 2), BLUE);
    assert_int_equal(pixel(26, 16), 0);
}

static void a_clip_cuts_its_content_and_nothing_else(void **state)
{
    (void)state;
    command(SCENE_CLIP_BEGIN);
    fill(3, SCENE_NONE);
    command(SCENE_CLIP_READY);
    fill(0, colour(RED));
    fill(1, colour(GREEN));
    close_level(0, 2, SCENE_CLIP_END);
    fill(2, colour(BLUE))->opacity = 0.2f;
    draw();
    assert_int_equal(pixel(20, 20), RED);
    assert_int_equal(pixel(12, 20), GREEN);
    assert_int_equal(pixel(4, 20), 0);
    assert_int_equal(pixel(4, 4), 0x33330000u);
}

static void a_clip_of_nothing_hides_everything(void **state)
{
    (void)state;
    command(SCENE_CLIP_BEGIN);
    command(SCENE_CLIP_READY);
    command(SCENE_GROUP_BEGIN);
    fill(0, colour(RED));
    close_level(2, SCENE_NONE, SCENE_GROUP_END);
    close_level(0, 1, SCENE_CLIP_END);
    draw();
    assert_int_equal(pixel(16, 16), 0);
}

static void a_group_fades_as_one(void **state)
{
    (void)state;
    command(SCENE_GROUP_BEGIN)->opacity = 0.5f;
    fill(0, colour(RED));
    fill(1, colour(GREEN));
    close_level(0, SCENE_NONE, SCENE_GROUP_END);
    draw();
    assert_int_equal(pixel(30, 30), 0x80000080u);
    assert_int_equal(pixel(2, 30), 0x80008000u);
}

static void a_mask_lets_through_what_is_bright(void **state)
{
    (void)state;
    command(SCENE_MASK_BEGIN);
    fill(1, colour(0xffffffffu));
    fill(2, colour(0xff000000u));
    command(SCENE_MASK_READY);
    fill(0, colour(RED));
    close_level(0, 3, SCENE_MASK_END);
    draw();
    assert_int_equal(pixel(2, 30), RED);
    assert_int_equal(pixel(2, 2), 0);
    assert_int_equal(pixel(30, 30), 0);
}

/* Moves its group's content by (8, 0); parts and regions of `which`. */
static void offset_filter(uint32_t which, float dx)
{
    const scene_box all = {0, 0, 32, 32};

    by_hand.filters[which] = (scene_filter){.region = all, .first_part = which, .part_count = 1};
    by_hand.parts[which] = (scene_filter_part){.op = SCENE_FE_OFFSET,
                                               .input = SCENE_IN_GRAPHIC,
                                               .other = SCENE_NONE,
                                               .region = all,
                                               .values = {dx}};
}

static void filtered(uint32_t filter)
{
    scene_command *c = command(SCENE_GROUP_BEGIN);

    c->filter = filter;
    c->matrix = 0;
}

static void a_filter_works_on_its_group_alone(void **state)
{
    (void)state;
    offset_filter(0, 8.0f);
    fill(2, colour(BLUE));
    filtered(0);
    fill(3, colour(RED));
    close_level(1, SCENE_NONE, SCENE_GROUP_END);
    draw();
    assert_int_equal(pixel(20, 20), RED);
    assert_int_equal(pixel(12, 20), 0);
    assert_int_equal(pixel(28, 20), RED);
    assert_int_equal(pixel(12, 12), BLUE);
}

static void filters_nest_and_are_clipped(void **state)
{
    (void)state;
    offset_filter(0, 8.0f);
    offset_filter(1, -4.0f);
    command(SCENE_CLIP_BEGIN);
    fill(2, SCENE_NONE);
    command(SCENE_CLIP_READY);
    filtered(1);
    fill(1, colour(GREEN));
    filtered(0);
    fill(3, colour(RED));
    close_level(5, SCENE_NONE, SCENE_GROUP_END);
    close_level(3, SCENE_NONE, SCENE_GROUP_END);
    close_level(0, 2, SCENE_CLIP_END);
    draw();
    /* Red was 8 .. 24, then 16 .. 32, then 12 .. 28; green 0 .. 16 became -4 .. 12. */
    assert_int_equal(pixel(20, 12), RED);
    assert_int_equal(pixel(27, 12), RED);
    assert_int_equal(pixel(29, 12), 0);
    assert_int_equal(pixel(4, 12), GREEN);
    assert_int_equal(pixel(20, 20), 0);
}

/* Everything at once. */
static void busy_scene(void)
{
    offset_filter(0, 2.0f);
    by_hand.strokes[0] = (scene_stroke){.width = 2.0f, .miter_limit = 4.0f};
    by_hand.stops[0] = (scene_stop){0.0f, RED};
    by_hand.stops[1] = (scene_stop){1.0f, BLUE};
    by_hand.paints[0] = (scene_paint){.kind = SCENE_RADIAL,
                                      .stop_count = 2,
                                      .matrix = {1, 0, 0, 1, 0, 0},
                                      .geometry = {16, 16, 12, 14, 14, 0}};
    by_hand.paint_count = 1;
    command(SCENE_CLIP_BEGIN);
    fill(3, SCENE_NONE);
    command(SCENE_CLIP_READY);
    fill(0, 0);
    fill(1, colour(GREEN));
    close_level(0, 2, SCENE_CLIP_END);
    filtered(0);
    command(SCENE_MASK_BEGIN);
    fill(1, colour(0xff808080u));
    command(SCENE_MASK_READY);
    fill(2, colour(BLUE));
    close_level(7, 9, SCENE_MASK_END);
    close_level(6, SCENE_NONE, SCENE_GROUP_END);
    scene_command *c = command(SCENE_STROKE);
    c->path = 3;
    c->matrix = 0;
    c->paint = 0;
    c->stroke = 0;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    uint8_t want[sizeof(pixels)];
    uint64_t nth = 1;
    busy_scene();
    draw();
    memcpy(want, pixels, sizeof(want));
    for (;; nth++) {
        draw_context_destroy(context);
        context = NULL;
        os_malloc_fail_nth(nth);
        dp_status status = draw_context_create(&context);
        if (status == DP_OK) {
            status = draw_scene(context, &by_hand.scene, SIDE, SIDE, pixels, SIDE * 4);
        }
        if (os_malloc_fail_nth(0) != 0) {
            assert_int_equal(status, DP_OK);
            break;
        }
        assert_int_equal(status, DP_ERR_NOMEM);
        if (context != NULL) {
            /* The same context goes on as if nothing had been. */
            memset(pixels, 0, sizeof(pixels));
            draw();
            assert_memory_equal(pixels, want, sizeof(want));
        }
    }
    assert_memory_equal(pixels, want, sizeof(want));
    print_message("%u allocations\n", (unsigned)(nth - 1));
    assert_true(nth > 10);
}

static void a_warm_context_allocates_nothing(void **state)
{
    (void)state;
    busy_scene();
    draw();
    os_malloc_fail_nth(1);
    draw();
    assert_int_equal(os_malloc_fail_nth(0), 1);
    draw_context_trim(context);
    draw();
}

static void limits_are_errors(void **state)
{
    (void)state;
    draw_limits limits = DRAW_LIMITS_DEFAULT;
    busy_scene();
    limits.lines_max = 3;
    draw_context_limits(context, &limits);
    assert_int_equal(draw_scene(context, &by_hand.scene, SIDE, SIDE, pixels, SIDE * 4),
                     DP_ERR_TOO_LARGE);
    limits = (draw_limits)DRAW_LIMITS_DEFAULT;
    limits.plan_bytes_max = 1000;
    draw_context_limits(context, &limits);
    assert_int_equal(draw_scene(context, &by_hand.scene, SIDE, SIDE, pixels, SIDE * 4),
                     DP_ERR_TOO_LARGE);
    limits = (draw_limits)DRAW_LIMITS_DEFAULT;
    limits.layer_bytes_max = 1000;
    draw_context_limits(context, &limits);
    assert_int_equal(draw_scene(context, &by_hand.scene, SIDE, SIDE, pixels, SIDE * 4),
                     DP_ERR_TOO_LARGE);
    limits = (draw_limits)DRAW_LIMITS_DEFAULT;
    draw_context_limits(context, &limits);
    draw();
}

static void the_deadline_is_kept(void **state)
{
    (void)state;
    draw_limits limits = DRAW_LIMITS_DEFAULT;
    busy_scene();
    limits.deadline_ns = 1;
    draw_context_limits(context, &limits);
    assert_int_equal(draw_scene(context, &by_hand.scene, SIDE, SIDE, pixels, SIDE * 4),
                     DP_ERR_TIMEOUT);
    limits.deadline_ns = os_clock_ns() + UINT64_C(60000000000);
    draw_context_limits(context, &limits);
    draw();
}

static void sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    fill(0, colour(RED));
    assert_int_equal(draw_scene(context, &by_hand.scene, 0, 1, pixels, 4), DP_ERR_INVALID);
    assert_int_equal(draw_scene(context, &by_hand.scene, 1, RASTER_SIDE_MAX + 1, pixels, 4),
                     DP_ERR_INVALID);
}

static void only_the_picture_is_written_and_all_of_it(void **state)
{
    (void)state;
    fill(1, colour(RED));
    for (uint32_t width = 1; width <= 40; width++) {
        const uint32_t stride_bytes = 4 * width + 8;
        memset(pixels, 0x5a, sizeof(pixels));
        assert_int_equal(draw_scene(context, &by_hand.scene, width, 33, pixels, stride_bytes),
                         DP_OK);
        for (uint32_t y = 0; y < 33; y++) {
            const uint8_t *row = pixels + (size_t)y * stride_bytes;
            assert_int_equal(row[4 * width - 1], width == 1 ? 128 : 0);
            for (uint32_t i = 0; i < 8; i++) {
                assert_int_equal(row[4 * width + i], 0x5a);
            }
        }
        assert_int_equal(pixels[33 * (size_t)stride_bytes], 0x5a);
    }
}

static void rows_of_tiles_can_be_drawn_by_anybody(void **state)
{
    (void)state;
    uint8_t parts[sizeof(pixels)];
    raster_plan plan;
    busy_scene();
    draw();
    assert_int_equal(draw_plan(context, &by_hand.scene, SIDE, SIDE, &plan), DP_OK);
    void *scratch = os_aligned(64, RASTER_SCRATCH_BYTES);
    assert_non_null(scratch);
    for (uint32_t row = plan.rows; row-- > 0;) {
        raster_cpu(&plan, row, row + 1, parts, SIDE * 4, scratch);
    }
    os_free(scratch);
    assert_memory_equal(parts, pixels, sizeof(parts));
}

#define WITH_SCENE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SCENE(shapes_are_painted_in_their_order),
        WITH_SCENE(a_stroke_covers_half_its_width_on_both_sides),
        WITH_SCENE(a_gradient_goes_from_its_first_stop_to_its_last),
        WITH_SCENE(degenerate_gradients_paint_what_svg_says),
        WITH_SCENE(a_focal_point_outside_makes_a_cone),
        WITH_SCENE(a_clip_cuts_its_content_and_nothing_else),
        WITH_SCENE(a_clip_of_nothing_hides_everything),
        WITH_SCENE(a_group_fades_as_one),
        WITH_SCENE(a_mask_lets_through_what_is_bright),
        WITH_SCENE(a_filter_works_on_its_group_alone),
        WITH_SCENE(filters_nest_and_are_clipped),
        WITH_SCENE(every_allocation_may_fail),
        WITH_SCENE(a_warm_context_allocates_nothing),
        WITH_SCENE(limits_are_errors),
        WITH_SCENE(the_deadline_is_kept),
        WITH_SCENE(sizes_out_of_range_are_refused),
        WITH_SCENE(only_the_picture_is_written_and_all_of_it),
        WITH_SCENE(rows_of_tiles_can_be_drawn_by_anybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
