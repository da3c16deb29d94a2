/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raster batches: many plans in one block of memory, to be drawn on a device by one launch.
 *
 *     raster_batch_begin        over pinned host memory and as much device memory
 *     raster_batch_add          copies a plan; its own memory may go then
 *     raster_batch_upload_cuda  brings the block to the device
 *     raster_batch_draw_cuda    draws all tiles of all plans of one level
 *
 * Plans are copied from the block's start, tiles are listed from its end, so that the tiles of all
 * plans follow each other and one number is a tile of the batch.  Pointers are written as they will
 * be on the device.  Tiles' pixels go straight to the targets: memory on the device that the caller
 * brings and reads back.
 *
 * A plan whose layers are other plans' targets has a higher level than those.  Most batches have
 * one level; with more, a launch goes over all tiles and leaves those of other levels alone.
 *
 * A batch is one thread's; nothing is allocated.  The host's memory must not change until the
 * stream has passed the run.
 */
#ifndef DP_KERNELS_RASTER_BATCH_H
#define DP_KERNELS_RASTER_BATCH_H

#include "kernels/raster.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the block's two ends are made of. */
#define RASTER_BATCH_ALIGNMENT 16u

/* A layer as the device sees it. */
typedef struct raster_device_layer {
    int32_t x, y;
    uint32_t width, height;
    uint64_t pixels;
} raster_device_layer;

/* A plan as the device sees it; addresses are the device's. */
typedef struct raster_device_plan {
    uint64_t commands, edges, refs, lines, gradients, ramps, layers;
    uint64_t target; /* premultiplied RGBA8, rows of `stride` pixels */
    uint32_t width, height, stride;
    uint32_t layer_count;
} raster_device_plan;

/* One tile of the batch: one load. */
typedef struct raster_device_tile {
    uint32_t first_command, command_count;
    uint32_t plan;  /* its offset in the block, in units of RASTER_BATCH_ALIGNMENT */
    uint32_t place; /* column | level << 8 | row << 16, columns and rows in tiles */
} raster_device_tile;

typedef struct raster_batch {
    uint8_t *host;      /* pinned, aligned to 64 */
    uint64_t device;    /* likewise */
    size_t size_bytes;  /* a multiple of 64 */
    size_t front_bytes; /* of plans */
    uint32_t tile_count, plan_count;
    uint32_t level_count; /* one more than the highest */
} raster_batch;

/* Where a plan of a batch is drawn to, and when. */
typedef struct raster_destination {
    uint64_t pixels; /* on the device, aligned to 4; rows without gaps */
    uint32_t level;  /* 0 .. RASTER_LEVEL_MAX */
    /* 1: the layers' pixels are addresses on the device already; 0: the host's, copied along. */
    uint32_t device_layers;
} raster_destination;

#define RASTER_LEVEL_MAX 255u

/* At most 64 GiB, of which nobody has that much. */
void raster_batch_begin(raster_batch *batch, void *host, uint64_t device, size_t size_bytes);

/* Bytes that a plan takes at most. */
size_t raster_batch_bytes(const raster_plan *plan);

/* Appends bytes, aligned to RASTER_BATCH_ALIGNMENT; their address on the device, 0: no room. */
uint64_t raster_batch_put(raster_batch *batch, const void *bytes, size_t size_bytes);

/* Appends a plan.  0: there is no room, the batch is as before. */
int raster_batch_add(raster_batch *batch, const raster_plan *plan,
                     const raster_destination *destination);

/*
 * Appends tiles in the order in which a batch's block has them, of plans that lie `moved_bytes`
 * further on in this one.  0: there is no room, the batch is as before.
 */
int raster_batch_put_tiles(raster_batch *batch, const raster_device_tile *tiles, uint32_t count,
                           size_t moved_bytes);

/*
 * On `stream` (cuda_launch.h), without waiting.  NULL when it was taken, else CUDA's words
 * (static).  Only in builds with nvcc (DP_HAVE_CUDA).
 */
const char *raster_batch_upload_cuda(const raster_batch *batch, uint64_t stream);
const char *raster_batch_draw_cuda(const raster_batch *batch, uint32_t level, uint64_t stream);

#ifdef __cplusplus
}
#endif

#endif
