/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raster: lines to coverage, coverage to pixels, tile by tile.
 *
 * The plan is what the coarse pass (src/render/svg/plan.c) makes of a scene at one size: flat
 * arrays of integers (and a few floats of gradients), the same for both drivers.  The fine pass
 * owns one tile of RASTER_TILE x RASTER_TILE pixels at a time, runs the tile's commands in paint
 * order over memory of its own, and stores the pixels once.  Tiles know nothing of each other.
 *
 * Coverage is exact signed area (as in FreeType's smooth rasteriser, or font-rs): a line adds to
 * the pixels of its rows what lies to its right, as integers, so lines may be added in any order,
 * by any number of threads.  What a line does in a pixel row depends on the line and the row alone,
 * never on the tile.  What comes from the left of a tile is summed up by the coarse pass: the
 * backdrop, one number a row.
 *
 * The machine that runs a tile's commands has
 *     P   a stack of pixel tiles, premultiplied RGBA8; the bottom one is the canvas, at first clear
 *     K   the clip in force, a coverage byte a pixel; at first 255 everywhere
 *     a stack of levels (at most RASTER_DEPTH_MAX), each with the K that was in force outside and
 *     one more tile of coverage bytes: U, the union of a clip's shapes, or M, a mask
 * a x b of bytes is composite_div255(a * b); painting and blending are raster_math.h's functions.
 *
 *     COLOUR      P = colour over P, by coverage x K
 *     GRADIENT    the same with the gradient's colour at the pixel's centre
 *     CLIP_BEGIN  new level: U = 0, K = 255
 *     CLIP_SHAPE  c = coverage x K; U = c + U x (255 - c), of the innermost level that has had its
 *                 CLIP_BEGIN but not yet its CLIP_READY: a clip's shape can have a clip of its own
 *     CLIP_READY  K = U x (K outside); mode 1: push a clear P, K = 255
 *     CLIP_END    end of level: K = K outside; mode 1: P = popped P over P, by U x K
 *     GROUP_BEGIN new level: push a clear P, K = 255
 *     GROUP_END   end of level: K = K outside; P = popped P blended over P, by opacity x K
 *     MASK_BEGIN  new level: push a clear P, K = 255
 *     MASK_READY  M = luminance or alpha of P; P = clear
 *     MASK_END    end of level: K = K outside; P = popped P over P, by M x K
 *     LAYER       P = the layer's pixels (clear outside of it) blended over P, by opacity x K
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

/* Side of a tile, pixels. */
#define RASTER_TILE_SHIFT  4
#define RASTER_TILE        (1 << RASTER_TILE_SHIFT)
#define RASTER_TILE_PIXELS (RASTER_TILE * RASTER_TILE)
/* Levels (clips, groups, masks) open at once; equals SCENE_DEPTH_MAX. */
#define RASTER_DEPTH_MAX 32
/* Entries of a gradient's ramp, at most. */
#define RASTER_RAMP_MAX 1024
#define RASTER_NONE     UINT32_MAX

/* One straight line, y downwards; never horizontal.  Down (y1 > y0) counts +1, up -1. */
typedef struct raster_line {
    int32_t x0, y0, x1, y1;
} raster_line;

/*
 * A shape in one tile.  Lines of the tile are refs[first_ref .. first_ref + ref_count), each the
 * index of a line, with RASTER_REF_FIRST where the tile is the leftmost one of its row that the
 * line touches.  A line may stick out of the tile on all sides.
 *
 * The refs of one shape in one row of tiles follow each other from left to right: all lines that
 * lie in this tile or left of it, each once, are those with RASTER_REF_FIRST in
 * refs[row_ref .. first_ref + ref_count).  The fine pass looks at them where a shape overlaps
 * itself.
 */
#define RASTER_REF_FIRST UINT32_C(0x80000000)
typedef struct raster_edges {
    uint32_t first_ref, ref_count, row_ref;
    uint32_t overlaps; /* bit r: look closer at row r, see raster_looks_closer() */
    /* [row of the tile]: signed height (RASTER_ONE: once around) of all lines left of the tile. */
    int32_t backdrop[RASTER_TILE];
} raster_edges;

typedef enum raster_op {
    RASTER_COLOUR,
    RASTER_GRADIENT,
    RASTER_CLIP_BEGIN,
    RASTER_CLIP_SHAPE,
    RASTER_CLIP_READY,
    RASTER_CLIP_END,
    RASTER_GROUP_BEGIN,
    RASTER_GROUP_END,
    RASTER_MASK_BEGIN,
    RASTER_MASK_READY,
    RASTER_MASK_END,
    RASTER_LAYER,
    RASTER_OP_COUNT
} raster_op;

typedef enum raster_rule { RASTER_NON_ZERO, RASTER_EVEN_ODD } raster_rule;

typedef struct raster_command {
    uint8_t op;      /* raster_op */
    uint8_t mode;    /* COLOUR, GRADIENT, CLIP_SHAPE: raster_rule; MASK_READY: 1 alpha, 0 luminance;
                        CLIP_READY and its CLIP_END: 1 where the content is several paints, which
                        are composited before the clip's edge thins them;
                        GROUP_END, LAYER: blend mode, a scene_blend */
    uint8_t opacity; /* GROUP_END, LAYER */
    uint8_t opaque;  /* COLOUR, GRADIENT: 1 where alpha is 255 throughout */
    uint32_t edges;  /* COLOUR, GRADIENT, CLIP_SHAPE: index; RASTER_NONE: the whole tile, 255 */
    uint32_t value;  /* COLOUR: premultiplied RGBA, r in the lowest byte;
                        GRADIENT, LAYER: index */
} raster_command;

typedef struct raster_tile {
    uint32_t first_command, command_count;
} raster_tile;

typedef enum raster_gradient_kind {
    RASTER_LINEAR, /* t = u */
    RASTER_RADIAL, /* around the middle: t = |(u, v)| */
    RASTER_FOCAL,  /* t of the largest circle through (u, v); see raster_math.h */
    RASTER_CONE    /* the same where the start circle is not within the end circle: pixels that no
                      circle goes through stay clear, and take the entry behind the ramp's last */
} raster_gradient_kind;

typedef enum raster_spread { RASTER_PAD, RASTER_REFLECT, RASTER_REPEAT } raster_spread;

/* u = m[0] x + m[2] y + m[4], v = m[1] x + m[3] y + m[5], at a pixel's centre (x + 0.5, y + 0.5).
 */
typedef struct raster_gradient {
    uint32_t kind, spread;
    /* Its entries in `ramps`: first is t = 0, last t = 1; opacity is in them already.  Of a CONE
     * one more follows, which is 0. */
    uint32_t ramp, ramp_size;
    float m[6];
    /* FOCAL, CONE: the focal point is (0, 0), the end circle's middle is (focal[0], focal[1]).
     * focal[2]: radius of the start circle; [3]: radii's difference, > 0; [4]: 1 / a; [5]: a, which
     * is < 0 for FOCAL and > 0 for CONE. */
    float focal[6];
} raster_gradient;

/* A finished picture, premultiplied RGBA8, at an offset from the canvas; it may stick out of it. */
typedef struct raster_layer {
    int32_t x, y;
    uint32_t width, height;
    const uint8_t *pixels; /* rows without gaps; host memory */
} raster_layer;

/*
 * One picture.  Tiles go row by row, (width + 15) / 16 to a row.  Indices are relative to this
 * plan's arrays, so that a batch of plans can be laid end to end.
 */
typedef struct raster_plan {
    uint32_t width, height;
    uint32_t columns, rows; /* of tiles */
    const raster_tile *tiles;
    const raster_command *commands;
    const raster_edges *edges;
    const uint32_t *refs;
    const raster_line *lines;
    const raster_gradient *gradients;
    const uint32_t *ramps; /* premultiplied RGBA, r in the lowest byte */
    const raster_layer *layers;
    uint32_t command_count, edges_count, ref_count, line_count;
    uint32_t gradient_count, ramp_count, layer_count;
    uint32_t depth; /* levels that a tile has open at most */
} raster_plan;

/*
 * Draws rows of tiles [first_row, end_row) of a plan into premultiplied RGBA8, whose first byte is
 * the canvas' upper left corner.  Pixels outside the canvas are not touched, all others are
 * written.  Cannot fail and allocates nothing; `scratch` is RASTER_SCRATCH_BYTES of the calling
 * thread, aligned to 64.
 */
void raster_cpu(const raster_plan *plan, uint32_t first_row, uint32_t end_row, uint8_t *rgba,
                size_t stride_bytes, void *scratch);

/* The same, but asks now and then (every millisecond or so) whether to stop: 0 when it did. */
typedef struct raster_rows {
    uint32_t first, end;
    uint8_t *rgba;
    size_t stride_bytes;
    int (*stop)(void *context); /* not 0: stop */
    void *context;
} raster_rows;
int raster_cpu_until(const raster_plan *plan, const raster_rows *job, void *scratch);
#define RASTER_SCRATCH_BYTES ((size_t)80 << 10)

#ifdef __cplusplus
}
#endif

#endif
