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

/*
 * Gives one reference back once everything that is queued on `stream` at this moment is done:
 * for a buffer that a kernel or an asynchronous copy still uses.  The call returns at once; until
 * the stream has passed the buffer counts as held by one more, so nobody gets its block.  NULL is
 * fine.  For a buffer that no device sees this is dp_put().
 *
 * The reference is put by a later call: dp_pool_reclaim(), another dp_put_on_stream(), a dp_get()
 * that finds its magazine empty, or dp_pool_destroy(), which waits.  A lost device counts as done.
 * Where there is no memory to remember the reference, the call waits for the stream instead.  Not
 * for a stream that is being captured: a graph runs later, and holds references of its own.
 * Thread safe.  Cost: two driver calls (some microseconds) and a lock; asks about two older ones.
 */
DP_API void dp_put_on_stream(dp_buf *buf, uint64_t stream);

/*
 * Puts the references whose streams have passed, of at most 32 that it looks at, the oldest first;
 * returns how many still wait.  Never waits itself.  Thread safe.  Cost: at most a driver call for
 * each that it looks at.
 */
DP_API size_t dp_pool_reclaim(dp_pool *pool);

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
 * Moves the block's bytes in use to one side, in the order of `stream`, so that the next
 * access there does not fault page by page.  Returns at once.
 * Errors: DP_ERR_UNSUPPORTED (the tier is not managed memory), DP_ERR_INVALID (no such place),
 * DP_ERR_DEVICE.  Thread safe.  Cost: a driver call.
 */
DP_API dp_status dp_buf_prefetch(dp_buf *buf, dp_place where, uint64_t stream);

#ifdef __cplusplus
}
#endif

#endif
