/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GPU's driver of composite_math.h: one thread a pixel; index, bounds, call.
 */
#include "kernels/composite.h"

#include "kernels/composite_math.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_launch.h"

#define BLOCK      256u
#define BLOCKS_MAX 65535u
/* Pixels of one thread of a run. */
#define RUN_PIXELS 4u

__device__ static size_t first_pixel()
{
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ static size_t pixel_step()
{
    return (size_t)gridDim.x * blockDim.x;
}

__global__ void over_pixels(uchar4 *backdrop, const uchar4 *source, size_t pixels)
{
    for (size_t i = first_pixel(); i < pixels; i += pixel_step()) {
        const uchar4 s = source[i];
        const uchar4 b = backdrop[i];
        backdrop[i] = make_uchar4(composite_over(s.x, b.x, s.w), composite_over(s.y, b.y, s.w),
                                  composite_over(s.z, b.z, s.w), composite_over(s.w, b.w, s.w));
    }
}

__global__ void premultiply_pixels(uchar4 *rgba, size_t pixels)
{
    for (size_t i = first_pixel(); i < pixels; i += pixel_step()) {
        const uchar4 p = rgba[i];
        rgba[i] = make_uchar4(composite_premultiply(p.x, p.w), composite_premultiply(p.y, p.w),
                              composite_premultiply(p.z, p.w), p.w);
    }
}

__global__ void unpremultiply_pixels(uchar4 *rgba, size_t pixels)
{
    for (size_t i = first_pixel(); i < pixels; i += pixel_step()) {
        const uchar4 p = rgba[i];
        rgba[i] = make_uchar4(composite_unpremultiply(p.x, p.w), composite_unpremultiply(p.y, p.w),
                              composite_unpremultiply(p.z, p.w), p.w);
    }
}

__global__ void unpremultiply_runs(const composite_run *runs, uint32_t count)
{
    for (uint32_t r = blockIdx.y; r < count; r += gridDim.y) {
        const composite_run run = runs[r];
        const uchar4 *from = reinterpret_cast<const uchar4 *>(run.from);
        uchar4 *to = reinterpret_cast<uchar4 *>(run.to);
        for (size_t i = first_pixel(); i < run.pixels; i += pixel_step()) {
            const uchar4 p = from[i];
            to[i] =
                make_uchar4(composite_unpremultiply(p.x, p.w), composite_unpremultiply(p.y, p.w),
                            composite_unpremultiply(p.z, p.w), p.w);
        }
    }
}

static unsigned blocks_of(size_t pixels)
{
    const size_t blocks = (pixels + BLOCK - 1) / BLOCK;
    return blocks > BLOCKS_MAX ? BLOCKS_MAX : (unsigned)blocks;
}

const char *composite_over_cuda(uint64_t backdrop, uint64_t source, size_t pixels)
{
    CUDA_LAUNCH(over_pixels, blocks_of(pixels), BLOCK, cudaStreamPerThread,
                reinterpret_cast<uchar4 *>(backdrop), reinterpret_cast<const uchar4 *>(source),
                pixels);
    return cuda_launch_finish();
}

const char *composite_premultiply_cuda(uint64_t rgba, size_t pixels)
{
    CUDA_LAUNCH(premultiply_pixels, blocks_of(pixels), BLOCK, cudaStreamPerThread,
                reinterpret_cast<uchar4 *>(rgba), pixels);
    return cuda_launch_finish();
}

const char *composite_unpremultiply_cuda(uint64_t rgba, size_t pixels)
{
    CUDA_LAUNCH(unpremultiply_pixels, blocks_of(pixels), BLOCK, cudaStreamPerThread,
                reinterpret_cast<uchar4 *>(rgba), pixels);
    return cuda_launch_finish();
}

const char *composite_unpremultiply_runs_cuda(uint64_t runs, uint32_t count, uint64_t pixels_max,
                                              uint64_t stream)
{
    if (count == 0) {
        return nullptr;
    }
    const dim3 grid(blocks_of((pixels_max + RUN_PIXELS - 1) / RUN_PIXELS),
                    count > BLOCKS_MAX ? BLOCKS_MAX : count);
    CUDA_LAUNCH(unpremultiply_runs, grid, dim3(BLOCK), cuda_launch_stream(stream),
                reinterpret_cast<const composite_run *>(runs), count);
    return cuda_launch_taken();
}
