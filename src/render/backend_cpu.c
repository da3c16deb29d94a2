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
    const size_t x_bytes =
        os_align_up(resize_axis_bytes(cut->width, target->width), AXIS_ALIGNMENT);
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

resize_source backend_source(const picture *p, uint32_t frame, const backend_cut *cut)
{
    resize_source out = {.left = cut->x, .top = cut->y};
    if (p->kind == PICTURE_RGBA) {
        const surface s = picture_frame(p, frame);
        out.pixels = s.pixels;
        out.stride_bytes = surface_stride_bytes(&s);
        return out;
    }
    const picture_plane *planes = p->planes;
    out.pixels = p->bytes + planes[0].offset_bytes;
    out.stride_bytes = planes[0].stride_bytes;
    out.chroma[0] = p->bytes + planes[1].offset_bytes;
    out.chroma[1] = p->bytes + planes[2].offset_bytes;
    out.chroma_stride_bytes = planes[1].stride_bytes;
    out.chroma_shift_x = planes[1].width < planes[0].width ? 1 : 0;
    out.chroma_shift_y = planes[1].height < planes[0].height ? 1 : 0;
    DP_ASSERT(planes[2].stride_bytes == planes[1].stride_bytes);
    return out;
}

static dp_status resample_frames(const backend_item *item, const backend_axes *axes, void *scratch)
{
    for (uint32_t i = 0; i < item->target->frame_count; i++) {
        const surface to = picture_frame(item->target, i);
        const resize_args args = {.x = &axes->x,
                                  .y = &axes->y,
                                  .source = backend_source(item->source, i, &item->cut),
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
