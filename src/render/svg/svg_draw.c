/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shape's commands: its fill and its stroke in their order, or its outline inside a clip.
 */
#include "render/svg/svg_compile.h"
#include "render/svg/svg_shape.h"

/* A pen's dashes; false when they make the stroke solid. */
static bool read_dashes(svg_compiler *c, const svg_frame *f, scene_stroke *out)
{
    float lengths[SCENE_DASHES_MAX];
    uint32_t count = 0;
    double sum = 0;
    const char *p = svg_skip_space(f->style.dashes);
    svg_length length;
    while (svg_read_length(&p, &length)) {
        const double value = svg_resolve(length, SVG_AXIS_DIAGONAL, &f->metrics);
        if (count == SCENE_DASHES_MAX / 2) {
            svg_fail(c->job, DP_ERR_TOO_LARGE, "svg has a dash pattern of more than %u lengths",
                     SCENE_DASHES_MAX / 2);
            return false;
        }
        if (!(value >= 0)) {
            return false;
        }
        const double max = (double)SCENE_COORDINATE_MAX;
        lengths[count++] = (float)(value < max ? value : max);
        sum += value;
        p = svg_skip_comma(p);
    }
    if (*p != '\0' || count == 0 || !(sum > 0)) {
        return false;
    }
    out->dash_count = count % 2 == 0 ? count : 2 * count;
    for (uint32_t i = 0; i < out->dash_count; i++) {
        const uint32_t index = scene_add_dash(c->builder, lengths[i % count]);
        out->first_dash = i == 0 ? index : out->first_dash;
    }
    return true;
}

static float cut(double value)
{
    const double max = (double)SCENE_COORDINATE_MAX;
    return (float)(value < max ? (value > -max ? value : -max) : max);
}

/* SCENE_NONE for a pen without width. */
static uint32_t make_stroke(svg_compiler *c, const svg_frame *f)
{
    const svg_style *s = &f->style;
    const double width = svg_resolve(s->stroke_width, SVG_AXIS_DIAGONAL, &f->metrics);
    if (!(width > 1e-9)) {
        return SCENE_NONE;
    }
    if (s->own.fixed_stroke) {
        svg_unsupported(c, "a stroke that does not scale");
        return SCENE_NONE;
    }
    scene_stroke stroke = {
        .width = cut(width), .miter_limit = s->miter_limit, .cap = s->cap, .join = s->join};
    if (s->dashes != NULL && read_dashes(c, f, &stroke)) {
        stroke.dash_offset = cut(svg_resolve(s->dash_offset, SVG_AXIS_DIAGONAL, &f->metrics));
    }
    return scene_add_stroke(c->builder, &stroke);
}

static bool has_marker(svg_compiler *c, const char *value)
{
    const svg_element *e = value == NULL ? NULL : svg_find_url(c, value);
    return e != NULL && e->kind == SVG_EL_MARKER && e->first != NULL;
}

static void check_markers(svg_compiler *c, const svg_frame *f)
{
    const svg_style *s = &f->style;
    const uint8_t kind = f->element->kind;
    if ((s->marker_start != NULL || s->marker_mid != NULL || s->marker_end != NULL) &&
        (kind == SVG_EL_PATH || kind == SVG_EL_LINE || kind == SVG_EL_POLYLINE ||
         kind == SVG_EL_POLYGON) &&
        (has_marker(c, s->marker_start) || has_marker(c, s->marker_mid) ||
         has_marker(c, s->marker_end))) {
        svg_unsupported(c, "markers");
    }
}

static void fill(svg_compiler *c, svg_frame *f, uint32_t path)
{
    if (f->style.fill.kind == SVG_PAINT_NONE || f->style.fill_opacity <= 0 ||
        f->element->kind == SVG_EL_LINE) {
        return;
    }
    const uint32_t paint = svg_paint_make(c, f, &f->style.fill, path);
    if (paint != SCENE_NONE) {
        const scene_command command = {.op = SCENE_FILL,
                                       .rule = f->style.fill_rule,
                                       .path = path,
                                       .matrix = svg_frame_matrix(c, f),
                                       .paint = paint,
                                       .stroke = SCENE_NONE,
                                       .filter = SCENE_NONE,
                                       .opacity = f->style.fill_opacity};
        (void)scene_add_command(c->builder, &command);
    }
}

static void stroke(svg_compiler *c, svg_frame *f, uint32_t path)
{
    if (f->style.stroke.kind == SVG_PAINT_NONE || f->style.stroke_opacity <= 0) {
        return;
    }
    const uint32_t pen = make_stroke(c, f);
    const uint32_t paint =
        pen == SCENE_NONE ? SCENE_NONE : svg_paint_make(c, f, &f->style.stroke, path);
    if (paint != SCENE_NONE) {
        const scene_command command = {.op = SCENE_STROKE,
                                       .path = path,
                                       .matrix = svg_frame_matrix(c, f),
                                       .paint = paint,
                                       .stroke = pen,
                                       .filter = SCENE_NONE,
                                       .opacity = f->style.stroke_opacity};
        (void)scene_add_command(c->builder, &command);
    }
}

static void add_plain(svg_compiler *c, svg_frame *f, uint8_t op, uint32_t path)
{
    const scene_command command = {.op = op,
                                   .rule = f->style.clip_rule,
                                   .path = path,
                                   .matrix = svg_frame_matrix(c, f),
                                   .paint = SCENE_NONE,
                                   .stroke = SCENE_NONE,
                                   .filter = SCENE_NONE,
                                   .opacity = 1};
    (void)scene_add_command(c->builder, &command);
}

void svg_draw_shape(svg_compiler *c, svg_frame *f)
{
    const uint32_t path = svg_shape_path(c->builder, f->element, &f->metrics);
    const uint32_t before = scene_command_count(c->builder);
    if (path == SCENE_NONE || c->job->status != DP_OK) {
        return;
    }
    if (f->in_clip) {
        if (!f->style.hidden) {
            add_plain(c, f, SCENE_FILL, path);
        }
        return;
    }
    if (!f->style.hidden) {
        check_markers(c, f);
        if (f->style.stroke_first) {
            stroke(c, f, path);
            fill(c, f, path);
        } else {
            fill(c, f, path);
            stroke(c, f, path);
        }
    }
    if (c->measuring > 0 && scene_command_count(c->builder) == before) {
        add_plain(c, f, SVG_OP_BOX, path);
    }
}
