/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Composite: source-over on RGBA8 pixels, and the way from straight to premultiplied colours and
 * back.
 *
 * Both drivers use composite_math.h and give the same bytes.  Pixels are runs without gaps; a
 * caller with gaps calls once a row.  Nothing here allocates or fails on the CPU.  Thread safe for
 * unlike memory.
 */
#ifndef DP_KERNELS_COMPOSITE_H
#define DP_KERNELS_COMPOSITE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* backdrop = source over backdrop; both premultiplied, not overlapping. */
void composite_over_cpu(uint8_t *backdrop, const uint8_t *source, size_t pixels);

/* In place. */
void composite_premultiply_cpu(uint8_t *rgba, size_t pixels);
void composite_unpremultiply_cpu(uint8_t *rgba, size_t pixels);

/*
 * The same on device addresses, aligned to 4, on the calling thread's own stream; waits.  NULL when
 * it worked, else CUDA's words (static).  Only in builds with nvcc (DP_HAVE_CUDA).
 */
const char *composite_over_cuda(uint64_t backdrop, uint64_t source, size_t pixels);
const char *composite_premultiply_cuda(uint64_t rgba, size_t pixels);
const char *composite_unpremultiply_cuda(uint64_t rgba, size_t pixels);

/* Pixels to be read at one place of the device's memory and written to another. */
typedef struct composite_run {
    uint64_t from, to; /* aligned to 4; the same, or not overlapping */
    uint64_t pixels;
    uint64_t reserved;
} composite_run;

/*
 * Unpremultiplies many runs in one launch on `stream` (cuda_launch.h), without waiting: `runs` is
 * the address of `count` of them on the device, none longer than `pixels_max`.  `to` may be
 * page-locked memory of the host.  NULL when it was taken, else CUDA's words (static).  Only in
 * builds with nvcc (DP_HAVE_CUDA).
 */
const char *composite_unpremultiply_runs_cuda(uint64_t runs, uint32_t count, uint64_t pixels_max,
                                              uint64_t stream);

#ifdef __cplusplus
}
#endif

#endif
