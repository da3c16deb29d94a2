/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Viewports: the root's natural size, nested svg and symbol, viewBox and preserveAspectRatio (SVG
 * 1.1, sections 7.7 to 7.9).
 */
#include <math.h>
#include <string.h>

#include "render/svg/svg_compile.h"
#include "render/svg/svg_shape.h"

/* Larger sizes are brought down in proportion: no picture has such sides. */
#define SIDE_MAX 65535.0
/* What percentages are of where a document says nothing about its size. */
#define SIDE_DEFAULT 100.0

bool svg_view_box_of(const svg_element *element, svg_box *out)
{
    const char *text = svg_attribute_get(element, SVG_AT_VIEW_BOX);
    double v[4];
    if (text == NULL || !svg_read_numbers(&text, v, 4) || v[2] < 0 || v[3] < 0) {
        return false;
    }
    *out = (svg_box){v[0], v[1], v[0] + v[2], v[1] + v[3]};
    return true;
}

/* "xMidYMax slice": shares of the free room before the picture, and how it is fitted. */
typedef struct view_fit {
    double x, y;
    bool none, slice;
} view_fit;

static double share_of(const char *word)
{
    return strncmp(word, "Min", 3) == 0 ? 0 : (strncmp(word, "Max", 3) == 0 ? 1 : 0.5);
}

static view_fit read_fit(const char *text)
{
    view_fit fit = {0.5, 0.5, false, false};
    if (text == NULL) {
        return fit;
    }
    text = svg_skip_space(text);
    if (strncmp(text, "defer", 5) == 0) {
        text = svg_skip_space(text + 5);
    }
    if (strncmp(text, "none", 4) == 0) {
        fit.none = true;
    } else if (strlen(text) >= 8 && text[0] == 'x' && text[4] == 'Y') {
        fit.x = share_of(text + 1);
        fit.y = share_of(text + 5);
        fit.slice = strncmp(svg_skip_space(text + 8), "slice", 5) == 0;
    }
    return fit;
}

svg_matrix svg_view_matrix(const svg_element *element, const svg_box *view_box,
                           const svg_box *viewport)
{
    const view_fit fit = read_fit(svg_attribute_get(element, SVG_AT_PRESERVE_ASPECT_RATIO));
    const double width = viewport->x1 - viewport->x0, height = viewport->y1 - viewport->y0;
    const double box_width = view_box->x1 - view_box->x0, box_height = view_box->y1 - view_box->y0;
    double sx = width / box_width, sy = height / box_height;
    if (!fit.none) {
        sx = sy = fit.slice ? fmax(sx, sy) : fmin(sx, sy);
    }
    return (svg_matrix){
        .a = sx,
        .d = sy,
        .e = viewport->x0 - view_box->x0 * sx + (width - box_width * sx) * (fit.none ? 0 : fit.x),
        .f =
            viewport->y0 - view_box->y0 * sy + (height - box_height * sy) * (fit.none ? 0 : fit.y)};
}

/* A side of the root in px; 0 when it says nothing, or a share of a size that nobody gave. */
static double root_side(const svg_element *root, svg_attribute_name name, svg_axis axis,
                        const svg_metrics *metrics)
{
    const char *text = svg_attribute_get(root, name);
    svg_length length;
    if (text == NULL || !svg_parse_length(text, &length) || length.unit == SVG_UNIT_PERCENT) {
        return 0;
    }
    const double side = svg_resolve(length, axis, metrics);
    return side > 0 ? side : 0;
}

/* `f` is above the root: its matrix and metrics become those of the root's user space. */
bool svg_view_root(svg_compiler *c, svg_frame *f)
{
    const svg_element *root = f->element;
    const svg_metrics nothing = {SIDE_DEFAULT, SIDE_DEFAULT,
                                 (double)svg_style_initial.font_size.value};
    double width = root_side(root, SVG_AT_WIDTH, SVG_AXIS_X, &nothing);
    double height = root_side(root, SVG_AT_HEIGHT, SVG_AXIS_Y, &nothing);
    svg_box box;
    const bool has_box = svg_view_box_of(root, &box);
    f->metrics = nothing;
    if (has_box && (box.x1 <= box.x0 || box.y1 <= box.y0)) {
        svg_fail(c->job, DP_ERR_FORMAT, "svg shows nothing: its viewBox is empty");
        return false;
    }
    if (has_box) {
        const double ratio = (box.x1 - box.x0) / (box.y1 - box.y0);
        const bool neither = width == 0 && height == 0;
        width = width > 0 ? width : (neither ? box.x1 - box.x0 : height * ratio);
        height = height > 0 ? height : (neither ? box.y1 - box.y0 : width / ratio);
    }
    if (width == 0 || height == 0) {
        /* Found by what is drawn, when it is drawn. */
        c->width = width;
        c->height = height;
        f->metrics.width = width > 0 ? width : SIDE_DEFAULT;
        f->metrics.height = height > 0 ? height : SIDE_DEFAULT;
        return true;
    }
    const double larger = fmax(width, height);
    const double scale = larger > SIDE_MAX ? SIDE_MAX / larger : 1;
    const double side_min = 1e-3;
    c->width = fmax(width * scale, side_min);
    c->height = fmax(height * scale, side_min);
    f->metrics.width = width;
    f->metrics.height = height;
    f->matrix = (svg_matrix){scale, 0, 0, scale, 0, 0};
    if (has_box) {
        const svg_box viewport = {0, 0, c->width, c->height};
        f->matrix = svg_view_matrix(root, &box, &viewport);
        f->metrics.width = box.x1 - box.x0;
        f->metrics.height = box.y1 - box.y0;
    }
    if (!svg_matrix_usable(&f->matrix)) {
        svg_fail(c->job, DP_ERR_FORMAT, "svg shows nothing: its viewBox cannot be fitted");
        return false;
    }
    return true;
}

bool svg_view_nested(svg_frame *f, const svg_frame *parent, const svg_element *use)
{
    static const svg_length whole = {100, SVG_UNIT_PERCENT};
    const svg_element *e = f->element;
    const bool symbol = e->kind == SVG_EL_SYMBOL;
    /* A use's size replaces that of what it shows. */
    const bool use_width = use != NULL && svg_attribute_get(use, SVG_AT_WIDTH) != NULL;
    const bool use_height = use != NULL && svg_attribute_get(use, SVG_AT_HEIGHT) != NULL;
    const svg_metrics *m = &parent->metrics;
    const double width = svg_length_of(use_width ? use : e, SVG_AT_WIDTH, SVG_AXIS_X, m, whole);
    const double height = svg_length_of(use_height ? use : e, SVG_AT_HEIGHT, SVG_AXIS_Y, m, whole);
    const double x = symbol ? 0 : svg_length_of(e, SVG_AT_X, SVG_AXIS_X, m, SVG_ZERO);
    const double y = symbol ? 0 : svg_length_of(e, SVG_AT_Y, SVG_AXIS_Y, m, SVG_ZERO);
    svg_box box;

    if (!(width > 0) || !(height > 0)) {
        return false;
    }
    f->viewport = (svg_box){x, y, x + width, y + height};
    f->has_viewport = !f->style.own.overflow_visible;
    svg_matrix inner = {1, 0, 0, 1, x, y};
    f->metrics.width = width;
    f->metrics.height = height;
    if (svg_view_box_of(e, &box)) {
        if (box.x1 <= box.x0 || box.y1 <= box.y0) {
            return false;
        }
        inner = svg_view_matrix(e, &box, &f->viewport);
        f->metrics.width = box.x1 - box.x0;
        f->metrics.height = box.y1 - box.y0;
    }
    f->matrix = svg_matrix_mul(&f->outer, &inner);
    f->matrix_index = SCENE_NONE;
    return svg_matrix_usable(&f->matrix);
}
