/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GPU's driver of resize_math.h: index, bounds, call.
 *
 * Two launches: one thread a value of (target column, source row), then one a target pixel.  What
 * is between them is premultiplied 14-bit light, as in resize_cpu.c, four int16 to a pixel in
 * scratch.
 */
#include "kernels/resize.h"

#include "kernels/cuda_block.h"
#include "kernels/cuda_launch.h"
#include "kernels/resize_math.h"

#define BLOCK_X 32u
#define BLOCK_Y 8u

/* An axis as the device sees it. */
struct device_axis {
    uint32_t source, target, taps;
    const int32_t *firsts;
    const int32_t *counts;
    const int16_t *weights;
};

__global__ void resize_rows(device_axis x, uint32_t rows, const uchar4 *source, short4 *out)
{
    const uint32_t column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= x.target) {
        return;
    }
    /* The y side of a grid is short of 65,535 blocks of 8 rows only in theory; stride to be sure.
     */
    for (uint32_t row = blockIdx.y * blockDim.y + threadIdx.y; row < rows;
         row += gridDim.y * blockDim.y) {
        const uchar4 *input = source + (size_t)row * x.source + x.firsts[column];
        const int16_t *weights = x.weights + (size_t)column * x.taps;
        int32_t red = 0, green = 0, blue = 0, alpha = 0;
        for (int32_t t = 0; t < x.counts[column]; t++) {
            const uchar4 pixel = input[t];
            const int32_t weight = weights[t];
            red += weight * resize_premultiply(resize_linear_of_code[pixel.x], pixel.w);
            green += weight * resize_premultiply(resize_linear_of_code[pixel.y], pixel.w);
            blue += weight * resize_premultiply(resize_linear_of_code[pixel.z], pixel.w);
            alpha += weight * resize_alpha_of_byte(pixel.w);
        }
        out[(size_t)row * x.target + column] =
            make_short4((short)resize_narrow(red), (short)resize_narrow(green),
                        (short)resize_narrow(blue), (short)resize_narrow(alpha));
    }
}

__global__ void resize_columns(device_axis y, uint32_t columns, const short4 *source, uchar4 *out)
{
    const uint32_t column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (uint32_t row = blockIdx.y * blockDim.y + threadIdx.y; row < y.target;
         row += gridDim.y * blockDim.y) {
        const short4 *input = source + (size_t)y.firsts[row] * columns + column;
        const int16_t *weights = y.weights + (size_t)row * y.taps;
        int32_t red = 0, green = 0, blue = 0, alpha = 0;
        for (int32_t t = 0; t < y.counts[row]; t++) {
            const short4 light = input[(size_t)t * columns];
            const int32_t weight = weights[t];
            red += weight * light.x;
            green += weight * light.y;
            blue += weight * light.z;
            alpha += weight * light.w;
        }
        const int32_t light[4] = {resize_narrow(red), resize_narrow(green), resize_narrow(blue),
                                  resize_narrow(alpha)};
        int32_t straight[4];
        resize_finish(light, straight);
        out[(size_t)row * columns + column] =
            make_uchar4(resize_code_of_linear(straight[0]), resize_code_of_linear(straight[1]),
                        resize_code_of_linear(straight[2]), (unsigned char)straight[3]);
    }
}

static device_axis axis_at(const resize_axis *axis, uint64_t memory)
{
    device_axis out;
    out.source = axis->source;
    out.target = axis->target;
    out.taps = axis->taps;
    out.firsts = reinterpret_cast<const int32_t *>(memory);
    out.counts = out.firsts + axis->target;
    out.weights = reinterpret_cast<const int16_t *>(out.counts + axis->target);
    return out;
}

static dim3 grid_of(uint32_t columns, uint32_t rows)
{
    const uint32_t high = (rows + BLOCK_Y - 1) / BLOCK_Y;
    return dim3((columns + BLOCK_X - 1) / BLOCK_X, high > 65535u ? 65535u : high);
}

size_t resize_cuda_scratch_bytes(const resize_axis *x, const resize_axis *y)
{
    return (size_t)x->target * y->source * sizeof(short4);
}

const char *resize_cuda(const resize_cuda_args *args)
{
    const resize_axis *x = args->x;
    const resize_axis *y = args->y;
    short4 *scratch = reinterpret_cast<short4 *>(args->scratch);
    const dim3 block(BLOCK_X, BLOCK_Y);

    CUDA_LAUNCH(resize_rows, grid_of(x->target, y->source), block, cudaStreamPerThread,
                axis_at(x, args->x_memory), y->source,
                reinterpret_cast<const uchar4 *>(args->source), scratch);
    CUDA_LAUNCH(resize_columns, grid_of(x->target, y->target), block, cudaStreamPerThread,
                axis_at(y, args->y_memory), x->target, scratch,
                reinterpret_cast<uchar4 *>(args->target));
    return cuda_launch_finish();
}
