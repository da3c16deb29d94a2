/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of a batch that the device does; see draw_batch.h.  Apart from the other half, so that a
 * build without nvcc, which never calls it, need not find the kernels.
 */
#include "render/svg/draw_batch.h"

const char *draw_batch_draw_cuda(const draw_batch *batch, uint64_t stream)
{
    const filter_jobs jobs = {
        .jobs = batch->jobs, .jobs_memory = batch->jobs_memory, .count = batch->job_count};
    const char *failure = NULL;

    for (uint32_t level = 0; level < batch->raster.level_count && failure == NULL; level++) {
        failure = raster_batch_draw_cuda(&batch->raster, level, stream);
        if (failure == NULL && jobs.count != 0) {
            failure = filter_run_cuda(&jobs, level, stream);
        }
    }
    return failure;
}

const char *draw_batch_run_cuda(draw_batch *batch, uint64_t stream)
{
    draw_batch_seal(batch);
    const char *failure = raster_batch_upload_cuda(&batch->raster, stream);
    return failure == NULL ? draw_batch_draw_cuda(batch, stream) : failure;
}
