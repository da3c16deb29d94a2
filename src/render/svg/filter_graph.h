/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter graphs: a scene's filter at one size, as a program of passes for kernels/filter.h.
 *
 * Regions are the bounding boxes of the scene's under the matrix: x and y rounded down, the sides
 * up, at least one pixel, as resvg does.  Under rotation and skew they stay upright; a blur's
 * deviations become those of the turned Gaussian along the device's axes, an offset is turned and
 * cut to whole pixels.
 *
 * FILTER_BOXES boxes one after the other stand for a Gaussian of FILTER_BOX_DEVIATION pixels or
 * more, the discrete Gaussian (Lindeberg, "Scale-Space for Discrete Signals", 1990) for a smaller
 * one; less than FILTER_DEVIATION_MIN leaves the picture alone.  The boxes have fractional ends, so
 * that the variance is exact (Gwosdek, Grewenig, Bruhn, Weickert, "Theoretical Foundations of
 * Gaussian Convolution by Extended Box Filtering", 2011).  As in resvg, there are five, and what a
 * box carries out of the surface does not come back with the next.
 *
 * Parts that nobody reads are left out, and a slot is used again after its last reader.
 */
#ifndef DP_RENDER_SVG_FILTER_GRAPH_H
#define DP_RENDER_SVG_FILTER_GRAPH_H

#include "kernels/filter.h"
#include "render/svg/filter.h"

/* Parts of one filter at most. */
#define FILTER_PARTS_MAX 100u
/* Memory that one run may use beside its surface. */
#define FILTER_SCRATCH_BYTES_MAX ((size_t)512 << 20)
/* Passes that a filter becomes at most. */
#define FILTER_PASSES_OF(parts) ((2u * FILTER_BOXES + 2u) * (parts) + 1u)
#define FILTER_BOXES            5
#define FILTER_BOX_DEVIATION    2.0
#define FILTER_DEVIATION_MIN    0.05

/* Bounding box of a scene's box in whole pixels, cut to +-2^29; empty for an empty one. */
filter_rect filter_pixels_of(const scene_box *box, const scene_matrix *to_device);

/*
 * Fills `passes` (room for FILTER_PASSES_OF(part_count)) and the program around them, for a surface
 * that covers `at`.  DP_ERR_TOO_LARGE: a limit; then nothing is written to `out`.
 */
dp_status filter_graph_make(const scene *s, const scene_filter *filter,
                            const scene_matrix *to_device, const filter_rect *at,
                            filter_pass *passes, filter_program *out);

/* How far the filter carries a pixel at most, to each side. */
double filter_graph_reach(const scene *s, const scene_filter *filter,
                          const scene_matrix *to_device);

/* The weights of one pass for a deviation of FILTER_DEVIATION_MIN .. FILTER_DEVIATION_MAX; a box is
 * to be run FILTER_BOXES times. */
void filter_line_make(double deviation, filter_line *out);

#endif
