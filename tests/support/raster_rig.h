/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines by hand, planned and drawn.  For tests.
 */
#ifndef DP_TESTS_RASTER_RIG_H
#define DP_TESTS_RASTER_RIG_H

#include <stdint.h>

#include "render/svg/plan.h"

/* Adds one line in units of 1/256 pixel to the plan's lines; level ones are left out. */
void rig_line(plan *p, int32_t x0, int32_t y0, int32_t x1, int32_t y1);
/* A closed polygon; coordinates in 1/256 pixel. */
void rig_polygon(plan *p, const int32_t *xy, uint32_t points);
/* +1 inside. */
void rig_rect(plan *p, int32_t x0, int32_t y0, int32_t x1, int32_t y1);

/* Paints what was added since `first_line`. */
void rig_paint(plan *p, uint32_t first_line, uint32_t rule, uint32_t colour);

/* Ends the plan and draws it into a block that the caller frees. */
uint8_t *rig_draw(plan *p);

/* The next of a sequence of 32-bit numbers. */
uint32_t rig_random(uint64_t *state);

#endif
