/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's way from a tile's lines to its coverage: cells, running sums, bytes.
 *
 * Pixels beside a place where a shape overlaps itself are done again in cells of a sixteenth of a
 * pixel, each of which is clamped by itself.
 */
#include "kernels/raster_math.h"
#include "kernels/raster_tile.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

_Static_assert(RASTER_CELLS - RASTER_COARSE_CELLS >= RASTER_FINE * (RASTER_FINE_COLUMNS + 1),
               "a fine row's cells fit");

/*
 * Sums along all rows at once, column by column; [column][row] as the cells are, which are cleared
 * for the next tile on the way.  Gives a bit for
 * each row that overlaps itself.  The sums begin with the backdrop's, and end with those behind the
 * last pixel.  `rows` is RASTER_TILE, which the compiler had better not know: it
 * would unroll the loop before it could make vectors of it.
 */
RASTER_VECTOR
static uint32_t sum_cells(int32_t *DP_RESTRICT cells, const int32_t *DP_RESTRICT backdrop,
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
        sums[row] = run[row];
    }
    sums += RASTER_TILE;
    for (uint32_t column = 0; column <= RASTER_TILE; column++) {
        for (uint32_t row = 0; row < rows; row++) {
            run[row] += cells[column * RASTER_TILE + row];
            cells[column * RASTER_TILE + row] = 0;
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

/* What look_closer() works on: sums [column][row], with one column more on either side. */
typedef struct closer_job {
    const raster_cover_job *cover;
    const int32_t *sums; /* [0] is the first pixel */
    int32_t *cells;
    uint8_t *coverage;
} closer_job;

/* The sum of a pixel's fine cells' areas, column by column; all rows of cells go along side by
 * side. Clears the cells. */
RASTER_VECTOR
static uint32_t sum_fine(int32_t *DP_RESTRICT cells, int32_t *DP_RESTRICT runs, uint32_t rows)
{
    int32_t areas[RASTER_FINE] = {0};
    uint32_t all = 0;

    for (uint32_t column = 0; column < RASTER_FINE; column++) {
        for (uint32_t i = 0; i < rows; i++) {
            runs[i] += cells[column * RASTER_FINE + i];
            areas[i] += raster_area(runs[i], RASTER_NON_ZERO);
            cells[column * RASTER_FINE + i] = 0;
        }
    }
    for (uint32_t i = 0; i < rows; i++) {
        all += (uint32_t)areas[i];
    }
    return all;
}

/*
 * Pixels `wanted` (a bit each) of a row in fine cells: all lines of this tile and left of it, each
 * cell clamped by itself.
 */
static void refine_row(const closer_job *job, int32_t row, uint32_t wanted)
{
    const raster_cover_job *cover = job->cover;
    const uint32_t end = cover->edges->first_ref + cover->edges->ref_count;
    int32_t first = 0;
    int32_t count = RASTER_TILE;

    while ((wanted >> first & 1u) == 0) {
        first++;
    }
    while ((wanted >> (count - 1) & 1u) == 0) {
        count--;
    }
    count -= first;
    const raster_grid grid = {.cells = job->cells,
                              .x = (cover->x + first) * RASTER_FINE,
                              .y = (cover->y + row) * RASTER_FINE,
                              .columns = count * RASTER_FINE,
                              .rows = RASTER_FINE,
                              .column_step = RASTER_FINE,
                              .row_step = 1,
                              .left = 1};
    int32_t runs[RASTER_FINE] = {0};
    for (uint32_t i = cover->edges->row_ref; i < end; i++) {
        const uint32_t ref = cover->plan->refs[i];
        if ((ref & RASTER_REF_FIRST) != 0) {
            raster_line_add(&grid, cover->plan->lines[ref & ~RASTER_REF_FIRST], RASTER_FINE_SHIFT);
        }
    }
    for (int32_t x = 0; x < count; x++) {
        const uint32_t areas =
            sum_fine(job->cells + x * RASTER_FINE * RASTER_FINE, runs, cover->rows);
        if ((wanted >> (first + x) & 1u) != 0) {
            job->coverage[row * RASTER_TILE + first + x] = (uint8_t)raster_coverage_fine(areas);
        }
    }
    /* What is behind the last pixel. */
    memset(job->cells + count * RASTER_FINE * RASTER_FINE, 0, sizeof(*job->cells) * RASTER_FINE);
}

/* The pixels of a row that are to be drawn again, a bit each. */
static uint32_t closer_pixels(const closer_job *job, int32_t row)
{
    const int32_t forced = (int32_t)(job->cover->edges->overlaps >> row & 1u);
    const int32_t above = row > 0 ? row - 1 : row;
    const int32_t below = row < RASTER_TILE - 1 ? row + 1 : row;
    int32_t lows[RASTER_TILE + 2];
    int32_t highs[RASTER_TILE + 2];
    uint32_t wanted = 0;

    for (int32_t column = 0; column < RASTER_TILE + 2; column++) {
        const int32_t *sums = job->sums + (column - 1) * RASTER_TILE;
        lows[column] = sums[row] < sums[above] ? sums[row] : sums[above];
        lows[column] = lows[column] < sums[below] ? lows[column] : sums[below];
        highs[column] = sums[row] > sums[above] ? sums[row] : sums[above];
        highs[column] = highs[column] > sums[below] ? highs[column] : sums[below];
    }
    for (int32_t i = 0; i < RASTER_TILE; i++) {
        int32_t low = lows[i] < lows[i + 1] ? lows[i] : lows[i + 1];
        int32_t high = highs[i] > highs[i + 1] ? highs[i] : highs[i + 1];
        low = low < lows[i + 2] ? low : lows[i + 2];
        high = high > highs[i + 2] ? high : highs[i + 2];
        wanted |= (uint32_t)raster_looks_closer(job->sums[i * RASTER_TILE + row], low, high, forced)
                  << i;
    }
    return wanted;
}

/* Goes over the rows that overlap, those beside them and those that the plan warned of. */
static void look_closer(const closer_job *job, raster_span rows, uint32_t overlaps)
{
    overlaps |= overlaps << 1 | overlaps >> 1 | job->cover->edges->overlaps;
    for (uint32_t row = rows.begin; row < rows.end; row++) {
        if ((overlaps >> row & 1u) != 0) {
            const uint32_t wanted = closer_pixels(job, (int32_t)row);
            if (wanted != 0) {
                refine_row(job, (int32_t)row, wanted);
            }
        }
    }
}

raster_span raster_cover(const raster_cover_job *job, uint8_t *coverage, int32_t *cells)
{
    const raster_edges *edges = job->edges;
    int32_t sums[RASTER_TILE_PIXELS + 2 * RASTER_TILE];
    _Alignas(16) uint8_t columns[RASTER_TILE_PIXELS];
    uint32_t overlaps;

    const raster_span rows = raster_add_lines(job, cells);
    overlaps = sum_cells(cells, edges->backdrop, sums, job->rows);
    to_bytes(sums + RASTER_TILE, job->rule, columns);
    turn(columns, coverage);
    if (job->rule == RASTER_NON_ZERO && (overlaps | edges->overlaps) != 0) {
        const closer_job closer = {.cover = job,
                                   .sums = sums + RASTER_TILE,
                                   .cells = cells + RASTER_COARSE_CELLS,
                                   .coverage = coverage};
        look_closer(&closer, rows, overlaps);
    }
    return rows;
}
