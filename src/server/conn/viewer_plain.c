/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket viewers without TLS: frames go to the socket past libwebsockets.
 *
 * Such a frame is the same bytes for everybody, so its header is written once into the headroom and
 * the whole is one send().  What keeps that sound beside pings, pongs and closes of libwebsockets:
 *
 *   - nothing is sent while libwebsockets holds bytes of its own back (is_full);
 *   - a frame that the socket took in part is given to libwebsockets for the rest, which sends that
 *     first, before anything else of this connection (LWS_WRITE_HTTP: as it is, without a header);
 *   - one of which the socket took nothing stays with us: the viewer is only a number in a ring.
 */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "server/conn/viewer.h"
#include "server/conn/viewer_lws.h"
#include "server/server.h"

_Static_assert(BATCH_HEADROOM >= WS_WRITE_HEADER_MAX, "a frame header must fit before a batch");

/* Writes the header in front of the payload; where the frame begins. */
static uint8_t *frame_begin(const viewer_frame *frame)
{
    uint8_t header[WS_WRITE_HEADER_MAX];
    size_t size_bytes = ws_header_write(frame->ws, dp_buf_size(frame->buf) - frame->offset, header);
    uint8_t *begin = (uint8_t *)dp_buf_data(frame->buf) + frame->offset - size_bytes;
    memcpy(begin, header, size_bytes);
    return begin;
}

static viewer_sent plain_send(viewer *to, const viewer_frame *frame)
{
    struct lws *wsi = to->socket;
    uint8_t *begin = frame_begin(frame);
    size_t size_bytes =
        (size_t)((uint8_t *)dp_buf_data(frame->buf) + dp_buf_size(frame->buf) - begin);
    ssize_t sent;
    do {
        sent = send(lws_get_socket_fd(wsi), begin, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? VIEWER_FULL : VIEWER_BROKEN;
    }
    size_t rest = size_bytes - (size_t)sent;
    if (rest > 0 && lws_write(wsi, begin + sent, rest, LWS_WRITE_HTTP) < 0) {
        return VIEWER_BROKEN;
    }
    return VIEWER_SENT;
}

static const viewer_io viewer_io_plain = {.send = plain_send,
                                          .is_full = viewer_lws_is_full,
                                          .ask = viewer_lws_ask,
                                          .read = viewer_lws_read,
                                          .drop = viewer_lws_drop};

const viewer_io *viewer_io_websocket(const server_loop *loop)
{
    return loop->server->tls == NULL ? &viewer_io_plain : &viewer_io_lws;
}
