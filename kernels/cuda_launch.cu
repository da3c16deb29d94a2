/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that turns CUDA runtime errors into words; see cuda_launch.h.
 */
#include <cuda_runtime_api.h>

#include "kernels/cuda_launch.h"

static const char *words_of(cudaError_t error)
{
    return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

const char *cuda_launch_probe(void)
{
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaSuccess && count == 0) {
        return "the driver lists no device";
    }
    return words_of(error);
}

const char *cuda_launch_finish(void)
{
    /* Takes the launch error, which a later call would otherwise report as its own. */
    const cudaError_t launch = cudaGetLastError();
    if (launch != cudaSuccess) {
        return words_of(launch);
    }
    return words_of(cudaStreamSynchronize(cudaStreamPerThread));
}

const char *cuda_launch_taken(void)
{
    return words_of(cudaGetLastError());
}

const char *cuda_stream_open(uint64_t *out)
{
    cudaStream_t stream;
    /* Non-blocking: it does not wait for the legacy default stream of whoever embeds us. */
    const cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (error == cudaSuccess) {
        *out = reinterpret_cast<uint64_t>(stream);
    }
    return words_of(error);
}

void cuda_stream_close(uint64_t stream)
{
    if (stream != 0) {
        /* What is still in it goes on; a failure was or will be told by a wait. */
        (void)cudaStreamDestroy(cuda_launch_stream(stream));
    }
}

/* By addresses, not by directions: where hbm is full the pool gives page-locked memory. */
const char *cuda_stream_upload(uint64_t stream, uint64_t to, const void *from, size_t size_bytes)
{
    return words_of(cudaMemcpyAsync(reinterpret_cast<void *>(to), from, size_bytes,
                                    cudaMemcpyDefault, cuda_launch_stream(stream)));
}

const char *cuda_stream_download(uint64_t stream, void *to, uint64_t from, size_t size_bytes)
{
    return words_of(cudaMemcpyAsync(to, reinterpret_cast<const void *>(from), size_bytes,
                                    cudaMemcpyDefault, cuda_launch_stream(stream)));
}

const char *cuda_stream_copy(uint64_t stream, uint64_t to, uint64_t from, size_t size_bytes)
{
    return words_of(cudaMemcpyAsync(reinterpret_cast<void *>(to),
                                    reinterpret_cast<const void *>(from), size_bytes,
                                    cudaMemcpyDeviceToDevice, cuda_launch_stream(stream)));
}

const char *cuda_stream_wait(uint64_t stream)
{
    return words_of(cudaStreamSynchronize(cuda_launch_stream(stream)));
}
