/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: buffers that change their tier while they are held.
 *
 * A descriptor belongs to its block, so a movable buffer is a handle of its own, which is what its
 * holders refer to, over a block that only the handle refers to:
 *
 *     holder ---> movable_buf (dp_buf with BUF_MOVE) ---> dp_buf ---> block in some tier
 *     holder --/                                     \--x   the block before the last move
 *
 * Copies (dp_buf_read, dp_buf_write, the move itself) and maps exclude a move: a move waits for
 * copies under way, refuses while there is a map, and makes newcomers wait.  All of that is under
 * the handle's lock; the bytes are copied without it.  A handle's block, tier and addresses change
 * only there; readers of the tier see an atomic.
 *
 * Handles are bookkeeping memory (os_aligned).  They are kept when their buffer goes, up to
 * MOVABLE_KEPT_MAX, and freed with the pool.
 */
#ifndef DP_POOL_MOVABLE_H
#define DP_POOL_MOVABLE_H

#include <pthread.h>

#include "pool/slab.h"

#define MOVABLE_KEPT_MAX    256u
#define MOVABLE_STAGE_BYTES ((size_t)256 << 10) /* of host memory, from device to device */

typedef struct movable_buf movable_buf;

typedef struct movable_layer {
    pthread_mutex_t lock;
    movable_buf *kept; /* handles of nobody's, the latest first */
    unsigned kept_count;
    size_t live; /* handles of buffers that are held */
} movable_layer;

void movable_layer_init(movable_layer *layer);
/* Asserts that no movable buffer is held. */
void movable_layer_destroy(movable_layer *layer);
/* For tests: walks the kept handles. */
void movable_check(movable_layer *layer);

/* Makes a movable buffer of a held block, which it takes over, also on failure.  DP_ERR_NOMEM. */
dp_status movable_wrap(movable_layer *layer, dp_pool *pool, dp_buf *block, dp_buf **out);
/* The last reference is gone. */
void movable_free(dp_buf *buf);

dp_pool *movable_pool_of(const dp_buf *buf);

static inline bool buf_is_movable(const dp_buf *buf)
{
    return (buf->flags & BUF_MOVE) != 0;
}

/* dp_buf_write() and dp_buf_read() of a range that has been checked. */
dp_status movable_write(dp_buf *buf, size_t offset_bytes, const void *from, size_t size_bytes);
dp_status movable_read(const dp_buf *buf, size_t offset_bytes, void *to, size_t size_bytes);

#endif
