/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lets one source serve the C compiler and nvcc: the per-element functions in *_math.h use
 * only these three words beyond the common subset of C11 and CUDA.
 *
 * Under nvcc a DP_FN is device-only, so that the host's copy always comes from the C compiler with
 * its warnings and sanitizers.
 */
#ifndef DP_KERNEL_H
#define DP_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define DP_FN       static __device__ __forceinline__
#define DP_RESTRICT __restrict__
/* Plain global memory, not __constant__: neighbouring threads look up unlike entries, which the
 * constant cache would serve one after the other. */
#define DP_TABLE static __device__ const
#elif defined(__cplusplus)
/* A host build of the device code, for tests (kernels/cuda_block.h). */
#define DP_FN       static inline
#define DP_RESTRICT __restrict__
#define DP_TABLE    static const
#else
#define DP_FN       static inline
#define DP_RESTRICT restrict
#define DP_TABLE    static const
#endif

#endif
