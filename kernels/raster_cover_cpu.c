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

/* Half a column of cells. */
#define LANES 8
typedef int32_t lanes __attribute__((vector_size(4 * LANES)));

/* What a sum that has been seen in a lane says of it; -1 where it is so. */
typedef struct seen {
    lanes above, below; /* beyond the slack on one side, on the other */
    lanes far;          /* beyond a whole cell, on either side */
} seen;

/* Vectors go by address: how they are passed otherwise depends on what the processor has. */
RASTER_INLINE void look_at(seen *s, const lanes *run)
{
    s->above |= (lanes)(*run > RASTER_SLACK);
    s->below |= (lanes)(*run < -RASTER_SLACK);
    s->far |=
        (lanes)(*run > RASTER_FULL + RASTER_SLACK) | (lanes)(*run < -RASTER_FULL - RASTER_SLACK);
}

/* raster_overlaps() of all that was seen, a bit a lane. */
static uint32_t overlapping(const seen *s)
{
    const lanes both = s->far | (s->above & s->below);
    uint32_t bits = 0;

    for (uint32_t i = 0; i < LANES; i++) {
        bits |= (uint32_t)(both[i] & 1) << i;
    }
    return bits;
}

/*
 * Sums along all rows at once, column by column; [column][row] as the cells are, which are cleared
 * for the next tile on the way.  Gives a bit for each row that overlaps itself.  Sums of columns
 * before the first that is touched are the backdrop's, those behind the last that column's.  Only
 * the touched ones are written, and the one before.
 */
RASTER_VECTOR
static uint32_t sum_cells(int32_t *DP_RESTRICT cells, const int32_t *DP_RESTRICT backdrop,
                          int32_t *DP_RESTRICT sums, const raster_touched *touched)
{
    const lanes none = {0};
    seen lows = {none, none, none};
    seen highs = {none, none, none};
    const uint32_t end = touched->end * RASTER_TILE;
    uint32_t at = touched->first * RASTER_TILE;
    lanes low, high, cell;

    memcpy(&low, backdrop, sizeof(low));
    memcpy(&high, backdrop + LANES, sizeof(high));
    low *= 2 * RASTER_ONE;
    high *= 2 * RASTER_ONE;
    look_at(&lows, &low);
    look_at(&highs, &high);
    memcpy(sums + at, &low, sizeof(low));
    memcpy(sums + at + LANES, &high, sizeof(high));
    for (; at < end; at += RASTER_TILE) {
        memcpy(&cell, cells + at, sizeof(cell));
        low += cell;
        memcpy(&cell, cells + at + LANES, sizeof(cell));
        high += cell;
        look_at(&lows, &low);
        look_at(&highs, &high);
        memcpy(cells + at, &none, sizeof(none));
        memcpy(cells + at + LANES, &none, sizeof(none));
        memcpy(sums + RASTER_TILE + at, &low, sizeof(low));
        memcpy(sums + RASTER_TILE + at + LANES, &high, sizeof(high));
    }
    return overlapping(&lows) | overlapping(&highs) << LANES;
}

/* Sums, or coverages, of the columns that were not touched; there is one more on either side. */
#define COLUMNS_ALL (RASTER_TILE + 2)
static void fill_sums(int32_t *sums, const raster_touched *touched)
{
    for (uint32_t column = 0; column < touched->first; column++) {
        memcpy(sums + column * RASTER_TILE, sums + touched->first * RASTER_TILE,
               RASTER_TILE * sizeof(*sums));
    }
    for (uint32_t column = touched->end + 1; column < COLUMNS_ALL; column++) {
        memcpy(sums + column * RASTER_TILE, sums + touched->end * RASTER_TILE,
               RASTER_TILE * sizeof(*sums));
    }
}

static void fill_bytes(uint8_t *columns, const raster_touched *touched)
{
    for (uint32_t column = 0; column < touched->first; column++) {
        memcpy(columns + column * RASTER_TILE, columns + touched->first * RASTER_TILE, RASTER_TILE);
    }
    for (uint32_t column = touched->end + 1; column < COLUMNS_ALL; column++) {
        memcpy(columns + column * RASTER_TILE, columns + touched->end * RASTER_TILE, RASTER_TILE);
    }
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
static void to_bytes(const int32_t *DP_RESTRICT sums, uint32_t count, uint32_t rule,
                     uint8_t *DP_RESTRICT coverage)
{
    count &= ~(RASTER_TILE - 1u); /* as it is; no rest is to be looked for */
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
    int32_t sums[COLUMNS_ALL * RASTER_TILE];
    _Alignas(16) uint8_t columns[COLUMNS_ALL * RASTER_TILE];
    uint32_t overlaps;

    const raster_touched touched = raster_add_lines(job, cells);
    const uint32_t first = touched.first * RASTER_TILE;
    overlaps = sum_cells(cells, edges->backdrop, sums, &touched);
    to_bytes(sums + first, (touched.end + 1 - touched.first) * RASTER_TILE, job->rule,
             columns + first);
    fill_bytes(columns, &touched);
    turn(columns + RASTER_TILE, coverage);
    if (job->rule == RASTER_NON_ZERO && (overlaps | edges->overlaps) != 0) {
        const closer_job closer = {.cover = job,
                                   .sums = sums + RASTER_TILE,
                                   .cells = cells + RASTER_COARSE_CELLS,
                                   .coverage = coverage};
        fill_sums(sums, &touched);
        look_closer(&closer, touched.rows, overlaps);
    }
    return touched.rows;
}
