/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the CUDA drivers share: is there a device, and the one mapper of CUDA's errors to words.
 *
 * The runtime is linked statically and looks for the driver at run time, so a binary with kernels
 * starts on machines without one.  Work goes to the calling thread's own stream
 * (cudaStreamPerThread), so that render workers do not wait for each other.
 */
#ifndef DP_KERNELS_CUDA_LAUNCH_H
#define DP_KERNELS_CUDA_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NULL when kernels can run on the current device, else why not in CUDA's words (static). */
const char *cuda_launch_probe(void);

/* Ends a call: NULL when its launches were taken and finished, else CUDA's words (static). */
const char *cuda_launch_finish(void);

/* NULL when all launches so far were taken, else CUDA's words (static).  Does not wait. */
const char *cuda_launch_taken(void);

/*
 * Streams, as numbers for those who know nothing of CUDA; 0 is the calling thread's own.  Copies
 * from and to pinned host memory return at once and happen in the stream's order.  NULL or CUDA's
 * words (static), as above.
 */
const char *cuda_stream_open(uint64_t *out);
void cuda_stream_close(uint64_t stream);
const char *cuda_stream_upload(uint64_t stream, uint64_t to, const void *from, size_t size_bytes);
const char *cuda_stream_download(uint64_t stream, void *to, uint64_t from, size_t size_bytes);
/* Within the device's memory. */
const char *cuda_stream_copy(uint64_t stream, uint64_t to, uint64_t from, size_t size_bytes);
const char *cuda_stream_wait(uint64_t stream);

#ifdef __cplusplus
}
#endif

#ifdef CUDART_VERSION
/* For the .cu files, which have <cuda_runtime.h> by then. */
static inline cudaStream_t cuda_launch_stream(uint64_t stream)
{
    return stream == 0 ? cudaStreamPerThread : reinterpret_cast<cudaStream_t>(stream);
}
#endif

#endif
