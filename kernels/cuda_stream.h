/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of the device and copies in their order, for callers without CUDA's headers.
 *
 * A stream is an opaque pointer (a cudaStream_t).  Every call gives NULL when it worked, else
 * CUDA's words (static).  A copy from or to page-locked memory returns at once and is done in the
 * stream's order; one of other memory may wait.  Thread safe for unlike streams.  Only in builds
 * with nvcc (DP_HAVE_CUDA).
 */
#ifndef DP_KERNELS_CUDA_STREAM_H
#define DP_KERNELS_CUDA_STREAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

const char *cuda_stream_open(void **stream);
void cuda_stream_close(void *stream);

/* `to` and `from` with a number are addresses of the device. */
const char *cuda_stream_copy_in(uint64_t to, const void *from, size_t size_bytes, void *stream);
const char *cuda_stream_copy_out(void *to, uint64_t from, size_t size_bytes, void *stream);

/* Until everything in the stream is done. */
const char *cuda_stream_finish(void *stream);

#ifdef __cplusplus
}
#endif

#endif
