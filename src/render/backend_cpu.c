/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU backend: the kernels' C driver on the calling worker, scratch from the pool.  Stateless.
 */
#include "render/backend.h"

#include "pool/os.h"

#define AXIS_ALIGNMENT 16u

dp_status backend_axes_make(render_task *task, const surface *source, const surface *target,
                            backend_axes *out)
{
    const size_t x_bytes =
        os_align_up(resize_axis_bytes(source->width, target->width), AXIS_ALIGNMENT);
    const size_t y_bytes = resize_axis_bytes(source->height, target->height);
    const dp_request request = {.size_bytes = x_bytes + y_bytes, .need = DP_NEED_HOST};
    backend_axes axes = {.y_offset_bytes = x_bytes};

    const dp_status status = task_get(task, &request, &axes.memory);
    if (status != DP_OK) {
        return task_fail(task, status, "no memory to scale the picture");
    }
    uint8_t *memory = dp_buf_data(axes.memory);
    resize_axis_init(&axes.x, source->width, target->width, memory);
    resize_axis_init(&axes.y, source->height, target->height, memory + x_bytes);
    *out = axes;
    return DP_OK;
}

void backend_axes_drop(backend_axes *axes)
{
    dp_put(axes->memory);
    axes->memory = NULL;
}

static dp_status resize(backend *b, render_task *task, const surface *source, const surface *target,
                        dp_tier_id *tier)
{
    backend_axes axes = {0};
    dp_buf *scratch = NULL;
    (void)b;

    dp_status status = backend_axes_make(task, source, target, &axes);
    if (status != DP_OK) {
        return status;
    }
    const dp_request request = {.size_bytes = resize_cpu_scratch_bytes(&axes.x, &axes.y),
                                .need = DP_NEED_HOST};
    status = task_get(task, &request, &scratch);
    if (status == DP_OK) {
        const resize_args args = {
            .x = &axes.x,
            .y = &axes.y,
            .source = {.pixels = source->pixels, .stride_bytes = surface_stride_bytes(source)},
            .target = target->pixels,
            .target_stride_bytes = surface_stride_bytes(target)};
        resize_cpu(&args, dp_buf_data(scratch));
        *tier = dp_buf_tier(source->buf);
    } else {
        task_fail(task, status, "no memory to scale the picture");
    }
    dp_put(scratch);
    backend_axes_drop(&axes);
    return status;
}

static void close_cpu(backend *b)
{
    (void)b;
}

static const backend_ops cpu_ops = {.name = "cpu", .resize = resize, .close = close_cpu};

dp_status backend_cpu_open(dp_pool *pool, char detail[BACKEND_DETAIL_BYTES], backend **out)
{
    static backend cpu = {.ops = &cpu_ops};
    (void)pool;
    (void)detail;
    *out = &cpu;
    return DP_OK;
}
