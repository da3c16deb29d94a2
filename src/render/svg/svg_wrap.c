/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is put around content that is there already: viewports, filters, clips, masks, groups.
 *
 * The program of a clip or of a mask is laid down behind the content it is for, and then moved
 * before it; an END closes both.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "render/svg/svg_compile.h"
#include "render/svg/svg_shape.h"

static void add(svg_compiler *c, scene_command command)
{
    (void)scene_add_command(c->builder, &command);
}

static scene_command plain(scene_op op)
{
    return (scene_command){.op = (uint8_t)op,
                           .path = SCENE_NONE,
                           .matrix = SCENE_NONE,
                           .paint = SCENE_NONE,
                           .stroke = SCENE_NONE,
                           .filter = SCENE_NONE};
}

/* Something is painted from `first` on. */
static bool shows_something(const svg_compiler *c, uint32_t first)
{
    const scene_command *commands = scene_commands(c->builder);
    for (uint32_t i = first; i < scene_command_count(c->builder); i++) {
        if (commands[i].op != SVG_OP_BOX) {
            return true;
        }
    }
    return false;
}

/* Nothing from `first` on is painted any more; its boxes stay for those who measure. */
static void hide(svg_compiler *c, uint32_t first)
{
    scene_command *commands = scene_commands(c->builder);
    uint32_t kept = first;
    for (uint32_t i = first; i < scene_command_count(c->builder); i++) {
        if (commands[i].op == SCENE_CLIP_BEGIN || commands[i].op == SCENE_MASK_BEGIN) {
            i = svg_skip_to_ready(c, i);
        } else if (svg_is_paint(&commands[i]) || commands[i].op == SVG_OP_BOX) {
            commands[kept] = commands[i];
            commands[kept++].op = SVG_OP_BOX;
        }
    }
    scene_cut_commands(c->builder, c->measuring > 0 ? kept : first);
}

void svg_drop_boxes(svg_compiler *c)
{
    scene_command *commands = scene_commands(c->builder);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < scene_command_count(c->builder); i++) {
        if (commands[i].op != SVG_OP_BOX) {
            commands[kept++] = commands[i];
        }
    }
    scene_cut_commands(c->builder, kept);
}

static bool contains(const svg_box *outer, const svg_box *inner)
{
    return svg_box_is_empty(inner) || (inner->x0 >= outer->x0 && inner->y0 >= outer->y0 &&
                                       inner->x1 <= outer->x1 && inner->y1 <= outer->y1);
}

static void add_box(svg_compiler *c, const svg_box *box, uint32_t matrix)
{
    scene_command fill = plain(SCENE_FILL);
    fill.path = svg_box_path(c->builder, box);
    fill.matrix = matrix;
    fill.opacity = 1;
    add(c, fill);
}

/* Everything from `middle` on goes before what is from `first` on; `end` closes it. */
static void put_before(svg_compiler *c, uint32_t first, uint32_t middle, scene_op end)
{
    if (svg_spend(c->job, scene_command_count(c->builder) - first)) {
        scene_rotate_commands(c->builder, first, middle);
        add(c, plain(end));
    }
}

/* A box in root space lies around all that can be seen. */
static bool holds_page(const svg_compiler *c, const svg_box *box)
{
    const svg_box page = {0, 0, c->width, c->height};
    return c->width > 0 && c->height > 0 && contains(box, &page);
}

void svg_wrap_viewport(svg_compiler *c, svg_frame *f)
{
    const uint32_t middle = scene_command_count(c->builder);
    if (!shows_something(c, f->range)) {
        return;
    }
    const svg_box ink = svg_range_ink(c, f->range, &f->outer);
    const svg_box seen = svg_matrix_box(&f->outer, &f->viewport);
    const bool upright = f->outer.b == 0 && f->outer.c == 0;
    if ((contains(&f->viewport, &ink) && !svg_range_has_filters(c, f->range)) ||
        (upright && holds_page(c, &seen))) {
        return;
    }
    add(c, plain(SCENE_CLIP_BEGIN));
    add_box(c, &f->viewport, scene_add_matrix(c->builder, &f->outer));
    add(c, plain(SCENE_CLIP_READY));
    put_before(c, f->range, middle, SCENE_CLIP_END);
}

static void wrap_in_group(svg_compiler *c, const svg_frame *f, uint32_t filter, bool own)
{
    const uint32_t middle = scene_command_count(c->builder);
    scene_command begin = plain(SCENE_GROUP_BEGIN);
    begin.opacity = own ? f->style.own.opacity : 1;
    begin.blend = own ? f->style.own.blend : SCENE_BLEND_NORMAL;
    begin.filter = filter;
    if (filter != SCENE_NONE) {
        begin.matrix = scene_add_matrix(c->builder, &f->outer);
    }
    c->blends += begin.blend != SCENE_BLEND_NORMAL;
    add(c, begin);
    put_before(c, f->range, middle, SCENE_GROUP_END);
}

/* The only painting from `first` on, if it is one that at most clips wrap; else SCENE_NONE. */
static uint32_t only_paint(const svg_compiler *c, uint32_t first)
{
    const scene_command *commands = scene_commands(c->builder);
    uint32_t found = SCENE_NONE;
    for (uint32_t i = first; i < scene_command_count(c->builder); i++) {
        if (commands[i].op == SCENE_CLIP_BEGIN) {
            i = svg_skip_to_ready(c, i);
            continue;
        }
        if (commands[i].op == SVG_OP_BOX || commands[i].op == SCENE_CLIP_END) {
            continue;
        }
        if (found != SCENE_NONE || !svg_is_paint(&commands[i])) {
            return SCENE_NONE;
        }
        found = i;
    }
    return found;
}

void svg_wrap_group(svg_compiler *c, svg_frame *f)
{
    const struct svg_style_own *own = &f->style.own;
    const bool blends = own->blend != SCENE_BLEND_NORMAL;
    const bool isolates = (own->isolate || own->clip_path != NULL) && c->blends != f->blends;
    if (f->grouped || (own->opacity >= 1 && !blends && !isolates) ||
        !shows_something(c, f->range)) {
        return;
    }
    if (own->opacity <= 0) {
        hide(c, f->range);
        return;
    }
    const uint32_t only = blends ? SCENE_NONE : only_paint(c, f->range);
    if (only != SCENE_NONE) {
        scene_commands(c->builder)[only].opacity *= own->opacity;
        return;
    }
    wrap_in_group(c, f, SCENE_NONE, true);
}

void svg_wrap_filter(svg_compiler *c, svg_frame *f)
{
    const struct svg_style_own *own = &f->style.own;
    if (strncasecmp(own->filter, "url(", 4) != 0) {
        svg_unsupported(c, "a filter that is not drawn here");
        return;
    }
    svg_element *e = svg_find_url(c, own->filter);
    if (e == NULL || e->kind != SVG_EL_FILTER) {
        return;
    }
    const svg_box box = svg_range_box(c, f->range, &f->outer);
    const uint32_t filter = svg_filter_make(c, f, e, &box);
    if (filter == SCENE_NONE) {
        hide(c, f->range);
        return;
    }
    f->grouped = own->clip_path == NULL && own->mask == NULL;
    wrap_in_group(c, f, filter, f->grouped);
}

static bool is_of_box(const svg_element *e, svg_attribute_name name, bool otherwise)
{
    const char *text = svg_attribute_get(e, name);
    if (text == NULL) {
        return otherwise;
    }
    return strcmp(text, "objectBoundingBox") == 0 ||
           (otherwise && strcmp(text, "userSpaceOnUse") != 0);
}

/* A frame for the children of a clipPath or mask that `f` is wrapped by. */
static svg_frame *push_definition(svg_compiler *c, svg_frame *f, svg_element *e, bool of_box)
{
    svg_box box = {0, 0, 1, 1};
    svg_frame *made = svg_frame_push(c, e);
    if (made == NULL) {
        return NULL;
    }
    *made = (svg_frame){.element = e,
                        .child = e->first,
                        .outer = f->outer,
                        .matrix = f->outer,
                        .metrics = f->metrics,
                        .matrix_index = SCENE_NONE,
                        .range = f->range,
                        .first = scene_command_count(c->builder),
                        .phase = SVG_PHASE_CHILDREN};
    svg_style_in_place(&c->cascade, e, &made->style);
    if (of_box) {
        box = svg_range_box(c, f->range, &f->outer);
        made->metrics.width = made->metrics.height = 1;
        made->viewport = box;
        const svg_matrix unit = svg_matrix_of_box(&box);
        made->matrix = svg_matrix_mul(&made->matrix, &unit);
    }
    return made;
}

void svg_wrap_clip(svg_compiler *c, svg_frame *f)
{
    svg_element *e = strncasecmp(f->style.own.clip_path, "url(", 4) == 0
                         ? svg_find_url(c, f->style.own.clip_path)
                         : NULL;
    if (e == NULL || e->kind != SVG_EL_CLIP_PATH || !shows_something(c, f->range)) {
        return;
    }
    svg_frame *made = push_definition(c, f, e, is_of_box(e, SVG_AT_CLIP_PATH_UNITS, false));
    if (made == NULL) {
        return;
    }
    made->kind = SVG_FRAME_CLIP;
    made->in_clip = true;
    if (made->style.own.transform != NULL) {
        svg_matrix own = SVG_IDENTITY;
        (void)svg_parse_transform(made->style.own.transform, &own);
        /* Units of the box come last: outer, transform, box. */
        const bool of_box = is_of_box(e, SVG_AT_CLIP_PATH_UNITS, false);
        const svg_matrix unit = of_box ? svg_matrix_of_box(&made->viewport) : SVG_IDENTITY;
        made->matrix = svg_matrix_mul(&made->outer, &own);
        made->matrix = svg_matrix_mul(&made->matrix, &unit);
    }
    if (!svg_matrix_usable(&made->matrix)) {
        made->child = NULL;
    }
}

/* The shapes are one upright rectangle, in root space. */
static bool is_rectangle(const svg_compiler *c, uint32_t first, svg_box *out)
{
    const scene_builder *b = c->builder;
    const scene_command *command = &scene_commands(b)[first];
    if (scene_command_count(b) != first + 1) {
        return false;
    }
    const scene_path *path = &((const scene_path *)b->arrays[SCENE_PATHS].items)[command->path];
    const uint8_t *verbs = (const uint8_t *)b->arrays[SCENE_VERBS].items + path->first_verb;
    const scene_point *p = (const scene_point *)b->arrays[SCENE_POINTS].items + path->first_point;
    static const uint8_t wanted[5] = {SCENE_MOVE, SCENE_LINE, SCENE_LINE, SCENE_LINE, SCENE_CLOSE};
    if (path->point_count != 4 || path->verb_count < 4 ||
        memcmp(verbs, wanted, path->verb_count < 5 ? 4 : 5) != 0) {
        return false;
    }
    const bool across =
        p[0].y == p[1].y && p[1].x == p[2].x && p[2].y == p[3].y && p[3].x == p[0].x;
    const bool down = p[0].x == p[1].x && p[1].y == p[2].y && p[2].x == p[3].x && p[3].y == p[0].y;
    const svg_matrix m =
        svg_matrix_of(&((scene_matrix *)b->arrays[SCENE_MATRICES].items)[command->matrix]);
    if (!(across || down) || m.b != 0 || m.c != 0) {
        return false;
    }
    const svg_box box = scene_path_bounds(b, command->path);
    *out = svg_matrix_box(&m, &box);
    return true;
}

/* Drawing programs clip everything by the page: nothing is cut off then. */
static bool cuts_nothing(svg_compiler *c, const svg_frame *f, const svg_box *clip)
{
    if (holds_page(c, clip)) {
        return true;
    }
    const uint32_t end = scene_command_count(c->builder);
    scene_cut_commands(c->builder, f->first);
    const svg_box ink = svg_range_ink(c, f->range, &SVG_IDENTITY);
    const bool inside = contains(clip, &ink) && !svg_range_has_filters(c, f->range);
    c->builder->arrays[SCENE_COMMANDS].count = end;
    return inside;
}

void svg_finish_clip(svg_compiler *c, svg_frame *f)
{
    svg_box rectangle;
    if (c->job->status != DP_OK) {
        return;
    }
    if (scene_command_count(c->builder) == f->first) {
        hide(c, f->range);
        return;
    }
    if (is_rectangle(c, f->first, &rectangle) && cuts_nothing(c, f, &rectangle)) {
        scene_cut_commands(c->builder, f->first);
        return;
    }
    add(c, plain(SCENE_CLIP_READY));
    if (c->job->status != DP_OK) {
        return;
    }
    const uint32_t middle = scene_command_count(c->builder);
    add(c, plain(SCENE_CLIP_BEGIN));
    if (c->job->status == DP_OK) {
        scene_rotate_commands(c->builder, f->first, middle);
        put_before(c, f->range, f->first, SCENE_CLIP_END);
    }
}

bool svg_region_of(const svg_element *element, bool of_box, const svg_box *box,
                   const svg_metrics *metrics, svg_box *out)
{
    static const svg_length before = {-10, SVG_UNIT_PERCENT}, size = {120, SVG_UNIT_PERCENT};
    svg_metrics m = *metrics;
    if (of_box) {
        m.width = m.height = 1;
    }
    const double x = svg_length_of(element, SVG_AT_X, SVG_AXIS_X, &m, before);
    const double y = svg_length_of(element, SVG_AT_Y, SVG_AXIS_Y, &m, before);
    const double width = svg_length_of(element, SVG_AT_WIDTH, SVG_AXIS_X, &m, size);
    const double height = svg_length_of(element, SVG_AT_HEIGHT, SVG_AXIS_Y, &m, size);
    if (!(width > 0) || !(height > 0)) {
        return false;
    }
    *out = (svg_box){x, y, x + width, y + height};
    if (of_box) {
        if (!(box->x1 > box->x0) || !(box->y1 > box->y0)) {
            return false;
        }
        const svg_matrix unit = svg_matrix_of_box(box);
        *out = svg_matrix_box(&unit, out);
    }
    return true;
}

void svg_wrap_mask(svg_compiler *c, svg_frame *f)
{
    svg_element *e = svg_find_url(c, f->style.own.mask);
    svg_box region = {0, 0, 0, 0};
    if (e == NULL || e->kind != SVG_EL_MASK || !shows_something(c, f->range)) {
        return;
    }
    const bool of_box = is_of_box(e, SVG_AT_MASK_UNITS, true);
    const svg_box box = of_box ? svg_range_box(c, f->range, &f->outer) : region;
    if (!svg_region_of(e, of_box, &box, &f->metrics, &region)) {
        hide(c, f->range);
        return;
    }
    svg_frame *made = push_definition(c, f, e, is_of_box(e, SVG_AT_MASK_CONTENT_UNITS, false));
    if (made == NULL) {
        return;
    }
    made->kind = SVG_FRAME_MASK;
    made->viewport = region;
    if (!svg_matrix_usable(&made->matrix)) {
        made->child = NULL;
    }
}

/* The picture, cut to its region, before what it masks. */
void svg_finish_mask(svg_compiler *c, svg_frame *f)
{
    if (c->job->status != DP_OK) {
        return;
    }
    if (!shows_something(c, f->first)) {
        scene_cut_commands(c->builder, f->first);
        hide(c, f->range);
        return;
    }
    /* Boxes of the picture are nobody's: outside it they would count for the content. */
    const uint32_t count = scene_command_count(c->builder);
    scene_command *commands = scene_commands(c->builder);
    uint32_t kept = f->first;
    for (uint32_t i = f->first; i < count; i++) {
        if (commands[i].op != SVG_OP_BOX) {
            commands[kept++] = commands[i];
        }
    }
    scene_cut_commands(c->builder, kept);
    const svg_box ink = svg_range_ink(c, f->first, &f->outer);
    scene_command begin = plain(SCENE_MASK_BEGIN);
    begin.alpha = f->style.own.alpha_mask;
    const bool cut = !contains(&f->viewport, &ink) || svg_range_has_filters(c, f->first);
    add(c, begin);
    if (cut) {
        add(c, plain(SCENE_CLIP_BEGIN));
        add_box(c, &f->viewport, scene_add_matrix(c->builder, &f->outer));
        add(c, plain(SCENE_CLIP_READY));
    }
    if (c->job->status != DP_OK) {
        return;
    }
    scene_rotate_commands(c->builder, f->first, kept);
    if (cut) {
        add(c, plain(SCENE_CLIP_END));
    }
    add(c, plain(SCENE_MASK_READY));
    put_before(c, f->range, f->first, SCENE_MASK_END);
}
