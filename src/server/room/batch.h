/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches: what a room took in one window, built once for each format into one immutable pooled
 * buffer (wire/format.h), and rings of them.
 *
 * The buffer starts with FORMAT_HEADROOM bytes into which the frame's header is written.  Since
 * that may happen at every write, one buffer belongs to one loop; batch_copy() makes the next
 * loop's.
 *
 * A ring keeps the newest batches under running numbers; readers hold only a number.  It has no
 * lock: a room's ring is under the room's, a view's belongs to its loop.  Its slots grow with use,
 * so that a quiet room takes little.
 */
#ifndef DP_SERVER_BATCH_H
#define DP_SERVER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>

#include "server/wire/format.h"

#define BATCH_HEADROOM FORMAT_HEADROOM

typedef struct room_batch {
    dp_buf *frame;      /* BATCH_HEADROOM, then the payload up to dp_buf_size() */
    uint64_t first_seq; /* the batch covers first_seq .. next_seq-1 ... */
    uint64_t next_seq;
    uint32_t count;       /* ... and shows so many of them */
    bool taken;           /* the frame has its loop; the next one copies */
    uint64_t admitted_ns; /* of the first message */
} room_batch;

/* A private copy of a frame for another loop; counted in bytes_copied. */
dp_status batch_copy(dp_pool *pool, dp_buf *frame, dp_buf **out);

typedef struct batch_ring {
    room_batch *slots;
    size_t slot_count, slot_max; /* powers of two; slot_count is 0 before the first batch */
    uint64_t tail, head;         /* numbers tail .. head-1 are kept */
    size_t bytes, bytes_max;
} batch_ring;

void batch_ring_init(batch_ring *ring, size_t slot_max, size_t bytes_max);
void batch_ring_clear(batch_ring *ring);

/*
 * Makes sure that a push finds a slot.  DP_ERR_NOMEM only where there is none at all: a ring that
 * cannot grow gives up its oldest batch instead.
 */
dp_status batch_ring_reserve(batch_ring *ring);

/* Takes over the reference in batch->frame and gives the oldest back where there is no place.
 * After a batch_ring_reserve() that went well. */
void batch_ring_push(batch_ring *ring, const room_batch *batch);

/* The batch of that number; asserts tail <= number < head. */
room_batch *batch_ring_at(const batch_ring *ring, uint64_t number);

#endif
