/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The description of one picture of a batch; see resize.h.  Pure arithmetic, with or without CUDA.
 */
#include "kernels/resize.h"
#include "kernels/resize_tile.h"

uint32_t resize_job_init(resize_job *job, const resize_args *device_args,
                         const uint64_t axes_memory[2], uint32_t tile_first)
{
    const resize_source *source = &device_args->source;
    const uint32_t width = device_args->x->target, height = device_args->y->target;
    const uint32_t across = (width + RESIZE_TILE_WIDTH - 1) / RESIZE_TILE_WIDTH;
    const uint32_t down = (height + RESIZE_TILE_HEIGHT - 1) / RESIZE_TILE_HEIGHT;

    *job = (resize_job){
        .source = (uint64_t)(uintptr_t)source->pixels,
        .chroma = {(uint64_t)(uintptr_t)source->chroma[0], (uint64_t)(uintptr_t)source->chroma[1]},
        .target = (uint64_t)(uintptr_t)device_args->target,
        .x_memory = axes_memory[0],
        .y_memory = axes_memory[1],
        .stride_bytes = (uint32_t)source->stride_bytes,
        .chroma_stride_bytes = (uint32_t)source->chroma_stride_bytes,
        .chroma_shift_x = source->chroma_shift_x,
        .chroma_shift_y = source->chroma_shift_y,
        .left = source->left,
        .top = source->top,
        .target_width = width,
        .target_height = height,
        .x_taps = device_args->x->taps,
        .y_taps = device_args->y->taps,
        .tile_first = tile_first,
        .tiles_across = across};
    return across * down;
}
