/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an outline's lines enclose, found the slow and plain way: scan lines through the middle of
 * sub-rows, winding numbers point by point.  For tests.
 */
#ifndef DP_TESTS_LINES_LOOK_H
#define DP_TESTS_LINES_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/raster.h"

/* Area in square pixels, each point counted as often as its winding number says. */
double lines_area(const raster_line *lines, uint32_t count);

/* How many lines, counted with their sign, pass to the left of (x, y) pixels. */
int lines_winding(const raster_line *lines, uint32_t count, double x, double y);

/* Whether the signed heights sum to 0 in every one of `rows` rows of 1/256 pixel. */
bool lines_balanced(const raster_line *lines, uint32_t count, uint32_t rows);

/* Whether every line is within [0, width] x [0, height] pixels and none is level. */
bool lines_in_canvas(const raster_line *lines, uint32_t count, uint32_t width, uint32_t height);

/* out[width * height]: signed area in each pixel of the canvas, by 64 scan lines a row. */
void lines_coverage(const raster_line *lines, uint32_t count, uint32_t width, uint32_t height,
                    double *out);

#endif
