/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One shape of a plan: its lines to edges of tiles, its inside to whole tiles.
 *
 * The grid has one entry for each tile of the shape's bounds, the index of the tile's raster_edges,
 * made when the first line touches the tile.  Until its row of tiles is gone through, `first_ref`
 * of such edges is the head of a list of nodes, and `backdrop` holds the heights of the lines in
 * the tile itself.
 */
#include "render/svg/plan.h"

#include <string.h>

#include "kernels/raster_math.h"
#include "pool/os.h"

#define TILE_ONE   (RASTER_TILE * RASTER_ONE)
#define TILE_SHIFT (RASTER_TILE_SHIFT + RASTER_SHIFT)

/* Set in a grid's entry when the backdrop on the tile's right goes around more than once. */
#define GRID_WIDE  UINT32_C(0x80000000)
#define GRID_EMPTY UINT32_C(0x7fffffff)
/* Of a node: the line is on the tile's right border. */
#define NODE_BORDER UINT32_C(0x40000000)

/* The deadline is looked at every so many lines, of all shapes together: one path may have a
 * million. */
#define LINES_PER_LOOK UINT32_C(8192)

/* Bounds of the shape in tiles: columns and rows first .. last; column -1 is left of the canvas. */
typedef struct shape {
    plan *p;
    const raster_command *command;
    uint32_t first_line;
    int32_t x0, y0, x1, y1;
    int32_t columns;
    int32_t right; /* of what can be seen, 1/256 pixel */
    bool wide;
} shape;

/* Copied rather than cleared: a compiler clears 80 bytes with an instruction that is slow to start.
 */
static const raster_edges no_edges = {.first_ref = RASTER_NONE};

/* The edges of a tile within the grid, made if need be; NULL: the plan has failed. */
static raster_edges *edges_of(shape *s, int32_t x, int32_t y)
{
    plan *p = s->p;
    uint32_t *slot = &p->grid[(y - s->y0) * s->columns + (x - s->x0)];

    if (*slot == GRID_EMPTY) {
        if (p->edges_count == p->edges_capacity &&
            !plan_grow(p, (void **)&p->edges, &p->edges_capacity, (uint64_t)p->edges_count + 1,
                       sizeof(*p->edges))) {
            return NULL;
        }
        *slot = p->edges_count++;
        p->edges[*slot] = no_edges;
    }
    return &p->edges[*slot];
}

/* Enters a line into the list of one tile. */
static raster_edges *enter(shape *s, int32_t x, int32_t y, uint32_t ref)
{
    plan *p = s->p;
    raster_edges *edges = edges_of(s, x, y);

    if (edges == NULL || (p->node_count == p->node_capacity &&
                          !plan_grow(p, (void **)&p->nodes, &p->node_capacity,
                                     (uint64_t)p->node_count + 1, sizeof(*p->nodes)))) {
        return NULL;
    }
    p->nodes[p->node_count] = (plan_node){.ref = ref, .next = edges->first_ref};
    edges->first_ref = p->node_count++;
    /* Until the row is gone through, row_ref counts lines on the border. */
    if ((ref & NODE_BORDER) != 0) {
        edges->row_ref++;
    } else {
        edges->ref_count++;
    }
    return edges;
}

/* Adds the heights of an edge between ya and yb, all in one row of tiles, to its one tile. */
static void add_heights(raster_edges *edges, const raster_edge *e, int32_t ya, int32_t yb)
{
    const int32_t first = ya >> RASTER_SHIFT;
    const int32_t last = (yb - 1) >> RASTER_SHIFT;

    if (first == last) {
        edges->backdrop[first & (RASTER_TILE - 1)] += e->sign * (yb - ya);
        return;
    }
    edges->backdrop[first & (RASTER_TILE - 1)] += e->sign * ((first + 1) * RASTER_ONE - ya);
    for (int32_t row = first + 1; row < last; row++) {
        edges->backdrop[row & (RASTER_TILE - 1)] += e->sign * RASTER_ONE;
    }
    edges->backdrop[last & (RASTER_TILE - 1)] += e->sign * (yb - last * RASTER_ONE);
}

/* The same for an edge that lies in the tiles first .. last of the row: row by row, part by part.
 */
static void spread_heights(shape *s, const raster_edge *e, int32_t y, int32_t first, int32_t last)
{
    plan *p = s->p;
    const uint32_t *slots = &p->grid[(y - s->y0) * s->columns];
    const int32_t ya = e->y0 > y * TILE_ONE ? e->y0 : y * TILE_ONE;
    const int32_t yb = e->y1 < (y + 1) * TILE_ONE ? e->y1 : (y + 1) * TILE_ONE;

    for (int32_t row = ya >> RASTER_SHIFT; row <= (yb - 1) >> RASTER_SHIFT; row++) {
        const raster_piece piece = raster_piece_of(e, row * RASTER_ONE);
        int32_t below = 0;
        for (int32_t x = first; x <= last; x++) {
            const int32_t to = raster_piece_height(&piece, (x + 1) * TILE_ONE);
            p->edges[slots[x - s->x0]].backdrop[row & (RASTER_TILE - 1)] += e->sign * (to - below);
            below = to;
        }
    }
}

/* Enters an upright line on the right border of column x. */
static void enter_border(shape *s, const raster_edge *e, int32_t x, uint32_t line)
{
    const int32_t top = e->y0 >> TILE_SHIFT;
    const int32_t bottom = (e->y1 - 1) >> TILE_SHIFT;

    for (int32_t y = top > s->y0 ? top : s->y0; y <= bottom && y <= s->y1; y++) {
        raster_edges *edges = enter(s, x, y, line | NODE_BORDER | RASTER_REF_FIRST);
        if (edges == NULL) {
            return;
        }
        add_heights(edges, e, y == top ? e->y0 : y * TILE_ONE,
                    y == bottom ? e->y1 : (y + 1) * TILE_ONE);
    }
}

/* Enters a line that lies in more than one tile. */
static void enter_long(shape *s, const raster_edge *e, uint32_t line)
{
    const int32_t top = e->y0 >> TILE_SHIFT;
    const int32_t bottom = (e->y1 - 1) >> TILE_SHIFT;
    const int32_t row_first = top > s->y0 ? top : s->y0;
    const int32_t row_last = bottom < s->y1 ? bottom : s->y1;

    for (int32_t y = row_first; y <= row_last; y++) {
        const int32_t ya = y == top ? e->y0 : y * TILE_ONE;
        const int32_t yb = y == bottom ? e->y1 : (y + 1) * TILE_ONE;
        const int32_t xa = raster_edge_x(e, ya) >> TILE_SHIFT;
        const int32_t xb = raster_edge_x(e, yb) >> TILE_SHIFT;
        const int32_t first = xa < xb ? xa : xb;
        int32_t last = xa < xb ? xb : xa;
        const bool one = first == last;
        raster_edges *edges = NULL;

        last = last < s->x1 ? last : s->x1;
        for (int32_t x = first; x <= last; x++) {
            edges = enter(s, x, y, line | (x == first ? RASTER_REF_FIRST : 0u));
            if (edges == NULL) {
                return;
            }
        }
        if (one && edges != NULL) {
            add_heights(edges, e, ya, yb);
        } else if (!one) {
            spread_heights(s, e, y, first, last);
        }
    }
}

/* Enters a line into every tile that it touches. */
static void enter_line(shape *s, uint32_t line)
{
    raster_edge e = raster_turned(s->p->lines.lines[line], 0);
    const int32_t column = e.x0 >> TILE_SHIFT;
    const int32_t tile_row = e.y0 >> TILE_SHIFT;

    if (e.x0 >= s->right && e.x1 >= s->right) {
        return;
    }
    if (e.x0 == e.x1 && (e.x0 & (TILE_ONE - 1)) == 0) {
        enter_border(s, &e, column - 1, line);
        return;
    }
    if (column == e.x1 >> TILE_SHIFT && tile_row == (e.y1 - 1) >> TILE_SHIFT) {
        if (tile_row >= s->y0 && tile_row <= s->y1) {
            raster_edges *edges = enter(s, column, tile_row, line | RASTER_REF_FIRST);
            if (edges != NULL) {
                add_heights(edges, &e, e.y0, e.y1);
            }
        }
        return;
    }
    e.slope = raster_slope(&e);
    enter_long(s, &e, line);
}

/* Bounds of the shape's lines, cut to what can be seen; false: nothing. */
static bool measure(shape *s)
{
    const plan *p = s->p;
    int32_t x0 = INT32_MAX;
    int32_t x1 = 0;
    int32_t y0 = INT32_MAX;
    int32_t y1 = 0;
    int64_t area = 0; /* signed, twice */

    for (uint32_t i = s->first_line; i < p->lines.count; i++) {
        const raster_line l = p->lines.lines[i];
        area += (int64_t)(l.x0 + l.x1) * (l.y1 - l.y0);
        const int32_t left = l.x0 < l.x1 ? l.x0 : l.x1;
        const int32_t right = l.x0 < l.x1 ? l.x1 : l.x0;
        const int32_t top = l.y0 < l.y1 ? l.y0 : l.y1;
        const int32_t bottom = l.y0 < l.y1 ? l.y1 : l.y0;
        x0 = left < x0 ? left : x0;
        x1 = right > x1 ? right : x1;
        y0 = top < y0 ? top : y0;
        y1 = bottom > y1 ? bottom : y1;
    }
    /* More area than its bounds have room for: it covers something twice. */
    area = area < 0 ? -area : area;
    s->wide = x1 > x0 && y1 > y0 && area > 2 * (int64_t)(x1 - x0) * (y1 - y0);
    const plan_region seen = p->region;
    if (y1 <= y0 || seen.x1 <= seen.x0 || seen.y1 <= seen.y0) {
        return false;
    }
    s->right = (int32_t)seen.x1 * TILE_ONE;
    s->right =
        s->right < (int32_t)p->width * RASTER_ONE ? s->right : (int32_t)p->width * RASTER_ONE;
    s->x0 = (x0 - 1) >> TILE_SHIFT;
    s->x1 = x1 >> TILE_SHIFT;
    s->y0 = y0 >> TILE_SHIFT;
    s->y1 = (y1 - 1) >> TILE_SHIFT;
    s->x1 = s->x1 < (int32_t)seen.x1 ? s->x1 : (int32_t)seen.x1 - 1;
    s->y0 = s->y0 > (int32_t)seen.y0 ? s->y0 : (int32_t)seen.y0;
    s->y1 = s->y1 < (int32_t)seen.y1 ? s->y1 : (int32_t)seen.y1 - 1;
    s->columns = s->x1 - s->x0 + 1;
    return s->x0 <= s->x1 && s->y0 <= s->y1;
}

typedef enum cover { COVER_NOTHING, COVER_ROWS, COVER_ALL } cover;

/*
 * What a tile without lines shows of a backdrop: its first `rows` numbers, those within the canvas.
 * It is full only where all rows are alike: half of a row, drawn twice, looks like a whole one.
 */
static cover cover_of(const int32_t *backdrop, uint32_t rule, uint32_t rows)
{
    int32_t unlike = 0;

    for (uint32_t i = 0; i < rows; i++) {
        unlike |= backdrop[i] ^ backdrop[0];
    }
    if (unlike != 0) {
        return COVER_ROWS;
    }
    const int32_t area = raster_area(backdrop[0] * (2 * RASTER_ONE), rule);
    return area == RASTER_FULL ? COVER_ALL : (area == 0 ? COVER_NOTHING : COVER_ROWS);
}

static bool goes_around_twice(const int32_t *backdrop, uint32_t rows)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < rows; i++) {
        const uint32_t height = (uint32_t)(backdrop[i] < 0 ? -backdrop[i] : backdrop[i]);
        most |= height + (RASTER_ONE - 1);
    }
    /* Up to RASTER_ONE, the sum stays below twice that. */
    return most >= 2 * RASTER_ONE;
}

/* The tile's heights become its backdrop, and what was before and in it the next one's. */
static void move_on(int32_t *DP_RESTRICT backdrop, int32_t *DP_RESTRICT running, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++) {
        const int32_t height = backdrop[i];
        backdrop[i] = running[i];
        running[i] += height;
    }
}

/* What is known while going along a row of tiles. */
typedef struct row_walk {
    int32_t running[RASTER_TILE];
    uint32_t row_ref;
    uint32_t rows; /* of the canvas */
    uint32_t bare; /* edges of tiles without lines, RASTER_NONE: not made yet */
    cover state;   /* of tiles without lines */
    bool wide;     /* goes around twice here */
} row_walk;

/* Turns a tile's list into refs and its heights into its backdrop; `running` moves on past it. */
static bool settle(plan *p, uint32_t index, row_walk *w)
{
    raster_edges *edges = &p->edges[index];
    const uint32_t first = p->ref_count;
    const uint32_t count = edges->ref_count + edges->row_ref;

    if ((uint64_t)first + count > p->ref_capacity &&
        !plan_grow(p, (void **)&p->refs, &p->ref_capacity, (uint64_t)first + count,
                   sizeof(*p->refs))) {
        return false;
    }
    uint32_t *refs = p->refs + first;
    uint32_t *border = refs + edges->ref_count;
    for (uint32_t i = edges->first_ref; i != RASTER_NONE; i = p->nodes[i].next) {
        const uint32_t ref = p->nodes[i].ref;
        if ((ref & NODE_BORDER) != 0) {
            *border++ = ref & ~NODE_BORDER;
        } else {
            *refs++ = ref;
        }
    }
    p->ref_count += count;
    edges->first_ref = first;
    edges->row_ref = w->row_ref;
    move_on(edges->backdrop, w->running, w->rows);
    return true;
}

/* Edges without lines, for a run of tiles that are full in some rows. */
static uint32_t bare_edges(plan *p, uint32_t row_ref, const int32_t running[RASTER_TILE])
{
    if (p->edges_count == p->edges_capacity &&
        !plan_grow(p, (void **)&p->edges, &p->edges_capacity, (uint64_t)p->edges_count + 1,
                   sizeof(*p->edges))) {
        return RASTER_NONE;
    }
    raster_edges *edges = &p->edges[p->edges_count];
    *edges = (raster_edges){.first_ref = p->ref_count, .row_ref = row_ref};
    memcpy(edges->backdrop, running, sizeof(edges->backdrop));
    return p->edges_count++;
}

/* Gives the edges of a tile that no line touches; false: it is empty. */
static bool bare_tile(plan *p, row_walk *w, uint32_t *edges)
{
    *edges = RASTER_NONE;
    if (w->state == COVER_ROWS) {
        w->bare = w->bare == RASTER_NONE ? bare_edges(p, w->row_ref, w->running) : w->bare;
        *edges = w->bare;
    }
    return w->state != COVER_NOTHING;
}

/* Moves on to the next tile of the row; gives what to paint in this one; false: nothing. */
static bool next_tile(shape *s, row_walk *w, uint32_t *slot, uint32_t *edges)
{
    plan *p = s->p;
    const uint32_t own = slot != NULL ? *slot : GRID_EMPTY;
    const bool lines = own != GRID_EMPTY && p->edges[own].ref_count != 0;
    bool wide = w->wide;
    bool paint = true;

    *edges = own;
    if (!lines) {
        paint = bare_tile(p, w, edges);
    }
    if (own != GRID_EMPTY) {
        if (!settle(p, own, w)) {
            return false;
        }
        w->state = cover_of(w->running, s->command->mode, w->rows);
        w->wide = goes_around_twice(w->running, w->rows);
        w->bare = RASTER_NONE;
        wide = wide || w->wide;
    }
    if (slot != NULL) {
        *slot = (paint && *edges != RASTER_NONE ? *edges : GRID_EMPTY) | (wide ? GRID_WIDE : 0u);
        s->wide = s->wide || wide;
    }
    return paint;
}

/* Goes along one row of tiles. */
static void emit_row(shape *s, int32_t y)
{
    plan *p = s->p;
    const uint32_t rest = p->height - (uint32_t)y * RASTER_TILE;
    uint32_t *slots = &p->grid[(y - s->y0) * s->columns];
    raster_command command = *s->command;
    row_walk w;

    memcpy(w.running, no_edges.backdrop, sizeof(w.running));
    w.row_ref = p->ref_count;
    w.rows = rest < RASTER_TILE ? rest : RASTER_TILE;
    w.bare = RASTER_NONE;
    w.state = COVER_NOTHING;
    w.wide = false;

    for (int32_t x = s->x0; x < (int32_t)p->region.x1 && p->status == DP_OK; x++) {
        const bool inside = x <= s->x1;
        if (!inside && w.state == COVER_NOTHING) {
            break;
        }
        const bool paint = next_tile(s, &w, inside ? slots + (x - s->x0) : NULL, &command.edges);
        if (paint && x >= (int32_t)p->region.x0) {
            plan_emit(p, (uint32_t)y * p->columns + (uint32_t)x, &command);
        }
    }
}

/*
 * Pieces of a stroke overlap where they meet, and nowhere else need anybody look closer.  But a
 * side that is drawn twice along a tile's border shows in the tile beyond as a row of at most one,
 * and only the tile on this side can tell: it asks its neighbours to look closer.
 */
static void warn_neighbours(const shape *s)
{
    const plan *p = s->p;
    const int32_t count = s->columns * (s->y1 - s->y0 + 1);

    for (int32_t i = 0; i < count; i++) {
        if ((p->grid[i] & GRID_WIDE) == 0) {
            continue;
        }
        if (i >= s->columns && (p->grid[i - s->columns] & GRID_EMPTY) != GRID_EMPTY) {
            p->edges[p->grid[i - s->columns] & GRID_EMPTY].overlaps |= 1u << (RASTER_TILE - 1);
        }
        if (i + s->columns < count && (p->grid[i + s->columns] & GRID_EMPTY) != GRID_EMPTY) {
            p->edges[p->grid[i + s->columns] & GRID_EMPTY].overlaps |= 1u;
        }
    }
}

void plan_shape(plan *p, uint32_t first_line, const raster_command *command)
{
    shape s = {.p = p, .command = command, .first_line = first_line};

    if (p->status != DP_OK || !measure(&s)) {
        return;
    }
    const uint32_t tiles = (uint32_t)(s.columns * (s.y1 - s.y0 + 1));
    if (!plan_grow(p, (void **)&p->grid, &p->grid_capacity, tiles, sizeof(*p->grid))) {
        return;
    }
    for (uint32_t i = 0; i < tiles; i++) {
        p->grid[i] = GRID_EMPTY;
    }
    const uint32_t first_edges = p->edges_count;
    p->node_count = 0;
    for (uint32_t i = first_line; i < p->lines.count && p->status == DP_OK; i++) {
        enter_line(&s, i);
        if (i % LINES_PER_LOOK == 0) {
            plan_look_at_clock(p);
        }
    }
    for (int32_t y = s.y0; y <= s.y1 && p->status == DP_OK; y++) {
        emit_row(&s, y);
    }
    if (!s.wide || command->mode != RASTER_NON_ZERO || p->status != DP_OK) {
        return;
    }
    if (p->pieces) {
        warn_neighbours(&s);
        return;
    }
    for (uint32_t i = first_edges; i < p->edges_count; i++) {
        p->edges[i].overlaps = (1u << RASTER_TILE) - 1;
    }
}
