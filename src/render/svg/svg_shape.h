/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Geometry of path, rect, circle, ellipse, line, polyline and polygon.
 */
#ifndef DP_RENDER_SVG_SHAPE_H
#define DP_RENDER_SVG_SHAPE_H

#include "render/svg/scene_builder.h"
#include "render/svg/svg_document.h"
#include "render/svg/svg_number.h"

static inline bool svg_is_shape(uint8_t kind)
{
    return kind == SVG_EL_PATH || kind == SVG_EL_RECT || kind == SVG_EL_CIRCLE ||
           kind == SVG_EL_ELLIPSE || kind == SVG_EL_LINE || kind == SVG_EL_POLYLINE ||
           kind == SVG_EL_POLYGON;
}

/*
 * The element's path, shared with earlier uses of it where its lengths do not depend on where it is
 * used.  SCENE_NONE when it draws nothing.
 */
uint32_t svg_shape_path(scene_builder *builder, svg_element *element, const svg_metrics *metrics);

/* The attribute as a length in user units; `otherwise` when it is absent or no length. */
double svg_length_of(const svg_element *element, svg_attribute_name name, svg_axis axis,
                     const svg_metrics *metrics, svg_length otherwise);

#define SVG_ZERO ((svg_length){0, SVG_UNIT_PX})

/* Adds a rectangle as a path of its own. */
uint32_t svg_box_path(scene_builder *builder, const svg_box *box);

#endif
