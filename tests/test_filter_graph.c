/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph of a filter's parts: regions, inputs, memory that is used again, limits, and what
 * happens when there is no memory or no time.
 */
#include <math.h>

#include "filter_rig.h"
#include "pool/os.h"

static filter_program program_of(const rig *r, filter_pass *passes)
{
    filter_program out;
    assert_int_equal(filter_graph_make(&r->s, &r->filter, &r->matrix, &r->surface.at, passes, &out),
                     DP_OK);
    return out;
}

/* What design tools write for an inner shadow. */
static void add_inner_shadow(rig *r)
{
    scene_filter_part *part;
    add_part(r, SCENE_FE_FLOOD, SCENE_NONE, SCENE_NONE);
    add_part(r, SCENE_FE_BLEND, SCENE_IN_GRAPHIC, 0);
    part = add_part(r, SCENE_FE_COLOR_MATRIX, SCENE_IN_ALPHA, SCENE_NONE);
    part->values[18] = 127;
    part = add_part(r, SCENE_FE_OFFSET, 2, SCENE_NONE);
    part->values[1] = 2;
    part = add_part(r, SCENE_FE_BLUR, 3, SCENE_NONE);
    part->values[0] = part->values[1] = 3;
    part = add_part(r, SCENE_FE_COMPOSITE, 4, 2);
    part->mode = SCENE_COMPOSITE_ARITHMETIC;
    part->values[1] = -1;
    part->values[2] = 1;
    part = add_part(r, SCENE_FE_COLOR_MATRIX, 5, SCENE_NONE);
    part->values[18] = 0.5f;
    part = add_part(r, SCENE_FE_BLEND, 6, 1);
}

static void memory_is_used_again_after_its_last_reader(void **state)
{
    rig *r = make_rig();
    filter_pass *passes = calloc(FILTER_PASSES_OF(FILTER_PARTS_MAX), sizeof *passes);
    (void)state;
    assert_non_null(passes);
    add_inner_shadow(r);
    assert_true(program_of(r, passes).slot_count <= 4);
    /* A long chain needs no more than its longest overlap. */
    r->filter.part_count = 0;
    for (uint32_t i = 0; i < FILTER_PARTS_MAX; i++) {
        add_part(r, SCENE_FE_OFFSET, i == 0 ? SCENE_IN_GRAPHIC : i - 1, SCENE_NONE)->values[0] = 1;
    }
    const filter_program program = program_of(r, passes);
    assert_int_equal(program.slot_count, 2);
    assert_int_equal(program.plane_count, 0);
    free(passes);
    free(r);
}

static void parts_that_nobody_reads_are_left_out(void **state)
{
    rig *r = make_rig();
    filter_pass passes[FILTER_PASSES_OF(PARTS)];
    (void)state;
    add_inner_shadow(r);
    add_part(r, SCENE_FE_OFFSET, SCENE_IN_GRAPHIC, SCENE_NONE);
    const filter_program program = program_of(r, passes);
    assert_true(program.pass_count <= 2);
    assert_int_equal(program.plane_count, 0);
    free(r);
}

static void an_inner_shadow_stays_inside(void **state)
{
    rig *r = make_rig();
    (void)state;
    memset(r->before, 0, sizeof r->before);
    for (int i = 0; i < PIXELS; i++) {
        if (i % SIDE >= 10 && i % SIDE < 38 && i / SIDE >= 10 && i / SIDE < 38) {
            memset(r->before + 4 * i, 255, 4);
        }
    }
    add_inner_shadow(r);
    assert_int_equal(run(r), DP_OK);
    for (int i = 0; i < PIXELS; i++) {
        assert_int_equal(r->pixels[4 * i + 3], r->before[4 * i + 3]);
    }
    /* Dark at the upper edge, where the shadow falls in, untouched in the middle. */
    assert_true(r->pixels[4 * (10 * SIDE + 24)] < 190);
    assert_true(r->pixels[4 * (26 * SIDE + 24)] > 250);
    free(r);
}

static void a_filter_without_parts_draws_nothing(void **state)
{
    static const uint8_t clear[PIXELS * 4];
    rig *r = make_rig();
    (void)state;
    assert_int_equal(run(r), DP_OK);
    assert_memory_equal(r->pixels, clear, sizeof clear);
    free(r);
}

static void bounds_are_the_region_as_far_as_it_can_reach_the_canvas(void **state)
{
    const filter_rect canvas = {0, 0, 100, 100};
    rig *r = make_rig();
    (void)state;
    r->matrix = (scene_matrix){2, 0, 0, 2, 0.5f, 0};
    r->filter.region = (scene_box){10, 10, 20, 30.25f};
    filter_rect got = filter_bounds(&r->s, &r->filter, &r->matrix, canvas);
    assert_memory_equal(&got, (&(filter_rect){20, 20, 40, 61}), sizeof got);
    r->filter.region = everywhere;
    scene_filter_part *part = add_part(r, SCENE_FE_OFFSET, SCENE_IN_GRAPHIC, SCENE_NONE);
    part->values[0] = -7;
    got = filter_bounds(&r->s, &r->filter, &r->matrix, canvas);
    assert_memory_equal(&got, (&(filter_rect){-14, -14, 114, 114}), sizeof got);
    r->filter.region = (scene_box){70, 0, 90, 10};
    got = filter_bounds(&r->s, &r->filter, &r->matrix, canvas);
    assert_true(got.x1 <= got.x0);
    r->filter.region = (scene_box){5, 5, 5, 10};
    got = filter_bounds(&r->s, &r->filter, &r->matrix, canvas);
    assert_true(got.x1 <= got.x0);
    /* Turned by a quarter: the box stays upright. */
    r->matrix = (scene_matrix){0, 1, -1, 0, 50, 0};
    r->filter.region = (scene_box){10, 20, 30, 25};
    got = filter_bounds(&r->s, &r->filter, &r->matrix, canvas);
    assert_memory_equal(&got, (&(filter_rect){25, 10, 30, 30}), sizeof got);
    r->filter.part_count = 0;
    r->filter.region = everywhere;
    r->matrix = (scene_matrix){1e30f, 1e30f, -1e30f, 1e30f, 0, 0};
    got = filter_bounds(&r->s, &r->filter, &r->matrix, canvas);
    assert_memory_equal(&got, &canvas, sizeof got);
    r->matrix.f = NAN;
    got = filter_bounds(&r->s, &r->filter, &r->matrix, canvas);
    assert_true(got.x1 <= got.x0);
    free(r);
}

static void what_is_too_large_is_refused_before_memory_is_taken(void **state)
{
    rig *r = make_rig();
    filter_pass passes[FILTER_PASSES_OF(PARTS)];
    filter_program out;
    (void)state;
    add_inner_shadow(r);
    filter_rect at = {0, 0, 4097, 4097};
    assert_int_equal(filter_graph_make(&r->s, &r->filter, &r->matrix, &at, passes, &out),
                     DP_ERR_TOO_LARGE);
    at.x1 = INT32_MAX;
    at.y1 = INT32_MAX;
    assert_int_equal(filter_graph_make(&r->s, &r->filter, &r->matrix, &at, passes, &out),
                     DP_ERR_TOO_LARGE);
    r->filter.part_count = FILTER_PARTS_MAX + 1;
    assert_int_equal(run(r), DP_ERR_TOO_LARGE);
    free(r);
}

static void a_run_ends_at_its_deadline(void **state)
{
    rig *r = make_rig();
    filter_scratch scratch = {.deadline_ns = 1};
    (void)state;
    add_inner_shadow(r);
    assert_int_equal(filter_run(&scratch, &r->s, &r->filter, &r->matrix, &r->surface),
                     DP_ERR_TIMEOUT);
    filter_scratch_drop(&scratch);
    free(r);
}

static void every_allocation_may_fail_and_a_warm_scratch_needs_none(void **state)
{
    rig *r = make_rig();
    filter_scratch scratch = {0};
    dp_status status = DP_ERR_NOMEM;
    uint64_t tries = 0;
    (void)state;
    add_inner_shadow(r);
    for (uint64_t nth = 1; status != DP_OK; nth++) {
        filter_scratch_drop(&scratch);
        os_malloc_fail_nth(nth);
        status = filter_run(&scratch, &r->s, &r->filter, &r->matrix, &r->surface);
        os_malloc_fail_nth(0);
        assert_true(status == DP_OK || status == DP_ERR_NOMEM);
        tries = nth;
    }
    assert_true(tries >= 2);
    os_malloc_fail_nth(1);
    assert_int_equal(filter_run(&scratch, &r->s, &r->filter, &r->matrix, &r->surface), DP_OK);
    assert_int_equal(os_malloc_fail_nth(0), 1);
    filter_scratch_drop(&scratch);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_used_again_after_its_last_reader),
        cmocka_unit_test(parts_that_nobody_reads_are_left_out),
        cmocka_unit_test(an_inner_shadow_stays_inside),
        cmocka_unit_test(a_filter_without_parts_draws_nothing),
        cmocka_unit_test(bounds_are_the_region_as_far_as_it_can_reach_the_canvas),
        cmocka_unit_test(what_is_too_large_is_refused_before_memory_is_taken),
        cmocka_unit_test(a_run_ends_at_its_deadline),
        cmocka_unit_test(every_allocation_may_fail_and_a_warm_scratch_needs_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
