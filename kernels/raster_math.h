/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of the fine pass, the same on both backends to the last bit: what one line adds to
 * the cells of a grid, what a sum is worth as coverage, and how one pixel is painted.
 *
 * Cells.  A grid of cells has one number for each, and one more column on its right.  A line that
 * falls by `h` within a cell's row, over a mean distance `f` from the cell's left side, covers
 * h x (1 - f) of that cell and h of all cells to its right: it adds h x (1 - f) to the cell and
 * h x f to the next one, and the running sum along the row is the signed area.  A whole cell is
 * RASTER_FULL.
 *
 * Where a line is at a given height is x0 + (y - y0) x slope, rounded towards x0, with one slope of
 * 32 fraction bits for the whole line; how much of its height in a row lies left of a given x is
 * (x - left) x rise, with one rise for the row.  Both are exact at the ends, so that the pieces of
 * a line always sum up to the line, and neither knows of tiles.
 *
 * Floats occur in gradients and in one blend mode, with +, -, x, / and square roots alone: exact in
 * IEEE 754, as long as nobody contracts them (-ffp-contract=off, -fmad=false).
 */
#ifndef DP_RASTER_MATH_H
#define DP_RASTER_MATH_H

#ifndef __CUDACC__
#include <math.h>
#endif

#include "kernels/blend_math.h"
#include "kernels/composite_math.h"
#include "kernels/dp_kernel.h"
#include "kernels/raster.h"

/* The area of a whole cell: height RASTER_ONE, twice the width (f is a sum of two ends). */
#define RASTER_FULL (2 * RASTER_ONE * RASTER_ONE)
/* Sums may stray that far before a row counts as overlapping itself: 1/32, less than 8/255. */
#define RASTER_SLACK (RASTER_FULL / 32)
/* Cells to a pixel's side where a shape overlaps itself. */
#define RASTER_FINE_SHIFT   4
#define RASTER_FINE         (1 << RASTER_FINE_SHIFT)
#define RASTER_FINE_COLUMNS (RASTER_TILE * RASTER_FINE)

/* The GPU's driver defines it as an atomic add. */
#ifndef RASTER_ADD
#define RASTER_ADD(cell, value) (*(cell) += (value))
#endif

/*
 * Cells from (x, y), counted in cells.  There is a column more than `columns`.  Cell (column, row)
 * is cells[column * column_step + row * row_step].
 */
typedef struct raster_grid {
    int32_t *cells;
    int32_t x, y, columns, rows;
    int32_t column_step, row_step;
    int32_t left; /* 1: what lies left of the grid counts too; 0: it is in a backdrop */
} raster_grid;

/* A line turned downwards. */
typedef struct raster_edge {
    int32_t x0, y0, x1, y1;
    int32_t sign;
    uint64_t slope; /* |x1 - x0| / (y1 - y0), 32 fraction bits */
} raster_edge;

/* Without its slope yet.  `scale`: log2 of the cells to a pixel's side. */
DP_FN raster_edge raster_turned(raster_line line, int32_t scale)
{
    raster_edge e;
    const int32_t down = line.y1 > line.y0;

    e.x0 = (down ? line.x0 : line.x1) * (1 << scale);
    e.y0 = (down ? line.y0 : line.y1) * (1 << scale);
    e.x1 = (down ? line.x1 : line.x0) * (1 << scale);
    e.y1 = (down ? line.y1 : line.y0) * (1 << scale);
    e.sign = down ? 1 : -1;
    e.slope = 0;
    return e;
}

/* Upright edges and edges within one row never ask for it. */
DP_FN uint64_t raster_slope(const raster_edge *e)
{
    const uint32_t run = (uint32_t)(e->x1 > e->x0 ? e->x1 - e->x0 : e->x0 - e->x1);

    if (run == 0 || (e->y0 >> RASTER_SHIFT) == ((e->y1 - 1) >> RASTER_SHIFT)) {
        return 0;
    }
    return ((uint64_t)run << 32) / (uint32_t)(e->y1 - e->y0);
}

DP_FN raster_edge raster_edge_of(raster_line line, int32_t scale)
{
    raster_edge e = raster_turned(line, scale);

    e.slope = raster_slope(&e);
    return e;
}

/* Where the edge is at y0 <= y <= y1. */
DP_FN int32_t raster_edge_x(const raster_edge *e, int32_t y)
{
    const int32_t run = (int32_t)(((uint64_t)(uint32_t)(y - e->y0) * e->slope) >> 32);

    return y == e->y1 ? e->x1 : (e->x1 > e->x0 ? e->x0 + run : e->x0 - run);
}

/* An edge's part in one row of cells: from left to right, whichever way it leans. */
typedef struct raster_piece {
    int32_t left, right;
    int32_t height;
    uint32_t rise; /* height / (right - left), 20 fraction bits; 0 within one column */
} raster_piece;

/* The part from (xa, ya) to (xb, yb), within one row. */
DP_FN raster_piece raster_piece_between(int32_t xa, int32_t ya, int32_t xb, int32_t yb)
{
    raster_piece p;

    p.left = xa < xb ? xa : xb;
    p.right = xa < xb ? xb : xa;
    p.height = yb - ya;
    p.rise = 0;
    if ((p.left >> RASTER_SHIFT) != (p.right >> RASTER_SHIFT)) {
        p.rise = ((uint32_t)p.height << 20) / (uint32_t)(p.right - p.left);
    }
    return p;
}

/* The row [top, top + RASTER_ONE) must meet the edge. */
DP_FN raster_piece raster_piece_of(const raster_edge *e, int32_t top)
{
    const int32_t ya = e->y0 > top ? e->y0 : top;
    const int32_t yb = e->y1 < top + RASTER_ONE ? e->y1 : top + RASTER_ONE;

    return raster_piece_between(raster_edge_x(e, ya), ya, raster_edge_x(e, yb), yb);
}

/* How much of the piece's height lies left of x. */
DP_FN int32_t raster_piece_height(const raster_piece *p, int32_t x)
{
    if (x >= p->right) {
        return p->height;
    }
    return x <= p->left ? 0 : (int32_t)(((uint32_t)(x - p->left) * p->rise) >> 20);
}

/* Adds one piece to a row of the grid's cells, a column after the other. */
DP_FN void raster_piece_add(const raster_grid *g, int32_t *row, const raster_piece *p, int32_t sign)
{
    const int32_t first = p->left >> RASTER_SHIFT;
    const int32_t last = p->right >> RASTER_SHIFT;
    const int32_t begin = first > g->x ? first : g->x;
    const int32_t end = last < g->x + g->columns ? last + 1 : g->x + g->columns;
    int32_t *cell = row + (begin - g->x) * g->column_step;
    int32_t below = first < g->x ? raster_piece_height(p, g->x * RASTER_ONE) : 0;
    int32_t next = 0; /* what the column before leaves to this one */

    if (begin >= end && !g->left) {
        return;
    }
    if (g->left && below != 0) {
        RASTER_ADD(row, sign * below * (2 * RASTER_ONE));
    }
    for (int32_t column = begin; column < end; column++) {
        const int32_t origin = column * RASTER_ONE;
        const int32_t to = column == last ? p->height : raster_piece_height(p, origin + RASTER_ONE);
        const int32_t a = p->left > origin ? p->left - origin : 0;
        const int32_t b = column == last ? p->right - origin : RASTER_ONE;
        const int32_t height = sign * (to - below);
        const int32_t rest = height * (a + b);

        RASTER_ADD(cell, next + height * (2 * RASTER_ONE) - rest);
        cell += g->column_step;
        next = rest;
        below = to;
    }
    if (begin < end) {
        RASTER_ADD(cell, next);
    }
}

/* The same for a piece that lies in one or two columns, all of them within the grid. */
DP_FN void raster_piece_add_short(const raster_grid *g, int32_t *row, const raster_piece *p,
                                  int32_t sign)
{
    const int32_t first = p->left >> RASTER_SHIFT;
    const int32_t origin = first * RASTER_ONE;
    int32_t *cell = row + (first - g->x) * g->column_step;
    int32_t height = sign * p->height;
    int32_t rest;

    if (p->right < origin + RASTER_ONE) {
        rest = height * (p->left + p->right - 2 * origin);
        RASTER_ADD(cell, height * (2 * RASTER_ONE) - rest);
        RASTER_ADD(cell + g->column_step, rest);
        return;
    }
    const int32_t border = origin + RASTER_ONE;
    const int32_t below = sign * raster_piece_height(p, border);
    rest = below * (p->left - origin + RASTER_ONE);
    height -= below;
    RASTER_ADD(cell, below * (2 * RASTER_ONE) - rest);
    cell += g->column_step;
    RASTER_ADD(cell, rest + height * (2 * RASTER_ONE - (p->right - border)));
    RASTER_ADD(cell + g->column_step, height * (p->right - border));
}

/* A line left of all cells: only its heights count. */
DP_FN void raster_left_add(const raster_grid *g, const raster_edge *e, int32_t begin, int32_t end)
{
    for (int32_t y = begin; y < end; y++) {
        const int32_t ya = e->y0 > y * RASTER_ONE ? e->y0 : y * RASTER_ONE;
        const int32_t yb = e->y1 < (y + 1) * RASTER_ONE ? e->y1 : (y + 1) * RASTER_ONE;

        RASTER_ADD(g->cells + (y - g->y) * g->row_step, e->sign * (yb - ya) * (2 * RASTER_ONE));
    }
}

/* Adds what a line does to the grid; lines elsewhere add nothing. */
DP_FN void raster_line_add(const raster_grid *g, raster_line line, int32_t scale)
{
    raster_edge e = raster_turned(line, scale);
    const int32_t top = e.y0 >> RASTER_SHIFT;
    const int32_t bottom = (e.y1 - 1) >> RASTER_SHIFT;
    const int32_t begin = top > g->y ? top : g->y;
    const int32_t end = bottom < g->y + g->rows ? bottom + 1 : g->y + g->rows;
    const int32_t left = g->x * RASTER_ONE;
    const int32_t right = (g->x + g->columns) * RASTER_ONE;
    int32_t xa, ya;

    if (begin >= end || (e.x0 >= right && e.x1 >= right)) {
        return;
    }
    if (e.x0 < left && e.x1 < left) {
        if (g->left) {
            raster_left_add(g, &e, begin, end);
        }
        return;
    }
    e.slope = raster_slope(&e);
    ya = top < g->y ? g->y * RASTER_ONE : e.y0;
    xa = raster_edge_x(&e, ya);
    for (int32_t y = begin; y < end; y++) {
        const int32_t yb = y == bottom ? e.y1 : (y + 1) * RASTER_ONE;
        const int32_t xb = raster_edge_x(&e, yb);
        const raster_piece p = raster_piece_between(xa, ya, xb, yb);

        int32_t *row = g->cells + (y - g->y) * g->row_step;

        if (p.left >= left && p.right < right &&
            (p.right >> RASTER_SHIFT) <= (p.left >> RASTER_SHIFT) + 1) {
            raster_piece_add_short(g, row, &p, e.sign);
        } else {
            raster_piece_add(g, row, &p, e.sign);
        }
        xa = xb;
        ya = yb;
    }
}

/* A sum as an area, 0 .. RASTER_FULL. */
DP_FN int32_t raster_area(int32_t sum, uint32_t rule)
{
    if (rule == RASTER_EVEN_ODD) {
        const int32_t rest = sum & (2 * RASTER_FULL - 1);
        return rest > RASTER_FULL ? 2 * RASTER_FULL - rest : rest;
    }
    sum = sum < 0 ? -sum : sum;
    return sum > RASTER_FULL ? RASTER_FULL : sum;
}

/* An area as a byte, rounded to nearest. */
DP_FN uint32_t raster_coverage(int32_t area)
{
    return ((uint32_t)area * 255u + RASTER_FULL / 2) / RASTER_FULL;
}

/* The sum of the areas of a pixel's RASTER_FINE x RASTER_FINE cells as a byte. */
DP_FN uint32_t raster_coverage_fine(uint32_t areas)
{
    const uint32_t cells = 1u << (2 * RASTER_FINE_SHIFT);

    return raster_coverage((int32_t)((areas + cells / 2) / cells));
}

/* Whether sums between `low` and `high` are those of a shape that overlaps itself. */
DP_FN int32_t raster_overlaps(int32_t low, int32_t high)
{
    return high > RASTER_FULL + RASTER_SLACK || low < -RASTER_FULL - RASTER_SLACK ||
           (low < -RASTER_SLACK && high > RASTER_SLACK);
}

/*
 * Whether a pixel of a NON_ZERO shape is drawn again in fine cells.  `sum` is its own; `low` and
 * `high` are the extremes of the up to nine around it and itself: rows end with the tile, but
 * columns go from the one left of the tile, whose sums are the backdrop's, to the one right of it,
 * whose sums are those after the last pixel.  `forced`: the row's bit in raster_edges.overlaps.
 *
 * A side that is drawn twice sums up to anything, but lies between a pixel of none and one of two.
 * In the midst of pixels that are full there is no side, or none that shows.  Of a forced row the
 * next one may be in another tile, so that none or two are not seen, but never neither of them.
 */
DP_FN int32_t raster_looks_closer(int32_t sum, int32_t low, int32_t high, int32_t forced)
{
    if (sum == 0) {
        return low < -RASTER_SLACK && high > RASTER_SLACK;
    }
    if (forced) {
        return low != high && low < 2 * RASTER_FULL && high > -2 * RASTER_FULL;
    }
    return raster_overlaps(low, high) && low < RASTER_FULL && high > -RASTER_FULL;
}

/* One channel of premultiplied `source` over `backdrop`, by coverage; `alpha`: the source's. */
DP_FN uint32_t raster_over(uint32_t source, uint32_t alpha, uint32_t coverage, uint32_t backdrop)
{
    return composite_div255(source * coverage +
                            backdrop * (255u - composite_div255(alpha * coverage)));
}

/* Luminance of a premultiplied colour: already multiplied by its alpha. */
DP_FN uint32_t raster_luminance(uint32_t r, uint32_t g, uint32_t b)
{
    return (54u * r + 183u * g + 19u * b + 128u) >> 8;
}

/* 0 .. 1 as the ramp's index. */
DP_FN int32_t raster_ramp_index(float t, uint32_t spread, int32_t size)
{
    /* Not a number becomes the lower bound; beyond 2^20 turns nothing is left of the fraction. */
    t = t > -1048576.0f ? t : -1048576.0f;
    t = t < 1048576.0f ? t : 1048576.0f;
    if (spread != RASTER_PAD) {
        const float turn = spread == RASTER_REFLECT ? 0.5f : 1.0f;
        float part = t * turn;
        float whole = (float)(int32_t)part;
        whole = whole > part ? whole - 1.0f : whole;
        part = part - whole;
        t = part / turn;
        t = t > 1.0f ? 2.0f - t : t;
    }
    t = t > 0.0f ? t : 0.0f;
    t = t < 1.0f ? t : 1.0f;
    return (int32_t)(t * (float)(size - 1) + 0.5f);
}

/*
 * The gradient's parameter at (u, v).  FOCAL: circles of middle t x (fx, fy) and radius
 * r0 + t x dr; the largest t whose circle goes through the point solves
 * a t^2 - 2 b t + c = 0 with a = fx^2 + fy^2 - dr^2, b = u fx + v fy + r0 dr,
 * c = u^2 + v^2 - r0^2.  FOCAL: a < 0, and there is always one.  CONE: a > 0; there is none where
 * the root is of a negative number, nor where the larger t has a negative radius, since dr > 0.
 * Then *covered is 0.
 */
DP_FN float raster_gradient_t(const raster_gradient *g, float u, float v, int32_t *covered)
{
    *covered = 1;
    if (g->kind == RASTER_LINEAR) {
        return u;
    }
    if (g->kind == RASTER_RADIAL) {
        return sqrtf(u * u + v * v);
    }
    const float b = u * g->focal[0] + v * g->focal[1] + g->focal[2] * g->focal[3];
    const float c = u * u + v * v - g->focal[2] * g->focal[2];
    const float square = b * b - g->focal[5] * c;
    const float root = sqrtf(square > 0.0f ? square : 0.0f);

    if (g->kind == RASTER_FOCAL) {
        return (b - root) * g->focal[4];
    }
    const float t = (b + root) * g->focal[4];
    *covered = (square >= 0.0f) & (g->focal[2] + t * g->focal[3] >= 0.0f);
    return t;
}

/* Index of the gradient's colour at pixel (x, y) of the canvas, relative to its ramp. */
DP_FN int32_t raster_gradient_index(const raster_gradient *g, int32_t x, int32_t y)
{
    const float px = (float)x + 0.5f;
    const float py = (float)y + 0.5f;
    const float u = px * g->m[0] + (py * g->m[2] + g->m[4]);
    const float v = px * g->m[1] + (py * g->m[3] + g->m[5]);

    int32_t covered;
    const float t = raster_gradient_t(g, u, v, &covered);
    const int32_t index = raster_ramp_index(t, g->spread, (int32_t)g->ramp_size);

    return covered ? index : (int32_t)g->ramp_size;
}

#endif
