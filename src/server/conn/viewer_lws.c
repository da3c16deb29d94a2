/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Viewers behind libwebsockets: WebSocket, with TLS or without, and raw TCP.
 *
 * libwebsockets takes a frame always and keeps what the socket did not take; is_full() says so, and
 * nothing more is given to it before the socket is writable again.
 */
#include "server/conn/viewer_lws.h"

#include "pool/os.h"
#include "server/server.h"

#define ALIVE_NS 1000000000u

static struct lws *wsi_of(const viewer *of)
{
    return of->socket;
}

static viewer_sent lws_io_send(viewer *to, const viewer_frame *frame)
{
    struct lws *wsi = wsi_of(to);
    unsigned char *payload = (unsigned char *)dp_buf_data(frame->buf) + frame->offset;
    size_t size_bytes = dp_buf_size(frame->buf) - frame->offset;
    enum lws_write_protocol how = LWS_WRITE_TEXT;
    if (frame->ws.opcode == WS_BINARY) {
        how = LWS_WRITE_BINARY; /* a raw connection takes any kind as it is */
    }
    return lws_write(wsi, payload, size_bytes, how) < 0 ? VIEWER_BROKEN : VIEWER_SENT;
}

bool viewer_lws_is_full(const viewer *of)
{
    return lws_partial_buffered(wsi_of(of)) != 0;
}

void viewer_lws_ask(viewer *of)
{
    lws_callback_on_writable(wsi_of(of));
}

void viewer_lws_read(viewer *of, bool on)
{
    lws_rx_flow_control(wsi_of(of), on ? 1 : 0);
}

void viewer_lws_drop(viewer *of)
{
    lws_set_timeout(wsi_of(of), PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
}

int viewer_lws_writable(viewer *who)
{
    if (viewer_writable(who)) {
        return 0;
    }
    if (who->is_closing) {
        lws_close_reason(wsi_of(who), (enum lws_close_status)who->close_status, NULL, 0);
    }
    return -1;
}

/* libwebsockets moves its timer through a list of all connections: once a second is enough. */
void viewer_lws_alive(viewer *who)
{
    uint64_t now_ns = os_clock_ns();
    if (now_ns - who->alive_ns >= ALIVE_NS) {
        who->alive_ns = now_ns;
        lws_validity_confirmed(wsi_of(who));
    }
}

const viewer_io viewer_io_lws = {.send = lws_io_send,
                                 .is_full = viewer_lws_is_full,
                                 .ask = viewer_lws_ask,
                                 .read = viewer_lws_read,
                                 .drop = viewer_lws_drop};
