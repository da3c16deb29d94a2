/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA backend: pixels go to pool surfaces that the device sees (hbm first, by the routing
 * table), the kernels run on the calling worker's stream, the small result comes back.
 *
 * The pool retains the primary context by the driver API, the kernels' runtime uses the same one,
 * so addresses of the one are good for the other.  Copies by dp_buf_write() and dp_buf_read() are
 * synchronous and counted; cuda_launch_finish() waits, so nothing outlives a call.  Thread safe:
 * all state is in the call's own buffers.
 */
#include "render/backend.h"

#include <stdio.h>

#include "dp_features.h"

#if DP_HAVE_CUDA

#include "kernels/cuda_launch.h"

enum { PART_SOURCE, PART_TARGET, PART_SCRATCH, PART_AXES, PART_COUNT };

static dp_status take_parts(render_task *task, const size_t sizes[PART_COUNT],
                            dp_buf *parts[PART_COUNT])
{
    dp_status status = DP_OK;
    for (int i = 0; i < PART_COUNT && status == DP_OK; i++) {
        const dp_request request = {.size_bytes = sizes[i],
                                    .kind = DP_KIND_SURFACE,
                                    .priority = DP_PRIORITY_NORMAL,
                                    .need = DP_NEED_DEVICE};
        status = task_get(task, &request, &parts[i]);
    }
    return status;
}

static dp_status run_kernels(render_task *task, const backend_axes *axes,
                             dp_buf *const parts[PART_COUNT])
{
    const uint64_t axes_at = dp_buf_device_address(parts[PART_AXES]);
    const resize_cuda_args args = {.x = &axes->x,
                                   .y = &axes->y,
                                   .x_memory = axes_at,
                                   .y_memory = axes_at + axes->y_offset_bytes,
                                   .source = dp_buf_device_address(parts[PART_SOURCE]),
                                   .target = dp_buf_device_address(parts[PART_TARGET]),
                                   .scratch = dp_buf_device_address(parts[PART_SCRATCH])};
    const char *failure = resize_cuda(&args);
    return failure == NULL ? DP_OK : task_fail(task, DP_ERR_DEVICE, "cuda: %s", failure);
}

static dp_status run(render_task *task, const backend_axes *axes, const surface *source,
                     const surface *target, dp_buf *parts[PART_COUNT])
{
    const size_t sizes[PART_COUNT] = {surface_bytes(source), surface_bytes(target),
                                      resize_cuda_scratch_bytes(&axes->x, &axes->y),
                                      dp_buf_size(axes->memory)};
    dp_status status = take_parts(task, sizes, parts);
    if (status == DP_OK) {
        status = dp_buf_write(parts[PART_SOURCE], 0, source->pixels, sizes[PART_SOURCE]);
    }
    if (status == DP_OK) {
        status = dp_buf_write(parts[PART_AXES], 0, dp_buf_data(axes->memory), sizes[PART_AXES]);
    }
    if (status == DP_OK) {
        status = run_kernels(task, axes, parts);
    }
    if (status == DP_OK) {
        status = dp_buf_read(parts[PART_TARGET], 0, target->pixels, sizes[PART_TARGET]);
    }
    return status;
}

static dp_status resize(backend *b, render_task *task, const surface *source, const surface *target,
                        dp_tier_id *tier)
{
    backend_axes axes = {0};
    dp_buf *parts[PART_COUNT] = {NULL};
    (void)b;

    dp_status status = backend_axes_make(task, source, target, &axes);
    if (status != DP_OK) {
        return status;
    }
    status = run(task, &axes, source, target, parts);
    if (status == DP_OK) {
        *tier = dp_buf_tier(parts[PART_SOURCE]);
    } else {
        task_fail(task, status, "the device cannot scale the picture: %s",
                  dp_status_message(status));
    }
    for (int i = 0; i < PART_COUNT; i++) {
        dp_put(parts[i]);
    }
    backend_axes_drop(&axes);
    return status;
}

static void close_cuda(backend *b)
{
    (void)b;
}

static const backend_ops cuda_ops = {.name = "cuda", .resize = resize, .close = close_cuda};

dp_status backend_cuda_open(dp_pool *pool, char detail[BACKEND_DETAIL_BYTES], backend **out)
{
    static backend cuda = {.ops = &cuda_ops};
    dp_tier_info info;

    const char *failure = cuda_launch_probe();
    if (failure != NULL) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "cuda: %.80s", failure);
        return DP_ERR_UNSUPPORTED;
    }
    dp_status status = dp_pool_tier_info(pool, DP_TIER_HBM, &info);
    if (status == DP_OK && info.state != DP_OK) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "tier hbm: %.80s", info.detail);
        return DP_ERR_UNSUPPORTED;
    }
    if (status == DP_OK) {
        *out = &cuda;
    }
    return status;
}

#else

dp_status backend_cuda_open(dp_pool *pool, char detail[BACKEND_DETAIL_BYTES], backend **out)
{
    (void)pool;
    (void)out;
    snprintf(detail, BACKEND_DETAIL_BYTES, "built without the CUDA kernels (preset cuda has them)");
    return DP_ERR_UNSUPPORTED;
}

#endif
