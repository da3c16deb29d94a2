/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GPU's fine pass: one block draws one tile, one thread a pixel of it.
 *
 * A shape's lines become pieces of a row, which all threads add to cells in shared memory, in any
 * order: they are integers.  Then every thread sums its row up to its own pixel.  Pixels beside
 * which the shape overlaps itself are done again in fine cells, FINE_ROWS rows at a time.  Colour
 * and clip are registers; what a level keeps of them is the thread's own (local) memory, which only
 * tiles with levels touch.  All threads of a block run the same commands, so that barriers meet.
 */
#include "kernels/raster_batch.h"

#include "kernels/cuda_block.h"
#include "kernels/cuda_launch.h"

#define RASTER_ADD(cell, value) atomicAdd((cell), (value))
#include "kernels/raster_math.h"

#define BLOCK 256u
/* Blocks that a multiprocessor shall hold at once, by its registers and its shared memory. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define BLOCKS_PER_UNIT 3
#else
#define BLOCKS_PER_UNIT 5
#endif
#define STRIDE      (RASTER_TILE + 1)
#define FINE_STRIDE (RASTER_FINE_COLUMNS + 1)
/* Rows of pixels whose fine cells are in shared memory at once. */
#define FINE_ROWS   1
#define FINE_PARTS  (FINE_ROWS * RASTER_FINE * RASTER_TILE)
#define SUMS_STRIDE (RASTER_TILE + 2)

static_assert(BLOCK == RASTER_TILE_PIXELS && BLOCK <= CUDA_BLOCK_MAX, "one thread a pixel");

struct raster_shared {
    int32_t cells[RASTER_TILE * STRIDE];
    int32_t fine[FINE_ROWS * RASTER_FINE * FINE_STRIDE];
    int32_t parts[FINE_PARTS];
    /* Sums of the pixels, of the backdrop on their left and of what is on their right. */
    int32_t sums[RASTER_TILE * SUMS_STRIDE];
    uint32_t areas[FINE_ROWS * RASTER_TILE];
    /* Of the current shape; two of each, taken in turns, so that the next shape may begin while a
     * thread still looks at the last one's. */
    int32_t begin[2], end[2]; /* rows that it touches */
    uint32_t overlaps[2];     /* bit: row to be looked at closely */
    uint32_t closer[2];       /* bit: row with pixels to be done in fine cells */
};

/* What is put aside when a level begins. */
struct raster_kept {
    uint32_t below; /* the pixel under a group */
    uint8_t outer;  /* K outside */
    uint8_t extra;  /* U or M */
};

/* One thread's machine; raster.h names the letters. */
struct raster_own {
    uint32_t pixel;    /* P's top */
    uint32_t clip;     /* K */
    uint32_t coverage; /* of the current shape */
    uint32_t closer;   /* 1: to be done in fine cells */
    raster_kept levels[RASTER_DEPTH_MAX];
};

/* What is the same for all threads of a block. */
struct raster_view {
    const raster_device_plan *plan;
    const raster_line *lines;
    const uint32_t *refs;
    int32_t x, y; /* the tile's upper left pixel */
};

__device__ static uint32_t channel_of(uint32_t rgba, int channel)
{
    return (rgba >> (8 * channel)) & 255u;
}

/* ---- coverage -------------------------------------------------------------------------------- */

__device__ static raster_line line_at(const raster_view &view, uint32_t ref)
{
    const int4 raw = reinterpret_cast<const int4 *>(view.lines)[view.refs[ref] & ~RASTER_REF_FIRST];
    raster_line out;
    out.x0 = raw.x;
    out.y0 = raw.y;
    out.x1 = raw.z;
    out.y1 = raw.w;
    return out;
}

/* Adds what a line does in the row `y` of a grid's cells, which are those of that row alone. */
__device__ static void add_row(const raster_grid &grid, const raster_edge &edge, int32_t y)
{
    if (y >= edge.y0 >> RASTER_SHIFT && y <= (edge.y1 - 1) >> RASTER_SHIFT) {
        const raster_piece piece = raster_piece_of(&edge, y * RASTER_ONE);
        raster_piece_add(&grid, grid.cells, &piece, edge.sign);
    }
}

__device__ static raster_grid grid_of(int32_t *cells, int32_t x, int32_t columns, int32_t left)
{
    raster_grid grid;
    grid.cells = cells;
    grid.x = x;
    grid.y = 0;
    grid.columns = columns;
    grid.rows = 1;
    grid.column_step = 1;
    grid.row_step = 0;
    grid.left = left;
    return grid;
}

/* Threads take pairs of a line and a row. */
__device__ static void add_lines(raster_shared &s, const raster_view &view,
                                 const raster_edges *edges, uint32_t turn)
{
    const uint32_t items = edges->ref_count * RASTER_TILE;

    for (uint32_t i = threadIdx.x; i < items; i += BLOCK) {
        const int32_t row = (int32_t)(i % RASTER_TILE);
        const raster_edge edge =
            raster_edge_of(line_at(view, edges->first_ref + i / RASTER_TILE), 0);
        if (row == 0) {
            atomicMin(&s.begin[turn], (edge.y0 >> RASTER_SHIFT) - view.y);
            atomicMax(&s.end[turn], ((edge.y1 - 1) >> RASTER_SHIFT) - view.y + 1);
        }
        add_row(grid_of(s.cells + row * STRIDE, view.x, RASTER_TILE, 0), edge, view.y + row);
    }
    if (threadIdx.x < RASTER_TILE && edges->backdrop[threadIdx.x] != 0) {
        atomicMin(&s.begin[turn], (int32_t)threadIdx.x);
        atomicMax(&s.end[turn], (int32_t)threadIdx.x + 1);
    }
}

/* The sum at the thread's pixel; the row's last thread looks for overlaps. */
__device__ static int32_t sum_cells(raster_shared &s, int32_t backdrop, uint32_t turn)
{
    const int32_t row = (int32_t)(threadIdx.x / RASTER_TILE);
    const int32_t column = (int32_t)(threadIdx.x % RASTER_TILE);
    const int32_t *cells = s.cells + row * STRIDE;
    int32_t *sums = s.sums + row * SUMS_STRIDE + 1;
    int32_t run = backdrop * (2 * RASTER_ONE);
    int32_t low = run, high = run;

    if (column == 0) {
        sums[-1] = run;
    }
    for (int32_t i = 0; i <= column; i++) {
        run += cells[i];
        low = run < low ? run : low;
        high = run > high ? run : high;
    }
    sums[column] = run;
    if (column == RASTER_TILE - 1) {
        const int32_t after = run + cells[RASTER_TILE];
        sums[RASTER_TILE] = after;
        low = after < low ? after : low;
        high = after > high ? after : high;
        if (raster_overlaps(low, high)) {
            /* And the rows beside it, as raster_cover_cpu.c says. */
            atomicOr(&s.overlaps[turn], (7u << row) >> 1);
        }
    }
    return run;
}

/* Whether the thread's pixel, in a row that is looked at closely, is to be done in fine cells. */
__device__ static uint32_t looks_closer(const raster_shared &s, uint32_t overlaps)
{
    const int32_t row = (int32_t)(threadIdx.x / RASTER_TILE);
    const int32_t *own = s.sums + row * SUMS_STRIDE + 1 + threadIdx.x % RASTER_TILE;
    int32_t low = *own, high = *own;

    for (int32_t dy = row > 0 ? -1 : 0; dy <= (row < RASTER_TILE - 1 ? 1 : 0); dy++) {
        for (int32_t dx = -1; dx <= 1; dx++) {
            const int32_t sum = own[dy * SUMS_STRIDE + dx];
            low = sum < low ? sum : low;
            high = sum > high ? sum : high;
        }
    }
    return raster_looks_closer(*own, low, high, (int32_t)(overlaps >> row & 1u)) ? 1u : 0u;
}

/* Rows [first, first + FINE_ROWS) in fine cells: those of `rows` (a bit each). */
__device__ static void add_fine_lines(raster_shared &s, const raster_view &view,
                                      const raster_edges *edges, int32_t first, uint32_t rows)
{
    const uint32_t per_line = FINE_ROWS * RASTER_FINE;
    const uint32_t items = (edges->first_ref + edges->ref_count - edges->row_ref) * per_line;

    for (uint32_t i = threadIdx.x; i < items; i += BLOCK) {
        const uint32_t ref = edges->row_ref + i / per_line;
        const int32_t fine_row = (int32_t)(i % per_line);
        if ((rows >> (first + fine_row / RASTER_FINE) & 1u) == 0 ||
            (view.refs[ref] & RASTER_REF_FIRST) == 0) {
            continue;
        }
        const raster_edge edge = raster_edge_of(line_at(view, ref), RASTER_FINE_SHIFT);
        add_row(
            grid_of(s.fine + fine_row * FINE_STRIDE, view.x * RASTER_FINE, RASTER_FINE_COLUMNS, 1),
            edge, (view.y + first) * RASTER_FINE + fine_row);
    }
}

/* Threads take pairs of a pixel and one of its rows of fine cells: first what is in them, */
__device__ static void sum_fine_parts(raster_shared &s)
{
    for (uint32_t i = threadIdx.x; i < FINE_PARTS; i += BLOCK) {
        const int32_t *cells =
            s.fine + i / RASTER_TILE * FINE_STRIDE + i % RASTER_TILE * RASTER_FINE;
        int32_t sum = 0;
        for (int32_t x = 0; x < RASTER_FINE; x++) {
            sum += cells[x];
        }
        s.parts[i] = sum;
    }
}

/* then the sum from the left, cell by cell. */
__device__ static void sum_fine_areas(raster_shared &s)
{
    for (uint32_t i = threadIdx.x; i < FINE_PARTS; i += BLOCK) {
        const uint32_t fine_row = i / RASTER_TILE, column = i % RASTER_TILE;
        const int32_t *cells = s.fine + fine_row * FINE_STRIDE + column * RASTER_FINE;
        uint32_t area = 0;
        int32_t run = 0;
        for (uint32_t before = 0; before < column; before++) {
            run += s.parts[fine_row * RASTER_TILE + before];
        }
        for (int32_t x = 0; x < RASTER_FINE; x++) {
            run += cells[x];
            area += (uint32_t)raster_area(run, RASTER_NON_ZERO);
        }
        atomicAdd(&s.areas[fine_row / RASTER_FINE * RASTER_TILE + column], area);
    }
}

__device__ static void refine(raster_shared &s, const raster_view &view, const raster_edges *edges,
                              uint32_t rows, raster_own *own)
{
    for (int32_t first = 0; first < RASTER_TILE; first += FINE_ROWS) {
        if ((rows >> first & ((1u << FINE_ROWS) - 1u)) == 0) {
            continue;
        }
        CUDA_PHASE
        {
            for (uint32_t i = threadIdx.x; i < FINE_ROWS * RASTER_FINE * FINE_STRIDE; i += BLOCK) {
                s.fine[i] = 0;
            }
            if (threadIdx.x < FINE_ROWS * RASTER_TILE) {
                s.areas[threadIdx.x] = 0;
            }
        }
        CUDA_PHASE
        {
            add_fine_lines(s, view, edges, first, rows);
        }
        CUDA_PHASE
        {
            sum_fine_parts(s);
        }
        CUDA_PHASE
        {
            sum_fine_areas(s);
        }
        CUDA_PHASE
        {
            const int32_t row = (int32_t)(threadIdx.x / RASTER_TILE);
            if (row >= first && row < first + FINE_ROWS && CUDA_MINE(own).closer != 0) {
                CUDA_MINE(own).coverage = raster_coverage_fine(
                    s.areas[(row - first) * RASTER_TILE + (int32_t)(threadIdx.x % RASTER_TILE)]);
            }
        }
    }
}

/* The rows of `overlaps` that the shape touches. */
__device__ static uint32_t touched(const raster_shared &s, uint32_t turn)
{
    const int32_t begin = s.begin[turn] > 0 ? s.begin[turn] : 0;
    const int32_t end = s.end[turn] < RASTER_TILE ? s.end[turn] : RASTER_TILE;
    return begin < end ? s.overlaps[turn] & ((1u << end) - 1u) & ~((1u << begin) - 1u) : 0u;
}

/* Every thread's coverage by the shape, not yet clipped. */
__device__ static void cover(raster_shared &s, const raster_view &view, const raster_edges *edges,
                             uint32_t rule, uint32_t turn, raster_own *own)
{
    CUDA_PHASE
    {
        for (uint32_t i = threadIdx.x; i < RASTER_TILE * STRIDE; i += BLOCK) {
            s.cells[i] = 0;
        }
        if (threadIdx.x == 0) {
            s.begin[turn] = RASTER_TILE;
            s.end[turn] = 0;
            s.overlaps[turn] = edges->overlaps;
            s.closer[turn] = 0;
        }
    }
    CUDA_PHASE
    {
        add_lines(s, view, edges, turn);
    }
    CUDA_PHASE
    {
        const int32_t sum = sum_cells(s, edges->backdrop[threadIdx.x / RASTER_TILE], turn);
        CUDA_MINE(own).coverage = raster_coverage(raster_area(sum, rule));
    }
    if (rule == RASTER_NON_ZERO) {
        const uint32_t rows = touched(s, turn);
        if (rows != 0) {
            CUDA_PHASE
            {
                const uint32_t row = threadIdx.x / RASTER_TILE;
                CUDA_MINE(own).closer =
                    (rows >> row & 1u) != 0 ? looks_closer(s, edges->overlaps) : 0u;
                if (CUDA_MINE(own).closer != 0) {
                    atomicOr(&s.closer[turn], 1u << row);
                }
            }
            refine(s, view, edges, s.closer[turn], own);
        }
    }
}

/* ---- pixels ---------------------------------------------------------------------------------- */

__device__ static uint32_t over(uint32_t source, uint32_t coverage, uint32_t below)
{
    uint32_t out = 0;
    for (int i = 0; i < 4; i++) {
        out |= raster_over(channel_of(source, i), source >> 24, coverage, channel_of(below, i))
               << (8 * i);
    }
    return out;
}

__device__ static uint32_t blend(uint32_t mode, uint32_t source, uint32_t coverage, uint32_t below)
{
    if (mode == BLEND_NORMAL) {
        return over(source, coverage, below);
    }
    const uint32_t alpha = composite_div255((source >> 24) * coverage);
    uint32_t out = (uint32_t)blend_alpha((int32_t)alpha, (int32_t)(below >> 24), 255) << 24;
    for (int i = 0; i < 3; i++) {
        const uint32_t colour = composite_div255(channel_of(source, i) * coverage);
        out |= blend_channel(mode, colour, alpha, channel_of(below, i), below >> 24) << (8 * i);
    }
    return out;
}

__device__ static int32_t pixel_x(const raster_view &view)
{
    return view.x + (int32_t)(threadIdx.x % RASTER_TILE);
}

__device__ static int32_t pixel_y(const raster_view &view)
{
    return view.y + (int32_t)(threadIdx.x / RASTER_TILE);
}

__device__ static uint32_t shade(const raster_view &view, uint32_t index)
{
    const raster_gradient *gradient =
        reinterpret_cast<const raster_gradient *>(view.plan->gradients) + index;
    const uint32_t *ramp = reinterpret_cast<const uint32_t *>(view.plan->ramps) + gradient->ramp;
    return ramp[raster_gradient_index(gradient, pixel_x(view), pixel_y(view))];
}

__device__ static uint32_t fetch(const raster_view &view, uint32_t index)
{
    const raster_device_layer layer =
        reinterpret_cast<const raster_device_layer *>(view.plan->layers)[index];
    const int32_t x = pixel_x(view) - layer.x, y = pixel_y(view) - layer.y;
    if (x < 0 || y < 0 || x >= (int32_t)layer.width || y >= (int32_t)layer.height) {
        return 0;
    }
    return reinterpret_cast<const uint32_t *>(layer.pixels)[(size_t)y * layer.width + (size_t)x];
}

/* `level` is the innermost one, or the one that begins. */
__device__ static void enter(raster_own &own, raster_kept &level)
{
    level.below = own.pixel;
    level.outer = (uint8_t)own.clip;
    level.extra = 0;
    own.clip = 255;
}

/* Ends a group: its pixel by coverage over what was below. */
__device__ static void merge(raster_own &own, uint32_t mode, uint32_t coverage, uint32_t below)
{
    own.pixel = blend(mode, own.pixel, coverage, below);
}

__device__ static void ready_mask(raster_own &own, raster_kept &level, uint32_t by_alpha)
{
    level.extra = (uint8_t)(by_alpha != 0 ? own.pixel >> 24
                                          : raster_luminance(channel_of(own.pixel, 0),
                                                             channel_of(own.pixel, 1),
                                                             channel_of(own.pixel, 2)));
    own.pixel = 0;
    own.clip = 255;
}

/* One command at one pixel. */
__device__ static void step(const raster_view &view, const raster_command &command, raster_own &own,
                            raster_kept &level)
{
    const uint32_t drawn =
        command.edges == RASTER_NONE ? own.clip : composite_div255(own.coverage * own.clip);
    switch (command.op) {
    case RASTER_COLOUR:
        own.pixel = over(command.value, drawn, own.pixel);
        break;
    case RASTER_GRADIENT:
        own.pixel = over(shade(view, command.value), drawn, own.pixel);
        break;
    case RASTER_LAYER:
        own.pixel = blend(command.mode, fetch(view, command.value),
                          composite_div255(command.opacity * own.clip), own.pixel);
        break;
    case RASTER_CLIP_SHAPE:
        level.extra = (uint8_t)(level.extra + composite_div255(drawn * (255u - level.extra)));
        break;
    case RASTER_CLIP_READY:
        own.clip = command.mode != 0 ? 255u : composite_div255((uint32_t)level.extra * level.outer);
        own.pixel = command.mode != 0 ? 0u : own.pixel;
        break;
    case RASTER_CLIP_END:
        own.clip = level.outer;
        if (command.mode != 0) {
            merge(own, BLEND_NORMAL, composite_div255(level.extra * own.clip), level.below);
        }
        break;
    case RASTER_GROUP_END:
        own.clip = level.outer;
        merge(own, command.mode, composite_div255(command.opacity * own.clip), level.below);
        break;
    case RASTER_MASK_READY:
        ready_mask(own, level, command.mode);
        break;
    case RASTER_MASK_END:
        own.clip = level.outer;
        merge(own, BLEND_NORMAL, composite_div255(level.extra * own.clip), level.below);
        break;
    case RASTER_CLIP_BEGIN:
        enter(own, level);
        break;
    default: /* RASTER_GROUP_BEGIN, RASTER_MASK_BEGIN */
        enter(own, level);
        own.pixel = 0;
        break;
    }
}

__device__ static bool begins(uint32_t op)
{
    return op == RASTER_CLIP_BEGIN || op == RASTER_GROUP_BEGIN || op == RASTER_MASK_BEGIN;
}

__device__ static bool ends(uint32_t op)
{
    return op == RASTER_CLIP_END || op == RASTER_GROUP_END || op == RASTER_MASK_END;
}

/* The level that a command works on: the innermost one, but a clip's shape belongs to the innermost
 * clip that still takes shapes. */
__device__ static uint32_t level_of(uint32_t op, uint32_t depth, uint32_t *ready)
{
    uint32_t level = depth == 0 ? 0 : depth - 1;

    if (begins(op) || op == RASTER_CLIP_READY) {
        *ready = op == RASTER_CLIP_BEGIN ? *ready & ~(1u << level) : *ready | 1u << level;
    }
    while (op == RASTER_CLIP_SHAPE && level > 0 && (*ready >> level & 1u) != 0) {
        level--;
    }
    return level;
}

__device__ static void store(const raster_view &view, uint32_t pixel)
{
    const int32_t x = pixel_x(view), y = pixel_y(view);
    if (x < (int32_t)view.plan->width && y < (int32_t)view.plan->height) {
        reinterpret_cast<uint32_t *>(view.plan->target)[(size_t)y * view.plan->stride + (size_t)x] =
            pixel;
    }
}

__global__ void __launch_bounds__(BLOCK, BLOCKS_PER_UNIT)
    raster_tiles(const raster_device_tile *tiles, uint64_t block, uint32_t level)
{
    __shared__ raster_shared shared;
    CUDA_OWN(raster_own, own);
    const raster_device_tile tile = tiles[blockIdx.x];
    raster_view view;
    uint32_t depth = 0, turn = 0;
    uint32_t ready = 0; /* bit: a clip that has all its shapes, or no clip */

    if ((tile.place >> 8 & 255u) != level) {
        return;
    }
    view.plan = reinterpret_cast<const raster_device_plan *>(block + (uint64_t)tile.plan *
                                                                         RASTER_BATCH_ALIGNMENT);
    view.lines = reinterpret_cast<const raster_line *>(view.plan->lines);
    view.refs = reinterpret_cast<const uint32_t *>(view.plan->refs);
    view.x = (int32_t)(tile.place & 255u) * RASTER_TILE;
    view.y = (int32_t)(tile.place >> 16) * RASTER_TILE;
    const raster_command *commands =
        reinterpret_cast<const raster_command *>(view.plan->commands) + tile.first_command;
    const raster_edges *edges = reinterpret_cast<const raster_edges *>(view.plan->edges);

    CUDA_THREADS
    {
        CUDA_MINE(own).pixel = 0;
        CUDA_MINE(own).clip = 255;
        CUDA_MINE(own).coverage = 0;
    }
    for (uint32_t i = 0; i < tile.command_count; i++) {
        const raster_command command = commands[i];
        if (command.edges != RASTER_NONE) {
            cover(shared, view, edges + command.edges, command.mode, turn, own);
            turn ^= 1u;
        }
        depth += begins(command.op) ? 1u : 0u;
        /* Commands outside of all levels do not look at theirs. */
        const uint32_t inner = level_of(command.op, depth, &ready);
        CUDA_THREADS
        {
            step(view, command, CUDA_MINE(own), CUDA_MINE(own).levels[inner]);
        }
        depth -= ends(command.op) ? 1u : 0u;
    }
    CUDA_THREADS
    {
        store(view, CUDA_MINE(own).pixel);
    }
}

const char *raster_batch_upload_cuda(const raster_batch *batch, uint64_t stream)
{
    const size_t back_bytes = batch->tile_count * sizeof(raster_device_tile);
    const size_t back = batch->size_bytes - back_bytes;

    if (batch->tile_count == 0) {
        return nullptr;
    }
    const char *failure =
        cuda_stream_upload(stream, batch->device, batch->host, batch->front_bytes);
    if (failure == nullptr) {
        failure = cuda_stream_upload(stream, batch->device + back, batch->host + back, back_bytes);
    }
    return failure;
}

const char *raster_batch_draw_cuda(const raster_batch *batch, uint32_t level, uint64_t stream)
{
    const uint64_t tiles =
        batch->device + batch->size_bytes - batch->tile_count * sizeof(raster_device_tile);

    if (batch->tile_count == 0) {
        return nullptr;
    }
    CUDA_LAUNCH_BLOCKS(raster_tiles, dim3(batch->tile_count), dim3(BLOCK),
                       cuda_launch_stream(stream),
                       reinterpret_cast<const raster_device_tile *>(tiles), batch->device, level);
    return cuda_launch_taken();
}
