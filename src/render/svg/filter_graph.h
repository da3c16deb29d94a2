/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter graphs: a scene's filter at one size, as a program of passes for kernels/filter.h.
 *
 *     filter_plan_make     where the filter's surface lies, in pixels, and what is to be done there
 *     (the caller draws the group into a surface of plan.region, transparent elsewhere)
 *     filter_plan_run      in place; the surface then holds the filtered group
 *
 * The region is the bounding box of the filter's region under the matrix, x and y rounded down and
 * the sides up (as resvg does), cut to what can reach the canvas.  Under rotation or skew it and
 * the parts' regions stay upright, and deviations and offsets are scaled by the lengths of the
 * matrix's columns.  Offsets are cut to whole pixels.
 *
 * Three box blurs stand for a Gaussian of 2 pixels or more, a small kernel below; 0 leaves the
 * picture alone.  A slot of memory is used again after its last reader.
 *
 * A plan is read only once made: threads may share it.
 */
#ifndef DP_RENDER_SVG_FILTER_GRAPH_H
#define DP_RENDER_SVG_FILTER_GRAPH_H

#include "kernels/filter.h"
#include "render/svg/scene.h"

/* Parts of one filter at most. */
#define FILTER_PARTS_MAX 100u

/* Pixels [x0, x1) x [y0, y1) of the device; empty when x1 <= x0. */
typedef struct filter_box {
    int32_t x0, y0, x1, y1;
} filter_box;

typedef struct filter_plan {
    filter_box region; /* empty: the group draws nothing, there is no program */
    filter_program program;
} filter_plan;

/*
 * `to_device` leads from the filtered element's local space to pixels, `canvas` is what will be
 * seen.  DP_ERR_NOMEM; DP_ERR_TOO_LARGE: more than FILTER_PIXELS_MAX pixels or FILTER_PARTS_MAX
 * parts.  The plan is dropped by the caller.
 */
dp_status filter_plan_make(const scene *s, const scene_filter *filter,
                           const scene_matrix *to_device, const filter_box *canvas,
                           filter_plan *out);

/* A plan of zeros is fine. */
void filter_plan_drop(filter_plan *plan);

/* `pixels`: premultiplied RGBA8 of plan->region.  Takes and frees its scratch; DP_ERR_NOMEM. */
dp_status filter_plan_run(const filter_plan *plan, uint8_t *pixels);

#endif
