/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paints: colours, and gradients with what they take from others by href (SVG 1.1, chapter 13).
 * Degenerate gradients are no gradients any more when they reach the scene.
 */
#include <math.h>
#include <string.h>

#include "render/svg/svg_colour.h"
#include "render/svg/svg_compile.h"
#include "render/svg/svg_shape.h"

#define CHAIN_MAX 32
/* What the look at one gradient of a chain costs in the budget. */
#define STEPS_PER_GRADIENT 16u

/* A gradient and those it refers to, nearest first. */
typedef struct gradient_chain {
    svg_element *elements[CHAIN_MAX];
    int count;
} gradient_chain;

static bool is_gradient(const svg_element *e)
{
    return e->kind == SVG_EL_LINEAR_GRADIENT || e->kind == SVG_EL_RADIAL_GRADIENT;
}

static bool follow(svg_compiler *c, svg_element *gradient, gradient_chain *out)
{
    out->count = 0;
    for (svg_element *e = gradient; e != NULL && is_gradient(e); e = svg_find_href(c, e)) {
        for (int i = 0; i < out->count; i++) {
            if (out->elements[i] == e) {
                svg_fail(c->job, DP_ERR_FORMAT, "svg refers to itself in a circle");
                return false;
            }
        }
        if (out->count == CHAIN_MAX) {
            svg_fail(c->job, DP_ERR_TOO_LARGE, "svg has more than %d gradients in a chain",
                     CHAIN_MAX);
            return false;
        }
        out->elements[out->count++] = e;
        if (!svg_spend(c->job, STEPS_PER_GRADIENT + e->cost)) {
            return false;
        }
    }
    return c->job->status == DP_OK;
}

/* The nearest value of the chain; geometry only from gradients of the same kind. */
static const char *inherited(const gradient_chain *chain, svg_attribute_name name, bool geometry)
{
    for (int i = 0; i < chain->count; i++) {
        const char *value = svg_attribute_get(chain->elements[i], name);
        if (value != NULL && (!geometry || chain->elements[i]->kind == chain->elements[0]->kind)) {
            return value;
        }
    }
    return NULL;
}

static svg_element *with_stops(const gradient_chain *chain)
{
    for (int i = 0; i < chain->count; i++) {
        for (svg_element *e = chain->elements[i]->first; e != NULL; e = e->next) {
            if (e->kind == SVG_EL_STOP) {
                return chain->elements[i];
            }
        }
    }
    return NULL;
}

static scene_rgba stop_colour(svg_compiler *c, svg_element *stop)
{
    svg_style style;
    /* Few stops inherit anything: most can be read alone. */
    svg_style_make(&c->cascade, stop, &svg_style_initial, &style);
    if (style.own.stop_colour.current || stop->attribute_count == 0 ||
        svg_attribute_get(stop, SVG_AT_COLOR) != NULL) {
        svg_style_in_place(&c->cascade, stop, &style);
    }
    return svg_colour_fade(svg_tint_resolve(style.own.stop_colour, &style), style.own.stop_opacity);
}

/* Puts the stops into the scene, once; false at a failure. */
static bool make_stops(svg_compiler *c, svg_element *gradient)
{
    if (gradient->first_stop != SCENE_NONE) {
        return true;
    }
    float last = 0;
    for (svg_element *e = gradient->first; e != NULL; e = e->next) {
        if (e->kind != SVG_EL_STOP) {
            continue;
        }
        if (gradient->stop_count == SCENE_STOPS_MAX) {
            svg_fail(c->job, DP_ERR_TOO_LARGE, "svg has a gradient of more than %u stops",
                     SCENE_STOPS_MAX);
            return false;
        }
        const char *text = svg_attribute_get(e, SVG_AT_OFFSET);
        float offset = 0;
        if (text != NULL) {
            (void)svg_parse_share(text, &offset);
        }
        last = offset > last ? offset : last;
        const uint32_t index = scene_add_stop(c->builder, (scene_stop){last, stop_colour(c, e)});
        gradient->first_stop = gradient->stop_count == 0 ? index : gradient->first_stop;
        gradient->stop_count++;
    }
    return c->job->status == DP_OK;
}

/* What geometry is measured in: the viewport, or the painted box as a unit square. */
typedef struct gradient_space {
    const gradient_chain *chain;
    svg_metrics metrics;
} gradient_space;

static double coordinate(const gradient_space *space, svg_attribute_name name, svg_axis axis,
                         float percent)
{
    const char *text = inherited(space->chain, name, true);
    svg_length length = {percent, SVG_UNIT_PERCENT};
    if (text != NULL) {
        (void)svg_parse_length(text, &length);
    }
    const double value = svg_resolve(length, axis, &space->metrics);
    const double max = (double)SCENE_COORDINATE_MAX;
    return value < max ? (value > -max ? value : -max) : max;
}

static void linear_geometry(const gradient_space *space, scene_paint *paint)
{
    paint->kind = SCENE_LINEAR;
    paint->geometry[0] = (float)coordinate(space, SVG_AT_X1, SVG_AXIS_X, 0);
    paint->geometry[1] = (float)coordinate(space, SVG_AT_Y1, SVG_AXIS_Y, 0);
    paint->geometry[2] = (float)coordinate(space, SVG_AT_X2, SVG_AXIS_X, 100);
    paint->geometry[3] = (float)coordinate(space, SVG_AT_Y2, SVG_AXIS_Y, 0);
}

/* A focus outside the circle makes a cone (SVG 2, section 14.2.3), which is the raster's to draw.
 */
static void radial_geometry(const gradient_space *space, scene_paint *paint)
{
    const double cx = coordinate(space, SVG_AT_CX, SVG_AXIS_X, 50);
    const double cy = coordinate(space, SVG_AT_CY, SVG_AXIS_Y, 50);
    const double r = coordinate(space, SVG_AT_R, SVG_AXIS_DIAGONAL, 50);
    const double fr = coordinate(space, SVG_AT_FR, SVG_AXIS_DIAGONAL, 0);
    const bool has_fx = inherited(space->chain, SVG_AT_FX, true) != NULL;
    const bool has_fy = inherited(space->chain, SVG_AT_FY, true) != NULL;
    const double fx = has_fx ? coordinate(space, SVG_AT_FX, SVG_AXIS_X, 50) : cx;
    const double fy = has_fy ? coordinate(space, SVG_AT_FY, SVG_AXIS_Y, 50) : cy;
    const double values[6] = {cx, cy, r, fx, fy, fr > 0 ? fr : 0};
    paint->kind = SCENE_RADIAL;
    for (int i = 0; i < 6; i++) {
        paint->geometry[i] = (float)values[i];
    }
}

/* SVG 1.1, sections 13.2.2 and 13.2.3: without extent it is its last colour. */
static bool is_degenerate(const scene_paint *paint)
{
    const float *g = paint->geometry;
    if (paint->kind == SCENE_LINEAR) {
        return fabsf(g[2] - g[0]) < 1e-9f && fabsf(g[3] - g[1]) < 1e-9f;
    }
    return !(g[2] > 1e-9f) || g[5] >= g[2];
}

static scene_spread spread_of(const gradient_chain *chain)
{
    const char *text = inherited(chain, SVG_AT_SPREAD_METHOD, false);
    if (text == NULL) {
        return SCENE_PAD;
    }
    return strcmp(text, "reflect") == 0 ? SCENE_REFLECT
                                        : (strcmp(text, "repeat") == 0 ? SCENE_REPEAT : SCENE_PAD);
}

/* Gradient space to the shape's; false when there is no way back. */
static bool gradient_matrix(const gradient_chain *chain, const svg_box *box, svg_matrix *out)
{
    *out = box == NULL ? SVG_IDENTITY : svg_matrix_of_box(box);
    const char *text = inherited(chain, SVG_AT_GRADIENT_TRANSFORM, false);
    if (text != NULL) {
        (void)svg_parse_transform(text, out);
    }
    return svg_matrix_usable(out);
}

static scene_rgba stop_of(const svg_compiler *c, uint32_t index)
{
    return ((const scene_stop *)c->builder->arrays[SCENE_STOPS].items)[index].colour;
}

/* `flat` is set when the painted box has no extent to measure the gradient in. */
static uint32_t make_gradient(svg_compiler *c, svg_frame *f, svg_element *gradient, uint32_t path,
                              bool *flat)
{
    gradient_chain chain;
    svg_matrix matrix;
    svg_box box;
    if (!follow(c, gradient, &chain)) {
        return SCENE_NONE;
    }
    svg_element *stops = with_stops(&chain);
    if (stops == NULL || !make_stops(c, stops)) {
        return SCENE_NONE;
    }
    if (stops->stop_count == 1) {
        return scene_add_solid(c->builder, stop_of(c, stops->first_stop));
    }
    const char *units = inherited(&chain, SVG_AT_GRADIENT_UNITS, false);
    const bool of_box = units == NULL || strcmp(units, "userSpaceOnUse") != 0;
    gradient_space space = {&chain, f->metrics};
    if (of_box) {
        box = scene_path_box(c->builder, path, &SVG_IDENTITY);
        space.metrics.width = space.metrics.height = 1;
        if (!(box.x1 > box.x0) || !(box.y1 > box.y0)) {
            *flat = true;
            return SCENE_NONE;
        }
    }
    scene_paint paint = {.spread = spread_of(&chain),
                         .first_stop = stops->first_stop,
                         .stop_count = stops->stop_count};
    if (!gradient_matrix(&chain, of_box ? &box : NULL, &matrix)) {
        return SCENE_NONE;
    }
    paint.matrix = svg_matrix_pack(&matrix);
    if (gradient->kind == SVG_EL_LINEAR_GRADIENT) {
        linear_geometry(&space, &paint);
    } else {
        radial_geometry(&space, &paint);
    }
    if (is_degenerate(&paint)) {
        const uint32_t last = stops->first_stop + stops->stop_count - 1;
        return scene_add_solid(c->builder, stop_of(c, last));
    }
    return scene_add_paint(c->builder, &paint);
}

static uint32_t make_plain(svg_compiler *c, const svg_frame *f, uint8_t kind, scene_rgba colour)
{
    if (kind == SVG_PAINT_NONE) {
        return SCENE_NONE;
    }
    colour = kind == SVG_PAINT_CURRENT ? f->style.colour.colour : colour;
    return colour >> 24 == 0 ? SCENE_NONE : scene_add_solid(c->builder, colour);
}

uint32_t svg_paint_make(svg_compiler *c, svg_frame *f, const svg_paint *paint, uint32_t path)
{
    if (paint->kind != SVG_PAINT_SERVER) {
        return make_plain(c, f, paint->kind, paint->colour);
    }
    svg_element *server = svg_find_url(c, paint->server);
    if (server != NULL && server->kind == SVG_EL_PATTERN) {
        svg_unsupported(c, "a pattern");
        return SCENE_NONE;
    }
    if (server != NULL && is_gradient(server)) {
        bool flat = false;
        const uint32_t made = make_gradient(c, f, server, path, &flat);
        if (!flat) {
            return made;
        }
    }
    return make_plain(c, f, paint->fallback, paint->colour);
}
