/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clips, groups, masks, layers and gradients: random programs through plan and tiles, and through
 * the machine of raster.h as it is written there, one pixel after the other, without tiles.  Bytes
 * have to be equal.  Prints its seed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernels/raster_math.h"
#include "raster_rig.h"

#define WIDTH  53
#define HEIGHT 44
#define PIXELS (WIDTH * HEIGHT)
#define STEPS  512
#define DEPTH  5

/* What the plan was told, for the reference. */
typedef struct program {
    raster_command steps[STEPS]; /* `edges`: index of its coverage, RASTER_NONE where it has none */
    uint8_t coverage[STEPS][PIXELS];
    uint32_t count;
    uint8_t layer[20 * 30 * 4];
    raster_layer picture;
} program;

static plan tested;
static plan single;
static program told;
static uint64_t seed;
/* Clips may hold several paints, which the reference then composites in every pixel, and the plan
 * only in tiles where there are several. */
static bool busy_clips;

static uint32_t dice(uint32_t sides)
{
    return rig_random(&seed) % sides;
}

static void tell(raster_command step)
{
    told.steps[told.count++] = step;
}

/* Adds a shape's lines to a plan: a rectangle (often larger than a tile), or a polygon. */
static void shape_lines(plan *p, uint64_t random)
{
    const uint32_t kind = rig_random(&random) % 3;
    int32_t xy[2 * 8];

    for (uint32_t i = 0; i < 16; i++) {
        const uint32_t side = i % 2 == 0 ? WIDTH : HEIGHT;
        xy[i] = (int32_t)(rig_random(&random) % (side * RASTER_ONE + 1));
    }
    if (kind == 0) {
        rig_rect(p, 0, 0, WIDTH * RASTER_ONE, HEIGHT * RASTER_ONE);
    } else if (kind == 1) {
        rig_rect(p, xy[0] < xy[2] ? xy[0] : xy[2], xy[1] < xy[3] ? xy[1] : xy[3],
                 xy[0] < xy[2] ? xy[2] : xy[0], xy[1] < xy[3] ? xy[3] : xy[1]);
    } else {
        rig_polygon(p, xy, 3 + rig_random(&random) % 5);
    }
}

/* The coverage of a shape, drawn alone. */
static void draw_alone(uint64_t random, uint32_t rule, uint8_t *coverage)
{
    plan_begin(&single, WIDTH, HEIGHT);
    shape_lines(&single, random);
    rig_paint(&single, 0, rule, 0xffffffffu);
    uint8_t *rgba = rig_draw(&single);
    for (uint32_t i = 0; i < PIXELS; i++) {
        coverage[i] = rgba[4 * i + 3];
    }
    free(rgba);
}

static raster_command any_paint(void)
{
    static const scene_stop stops[3] = {{0.1f, 0xff2040c0}, {0.5f, 0x8020f010}, {1.0f, 0xffe0e0f0}};
    const scene s = {.stops = stops};
    const scene_matrix same = {1, 0, 0, 1, 0, 0};
    scene_paint paint = {.kind = dice(3),
                         .spread = dice(3),
                         .colour = rig_random(&seed) << 1 | dice(2),
                         .stop_count = 3,
                         .matrix = same,
                         .geometry = {20, 20, 15, 25, 12, 2}};
    raster_command command = {.edges = RASTER_NONE};

    if (dice(2) == 0) {
        paint.colour |= 0xff000000u;
    }
    if (!plan_paint(&tested, &s, &paint, &same, dice(2) == 0 ? 1.0f : 0.6f, &command)) {
        command = (raster_command){.op = RASTER_COLOUR, .edges = RASTER_NONE, .value = 0x40101010u};
    }
    return command;
}

static void any_shape(bool clipping)
{
    raster_command command =
        clipping ? (raster_command){.op = RASTER_CLIP_SHAPE, .edges = RASTER_NONE} : any_paint();
    const uint64_t random = rig_random(&seed);
    const uint32_t first = tested.lines.count;

    command.mode = (uint8_t)dice(2);
    shape_lines(&tested, random);
    plan_shape(&tested, first, &command);
    command.edges = told.count;
    draw_alone(random, command.mode, told.coverage[told.count]);
    tell(command);
}

/* A clip that holds several paints is a group, and modes do not reach through groups. */
static uint8_t any_mode(void)
{
    return busy_clips ? BLEND_NORMAL : (uint8_t)dice(BLEND_MODE_COUNT);
}

static void any_layer(void)
{
    const raster_command step = {
        .op = RASTER_LAYER, .mode = any_mode(), .opacity = (uint8_t)dice(256)};

    plan_picture(&tested, &told.picture, step.mode, step.opacity);
    tell(step);
}

static void any_content(uint32_t depth, bool clipping, uint32_t most);

static void any_clip(uint32_t depth, bool clipping)
{
    const uint8_t mode = busy_clips && !clipping ? 1 : 0;

    plan_clip_begin(&tested);
    tell((raster_command){.op = RASTER_CLIP_BEGIN});
    any_content(depth - 1, true, 3);
    plan_clip_ready(&tested);
    tell((raster_command){.op = RASTER_CLIP_READY, .mode = mode});
    any_content(depth - 1, clipping, busy_clips || clipping ? 3 : 1);
    plan_clip_end(&tested);
    tell((raster_command){.op = RASTER_CLIP_END, .mode = mode});
}

static void any_group(uint32_t depth)
{
    const raster_command end = {
        .op = RASTER_GROUP_END, .mode = any_mode(), .opacity = (uint8_t)(1 + dice(255))};

    plan_group_begin(&tested, end.mode, end.opacity);
    tell((raster_command){.op = RASTER_GROUP_BEGIN});
    any_content(depth - 1, false, 3);
    plan_group_end(&tested);
    tell(end);
}

static void any_mask(uint32_t depth)
{
    const raster_command ready = {.op = RASTER_MASK_READY, .mode = (uint8_t)dice(2)};

    plan_mask_begin(&tested, ready.mode);
    tell((raster_command){.op = RASTER_MASK_BEGIN});
    any_content(depth - 1, false, 2);
    plan_mask_ready(&tested);
    tell(ready);
    any_content(depth - 1, false, 3);
    plan_mask_end(&tested);
    tell((raster_command){.op = RASTER_MASK_END});
}

/* Recursion on a number of ours: at most DEPTH. */
static void any_content(uint32_t depth, bool clipping, uint32_t most)
{
    const uint32_t count = dice(most + 1);

    for (uint32_t i = 0; i < count && told.count < STEPS / 2; i++) {
        const uint32_t kind = depth == 0 ? 0 : dice(8);
        if (kind == 4) {
            any_clip(depth, clipping);
        } else if (kind == 5 && !clipping) {
            any_group(depth);
        } else if (kind == 6 && !clipping) {
            any_mask(depth);
        } else if (kind == 7 && !clipping) {
            any_layer();
        } else {
            any_shape(clipping);
        }
    }
}

/* The machine of raster.h at one pixel. */
typedef struct pixel_machine {
    uint32_t p[DEPTH * 2 + 2][4];
    uint32_t outer[DEPTH * 2 + 2], extra[DEPTH * 2 + 2];
    bool ready[DEPTH * 2 + 2];
    uint32_t k, top, depth;
    uint32_t x, y;
} pixel_machine;

static uint32_t product(uint32_t a, uint32_t b)
{
    return composite_div255(a * b);
}

static void over(pixel_machine *m, const uint32_t source[4], uint32_t cover)
{
    for (uint32_t c = 0; c < 4; c++) {
        m->p[m->top][c] = raster_over(source[c], source[3], cover, m->p[m->top][c]);
    }
}

static void blended(pixel_machine *m, const uint32_t source[4], uint32_t mode, uint32_t cover)
{
    uint32_t *p = m->p[m->top];
    const uint32_t a = product(source[3], cover);
    const uint32_t b = p[3];

    if (mode == BLEND_NORMAL) {
        over(m, source, cover);
        return;
    }
    for (uint32_t c = 0; c < 3; c++) {
        p[c] = blend_channel(mode, product(source[c], cover), a, p[c], b);
    }
    p[3] = (uint32_t)blend_alpha((int32_t)a, (int32_t)b, 255);
}

static void unpack(uint32_t colour, uint32_t out[4])
{
    for (uint32_t c = 0; c < 4; c++) {
        out[c] = (colour >> (8 * c)) & 255u;
    }
}

static void layer_at(const pixel_machine *m, uint32_t out[4])
{
    const raster_layer *l = &told.picture;
    const int32_t x = (int32_t)m->x - l->x;
    const int32_t y = (int32_t)m->y - l->y;

    memset(out, 0, 4 * sizeof(*out));
    if (x >= 0 && y >= 0 && x < (int32_t)l->width && y < (int32_t)l->height) {
        for (uint32_t c = 0; c < 4; c++) {
            out[c] = l->pixels[4 * ((uint32_t)y * l->width + (uint32_t)x) + c];
        }
    }
}

static void level_step(pixel_machine *m, const raster_command *c)
{
    uint32_t popped[4];

    switch (c->op) {
    case RASTER_CLIP_READY:
        m->k = product(m->extra[m->depth - 1], m->outer[m->depth - 1]);
        m->ready[m->depth - 1] = true;
        if (c->mode != 0) {
            m->k = 255;
            m->top++;
            memset(m->p[m->top], 0, sizeof(m->p[m->top]));
        }
        return;
    case RASTER_CLIP_END:
        m->k = m->outer[--m->depth];
        if (c->mode != 0) {
            memcpy(popped, m->p[m->top--], sizeof(popped));
            over(m, popped, product(m->extra[m->depth], m->k));
        }
        return;
    case RASTER_MASK_READY:
        m->extra[m->depth - 1] =
            c->mode != 0 ? m->p[m->top][3]
                         : raster_luminance(m->p[m->top][0], m->p[m->top][1], m->p[m->top][2]);
        memset(m->p[m->top], 0, sizeof(m->p[m->top]));
        return;
    case RASTER_GROUP_END:
    case RASTER_MASK_END:
        m->k = m->outer[--m->depth];
        memcpy(popped, m->p[m->top--], sizeof(popped));
        if (c->op == RASTER_GROUP_END) {
            blended(m, popped, c->mode, product(c->opacity, m->k));
        } else {
            over(m, popped, product(m->extra[m->depth], m->k));
        }
        return;
    default: /* the BEGINs */
        m->outer[m->depth] = m->k;
        m->ready[m->depth] = false;
        m->extra[m->depth++] = 0;
        m->k = 255;
        if (c->op != RASTER_CLIP_BEGIN) {
            m->top++;
            memset(m->p[m->top], 0, sizeof(m->p[m->top]));
        }
    }
}

static void step(pixel_machine *m, const raster_command *c, const raster_plan *p)
{
    const uint32_t at = m->y * WIDTH + m->x;
    const raster_gradient *g;
    uint32_t source[4];
    uint32_t cover, level;

    switch (c->op) {
    case RASTER_COLOUR:
        unpack(c->value, source);
        over(m, source, product(told.coverage[c->edges][at], m->k));
        return;
    case RASTER_GRADIENT:
        g = &p->gradients[c->value];
        unpack(p->ramps[g->ramp + (uint32_t)raster_gradient_index(g, (int32_t)m->x, (int32_t)m->y)],
               source);
        over(m, source, product(told.coverage[c->edges][at], m->k));
        return;
    case RASTER_CLIP_SHAPE:
        cover = product(told.coverage[c->edges][at], m->k);
        for (level = m->depth - 1; m->ready[level];) {
            level--;
        }
        m->extra[level] += product(cover, 255u - m->extra[level]);
        return;
    case RASTER_LAYER:
        layer_at(m, source);
        blended(m, source, c->mode, product(c->opacity, m->k));
        return;
    default:
        level_step(m, c);
    }
}

/* How many bytes are off by more than `slack`; `at`: the pixel of the first one. */
static uint32_t bytes_off(const raster_plan *p, const uint8_t *rgba, int slack, uint32_t *at)
{
    uint32_t off = 0;

    for (uint32_t i = 0; i < PIXELS; i++) {
        pixel_machine m = {.k = 255, .x = i % WIDTH, .y = i / WIDTH};
        for (uint32_t s = 0; s < told.count; s++) {
            step(&m, &told.steps[s], p);
        }
        for (uint32_t c = 0; c < 4; c++) {
            if (abs((int)m.p[0][c] - rgba[4 * i + c]) > slack) {
                *at = off == 0 ? i : *at;
                off++;
            }
        }
    }
    return off;
}

static void make_layer(void)
{
    for (uint32_t i = 0; i < sizeof(told.layer); i += 4) {
        const uint32_t a = dice(3) == 0 ? 255 : dice(256);
        for (uint32_t c = 0; c < 3; c++) {
            told.layer[i + c] = (uint8_t)dice(a + 1);
        }
        told.layer[i + 3] = (uint8_t)a;
    }
    told.picture = (raster_layer){.x = (int32_t)dice(60) - 15,
                                  .y = (int32_t)dice(60) - 15,
                                  .width = 20,
                                  .height = 30,
                                  .pixels = told.layer};
}

/* Makes the program of a seed, draws it, and counts the bytes that are off. */
static uint32_t program_off(uint32_t number, int slack, uint32_t *commands)
{
    raster_plan p;
    uint32_t at = 0;

    seed = number;
    told.count = 0;
    make_layer();
    plan_begin(&tested, WIDTH, HEIGHT);
    any_content(DEPTH, false, 6);
    assert_int_equal(plan_end(&tested, &p), DP_OK);
    uint8_t *rgba = rig_draw(&tested);
    const uint32_t off = bytes_off(&p, rgba, slack, &at);
    free(rgba);
    *commands += p.command_count;
    if (off != 0 && !busy_clips) {
        print_message("seed %u: pixel (%u, %u)\n", number, at % WIDTH, at / WIDTH);
    }
    return off;
}

static void random_programs_give_the_bytes_of_the_machine(void **state)
{
    (void)state;
    uint32_t commands = 0;
    busy_clips = false;
    for (uint32_t round = 0; round < 2000; round++) {
        assert_int_equal(program_off(round, 0, &commands), 0);
    }
    print_message("%u commands of tiles\n", commands);
    assert_true(commands > 10000);
}

static void clips_thin_what_several_paints_give_together(void **state)
{
    (void)state;
    uint32_t commands = 0;
    uint32_t off = 0;
    busy_clips = true;
    for (uint32_t round = 0; round < 2000; round++) {
        off += program_off(round, 3, &commands);
    }
    /* Out of 19 million. */
    print_message("%u bytes off by more than 3\n", off);
    assert_true(off < 200);
}

static void levels_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    raster_plan p;
    plan_begin(&tested, WIDTH, HEIGHT);
    for (uint32_t i = 0; i <= RASTER_DEPTH_MAX; i++) {
        plan_group_begin(&tested, 0, 128);
    }
    for (uint32_t i = 0; i <= RASTER_DEPTH_MAX; i++) {
        plan_group_end(&tested);
    }
    assert_int_equal(plan_end(&tested, &p), DP_ERR_TOO_LARGE);
}

static void levels_as_deep_as_the_limit_are_drawn(void **state)
{
    (void)state;
    plan_begin(&tested, WIDTH, HEIGHT);
    for (uint32_t i = 0; i < RASTER_DEPTH_MAX; i++) {
        plan_group_begin(&tested, 0, 255);
    }
    rig_rect(&tested, 0, 0, WIDTH * RASTER_ONE, HEIGHT * RASTER_ONE / 2);
    rig_paint(&tested, 0, 0, 0xff336699u);
    for (uint32_t i = 0; i < RASTER_DEPTH_MAX; i++) {
        plan_group_end(&tested);
    }
    uint8_t *rgba = rig_draw(&tested);
    assert_int_equal(rgba[0], 0x99);
    assert_int_equal(rgba[3], 0xff);
    assert_int_equal(rgba[4 * (PIXELS - 1) + 3], 0);
    free(rgba);
}

static void levels_with_nothing_in_them_leave_no_command(void **state)
{
    (void)state;
    raster_plan p;
    plan_begin(&tested, WIDTH, HEIGHT);
    plan_group_begin(&tested, 0, 128);
    plan_clip_begin(&tested);
    rig_rect(&tested, 128, 128, 30 * RASTER_ONE, 30 * RASTER_ONE);
    plan_shape(&tested, 0, &(raster_command){.op = RASTER_CLIP_SHAPE, .edges = RASTER_NONE});
    plan_clip_ready(&tested);
    plan_mask_begin(&tested, 0);
    plan_mask_ready(&tested);
    plan_mask_end(&tested);
    plan_clip_end(&tested);
    plan_group_end(&tested);
    assert_int_equal(plan_end(&tested, &p), DP_OK);
    assert_int_equal(p.command_count, 0);
}

static void an_opaque_cover_drops_what_lies_under_it(void **state)
{
    (void)state;
    raster_plan p;
    plan_begin(&tested, WIDTH, HEIGHT);
    for (uint32_t i = 0; i < 9; i++) {
        const uint32_t first = tested.lines.count;
        rig_rect(&tested, 0, 0, WIDTH * RASTER_ONE, HEIGHT * RASTER_ONE);
        rig_paint(&tested, first, 0, 0xff000000u | i);
    }
    assert_int_equal(plan_end(&tested, &p), DP_OK);
    assert_int_equal(p.command_count, p.columns * p.rows);
}

static int drop(void **state)
{
    (void)state;
    plan_drop(&tested);
    plan_drop(&single);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_give_the_bytes_of_the_machine),
        cmocka_unit_test(clips_thin_what_several_paints_give_together),
        cmocka_unit_test(levels_beyond_the_limit_are_refused),
        cmocka_unit_test(levels_as_deep_as_the_limit_are_drawn),
        cmocka_unit_test(levels_with_nothing_in_them_leave_no_command),
        cmocka_unit_test(an_opaque_cover_drops_what_lies_under_it),
    };
    return cmocka_run_group_tests(tests, NULL, drop);
}
