/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bilibili's protocol over WebSocket at /sub: packets in binary frames, whose borders mean nothing.
 */
#include "server/conn/viewer_lws.h"
#include "server/server.h"

/*
 * Any bytes keep a client that is known; the time to become known is one, from the handshake on, or
 * whoever drips a packet, or sends others than auth, would stay for ever.
 */
static void wait_for_packet(struct lws *wsi, const bili_session *session)
{
    if (session->is_authed) {
        lws_set_timer_usecs(wsi, BILI_IDLE_US_MAX);
    }
}

static int on_receive(struct lws *wsi, bili_session *session, const void *in, size_t size_bytes)
{
    viewer_lws_alive(&session->viewer);
    if (session->viewer.is_closing) {
        return 0;
    }
    if (!lws_frame_is_binary(wsi)) {
        viewer_close(&session->viewer, WS_CLOSE_UNSUPPORTED);
        return 0;
    }
    if (!bili_take(session, in, size_bytes)) {
        viewer_close(&session->viewer, WS_CLOSE_PROTOCOL);
        return 0;
    }
    wait_for_packet(wsi, session);
    return 0;
}

int bili_ws_callback(server_loop *loop, struct lws *wsi, enum lws_callback_reasons reason,
                     dp_session *session, void *in, size_t size_bytes)
{
    bili_session *bili = &session->u.bili;
    if (reason != LWS_CALLBACK_ESTABLISHED && !session->is_ws) {
        /* One that was refused: libwebsockets goes on calling until it is closed. */
        return reason == LWS_CALLBACK_CLOSED ? 0 : -1;
    }
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        session->is_ws = true;
        bili_begin(bili, loop, viewer_io_websocket(loop), wsi, &session->who);
        lws_set_timer_usecs(wsi, BILI_AUTH_US_MAX);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return on_receive(wsi, bili, in, size_bytes);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return viewer_lws_writable(&bili->viewer);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        bili->viewer.is_done = true; /* a close frame is the last one */
        return 0;
    case LWS_CALLBACK_TIMER: /* no auth, or nothing for too long */
        viewer_close(&bili->viewer, WS_CLOSE_POLICY);
        return 0;
    case LWS_CALLBACK_CLOSED:
        session->is_ws = false;
        bili_end(bili);
        return 0;
    default:
        return 0;
    }
}
