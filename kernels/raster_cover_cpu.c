/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's way from a tile's lines to its coverage: cells, running sums, bytes.
 *
 * Where the sums show that a shape overlaps itself, the row and its neighbours are done again in
 * cells of an eighth of a pixel, each of which is clamped by itself.
 */
#include "kernels/raster_math.h"
#include "kernels/raster_tile.h"

#include <string.h>

_Static_assert(RASTER_CELLS >= RASTER_TILE * RASTER_CELLS_STRIDE, "the tile's cells fit");
_Static_assert(RASTER_CELLS >= RASTER_FINE * (RASTER_FINE_COLUMNS + 1), "a fine row's cells fit");

/* Rows of the tile that the lines or the backdrop touch. */
static raster_span touched(const raster_cover_job *job)
{
    const raster_edges *edges = job->edges;
    int32_t begin = RASTER_TILE;
    int32_t end = 0;

    for (int32_t row = 0; row < RASTER_TILE; row++) {
        if (edges->backdrop[row] != 0) {
            begin = row < begin ? row : begin;
            end = row + 1;
        }
    }
    for (uint32_t i = 0; i < edges->ref_count; i++) {
        const uint32_t ref = job->plan->refs[edges->first_ref + i] & ~RASTER_REF_FIRST;
        const raster_line l = job->plan->lines[ref];
        const int32_t top = ((l.y0 < l.y1 ? l.y0 : l.y1) >> RASTER_SHIFT) - job->y;
        const int32_t bottom = (((l.y0 < l.y1 ? l.y1 : l.y0) - 1) >> RASTER_SHIFT) - job->y + 1;
        begin = top < begin ? top : begin;
        end = bottom > end ? bottom : end;
    }
    begin = begin > 0 ? begin : 0;
    end = end < RASTER_TILE ? end : RASTER_TILE;
    return begin < end ? (raster_span){(uint32_t)begin, (uint32_t)end} : (raster_span){0, 0};
}

/* One row: sums of the cells, with the first and the last among the extremes. */
static int32_t sum_row(const int32_t *cells, int32_t backdrop, int32_t *sums)
{
    int32_t run = backdrop * (2 * RASTER_ONE);
    int32_t low = run;
    int32_t high = run;

    for (int32_t i = 0; i < RASTER_TILE; i++) {
        run += cells[i];
        low = run < low ? run : low;
        high = run > high ? run : high;
        sums[i] = run;
    }
    run += cells[RASTER_TILE];
    low = run < low ? run : low;
    high = run > high ? run : high;
    return raster_overlaps(low, high);
}

RASTER_VECTOR
static void to_bytes(const int32_t *sums, uint32_t rule, uint8_t *coverage, uint32_t count)
{
    if (rule == RASTER_EVEN_ODD) {
        for (uint32_t i = 0; i < count; i++) {
            coverage[i] = (uint8_t)raster_coverage(raster_area(sums[i], RASTER_EVEN_ODD));
        }
    } else {
        for (uint32_t i = 0; i < count; i++) {
            coverage[i] = (uint8_t)raster_coverage(raster_area(sums[i], RASTER_NON_ZERO));
        }
    }
}

/*
 * A pixel row's fine cells, column by column, to its coverage.  All rows of cells go along side by
 * side.
 */
RASTER_VECTOR
static void sum_fine(const int32_t *cells, uint8_t *coverage)
{
    int32_t runs[RASTER_FINE] = {0};

    for (int32_t x = 0; x < RASTER_TILE; x++) {
        int32_t areas[RASTER_FINE] = {0};
        uint32_t all = 0;
        for (int32_t column = 0; column < RASTER_FINE; column++) {
            for (int32_t i = 0; i < RASTER_FINE; i++) {
                runs[i] += cells[i];
                areas[i] += raster_area(runs[i], RASTER_NON_ZERO);
            }
            cells += RASTER_FINE;
        }
        for (int32_t i = 0; i < RASTER_FINE; i++) {
            all += (uint32_t)areas[i];
        }
        coverage[x] = (uint8_t)raster_coverage_fine(all);
    }
}

/* One pixel row in fine cells: all lines of this tile and left of it, each clamped cell by cell. */
static void refine_row(const raster_cover_job *job, int32_t row, uint8_t *coverage, int32_t *cells)
{
    const raster_grid grid = {.cells = cells,
                              .x = job->x * RASTER_FINE,
                              .y = (job->y + row) * RASTER_FINE,
                              .columns = RASTER_FINE_COLUMNS,
                              .rows = RASTER_FINE,
                              .column_step = RASTER_FINE,
                              .row_step = 1,
                              .left = 1};
    const uint32_t end = job->edges->first_ref + job->edges->ref_count;

    memset(cells, 0, sizeof(*cells) * RASTER_FINE * (RASTER_FINE_COLUMNS + 1));
    for (uint32_t i = job->edges->row_ref; i < end; i++) {
        const uint32_t ref = job->plan->refs[i];
        if ((ref & RASTER_REF_FIRST) != 0) {
            raster_line_add(&grid, job->plan->lines[ref & ~RASTER_REF_FIRST], RASTER_FINE_SHIFT);
        }
    }
    sum_fine(cells, coverage);
}

raster_span raster_cover(const raster_cover_job *job, uint8_t *coverage, int32_t *cells)
{
    const raster_edges *edges = job->edges;
    const raster_span rows = touched(job);
    const raster_grid grid = {.cells = cells,
                              .x = job->x,
                              .y = job->y,
                              .columns = RASTER_TILE,
                              .rows = RASTER_TILE,
                              .column_step = 1,
                              .row_step = RASTER_CELLS_STRIDE};
    int32_t sums[RASTER_TILE_PIXELS];
    uint32_t overlaps = edges->overlaps;

    memset(cells + rows.begin * RASTER_CELLS_STRIDE, 0,
           sizeof(*cells) * (rows.end - rows.begin) * RASTER_CELLS_STRIDE);
    for (uint32_t i = 0; i < edges->ref_count; i++) {
        const uint32_t ref = job->plan->refs[edges->first_ref + i] & ~RASTER_REF_FIRST;
        raster_line_add(&grid, job->plan->lines[ref], 0);
    }
    for (uint32_t row = rows.begin; row < rows.end; row++) {
        if (sum_row(cells + row * RASTER_CELLS_STRIDE, edges->backdrop[row],
                    sums + row * RASTER_TILE)) {
            /* And the rows beside it: there a side may be doubled without going beyond one. */
            overlaps |= (7u << row) >> 1;
        }
    }
    to_bytes(sums + rows.begin * RASTER_TILE, job->rule, coverage + rows.begin * RASTER_TILE,
             (rows.end - rows.begin) * RASTER_TILE);
    if (job->rule == RASTER_NON_ZERO && overlaps != 0) {
        for (uint32_t row = rows.begin; row < rows.end; row++) {
            if ((overlaps >> row & 1u) != 0) {
                refine_row(job, (int32_t)row, coverage + row * RASTER_TILE, cells);
            }
        }
    }
    return rows;
}
