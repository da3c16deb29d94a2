/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU backend: the kernels' C driver on the calling worker, scratch from the pool.  Stateless.
 */
#include "render/backend.h"

#include "pool/nvtx_mark.h"
#include "pool/os.h"

#define AXIS_ALIGNMENT 16u

dp_status backend_axes_make(const backend_item *item, backend_axes *out)
{
    const backend_cut *cut = &item->cut;
    const picture *target = item->target;
    const size_t x_bytes = os_align_up(resize_axis_bytes(cut->width, target->width), AXIS_ALIGNMENT);
    const size_t y_bytes = resize_axis_bytes(cut->height, target->height);
    const dp_request request = {.size_bytes = x_bytes + y_bytes, .need = DP_NEED_HOST};
    backend_axes axes = {.y_offset_bytes = x_bytes};

    const dp_status status = task_get(item->task, &request, &axes.memory);
    if (status != DP_OK) {
        return task_fail(item->task, status, "no memory to scale the picture");
    }
    uint8_t *memory = dp_buf_data(axes.memory);
    resize_axis_init(&axes.x, cut->width, target->width, memory);
    resize_axis_init(&axes.y, cut->height, target->height, memory + x_bytes);
    *out = axes;
    return DP_OK;
}

void backend_axes_drop(backend_axes *axes)
{
    dp_put(axes->memory);
    axes->memory = NULL;
}

static dp_status resample_frames(const backend_item *item, const backend_axes *axes, void *scratch)
{
    const backend_cut *cut = &item->cut;
    for (uint32_t i = 0; i < item->target->frame_count; i++) {
        const surface from = picture_frame(item->source, i);
        const surface to = picture_frame(item->target, i);
        const resize_args args = {.x = &axes->x,
                                  .y = &axes->y,
                                  .source = surface_row(&from, cut->y) + (size_t)cut->x * 4,
                                  .source_stride_bytes = surface_stride_bytes(&from),
                                  .target = to.pixels,
                                  .target_stride_bytes = surface_stride_bytes(&to)};
        const dp_status status = task_check_time(item->task);
        if (status != DP_OK) {
            return status;
        }
        resize_cpu(&args, scratch);
    }
    return DP_OK;
}

static dp_status resample(backend_item *item)
{
    backend_axes axes = {0};
    dp_buf *scratch = NULL;

    dp_status status = backend_axes_make(item, &axes);
    if (status != DP_OK) {
        return status;
    }
    const dp_request request = {.size_bytes = resize_cpu_scratch_bytes(&axes.x, &axes.y),
                                .need = DP_NEED_HOST};
    status = task_get(item->task, &request, &scratch);
    if (status == DP_OK) {
        status = resample_frames(item, &axes, dp_buf_data(scratch));
        item->tier = dp_buf_tier(item->source->buf);
    } else {
        task_fail(item->task, status, "no memory to scale the picture");
    }
    dp_put(scratch);
    backend_axes_drop(&axes);
    return status;
}

static dp_status run(backend *b, backend_item *const items[], size_t count,
                     char detail[BACKEND_DETAIL_BYTES])
{
    (void)b;
    (void)detail;
    for (size_t i = 0; i < count; i++) {
        nvtx_push(NVTX_RESIZE, NVTX_CATEGORY_RENDER, dp_buf_size(items[i]->source->buf));
        items[i]->status = resample(items[i]);
        nvtx_pop();
    }
    return DP_OK;
}

static void close_cpu(backend *b)
{
    (void)b;
}

static const backend_ops cpu_ops = {.name = "cpu", .run = run, .close = close_cpu};

dp_status backend_cpu_open(dp_pool *pool, char detail[BACKEND_DETAIL_BYTES], backend **out)
{
    static backend cpu = {.ops = &cpu_ops};
    (void)pool;
    (void)detail;
    *out = &cpu;
    return DP_OK;
}
