/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See thumb_work.h.  The stages are those of src/render/pipeline.c without its queue: what is
 * measured is the work, and the peer has no queue either.
 */
#include "thumb_work.h"

#include "kernels/resize.h"

static dp_status take(render_task *task, size_t size_bytes, dp_buf **out)
{
    const dp_request request = {.size_bytes = size_bytes, .need = DP_NEED_HOST};
    return task_get(task, &request, out);
}

static dp_status scale(render_task *task, const picture *from, const picture *to)
{
    const surface source = picture_frame(from, 0), target = picture_frame(to, 0);
    const size_t x_bytes = (resize_axis_bytes(source.width, target.width) + 15) & ~(size_t)15;
    dp_buf *axes = NULL, *scratch = NULL;
    resize_axis x, y;

    dp_status status = take(task, x_bytes + resize_axis_bytes(source.height, target.height), &axes);
    if (status == DP_OK) {
        uint8_t *memory = dp_buf_data(axes);
        resize_axis_init(&x, source.width, target.width, memory);
        resize_axis_init(&y, source.height, target.height, memory + x_bytes);
        status = take(task, resize_cpu_scratch_bytes(&x, &y), &scratch);
    }
    if (status == DP_OK) {
        const resize_args args = {
            .x = &x,
            .y = &y,
            .source = {.pixels = source.pixels, .stride_bytes = surface_stride_bytes(&source)},
            .target = target.pixels,
            .target_stride_bytes = surface_stride_bytes(&target)};
        resize_cpu(&args, dp_buf_data(scratch));
    }
    dp_put(scratch);
    dp_put(axes);
    return status;
}

static dp_status make(render_task *task, const picture *source, const thumb_output *output,
                      dp_buf **out)
{
    const encode_hints hints = {0};
    picture small;
    dp_status status = picture_take(task, output->width, output->height, 1, &small);
    if (status != DP_OK) {
        return status;
    }
    status = scale(task, source, &small);
    if (status == DP_OK) {
        status = codec_encode(task, output->format, &small, &hints, out);
    }
    picture_drop(&small);
    return status;
}

dp_status thumb_work_run(render_task *task, media_bytes file, const thumb_output *outputs,
                         size_t count, dp_buf **results)
{
    decode_hints hints = {.frames_max = 1};
    picture source = {0};
    decoder *d;
    size_t made = 0;

    dp_status status = codec_open(task, file, &d);
    if (status != DP_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        hints.width = outputs[i].width > hints.width ? outputs[i].width : hints.width;
        hints.height = outputs[i].height > hints.height ? outputs[i].height : hints.height;
    }
    status = codec_decode(d, &hints, &source);
    codec_close(d);
    while (made < count && status == DP_OK) {
        status = make(task, &source, &outputs[made], &results[made]);
        made += status == DP_OK ? 1u : 0u;
    }
    picture_drop(&source);
    while (status != DP_OK && made > 0) {
        dp_put(results[--made]);
    }
    return status;
}
