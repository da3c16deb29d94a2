/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of one filtered pixel, the same on both backends to the last bit: integers only.
 *
 * A pixel is worked on in units of `one`: bytes as they are stored (one = 255), or, where SVG says
 * linearRGB, 14-bit linear light (one = RESIZE_ONE) by the tables of resize_math.h.  Sums of
 * products keep all their bits and are rounded once.
 */
#ifndef DP_FILTER_MATH_H
#define DP_FILTER_MATH_H

#include "kernels/blend_math.h"
#include "kernels/composite_math.h"
#include "kernels/filter.h"
#include "kernels/resize_math.h"

/* Red, green, blue, alpha of 0 .. one. */
typedef struct filter_colour {
    int32_t c[4];
} filter_colour;

DP_FN int32_t filter_one(uint32_t linear)
{
    return linear != 0 ? RESIZE_ONE : 255;
}

DP_FN uint32_t filter_byte(uint32_t rgba, int channel)
{
    return (rgba >> (8 * channel)) & 255u;
}

DP_FN uint32_t filter_pack(uint32_t red, uint32_t green, uint32_t blue, uint32_t alpha)
{
    return red | green << 8 | blue << 16 | alpha << 24;
}

/* A stored pixel as a straight colour. */
DP_FN filter_colour filter_straight_of(uint32_t rgba, uint32_t linear)
{
    const uint32_t alpha = rgba >> 24;
    filter_colour out;

    for (int i = 0; i < 3; i++) {
        const uint32_t code = composite_unpremultiply(filter_byte(rgba, i), alpha);
        out.c[i] = linear != 0 ? resize_linear_of_code[code] : (int32_t)code;
    }
    out.c[3] = linear != 0 ? resize_alpha_of_byte(alpha) : (int32_t)alpha;
    return out;
}

/* The way back. */
DP_FN uint32_t filter_of_straight(filter_colour in, uint32_t linear)
{
    uint32_t bytes[3];
    uint32_t alpha = (uint32_t)in.c[3];

    if (linear != 0) {
        alpha = (alpha * 255u + RESIZE_ONE / 2u) / RESIZE_ONE;
    }
    for (int i = 0; i < 3; i++) {
        const uint32_t code = linear != 0 ? resize_code_of_linear(in.c[i]) : (uint32_t)in.c[i];
        bytes[i] = composite_premultiply(code, alpha);
    }
    return filter_pack(bytes[0], bytes[1], bytes[2], alpha);
}

/* A stored pixel as a premultiplied colour. */
DP_FN filter_colour filter_load(uint32_t rgba, uint32_t linear)
{
    filter_colour out;

    if (linear != 0) {
        out = filter_straight_of(rgba, linear);
        for (int i = 0; i < 3; i++) {
            out.c[i] = resize_premultiply(out.c[i], rgba >> 24);
        }
        return out;
    }
    for (int i = 0; i < 4; i++) {
        out.c[i] = (int32_t)filter_byte(rgba, i);
    }
    return out;
}

/* The way back; colours above their alpha are cut to it. */
DP_FN uint32_t filter_store(filter_colour in, uint32_t linear)
{
    filter_colour straight;

    if (linear != 0) {
        uint32_t bytes[3];
        resize_finish(in.c, straight.c);
        for (int i = 0; i < 3; i++) {
            bytes[i] = composite_premultiply(resize_code_of_linear(straight.c[i]),
                                             (uint32_t)straight.c[3]);
        }
        return filter_pack(bytes[0], bytes[1], bytes[2], (uint32_t)straight.c[3]);
    }
    return filter_pack((uint32_t)blend_min(in.c[0], in.c[3]), (uint32_t)blend_min(in.c[1], in.c[3]),
                       (uint32_t)blend_min(in.c[2], in.c[3]), (uint32_t)in.c[3]);
}

/* feColorMatrix: on straight colours, each channel cut to 0 .. one. */
DP_FN uint32_t filter_matrix(const int32_t coefs[20], uint32_t rgba, uint32_t linear)
{
    const int32_t one = filter_one(linear);
    const filter_colour in = filter_straight_of(rgba, linear);
    filter_colour out;

    for (int i = 0; i < 4; i++) {
        int64_t sum = (int64_t)coefs[5 * i + 4] * one + (1 << (FILTER_COEF_BITS - 1));
        for (int j = 0; j < 4; j++) {
            sum += (int64_t)coefs[5 * i + j] * in.c[j];
        }
        sum >>= FILTER_COEF_BITS;
        out.c[i] = sum < 0 ? 0 : (sum > one ? one : (int32_t)sum);
    }
    return filter_of_straight(out, linear);
}

/* feComposite's k1 i j + k2 i + k3 j + k4, cut to 0 .. one. */
DP_FN int32_t filter_arithmetic(const int32_t k[4], int32_t i, int32_t j, int32_t one)
{
    const int64_t unit = (int64_t)one << FILTER_COEF_BITS;
    const int64_t sum = (int64_t)k[0] * i * j +
                        ((int64_t)k[1] * i + (int64_t)k[2] * j + (int64_t)k[3] * one) * one +
                        unit / 2;
    if (sum <= 0) {
        return 0;
    }
    return sum / unit > one ? one : (int32_t)(sum / unit);
}

/* One channel of the Porter-Duff operators: source and backdrop times what each op says. */
DP_FN int32_t filter_porter_duff(uint32_t op, blend_pair p, int32_t one)
{
    int32_t source = one, backdrop = one - p.source_alpha;

    if (op == FILTER_IN || op == FILTER_ATOP) {
        source = p.backdrop_alpha;
    } else if (op != FILTER_OVER) {
        source = one - p.backdrop_alpha;
    }
    if (op == FILTER_IN || op == FILTER_OUT) {
        backdrop = 0;
    }
    return blend_round(p.source * source + p.backdrop * backdrop, one);
}

/* The passes that read two pixels. */
DP_FN uint32_t filter_mix(const filter_pass *pass, uint32_t op, uint32_t linear, uint32_t input,
                          uint32_t other)
{
    const int32_t one = filter_one(linear);
    const filter_colour source = filter_load(input, linear);
    const filter_colour backdrop = filter_load(other, linear);
    filter_colour out;

    for (int i = 0; i < 4; i++) {
        blend_pair pair;
        pair.source = source.c[i];
        pair.source_alpha = source.c[3];
        pair.backdrop = backdrop.c[i];
        pair.backdrop_alpha = backdrop.c[3];
        if (op == FILTER_ARITHMETIC) {
            out.c[i] = filter_arithmetic(pass->coefs, pair.source, pair.backdrop, one);
        } else if (op != FILTER_BLEND) {
            out.c[i] = filter_porter_duff(op, pair, one);
        } else if (i == 3) {
            out.c[i] = blend_alpha(pair.source, pair.backdrop, one);
        } else {
            out.c[i] = blend_channel_of(pass->mode, pair, one);
        }
    }
    return filter_store(out, linear);
}

/* A stored pixel as 14-bit light, and back; bytes come back as they went. */
DP_FN filter_colour filter_spread(uint32_t rgba, uint32_t linear)
{
    filter_colour out = filter_load(rgba, linear);
    for (int i = 0; i < 4 && linear == 0; i++) {
        out.c[i] = out.c[i] << 6 | out.c[i] >> 2;
    }
    return out;
}

DP_FN uint32_t filter_gather(filter_colour light, uint32_t linear)
{
    for (int i = 0; i < 4 && linear == 0; i++) {
        light.c[i] = (light.c[i] * 255 + RESIZE_ONE / 2) / RESIZE_ONE;
    }
    return filter_store(light, linear);
}

/* A box's mean: of the values within it, and the two that it covers in part. */
DP_FN uint32_t filter_box_mean(uint32_t inner_sum, uint32_t edge_sum, uint32_t inner, uint32_t edge)
{
    return (
        uint32_t)(((uint64_t)inner_sum * inner + (uint64_t)edge_sum * edge + (UINT32_C(1) << 31)) >>
                  32);
}

/* A kernel's sum, in units of 2^-16, as a value. */
DP_FN uint32_t filter_kernel_mean(uint32_t sum)
{
    return (sum + 32768u) >> 16;
}

/* Bytes from the start of the scratch: of slots 1 .. slot_count - 1, then of planes. */
DP_FN size_t filter_slot_offset(uint32_t slot, size_t pixels)
{
    return (slot - 1u) * ((pixels * 4 + 7) & ~(size_t)7);
}

DP_FN size_t filter_plane_offset(uint32_t plane, uint32_t slot_count, size_t pixels)
{
    return filter_slot_offset(slot_count, pixels) + plane * pixels * 8;
}

DP_FN int filter_op_mixes(uint32_t op)
{
    return op >= FILTER_OVER && op <= FILTER_BLEND;
}

#endif
