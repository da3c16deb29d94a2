/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path data (SVG 1.1, section 8.3) to verbs and points.
 */
#ifndef DP_RENDER_SVG_PATH_H
#define DP_RENDER_SVG_PATH_H

#include "render/svg/scene_builder.h"

/*
 * The path that `data` draws, up to the first error in it, as the specification asks (appendix
 * F.2).  SCENE_NONE when that is nothing.
 */
uint32_t svg_path_read(scene_builder *builder, const char *data);

/* `points` of polyline and polygon, likewise. */
uint32_t svg_points_read(scene_builder *builder, const char *data, bool closed);

/* An elliptical arc to (x, y); from where is in `from`.  At most four cubics. */
typedef struct svg_arc {
    double rx, ry, turn_degrees;
    bool large, sweep;
    double x, y;
} svg_arc;

void svg_path_arc(scene_builder *builder, const double from[2], const svg_arc *arc);

#endif
