/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shrink: a picture made smaller by whole numbers while its rows are still being decoded, so that
 * the full picture never lies in memory; what is left to the wanted size is resize.h's.
 *
 * Every output pixel is the mean of a block of input pixels (at the right and lower edge: of those
 * that are there), taken over squares of sRGB codes, times alpha.  A square stands for light here:
 * a gamma of 2 instead of sRGB's curve costs a multiplication instead of a table, and is nearer to
 * light than the codes that a JPEG's or a WebP's own scaling averages.  Decoders run on the CPU, so
 * there is no twin.
 *
 * Sums are 32 bits: SHRINK_FACTOR_MAX squared blocks of 255^3 fit.  Nothing allocates or fails.
 */
#ifndef DP_KERNELS_SHRINK_H
#define DP_KERNELS_SHRINK_H

#include <stddef.h>
#include <stdint.h>

#define SHRINK_FACTOR_MAX 16u

/* The largest factor that leaves twice `wanted` of `source` pixels; 1: nothing to win. */
uint32_t shrink_factor(uint32_t source, uint32_t wanted);

/* Pixels that are left of `source`. */
static inline uint32_t shrink_side(uint32_t source, uint32_t factor)
{
    return source / factor + (source % factor != 0);
}

typedef struct shrink {
    uint32_t width, height;      /* of the source */
    uint32_t factor_x, factor_y; /* 1 .. SHRINK_FACTOR_MAX */
    uint8_t *target;             /* RGBA, shrink_side() of both, rows without gaps */
    uint32_t *sums;              /* scratch: shrink_scratch_bytes(), aligned to 16 */
    uint32_t rows_done;          /* 0 to begin with */
} shrink;

size_t shrink_scratch_bytes(uint32_t width);

/* The next row, top to bottom, `height` of them; all of one kind. */
void shrink_rgb(shrink *s, const uint8_t *row);
void shrink_rgba(shrink *s, const uint8_t *row);

/*
 * A whole plane of bytes, each value of the target the plain mean of its block: for luma and
 * chroma, whose squares mean nothing.  The target has no gaps; `scratch` is
 * shrink_scratch_bytes(width).
 */
typedef struct shrink_plane_args {
    const uint8_t *source;
    size_t stride_bytes;
    uint32_t width, height;
    uint32_t factor_x, factor_y;
    uint8_t *target;
} shrink_plane_args;

void shrink_plane(const shrink_plane_args *args, void *scratch);

#endif
