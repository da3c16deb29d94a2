/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draw batches: many scenes to pixels on a device, by one upload and a handful of launches.
 *
 *     draw_batch_begin     with the batch's memories
 *     draw_batch_add       plans a scene, on the CPU; as often as there is room
 *     draw_batch_put       or takes one that was planned before (draw_pack.h)
 *     draw_batch_run_cuda  uploads, draws level by level: tiles, then the filters of their groups
 *
 * Level 0 is everything that needs nothing else, so without filters there is one launch.  The
 * result is the same to the byte as draw_scene()'s.
 *
 * Memories are the caller's, from wherever it likes (the pool's pinned and hbm tiers):
 *     host, device   as large as each other; plans are written to the one and uploaded to the other
 *     spare          on the device alone: surfaces of groups and scratch of their filters
 *     targets        on the device: width x height x 4 bytes of each drawing
 * While a batch is on a stream none of them may be touched; with two batches, one is planned while
 * the other is drawn.
 *
 * A batch is one thread's at a time.
 */
#ifndef DP_RENDER_SVG_DRAW_BATCH_H
#define DP_RENDER_SVG_DRAW_BATCH_H

#include "kernels/filter.h"
#include "kernels/raster_batch.h"
#include "render/svg/draw.h"

typedef struct draw_memory {
    void *host;      /* pinned, aligned to 64 */
    uint64_t device; /* aligned to 64 */
    size_t size_bytes;
    uint64_t spare; /* aligned to 64; 0 with spare_bytes 0: no scene with filters fits */
    size_t spare_bytes;
} draw_memory;

typedef struct draw_batch {
    raster_batch raster;
    draw_memory memory;
    size_t spare_used_bytes;
    filter_job *jobs;
    uint32_t job_count, job_capacity;
    uint64_t jobs_memory; /* their copy on the device, once sealed */
} draw_batch;

/* Empties the batch; at first it is zeros. */
void draw_batch_begin(draw_batch *batch, const draw_memory *memory);
/* Frees what the batch itself took. */
void draw_batch_drop(draw_batch *batch);

/*
 * Adds a drawing.  DP_ERR_BUSY: there is no room for it (none at all, if the batch is empty); else
 * as draw_scene().  The batch is then as before.
 */
dp_status draw_batch_add(draw_batch *batch, draw_context *context, const scene *s,
                         const uint32_t size[2], uint64_t target);

/* When all drawings are in: from then on the block is as it is to be uploaded. */
void draw_batch_seal(draw_batch *batch);

/*
 * The drawing alone, of a sealed batch whose block the stream has copied to the device already
 * (raster_batch_upload_cuda(), or the whole of it).  As draw_batch_run_cuda().
 */
const char *draw_batch_draw_cuda(const draw_batch *batch, uint64_t stream);

/*
 * Everything on `stream` (kernels/cuda_launch.h), without waiting.  NULL when it was taken, else
 * CUDA's words (static).  Once a batch, unless no drawing has a filter.  Only in builds with nvcc
 * (DP_HAVE_CUDA).
 */
const char *draw_batch_run_cuda(draw_batch *batch, uint64_t stream);

#endif
