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

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

_Static_assert(RASTER_CELLS >= RASTER_TILE * (RASTER_TILE + 1), "the tile's cells fit");
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

/*
 * Sums along all rows at once, column by column; [column][row] as the cells are.  Gives a bit for
 * each row that overlaps itself.  `rows` is RASTER_TILE, which the compiler had better not know: it
 * would unroll the loop before it could make vectors of it.
 */
RASTER_VECTOR
static uint32_t sum_cells(const int32_t *DP_RESTRICT cells, const int32_t *DP_RESTRICT backdrop,
                          int32_t *DP_RESTRICT sums, uint32_t rows)
{
    int32_t run[RASTER_TILE];
    int32_t low[RASTER_TILE];
    int32_t high[RASTER_TILE];
    uint32_t overlaps = 0;

    for (uint32_t row = 0; row < RASTER_TILE; row++) {
        run[row] = backdrop[row] * (2 * RASTER_ONE);
        low[row] = run[row];
        high[row] = run[row];
    }
    for (uint32_t column = 0; column <= RASTER_TILE; column++) {
        for (uint32_t row = 0; row < rows; row++) {
            run[row] += cells[column * RASTER_TILE + row];
            low[row] = run[row] < low[row] ? run[row] : low[row];
            high[row] = run[row] > high[row] ? run[row] : high[row];
            sums[column * RASTER_TILE + row] = run[row];
        }
    }
    for (uint32_t row = 0; row < RASTER_TILE; row++) {
        overlaps |= (uint32_t)raster_overlaps(low[row], high[row]) << row;
    }
    return overlaps;
}

/* Columns of bytes become rows. */
static void turn(const uint8_t *DP_RESTRICT columns, uint8_t *DP_RESTRICT rows)
{
#if defined(__SSE2__)
    __m128i from[RASTER_TILE];
    __m128i to[RASTER_TILE];

    for (int i = 0; i < RASTER_TILE; i++) {
        from[i] = _mm_load_si128((const __m128i *)(const void *)(columns + i * RASTER_TILE));
    }
    /* Four times the first half is interleaved with the second: that turns the index by a bit. */
    for (int step = 0; step < 4; step++) {
        for (int i = 0; i < RASTER_TILE / 2; i++) {
            to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + RASTER_TILE / 2]);
            to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + RASTER_TILE / 2]);
        }
        for (int i = 0; i < RASTER_TILE; i++) {
            from[i] = to[i];
        }
    }
    for (int i = 0; i < RASTER_TILE; i++) {
        _mm_storeu_si128((__m128i *)(void *)(rows + i * RASTER_TILE), from[i]);
    }
#else
    for (uint32_t row = 0; row < RASTER_TILE; row++) {
        for (uint32_t column = 0; column < RASTER_TILE; column++) {
            rows[row * RASTER_TILE + column] = columns[column * RASTER_TILE + row];
        }
    }
#endif
}

RASTER_VECTOR
static void to_bytes(const int32_t *DP_RESTRICT sums, uint32_t rule, uint8_t *DP_RESTRICT coverage)
{
    const uint32_t count = RASTER_TILE_PIXELS;

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
                              .column_step = RASTER_TILE,
                              .row_step = 1};
    int32_t sums[RASTER_TILE_PIXELS + RASTER_TILE];
    _Alignas(16) uint8_t columns[RASTER_TILE_PIXELS];
    uint32_t overlaps;

    memset(cells, 0, sizeof(sums));
    for (uint32_t i = 0; i < edges->ref_count; i++) {
        const uint32_t ref = job->plan->refs[edges->first_ref + i] & ~RASTER_REF_FIRST;
        raster_line_add(&grid, job->plan->lines[ref], 0);
    }
    overlaps = sum_cells(cells, edges->backdrop, sums, job->rows);
    to_bytes(sums, job->rule, columns);
    turn(columns, coverage);
    if (job->rule == RASTER_NON_ZERO && (overlaps | edges->overlaps) != 0) {
        /* And the rows beside it: there a side may be doubled without going beyond one. */
        overlaps |= overlaps << 1 | overlaps >> 1 | edges->overlaps;
        for (uint32_t row = rows.begin; row < rows.end; row++) {
            if ((overlaps >> row & 1u) != 0) {
                refine_row(job, (int32_t)row, coverage + row * RASTER_TILE, cells);
            }
        }
    }
    return rows;
}
