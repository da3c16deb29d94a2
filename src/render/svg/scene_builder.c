/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing arrays, and the rules of a path: it begins with a MOVE, a CLOSE is followed by a MOVE, a
 * MOVE that draws nothing is taken back.
 */
#include "render/svg/scene_builder.h"

#include <math.h>
#include <string.h>

#include "pool/os.h"
#include "render/svg/svg_limits.h"

#define FIRST_CAPACITY 256u
/* Arrays above it go when the next document comes. */
#define WARM_BYTES_MAX ((size_t)1 << 20)

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

static uint32_t count_max(scene_section_id id)
{
    return id == SCENE_VERBS || id == SCENE_POINTS ? SVG_POINTS_MAX : SVG_COMMANDS_MAX;
}

static bool grow(scene_builder *b, scene_section_id id, uint32_t more)
{
    scene_array *a = &b->arrays[id];
    if (b->job->status != DP_OK) {
        return false;
    }
    if (more > count_max(id) - a->count) {
        svg_fail(b->job, DP_ERR_TOO_LARGE, "svg draws too much: more than %u %s", count_max(id),
                 id == SCENE_VERBS || id == SCENE_POINTS ? "points" : "shapes");
        return false;
    }
    uint32_t capacity = a->capacity == 0 ? FIRST_CAPACITY : a->capacity;
    while (capacity < a->count + more) {
        capacity *= 2;
    }
    void *items = os_aligned(16, (size_t)capacity * item_bytes[id]);
    if (items == NULL) {
        svg_fail_memory(b->job);
        return false;
    }
    if (a->count > 0) {
        memcpy(items, a->items, (size_t)a->count * item_bytes[id]);
    }
    os_free(a->items);
    a->items = items;
    a->capacity = capacity;
    return true;
}

/* Room for `more` items behind the last; NULL when there is none. */
static inline void *room(scene_builder *b, scene_section_id id, uint32_t more)
{
    scene_array *a = &b->arrays[id];
    if (DP_UNLIKELY(more > a->capacity - a->count) && !grow(b, id, more)) {
        return NULL;
    }
    return (char *)a->items + (size_t)a->count * item_bytes[id];
}

static uint32_t add(scene_builder *b, scene_section_id id, const void *item)
{
    void *to = room(b, id, 1);
    if (to == NULL) {
        return SCENE_NONE;
    }
    memcpy(to, item, item_bytes[id]);
    return b->arrays[id].count++;
}

void scene_builder_reset(scene_builder *b, svg_job *job)
{
    b->job = job;
    for (size_t i = 0; i < SCENE_SECTION_COUNT; i++) {
        scene_array *a = &b->arrays[i];
        a->count = 0;
        if ((size_t)a->capacity * item_bytes[i] > WARM_BYTES_MAX) {
            os_free(a->items);
            *a = (scene_array){0};
        }
    }
    if (b->block_capacity > WARM_BYTES_MAX) {
        os_free(b->block);
        b->block = NULL;
        b->block_capacity = 0;
    }
    memset(b->solids, 0xff, sizeof b->solids);
}

void scene_builder_drop(scene_builder *b)
{
    for (size_t i = 0; i < SCENE_SECTION_COUNT; i++) {
        os_free(b->arrays[i].items);
    }
    os_free(b->block);
    *b = (scene_builder){0};
}

static float cut(double value)
{
    const double max = (double)SCENE_COORDINATE_MAX;
    value = value < max ? value : max;
    return (float)(value > -max ? value : -max);
}

/* One verb and its points. */
static inline void put(scene_builder *b, scene_verb verb, const double *p, uint32_t points)
{
    uint8_t *v = room(b, SCENE_VERBS, 2);
    scene_point *to = room(b, SCENE_POINTS, points + 1);
    if (v == NULL || to == NULL) {
        return;
    }
    if (b->needs_move) {
        /* Behind a CLOSE a contour goes on where the last one began. */
        *v++ = SCENE_MOVE;
        *to++ = b->first_point;
        b->arrays[SCENE_VERBS].count++;
        b->arrays[SCENE_POINTS].count++;
        b->needs_move = false;
    }
    *v = (uint8_t)verb;
    b->arrays[SCENE_VERBS].count++;
    b->arrays[SCENE_POINTS].count += points;
    for (uint32_t i = 0; i < points; i++) {
        to[i] = (scene_point){cut(p[2 * i]), cut(p[2 * i + 1])};
    }
    b->contour_open = true;
}

void scene_path_begin(scene_builder *b)
{
    b->path = (scene_path){.first_verb = b->arrays[SCENE_VERBS].count,
                           .first_point = b->arrays[SCENE_POINTS].count};
    b->contour_open = b->needs_move = false;
}

static void take_back_move(scene_builder *b)
{
    if (!b->contour_open && b->arrays[SCENE_VERBS].count > b->path.first_verb &&
        ((uint8_t *)b->arrays[SCENE_VERBS].items)[b->arrays[SCENE_VERBS].count - 1] == SCENE_MOVE) {
        b->arrays[SCENE_VERBS].count--;
        b->arrays[SCENE_POINTS].count--;
    }
}

void scene_path_move(scene_builder *b, double x, double y)
{
    take_back_move(b);
    b->needs_move = false;
    const double p[2] = {x, y};
    b->first_point = (scene_point){cut(x), cut(y)};
    put(b, SCENE_MOVE, p, 1);
    b->contour_open = false;
}

void scene_path_line(scene_builder *b, double x, double y)
{
    const double p[2] = {x, y};
    put(b, SCENE_LINE, p, 1);
}

void scene_path_quad(scene_builder *b, const double p[4])
{
    put(b, SCENE_QUAD, p, 2);
}

void scene_path_cubic(scene_builder *b, const double p[6])
{
    put(b, SCENE_CUBIC, p, 3);
}

void scene_path_close(scene_builder *b)
{
    if (!b->needs_move) {
        put(b, SCENE_CLOSE, NULL, 0);
        b->needs_move = true;
        b->contour_open = false;
    }
}

uint32_t scene_path_end(scene_builder *b)
{
    take_back_move(b);
    b->needs_move = false;
    scene_path *path = &b->path;
    path->verb_count = b->arrays[SCENE_VERBS].count - path->first_verb;
    path->point_count = b->arrays[SCENE_POINTS].count - path->first_point;
    if (path->verb_count == 0 || b->job->status != DP_OK) {
        return SCENE_NONE;
    }
    const scene_point *p = (const scene_point *)b->arrays[SCENE_POINTS].items + path->first_point;
    scene_box box = {p->x, p->y, p->x, p->y};
    for (uint32_t i = 1; i < path->point_count; i++) {
        box.x0 = p[i].x < box.x0 ? p[i].x : box.x0;
        box.y0 = p[i].y < box.y0 ? p[i].y : box.y0;
        box.x1 = p[i].x > box.x1 ? p[i].x : box.x1;
        box.y1 = p[i].y > box.y1 ? p[i].y : box.y1;
    }
    path->bounds = box;
    return add(b, SCENE_PATHS, path);
}

uint32_t scene_add_matrix(scene_builder *b, const svg_matrix *matrix)
{
    const scene_matrix packed = svg_matrix_pack(matrix);
    return add(b, SCENE_MATRICES, &packed);
}

uint32_t scene_add_solid(scene_builder *b, scene_rgba colour)
{
    uint32_t *slot = &b->solids[(colour * 2654435761u >> 16) % SCENE_COLOUR_SLOTS];
    const scene_paint *paints = b->arrays[SCENE_PAINTS].items;
    if (*slot == SCENE_NONE || paints[*slot].colour != colour) {
        const scene_paint paint = {.kind = SCENE_SOLID, .colour = colour};
        *slot = add(b, SCENE_PAINTS, &paint);
    }
    return *slot;
}

uint32_t scene_add_paint(scene_builder *b, const scene_paint *paint)
{
    return add(b, SCENE_PAINTS, paint);
}

uint32_t scene_add_stop(scene_builder *b, scene_stop stop)
{
    return add(b, SCENE_STOPS, &stop);
}

uint32_t scene_add_stroke(scene_builder *b, const scene_stroke *stroke)
{
    /* Neighbours are usually drawn with the same pen. */
    const scene_array *a = &b->arrays[SCENE_STROKES];
    if (a->count > 0 &&
        memcmp((const scene_stroke *)a->items + (a->count - 1), stroke, sizeof *stroke) == 0) {
        return a->count - 1;
    }
    return add(b, SCENE_STROKES, stroke);
}

uint32_t scene_add_dash(scene_builder *b, float length)
{
    return add(b, SCENE_DASHES, &length);
}

uint32_t scene_add_filter(scene_builder *b, const scene_filter *filter)
{
    return add(b, SCENE_FILTERS, filter);
}

uint32_t scene_add_part(scene_builder *b, const scene_filter_part *part)
{
    return add(b, SCENE_PARTS, part);
}

uint32_t scene_add_command(scene_builder *b, const scene_command *command)
{
    return add(b, SCENE_COMMANDS, command);
}

void scene_cut_commands(scene_builder *b, uint32_t count)
{
    DP_ASSERT(count <= b->arrays[SCENE_COMMANDS].count);
    b->arrays[SCENE_COMMANDS].count = count;
}

static void reverse(scene_command *commands, uint32_t first, uint32_t end)
{
    while (first + 1 < end) {
        const scene_command held = commands[first];
        commands[first++] = commands[--end];
        commands[end] = held;
    }
}

void scene_rotate_commands(scene_builder *b, uint32_t first, uint32_t middle)
{
    scene_command *commands = scene_commands(b);
    const uint32_t end = scene_command_count(b);
    if (end == middle || middle == first) {
        return;
    }
    if (end - middle == 1) {
        const scene_command held = commands[middle];
        memmove(commands + first + 1, commands + first, (middle - first) * sizeof *commands);
        commands[first] = held;
        return;
    }
    reverse(commands, first, middle);
    reverse(commands, middle, end);
    reverse(commands, first, end);
}

svg_box scene_path_bounds(const scene_builder *b, uint32_t path)
{
    const scene_box *box = &((const scene_path *)b->arrays[SCENE_PATHS].items)[path].bounds;
    return (svg_box){(double)box->x0, (double)box->y0, (double)box->x1, (double)box->y1};
}
