/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: a checked request becomes pooled bytes and gets its number in the room.
 *
 * Everything that enters a room comes through here, from WebSocket, HTTP or the renderer, on a
 * loop's thread.
 */
#include "server/server.h"

#include "pool/os.h"
#include "server/ops/metrics.h"

static protocol_error error_of(dp_status status)
{
    return status == DP_OK ? PROTOCOL_OK : PROTOCOL_BUSY;
}

static protocol_error enter_room(server_loop *loop, dp_room *room, dp_buf *tail, uint64_t *seq)
{
    room_admitted admitted;
    dp_status status = room_admit(room, tail, os_clock_ns(), &admitted);
    dp_put(tail);
    if (status != DP_OK) {
        return error_of(status);
    }
    if (admitted.flush_later) {
        loop_flush_later(loop, room, admitted.flush_at_ns);
    }
    *seq = admitted.seq;
    return PROTOCOL_OK;
}

protocol_error admit_text(server_loop *loop, dp_room *room, const protocol_request *request,
                          uint64_t *seq)
{
    if (atomic_load_explicit(&loop->server->draining, memory_order_relaxed)) {
        return PROTOCOL_SHUTTING_DOWN;
    }
    dp_buf *tail;
    dp_status status = room_message_get(room, protocol_text_tail_bytes_max(request), &tail);
    if (status != DP_OK) {
        return error_of(status);
    }
    size_t size_bytes = protocol_write_text_tail(request, server_wall_ms(), dp_buf_data(tail),
                                                 dp_buf_capacity(tail));
    DP_ASSERT(size_bytes > 0);
    dp_buf_set_size(tail, size_bytes);
    return enter_room(loop, room, tail, seq);
}

protocol_error admit_media(server_loop *loop, const media_upload *upload, uint64_t *seq)
{
    dp_buf *tail;
    dp_status status = room_message_get(upload->room, PROTOCOL_MEDIA_TAIL_BYTES_MAX, &tail);
    if (status != DP_OK) {
        return error_of(status);
    }
    protocol_media media = {.id = upload->result.id,
                            .content_type = dp_media_content_type(upload->result.meta.format),
                            .width = upload->result.meta.width,
                            .height = upload->result.meta.height,
                            .frames = upload->result.meta.frames,
                            .source = dp_media_format_name(upload->result.meta.source_format),
                            .engine = upload->result.meta.engine,
                            .tier = dp_tier_name(upload->result.tier),
                            .mode = upload->mode};
    size_t size_bytes = protocol_write_media_tail(&media, server_wall_ms(), dp_buf_data(tail),
                                                  dp_buf_capacity(tail));
    DP_ASSERT(size_bytes > 0);
    dp_buf_set_size(tail, size_bytes);
    return enter_room(loop, upload->room, tail, seq);
}
