/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene_open() before hostile bytes: whatever is changed in a sound scene, the answer is either no,
 * or a scene in which every index, count and number is within its bounds.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "render/svg/scene.h"
#include "render/svg/svg.h"

static const char document[] =
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 100'>"
    "<clipPath id='c'><circle r='50'/><path d='M0 0L9 9L0 9' clip-path='url(#d)'/></clipPath>"
    "<clipPath id='d'><circle r='5'/></clipPath>"
    "<linearGradient id='g'><stop/><stop offset='.5'/><stop offset='1'/></linearGradient>"
    "<radialGradient id='h' href='#g' fx='.3'/><mask id='m'><circle r='9' fill='#fff'/></mask>"
    "<filter id='f'><feDropShadow/><feColorMatrix type='saturate' values='.5'/></filter>"
    "<g clip-path='url(#c)'><path d='M0 0Q9 9 3 4C1 2 3 4 9 6z' fill='url(#g)'/>"
    "<g opacity='.5' style='mix-blend-mode:multiply'><rect width='9' height='9' stroke='url(#h)' "
    "stroke-dasharray='1 2 3'/></g></g>"
    "<g mask='url(#m)' filter='url(#f)'><rect width='60' height='60' fill='red'/></g></svg>";

static svg_context *context;
static scene_block block;
static uint64_t *copy; /* aligned as a scene is */

static int make(void **state)
{
    char message[SVG_MESSAGE_BYTES];
    (void)state;
    if (svg_context_create(&context) != DP_OK ||
        svg_parse(context, document, sizeof document - 1, 0, &block, message) != DP_OK) {
        return -1;
    }
    copy = malloc(block.size_bytes + 8);
    return copy == NULL ? -1 : 0;
}

static int drop(void **state)
{
    (void)state;
    free(copy);
    svg_context_destroy(context);
    return 0;
}

static void reset(void)
{
    memcpy(copy, block.bytes, block.size_bytes);
}

static dp_status open_copy(scene *s)
{
    return scene_open(copy, block.size_bytes, s);
}

/* Goes through all that a drawing would read; sanitizers see what is out of bounds. */
static double walk(const scene *s)
{
    double sum = 0;
    for (uint32_t i = 0; i < s->command_count; i++) {
        const scene_command *c = &s->commands[i];
        if (c->op == SCENE_FILL || c->op == SCENE_STROKE) {
            const scene_path *p = &s->paths[c->path];
            for (uint32_t n = 0; n < p->point_count; n++) {
                sum += (double)s->points[p->first_point + n].x;
            }
            for (uint32_t n = 0; n < p->verb_count; n++) {
                sum += s->verbs[p->first_verb + n];
            }
            sum += (double)s->matrices[c->matrix].a;
            if (c->op == SCENE_STROKE) {
                sum += (double)s->strokes[c->stroke].width;
            }
            if (c->paint != SCENE_NONE && s->paints[c->paint].kind != SCENE_SOLID) {
                const scene_paint *paint = &s->paints[c->paint];
                sum += (double)s->stops[paint->first_stop + paint->stop_count - 1].offset;
            }
        }
        if (c->op == SCENE_GROUP_BEGIN && c->filter != SCENE_NONE) {
            const scene_filter *f = &s->filters[c->filter];
            sum += (double)s->parts[f->first_part + f->part_count - 1].values[0];
        }
    }
    return sum;
}

static void a_sound_scene_is_opened(void **state)
{
    scene s;
    (void)state;
    reset();
    assert_int_equal(open_copy(&s), DP_OK);
    assert_true(s.command_count > 15);
    assert_true(isfinite(walk(&s)));
}

static void every_flipped_bit_is_refused_or_harmless(void **state)
{
    size_t refused = 0;
    (void)state;
    for (size_t byte = 0; byte < block.size_bytes; byte++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            scene s;
            reset();
            ((uint8_t *)copy)[byte] ^= (uint8_t)(1u << bit);
            const dp_status status = open_copy(&s);
            assert_true(status == DP_OK || status == DP_ERR_CORRUPT);
            if (status == DP_OK) {
                assert_true(isfinite(walk(&s)));
            }
            refused += status != DP_OK;
        }
    }
    /* Colours and some numbers may be anything; structure may not. */
    assert_true(refused > block.size_bytes * 2);
}

static void every_changed_word_is_refused_or_harmless(void **state)
{
    static const uint32_t values[] = {
        0,          1,          2,          0x7f,       0xffffffff,           0xfffffffe,
        0x80000000, 0x7fc00000, 0x7f800000, 0xff7fffff, 0x49742400 /* 1e6 */, 0x10000};
    (void)state;
    for (size_t word = 0; word < block.size_bytes / 4; word++) {
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            scene s;
            reset();
            memcpy((uint8_t *)copy + 4 * word, &values[v], 4);
            if (open_copy(&s) == DP_OK) {
                assert_true(isfinite(walk(&s)));
            }
        }
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < block.size_bytes; size++) {
        scene s;
        reset();
        assert_int_equal(scene_open(copy, size, &s), DP_ERR_CORRUPT);
        if (size >= sizeof(scene_header)) {
            ((scene_header *)copy)->size_bytes = (uint32_t)size;
            if (scene_open(copy, size, &s) == DP_OK) {
                assert_true(isfinite(walk(&s)));
            }
        }
    }
}

static void an_unaligned_scene_is_refused(void **state)
{
    scene s;
    (void)state;
    memcpy((uint8_t *)copy + 4, block.bytes, block.size_bytes);
    assert_int_equal(scene_open((uint8_t *)copy + 4, block.size_bytes, &s), DP_ERR_CORRUPT);
}

/* One change each that no bit flip is sure to make. */
static scene_command *commands_of(scene *s)
{
    reset();
    assert_int_equal(open_copy(s), DP_OK);
    return (scene_command *)((uint8_t *)copy + s->header->sections[SCENE_COMMANDS].offset_bytes);
}

static uint32_t find(const scene *s, uint8_t op)
{
    for (uint32_t i = 0; i < s->command_count; i++) {
        if (s->commands[i].op == op) {
            return i;
        }
    }
    fail();
    return 0;
}

static void commands_out_of_balance_are_refused(void **state)
{
    static const uint8_t swaps[][2] = {
        {SCENE_CLIP_BEGIN, SCENE_GROUP_BEGIN}, {SCENE_CLIP_READY, SCENE_MASK_READY},
        {SCENE_CLIP_END, SCENE_GROUP_END},     {SCENE_GROUP_END, SCENE_MASK_END},
        {SCENE_MASK_BEGIN, SCENE_CLIP_BEGIN},  {SCENE_MASK_READY, SCENE_FILL},
        {SCENE_CLIP_READY, SCENE_CLIP_END},    {SCENE_GROUP_BEGIN, SCENE_OP_COUNT},
    };
    scene s;
    (void)state;
    for (size_t i = 0; i < sizeof swaps / sizeof swaps[0]; i++) {
        scene_command *commands = commands_of(&s);
        commands[find(&s, swaps[i][0])].op = swaps[i][1];
        assert_int_equal(open_copy(&s), DP_ERR_CORRUPT);
    }
    scene_command *commands = commands_of(&s);
    commands[find(&s, SCENE_CLIP_END)].partner++;
    assert_int_equal(open_copy(&s), DP_ERR_CORRUPT);
}

static void a_painted_shape_inside_a_clip_is_refused(void **state)
{
    scene s;
    (void)state;
    scene_command *commands = commands_of(&s);
    const uint32_t clip = find(&s, SCENE_CLIP_BEGIN);
    assert_int_equal(commands[clip + 1].op, SCENE_FILL);
    commands[clip + 1].paint = 0;
    assert_int_equal(open_copy(&s), DP_ERR_CORRUPT);
    commands = commands_of(&s);
    commands[clip + 1].op = SCENE_STROKE;
    assert_int_equal(open_copy(&s), DP_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_scene_is_opened),
        cmocka_unit_test(every_flipped_bit_is_refused_or_harmless),
        cmocka_unit_test(every_changed_word_is_refused_or_harmless),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(an_unaligned_scene_is_refused),
        cmocka_unit_test(commands_out_of_balance_are_refused),
        cmocka_unit_test(a_painted_shape_inside_a_clip_is_refused),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
