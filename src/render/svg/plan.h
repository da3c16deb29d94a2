/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plan, the coarse pass: shapes in paint order to lists of commands for each tile.
 *
 * A plan is built by calls in paint order and read as a raster_plan:
 *
 *     plan_begin(p, width, height)
 *         plan_shape()                         lines become a command of every tile they cover
 *         plan_clip_begin() .. plan_group_end()  levels, as the scene's commands
 *     plan_end(p, &out)
 *
 * or, for the commands of a scene, by plan_scene().
 *
 * For each shape, every line is entered into the tiles it touches, and its height in each pixel row
 * into that tile's backdrop; going along a row of tiles, the running sum of those heights tells for
 * every tile what comes from its left.  Tiles without lines are empty, full, or full in some rows
 * (horizontal sides, which are no lines).  Only tiles with something in them get a command:
 *     - a full opaque cover drops what the tile held before (of the same group);
 *     - levels begin in a tile when something is drawn there, and vanish where nothing was;
 *     - where a clip is full, a tile knows nothing of it; where it is empty, the tile is closed.
 *
 * A plan is scratch of one thread.  Errors are sticky: after the first one, calls do nothing and
 * plan_end() returns it.  Memory is kept from plan to plan.
 */
#ifndef DP_RENDER_SVG_PLAN_H
#define DP_RENDER_SVG_PLAN_H

#include "kernels/raster.h"
#include "render/svg/outline.h"
#include "render/svg/scene.h"

/* One command in a tile's list; `next` is the one painted after it. */
typedef struct plan_record {
    raster_command command;
    uint32_t next;
} plan_record;

/* The list of one tile and what it knows of the levels. */
typedef struct plan_tile {
    uint32_t head, tail; /* records; RASTER_NONE: empty, then both */
    uint8_t pushed;      /* levels that have begun in this tile or need not */
    uint8_t gate;        /* 0: open; else the level that closed it */
} plan_tile;

/* One line in one tile, in a list that starts at the tile's raster_edges.first_ref. */
typedef struct plan_node {
    uint32_t ref, next;
} plan_node;

/* Half open, in tiles. */
typedef struct plan_region {
    uint32_t x0, y0, x1, y1;
} plan_region;

typedef enum plan_level_kind {
    PLAN_CLIP_SHAPES, /* between CLIP_BEGIN and CLIP_READY */
    PLAN_CLIP,
    PLAN_GROUP,
    PLAN_MASK_PICTURE,
    PLAN_MASK
} plan_level_kind;

/* [tile] of a level: PLAN_ABSENT 0, no command of it yet. */
typedef enum plan_state { PLAN_ABSENT, PLAN_BEGUN, PLAN_FULL } plan_state;

typedef struct plan_level {
    plan_level_kind kind;
    raster_command end; /* GROUP_END, MASK_READY as they will be written */
    plan_region outer;  /* the region to go back to */
    uint8_t *states;    /* plan_state of each tile */
    uint32_t *before;   /* of begun tiles: the record before the level's first, */
    uint32_t *ready;    /* and the one between its halves */
    uint32_t capacity;  /* tiles */
} plan_level;

/* A group that was drawn and filtered already: in place of command `group` of the scene. */
typedef struct plan_layer {
    uint32_t group;
    raster_layer picture;
} plan_layer;

/* A ramp can be shared by gradients of the same stops. */
typedef struct plan_ramp {
    uint32_t first_stop, stop_count, opacity, ramp, size;
} plan_ramp;

typedef struct plan {
    dp_status status;
    uint32_t width, height, columns, rows;
    size_t memory_bytes;     /* of all arrays but the lines */
    size_t memory_bytes_max; /* beyond it: DP_ERR_TOO_LARGE; 0: none */
    uint64_t deadline_ns;    /* on os_clock_ns(); 0: none */

    outline lines; /* of all shapes */
    plan_tile *tiles;
    raster_tile *out_tiles;
    plan_record *records;
    plan_node *nodes;
    raster_edges *edges;
    uint32_t *refs;
    uint32_t *grid; /* of the current shape: edges of its tiles */
    raster_command *commands;
    raster_gradient *gradients;
    uint32_t *ramps;
    raster_layer *layers;
    plan_ramp *known_ramps;
    uint32_t record_count, node_count, edges_count, ref_count;
    uint32_t gradient_count, ramp_count, layer_count, known_ramp_count;
    uint32_t tile_capacity, out_tile_capacity, record_capacity, node_capacity, edges_capacity;
    uint32_t ref_capacity, grid_capacity, command_capacity, gradient_capacity, ramp_capacity;
    uint32_t layer_capacity, known_ramp_capacity;

    plan_region region; /* what can be seen */
    bool pieces;        /* of plan_shape(): a stroke, made of pieces; a fill that overlaps itself is
                           looked at closely everywhere, a stroke only where it does */
    uint32_t depth, depth_max;
    uint32_t collecting;                     /* levels of kind PLAN_CLIP_SHAPES */
    plan_level levels[RASTER_DEPTH_MAX + 1]; /* [0] is not used: levels count from 1 */
} plan;

/* A plan of zeros is ready for plan_begin().  Sides are 1 .. RASTER_SIDE_MAX. */
void plan_begin(plan *p, uint32_t width, uint32_t height);
/* Gives the first error; else `out` points into the plan and is good until its next begin. */
dp_status plan_end(plan *p, raster_plan *out);
/* Frees the memory and keeps the limits. */
void plan_drop(plan *p);

/*
 * Paints the lines from `first_line` to the end of p->lines, a closed shape, by `command` (COLOUR,
 * GRADIENT or CLIP_SHAPE; its `edges` is filled in).
 */
void plan_shape(plan *p, uint32_t first_line, const raster_command *command);
/* Blends a picture; it stays the caller's until the plan is drawn. */
void plan_picture(plan *p, const raster_layer *picture, uint32_t blend, uint32_t opacity);

void plan_clip_begin(plan *p);
void plan_clip_ready(plan *p);
void plan_clip_end(plan *p);
void plan_group_begin(plan *p, uint32_t blend, uint32_t opacity);
void plan_group_end(plan *p);
void plan_mask_begin(plan *p, uint32_t alpha);
void plan_mask_ready(plan *p);
void plan_mask_end(plan *p);

/* What a shape is painted with: a command for plan_shape(); false: nothing to be seen. */
bool plan_paint(plan *p, const scene *s, const scene_paint *paint, const scene_matrix *to_device,
                float opacity, raster_command *out);

typedef struct plan_job {
    const scene *s;
    uint32_t first, end;      /* commands, balanced */
    scene_matrix to_device;   /* from the scene's root space */
    const plan_layer *layers; /* for every group with a filter that can be seen, in rising order */
    uint32_t layer_count;
} plan_job;

/* Plans a scene's commands, between plan_begin() and plan_end(). */
void plan_scene(plan *p, const plan_job *job);

/* `outer` after `inner`. */
scene_matrix plan_matrix_multiply(const scene_matrix *outer, const scene_matrix *inner);

/* Between the files of the coarse pass. */

/* Makes room for `needed` items; false: the plan's status says why. */
bool plan_grow(plan *p, void **items, uint32_t *capacity, uint64_t needed, size_t item_bytes);
/* Fails the plan once it is late. */
void plan_look_at_clock(plan *p);
/* Appends to a tile's list. */
void plan_append(plan *p, uint32_t tile, const raster_command *command);
/* Appends a paint's command, or a clip's shape, for a tile that is within the region. */
void plan_emit(plan *p, uint32_t tile, const raster_command *command);

#endif
