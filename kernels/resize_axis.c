/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weights of one direction of a resize, in fixed point.
 *
 * Each output pixel looks at a window of the input, `support` wide on both sides of its centre and
 * cut at the picture's edges; what was cut off is given to the rest by normalising.  Weights are
 * rounded as differences of the rounded running sum: they then sum to exactly 1 by construction,
 * and however many tiny weights a strong reduction has, no stretch of them is off by more than half
 * a unit.
 */
#include "kernels/resize.h"

#include <math.h>
#include <string.h>

#include "kernels/resize_math.h"

#define LOBES 3.0
#define PI    3.14159265358979323846

static double lanczos(double x)
{
    if (x < 0) {
        x = -x;
    }
    if (x < 1e-9) {
        return 1.0;
    }
    if (x >= LOBES) {
        return 0.0;
    }
    const double angle = PI * x;
    return LOBES * sin(angle) * sin(angle / LOBES) / (angle * angle);
}

/* Input pixels per output pixel; the kernel is stretched by it when the picture shrinks. */
static double stretch_of(uint32_t source, uint32_t target)
{
    return source > target ? (double)source / target : 1.0;
}

/* No window is wider: 2 x support, and one for where the centre falls between pixels. */
static uint32_t taps_of(uint32_t source, uint32_t target)
{
    double width = ceil(2.0 * LOBES * stretch_of(source, target)) + 1.0;
    if (width > source) {
        width = source;
    }
    return ((uint32_t)width + 7u) & ~7u;
}

size_t resize_axis_bytes(uint32_t source, uint32_t target)
{
    const size_t row = 2 * sizeof(int32_t) + taps_of(source, target) * sizeof(int16_t);
    return target * row;
}

/* The weight of `position` for an output centred on `centre`, both in input pixels. */
static double weight_at(double position, double centre, double stretch)
{
    return lanczos((position + 0.5 - centre) / stretch);
}

static void window_weights(int16_t *weights, int32_t first, int32_t count, const double at[2])
{
    double sum = 0;
    double running = 0;
    int32_t given = 0;

    for (int32_t t = 0; t < count; t++) {
        sum += weight_at(first + t, at[0], at[1]);
    }
    for (int32_t t = 0; t < count; t++) {
        running += weight_at(first + t, at[0], at[1]);
        const int32_t rounded = t + 1 == count
                                    ? 1 << RESIZE_WEIGHT_BITS
                                    : (int32_t)lrint(running / sum * (1 << RESIZE_WEIGHT_BITS));
        weights[t] = (int16_t)(rounded - given);
        given = rounded;
    }
}

void resize_axis_init(resize_axis *axis, uint32_t source, uint32_t target, void *memory)
{
    const uint32_t taps = taps_of(source, target);
    const double stretch = stretch_of(source, target);
    const double support = LOBES * stretch;
    int32_t *firsts = memory;
    int32_t *counts = firsts + target;
    int16_t *weights = (int16_t *)(void *)(counts + target);
    uint32_t window_max = 0;

    memset(weights, 0, (size_t)target * taps * sizeof *weights);
    for (uint32_t i = 0; i < target; i++) {
        const double at[2] = {(i + 0.5) * source / target, stretch};
        double low = ceil(at[0] - support - 0.5);
        double high = floor(at[0] + support - 0.5) + 1;
        low = low < 0 ? 0 : low;
        high = high > source ? source : high;
        firsts[i] = (int32_t)low;
        counts[i] = (int32_t)(high - low);
        window_weights(weights + (size_t)i * taps, firsts[i], counts[i], at);
        window_max = (uint32_t)counts[i] > window_max ? (uint32_t)counts[i] : window_max;
    }
    *axis = (resize_axis){.source = source,
                          .target = target,
                          .taps = taps,
                          .window_max = window_max,
                          .firsts = firsts,
                          .counts = counts,
                          .weights = weights};
}
