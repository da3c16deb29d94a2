/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the .cu files write launches and barriers, so that one text serves nvcc and a host compiler.
 *
 * Without nvcc (tests only) <cuda_runtime.h> is tests/support/cuda_host/cuda_runtime.h: device code
 * is then ordinary C++, one thread after another, and can be compared and run under sanitizers
 * where there is no GPU.  Two kinds of kernels:
 *
 *     CUDA_LAUNCH(kernel, grid, block, stream, arguments...)
 *         a body per thread, without barriers.
 *     CUDA_LAUNCH_BLOCKS(kernel, grid, block, stream, arguments...)
 *         a body per block.  Everything that depends on threadIdx stands in CUDA_PHASE { ... },
 *         which all threads leave together (a barrier follows); everything else is the same for all
 *         threads of the block and changes no shared memory.  A phase has no break or return out of
 *         it.  CUDA_THREADS { ... } is the same without the barrier, for what is the threads' own.
 *         What a thread keeps from phase to phase is CUDA_OWN(type, name), used as CUDA_MINE(name)
 *         within phases and passed on as `type *`: registers under nvcc, an array over the threads
 *         without.
 *
 * Blocks of the second kind have at most CUDA_BLOCK_MAX threads in one dimension.
 */
#ifndef DP_KERNELS_CUDA_BLOCK_H
#define DP_KERNELS_CUDA_BLOCK_H

#include <cuda_runtime.h>

#define CUDA_BLOCK_MAX 256u

#ifdef __CUDACC__

#define CUDA_LAUNCH(kernel, grid, block, stream, ...)                                              \
    kernel<<<(grid), (block), 0, (stream)>>>(__VA_ARGS__)
#define CUDA_LAUNCH_BLOCKS CUDA_LAUNCH

#define CUDA_PHASE           for (bool once = true; once; once = false, __syncthreads())
#define CUDA_THREADS         if (true)
#define CUDA_OWN(type, name) type name[1]
#define CUDA_MINE(name)      name[0]

#endif

#endif
