/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of a batch that the CPU does; see draw_batch.h.
 */
#include "render/svg/draw_batch.h"

#include <string.h>

#include "pool/os.h"

#define SPARE_ALIGNMENT 64u

void draw_batch_begin(draw_batch *batch, const draw_memory *memory)
{
    batch->memory = *memory;
    batch->spare_used_bytes = 0;
    batch->job_count = 0;
    raster_batch_begin(&batch->raster, memory->host, memory->device, memory->size_bytes);
}

void draw_batch_drop(draw_batch *batch)
{
    os_free(batch->jobs);
    batch->jobs = NULL;
    batch->job_count = batch->job_capacity = 0;
}

/* Device memory that nothing is uploaded to; 0: none left. */
static uint64_t take_spare(void *own, size_t size_bytes)
{
    draw_batch *batch = own;
    const size_t whole = os_align_up(size_bytes, SPARE_ALIGNMENT);

    if (whole > batch->memory.spare_bytes - batch->spare_used_bytes) {
        return 0;
    }
    const uint64_t at = batch->memory.spare + batch->spare_used_bytes;
    batch->spare_used_bytes += whole;
    return at;
}

static dp_status job_room(draw_batch *batch)
{
    if (batch->job_count < batch->job_capacity) {
        return DP_OK;
    }
    const uint32_t capacity = batch->job_capacity == 0 ? 64 : 2 * batch->job_capacity;
    filter_job *jobs = os_aligned(64, capacity * sizeof *jobs);
    if (jobs == NULL) {
        return DP_ERR_NOMEM;
    }
    if (batch->job_count != 0) {
        memcpy(jobs, batch->jobs, batch->job_count * sizeof *jobs);
    }
    os_free(batch->jobs);
    batch->jobs = jobs;
    batch->job_capacity = capacity;
    return DP_OK;
}

static dp_status add_filter(draw_batch *batch, const draw_stage *stage)
{
    const filter_program *program = stage->program;
    const size_t passes_bytes = program->pass_count * sizeof *program->passes;
    const dp_status status = job_room(batch);

    if (status != DP_OK) {
        return status;
    }
    const filter_job job = {.pixels = stage->pixels,
                            .scratch = take_spare(batch, filter_scratch_bytes(program)),
                            .passes =
                                raster_batch_put(&batch->raster, program->passes, passes_bytes),
                            .width = program->width,
                            .height = program->height,
                            .pass_count = program->pass_count,
                            .slot_count = program->slot_count,
                            .level = stage->level};
    if (job.scratch == 0 || job.passes == 0) {
        return DP_ERR_BUSY;
    }
    batch->jobs[batch->job_count++] = job;
    return DP_OK;
}

/* What a stage is added for. */
typedef struct addition {
    draw_batch *batch;
    uint64_t target;
} addition;

static uint64_t take_surfaces(void *own, size_t size_bytes)
{
    return take_spare(((addition *)own)->batch, size_bytes);
}

static dp_status add_stage(void *own, const draw_stage *stage)
{
    const addition *a = own;
    const raster_destination to = {.pixels = stage->program != NULL ? stage->pixels : a->target,
                                   .level = stage->level,
                                   .device_layers = 1};

    if (raster_batch_add(&a->batch->raster, stage->tiles, &to) == 0) {
        return DP_ERR_BUSY;
    }
    return stage->program != NULL ? add_filter(a->batch, stage) : DP_OK;
}

/* The jobs' own copy is made when the batch runs; there must be room. */
static bool jobs_fit(const draw_batch *batch)
{
    const raster_batch *raster = &batch->raster;
    const size_t left =
        raster->size_bytes - raster->front_bytes - raster->tile_count * sizeof(raster_device_tile);

    return batch->job_count == 0 ||
           batch->job_count * sizeof *batch->jobs + RASTER_BATCH_ALIGNMENT <= left;
}

dp_status draw_batch_add(draw_batch *batch, draw_context *context, const scene *s,
                         const uint32_t size[2], uint64_t target)
{
    const raster_batch raster = batch->raster;
    const size_t spare_used_bytes = batch->spare_used_bytes;
    const uint32_t job_count = batch->job_count;
    addition a = {.batch = batch, .target = target};
    const draw_job job = {.width = size[0],
                          .height = size[1],
                          .surfaces = take_surfaces,
                          .stage = add_stage,
                          .own = &a};

    dp_status status = draw_stages(context, s, &job);
    if (status == DP_OK && !jobs_fit(batch)) {
        status = DP_ERR_BUSY;
    }
    if (status != DP_OK) {
        batch->raster = raster;
        batch->spare_used_bytes = spare_used_bytes;
        batch->job_count = job_count;
    }
    return status;
}
