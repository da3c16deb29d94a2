/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blend modes of one channel, the same on both backends: integers only.
 *
 * After "Compositing and Blending Level 1" (W3C), section 10, in premultiplied form: with source
 * colour s and alpha a, backdrop colour b and alpha d, all of 0 .. one,
 *
 *     result = s (1 - d) + b (1 - a) + a d B(b / d, s / a)
 *
 * Every mode's last term is a polynomial of the premultiplied values, but for the two that divide
 * and for soft light.  The sum is kept in units of one * one and rounded once, to nearest.
 *
 * `one` is 255 for bytes or 16383 for 14-bit light (resize_math.h): a constant at each call, so
 * that divisions by it become multiplications.  No colour may be above its alpha; one that is gives
 * some number of 0 .. one.
 */
#ifndef DP_BLEND_MATH_H
#define DP_BLEND_MATH_H

#include "kernels/dp_kernel.h"

/* In the order of scene_blend; filter_graph.c checks that they agree. */
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

/* One channel's two colours and their alphas. */
typedef struct blend_pair {
    int32_t source, source_alpha, backdrop, backdrop_alpha;
} blend_pair;

DP_FN int32_t blend_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

DP_FN int32_t blend_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* A sum in units of one * one back to 0 .. one, rounded to nearest. */
DP_FN int32_t blend_round(int32_t sum, int32_t one)
{
    const uint32_t whole = ((uint32_t)blend_max(sum, 0) + (uint32_t)one / 2u) / (uint32_t)one;
    return blend_min((int32_t)whole, one);
}

/* a * b * c / divisor, rounded down; products of three 14-bit numbers need 42 bits. */
DP_FN int32_t blend_ratio(int32_t a, int32_t b, int32_t c, int32_t divisor)
{
    const uint64_t ratio = (uint64_t)(int64_t)a * (uint64_t)(int64_t)b * (uint64_t)(int64_t)c /
                           (uint64_t)(int64_t)divisor;
    return ratio > (uint64_t)INT32_MAX ? INT32_MAX : (int32_t)ratio;
}

/* The root of a value of up to 30 bits, rounded down. */
DP_FN int32_t blend_root(int32_t value)
{
    int32_t root = 0;
    for (int32_t bit = 1 << 14; bit != 0; bit >>= 1) {
        const int32_t next = root | bit;
        root = next * next <= value ? next : root;
    }
    return root;
}

/* a d B for color-dodge: min(1, b / (1 - s)), 0 where the backdrop is 0. */
DP_FN int32_t blend_dodge(blend_pair p)
{
    const int32_t full = p.source_alpha * p.backdrop_alpha;
    if (p.backdrop <= 0) {
        return 0;
    }
    if (p.source >= p.source_alpha) {
        return full;
    }
    return blend_min(
        full, blend_ratio(p.backdrop, p.source_alpha, p.source_alpha, p.source_alpha - p.source));
}

/* a d B for color-burn: 1 - min(1, (1 - b) / s), 1 where the backdrop is 1. */
DP_FN int32_t blend_burn(blend_pair p)
{
    const int32_t full = p.source_alpha * p.backdrop_alpha;
    if (p.backdrop >= p.backdrop_alpha) {
        return full;
    }
    if (p.source <= 0) {
        return 0;
    }
    return full - blend_min(full, blend_ratio(p.backdrop_alpha - p.backdrop, p.source_alpha,
                                              p.source_alpha, p.source));
}

/*
 * a d B for soft-light, over the straight backdrop m in 14 bits:
 *     s <= 1/2: a b - (a - 2 s) b (1 - m)
 *     else:     a b + (2 s - a) d (D(m) - m),  D = ((16 m - 12) m + 4) m up to 1/4, then its root
 */
DP_FN int32_t blend_soft_light(blend_pair p)
{
    const int64_t unit = 16384;
    const int64_t twice = 2 * (int64_t)p.source - p.source_alpha;
    const int64_t both = (int64_t)p.source_alpha * p.backdrop;
    int64_t m, change;

    if (p.backdrop_alpha <= 0) {
        return 0;
    }
    m = blend_min(p.backdrop, p.backdrop_alpha) * unit / p.backdrop_alpha;
    if (twice <= 0) {
        return (int32_t)(both + twice * p.backdrop * (unit - m) / unit);
    }
    if (4 * m <= unit) {
        change = ((16 * m - 12 * unit) * m / unit + 4 * unit) * m / unit - m;
    } else {
        change = blend_root((int32_t)(m * unit)) - m;
    }
    return (int32_t)(both + twice * p.backdrop_alpha * change / unit);
}

/* a d B for hard-light; overlay is the same with source and backdrop changed over. */
DP_FN int32_t blend_hard_light(blend_pair p)
{
    if (2 * p.source <= p.source_alpha) {
        return 2 * p.source * p.backdrop;
    }
    return p.source_alpha * p.backdrop_alpha -
           2 * (p.source_alpha - p.source) * (p.backdrop_alpha - p.backdrop);
}

DP_FN blend_pair blend_swapped(blend_pair p)
{
    blend_pair out;
    out.source = p.backdrop;
    out.source_alpha = p.backdrop_alpha;
    out.backdrop = p.source;
    out.backdrop_alpha = p.source_alpha;
    return out;
}

/* a d B in units of one * one. */
DP_FN int32_t blend_term(uint32_t mode, blend_pair p)
{
    const int32_t seen = p.source * p.backdrop_alpha, behind = p.backdrop * p.source_alpha;

    switch (mode) {
    case BLEND_MULTIPLY:
        return p.source * p.backdrop;
    case BLEND_SCREEN:
        return seen + behind - p.source * p.backdrop;
    case BLEND_DARKEN:
        return blend_min(seen, behind);
    case BLEND_LIGHTEN:
        return blend_max(seen, behind);
    case BLEND_OVERLAY:
        return blend_hard_light(blend_swapped(p));
    case BLEND_COLOR_DODGE:
        return blend_dodge(p);
    case BLEND_COLOR_BURN:
        return blend_burn(p);
    case BLEND_HARD_LIGHT:
        return blend_hard_light(p);
    case BLEND_SOFT_LIGHT:
        return blend_soft_light(p);
    case BLEND_DIFFERENCE:
        return blend_max(seen, behind) - blend_min(seen, behind);
    case BLEND_EXCLUSION:
        return seen + behind - 2 * p.source * p.backdrop;
    default:
        return seen; /* BLEND_NORMAL */
    }
}

/* One colour channel of the result. */
DP_FN int32_t blend_channel_of(uint32_t mode, blend_pair p, int32_t one)
{
    return blend_round(p.source * (one - p.backdrop_alpha) + p.backdrop * (one - p.source_alpha) +
                           blend_term(mode, p),
                       one);
}

/* The same for bytes. */
DP_FN uint32_t blend_channel(uint32_t mode, uint32_t source, uint32_t source_alpha,
                             uint32_t backdrop, uint32_t backdrop_alpha)
{
    blend_pair p;
    p.source = (int32_t)source;
    p.source_alpha = (int32_t)source_alpha;
    p.backdrop = (int32_t)backdrop;
    p.backdrop_alpha = (int32_t)backdrop_alpha;
    return (uint32_t)blend_channel_of(mode, p, 255);
}

/* The result's alpha, the same in every mode. */
DP_FN int32_t blend_alpha(int32_t source_alpha, int32_t backdrop_alpha, int32_t one)
{
    return blend_round(source_alpha * one + backdrop_alpha * (one - source_alpha), one);
}

#endif
