/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize: separable Lanczos-3 in linear light, straight RGBA8 out of straight RGBA8 or of a JPEG's
 * planes, premultiplied in between.  A rectangle of the source can be cut out: axes are then made
 * for its sides, and nothing outside it is looked at.
 *
 * Weights are computed once, on the host, in fixed point; both drivers then do the same integer
 * arithmetic (resize_math.h) and give the same bytes.  Rows first, then columns, with one rounding
 * to 14 bits between them.  Nothing here allocates: the caller brings the memory for the axes and
 * the scratch, and may share finished axes between threads (they are read only).
 *
 * After Turkowski, "Filters for Common Resampling Tasks" (1990); enlarging uses the same kernel
 * unstretched.
 */
#ifndef DP_KERNELS_RESIZE_H
#define DP_KERNELS_RESIZE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sides that the axes are made for; pixels in one image are the caller's limit. */
#define RESIZE_SIDE_MAX 65535u

/*
 * One direction.  Output i is the sum over t < counts[i] of weights[i * taps + t] times input
 * firsts[i] + t; taps is the largest count rounded up to a multiple of 8, the rest of a row of
 * weights is zero.  firsts and firsts + counts never fall with rising i.
 */
typedef struct resize_axis {
    uint32_t source, target, taps;
    uint32_t window_max; /* the largest count */
    const int32_t *firsts;
    const int32_t *counts;
    const int16_t *weights;
} resize_axis;

/* Bytes that one axis needs; sides are 1 .. RESIZE_SIDE_MAX. */
size_t resize_axis_bytes(uint32_t source, uint32_t target);

/*
 * Fills an axis over `memory` of resize_axis_bytes(), aligned to 8: firsts, counts and weights lie
 * one after the other, so that one copy brings them to a device.  O(source + target).
 */
void resize_axis_init(resize_axis *axis, uint32_t source, uint32_t target, void *memory);

/*
 * What is read.  RGBA: `pixels` is the first row and chroma[0] is NULL.  Planes: `pixels` is Y (one
 * byte a pixel) and chroma are Cb and Cr of full-range BT.601 as JFIF says; the sample of a pixel
 * is the one at its coordinates >> chroma_shift.
 */
typedef struct resize_source {
    const uint8_t *pixels;
    size_t stride_bytes;
    const uint8_t *chroma[2];
    size_t chroma_stride_bytes;
    uint32_t chroma_shift_x, chroma_shift_y; /* 0 or 1 */
    uint32_t left, top; /* where the rectangle begins that the axes are made for, in pixels */
} resize_source;

typedef struct resize_args {
    const resize_axis *x, *y; /* their sources are the sides of the rectangle */
    resize_source source;
    uint8_t *target; /* y->target rows of x->target pixels, not overlapping the source */
    size_t target_stride_bytes;
} resize_args;

/* Bytes of scratch for resize_cpu(), to be aligned to 8. */
size_t resize_cpu_scratch_bytes(const resize_axis *x, const resize_axis *y);

/* Cannot fail.  Thread safe for unlike targets and scratches. */
void resize_cpu(const resize_args *args, void *scratch);

/* The same job with everything in device memory; axes as copied whole from their host memory. */
typedef struct resize_cuda_args {
    const resize_axis *x, *y; /* host structs: their sides and taps count, their pointers do not */
    uint64_t x_memory, y_memory;
    uint64_t source, target; /* rows without gaps */
    uint64_t scratch;        /* resize_cuda_scratch_bytes() */
} resize_cuda_args;

size_t resize_cuda_scratch_bytes(const resize_axis *x, const resize_axis *y);

/*
 * Runs on the calling thread's own stream of the primary context and waits.  NULL when it worked,
 * else CUDA's words for what failed (static).  Only in builds with nvcc (DP_HAVE_CUDA).
 */
const char *resize_cuda(const resize_cuda_args *args);

/*
 * One picture of a batch, as the device reads it: every address is one of the device's.  Axes are
 * copied whole from their host memory; fill with resize_job_init().
 */
typedef struct resize_job {
    uint64_t source, chroma[2]; /* as in resize_source; chroma[0] 0: RGBA */
    uint64_t target;            /* rows without gaps */
    uint64_t x_memory, y_memory;
    uint32_t stride_bytes, chroma_stride_bytes;
    uint32_t chroma_shift_x, chroma_shift_y;
    uint32_t left, top;
    uint32_t target_width, target_height;
    uint32_t x_taps, y_taps;
    uint32_t tile_first; /* tiles of the jobs before it */
    uint32_t tiles_across;
} resize_job;

/*
 * Fills a job.  `source` holds device addresses in its pointers, as does `memory`: x's axis, y's
 * axis, the target.  `tile_first` is the sum of what earlier calls for the batch returned; returns
 * the tiles of this one.
 */
uint32_t resize_job_init(resize_job *job, const resize_args *device_args,
                         const uint64_t axes_memory[2], uint32_t tile_first);

/*
 * All jobs of unlike sizes in one launch on `stream` (a cudaStream_t, NULL = the calling thread's
 * own), which is not waited for: `jobs` is the address of `count` of them on the device and stays
 * as it is until the stream is done.  NULL when the launch was taken, else CUDA's words (static).
 * The same bytes as resize_cpu() of each.
 */
const char *resize_batch_cuda(uint64_t jobs, uint32_t count, uint32_t tiles, void *stream);

#ifdef __cplusplus
}
#endif

#endif
