/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk.  An element is entered (style, transform, frame), its children are entered one after
 * another, then its frame goes through the phases that wrap what they left.
 */
#include "render/svg/svg_compile.h"

#include <string.h>

#include "pool/os.h"
#include "render/svg/svg_address.h"
#include "render/svg/svg_shape.h"

void svg_unsupported(svg_compiler *c, const char *what)
{
    svg_fail(c->job, DP_ERR_UNSUPPORTED, "svg shows %s", what);
}

uint32_t svg_frame_matrix(svg_compiler *c, svg_frame *f)
{
    if (f->matrix_index == SCENE_NONE) {
        f->matrix_index = scene_add_matrix(c->builder, &f->matrix);
    }
    return f->matrix_index;
}

svg_element *svg_find_url(svg_compiler *c, const char *value)
{
    size_t length;
    const char *id = svg_css_next_id(value, &length);
    return id == NULL ? NULL : svg_document_find(c->document, c->job, id, length);
}

svg_element *svg_find_href(svg_compiler *c, const svg_element *element)
{
    const char *href = svg_attribute_get(element, SVG_AT_HREF);
    if (href == NULL) {
        return NULL;
    }
    href = svg_skip_space(href);
    if (*href == '\0') {
        return NULL;
    }
    if (*href != '#') {
        svg_fail(c->job, DP_ERR_FORMAT, "%s", svg_address_outside(href));
        return NULL;
    }
    return svg_document_find(c->document, c->job, href + 1, strcspn(href + 1, " \t\r\n\f"));
}

static bool is_open(const svg_compiler *c, const svg_element *element)
{
    for (uint32_t i = 0; i < c->depth; i++) {
        if (c->frames[i].element == element) {
            return true;
        }
    }
    return false;
}

svg_frame *svg_frame_push(svg_compiler *c, svg_element *element)
{
    if (is_open(c, element)) {
        svg_fail(c->job, DP_ERR_FORMAT, "svg refers to itself in a circle");
        return NULL;
    }
    if (c->depth == SVG_FRAMES_MAX) {
        svg_fail(c->job, DP_ERR_TOO_LARGE,
                 "svg is nested more than %u levels deep once its references are followed",
                 SVG_FRAMES_MAX);
        return NULL;
    }
    return &c->frames[c->depth++];
}

/* A word of `list` is the language that we speak, or a kind of it. */
static bool speaks(const char *list)
{
    for (const char *p = svg_skip_comma(list); *p != '\0'; p = svg_skip_comma(p)) {
        const size_t length = strcspn(p, " \t\r\n\f,");
        if (length >= 2 && (p[0] | 0x20) == 'e' && (p[1] | 0x20) == 'n' &&
            (length == 2 || p[2] == '-')) {
            return true;
        }
        p += length;
    }
    return false;
}

/* SVG 1.1, section 5.8: what asks for other languages or for extensions is not shown. */
static bool passes(const svg_element *e)
{
    if (!e->conditional) {
        return true;
    }
    const char *languages = svg_attribute_get(e, SVG_AT_SYSTEM_LANGUAGE);
    return svg_attribute_get(e, SVG_AT_REQUIRED_EXTENSIONS) == NULL &&
           (languages == NULL || speaks(languages));
}

static svg_element *chosen(svg_element *of_switch)
{
    svg_element *e = of_switch->first;
    while (e != NULL && !passes(e)) {
        e = e->next;
    }
    return e;
}

/* transform-origin: two lengths or words, of the viewport. */
static void read_origin(const char *text, const svg_metrics *metrics, double out[2])
{
    out[0] = out[1] = 0;
    for (int axis = 0; axis < 2 && *text != '\0'; axis++) {
        svg_length length = {0, SVG_UNIT_PX};
        text = svg_skip_space(text);
        if (!svg_read_length(&text, &length)) {
            const size_t word = strcspn(text, " \t\r\n\f");
            const bool middle = strncmp(text, "center", 6) == 0;
            const bool far = strncmp(text, "right", 5) == 0 || strncmp(text, "bottom", 6) == 0;
            length = (svg_length){middle ? 50 : (far ? 100 : 0), SVG_UNIT_PERCENT};
            text += word;
        }
        out[axis] = svg_resolve(length, (svg_axis)axis, metrics);
    }
}

/* False: the element is squeezed to nothing. */
static bool apply_transform(svg_frame *f, const svg_frame *parent)
{
    svg_matrix own = SVG_IDENTITY;
    f->metrics = parent->metrics;
    f->metrics.font_size = (double)f->style.font_size.value;
    if (f->style.own.transform == NULL) {
        f->outer = f->matrix = parent->matrix;
        f->matrix_index = parent->matrix_index;
        return true;
    }
    (void)svg_parse_transform(f->style.own.transform, &own);
    if (f->style.own.transform_origin != NULL) {
        double o[2];
        read_origin(f->style.own.transform_origin, &f->metrics, o);
        const svg_matrix there = {1, 0, 0, 1, o[0], o[1]}, back = {1, 0, 0, 1, -o[0], -o[1]};
        own = svg_matrix_mul(&own, &back);
        own = svg_matrix_mul(&there, &own);
    }
    f->outer = f->matrix = svg_matrix_mul(&parent->matrix, &own);
    f->matrix_index = SCENE_NONE;
    return svg_matrix_usable(&f->matrix);
}

/* Fills a frame for `element` below `parent`; false when nothing of it is shown. */
static bool prepare(svg_compiler *c, svg_frame *f, svg_element *element, svg_frame *parent)
{
    svg_style_make(&c->cascade, element, &parent->style, &f->style);
    if (f->style.own.display_none || c->job->status != DP_OK) {
        return false;
    }
    if (f->style.own.opacity <= 0 && c->measuring == 0 && !parent->in_clip) {
        return false;
    }
    if (f->style.own.blend == SCENE_BLEND_COUNT && !parent->in_clip) {
        svg_unsupported(c, "a blend mode that is not drawn here");
        return false;
    }
    f->element = element;
    f->child = element->first;
    f->kind = SVG_FRAME_ELEMENT;
    f->phase = SVG_PHASE_CHILDREN;
    f->single = f->has_viewport = f->grouped = f->measures = false;
    f->in_clip = parent->in_clip;
    f->range = f->first = scene_command_count(c->builder);
    f->blends = c->blends;
    return apply_transform(f, parent);
}

/* Phases of a frame in a clip are fewer: only its clip-path counts. */
static bool needs_wraps(const svg_frame *f)
{
    const struct svg_style_own *own = &f->style.own;
    return own->clip_path != NULL || (!f->in_clip && (own->mask != NULL || own->filter != NULL));
}

static void begin_measuring(svg_compiler *c, svg_frame *f)
{
    f->measures = needs_wraps(f);
    c->measuring += f->measures;
}

static void enter_shape(svg_compiler *c, svg_element *element, svg_frame *parent)
{
    /* The frame above the top is a leaf's; it is pushed only when it has to be wrapped. */
    svg_frame *f = &c->frames[c->depth];
    if (!prepare(c, f, element, parent)) {
        return;
    }
    if (f->style.own.transform == NULL) {
        f->matrix_index = svg_frame_matrix(c, parent);
    }
    f->child = NULL;
    if (!needs_wraps(f)) {
        svg_draw_shape(c, f);
        if (!f->in_clip) {
            svg_wrap_group(c, f);
        }
        return;
    }
    if (svg_frame_push(c, element) == NULL) {
        return;
    }
    begin_measuring(c, f);
    svg_draw_shape(c, f);
}

static svg_frame *enter_container(svg_compiler *c, svg_element *element, svg_frame *parent)
{
    svg_frame *f = &c->frames[c->depth];
    if (!prepare(c, f, element, parent) || svg_frame_push(c, element) == NULL) {
        return NULL;
    }
    begin_measuring(c, f);
    return f;
}

static void enter_viewport(svg_compiler *c, svg_element *element, svg_frame *parent,
                           const svg_element *use)
{
    svg_frame *f = enter_container(c, element, parent);
    if (f != NULL && !svg_view_nested(f, parent, use)) {
        f->child = NULL;
    }
}

static void enter_use(svg_compiler *c, svg_element *element, svg_frame *parent)
{
    svg_element *target = svg_find_href(c, element);
    /* Inside a clip only shapes count; by way of another use is what all engines take. */
    if (target == NULL ||
        (parent->in_clip && !svg_is_shape(target->kind) && target->kind != SVG_EL_USE)) {
        if (target != NULL && target->kind == SVG_EL_TEXT) {
            svg_unsupported(c, "text");
        }
        return;
    }
    svg_frame *f = enter_container(c, element, parent);
    if (f == NULL) {
        return;
    }
    const svg_matrix moved = {1,
                              0,
                              0,
                              1,
                              svg_length_of(element, SVG_AT_X, SVG_AXIS_X, &f->metrics, SVG_ZERO),
                              svg_length_of(element, SVG_AT_Y, SVG_AXIS_Y, &f->metrics, SVG_ZERO)};
    if (moved.e != 0 || moved.f != 0) {
        f->matrix = svg_matrix_mul(&f->matrix, &moved);
        f->matrix_index = SCENE_NONE;
    }
    f->child = svg_matrix_usable(&f->matrix) ? target : NULL;
    f->single = true;
}

/* What is shown as a picture of its own, or is none of ours. */
static void enter_other(svg_compiler *c, svg_element *element, svg_frame *parent)
{
    const char *href;
    svg_frame *f = &c->frames[c->depth];
    switch (element->kind) {
    case SVG_EL_TEXT:
        if (element->has_text && prepare(c, f, element, parent)) {
            svg_unsupported(c, "text");
        }
        break;
    case SVG_EL_IMAGE:
        href = svg_attribute_get(element, SVG_AT_HREF);
        if (href != NULL && *svg_skip_space(href) != '\0' && !parent->in_clip &&
            prepare(c, f, element, parent) && !f->style.hidden) {
            svg_unsupported(c, "a picture inside it");
        }
        break;
    case SVG_EL_FOREIGN_OBJECT:
        if (!parent->in_clip && prepare(c, f, element, parent) && !f->style.hidden) {
            svg_unsupported(c, "a foreign object");
        }
        break;
    default:
        break;
    }
}

static void enter(svg_compiler *c, svg_element *element, svg_frame *parent)
{
    const svg_element *use = parent->element->kind == SVG_EL_USE ? parent->element : NULL;
    if (++c->visits > SVG_VISITS_MAX) {
        svg_fail(c->job, DP_ERR_TOO_LARGE,
                 "svg draws more than %u elements once its references are followed",
                 SVG_VISITS_MAX);
        return;
    }
    if (!passes(element) || (c->visits % 256 == 0 && !svg_in_time(c->job))) {
        return;
    }
    if (svg_is_shape(element->kind)) {
        enter_shape(c, element, parent);
    } else if (element->kind == SVG_EL_USE) {
        enter_use(c, element, parent);
    } else if (parent->in_clip) {
        enter_other(c, element, parent);
    } else if (element->kind == SVG_EL_G || element->kind == SVG_EL_A) {
        (void)enter_container(c, element, parent);
    } else if (element->kind == SVG_EL_SWITCH) {
        svg_frame *f = enter_container(c, element, parent);
        if (f != NULL) {
            f->child = chosen(element);
            f->single = true;
        }
    } else if (element->kind == SVG_EL_SVG || (element->kind == SVG_EL_SYMBOL && use != NULL)) {
        enter_viewport(c, element, parent, use);
    } else {
        enter_other(c, element, parent);
    }
}

static void pop(svg_compiler *c)
{
    c->measuring -= c->frames[c->depth - 1].measures;
    c->depth--;
}

static void finish_self(svg_compiler *c, svg_frame *f)
{
    if (f->kind == SVG_FRAME_CLIP) {
        svg_finish_clip(c, f);
    } else if (f->kind == SVG_FRAME_MASK) {
        svg_finish_mask(c, f);
    } else if (f->has_viewport) {
        svg_wrap_viewport(c, f);
    }
}

/* One phase, or one child.  Wraps may push frames: the phase is moved on before. */
static void step(svg_compiler *c, svg_frame *f)
{
    svg_element *child = f->child;
    if (f->phase == SVG_PHASE_CHILDREN && child != NULL) {
        f->child = f->single ? NULL : child->next;
        enter(c, child, f);
        return;
    }
    const bool element = f->kind == SVG_FRAME_ELEMENT;
    switch ((svg_phase)f->phase++) {
    case SVG_PHASE_SELF:
        finish_self(c, f);
        break;
    case SVG_PHASE_FILTER:
        if (element && !f->in_clip && f->style.own.filter != NULL) {
            svg_wrap_filter(c, f);
        }
        break;
    case SVG_PHASE_CLIP:
        if (f->style.own.clip_path != NULL) {
            svg_wrap_clip(c, f);
        }
        break;
    case SVG_PHASE_MASK:
        if (f->style.own.mask != NULL && (element ? !f->in_clip : f->kind == SVG_FRAME_MASK)) {
            svg_wrap_mask(c, f);
        }
        break;
    case SVG_PHASE_GROUP:
        if (element && !f->in_clip) {
            svg_wrap_group(c, f);
        }
        break;
    case SVG_PHASE_DONE:
        pop(c);
        break;
    default:
        break;
    }
}

void svg_compile(svg_compiler *c)
{
    svg_frame above = {
        .matrix = SVG_IDENTITY, .matrix_index = SCENE_NONE, .element = c->document->root};
    above.style = svg_style_initial;
    c->depth = 0;
    svg_frame *f = &c->frames[0];
    /* The root's size is known before its transform, whose percentages are of it. */
    if (!svg_view_root(c, &above)) {
        return;
    }
    if (prepare(c, f, c->document->root, &above) && passes(c->document->root) &&
        svg_frame_push(c, c->document->root) != NULL) {
        begin_measuring(c, f);
    }
    while (c->depth > 0 && c->job->status == DP_OK) {
        step(c, &c->frames[c->depth - 1]);
    }
    if (c->job->status == DP_OK) {
        svg_drop_boxes(c);
    }
}
