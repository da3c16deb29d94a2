/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies plans into a batch; see raster_batch.h.
 */
#include "kernels/raster_batch.h"

#include <string.h>

_Static_assert(sizeof(raster_device_tile) == RASTER_BATCH_ALIGNMENT, "a tile is one load");
_Static_assert(RASTER_SIDE_MAX / RASTER_TILE <= 256, "a column and a level share 16 bits");
_Static_assert(sizeof(raster_device_plan) % RASTER_BATCH_ALIGNMENT == 0, "plans lie in a row");

static size_t aligned(size_t bytes)
{
    return (bytes + RASTER_BATCH_ALIGNMENT - 1) & ~(size_t)(RASTER_BATCH_ALIGNMENT - 1);
}

static size_t layer_bytes(const raster_layer *layer)
{
    return (size_t)layer->width * layer->height * 4;
}

static size_t tiles_of(const raster_plan *plan)
{
    return (size_t)plan->columns * plan->rows;
}

void raster_batch_begin(raster_batch *batch, void *host, uint64_t device, size_t size_bytes)
{
    memset(batch, 0, sizeof *batch);
    batch->host = host;
    batch->device = device;
    batch->size_bytes = size_bytes;
}

size_t raster_batch_bytes(const raster_plan *plan)
{
    size_t bytes = sizeof(raster_device_plan) + tiles_of(plan) * sizeof(raster_device_tile) +
                   aligned(plan->command_count * sizeof *plan->commands) +
                   aligned(plan->edges_count * sizeof *plan->edges) +
                   aligned(plan->ref_count * sizeof *plan->refs) +
                   aligned(plan->line_count * sizeof *plan->lines) +
                   aligned(plan->gradient_count * sizeof *plan->gradients) +
                   aligned(plan->ramp_count * sizeof *plan->ramps) +
                   aligned(plan->layer_count * sizeof(raster_device_layer));

    for (uint32_t i = 0; i < plan->layer_count; i++) {
        bytes += aligned(layer_bytes(&plan->layers[i]));
    }
    return bytes;
}

/* Copies an array to the front; its address on the device. */
static uint64_t put(raster_batch *batch, const void *items, size_t size_bytes)
{
    const size_t at = batch->front_bytes;

    if (size_bytes != 0) {
        memcpy(batch->host + at, items, size_bytes);
    }
    batch->front_bytes += aligned(size_bytes);
    return batch->device + at;
}

static uint64_t put_layers(raster_batch *batch, const raster_plan *plan, uint32_t on_device)
{
    const size_t at = batch->front_bytes;

    batch->front_bytes += aligned(plan->layer_count * sizeof(raster_device_layer));
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const raster_layer *layer = &plan->layers[i];
        const raster_device_layer out = {
            .x = layer->x,
            .y = layer->y,
            .width = layer->width,
            .height = layer->height,
            .pixels = on_device != 0 ? (uint64_t)(uintptr_t)layer->pixels
                                     : put(batch, layer->pixels, layer_bytes(layer))};
        memcpy(batch->host + at + i * sizeof out, &out, sizeof out);
    }
    return batch->device + at;
}

/* Lists the tiles, from the end downwards. */
static void put_tiles(raster_batch *batch, const raster_plan *plan, size_t plan_at, uint32_t level)
{
    for (uint32_t row = 0; row < plan->rows; row++) {
        for (uint32_t column = 0; column < plan->columns; column++) {
            const raster_tile *tile = &plan->tiles[row * plan->columns + column];
            const raster_device_tile out = {.first_command = tile->first_command,
                                            .command_count = tile->command_count,
                                            .plan = (uint32_t)(plan_at / RASTER_BATCH_ALIGNMENT),
                                            .place = column | level << 8 | row << 16};
            batch->tile_count++;
            memcpy(batch->host + batch->size_bytes - batch->tile_count * sizeof out, &out,
                   sizeof out);
        }
    }
}

uint64_t raster_batch_put(raster_batch *batch, const void *bytes, size_t size_bytes)
{
    const size_t back_bytes = batch->tile_count * sizeof(raster_device_tile);

    if (aligned(size_bytes) > batch->size_bytes - batch->front_bytes - back_bytes) {
        return 0;
    }
    return put(batch, bytes, size_bytes);
}

int raster_batch_put_tiles(raster_batch *batch, const raster_device_tile *tiles, uint32_t count,
                           size_t moved_bytes)
{
    const size_t back_bytes = batch->tile_count * sizeof *tiles;
    const uint32_t moved = (uint32_t)(moved_bytes / RASTER_BATCH_ALIGNMENT);

    if (count * sizeof *tiles > batch->size_bytes - batch->front_bytes - back_bytes) {
        return 0;
    }
    batch->tile_count += count;
    uint8_t *to = batch->host + batch->size_bytes - batch->tile_count * sizeof *tiles;
    for (uint32_t i = 0; i < count; i++) {
        raster_device_tile out = tiles[i];
        const uint32_t level = out.place >> 8 & RASTER_LEVEL_MAX;
        out.plan += moved;
        memcpy(to + i * sizeof out, &out, sizeof out);
        batch->level_count = level >= batch->level_count ? level + 1 : batch->level_count;
    }
    return 1;
}

int raster_batch_add(raster_batch *batch, const raster_plan *plan,
                     const raster_destination *destination)
{
    const size_t plan_at = batch->front_bytes;
    const size_t back_bytes = batch->tile_count * sizeof(raster_device_tile);

    if (raster_batch_bytes(plan) > batch->size_bytes - plan_at - back_bytes) {
        return 0;
    }
    batch->front_bytes += sizeof(raster_device_plan);
    raster_device_plan out = {.target = destination->pixels,
                              .width = plan->width,
                              .height = plan->height,
                              .stride = plan->width,
                              .layer_count = plan->layer_count};
    out.commands = put(batch, plan->commands, plan->command_count * sizeof *plan->commands);
    out.edges = put(batch, plan->edges, plan->edges_count * sizeof *plan->edges);
    out.refs = put(batch, plan->refs, plan->ref_count * sizeof *plan->refs);
    out.lines = put(batch, plan->lines, plan->line_count * sizeof *plan->lines);
    out.gradients = put(batch, plan->gradients, plan->gradient_count * sizeof *plan->gradients);
    out.ramps = put(batch, plan->ramps, plan->ramp_count * sizeof *plan->ramps);
    out.layers = put_layers(batch, plan, destination->device_layers);
    memcpy(batch->host + plan_at, &out, sizeof out);
    put_tiles(batch, plan, plan_at, destination->level);
    batch->plan_count++;
    if (destination->level >= batch->level_count) {
        batch->level_count = destination->level + 1;
    }
    return 1;
}
