/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's loops around composite_math.h.  Nothing is shared between calls.
 */
#include "kernels/composite.h"

#include "kernels/composite_math.h"

void composite_over_cpu(uint8_t *DP_RESTRICT backdrop, const uint8_t *DP_RESTRICT source,
                        size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        const uint32_t alpha = source[4 * i + 3];
        for (size_t c = 4 * i; c < 4 * i + 4; c++) {
            backdrop[c] = (uint8_t)composite_over(source[c], backdrop[c], alpha);
        }
    }
}

void composite_premultiply_cpu(uint8_t *rgba, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        const uint32_t alpha = rgba[4 * i + 3];
        for (size_t c = 4 * i; c < 4 * i + 3; c++) {
            rgba[c] = (uint8_t)composite_premultiply(rgba[c], alpha);
        }
    }
}

void composite_unpremultiply_cpu(uint8_t *rgba, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        const uint32_t alpha = rgba[4 * i + 3];
        /* Opaque pixels are most of a picture, and a division is not free. */
        if (alpha == 255) {
            continue;
        }
        for (size_t c = 4 * i; c < 4 * i + 3; c++) {
            rgba[c] = (uint8_t)composite_unpremultiply(rgba[c], alpha);
        }
    }
}
