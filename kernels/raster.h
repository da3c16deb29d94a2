/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raster: lines to coverage, coverage to pixels, tile by tile.
 *
 * The plan is what the coarse pass (src/render/svg/plan.c) makes of a scene at one size: flat
 * arrays of integers, the same for both drivers.  The fine pass owns one tile at a time.
 */
#ifndef DP_KERNELS_RASTER_H
#define DP_KERNELS_RASTER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fixed point of coordinates: 1/256 pixel. */
#define RASTER_SHIFT 8
#define RASTER_ONE   (1 << RASTER_SHIFT)
/* Sides of what is drawn at once, pixels. */
#define RASTER_SIDE_MAX 4096

/* One straight line, y downwards; never horizontal.  Down (y1 > y0) counts +1, up -1. */
typedef struct raster_line {
    int32_t x0, y0, x1, y1;
} raster_line;

#ifdef __cplusplus
}
#endif

#endif
