/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's fine pass: runs one tile's commands after the other.
 *
 * All state lives in the caller's scratch.  A clip of 255 everywhere is not stored but known.
 */
#include "kernels/raster.h"

#include <string.h>

#include "kernels/blend_math.h"
#include "kernels/raster_tile.h"

/* Units of work between two questions whether to stop. */
#define WORK_PER_LOOK 16384

typedef struct level {
    uint8_t outer[RASTER_TILE_PIXELS]; /* K outside, where `clipped` */
    uint8_t extra[RASTER_TILE_PIXELS]; /* U, then K; or M */
    uint32_t collecting;               /* as it was outside */
    bool clipped;
} level;

typedef struct machine {
    raster_pixels pixels[RASTER_DEPTH_MAX + 1]; /* P, from the bottom */
    raster_pixels source;
    level levels[RASTER_DEPTH_MAX];
    uint8_t clip[RASTER_TILE_PIXELS]; /* K, where `clipped` */
    uint8_t coverage[RASTER_TILE_PIXELS];
    int32_t cells[RASTER_CELLS];
    const raster_plan *plan;
    raster_pixels *top;  /* of P */
    uint32_t depth;      /* levels open */
    uint32_t collecting; /* the level whose U takes a clip's shapes */
    int32_t x, y;        /* the tile's upper left pixel */
    const raster_rows *job;
    uint32_t work; /* since it was last asked whether to stop; about 50 ns each */
    bool stopped;
    bool clipped;
} machine;

_Static_assert(sizeof(machine) <= RASTER_SCRATCH_BYTES, "the header promises it");

static const raster_span whole = {0, RASTER_TILE};

/* The coverage of a command times the clip; NULL: 255 everywhere. */
static const uint8_t *cover(machine *m, const raster_command *command, raster_span *rows)
{
    if (command->edges == RASTER_NONE) {
        *rows = whole;
        return m->clipped ? m->clip : NULL;
    }
    const raster_cover_job job = {.plan = m->plan,
                                  .edges = &m->plan->edges[command->edges],
                                  .rule = command->mode,
                                  .rows = RASTER_TILE,
                                  .x = m->x,
                                  .y = m->y};
    *rows = raster_cover(&job, m->coverage, m->cells);
    if (m->clipped) {
        raster_multiply(m->coverage, m->clip, *rows);
    }
    return m->coverage;
}

static void paint(machine *m, const raster_command *command)
{
    raster_span rows;
    const uint8_t *coverage = cover(m, command, &rows);

    if (command->op == RASTER_COLOUR) {
        raster_paint(m->top, command->value, coverage, rows);
        return;
    }
    const int32_t at[2] = {m->x, m->y};
    raster_shade(&m->source, m->plan, &m->plan->gradients[command->value], at, rows);
    raster_paint_from(m->top, &m->source, coverage, rows);
}

/* Opens a level: K goes with it, inside there is none. */
static level *enter(machine *m)
{
    level *l = &m->levels[m->depth++];

    l->clipped = m->clipped;
    if (m->clipped) {
        memcpy(l->outer, m->clip, sizeof(l->outer));
    }
    m->clipped = false;
    return l;
}

static level *leave(machine *m)
{
    level *l = &m->levels[--m->depth];

    m->clipped = l->clipped;
    if (m->clipped) {
        memcpy(m->clip, l->outer, sizeof(m->clip));
    }
    return l;
}

static void push_pixels(machine *m)
{
    m->top++;
    memset(m->top, 0, sizeof(*m->top));
}

static void clip_shape(machine *m, const raster_command *command)
{
    level *l = &m->levels[m->collecting];
    raster_span rows;
    const uint8_t *coverage = cover(m, command, &rows);

    if (coverage == NULL) {
        memset(l->extra, 255, sizeof(l->extra));
    } else {
        raster_unite(l->extra, coverage, rows);
    }
}

static void clip_begin(machine *m)
{
    level *l = enter(m);

    memset(l->extra, 0, sizeof(l->extra));
    l->collecting = m->collecting;
    m->collecting = m->depth - 1;
}

static void clip_ready(machine *m, const raster_command *command)
{
    const level *l = &m->levels[m->depth - 1];

    m->collecting = l->collecting;
    m->clipped = command->mode == 0;
    if (command->mode != 0) {
        push_pixels(m);
        return;
    }
    memcpy(m->clip, l->extra, sizeof(m->clip));
    if (l->clipped) {
        raster_multiply(m->clip, l->outer, whole);
    }
}

/* Blends `source` over the top, by opacity and the clip in force. */
static void blend(machine *m, const raster_pixels *source, uint32_t mode, uint32_t opacity)
{
    const uint8_t *coverage = NULL;

    if (m->clipped && opacity == 255) {
        coverage = m->clip;
    } else if (opacity != 255) {
        memset(m->coverage, (int)opacity, sizeof(m->coverage));
        if (m->clipped) {
            raster_multiply(m->coverage, m->clip, whole);
        }
        coverage = m->coverage;
    }
    if (mode == BLEND_NORMAL) {
        raster_paint_from(m->top, source, coverage, whole);
    } else {
        raster_blend_from(m->top, source, coverage, mode);
    }
}

/* Ends a mask, or a clip with its content on a P of its own. */
static void thin_end(machine *m)
{
    level *l = leave(m);
    const raster_pixels *content = m->top--;

    if (m->clipped) {
        raster_multiply(l->extra, m->clip, whole);
    }
    raster_paint_from(m->top, content, l->extra, whole);
}

static void run_level_command(machine *m, const raster_command *command)
{
    switch (command->op) {
    case RASTER_CLIP_BEGIN:
        clip_begin(m);
        return;
    case RASTER_CLIP_READY:
        clip_ready(m, command);
        return;
    case RASTER_CLIP_END:
        if (command->mode != 0) {
            thin_end(m);
        } else {
            leave(m);
        }
        return;
    case RASTER_GROUP_BEGIN:
    case RASTER_MASK_BEGIN:
        enter(m);
        push_pixels(m);
        return;
    case RASTER_GROUP_END:
        leave(m);
        m->top--;
        blend(m, m->top + 1, command->mode, command->opacity);
        return;
    case RASTER_MASK_READY:
        raster_mask(m->levels[m->depth - 1].extra, m->top, command->mode);
        memset(m->top, 0, sizeof(*m->top));
        m->clipped = false;
        return;
    default: /* RASTER_MASK_END */
        thin_end(m);
        return;
    }
}

static void run_command(machine *m, const raster_command *command)
{
    switch (command->op) {
    case RASTER_COLOUR:
    case RASTER_GRADIENT:
        paint(m, command);
        return;
    case RASTER_CLIP_SHAPE:
        clip_shape(m, command);
        return;
    case RASTER_LAYER:
        raster_fetch(&m->source, &m->plan->layers[command->value], m->x, m->y);
        blend(m, &m->source, command->mode, command->opacity);
        return;
    default:
        run_level_command(m, command);
        return;
    }
}

/* One colour for a whole tile needs no tile. */
static void fill(uint8_t *rgba, size_t stride_bytes, const uint32_t size[2], uint32_t colour)
{
    uint32_t line[RASTER_TILE];

    for (uint32_t i = 0; i < RASTER_TILE; i++) {
        line[i] = colour;
    }
    for (uint32_t row = 0; row < size[1]; row++) {
        if (size[0] == RASTER_TILE) { /* a size that the compiler knows is four stores */
            memcpy(rgba + row * stride_bytes, line, sizeof(line));
        } else {
            memcpy(rgba + row * stride_bytes, line, 4 * (size_t)size[0]);
        }
    }
}

/* What a command cost, the lines that a closer look may have gone through among it. */
static void count_work(machine *m, const raster_command *command)
{
    m->work += 4;
    if (command->edges != RASTER_NONE) {
        const raster_edges *edges = &m->plan->edges[command->edges];
        m->work += edges->first_ref + edges->ref_count - edges->row_ref;
    }
    if (m->work >= WORK_PER_LOOK && m->job->stop != NULL) {
        m->work = 0;
        m->stopped = m->job->stop(m->job->context) != 0;
    }
}

static void run_tile(machine *m, const raster_tile *tile)
{
    const raster_command *command = m->plan->commands + tile->first_command;
    const raster_command *end = command + tile->command_count;

    m->top = m->pixels;
    m->depth = 0;
    m->collecting = 0;
    m->clipped = false;
    if (command->op != RASTER_COLOUR || command->edges != RASTER_NONE || command->opaque == 0) {
        memset(m->top, 0, sizeof(*m->top));
    }
    for (; command < end && !m->stopped; command++) {
        run_command(m, command);
        count_work(m, command);
    }
}

static void draw_tile(machine *m, uint32_t index, uint8_t *rgba, size_t stride_bytes)
{
    const raster_plan *plan = m->plan;
    const raster_tile *tile = &plan->tiles[index];
    const uint32_t columns = plan->width - (uint32_t)m->x;
    const uint32_t rows = plan->height - (uint32_t)m->y;
    const uint32_t size[2] = {columns < RASTER_TILE ? columns : RASTER_TILE,
                              rows < RASTER_TILE ? rows : RASTER_TILE};
    /* A plan without commands has no memory for them either, and nothing may be added to that. */
    const raster_command *first =
        tile->command_count != 0 ? plan->commands + tile->first_command : NULL;

    /* What is stored is r, g, b, a byte by byte; on a little-endian machine that is the number. */
    if (first == NULL) {
        fill(rgba, stride_bytes, size, 0);
    } else if (tile->command_count == 1 && first->op == RASTER_COLOUR &&
               first->edges == RASTER_NONE) {
        fill(rgba, stride_bytes, size, first->value);
    } else {
        run_tile(m, tile);
        raster_store(m->top, rgba, stride_bytes, size);
    }
}

int raster_cpu_until(const raster_plan *plan, const raster_rows *job, void *scratch)
{
    machine *m = scratch;

    m->plan = plan;
    m->job = job;
    m->work = 0;
    m->stopped = false;
    memset(m->cells, 0, sizeof(m->cells));
    for (uint32_t row = job->first; row < job->end; row++) {
        for (uint32_t column = 0; column < plan->columns && !m->stopped; column++) {
            m->x = (int32_t)(column * RASTER_TILE);
            m->y = (int32_t)(row * RASTER_TILE);
            draw_tile(m, row * plan->columns + column,
                      job->rgba + (size_t)m->y * job->stride_bytes + (size_t)m->x * 4,
                      job->stride_bytes);
        }
    }
    return m->stopped ? 0 : 1;
}

void raster_cpu(const raster_plan *plan, uint32_t first_row, uint32_t end_row, uint8_t *rgba,
                size_t stride_bytes, void *scratch)
{
    const raster_rows job = {
        .first = first_row, .end = end_row, .rgba = rgba, .stride_bytes = stride_bytes};

    (void)raster_cpu_until(plan, &job, scratch);
}
