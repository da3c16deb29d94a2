/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look at a scene that came from elsewhere.  Each section is gone through once; what may be
 * shared (stops, dashes, filter parts) is bounded by what one user of it may have.
 *
 * Comparisons are written so that a NaN fails them.
 */
#include "render/svg/scene.h"

#include <math.h>
#include <string.h>

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

/* Points of each verb. */
static const uint8_t verb_points[SCENE_VERB_COUNT] = {1, 1, 2, 3, 0};

static uint32_t count_of(const scene *s, scene_section_id id)
{
    return s->header->sections[id].count;
}

static bool within(float value, float max)
{
    return value <= max && value >= -max;
}

static bool is_range(uint32_t first, uint32_t count, uint32_t all)
{
    return first <= all && count <= all - first;
}

static bool check_header(const void *bytes, size_t size_bytes)
{
    const scene_header *h = bytes;
    if (size_bytes < sizeof *h || size_bytes > SCENE_BYTES_MAX || (uintptr_t)bytes % 8 != 0 ||
        h->magic != SCENE_MAGIC || h->version != SCENE_VERSION || h->size_bytes != size_bytes ||
        !(h->width > 0 && h->width <= SCENE_COORDINATE_MAX) ||
        !(h->height > 0 && h->height <= SCENE_COORDINATE_MAX)) {
        return false;
    }
    for (size_t i = 0; i < SCENE_SECTION_COUNT; i++) {
        const scene_section *section = &h->sections[i];
        if (section->offset_bytes < sizeof *h || section->offset_bytes > size_bytes ||
            section->offset_bytes % 8 != 0 ||
            section->count > (size_bytes - section->offset_bytes) / item_bytes[i]) {
            return false;
        }
    }
    return true;
}

static const void *section_at(const scene_header *h, scene_section_id id)
{
    return (const char *)h + h->sections[id].offset_bytes;
}

static void point_at_sections(const void *bytes, scene *s)
{
    const scene_header *h = bytes;
    *s = (scene){.header = h,
                 .verbs = section_at(h, SCENE_VERBS),
                 .points = section_at(h, SCENE_POINTS),
                 .paths = section_at(h, SCENE_PATHS),
                 .matrices = section_at(h, SCENE_MATRICES),
                 .paints = section_at(h, SCENE_PAINTS),
                 .stops = section_at(h, SCENE_STOPS),
                 .strokes = section_at(h, SCENE_STROKES),
                 .dashes = section_at(h, SCENE_DASHES),
                 .filters = section_at(h, SCENE_FILTERS),
                 .parts = section_at(h, SCENE_PARTS),
                 .commands = section_at(h, SCENE_COMMANDS),
                 .command_count = h->sections[SCENE_COMMANDS].count};
}

/* Verbs are of the list, begin with a MOVE, go on with one behind a CLOSE, and use up the points.
 */
static bool check_verbs(const uint8_t *verbs, const scene_path *path)
{
    uint32_t points = 0;
    uint8_t last = SCENE_CLOSE;
    for (uint32_t i = 0; i < path->verb_count; i++) {
        const uint8_t verb = verbs[i];
        if (verb >= SCENE_VERB_COUNT || (last == SCENE_CLOSE && verb != SCENE_MOVE)) {
            return false;
        }
        points += verb_points[verb];
        last = verb;
    }
    return points == path->point_count;
}

static bool check_points(const scene_point *points, const scene_path *path)
{
    scene_box box = {points->x, points->y, points->x, points->y};
    for (uint32_t i = 0; i < path->point_count; i++) {
        const scene_point p = points[i];
        if (!within(p.x, SCENE_COORDINATE_MAX) || !within(p.y, SCENE_COORDINATE_MAX)) {
            return false;
        }
        box.x0 = p.x < box.x0 ? p.x : box.x0;
        box.y0 = p.y < box.y0 ? p.y : box.y0;
        box.x1 = p.x > box.x1 ? p.x : box.x1;
        box.y1 = p.y > box.y1 ? p.y : box.y1;
    }
    return box.x0 == path->bounds.x0 && box.y0 == path->bounds.y0 && box.x1 == path->bounds.x1 &&
           box.y1 == path->bounds.y1;
}

static bool check_paths(const scene *s)
{
    uint32_t verb = 0, point = 0;
    for (uint32_t i = 0; i < count_of(s, SCENE_PATHS); i++) {
        const scene_path *path = &s->paths[i];
        if (path->first_verb != verb || path->first_point != point || path->verb_count == 0 ||
            !is_range(verb, path->verb_count, count_of(s, SCENE_VERBS)) || path->point_count == 0 ||
            !is_range(point, path->point_count, count_of(s, SCENE_POINTS)) ||
            !check_verbs(s->verbs + verb, path) || !check_points(s->points + point, path)) {
            return false;
        }
        verb += path->verb_count;
        point += path->point_count;
    }
    return true;
}

static bool check_matrix(const scene_matrix *m)
{
    const float values[6] = {m->a, m->b, m->c, m->d, m->e, m->f};
    for (int i = 0; i < 6; i++) {
        if (!within(values[i], SCENE_MATRIX_MAX)) {
            return false;
        }
    }
    return true;
}

static bool check_matrices(const scene *s)
{
    for (uint32_t i = 0; i < count_of(s, SCENE_MATRICES); i++) {
        if (!check_matrix(&s->matrices[i])) {
            return false;
        }
    }
    return true;
}

static bool check_stops(const scene *s, const scene_paint *paint)
{
    float last = 0;
    if (paint->stop_count < 2 || paint->stop_count > SCENE_STOPS_MAX ||
        !is_range(paint->first_stop, paint->stop_count, count_of(s, SCENE_STOPS))) {
        return false;
    }
    for (uint32_t i = 0; i < paint->stop_count; i++) {
        const float offset = s->stops[paint->first_stop + i].offset;
        if (!(offset >= last && offset <= 1)) {
            return false;
        }
        last = offset;
    }
    return true;
}

/* A gradient has an extent and a way back from the plane. */
static bool check_gradient(const scene_paint *paint)
{
    const float *g = paint->geometry;
    const scene_matrix *m = &paint->matrix;
    const double determinant = (double)m->a * (double)m->d - (double)m->b * (double)m->c;
    for (int i = 0; i < 6; i++) {
        if (!within(g[i], SCENE_COORDINATE_MAX)) {
            return false;
        }
    }
    if (!check_matrix(m) || !(fabs(determinant) > 0)) {
        return false;
    }
    if (paint->kind == SCENE_LINEAR) {
        return g[0] != g[2] || g[1] != g[3];
    }
    return g[2] > 0 && g[5] >= 0 && g[5] < g[2];
}

static bool check_paints(const scene *s)
{
    for (uint32_t i = 0; i < count_of(s, SCENE_PAINTS); i++) {
        const scene_paint *paint = &s->paints[i];
        if (paint->kind == SCENE_SOLID) {
            continue;
        }
        if (paint->kind > SCENE_RADIAL || paint->spread > SCENE_REPEAT || !check_stops(s, paint) ||
            !check_gradient(paint)) {
            return false;
        }
    }
    return true;
}

static bool check_dashes(const scene *s, const scene_stroke *stroke)
{
    float sum = 0;
    if (stroke->dash_count == 0) {
        return true;
    }
    if (stroke->dash_count > SCENE_DASHES_MAX || stroke->dash_count % 2 != 0 ||
        !is_range(stroke->first_dash, stroke->dash_count, count_of(s, SCENE_DASHES))) {
        return false;
    }
    for (uint32_t i = 0; i < stroke->dash_count; i++) {
        const float length = s->dashes[stroke->first_dash + i];
        if (!(length >= 0 && length <= SCENE_COORDINATE_MAX)) {
            return false;
        }
        sum += length;
    }
    return sum > 0;
}

static bool check_strokes(const scene *s)
{
    for (uint32_t i = 0; i < count_of(s, SCENE_STROKES); i++) {
        const scene_stroke *stroke = &s->strokes[i];
        if (!(stroke->width > 0 && stroke->width <= SCENE_COORDINATE_MAX) ||
            !(stroke->miter_limit >= 1 && stroke->miter_limit <= SCENE_COORDINATE_MAX) ||
            !within(stroke->dash_offset, SCENE_COORDINATE_MAX) || stroke->cap > SCENE_CAP_SQUARE ||
            stroke->join > SCENE_JOIN_BEVEL || !check_dashes(s, stroke)) {
            return false;
        }
    }
    return true;
}

static bool check_box(const scene_box *box)
{
    return within(box->x0, SCENE_COORDINATE_MAX) && within(box->y0, SCENE_COORDINATE_MAX) &&
           within(box->x1, SCENE_COORDINATE_MAX) && within(box->y1, SCENE_COORDINATE_MAX);
}

/* Inputs that each op takes: how many of `input` and `other`. */
static const uint8_t part_inputs[SCENE_FE_COUNT] = {0, 1, 1, 2, 1, 2, 2};

static bool check_input(uint32_t input, bool taken, uint32_t index)
{
    return taken ? input < index || input == SCENE_IN_GRAPHIC || input == SCENE_IN_ALPHA
                 : input == SCENE_NONE;
}

static bool check_part(const scene_filter_part *part, uint32_t index)
{
    if (part->op >= SCENE_FE_COUNT || part->linear > 1 || !check_box(&part->region) ||
        !check_input(part->input, part_inputs[part->op] > 0, index) ||
        !check_input(part->other, part_inputs[part->op] > 1, index)) {
        return false;
    }
    for (int i = 0; i < 20; i++) {
        if (!within(part->values[i], SCENE_COORDINATE_MAX)) {
            return false;
        }
    }
    switch (part->op) {
    case SCENE_FE_COMPOSITE:
        return part->mode < SCENE_COMPOSITE_COUNT;
    case SCENE_FE_BLEND:
        return part->mode < SCENE_BLEND_COUNT;
    case SCENE_FE_BLUR:
        return part->values[0] >= 0 && part->values[1] >= 0;
    default:
        return true;
    }
}

static bool check_filters(const scene *s)
{
    for (uint32_t i = 0; i < count_of(s, SCENE_FILTERS); i++) {
        const scene_filter *filter = &s->filters[i];
        if (!check_box(&filter->region) || filter->part_count == 0 ||
            filter->part_count > SCENE_PARTS_MAX ||
            !is_range(filter->first_part, filter->part_count, count_of(s, SCENE_PARTS))) {
            return false;
        }
        for (uint32_t p = 0; p < filter->part_count; p++) {
            if (!check_part(&s->parts[filter->first_part + p], p)) {
                return false;
            }
        }
    }
    return true;
}

/* An open BEGIN, and whether it stands where only the shapes of a clip may. */
typedef struct open_command {
    uint32_t index;
    bool ready;     /* its READY has come, or it has none */
    bool in_shapes; /* what stands inside now makes a clip */
} open_command;

typedef struct walk {
    const scene *s;
    open_command open[SCENE_DEPTH_MAX];
    uint32_t depth;
} walk;

static bool check_paint_command(const walk *w, const scene_command *command)
{
    const scene *s = w->s;
    const bool in_shapes = w->depth > 0 && w->open[w->depth - 1].in_shapes;
    if (command->path >= count_of(s, SCENE_PATHS) ||
        command->matrix >= count_of(s, SCENE_MATRICES) ||
        !(command->opacity >= 0 && command->opacity <= 1)) {
        return false;
    }
    if (command->op == SCENE_STROKE) {
        return !in_shapes && command->stroke < count_of(s, SCENE_STROKES) &&
               command->paint < count_of(s, SCENE_PAINTS);
    }
    return command->rule <= SCENE_EVEN_ODD &&
           (in_shapes ? command->paint == SCENE_NONE : command->paint < count_of(s, SCENE_PAINTS));
}

static bool check_group(const scene *s, const scene_command *command)
{
    if (command->blend >= SCENE_BLEND_COUNT || !(command->opacity >= 0 && command->opacity <= 1)) {
        return false;
    }
    return command->filter == SCENE_NONE || (command->filter < count_of(s, SCENE_FILTERS) &&
                                             command->matrix < count_of(s, SCENE_MATRICES));
}

static bool check_begin(walk *w, uint32_t index)
{
    const scene_command *command = &w->s->commands[index];
    const bool in_shapes = w->depth > 0 && w->open[w->depth - 1].in_shapes;
    const bool clip = command->op == SCENE_CLIP_BEGIN, group = command->op == SCENE_GROUP_BEGIN;
    if (w->depth == SCENE_DEPTH_MAX || (in_shapes && !clip) || command->alpha > 1 ||
        (group && !check_group(w->s, command))) {
        return false;
    }
    w->open[w->depth++] = (open_command){index, group, clip};
    return true;
}

static bool check_ready(walk *w, const scene_command *command, scene_op begin)
{
    if (w->depth == 0) {
        return false;
    }
    open_command *open = &w->open[w->depth - 1];
    if (open->ready || open->index != command->partner || w->s->commands[open->index].op != begin) {
        return false;
    }
    open->ready = true;
    /* Behind it stands content: shapes again if the clip itself stands among shapes. */
    open->in_shapes = w->depth > 1 && w->open[w->depth - 2].in_shapes;
    return true;
}

static bool check_end(walk *w, uint32_t index, scene_op begin)
{
    if (w->depth == 0) {
        return false;
    }
    const open_command *open = &w->open[--w->depth];
    const scene_command *first = &w->s->commands[open->index];
    return open->ready && first->op == begin && first->partner == index &&
           w->s->commands[index].partner == open->index;
}

static bool check_command(walk *w, uint32_t index)
{
    const scene_command *command = &w->s->commands[index];
    switch (command->op) {
    case SCENE_FILL:
    case SCENE_STROKE:
        return check_paint_command(w, command);
    case SCENE_CLIP_BEGIN:
    case SCENE_GROUP_BEGIN:
    case SCENE_MASK_BEGIN:
        return check_begin(w, index);
    case SCENE_CLIP_READY:
        return check_ready(w, command, SCENE_CLIP_BEGIN);
    case SCENE_MASK_READY:
        return check_ready(w, command, SCENE_MASK_BEGIN);
    case SCENE_CLIP_END:
        return check_end(w, index, SCENE_CLIP_BEGIN);
    case SCENE_GROUP_END:
        return check_end(w, index, SCENE_GROUP_BEGIN);
    case SCENE_MASK_END:
        return check_end(w, index, SCENE_MASK_BEGIN);
    default:
        return false;
    }
}

static bool check_commands(const scene *s)
{
    walk w = {.s = s};
    for (uint32_t i = 0; i < s->command_count; i++) {
        if (!check_command(&w, i)) {
            return false;
        }
    }
    return w.depth == 0;
}

dp_status scene_open(const void *bytes, size_t size_bytes, scene *out)
{
    scene s;
    if (!check_header(bytes, size_bytes)) {
        return DP_ERR_CORRUPT;
    }
    point_at_sections(bytes, &s);
    if (!check_paths(&s) || !check_matrices(&s) || !check_paints(&s) || !check_strokes(&s) ||
        !check_filters(&s) || !check_commands(&s)) {
        return DP_ERR_CORRUPT;
    }
    *out = s;
    return DP_OK;
}
