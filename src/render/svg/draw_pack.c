/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pack is a batch of one drawing over memory that is nowhere, cut to what it needs; see
 * draw_pack.h.
 */
#include "render/svg/draw_pack.h"

#include <string.h>

#include "pool/os.h"

/* Most drawings fit into the first block, which a thread keeps. */
#define BLOCK_BYTES ((size_t)1 << 20)
#define BLOCK_STEP  4u

static size_t aligned(size_t size_bytes)
{
    return os_align_up(size_bytes, DRAW_PACK_ALIGNMENT);
}

static const uint8_t *bytes_of(const draw_pack *pack)
{
    return (const uint8_t *)pack;
}

const void *draw_pack_front(const draw_pack *pack)
{
    return bytes_of(pack) + aligned(sizeof *pack);
}

const filter_job *draw_pack_jobs(const draw_pack *pack)
{
    return (const filter_job *)(const void *)(bytes_of(pack) + pack->jobs_at);
}

const raster_device_tile *draw_pack_tiles(const draw_pack *pack)
{
    return (const raster_device_tile *)(const void *)(bytes_of(pack) + pack->tiles_at);
}

bool draw_pack_can_stay(const draw_pack *pack)
{
    return pack->job_count == 0 && pack->spare_bytes == 0 && pack->plan_count == 1;
}

size_t draw_pack_put_bytes(const draw_pack *pack, bool stays)
{
    /* Aligned twice: the front, and the jobs of all drawings together. */
    return aligned(stays ? sizeof(raster_device_plan) : pack->front_bytes) +
           aligned(pack->job_count * sizeof(filter_job)) +
           pack->tile_count * sizeof(raster_device_tile);
}

static dp_status take_block(draw_packer *packer, size_t size_bytes)
{
    if (packer->block_bytes == size_bytes) {
        return DP_OK;
    }
    os_free(packer->block);
    packer->block_bytes = 0;
    packer->block = os_aligned(DRAW_PACK_ALIGNMENT, size_bytes);
    if (packer->block == NULL) {
        return DP_ERR_NOMEM;
    }
    packer->block_bytes = size_bytes;
    return DP_OK;
}

static dp_status plan_into(draw_packer *packer, draw_context *context, const scene *s,
                           const uint32_t size[2])
{
    const draw_memory nowhere = {.host = packer->block,
                                 .device = DRAW_PACK_FRONT,
                                 .size_bytes = packer->block_bytes,
                                 .spare = DRAW_PACK_SPARE,
                                 .spare_bytes = DRAW_PACK_SPARE_MAX};
    draw_batch_begin(&packer->batch, &nowhere);
    return draw_batch_add(&packer->batch, context, s, size, DRAW_PACK_TARGET);
}

dp_status draw_pack_make(draw_packer *packer, draw_context *context, const scene *s,
                         const uint32_t size[2])
{
    const draw_batch *batch = &packer->batch;
    dp_status status = DP_ERR_BUSY;

    for (size_t bytes = BLOCK_BYTES; status == DP_ERR_BUSY && bytes <= DRAW_PACK_BYTES_MAX;
         bytes *= BLOCK_STEP) {
        status = take_block(packer, bytes);
        status = status == DP_OK ? plan_into(packer, context, s, size) : status;
    }
    if (status != DP_OK) {
        return status;
    }
    draw_pack *head = &packer->head;
    *head = (draw_pack){.front_bytes = batch->raster.front_bytes,
                        .spare_bytes = batch->spare_used_bytes,
                        .plan_count = batch->raster.plan_count,
                        .tile_count = batch->raster.tile_count,
                        .job_count = batch->job_count,
                        .width = size[0],
                        .height = size[1]};
    head->jobs_at = aligned(sizeof *head) + aligned(head->front_bytes);
    head->tiles_at = head->jobs_at + aligned(head->job_count * sizeof(filter_job));
    head->size_bytes = head->tiles_at + head->tile_count * sizeof(raster_device_tile);
    return DP_OK;
}

void draw_pack_write(const draw_packer *packer, void *to)
{
    const draw_pack *head = &packer->head;
    const raster_batch *raster = &packer->batch.raster;
    const size_t tiles_bytes = head->tile_count * sizeof(raster_device_tile);
    uint8_t *bytes = to;

    memset(bytes, 0, head->tiles_at);
    memcpy(bytes, head, sizeof *head);
    memcpy(bytes + aligned(sizeof *head), raster->host, head->front_bytes);
    if (head->job_count != 0) {
        memcpy(bytes + head->jobs_at, packer->batch.jobs, head->job_count * sizeof(filter_job));
    }
    memcpy(bytes + head->tiles_at, raster->host + raster->size_bytes - tiles_bytes, tiles_bytes);
}

void draw_packer_drop(draw_packer *packer)
{
    draw_batch_drop(&packer->batch);
    os_free(packer->block);
    packer->block = NULL;
    packer->block_bytes = 0;
}
