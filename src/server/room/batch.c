/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings double from BATCH_SLOTS_MIN slots to slot_max; a batch's place is its number modulo the
 * slots, so growing puts each where the larger ring looks for it.
 */
#include "server/room/batch.h"

#include <stdlib.h>
#include <string.h>

#include <danpool/lifecycle.h>
#include <danpool/pool.h>
#include <danpool/stats.h>

#include "pool/os.h"

#define BATCH_SLOTS_MIN 4u

dp_status batch_copy(dp_pool *pool, dp_buf *frame, dp_buf **out)
{
    dp_request request = {.size_bytes = dp_buf_size(frame),
                          .kind = DP_KIND_TEXT,
                          .priority = DP_PRIORITY_NORMAL,
                          .need = DP_NEED_HOST};
    dp_buf *copy;
    dp_status status = dp_get(pool, &request, &copy);
    if (status != DP_OK) {
        return status;
    }
    /* The headroom is the other loop's to write at this moment: only the payload is read. */
    memcpy((char *)dp_buf_data(copy) + BATCH_HEADROOM, (char *)dp_buf_data(frame) + BATCH_HEADROOM,
           request.size_bytes - BATCH_HEADROOM);
    dp_stats_copied(pool, request.size_bytes - BATCH_HEADROOM);
    *out = copy;
    return DP_OK;
}

void batch_ring_init(batch_ring *ring, size_t slot_max, size_t bytes_max)
{
    DP_ASSERT(slot_max > 0 && (slot_max & (slot_max - 1)) == 0);
    *ring = (batch_ring){.slot_max = slot_max, .bytes_max = bytes_max};
}

static void drop_oldest(batch_ring *ring)
{
    room_batch *oldest = batch_ring_at(ring, ring->tail);
    ring->bytes -= dp_buf_size(oldest->frame);
    dp_put(oldest->frame);
    oldest->frame = NULL;
    ring->tail++;
}

void batch_ring_clear(batch_ring *ring)
{
    while (ring->tail < ring->head) {
        drop_oldest(ring);
    }
    os_free(ring->slots);
    ring->slots = NULL;
    ring->slot_count = 0;
}

dp_status batch_ring_reserve(batch_ring *ring)
{
    if (ring->head - ring->tail < ring->slot_count || ring->slot_count == ring->slot_max) {
        return DP_OK;
    }
    size_t count = ring->slot_count == 0 ? BATCH_SLOTS_MIN : ring->slot_count * 2;
    count = count > ring->slot_max ? ring->slot_max : count;
    room_batch *slots = os_calloc(count, sizeof *slots);
    if (slots == NULL) {
        return ring->slot_count == 0 ? DP_ERR_NOMEM : DP_OK;
    }
    for (uint64_t number = ring->tail; number < ring->head; number++) {
        slots[number & (count - 1)] = ring->slots[number & (ring->slot_count - 1)];
    }
    os_free(ring->slots);
    ring->slots = slots;
    ring->slot_count = count;
    return DP_OK;
}

void batch_ring_push(batch_ring *ring, const room_batch *batch)
{
    DP_ASSERT(ring->slot_count > 0);
    size_t bytes = dp_buf_size(batch->frame);
    dp_buf_expect_long(batch->frame); /* in a quiet room it stays for hours */
    /* The newest always stays, even when it alone is over the bytes allowed. */
    while (ring->tail < ring->head &&
           (ring->head - ring->tail == ring->slot_count || ring->bytes + bytes > ring->bytes_max)) {
        drop_oldest(ring);
    }
    ring->slots[ring->head & (ring->slot_count - 1)] = *batch;
    ring->head++;
    ring->bytes += bytes;
}

room_batch *batch_ring_at(const batch_ring *ring, uint64_t number)
{
    DP_ASSERT(number >= ring->tail && number < ring->head);
    return &ring->slots[number & (ring->slot_count - 1)];
}
