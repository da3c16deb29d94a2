/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commands cover: boxes of shapes (exact, for units of the bounding box) and of ink (with room
 * for pens, to tell what a clip cuts).  Shapes of clips and pictures of masks do not count.
 */
#include <math.h>

#include "render/svg/svg_compile.h"

/* Where the shapes of a clip or the picture of a mask that begins at `i` end. */
uint32_t svg_skip_to_ready(const svg_compiler *c, uint32_t i)
{
    const scene_command *commands = scene_commands(c->builder);
    uint32_t open = 0;
    for (;; i++) {
        const uint8_t op = commands[i].op;
        if (op == SCENE_CLIP_BEGIN || op == SCENE_MASK_BEGIN) {
            open++;
        } else if ((op == SCENE_CLIP_READY || op == SCENE_MASK_READY) && --open == 0) {
            return i;
        }
    }
}

/* A command's matrix seen from the space that `back` leads into. */
static svg_matrix seen_from(const svg_compiler *c, const svg_matrix *back, uint32_t index)
{
    const scene_matrix *m = &((scene_matrix *)c->builder->arrays[SCENE_MATRICES].items)[index];
    const svg_matrix own = svg_matrix_of(m);
    svg_matrix seen = svg_matrix_mul(back, &own);
    /* Floats there and back leave a grain that would turn a straight box. */
    const double grain = 1e-6 * (fabs(seen.a) + fabs(seen.b) + fabs(seen.c) + fabs(seen.d));
    seen.b = fabs(seen.b) < grain ? 0 : seen.b;
    seen.c = fabs(seen.c) < grain ? 0 : seen.c;
    return seen;
}

svg_box svg_range_box(svg_compiler *c, uint32_t first, const svg_matrix *matrix)
{
    svg_box box = SVG_BOX_EMPTY;
    svg_matrix back;
    const scene_command *commands = scene_commands(c->builder);
    if (!svg_matrix_invert(matrix, &back)) {
        return box;
    }
    for (uint32_t i = first; i < scene_command_count(c->builder); i++) {
        if (commands[i].op == SCENE_CLIP_BEGIN || commands[i].op == SCENE_MASK_BEGIN) {
            i = svg_skip_to_ready(c, i);
        } else if (svg_is_paint(&commands[i]) || commands[i].op == SVG_OP_BOX) {
            const svg_matrix seen = seen_from(c, &back, commands[i].matrix);
            const svg_box one = scene_path_box(c->builder, commands[i].path, &seen);
            svg_box_unite(&box, &one);
        }
    }
    return box;
}

/* How far a stroke reaches beyond its path. */
static double reach_of(const svg_compiler *c, const scene_command *command)
{
    if (command->op != SCENE_STROKE) {
        return 0;
    }
    const scene_stroke *s =
        &((const scene_stroke *)c->builder->arrays[SCENE_STROKES].items)[command->stroke];
    const double half = (double)s->width / 2;
    const double corner = s->join == SCENE_JOIN_MITER ? (double)s->miter_limit : 1;
    return half * fmax(corner, s->cap == SCENE_CAP_SQUARE ? 1.4143 : 1);
}

svg_box svg_range_ink(svg_compiler *c, uint32_t first, const svg_matrix *matrix)
{
    svg_box box = SVG_BOX_EMPTY;
    svg_matrix back;
    const scene_command *commands = scene_commands(c->builder);
    if (!svg_matrix_invert(matrix, &back)) {
        return box;
    }
    for (uint32_t i = first; i < scene_command_count(c->builder); i++) {
        if (commands[i].op == SCENE_CLIP_BEGIN || commands[i].op == SCENE_MASK_BEGIN) {
            i = svg_skip_to_ready(c, i);
        } else if (svg_is_paint(&commands[i]) && svg_spend(c->job, 1)) {
            const svg_matrix seen = seen_from(c, &back, commands[i].matrix);
            const double reach = reach_of(c, &commands[i]);
            svg_box one = scene_path_bounds(c->builder, commands[i].path);
            one = (svg_box){one.x0 - reach, one.y0 - reach, one.x1 + reach, one.y1 + reach};
            one = svg_matrix_box(&seen, &one);
            svg_box_unite(&box, &one);
        }
    }
    return box;
}

/* A filter moves and blurs what its content's boxes do not tell. */
bool svg_range_has_filters(const svg_compiler *c, uint32_t first)
{
    const scene_command *commands = scene_commands(c->builder);
    for (uint32_t i = first; i < scene_command_count(c->builder); i++) {
        if (commands[i].op == SCENE_GROUP_BEGIN && commands[i].filter != SCENE_NONE) {
            return true;
        }
    }
    return false;
}
