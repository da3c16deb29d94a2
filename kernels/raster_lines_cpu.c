/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's way from a tile's lines to its cells.
 *
 * A line is a pixel or two long, so what it costs is decided by branches that nobody foresees and
 * by waiting for divisions.  Therefore lines are first cut into pieces at the rows' borders, which
 * are put on a list; what each of them adds to its two columns and the one behind is computed for
 * eight at a time; then it is added up.  Pieces of more columns, or not within the tile, are
 * raster_math.h's.  Any order gives the same sums.
 */
#include "kernels/raster_math.h"
#include "kernels/raster_tile.h"

#define TILE_ONE (RASTER_TILE * RASTER_ONE)
/* Of a list; a line has no more than RASTER_TILE. */
#define PIECES 128u
/* Vectors of any width go into the list without a rest. */
#define PIECES_AT_ONCE 8u

/* Within the tile and in one column or two: from x `from` to `to`, in either direction. */
typedef struct piece_list {
    int32_t from[PIECES], to[PIECES];
    int32_t height[PIECES]; /* signed */
    int32_t row[PIECES];
    /* What comes of them: the cell of the left column, and what is added there and in the next two.
     */
    int32_t cell[PIECES], first[PIECES], second[PIECES], third[PIECES];
    uint32_t count;
} piece_list;

/* Rows that the lines touch, grown to those that the backdrop does. */
static raster_span touched_rows(const int32_t *backdrop, int32_t first, int32_t end)
{
    int32_t begin = first < 0 ? 0 : (first < RASTER_TILE ? first : RASTER_TILE);

    end = end < RASTER_TILE ? end : RASTER_TILE;
    for (int32_t row = 0; row < begin; row++) {
        begin = backdrop[row] != 0 ? row : begin;
    }
    for (int32_t row = RASTER_TILE - 1; row >= end; row--) {
        end = backdrop[row] != 0 ? row + 1 : end;
    }
    return begin < end ? (raster_span){(uint32_t)begin, (uint32_t)end} : (raster_span){0, 0};
}

/*
 * raster_piece_add_short() without the adding.  Dividing in double gives the same whole numbers:
 * the quotient has 28 bits, and what its fraction lacks to the next one is no less than 1/512.
 */
RASTER_VECTOR
static void weigh(piece_list *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const int32_t left = p->from[i] < p->to[i] ? p->from[i] : p->to[i];
        const int32_t right = p->from[i] < p->to[i] ? p->to[i] : p->from[i];
        const int32_t column = left >> RASTER_SHIFT;
        const int32_t border = (column + 1) * RASTER_ONE;
        const int32_t middle = right < border ? right : border;
        const int32_t width = right - left > 1 ? right - left : 1;
        const int32_t height = p->height[i] < 0 ? -p->height[i] : p->height[i];
        const int32_t rise = (int32_t)((double)(height << 20) / (double)width);
        /* Left of the border; all of it where the piece does not go beyond. */
        const int32_t part = (int32_t)(((uint32_t)(border - left) * (uint32_t)rise) >> 20);
        const int32_t above = right <= border ? height : part;
        const int32_t before = p->height[i] < 0 ? -above : above;
        const int32_t behind = p->height[i] - before;
        const int32_t rest = before * (left + middle - 2 * RASTER_ONE * column);
        const int32_t last = behind * (right - middle);
        p->cell[i] = column * RASTER_TILE + p->row[i];
        p->first[i] = before * (2 * RASTER_ONE) - rest;
        p->second[i] = rest + behind * (2 * RASTER_ONE) - last;
        p->third[i] = last;
    }
}

/* Adds the list's pieces and empties it.  The third column can be one behind the cells, where 0 is
 * added. */
static void add_pieces(piece_list *p, int32_t *cells)
{
    const uint32_t count = p->count;
    const uint32_t whole = (count + PIECES_AT_ONCE - 1) / PIECES_AT_ONCE * PIECES_AT_ONCE;

    for (uint32_t i = count; i < whole; i++) {
        p->from[i] = p->to[i] = p->height[i] = p->row[i] = 0;
    }
    weigh(p, whole);
    for (uint32_t i = 0; i < count; i++) {
        int32_t *cell = cells + p->cell[i];
        cell[0] += p->first[i];
        cell[RASTER_TILE] += p->second[i];
        cell[2 * RASTER_TILE] += p->third[i];
    }
    p->count = 0;
}

/* A piece of any columns; flat, so that the grid's numbers are constants in it. */
__attribute__((noinline, flatten)) static void add_any(int32_t *row, const raster_piece *piece,
                                                       int32_t sign)
{
    const raster_grid grid = {.columns = RASTER_TILE, .column_step = RASTER_TILE};

    raster_piece_add(&grid, row, piece, sign);
}

/* Any edge, with its slope where it has several rows: piece by piece, on the list if it can be. */
__attribute__((noinline)) static void add_leaving(piece_list *p, int32_t *cells,
                                                  const raster_edge *e)
{
    const int32_t bottom = (e->y1 - 1) >> RASTER_SHIFT;
    int32_t row = e->y0 > 0 ? e->y0 >> RASTER_SHIFT : 0;
    int32_t ya = e->y0 > 0 ? e->y0 : 0;
    int32_t xa = raster_edge_x(e, ya);

    for (; row <= bottom && row < RASTER_TILE; row++) {
        const int32_t yb = row == bottom ? e->y1 : (row + 1) * RASTER_ONE;
        const int32_t xb = raster_edge_x(e, yb);
        const int32_t columns = (xa >> RASTER_SHIFT) - (xb >> RASTER_SHIFT);
        if ((uint32_t)(xa | xb) < TILE_ONE && (uint32_t)(columns + 1) <= 2) {
            const uint32_t i = p->count++;
            p->from[i] = xa;
            p->to[i] = xb;
            p->height[i] = e->sign * (yb - ya);
            p->row[i] = row;
        } else if ((xa & xb) >= 0 && (xa < TILE_ONE || xb < TILE_ONE)) {
            const raster_piece piece = raster_piece_between(xa, ya, xb, yb);
            add_any(cells + row, &piece, e->sign);
        }
        xa = xb;
        ya = yb;
    }
}

/*
 * Cuts a steep edge of several rows and of the tile's columns: no piece has more than two.  Where
 * it is at the end of a row is a sum of equal steps, which is as exact as raster_edge_x()'s
 * product.
 */
static inline void cut_steep(piece_list *p, const raster_edge *e)
{
    const int32_t bottom = (e->y1 - 1) >> RASTER_SHIFT;
    const int32_t end = bottom < RASTER_TILE ? bottom : RASTER_TILE;
    const int32_t back = e->x1 > e->x0 ? 0 : -1; /* -1: x falls */
    const int32_t full = e->sign * RASTER_ONE;
    uint32_t i = p->count;
    int32_t row = e->y0 >> RASTER_SHIFT;
    int32_t xa = e->x0;
    int32_t height = e->sign * ((row + 1) * RASTER_ONE - e->y0);
    uint64_t run = (uint64_t)(uint32_t)((row + 1) * RASTER_ONE - e->y0) * e->slope;

    if (row < 0) {
        run = (uint64_t)(uint32_t)-e->y0 * e->slope;
        xa += ((int32_t)(run >> 32) ^ back) - back;
        run += e->slope << RASTER_SHIFT;
        row = 0;
        height = full;
    }
    for (; row < end; row++, i++) {
        const int32_t xb = e->x0 + (((int32_t)(run >> 32) ^ back) - back);
        p->from[i] = xa;
        p->to[i] = xb;
        p->height[i] = height;
        p->row[i] = row;
        xa = xb;
        height = full;
        run += e->slope << RASTER_SHIFT;
    }
    if (bottom < RASTER_TILE) {
        const int32_t last = e->y1 - bottom * RASTER_ONE;
        p->from[i] = xa;
        p->to[i] = e->x1;
        p->height[i] = e->sign * last;
        p->row[i] = bottom;
        i++;
    }
    p->count = i;
}

static inline void put_line(piece_list *p, int32_t *cells, raster_edge *e)
{
    const int32_t row = e->y0 >> RASTER_SHIFT;
    const int32_t columns = (e->x0 >> RASTER_SHIFT) - (e->x1 >> RASTER_SHIFT);
    const int32_t across = e->x1 > e->x0 ? e->x1 - e->x0 : e->x0 - e->x1;
    const bool within = (uint32_t)(e->x0 | e->x1) < TILE_ONE;

    if (row != (e->y1 - 1) >> RASTER_SHIFT) {
        e->slope = ((uint64_t)(uint32_t)across << 32) / (uint32_t)(e->y1 - e->y0);
        if (within && across <= e->y1 - e->y0) {
            cut_steep(p, e);
            return;
        }
    } else if (within && (uint32_t)(columns + 1) <= 2) {
        const uint32_t i = p->count++;
        p->from[i] = e->x0;
        p->to[i] = e->x1;
        p->height[i] = e->sign * (e->y1 - e->y0);
        p->row[i] = row;
        return;
    }
    add_leaving(p, cells, e);
}

/* The columns of cells between two places, to either side of the tile cut off. */
static void touched_columns(raster_touched *t, int32_t left, int32_t right)
{
    const int32_t first = left < 0 ? 0 : left >> RASTER_SHIFT;
    const int32_t end = (right >> RASTER_SHIFT) + 2;

    t->first = (uint32_t)(first < RASTER_TILE ? first : RASTER_TILE);
    t->end = (uint32_t)(end < RASTER_TILE + 1 ? end : RASTER_TILE + 1);
    t->end = t->end > t->first ? t->end : t->first;
}

raster_touched raster_add_lines(const raster_cover_job *job, int32_t *cells)
{
    const raster_line *lines = job->plan->lines;
    const uint32_t *ref = job->plan->refs + job->edges->first_ref;
    const uint32_t *end = ref + job->edges->ref_count;
    const int32_t x = job->x * RASTER_ONE;
    const int32_t y = job->y * RASTER_ONE;
    int32_t top = TILE_ONE;
    int32_t bottom = 0;
    int32_t left = TILE_ONE;
    int32_t right = -2 * RASTER_ONE;
    raster_touched touches;
    piece_list pieces;

    pieces.count = 0;
    for (; ref < end; ref++) {
        const raster_line *from = &lines[*ref & ~RASTER_REF_FIRST];
        /* Nothing that a line does depends on where the tile is. */
        const raster_line line = {from->x0 - x, from->y0 - y, from->x1 - x, from->y1 - y};
        raster_edge e = raster_turned(line, 0);
        top = e.y0 < top ? e.y0 : top;
        bottom = e.y1 > bottom ? e.y1 : bottom;
        left = e.x0 < left ? e.x0 : left;
        left = e.x1 < left ? e.x1 : left;
        right = e.x0 > right ? e.x0 : right;
        right = e.x1 > right ? e.x1 : right;
        if (pieces.count > PIECES - RASTER_TILE) {
            add_pieces(&pieces, cells);
        }
        put_line(&pieces, cells, &e);
    }
    add_pieces(&pieces, cells);
    touches.rows = touched_rows(job->edges->backdrop, top >> RASTER_SHIFT,
                                (bottom + RASTER_ONE - 1) >> RASTER_SHIFT);
    touched_columns(&touches, left, right);
    return touches;
}
