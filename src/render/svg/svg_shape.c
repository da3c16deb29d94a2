/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Basic shapes as the paths that SVG 2, chapter 10, says they are equal to: where they begin and
 * which way they go around matters to dashes.  Quarter ellipses are one cubic each.
 */
#include "render/svg/svg_shape.h"

#include "render/svg/svg_path.h"

/* 4/3 (sqrt(2) - 1): control points of a quarter circle. */
#define KAPPA 0.5522847498307936

/* An attribute's length, and whether it is relative to something outside the element. */
typedef struct shape_reader {
    scene_builder *builder;
    const svg_element *element;
    const svg_metrics *metrics;
    bool relative;
} shape_reader;

double svg_length_of(const svg_element *element, svg_attribute_name name, svg_axis axis,
                     const svg_metrics *metrics, svg_length otherwise)
{
    const char *text = svg_attribute_get(element, name);
    svg_length length = otherwise;
    if (text != NULL) {
        (void)svg_parse_length(text, &length);
    }
    return svg_resolve(length, axis, metrics);
}

/* False when it is absent, `auto` or no length. */
static bool read(shape_reader *r, svg_attribute_name name, svg_axis axis, double *out)
{
    const char *text = svg_attribute_get(r->element, name);
    svg_length length;
    if (text == NULL || !svg_parse_length(text, &length)) {
        return false;
    }
    r->relative = r->relative || length.unit != SVG_UNIT_PX;
    *out = svg_resolve(length, axis, r->metrics);
    return true;
}

static double read_or_zero(shape_reader *r, svg_attribute_name name, svg_axis axis)
{
    double value = 0;
    (void)read(r, name, axis, &value);
    return value;
}

static void quarter(scene_builder *b, const double control[2], const double from[2],
                    const double to[2])
{
    const double p[6] = {from[0] + KAPPA * (control[0] - from[0]),
                         from[1] + KAPPA * (control[1] - from[1]),
                         to[0] + KAPPA * (control[0] - to[0]),
                         to[1] + KAPPA * (control[1] - to[1]),
                         to[0],
                         to[1]};
    scene_path_cubic(b, p);
}

static uint32_t ellipse_path(scene_builder *b, double cx, double cy, double rx, double ry)
{
    const double spots[5][2] = {
        {cx + rx, cy}, {cx, cy + ry}, {cx - rx, cy}, {cx, cy - ry}, {cx + rx, cy}};
    const double corners[4][2] = {
        {cx + rx, cy + ry}, {cx - rx, cy + ry}, {cx - rx, cy - ry}, {cx + rx, cy - ry}};
    scene_path_begin(b);
    scene_path_move(b, spots[0][0], spots[0][1]);
    for (int i = 0; i < 4; i++) {
        quarter(b, corners[i], spots[i], spots[i + 1]);
    }
    scene_path_close(b);
    return scene_path_end(b);
}

uint32_t svg_box_path(scene_builder *b, const svg_box *box)
{
    scene_path_begin(b);
    scene_path_move(b, box->x0, box->y0);
    scene_path_line(b, box->x1, box->y0);
    scene_path_line(b, box->x1, box->y1);
    scene_path_line(b, box->x0, box->y1);
    scene_path_close(b);
    return scene_path_end(b);
}

static uint32_t rounded_path(scene_builder *b, const svg_box *box, double rx, double ry)
{
    const double x[4] = {box->x0, box->x0 + rx, box->x1 - rx, box->x1};
    const double y[4] = {box->y0, box->y0 + ry, box->y1 - ry, box->y1};
    scene_path_begin(b);
    scene_path_move(b, x[1], y[0]);
    scene_path_line(b, x[2], y[0]);
    quarter(b, (double[2]){x[3], y[0]}, (double[2]){x[2], y[0]}, (double[2]){x[3], y[1]});
    scene_path_line(b, x[3], y[2]);
    quarter(b, (double[2]){x[3], y[3]}, (double[2]){x[3], y[2]}, (double[2]){x[2], y[3]});
    scene_path_line(b, x[1], y[3]);
    quarter(b, (double[2]){x[0], y[3]}, (double[2]){x[1], y[3]}, (double[2]){x[0], y[2]});
    scene_path_line(b, x[0], y[1]);
    quarter(b, (double[2]){x[0], y[0]}, (double[2]){x[0], y[1]}, (double[2]){x[1], y[0]});
    scene_path_close(b);
    return scene_path_end(b);
}

static uint32_t rect_path(shape_reader *r)
{
    const double x = read_or_zero(r, SVG_AT_X, SVG_AXIS_X);
    const double y = read_or_zero(r, SVG_AT_Y, SVG_AXIS_Y);
    const double width = read_or_zero(r, SVG_AT_WIDTH, SVG_AXIS_X);
    const double height = read_or_zero(r, SVG_AT_HEIGHT, SVG_AXIS_Y);
    double rx, ry;
    bool has_rx = read(r, SVG_AT_RX, SVG_AXIS_X, &rx);
    bool has_ry = read(r, SVG_AT_RY, SVG_AXIS_Y, &ry);
    if (!(width > 0) || !(height > 0)) {
        return SCENE_NONE;
    }
    has_rx = has_rx && rx >= 0;
    has_ry = has_ry && ry >= 0;
    rx = has_rx ? rx : (has_ry ? ry : 0);
    ry = has_ry ? ry : rx;
    rx = rx < width / 2 ? rx : width / 2;
    ry = ry < height / 2 ? ry : height / 2;
    const svg_box box = {x, y, x + width, y + height};
    return rx > 0 && ry > 0 ? rounded_path(r->builder, &box, rx, ry)
                            : svg_box_path(r->builder, &box);
}

static uint32_t circle_path(shape_reader *r)
{
    const double cx = read_or_zero(r, SVG_AT_CX, SVG_AXIS_X);
    const double cy = read_or_zero(r, SVG_AT_CY, SVG_AXIS_Y);
    const double radius = read_or_zero(r, SVG_AT_R, SVG_AXIS_DIAGONAL);
    return radius > 0 ? ellipse_path(r->builder, cx, cy, radius, radius) : SCENE_NONE;
}

static uint32_t oval_path(shape_reader *r)
{
    const double cx = read_or_zero(r, SVG_AT_CX, SVG_AXIS_X);
    const double cy = read_or_zero(r, SVG_AT_CY, SVG_AXIS_Y);
    double rx, ry;
    const bool has_rx = read(r, SVG_AT_RX, SVG_AXIS_X, &rx) && rx >= 0;
    const bool has_ry = read(r, SVG_AT_RY, SVG_AXIS_Y, &ry) && ry >= 0;
    rx = has_rx ? rx : (has_ry ? ry : 0);
    ry = has_ry ? ry : rx;
    return rx > 0 && ry > 0 ? ellipse_path(r->builder, cx, cy, rx, ry) : SCENE_NONE;
}

static uint32_t line_path(shape_reader *r)
{
    scene_path_begin(r->builder);
    scene_path_move(r->builder, read_or_zero(r, SVG_AT_X1, SVG_AXIS_X),
                    read_or_zero(r, SVG_AT_Y1, SVG_AXIS_Y));
    scene_path_line(r->builder, read_or_zero(r, SVG_AT_X2, SVG_AXIS_X),
                    read_or_zero(r, SVG_AT_Y2, SVG_AXIS_Y));
    return scene_path_end(r->builder);
}

static uint32_t make_path(shape_reader *r)
{
    const char *text;
    switch (r->element->kind) {
    case SVG_EL_PATH:
        text = svg_attribute_get(r->element, SVG_AT_D);
        return text == NULL ? SCENE_NONE : svg_path_read(r->builder, text);
    case SVG_EL_POLYLINE:
    case SVG_EL_POLYGON:
        text = svg_attribute_get(r->element, SVG_AT_POINTS);
        return text == NULL ? SCENE_NONE
                            : svg_points_read(r->builder, text, r->element->kind == SVG_EL_POLYGON);
    case SVG_EL_RECT:
        return rect_path(r);
    case SVG_EL_CIRCLE:
        return circle_path(r);
    case SVG_EL_ELLIPSE:
        return oval_path(r);
    default:
        return line_path(r);
    }
}

uint32_t svg_shape_path(scene_builder *builder, svg_element *element, const svg_metrics *metrics)
{
    if (element->has_path) {
        return element->path;
    }
    shape_reader r = {.builder = builder, .element = element, .metrics = metrics};
    const uint32_t path = make_path(&r);
    if (!r.relative) {
        element->path = path;
        element->has_path = true;
    }
    return path;
}
