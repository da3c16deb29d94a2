/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches: what a room took in one window, serialised once into one immutable pooled buffer.
 *
 * The buffer starts with BATCH_HEADROOM bytes into which libwebsockets writes the frame header,
 * then the JSON.  Since that header is written by every lws_write(), one buffer belongs to one
 * loop; batch_copy() makes the next loop's.
 *
 * A ring keeps the newest batches under running numbers; readers hold only a number.  It has no
 * lock: a room's ring is under the room's, a view's belongs to its loop.
 */
#ifndef DP_SERVER_BATCH_H
#define DP_SERVER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>

#define BATCH_HEADROOM 32u

/* One admitted message: its number, and the pooled bytes behind it (see protocol.h, "tail"). */
typedef struct room_message {
    uint64_t seq;
    uint64_t admitted_ns;
    dp_buf *tail;
} room_message;

typedef struct room_batch {
    dp_buf *frame; /* BATCH_HEADROOM, then the JSON text up to dp_buf_size() */
    uint64_t first_seq;
    uint32_t count;
    uint64_t admitted_ns; /* of the first message */
    bool taken;           /* the frame has its loop; the next one copies */
} room_batch;

/* Bytes of one message inside a batch, comma included. */
size_t batch_message_bytes(const room_message *message);

/* Writes {"op":"batch",...} over `count` messages; `history` marks a batch sent on join. */
dp_status batch_build(dp_pool *pool, const room_message *messages, size_t count, bool history,
                      dp_buf **out);

/* Writes the body of GET /history: {"room":...,"epoch":...,"seq":...,"msgs":[...]} without
 * headroom. */
typedef struct batch_history_args {
    const char *room;
    const char *epoch;
    uint64_t seq;
} batch_history_args;

dp_status batch_build_history(dp_pool *pool, const batch_history_args *args,
                              const room_message *messages, size_t count, dp_buf **out);

/* A private copy of a frame for another loop; counted in bytes_copied. */
dp_status batch_copy(dp_pool *pool, dp_buf *frame, dp_buf **out);

typedef struct batch_ring {
    room_batch *slots;
    size_t slot_count;   /* a power of two */
    uint64_t tail, head; /* numbers tail .. head-1 are kept */
    size_t bytes, bytes_max;
} batch_ring;

dp_status batch_ring_init(batch_ring *ring, size_t slot_count, size_t bytes_max);
void batch_ring_clear(batch_ring *ring);

/* Takes over the reference in batch->frame and gives the oldest back where there is no place. */
void batch_ring_push(batch_ring *ring, const room_batch *batch);

/* The batch of that number; asserts tail <= number < head. */
room_batch *batch_ring_at(const batch_ring *ring, uint64_t number);

#endif
