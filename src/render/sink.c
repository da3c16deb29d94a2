/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing output in pooled memory; see sink.h.
 */
#include "render/sink.h"

#include <string.h>

#include <danpool/stats.h>

#define FIRST_BYTES ((size_t)16 << 10)

/* More than an eighth of a block empty: worth one copy to be rid of. */
#define LOOSE_SHARE 8u

static dp_status take(sink *s, size_t size_bytes, dp_buf **out)
{
    const dp_request request = {.size_bytes = size_bytes,
                                .kind = DP_KIND_ENCODED,
                                .priority = DP_PRIORITY_NORMAL,
                                .need = DP_NEED_HOST};
    const dp_status status = task_get(s->task, &request, out);
    if (status != DP_OK) {
        return task_fail(s->task, status, "no memory for the encoded picture");
    }
    return DP_OK;
}

/* Moves what is written to a block of at least size_bytes. */
static dp_status move_to(sink *s, size_t size_bytes)
{
    dp_buf *bigger;
    const dp_status status = take(s, size_bytes, &bigger);
    if (status != DP_OK) {
        return status;
    }
    if (s->size_bytes > 0) {
        memcpy(dp_buf_data(bigger), dp_buf_data(s->buf), s->size_bytes);
        dp_stats_copied(s->task->pool, s->size_bytes);
    }
    dp_put(s->buf);
    s->buf = bigger;
    return DP_OK;
}

dp_status sink_reserve(sink *s, size_t bytes)
{
    const size_t capacity = s->buf == NULL ? 0 : dp_buf_capacity(s->buf);
    const size_t wanted = s->size_bytes + bytes;
    if (wanted <= capacity) {
        return DP_OK;
    }
    size_t grown = capacity == 0 ? FIRST_BYTES : capacity * 2;
    return move_to(s, grown < wanted ? wanted : grown);
}

uint8_t *sink_room(const sink *s, size_t *bytes)
{
    *bytes = dp_buf_capacity(s->buf) - s->size_bytes;
    return (uint8_t *)dp_buf_data(s->buf) + s->size_bytes;
}

dp_status sink_append(sink *s, const void *bytes, size_t size_bytes)
{
    if (size_bytes == 0) {
        return DP_OK;
    }
    const dp_status status = sink_reserve(s, size_bytes);
    if (status != DP_OK) {
        return status;
    }
    size_t room;
    memcpy(sink_room(s, &room), bytes, size_bytes);
    dp_stats_copied(s->task->pool, size_bytes);
    s->size_bytes += size_bytes;
    return DP_OK;
}

dp_status sink_finish(sink *s, dp_buf **out)
{
    if (s->size_bytes == 0) {
        return task_fail(s->task, DP_ERR_FORMAT, "the encoder gave nothing");
    }
    const size_t capacity = dp_buf_capacity(s->buf);
    if (capacity - s->size_bytes > capacity / LOOSE_SHARE) {
        const dp_status status = move_to(s, s->size_bytes);
        if (status != DP_OK) {
            return status;
        }
    }
    dp_buf_set_size(s->buf, s->size_bytes);
    dp_buf_unlease(s->buf); /* it outlives the job */
    *out = s->buf;
    s->buf = NULL;
    return DP_OK;
}

void sink_drop(sink *s)
{
    dp_put(s->buf);
    s->buf = NULL;
}
