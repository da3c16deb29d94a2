/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The computed style of an element: what its attributes, the sheets and its style say, over what
 * it inherits.
 */
#ifndef DP_RENDER_SVG_STYLE_H
#define DP_RENDER_SVG_STYLE_H

#include "render/svg/scene.h"
#include "render/svg/svg_css.h"
#include "render/svg/svg_number.h"

typedef enum svg_paint_kind {
    SVG_PAINT_NONE,
    SVG_PAINT_COLOUR,
    SVG_PAINT_CURRENT, /* currentColor */
    SVG_PAINT_SERVER   /* url(#id), else the fallback */
} svg_paint_kind;

typedef struct svg_paint {
    uint8_t kind, fallback; /* svg_paint_kind */
    scene_rgba colour;      /* of COLOUR, and of the fallback */
    const char *server;     /* the value from "url(" on */
} svg_paint;

/* A colour that may be currentColor. */
typedef struct svg_tint {
    scene_rgba colour;
    uint32_t current;
} svg_tint;

typedef struct svg_style {
    /* Inherited. */
    svg_paint fill, stroke;
    svg_tint colour;
    float fill_opacity, stroke_opacity;
    svg_length stroke_width, dash_offset, font_size;
    const char *dashes; /* text; NULL = none */
    const char *marker_start, *marker_mid, *marker_end;
    float miter_limit;
    uint8_t cap, join;            /* scene_cap, scene_join */
    uint8_t fill_rule, clip_rule; /* scene_rule */
    uint8_t hidden, stroke_first, linear_filters;
    /* Not inherited. */
    struct svg_style_own {
        const char *clip_path, *mask, *filter; /* text; NULL = none */
        const char *transform, *transform_origin;
        svg_tint stop_colour, flood_colour;
        float opacity, stop_opacity, flood_opacity;
        uint8_t display_none, overflow_visible, isolate, alpha_mask, fixed_stroke;
        uint8_t blend; /* scene_blend; SCENE_BLEND_COUNT: one that the scene lacks */
    } own;
} svg_style;

/* What the cascade needs beside the element. */
typedef struct svg_cascade {
    svg_job *job;
    const svg_names *names;
    const svg_sheet *sheet;
} svg_cascade;

extern const svg_style svg_style_initial;

/* The style of `element` below one of `parent`.  `out` is not `parent`. */
void svg_style_make(const svg_cascade *cascade, svg_element *element, const svg_style *parent,
                    svg_style *out);

/* The style that `element` has where it stands, all that hold it looked at. */
void svg_style_in_place(const svg_cascade *cascade, svg_element *element, svg_style *out);

scene_rgba svg_tint_resolve(svg_tint tint, const svg_style *style);

#endif
