/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few words of CUDA that kernels/ uses, for a host compiler: device code as ordinary C++.
 *
 * This is for tests alone, which compare the device code with the CPU's on machines without a GPU;
 * nothing in danpool takes it for one.  Device addresses are host addresses.  Launches run at once,
 * on the calling thread, blocks and threads in order; kernels/cuda_block.h says how they are
 * written.  Shared memory is the calling thread's and keeps what the block before left in it, as
 * on a device, where it is undefined.
 */
#ifndef DP_TESTS_CUDA_RUNTIME_H
#define DP_TESTS_CUDA_RUNTIME_H

#include <cstdint>
#include <cstring>

#define CUDART_VERSION 0

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static thread_local

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

struct uchar4 {
    unsigned char x, y, z, w;
};
struct short4 {
    short x, y, z, w;
};
struct ushort4 {
    unsigned short x, y, z, w;
};
struct int4 {
    int x, y, z, w;
};

inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w)
{
    return {x, y, z, w};
}

inline short4 make_short4(short x, short y, short z, short w)
{
    return {x, y, z, w};
}

inline ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z, unsigned short w)
{
    return {x, y, z, w};
}

inline thread_local uint3 threadIdx, blockIdx;
inline thread_local dim3 blockDim, gridDim;

/* One thread after another runs: nobody else is there. */
template <typename T> inline T atomicAdd(T *address, T value)
{
    const T before = *address;
    *address = before + value;
    return before;
}

template <typename T> inline T atomicOr(T *address, T value)
{
    const T before = *address;
    *address = before | value;
    return before;
}

template <typename T> inline T atomicMin(T *address, T value)
{
    const T before = *address;
    *address = value < before ? value : before;
    return before;
}

template <typename T> inline T atomicMax(T *address, T value)
{
    const T before = *address;
    *address = value > before ? value : before;
    return before;
}

template <typename T> inline T __ldg(const T *address)
{
    return *address;
}

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4
};
#define cudaStream_t          struct cuda_host_stream *
#define cudaStreamPerThread   (static_cast<struct cuda_host_stream *>(nullptr))
#define cudaStreamNonBlocking 1u

inline const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess ? "no error" : "invalid argument";
}

inline cudaError_t cudaGetLastError()
{
    return cudaSuccess;
}

inline cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return cudaSuccess;
}

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = nullptr;
    return cudaSuccess;
}

inline cudaError_t cudaStreamDestroy(cudaStream_t)
{
    return cudaSuccess;
}

inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, cudaMemcpyKind,
                                   cudaStream_t)
{
    memcpy(to, from, size_bytes);
    return cudaSuccess;
}

inline cudaError_t cudaMemsetAsync(void *to, int value, size_t size_bytes, cudaStream_t)
{
    memset(to, value, size_bytes);
    return cudaSuccess;
}

/* The memory is there whoever asks; whether there is a GPU is not asked of this file. */
inline cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

template <typename Body> void cuda_host_blocks(dim3 grid, dim3 block, const Body &body)
{
    gridDim = grid;
    blockDim = block;
    for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++) {
        for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++) {
            for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
                body();
            }
        }
    }
}

template <typename Body> void cuda_host_threads(dim3 grid, dim3 block, const Body &body)
{
    cuda_host_blocks(grid, block, [&] {
        for (threadIdx.z = 0; threadIdx.z < block.z; threadIdx.z++) {
            for (threadIdx.y = 0; threadIdx.y < block.y; threadIdx.y++) {
                for (threadIdx.x = 0; threadIdx.x < block.x; threadIdx.x++) {
                    body();
                }
            }
        }
    });
}

#define CUDA_LAUNCH(kernel, grid, block, stream, ...)                                              \
    ((void)(stream), cuda_host_threads((grid), (block), [&] { kernel(__VA_ARGS__); }))
#define CUDA_LAUNCH_BLOCKS(kernel, grid, block, stream, ...)                                       \
    ((void)(stream), cuda_host_blocks((grid), (block), [&] { kernel(__VA_ARGS__); }))

#define CUDA_PHASE           for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
#define CUDA_THREADS         CUDA_PHASE
#define CUDA_OWN(type, name) type name[CUDA_BLOCK_MAX]
#define CUDA_MINE(name)      name[threadIdx.x]

#endif
