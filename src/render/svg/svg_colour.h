/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSS colours: names, #rgb, #rgba, #rrggbb, #rrggbbaa, rgb(), rgba(), hsl(), hsla(), transparent.
 */
#ifndef DP_RENDER_SVG_COLOUR_H
#define DP_RENDER_SVG_COLOUR_H

#include <stdbool.h>

#include "render/svg/scene.h"

#define SVG_BLACK UINT32_C(0xff000000)

/* Reads a colour at the cursor and moves it behind; currentColor is none of these. */
bool svg_read_colour(const char **at, scene_rgba *out);

/* The same colour with its alpha times `share` of 0 .. 1. */
scene_rgba svg_colour_fade(scene_rgba colour, float share);

#endif
