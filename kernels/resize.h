/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize: separable Lanczos-3 in linear light, straight RGBA8 in and out, premultiplied in between.
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

typedef struct resize_args {
    const resize_axis *x, *y;
    const uint8_t *source; /* y->source rows of x->source pixels */
    size_t source_stride_bytes;
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

#ifdef __cplusplus
}
#endif

#endif
