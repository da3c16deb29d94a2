/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GPU's driver of resize_math.h for a batch of pictures of unlike sizes, in one launch.
 *
 * A block makes one tile of one target.  It walks down the source rows under the tile, a stripe of
 * STRIPE_ROWS at a time: all threads filter values of (target column, source row) into shared
 * memory, then every thread adds the stripe's rows to the sums of its own pixels, which stay in
 * registers.  So nothing goes to memory between the two directions, as it does in resize_cuda.cu;
 * rows under the seam of two tiles are filtered twice, which is the price.  Sums of integers do not
 * mind the stripes: the bytes are those of resize_cpu.c.
 *
 *     grid:  [tiles of job 0][tiles of job 1]...   a block finds its job by bisection
 */
#include "kernels/resize.h"

#include "kernels/cuda_block.h"
#include "kernels/cuda_launch.h"
#include "kernels/resize_math.h"
#include "kernels/resize_tile.h"

#define BLOCK       256u
#define STRIPE_ROWS 32u
#define BLOCK_ROWS  (BLOCK / RESIZE_TILE_WIDTH)
#define OWN_PIXELS  (RESIZE_TILE_HEIGHT / BLOCK_ROWS)

/* One direction as the device sees it. */
struct batch_axis {
    const int32_t *firsts;
    const int32_t *counts;
    const int16_t *weights;
};

struct pixel_sums {
    int32_t light[OWN_PIXELS][4];
};

__device__ static batch_axis axis_at(uint64_t memory, uint32_t target)
{
    batch_axis axis;
    axis.firsts = reinterpret_cast<const int32_t *>(memory);
    axis.counts = axis.firsts + target;
    axis.weights = reinterpret_cast<const int16_t *>(axis.counts + target);
    return axis;
}

/* The last job whose first tile is not behind `tile`. */
__device__ static const resize_job *job_of(const resize_job *jobs, uint32_t count, uint32_t tile)
{
    uint32_t low = 0, high = count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (jobs[middle].tile_first <= tile) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return jobs + low;
}

/* Adds one weighted source pixel to `sums`. */
__device__ static void add_rgba(const uint8_t *at, int32_t weight, int32_t sums[4])
{
    const uint32_t alpha = at[3];
    sums[0] += weight * resize_premultiply(resize_linear_of_code[at[0]], alpha);
    sums[1] += weight * resize_premultiply(resize_linear_of_code[at[1]], alpha);
    sums[2] += weight * resize_premultiply(resize_linear_of_code[at[2]], alpha);
    sums[3] += weight * resize_alpha_of_byte(alpha);
}

__device__ static void filter_rgba(const resize_job *job, const batch_axis *x, uint32_t column,
                                   uint32_t row, int32_t sums[4])
{
    const uint8_t *pixels = reinterpret_cast<const uint8_t *>(job->source) +
                            (size_t)(job->top + row) * job->stride_bytes +
                            4 * ((size_t)job->left + (size_t)x->firsts[column]);
    const int16_t *weights = x->weights + (size_t)column * job->x_taps;
    for (int32_t t = 0; t < x->counts[column]; t++) {
        add_rgba(pixels + 4 * (size_t)t, weights[t], sums);
    }
}

__device__ static void filter_planes(const resize_job *job, const batch_axis *x, uint32_t column,
                                     uint32_t row, int32_t sums[4])
{
    const size_t y = job->top + row;
    const size_t chroma_row = (y >> job->chroma_shift_y) * job->chroma_stride_bytes;
    const uint8_t *luma = reinterpret_cast<const uint8_t *>(job->source) + y * job->stride_bytes;
    const uint8_t *cb = reinterpret_cast<const uint8_t *>(job->chroma[0]) + chroma_row;
    const uint8_t *cr = reinterpret_cast<const uint8_t *>(job->chroma[1]) + chroma_row;
    const int16_t *weights = x->weights + (size_t)column * job->x_taps;
    const size_t left = job->left + (size_t)x->firsts[column];

    for (int32_t t = 0; t < x->counts[column]; t++) {
        const size_t at = left + (size_t)t, c = at >> job->chroma_shift_x;
        const int32_t weight = weights[t];
        sums[0] += weight * resize_linear_of_code[resize_red_of(luma[at], cr[c])];
        sums[1] += weight * resize_linear_of_code[resize_green_of(luma[at], cb[c], cr[c])];
        sums[2] += weight * resize_linear_of_code[resize_blue_of(luma[at], cb[c])];
        sums[3] += weight * RESIZE_ONE;
    }
}

__device__ static short4 filter_row(const resize_job *job, const batch_axis *x, uint32_t column,
                                    uint32_t row)
{
    int32_t sums[4] = {0, 0, 0, 0};
    if (job->chroma[0] == 0) {
        filter_rgba(job, x, column, row, sums);
    } else {
        filter_planes(job, x, column, row, sums);
    }
    return make_short4((short)resize_narrow(sums[0]), (short)resize_narrow(sums[1]),
                       (short)resize_narrow(sums[2]), (short)resize_narrow(sums[3]));
}

/* Adds what the stripe's rows first .. end hold of the window of target row `row`. */
__device__ static void add_stripe(const short4 (*stripe)[RESIZE_TILE_WIDTH], const batch_axis *y,
                                  uint32_t taps, const int32_t rows[3], uint32_t column,
                                  int32_t sums[4])
{
    const int32_t window = y->firsts[rows[2]], window_end = window + y->counts[rows[2]];
    const int32_t from = window > rows[0] ? window : rows[0];
    const int32_t to = window_end < rows[1] ? window_end : rows[1];
    const int16_t *weights = y->weights + (size_t)rows[2] * taps;

    for (int32_t r = from; r < to; r++) {
        const short4 light = stripe[r - rows[0]][column];
        const int32_t weight = weights[r - window];
        sums[0] += weight * light.x;
        sums[1] += weight * light.y;
        sums[2] += weight * light.z;
        sums[3] += weight * light.w;
    }
}

__device__ static void store_pixel(const resize_job *job, uint32_t column, uint32_t row,
                                   const int32_t sums[4])
{
    const int32_t light[4] = {resize_narrow(sums[0]), resize_narrow(sums[1]),
                              resize_narrow(sums[2]), resize_narrow(sums[3])};
    int32_t straight[4];
    resize_finish(light, straight);
    uchar4 *out = reinterpret_cast<uchar4 *>(job->target);
    out[(size_t)row * job->target_width + column] =
        make_uchar4((unsigned char)resize_code_of_linear(straight[0]),
                    (unsigned char)resize_code_of_linear(straight[1]),
                    (unsigned char)resize_code_of_linear(straight[2]), (unsigned char)straight[3]);
}

__global__ void __launch_bounds__(BLOCK) resize_tiles(const resize_job *jobs, uint32_t count)
{
    __shared__ short4 stripe[STRIPE_ROWS][RESIZE_TILE_WIDTH];
    const resize_job *job = job_of(jobs, count, blockIdx.x);
    const uint32_t tile = blockIdx.x - job->tile_first;
    const uint32_t left = tile % job->tiles_across * RESIZE_TILE_WIDTH;
    const uint32_t top = tile / job->tiles_across * RESIZE_TILE_HEIGHT;
    const uint32_t bottom = top + RESIZE_TILE_HEIGHT < job->target_height ? top + RESIZE_TILE_HEIGHT
                                                                          : job->target_height;
    const batch_axis x = axis_at(job->x_memory, job->target_width);
    const batch_axis y = axis_at(job->y_memory, job->target_height);
    const int32_t end = y.firsts[bottom - 1] + y.counts[bottom - 1];
    CUDA_OWN(pixel_sums, own);

    CUDA_PHASE
    {
        for (uint32_t i = 0; i < OWN_PIXELS; i++) {
            for (int c = 0; c < 4; c++) {
                CUDA_MINE(own).light[i][c] = 0;
            }
        }
    }
    for (int32_t first = y.firsts[top]; first < end; first += (int32_t)STRIPE_ROWS) {
        const int32_t stop =
            first + (int32_t)STRIPE_ROWS < end ? first + (int32_t)STRIPE_ROWS : end;
        CUDA_PHASE
        {
            const uint32_t column = threadIdx.x % RESIZE_TILE_WIDTH;
            for (int32_t row = first + (int32_t)(threadIdx.x / RESIZE_TILE_WIDTH); row < stop;
                 row += (int32_t)BLOCK_ROWS) {
                if (left + column < job->target_width) {
                    stripe[row - first][column] = filter_row(job, &x, left + column, (uint32_t)row);
                }
            }
        }
        CUDA_PHASE
        {
            for (uint32_t i = 0; i < OWN_PIXELS; i++) {
                const uint32_t row = top + threadIdx.x / RESIZE_TILE_WIDTH + i * BLOCK_ROWS;
                const uint32_t column = threadIdx.x % RESIZE_TILE_WIDTH;
                if (row < bottom && left + column < job->target_width) {
                    const int32_t rows[3] = {first, stop, (int32_t)row};
                    add_stripe(stripe, &y, job->y_taps, rows, column, CUDA_MINE(own).light[i]);
                }
            }
        }
    }
    CUDA_PHASE
    {
        for (uint32_t i = 0; i < OWN_PIXELS; i++) {
            const uint32_t row = top + threadIdx.x / RESIZE_TILE_WIDTH + i * BLOCK_ROWS;
            const uint32_t column = left + threadIdx.x % RESIZE_TILE_WIDTH;
            if (row < bottom && column < job->target_width) {
                store_pixel(job, column, row, CUDA_MINE(own).light[i]);
            }
        }
    }
}

const char *resize_batch_cuda(uint64_t jobs, uint32_t count, uint32_t tiles, void *stream)
{
    const cudaStream_t where =
        stream == nullptr ? cudaStreamPerThread : static_cast<cudaStream_t>(stream);
    if (count == 0) {
        return nullptr;
    }
    CUDA_LAUNCH_BLOCKS(resize_tiles, tiles, BLOCK, where,
                       reinterpret_cast<const resize_job *>(jobs), count);
    const cudaError_t error = cudaGetLastError();
    return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}
