/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blend modes on premultiplied bytes, the same on both backends: W3C "Compositing and Blending
 * Level 1".  With premultiplied source s (alpha a) and backdrop d (alpha b), a mode gives
 *
 *     s x (1 - b) + d x (1 - a) + a b B(d / b, s / a)
 *
 * Everything is computed in units of 1/255^2 and rounded once; soft light is computed in floats
 * with operations that IEEE 754 defines to the last bit.
 */
#ifndef DP_BLEND_MATH_H
#define DP_BLEND_MATH_H

#include "kernels/composite_math.h"
#include "kernels/dp_kernel.h"

#ifndef __CUDACC__
#include <math.h>
#endif

/* In the order of scene_blend. */
typedef enum blend_mode {
    BLEND_NORMAL,
    BLEND_MULTIPLY,
    BLEND_SCREEN,
    BLEND_DARKEN,
    BLEND_LIGHTEN,
    BLEND_OVERLAY,
    BLEND_COLOR_DODGE,
    BLEND_COLOR_BURN,
    BLEND_HARD_LIGHT,
    BLEND_SOFT_LIGHT,
    BLEND_DIFFERENCE,
    BLEND_EXCLUSION,
    BLEND_MODE_COUNT
} blend_mode;

/* a b B for hard light, 1/255^2; overlay is the same with the two exchanged. */
DP_FN int32_t blend_hard(int32_t s, int32_t a, int32_t d, int32_t b)
{
    return 2 * s <= a ? 2 * s * d : a * b - 2 * (b - d) * (a - s);
}

DP_FN int32_t blend_dodge(int32_t s, int32_t a, int32_t d, int32_t b)
{
    if (d == 0) {
        return 0;
    }
    /* d a / (a - s), at most b, times a. */
    return d * a >= b * (a - s) ? a * b : a * (d * a / (a - s));
}

DP_FN int32_t blend_burn(int32_t s, int32_t a, int32_t d, int32_t b)
{
    if (d == b) {
        return a * b;
    }
    return (b - d) * a >= b * s ? 0 : a * (b - (b - d) * a / s);
}

DP_FN int32_t blend_soft(int32_t s, int32_t a, int32_t d, int32_t b)
{
    if (a == 0 || b == 0) {
        return 0;
    }
    const float cs = (float)s / (float)a;
    const float cb = (float)d / (float)b;
    float mixed;

    if (cs <= 0.5f) {
        mixed = cb - (1.0f - 2.0f * cs) * cb * (1.0f - cb);
    } else {
        const float bright = cb <= 0.25f ? ((16.0f * cb - 12.0f) * cb + 4.0f) * cb : sqrtf(cb);
        mixed = cb + (2.0f * cs - 1.0f) * (bright - cb);
    }
    return (int32_t)(mixed * (float)(a * b) + 0.5f);
}

/* a b B(d / b, s / a), 1/255^2. */
DP_FN int32_t blend_both(uint32_t mode, int32_t s, int32_t a, int32_t d, int32_t b)
{
    const int32_t sb = s * b;
    const int32_t da = d * a;

    switch (mode) {
    case BLEND_MULTIPLY:
        return s * d;
    case BLEND_SCREEN:
        return sb + da - s * d;
    case BLEND_DARKEN:
        return sb < da ? sb : da;
    case BLEND_LIGHTEN:
        return sb > da ? sb : da;
    case BLEND_OVERLAY:
        return blend_hard(d, b, s, a);
    case BLEND_COLOR_DODGE:
        return blend_dodge(s, a, d, b);
    case BLEND_COLOR_BURN:
        return blend_burn(s, a, d, b);
    case BLEND_HARD_LIGHT:
        return blend_hard(s, a, d, b);
    case BLEND_SOFT_LIGHT:
        return blend_soft(s, a, d, b);
    case BLEND_DIFFERENCE:
        return sb > da ? sb - da : da - sb;
    case BLEND_EXCLUSION:
        return sb + da - 2 * s * d;
    default:
        return sb;
    }
}

/*
 * One colour channel: source s with alpha a over backdrop d with alpha b, all premultiplied bytes
 * (s <= a, d <= b).  The result's alpha is a + b - a b, that is BLEND_NORMAL of the alphas.
 */
DP_FN uint32_t blend_channel(uint32_t mode, uint32_t source, uint32_t source_alpha,
                             uint32_t backdrop, uint32_t backdrop_alpha)
{
    const int32_t s = (int32_t)source;
    const int32_t a = (int32_t)source_alpha;
    const int32_t d = (int32_t)backdrop;
    const int32_t b = (int32_t)backdrop_alpha;
    const int32_t sum = s * (255 - b) + d * (255 - a) + blend_both(mode, s, a, d, b);

    return composite_min255(composite_div255((uint32_t)(sum > 0 ? sum : 0)));
}

#endif
