/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams and copies of the CUDA runtime, with its errors as words; see cuda_stream.h.  The copies
 * go by addresses, not by directions: where hbm is full the pool gives page-locked memory that
 * kernels see.
 */
#include "kernels/cuda_stream.h"

#include <cuda_runtime.h>

static const char *words_of(cudaError_t error)
{
    return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

const char *cuda_stream_open(void **stream)
{
    cudaStream_t made;
    /* Non-blocking: it does not wait for the legacy default stream of whoever embeds us. */
    const cudaError_t error = cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking);
    if (error == cudaSuccess) {
        *stream = made;
    }
    return words_of(error);
}

void cuda_stream_close(void *stream)
{
    (void)cudaStreamDestroy(static_cast<cudaStream_t>(stream));
}

const char *cuda_stream_copy_in(uint64_t to, const void *from, size_t size_bytes, void *stream)
{
    return words_of(cudaMemcpyAsync(reinterpret_cast<void *>(to), from, size_bytes,
                                    cudaMemcpyDefault, static_cast<cudaStream_t>(stream)));
}

const char *cuda_stream_copy_out(void *to, uint64_t from, size_t size_bytes, void *stream)
{
    return words_of(cudaMemcpyAsync(to, reinterpret_cast<const void *>(from), size_bytes,
                                    cudaMemcpyDefault, static_cast<cudaStream_t>(stream)));
}

const char *cuda_stream_finish(void *stream)
{
    return words_of(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
}
