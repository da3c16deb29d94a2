/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outlines: paths and strokes of a scene cut into straight lines in device space.
 *
 * Lines are in fixed point of 1/256 pixel (RASTER_ONE = 256), rounded to nearest once, and always
 * form closed contours, so that the signed heights of all lines of one shape sum to 0 in every row.
 * Horizontal lines carry no area and are left out.  What lies above, below or to the right of the
 * canvas is cut away; what lies to its left is projected onto x = 0, where it still counts: so
 * every coordinate is within the canvas, whatever the document said.
 *
 * A stroke is a union of pieces (segment, join, cap, dash) of one and the same orientation, so that
 * non-zero never sees a hole where an inner join or a cusp folds back; edges that two neighbouring
 * pieces share would cancel and are not made at all.
 *
 * Curves are cut so that no point is further than a tenth of a pixel from the true curve.
 *
 * An outline is scratch of one thread: lines are appended, begin again with count = 0, memory is
 * kept.
 */
#ifndef DP_RENDER_SVG_OUTLINE_H
#define DP_RENDER_SVG_OUTLINE_H

#include "kernels/raster.h"
#include "render/svg/scene.h"

typedef struct outline {
    raster_line *lines;
    uint32_t count, capacity;
    uint32_t lines_max;     /* more are DP_ERR_TOO_LARGE */
    uint32_t width, height; /* of the canvas, pixels */
} outline;

/* Frees the memory; an outline of zeros is fine. */
void outline_drop(outline *o);

/*
 * Appends the area inside `path` (open contours are closed).  `to_device` leads from the path's
 * local space to pixels.  DP_ERR_NOMEM, DP_ERR_TOO_LARGE: nothing of this path is left behind.
 */
dp_status outline_fill(outline *o, const scene *s, const scene_path *path,
                       const scene_matrix *to_device);

/* Appends the area that a stroke covers; to be filled by the non-zero rule. */
dp_status outline_stroke(outline *o, const scene *s, const scene_path *path,
                         const scene_stroke *stroke, const scene_matrix *to_device);

#endif
