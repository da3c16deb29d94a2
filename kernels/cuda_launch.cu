/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that turns CUDA runtime errors into words; see cuda_launch.h.
 */
#include "kernels/cuda_launch.h"

#include <cuda_runtime_api.h>

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
