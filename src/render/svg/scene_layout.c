/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of a grown scene: exact boxes of its paths, and the flat block in the end.
 */
#include "render/svg/scene_builder.h"

#include <math.h>
#include <string.h>

#include "pool/os.h"

static const uint8_t item_bytes[SCENE_SECTION_COUNT] = {
    [SCENE_VERBS] = 1,
    [SCENE_POINTS] = sizeof(scene_point),
    [SCENE_PATHS] = sizeof(scene_path),
    [SCENE_MATRICES] = sizeof(scene_matrix),
    [SCENE_PAINTS] = sizeof(scene_paint),
    [SCENE_STOPS] = sizeof(scene_stop),
    [SCENE_STROKES] = sizeof(scene_stroke),
    [SCENE_DASHES] = sizeof(float),
    [SCENE_FILTERS] = sizeof(scene_filter),
    [SCENE_PARTS] = sizeof(scene_filter_part),
    [SCENE_COMMANDS] = sizeof(scene_command),
};

typedef struct spot {
    double x, y;
} spot;

static spot moved(const svg_matrix *m, scene_point p)
{
    return (spot){m->a * (double)p.x + m->c * (double)p.y + m->e,
                  m->b * (double)p.x + m->d * (double)p.y + m->f};
}

/* One axis of a cubic at t. */
static double cubic_at(const double v[4], double t)
{
    const double u = 1 - t;
    return u * u * u * v[0] + 3 * u * u * t * v[1] + 3 * u * t * t * v[2] + t * t * t * v[3];
}

/* Where the derivative of one axis is 0, inside (0, 1); returns how many. */
static int cubic_turns(const double v[4], double t[2])
{
    const double a = -v[0] + 3 * v[1] - 3 * v[2] + v[3];
    const double b = 2 * (v[0] - 2 * v[1] + v[2]);
    const double c = v[1] - v[0];
    double roots[2];
    int count = 0, kept = 0;
    if (fabs(a) < 1e-12 * (fabs(b) + fabs(c))) {
        if (b != 0) {
            roots[count++] = -c / b;
        }
    } else {
        const double under = b * b - 4 * a * c;
        if (under >= 0) {
            const double root = sqrt(under);
            roots[count++] = (-b + root) / (2 * a);
            roots[count++] = (-b - root) / (2 * a);
        }
    }
    for (int i = 0; i < count; i++) {
        if (roots[i] > 0 && roots[i] < 1) {
            t[kept++] = roots[i];
        }
    }
    return kept;
}

static void add_cubic(svg_box *box, const spot s[4])
{
    const double x[4] = {s[0].x, s[1].x, s[2].x, s[3].x};
    const double y[4] = {s[0].y, s[1].y, s[2].y, s[3].y};
    double t[2];
    svg_box_add(box, s[3].x, s[3].y);
    /* Control points inside the box: so is the curve. */
    if (x[1] >= box->x0 && x[1] <= box->x1 && x[2] >= box->x0 && x[2] <= box->x1 &&
        y[1] >= box->y0 && y[1] <= box->y1 && y[2] >= box->y0 && y[2] <= box->y1) {
        return;
    }
    for (int i = cubic_turns(x, t); i-- > 0;) {
        svg_box_add(box, cubic_at(x, t[i]), cubic_at(y, t[i]));
    }
    for (int i = cubic_turns(y, t); i-- > 0;) {
        svg_box_add(box, cubic_at(x, t[i]), cubic_at(y, t[i]));
    }
}

static void add_quad(svg_box *box, spot from, spot control, spot to)
{
    const spot s[4] = {
        from,
        {from.x + 2 * (control.x - from.x) / 3, from.y + 2 * (control.y - from.y) / 3},
        {to.x + 2 * (control.x - to.x) / 3, to.y + 2 * (control.y - to.y) / 3},
        to};
    add_cubic(box, s);
}

svg_box scene_path_box(const scene_builder *b, uint32_t path, const svg_matrix *matrix)
{
    const scene_path *p = &((const scene_path *)b->arrays[SCENE_PATHS].items)[path];
    const uint8_t *verbs = (const uint8_t *)b->arrays[SCENE_VERBS].items + p->first_verb;
    const scene_point *points = (const scene_point *)b->arrays[SCENE_POINTS].items + p->first_point;
    svg_box box = SVG_BOX_EMPTY;
    spot at = {0, 0};

    if (!svg_spend(b->job, p->verb_count)) {
        return box;
    }
    for (uint32_t i = 0; i < p->verb_count; i++) {
        switch (verbs[i]) {
        case SCENE_MOVE:
        case SCENE_LINE:
            at = moved(matrix, *points++);
            svg_box_add(&box, at.x, at.y);
            break;
        case SCENE_QUAD: {
            const spot to = moved(matrix, points[1]);
            add_quad(&box, at, moved(matrix, points[0]), to);
            at = to;
            points += 2;
            break;
        }
        case SCENE_CUBIC: {
            const spot s[4] = {at, moved(matrix, points[0]), moved(matrix, points[1]),
                               moved(matrix, points[2])};
            add_cubic(&box, s);
            at = s[3];
            points += 3;
            break;
        }
        default:
            break;
        }
    }
    return box;
}

/* BEGIN, READY and END learn of each other; false when they are nested too deep. */
static bool pair_commands(scene_builder *b)
{
    uint32_t open[SCENE_DEPTH_MAX];
    uint32_t depth = 0;
    scene_command *commands = scene_commands(b);
    for (uint32_t i = 0; i < scene_command_count(b); i++) {
        switch (commands[i].op) {
        case SCENE_CLIP_BEGIN:
        case SCENE_GROUP_BEGIN:
        case SCENE_MASK_BEGIN:
            if (depth == SCENE_DEPTH_MAX) {
                svg_fail(b->job, DP_ERR_TOO_LARGE, "svg nests more than %u groups, clips and masks",
                         SCENE_DEPTH_MAX);
                return false;
            }
            open[depth++] = i;
            break;
        case SCENE_CLIP_READY:
        case SCENE_MASK_READY:
            commands[i].partner = open[depth - 1];
            break;
        case SCENE_CLIP_END:
        case SCENE_GROUP_END:
        case SCENE_MASK_END:
            commands[i].partner = open[--depth];
            commands[open[depth]].partner = i;
            break;
        default:
            break;
        }
    }
    DP_ASSERT(depth == 0);
    return true;
}

static bool make_block_room(scene_builder *b, size_t size_bytes)
{
    if (size_bytes <= b->block_capacity) {
        return true;
    }
    os_free(b->block);
    b->block_capacity = 0;
    b->block = os_aligned(64, os_align_up(size_bytes, 4096));
    if (b->block == NULL) {
        svg_fail_memory(b->job);
        return false;
    }
    b->block_capacity = os_align_up(size_bytes, 4096);
    return true;
}

bool scene_builder_finish(scene_builder *b, double width, double height)
{
    scene_header header = {.magic = SCENE_MAGIC,
                           .version = SCENE_VERSION,
                           .width = (float)width,
                           .height = (float)height};
    size_t at = os_align_up(sizeof header, 8);
    if (b->job->status != DP_OK || !pair_commands(b)) {
        return false;
    }
    for (size_t i = 0; i < SCENE_SECTION_COUNT; i++) {
        header.sections[i] = (scene_section){(uint32_t)at, b->arrays[i].count};
        at += os_align_up((size_t)b->arrays[i].count * item_bytes[i], 8);
        if (at > SCENE_BYTES_MAX) {
            svg_fail(b->job, DP_ERR_TOO_LARGE, "svg draws too much");
            return false;
        }
    }
    header.size_bytes = (uint32_t)at;
    if (!make_block_room(b, at)) {
        return false;
    }
    memcpy(b->block, &header, sizeof header);
    for (size_t i = 0; i < SCENE_SECTION_COUNT; i++) {
        const size_t bytes = (size_t)b->arrays[i].count * item_bytes[i];
        char *to = (char *)b->block + header.sections[i].offset_bytes;
        if (bytes > 0) {
            memcpy(to, b->arrays[i].items, bytes);
        }
        memset(to + bytes, 0, os_align_up(bytes, 8) - bytes);
    }
    b->block_bytes = at;
    return true;
}
