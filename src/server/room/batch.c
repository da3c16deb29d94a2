/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a batch is one dp_get of the exact size and one memcpy a message: the messages were
 * serialised when they were admitted, only their numbers are new.
 */
#include "server/room/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/lifecycle.h>
#include <danpool/pool.h>
#include <danpool/stats.h>

#include "pool/os.h"

#define HEADER_BYTES_MAX 256u
#define SEQ_PREFIX       "{\"seq\":"
#define SEQ_DIGITS_MAX   20u

size_t batch_message_bytes(const room_message *message)
{
    /* A tail lacks its opening brace and number: `{"seq":N,` stands before, a comma behind. */
    return sizeof SEQ_PREFIX + SEQ_DIGITS_MAX + 1 + dp_buf_size(message->tail);
}

static size_t put_text(char *to, const char *text, size_t size_bytes)
{
    memcpy(to, text, size_bytes);
    return size_bytes;
}

static size_t put_number(char *to, uint64_t number)
{
    char digits[SEQ_DIGITS_MAX];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++) {
        to[i] = digits[count - 1 - i];
    }
    return count;
}

static size_t put_messages(char *to, const room_message *messages, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            to[at++] = ',';
        }
        at += put_text(to + at, SEQ_PREFIX, sizeof SEQ_PREFIX - 1);
        at += put_number(to + at, messages[i].seq);
        to[at++] = ',';
        at += put_text(to + at, dp_buf_data(messages[i].tail), dp_buf_size(messages[i].tail));
    }
    return at;
}

static dp_status build(dp_pool *pool, const char *header, size_t headroom,
                       const room_message *messages, size_t count, dp_buf **out)
{
    size_t header_bytes = strlen(header);
    dp_request request = {
        .kind = DP_KIND_TEXT, .priority = DP_PRIORITY_NORMAL, .need = DP_NEED_HOST};
    request.size_bytes = headroom + header_bytes + sizeof "]}";
    for (size_t i = 0; i < count; i++) {
        request.size_bytes += batch_message_bytes(&messages[i]);
    }
    dp_buf *frame;
    dp_status status = dp_get(pool, &request, &frame);
    if (status != DP_OK) {
        return status;
    }
    char *to = dp_buf_data(frame);
    size_t at = headroom;
    at += put_text(to + at, header, header_bytes);
    at += put_messages(to + at, messages, count);
    at += put_text(to + at, "]}", 2);
    DP_ASSERT(at <= dp_buf_capacity(frame));
    dp_buf_set_size(frame, at);
    dp_stats_copied(pool, at - headroom);
    *out = frame;
    return DP_OK;
}

dp_status batch_build(dp_pool *pool, const room_message *messages, size_t count, bool history,
                      dp_buf **out)
{
    DP_ASSERT(count > 0);
    char header[HEADER_BYTES_MAX];
    snprintf(header, sizeof header,
             "{\"op\":\"batch\",\"seq\":%" PRIu64 ",\"missed\":0,%s\"msgs\":[", messages[0].seq,
             history ? "\"history\":true," : "");
    return build(pool, header, BATCH_HEADROOM, messages, count, out);
}

dp_status batch_build_history(dp_pool *pool, const batch_history_args *args,
                              const room_message *messages, size_t count, dp_buf **out)
{
    char header[HEADER_BYTES_MAX];
    snprintf(header, sizeof header,
             "{\"room\":\"%s\",\"epoch\":\"%s\",\"seq\":%" PRIu64 ",\"msgs\":[", args->room,
             args->epoch, args->seq);
    return build(pool, header, 0, messages, count, out);
}

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
    /* The headroom is the other loop's to write at this moment: only the text is read. */
    memcpy((char *)dp_buf_data(copy) + BATCH_HEADROOM, (char *)dp_buf_data(frame) + BATCH_HEADROOM,
           request.size_bytes - BATCH_HEADROOM);
    dp_stats_copied(pool, request.size_bytes - BATCH_HEADROOM);
    *out = copy;
    return DP_OK;
}

dp_status batch_ring_init(batch_ring *ring, size_t slot_count, size_t bytes_max)
{
    DP_ASSERT(slot_count > 0 && (slot_count & (slot_count - 1)) == 0);
    room_batch *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL) {
        return DP_ERR_NOMEM;
    }
    *ring = (batch_ring){.slots = slots, .slot_count = slot_count, .bytes_max = bytes_max};
    return DP_OK;
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
    free(ring->slots);
    ring->slots = NULL;
}

void batch_ring_push(batch_ring *ring, const room_batch *batch)
{
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
