/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of one composited byte, the same on both backends: integers only.
 *
 * Source-over of premultiplied colours (Porter and Duff, "Compositing Digital Images", 1984):
 * result = source + backdrop x (1 - source alpha), in 8 bits, each product rounded to nearest.
 */
#ifndef DP_COMPOSITE_MATH_H
#define DP_COMPOSITE_MATH_H

#include "kernels/dp_kernel.h"

/* value / 255 rounded to nearest, exact for 0 .. 255 * 255 (Blinn's trick). */
DP_FN uint32_t composite_div255(uint32_t value)
{
    const uint32_t t = value + 128u;
    return (t + (t >> 8)) >> 8;
}

DP_FN uint32_t composite_min255(uint32_t value)
{
    return value > 255u ? 255u : value;
}

/* One channel or alpha.  Colours above their alpha are no premultiplied colours; they saturate. */
DP_FN uint32_t composite_over(uint32_t source, uint32_t backdrop, uint32_t source_alpha)
{
    return composite_min255(source + composite_div255(backdrop * (255u - source_alpha)));
}

DP_FN uint32_t composite_premultiply(uint32_t colour, uint32_t alpha)
{
    return composite_div255(colour * alpha);
}

/* The straight colour, rounded to nearest; 0 under alpha 0. */
DP_FN uint32_t composite_unpremultiply(uint32_t colour, uint32_t alpha)
{
    return alpha == 0 ? 0u : composite_min255((colour * 255u + alpha / 2u) / alpha);
}

#endif
