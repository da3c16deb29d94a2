/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Levels of a plan: clips, groups and masks, tile by tile.
 *
 * A level takes no command in a tile before something is drawn there ("touch"), and when it ends
 * with nothing in it, its commands are taken back by cutting the tile's list where it was before.
 * Tiles that cannot show a level's content are closed for it (gate); outside of the level's region
 * tiles are not even looked at.
 */
#include "render/svg/plan.h"

#include <string.h>

#include "pool/os.h"

static void append_op(plan *p, uint32_t tile, raster_op op)
{
    const raster_command command = {.op = (uint8_t)op, .edges = RASTER_NONE};

    plan_append(p, tile, &command);
}

/* Takes back what follows record `last` in the tile's list. */
static void cut(plan *p, uint32_t tile, uint32_t last)
{
    p->tiles[tile].tail = last;
    if (last == RASTER_NONE) {
        p->tiles[tile].head = RASTER_NONE;
    }
}

static uint8_t tail_op(const plan *p, uint32_t tile)
{
    const uint32_t tail = p->tiles[tile].tail;

    return tail == RASTER_NONE ? RASTER_OP_COUNT : p->records[tail].command.op;
}

/* Begins the levels that the tile does not have yet. */
static void touch(plan *p, uint32_t tile)
{
    for (uint32_t i = p->tiles[tile].pushed + 1u; i <= p->depth; i++) {
        plan_level *level = &p->levels[i];
        raster_op op;
        switch (level->kind) {
        case PLAN_CLIP_SHAPES:
            op = RASTER_CLIP_BEGIN;
            break;
        case PLAN_GROUP:
            op = RASTER_GROUP_BEGIN;
            break;
        case PLAN_MASK_PICTURE:
            op = RASTER_MASK_BEGIN;
            break;
        default: /* begun long ago, or never needed */
            continue;
        }
        level->before[tile] = p->tiles[tile].tail;
        level->states[tile] = PLAN_BEGUN;
        append_op(p, tile, op);
    }
    p->tiles[tile].pushed = (uint8_t)p->depth;
}

/* Everything under a full opaque cover can go, as far as the innermost group begins. */
static void drop_covered(plan *p, uint32_t tile)
{
    for (uint32_t i = p->depth; i >= 1; i--) {
        const plan_level *level = &p->levels[i];
        if (level->kind == PLAN_CLIP && level->states[tile] == PLAN_FULL) {
            continue;
        }
        if (level->kind == PLAN_GROUP && level->states[tile] == PLAN_BEGUN) {
            const uint32_t before = level->before[tile];
            cut(p, tile, before == RASTER_NONE ? p->tiles[tile].head : p->records[before].next);
        }
        return;
    }
    cut(p, tile, RASTER_NONE);
}

void plan_emit(plan *p, uint32_t tile, const raster_command *command)
{
    if (p->tiles[tile].gate != 0 || p->status != DP_OK) {
        return;
    }
    if (command->edges == RASTER_NONE && command->op == RASTER_CLIP_SHAPE) {
        /* Full, unless a clip around this shape alone says otherwise. */
        plan_level *level = &p->levels[p->depth];
        if (level->kind == PLAN_CLIP_SHAPES) {
            if (level->states[tile] == PLAN_BEGUN) {
                cut(p, tile, level->before[tile]);
            }
            level->states[tile] = PLAN_FULL;
            p->tiles[tile].pushed =
                (uint8_t)(p->depth - 1 < p->tiles[tile].pushed ? p->depth - 1
                                                               : p->tiles[tile].pushed);
            p->tiles[tile].gate = (uint8_t)p->depth;
            return;
        }
    } else if (command->edges == RASTER_NONE && command->opaque != 0) {
        drop_covered(p, tile);
    }
    if (p->tiles[tile].pushed != p->depth) {
        touch(p, tile);
    }
    plan_append(p, tile, command);
}

/* A new innermost level with all tiles of the region absent. */
static plan_level *push(plan *p, plan_level_kind kind)
{
    if (p->status != DP_OK) {
        return NULL;
    }
    if (p->depth == RASTER_DEPTH_MAX) {
        p->status = DP_ERR_TOO_LARGE;
        return NULL;
    }
    plan_level *level = &p->levels[p->depth + 1];
    const uint32_t tiles = p->columns * p->rows;
    uint32_t capacity = level->capacity;
    uint32_t same = level->capacity;
    if (!plan_grow(p, (void **)&level->states, &capacity, tiles, sizeof(*level->states)) ||
        !plan_grow(p, (void **)&level->ready, &same, tiles, sizeof(*level->ready)) ||
        !plan_grow(p, (void **)&level->before, &level->capacity, capacity,
                   sizeof(*level->before))) {
        return NULL;
    }
    p->depth++;
    p->depth_max = p->depth > p->depth_max ? p->depth : p->depth_max;
    level->kind = kind;
    level->outer = p->region;
    for (uint32_t y = p->region.y0; y < p->region.y1; y++) {
        memset(level->states + (size_t)y * p->columns + p->region.x0, PLAN_ABSENT,
               p->region.x1 - p->region.x0);
    }
    return level;
}

/* The innermost level, NULL after an error. */
static plan_level *top(plan *p, plan_level_kind kind)
{
    if (p->status != DP_OK) {
        return NULL;
    }
    DP_ASSERT(p->depth >= 1 && p->levels[p->depth].kind == kind);
    return &p->levels[p->depth];
}

static int nesting(uint8_t op)
{
    switch (op) {
    case RASTER_CLIP_BEGIN:
    case RASTER_GROUP_BEGIN:
    case RASTER_MASK_BEGIN:
        return 1;
    case RASTER_CLIP_END:
    case RASTER_GROUP_END:
    case RASTER_MASK_END:
        return -1;
    default:
        return 0;
    }
}

/* Whether what follows record `ready` up to the tile's end paints more than once. */
static bool paints_twice(const plan *p, uint32_t ready, uint32_t tail)
{
    uint32_t paints = 0;
    int depth = 0;

    for (uint32_t i = ready; i != tail && paints < 2;) {
        i = p->records[i].next;
        depth += nesting(p->records[i].command.op);
        paints += depth == 0; /* a paint, or the end of a level that is as good as one */
    }
    return paints >= 2;
}

/*
 * Under the edge of a clip, two paints one over the other would let more of what lies below shine
 * through than one: they are composited first.
 */
static void end_clip(plan *p, uint32_t tile)
{
    const uint32_t ready = p->levels[p->depth].ready[tile];
    const bool group = p->collecting == 0 && paints_twice(p, ready, p->tiles[tile].tail);
    const raster_command end = {.op = RASTER_CLIP_END, .mode = group ? 1 : 0, .edges = RASTER_NONE};

    p->records[ready].command.mode = end.mode;
    plan_append(p, tile, &end);
}

/* Ends the innermost level in one tile; `empty` is the op that nothing followed. */
static void end_tile(plan *p, uint32_t tile, uint8_t empty, const raster_command *end)
{
    const plan_level *level = &p->levels[p->depth];
    plan_tile *t = &p->tiles[tile];

    if (t->gate == p->depth) {
        t->gate = 0;
    }
    if (level->states[tile] == PLAN_BEGUN) {
        if (tail_op(p, tile) == empty) {
            cut(p, tile, level->before[tile]);
        } else if (level->kind == PLAN_CLIP) {
            end_clip(p, tile);
        } else {
            plan_append(p, tile, end);
        }
    }
    if (t->pushed >= p->depth) {
        t->pushed = (uint8_t)(p->depth - 1);
    }
}

static void end_level(plan *p, uint8_t empty, const raster_command *end)
{
    for (uint32_t y = p->region.y0; y < p->region.y1; y++) {
        for (uint32_t x = p->region.x0; x < p->region.x1; x++) {
            end_tile(p, y * p->columns + x, empty, end);
        }
    }
    p->region = p->levels[p->depth].outer;
    p->depth--;
}

/* Ends a level's first half in one tile; whether the second half can show anything there. */
static bool ready_tile(plan *p, uint32_t tile, uint8_t empty, const raster_command *ready)
{
    plan_level *level = &p->levels[p->depth];
    plan_tile *t = &p->tiles[tile];

    if (t->gate == p->depth) { /* a full clip */
        t->gate = 0;
    }
    if (level->states[tile] == PLAN_BEGUN) {
        if (tail_op(p, tile) == empty) {
            cut(p, tile, level->before[tile]);
            level->states[tile] = PLAN_ABSENT;
            t->pushed = (uint8_t)(p->depth - 1);
        } else {
            plan_append(p, tile, ready);
            level->ready[tile] = t->tail;
        }
    }
    return level->states[tile] != PLAN_ABSENT;
}

/* Between a level's halves: cuts the region to where there is something and closes other tiles. */
static void ready_level(plan *p, uint8_t empty, const raster_command *ready)
{
    const plan_region all = p->region;
    plan_region seen = {.x0 = all.x1, .y0 = all.y1, .x1 = 0, .y1 = 0};

    for (uint32_t y = all.y0; y < all.y1; y++) {
        for (uint32_t x = all.x0; x < all.x1; x++) {
            if (ready_tile(p, y * p->columns + x, empty, ready)) {
                seen.x0 = x < seen.x0 ? x : seen.x0;
                seen.y0 = y < seen.y0 ? y : seen.y0;
                seen.x1 = x + 1 > seen.x1 ? x + 1 : seen.x1;
                seen.y1 = y + 1;
            }
        }
    }
    p->region = seen.x1 == 0 ? (plan_region){0} : seen;
    for (uint32_t y = p->region.y0; y < p->region.y1; y++) {
        for (uint32_t x = p->region.x0; x < p->region.x1; x++) {
            const uint32_t tile = y * p->columns + x;
            if (p->levels[p->depth].states[tile] == PLAN_ABSENT && p->tiles[tile].gate == 0) {
                p->tiles[tile].gate = (uint8_t)p->depth;
            }
        }
    }
}

void plan_clip_begin(plan *p)
{
    if (push(p, PLAN_CLIP_SHAPES) != NULL) {
        p->collecting++;
    }
}

void plan_clip_ready(plan *p)
{
    const raster_command ready = {.op = RASTER_CLIP_READY, .edges = RASTER_NONE};
    plan_level *level = top(p, PLAN_CLIP_SHAPES);

    if (level != NULL) {
        ready_level(p, RASTER_CLIP_BEGIN, &ready);
        level->kind = PLAN_CLIP;
        p->collecting--;
    }
}

void plan_clip_end(plan *p)
{
    const raster_command end = {.op = RASTER_CLIP_END, .edges = RASTER_NONE};

    if (top(p, PLAN_CLIP) != NULL) {
        end_level(p, RASTER_CLIP_READY, &end);
    }
}

void plan_group_begin(plan *p, uint32_t blend, uint32_t opacity)
{
    plan_level *level = push(p, PLAN_GROUP);

    if (level != NULL) {
        level->end = (raster_command){.op = RASTER_GROUP_END,
                                      .mode = (uint8_t)blend,
                                      .opacity = (uint8_t)opacity,
                                      .edges = RASTER_NONE};
    }
}

void plan_group_end(plan *p)
{
    const plan_level *level = top(p, PLAN_GROUP);

    if (level != NULL) {
        end_level(p, RASTER_GROUP_BEGIN, &level->end);
    }
}

void plan_mask_begin(plan *p, uint32_t alpha)
{
    plan_level *level = push(p, PLAN_MASK_PICTURE);

    if (level != NULL) {
        level->end =
            (raster_command){.op = RASTER_MASK_READY, .mode = (uint8_t)alpha, .edges = RASTER_NONE};
    }
}

void plan_mask_ready(plan *p)
{
    plan_level *level = top(p, PLAN_MASK_PICTURE);

    if (level != NULL) {
        ready_level(p, RASTER_MASK_BEGIN, &level->end);
        level->kind = PLAN_MASK;
    }
}

void plan_mask_end(plan *p)
{
    const raster_command end = {.op = RASTER_MASK_END, .edges = RASTER_NONE};

    if (top(p, PLAN_MASK) != NULL) {
        end_level(p, RASTER_MASK_READY, &end);
    }
}

void plan_picture(plan *p, const raster_layer *picture, uint32_t blend, uint32_t opacity)
{
    const int32_t side = RASTER_TILE;
    const raster_command command = {.op = RASTER_LAYER,
                                    .mode = (uint8_t)blend,
                                    .opacity = (uint8_t)opacity,
                                    .edges = RASTER_NONE,
                                    .value = p->layer_count};

    if (!plan_grow(p, (void **)&p->layers, &p->layer_capacity, (uint64_t)p->layer_count + 1,
                   sizeof(*p->layers))) {
        return;
    }
    p->layers[p->layer_count++] = *picture;
    for (uint32_t y = p->region.y0; y < p->region.y1; y++) {
        for (uint32_t x = p->region.x0; x < p->region.x1; x++) {
            const int32_t left = (int32_t)x * side;
            const int32_t above = (int32_t)y * side;
            if (left + side > picture->x && above + side > picture->y &&
                left < picture->x + (int32_t)picture->width &&
                above < picture->y + (int32_t)picture->height) {
                plan_emit(p, y * p->columns + x, &command);
            }
        }
    }
}
