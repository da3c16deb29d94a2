/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draw packs: a scene planned for one size, as one flat block that any batch can take.
 *
 *     scene --draw_pack_make (any thread)--> pack --draw_batch_put--> batch, any number of them
 *
 * Planning is a third of a drawing's work on a CPU, putting a pack into a batch is a copy, so
 * packs are made by as many threads as there are and are kept for the next time.
 *
 *     [draw_pack][front: plans and their arrays][filters' jobs][tiles]
 *
 * Addresses in a pack are those of no memory: DRAW_PACK_FRONT + offset, DRAW_PACK_SPARE + offset,
 * or DRAW_PACK_TARGET, and are moved when it is put.  The arrays themselves have none, so that the
 * front of a pack without filters can stay on the device: a batch then only brings the plan's head
 * and the tiles.
 *
 * A pack is believed: it is made and used in one process, and is not to be read from elsewhere.
 */
#ifndef DP_RENDER_SVG_DRAW_PACK_H
#define DP_RENDER_SVG_DRAW_PACK_H

#include "render/svg/draw_batch.h"

#define DRAW_PACK_FRONT  (UINT64_C(1) << 40)
#define DRAW_PACK_SPARE  (UINT64_C(1) << 44)
#define DRAW_PACK_TARGET (UINT64_C(1) << 48)

#define DRAW_PACK_ALIGNMENT 64u
/* What a pack has at most; larger drawings are the CPU's. */
#define DRAW_PACK_BYTES_MAX ((size_t)16 << 20)
#define DRAW_PACK_SPARE_MAX ((size_t)128 << 20)

typedef struct draw_pack {
    size_t size_bytes; /* of the whole block */
    size_t front_bytes, jobs_at, tiles_at;
    size_t spare_bytes; /* on the device, while it is drawn */
    uint32_t plan_count, tile_count, job_count;
    uint32_t width, height;
} draw_pack;

/* A thread's memory for making packs; at first zeros. */
typedef struct draw_packer {
    draw_batch batch;
    void *block;
    size_t block_bytes;
    draw_pack head; /* of the one that was made last */
} draw_packer;

/*
 * Plans the scene; fails as draw_scene() does, DP_ERR_BUSY: it is larger than a pack can be.  Then
 * head.size_bytes is what draw_pack_write() needs, aligned to DRAW_PACK_ALIGNMENT.
 */
dp_status draw_pack_make(draw_packer *packer, draw_context *context, const scene *s,
                         const uint32_t size[2]);
void draw_pack_write(const draw_packer *packer, void *to);
void draw_packer_drop(draw_packer *packer);

const void *draw_pack_front(const draw_pack *pack);
const filter_job *draw_pack_jobs(const draw_pack *pack);
const raster_device_tile *draw_pack_tiles(const draw_pack *pack);

/* Whether its front may stay on the device from batch to batch. */
bool draw_pack_can_stay(const draw_pack *pack);

/* What a batch's block needs for it, with the front staying on the device or coming along. */
size_t draw_pack_put_bytes(const draw_pack *pack, bool stays);

/*
 * Adds the drawing to a batch.  `front`: where its front lies on the device (draw_pack_front(),
 * aligned to 16, on the device before the batch is drawn); 0: it comes along.  DP_ERR_BUSY: there
 * is no room; DP_ERR_NOMEM.  The batch is then as before.
 */
dp_status draw_batch_put(draw_batch *batch, const draw_pack *pack, uint64_t front, uint64_t target);

#endif
