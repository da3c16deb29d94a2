/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing here is shared with what it judges: coverage by scan lines, winding by counting.
 */
#include "lines_look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCANS 64

double lines_area(const raster_line *lines, uint32_t count)
{
    double twice = 0.0;
    for (uint32_t i = 0; i < count; ++i) {
        const raster_line *l = &lines[i];
        /* Area to the right of a line down is positive: minus x dy. */
        twice -= (double)(l->x0 + l->x1) * (double)(l->y1 - l->y0);
    }
    return twice / (2.0 * RASTER_ONE * RASTER_ONE);
}

/* Where the line passes the level y (1/256 pixel); false where it does not. */
static bool crossing(const raster_line *l, double y, double *x)
{
    if ((y < l->y0) == (y < l->y1)) {
        return false;
    }
    *x = l->x0 + (y - l->y0) * (double)(l->x1 - l->x0) / (double)(l->y1 - l->y0);
    return true;
}

int lines_winding(const raster_line *lines, uint32_t count, double x, double y)
{
    int winding = 0;
    double at;
    for (uint32_t i = 0; i < count; ++i) {
        if (crossing(&lines[i], y * RASTER_ONE, &at) && at < x * RASTER_ONE) {
            winding += lines[i].y1 > lines[i].y0 ? 1 : -1;
        }
    }
    return winding;
}

bool lines_balanced(const raster_line *lines, uint32_t count, uint32_t rows)
{
    /* The change of the sum from one row to the next must be 0 everywhere. */
    int32_t *change = calloc(rows + 1, sizeof(*change));
    if (change == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; ++i) {
        ++change[lines[i].y0];
        --change[lines[i].y1];
    }
    bool balanced = true;
    for (uint32_t row = 0; row <= rows; ++row) {
        balanced &= change[row] == 0;
    }
    free(change);
    return balanced;
}

bool lines_in_canvas(const raster_line *lines, uint32_t count, uint32_t width, uint32_t height)
{
    int32_t right = (int32_t)width * RASTER_ONE, bottom = (int32_t)height * RASTER_ONE;
    for (uint32_t i = 0; i < count; ++i) {
        const raster_line *l = &lines[i];
        if (l->x0 < 0 || l->x1 < 0 || l->y0 < 0 || l->y1 < 0 || l->x0 > right || l->x1 > right ||
            l->y0 > bottom || l->y1 > bottom || l->y0 == l->y1) {
            return false;
        }
    }
    return true;
}

/* One scan line: area to the right of `x` within each pixel of the row. */
static void spread(double *row, uint32_t width, double x, double weight)
{
    for (uint32_t i = 0; i < width; ++i) {
        double part = (double)(i + 1) - x;
        row[i] += weight * (part < 0.0 ? 0.0 : part > 1.0 ? 1.0 : part);
    }
}

void lines_coverage(const raster_line *lines, uint32_t count, uint32_t width, uint32_t height,
                    double *out)
{
    memset(out, 0, sizeof(*out) * width * height);
    for (uint32_t i = 0; i < count; ++i) {
        const raster_line *l = &lines[i];
        double sign = l->y1 > l->y0 ? 1.0 : -1.0, x;
        for (uint32_t scan = 0; scan < height * SCANS; ++scan) {
            double y = ((double)scan + 0.5) / SCANS;
            if (crossing(l, y * RASTER_ONE, &x)) {
                spread(out + (size_t)(scan / SCANS) * width, width, x / RASTER_ONE, sign / SCANS);
            }
        }
    }
}
