/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan's memory, its beginning and its end: lists of tiles become one flat array.
 *
 * Arrays only ever grow, by half at least, and are not freed before plan_drop(): a warm plan
 * allocates nothing.
 */
#include "render/svg/plan.h"

#include <string.h>

#include "pool/os.h"

bool plan_grow(plan *p, void **items, uint32_t *capacity, uint64_t needed, size_t item_bytes)
{
    if (p->status != DP_OK) {
        return false;
    }
    if (needed <= *capacity) {
        return true;
    }
    uint64_t room = (uint64_t)*capacity + *capacity / 2;
    room = room < needed ? needed : room;
    room = room < 64 ? 64 : room;
    const uint64_t more = (room - *capacity) * item_bytes;
    if (room >= UINT32_C(1) << 30 ||
        (p->memory_bytes_max != 0 && p->memory_bytes + more > p->memory_bytes_max)) {
        p->status = DP_ERR_TOO_LARGE;
        return false;
    }
    void *grown = os_aligned(64, os_align_up((size_t)room * item_bytes, 64));
    if (grown == NULL) {
        p->status = DP_ERR_NOMEM;
        return false;
    }
    if (*capacity != 0) {
        memcpy(grown, *items, (size_t)*capacity * item_bytes);
    }
    os_free(*items);
    *items = grown;
    *capacity = (uint32_t)room;
    p->memory_bytes += (size_t)more;
    return true;
}

void plan_look_at_clock(plan *p)
{
    if (p->status == DP_OK && p->deadline_ns != 0 && os_clock_ns() > p->deadline_ns) {
        p->status = DP_ERR_TIMEOUT;
    }
}

void plan_begin(plan *p, uint32_t width, uint32_t height)
{
    DP_ASSERT(width >= 1 && width <= RASTER_SIDE_MAX);
    DP_ASSERT(height >= 1 && height <= RASTER_SIDE_MAX);
    p->status = DP_OK;
    p->width = width;
    p->height = height;
    p->columns = (width + RASTER_TILE - 1) / RASTER_TILE;
    p->rows = (height + RASTER_TILE - 1) / RASTER_TILE;
    p->lines.count = 0;
    p->lines.width = width;
    p->lines.height = height;
    p->record_count = p->node_count = p->edges_count = p->ref_count = 0;
    p->gradient_count = p->ramp_count = p->layer_count = p->known_ramp_count = 0;
    p->region = (plan_region){.x1 = p->columns, .y1 = p->rows};
    p->depth = p->depth_max = p->collecting = 0;
    p->pieces = false;

    const uint32_t tiles = p->columns * p->rows;
    if (!plan_grow(p, (void **)&p->tiles, &p->tile_capacity, tiles, sizeof(*p->tiles))) {
        return;
    }
    for (uint32_t i = 0; i < tiles; i++) {
        p->tiles[i] = (plan_tile){.head = RASTER_NONE, .tail = RASTER_NONE};
    }
}

void plan_append(plan *p, uint32_t tile, const raster_command *command)
{
    plan_tile *t = &p->tiles[tile];

    if (p->record_count == p->record_capacity &&
        !plan_grow(p, (void **)&p->records, &p->record_capacity, (uint64_t)p->record_count + 1,
                   sizeof(*p->records))) {
        return;
    }
    const uint32_t record = p->record_count++;
    p->records[record].command = *command;
    if (t->tail == RASTER_NONE) {
        t->head = record;
    } else {
        p->records[t->tail].next = record;
    }
    t->tail = record;
}

/* Writes the lists one after the other, in the tiles' order. */
static void flatten(plan *p)
{
    uint32_t count = 0;

    for (uint32_t tile = 0; tile < p->columns * p->rows; tile++) {
        const plan_tile *t = &p->tiles[tile];
        p->out_tiles[tile].first_command = count;
        if (t->head != RASTER_NONE) {
            for (uint32_t i = t->head;; i = p->records[i].next) {
                p->commands[count++] = p->records[i].command;
                if (i == t->tail) {
                    break;
                }
            }
        }
        p->out_tiles[tile].command_count = count - p->out_tiles[tile].first_command;
    }
}

dp_status plan_end(plan *p, raster_plan *out)
{
    DP_ASSERT(p->status != DP_OK || p->depth == 0);
    if (!plan_grow(p, (void **)&p->out_tiles, &p->out_tile_capacity, p->columns * p->rows,
                   sizeof(*p->out_tiles)) ||
        !plan_grow(p, (void **)&p->commands, &p->command_capacity, p->record_count,
                   sizeof(*p->commands))) {
        return p->status;
    }
    flatten(p);
    const raster_tile *last = &p->out_tiles[p->columns * p->rows - 1];
    *out = (raster_plan){
        .width = p->width,
        .height = p->height,
        .columns = p->columns,
        .rows = p->rows,
        .tiles = p->out_tiles,
        .commands = p->commands,
        .edges = p->edges,
        .refs = p->refs,
        .lines = p->lines.lines,
        .gradients = p->gradients,
        .ramps = p->ramps,
        .layers = p->layers,
        .command_count = last->first_command + last->command_count,
        .edges_count = p->edges_count,
        .ref_count = p->ref_count,
        .line_count = p->lines.count,
        .gradient_count = p->gradient_count,
        .ramp_count = p->ramp_count,
        .layer_count = p->layer_count,
        .depth = p->depth_max,
    };
    return DP_OK;
}

void plan_drop(plan *p)
{
    for (uint32_t i = 1; i <= RASTER_DEPTH_MAX; i++) {
        os_free(p->levels[i].states);
        os_free(p->levels[i].before);
        os_free(p->levels[i].ready);
    }
    os_free(p->tiles);
    os_free(p->out_tiles);
    os_free(p->records);
    os_free(p->nodes);
    os_free(p->edges);
    os_free(p->refs);
    os_free(p->grid);
    os_free(p->commands);
    os_free(p->gradients);
    os_free(p->ramps);
    os_free(p->layers);
    os_free(p->known_ramps);
    outline_drop(&p->lines);
    const outline lines = {.lines_max = p->lines.lines_max};
    const size_t memory_bytes_max = p->memory_bytes_max;
    memset(p, 0, sizeof(*p));
    p->lines = lines;
    p->memory_bytes_max = memory_bytes_max;
}
