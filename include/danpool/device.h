/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers and a GPU's order of things: giving a buffer back in the order of a stream, and saying
 * where memory that both sides see should lie.
 *
 * A stream is passed as the number that a CUstream or cudaStream_t is, so that no CUDA header is
 * needed here; 0 is the default stream.  It belongs to the first device's primary context, which is
 * the one that the CUDA runtime uses.  Everything here is harmless where there is no GPU.
 */
#ifndef DANPOOL_DEVICE_H
#define DANPOOL_DEVICE_H

#include <danpool/buf.h>
#include <danpool/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A side of the bus. */
typedef enum dp_place { DP_PLACE_HOST, DP_PLACE_DEVICE, DP_PLACE_COUNT } dp_place;

/* How memory that the driver moves will be used.  The first three and the last two exclude each
 * other; what is said last holds. */
typedef enum dp_advice {
    DP_ADVICE_PREFER_HOST,
    DP_ADVICE_PREFER_DEVICE,
    DP_ADVICE_PREFER_NONE, /* the default */
    DP_ADVICE_READ_MOSTLY, /* each side keeps a copy of its own until the next write */
    DP_ADVICE_READ_WRITE,  /* the default */
    DP_ADVICE_COUNT
} dp_advice;

/*
 * Tells the driver how the block will be used.  Advice is for pages: it reaches those that lie
 * wholly in the block, and stays with them when the block is got again.
 * Errors: DP_ERR_UNSUPPORTED (the tier is not managed memory), DP_ERR_INVALID (no whole page lies
 * in the block, or no such advice), DP_ERR_DEVICE.  Thread safe.  Cost: a driver call.
 */
DP_API dp_status dp_buf_advise(dp_buf *buf, dp_advice advice);

/*
 * Moves the block's bytes in use to one side, in the order of `cuda_stream`, so that the next
 * access there does not fault page by page.  Returns at once.
 * Errors: DP_ERR_UNSUPPORTED (the tier is not managed memory), DP_ERR_INVALID (no such place),
 * DP_ERR_DEVICE.  Thread safe.  Cost: a driver call.
 */
DP_API dp_status dp_buf_prefetch(dp_buf *buf, dp_place where, uint64_t cuda_stream);

#ifdef __cplusplus
}
#endif

#endif
