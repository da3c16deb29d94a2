/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the CPU's fine pass share: one tile's memory, and the loops over its pixels.
 *
 * Pixels of a tile are kept by channel, so that a loop over a row is one over plain bytes, which
 * the compiler turns into vectors.  Loops take a range of rows: where a shape has nothing they need
 * not go.
 */
#ifndef DP_RASTER_TILE_H
#define DP_RASTER_TILE_H

#include <stdbool.h>

#include "kernels/raster.h"

/* Compiled for the widest vectors as well; the bytes are the same, since they are integers or IEEE
 * operations one by one.  Sanitizers cannot look into the resolvers. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) &&    \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RASTER_VECTOR __attribute__((target_clones("avx2", "default")))
#else
#define RASTER_VECTOR
#endif

/* Into both clones of its caller, or it would be compiled for the narrow one alone. */
#define RASTER_INLINE __attribute__((always_inline)) static inline

/* R, G, B, A of a tile's pixels, row by row. */
typedef struct raster_pixels {
    uint8_t channels[4][RASTER_TILE_PIXELS];
} raster_pixels;

typedef struct raster_span {
    uint32_t begin, end; /* rows of the tile */
} raster_span;

/*
 * Coverage of `edges` in the tile whose upper left pixel is (x, y): writes all bytes; those outside
 * of the rows that it returns are 0.  `cells` is scratch of RASTER_CELLS numbers.
 */
typedef struct raster_cover_job {
    const raster_plan *plan;
    const raster_edges *edges;
    uint32_t rule;
    uint32_t rows; /* RASTER_TILE, which a compiler had better not know */
    int32_t x, y;
} raster_cover_job;

/* A tile's, and behind them those of a closer look; all zero between two calls. */
#define RASTER_COARSE_CELLS (RASTER_TILE * (RASTER_TILE + 1))
#define RASTER_CELLS        (RASTER_COARSE_CELLS + 4112)
raster_span raster_cover(const raster_cover_job *job, uint8_t *coverage, int32_t *cells);

/* Where a tile is neither empty nor what its backdrop says: cells of other columns are 0. */
typedef struct raster_touched {
    raster_span rows;    /* that are not empty */
    uint32_t first, end; /* columns of cells, one behind the pixels' among them */
} raster_touched;

/* Adds the tile's lines to its cells, [column][row]; gives what they touch. */
raster_touched raster_add_lines(const raster_cover_job *job, int32_t *cells);

/* a = a x b */
void raster_multiply(uint8_t *a, const uint8_t *b, raster_span rows);
/* a = a x k */
void raster_scale(uint8_t *a, uint32_t k, raster_span rows);
/* a = a + b x (255 - a) */
void raster_unite(uint8_t *a, const uint8_t *b, raster_span rows);

/* Paints one colour or one colour a pixel; coverage NULL: 255. */
void raster_paint(raster_pixels *pixels, uint32_t colour, const uint8_t *coverage,
                  raster_span rows);
void raster_paint_from(raster_pixels *pixels, const raster_pixels *source, const uint8_t *coverage,
                       raster_span rows);
/* The same with a blend mode. */
void raster_blend_from(raster_pixels *pixels, const raster_pixels *source, const uint8_t *coverage,
                       uint32_t mode);
/* A gradient's colours at the pixels of the tile whose upper left pixel is (x, y). */
void raster_shade(raster_pixels *out, const raster_plan *plan, const raster_gradient *gradient,
                  const int32_t at[2], raster_span rows);
/* A mask's coverage of a picture. */
void raster_mask(uint8_t *coverage, const raster_pixels *picture, uint32_t by_alpha);
/* Copies what a layer has in the tile at (x, y); clear elsewhere. */
void raster_fetch(raster_pixels *out, const raster_layer *layer, int32_t x, int32_t y);
/* Writes the tile's pixels, `columns` x `rows` of them. */
void raster_store(const raster_pixels *pixels, uint8_t *rgba, size_t stride_bytes,
                  const uint32_t size[2]);

#endif
