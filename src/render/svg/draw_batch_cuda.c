/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of a batch that the device does; see draw_batch.h.  Apart from the other half, so that a
 * build without nvcc, which never calls it, need not find the kernels.
 */
#include "render/svg/draw_batch.h"

#include "pool/os.h"

const char *draw_batch_run_cuda(draw_batch *batch, uint64_t stream)
{
    filter_jobs jobs = {.jobs = batch->jobs, .count = batch->job_count};

    if (jobs.count != 0) {
        jobs.jobs_memory =
            raster_batch_put(&batch->raster, jobs.jobs, jobs.count * sizeof *jobs.jobs);
        DP_ASSERT(jobs.jobs_memory != 0);
    }
    const char *failure = raster_batch_upload_cuda(&batch->raster, stream);
    for (uint32_t level = 0; level < batch->raster.level_count && failure == NULL; level++) {
        failure = raster_batch_draw_cuda(&batch->raster, level, stream);
        if (failure == NULL && jobs.count != 0) {
            failure = filter_run_cuda(&jobs, level, stream);
        }
    }
    return failure;
}
