/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raster batches: many plans in one block of memory, to be drawn on a device by one launch.
 *
 *     raster_batch_begin     over pinned host memory and as much device memory
 *     raster_batch_add       copies a plan; its own memory may go then
 *     raster_batch_run_cuda  uploads the block, draws all tiles of all plans
 *
 * Plans are copied from the block's start, tiles are listed from its end, so that the tiles of all
 * plans follow each other and one number is a tile of the batch.  Pointers are written as they will
 * be on the device.  Tiles' pixels go straight to the targets: memory on the device that the caller
 * brings and reads back.
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
    uint32_t reserved;
} raster_device_plan;

/* One tile of the batch: one load. */
typedef struct raster_device_tile {
    uint32_t first_command, command_count;
    uint32_t plan;  /* its offset in the block, in units of RASTER_BATCH_ALIGNMENT */
    uint32_t place; /* column | row << 16, in tiles */
} raster_device_tile;

typedef struct raster_batch {
    uint8_t *host;      /* pinned, aligned to 64 */
    uint64_t device;    /* likewise */
    size_t size_bytes;  /* a multiple of 64 */
    size_t front_bytes; /* of plans */
    uint32_t tile_count, plan_count;
} raster_batch;

/* At most 64 GiB, of which nobody has that much. */
void raster_batch_begin(raster_batch *batch, void *host, uint64_t device, size_t size_bytes);

/* Bytes that a plan takes at most. */
size_t raster_batch_bytes(const raster_plan *plan);

/*
 * Appends a plan that is drawn to `target`, an address on the device aligned to 4, in rows without
 * gaps.  `layer_pixels` has the device addresses of the plan's layers; NULL: they are the host's
 * and copied along.  0: there is no room, the batch is as before.
 */
int raster_batch_add(raster_batch *batch, const raster_plan *plan, uint64_t target,
                     const uint64_t *layer_pixels);

/*
 * Uploads and draws on `stream` (cuda_launch.h), does not wait.  NULL when both were taken, else
 * CUDA's words (static).  Only in builds with nvcc (DP_HAVE_CUDA).
 */
const char *raster_batch_run_cuda(const raster_batch *batch, uint64_t stream);

#ifdef __cplusplus
}
#endif

#endif
