/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native protocol's WebSocket: reads requests and answers them; viewer.c writes.
 */
#include "server/conn/origin.h"
#include "server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/lifecycle.h>
#include <dp_features.h>

#include "pool/os.h"
#include "server/conn/entrance.h"
#include "server/conn/viewer_lws.h"
#include "server/gate/gate.h"
#include "server/ops/log.h"
#include "server/ops/metrics.h"

#define REPLY_BYTES_MAX 512u
#define HISTORY_MAX     200
/* More would not fit in 64 bits. */
#define SINCE_DIGITS_MAX 19u

static void say_missed(subscription *of, uint64_t count)
{
    char text[REPLY_BYTES_MAX];
    int size_bytes =
        snprintf(text, sizeof text,
                 "{\"op\":\"batch\",\"seq\":%" PRIu64 ",\"missed\":%" PRIu64 ",\"msgs\":[]}",
                 of->next_seq, count);
    viewer_reply(of->owner, text, (size_t)size_bytes);
}

static void say_going_away(viewer *to, uint32_t retry_ms)
{
    char text[REPLY_BYTES_MAX];
    int size_bytes = snprintf(text, sizeof text,
                              "{\"op\":\"notice\",\"code\":\"going_away\",\"message\":"
                              "\"the server is shutting down\",\"retry_ms\":%" PRIu32 "}",
                              retry_ms);
    viewer_reply(to, text, (size_t)size_bytes);
}

static const viewer_protocol native_protocol = {.name = "json",
                                                .format = FORMAT_JSON,
                                                .opcode = WS_TEXT,
                                                .missed = say_missed,
                                                .going_away = say_going_away};

static void reply_error(ws_session *ws, const protocol_request *request, protocol_error error,
                        const char *why, uint32_t retry_ms)
{
    char text[REPLY_BYTES_MAX];
    metrics_reject(error);
    viewer_reply(&ws->viewer, text,
                 protocol_write_error(request->has_id, request->id, error, why, retry_ms, text,
                                      sizeof text));
}

/* His own message, which the room does not show, for its sender alone. */
static void reply_own(ws_session *ws, const room_view *view, const message *in, uint64_t seq)
{
    dp_buf *frame = NULL;
    if (room_own(view->room, view->format, in, seq, &frame) != DP_OK || frame == NULL) {
        return;
    }
    viewer_reply(&ws->viewer, (char *)dp_buf_data(frame) + BATCH_HEADROOM,
                 dp_buf_size(frame) - BATCH_HEADROOM);
    dp_put(frame);
}

static void handle_send(server_loop *loop, ws_session *ws, const protocol_request *request)
{
    const room_view *view = ws->viewer.rooms->view;
    message in;
    admit_result result;
    const admit_sender sender = {.who = ws->who, .bucket = &ws->bucket};
    message_from_request(request, &in);
    protocol_error error = admit_message(loop, view->room, &sender, &in, &result);
    if (error != PROTOCOL_OK) {
        reply_error(ws, request, error, result.text.text, result.retry_ms);
        return;
    }
    if (request->has_id) {
        char text[REPLY_BYTES_MAX];
        viewer_reply(&ws->viewer, text,
                     protocol_write_ack(request->id, result.seq, text, sizeof text));
    }
    if (result.fate != ROOM_SHOWN) {
        reply_own(ws, view, &in, result.seq);
    }
}

static void handle_message(server_loop *loop, ws_session *ws, const void *bytes, size_t size_bytes)
{
    protocol_request request;
    protocol_message refusal;
    protocol_error error =
        protocol_parse(loop->parser, bytes, size_bytes, true, &request, &refusal);
    metrics_add(METRIC_RECEIVED_JSON, 1);
    if (error != PROTOCOL_OK) {
        reply_error(ws, &request, error, refusal.text, 0);
    } else if (request.op == PROTOCOL_OP_PING) {
        char text[REPLY_BYTES_MAX];
        viewer_reply(&ws->viewer, text,
                     protocol_write_pong(request.has_id, request.id, text, sizeof text));
    } else {
        handle_send(loop, ws, &request);
    }
}

/* Collects a message that came in pieces; the usual one that came whole is parsed where it lies. */
static void handle_piece(server_loop *loop, ws_session *ws, const void *in, size_t size_bytes)
{
    if (ws->partial_bytes + size_bytes > PROTOCOL_FRAME_BYTES_MAX) {
        viewer_close(&ws->viewer, WS_CLOSE_TOO_LARGE);
        return;
    }
    bool whole = lws_is_final_fragment(ws->wsi) && lws_remaining_packet_payload(ws->wsi) == 0;
    if (whole && ws->partial == NULL) {
        handle_message(loop, ws, in, size_bytes);
        return;
    }
    dp_request request = {
        .size_bytes = PROTOCOL_FRAME_BYTES_MAX, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    if (ws->partial == NULL && dp_get(loop->server->pool, &request, &ws->partial) != DP_OK) {
        viewer_close(&ws->viewer, WS_CLOSE_UNEXPECTED);
        return;
    }
    dp_buf_expect_long(ws->partial); /* as long as the client does not go on */
    memcpy((char *)dp_buf_data(ws->partial) + ws->partial_bytes, in, size_bytes);
    ws->partial_bytes += size_bytes;
    if (whole) {
        handle_message(loop, ws, dp_buf_data(ws->partial), ws->partial_bytes);
        dp_put(ws->partial);
        ws->partial = NULL;
        ws->partial_bytes = 0;
    }
}

static int on_receive(server_loop *loop, dp_session *session, void *in, size_t size_bytes)
{
    ws_session *ws = &session->u.ws;
    viewer_lws_alive(&ws->viewer);
    if (ws->viewer.is_closing) {
        return 0;
    }
    if (lws_frame_is_binary(ws->wsi)) {
        viewer_close(&ws->viewer, WS_CLOSE_UNSUPPORTED);
        return 0;
    }
    handle_piece(loop, ws, in, size_bytes);
    return 0;
}

/* An origin that does not fit is none that is listed. */
static bool may_open(const dp_server *server, struct lws *wsi)
{
    char origin[ORIGIN_BYTES_MAX] = "";
    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0 &&
        lws_hdr_copy(wsi, origin, sizeof origin, WSI_TOKEN_ORIGIN) <= 0) {
        snprintf(origin, sizeof origin, "too long");
    }
    return origin_is_allowed(server->config.listen_origins, origin);
}

/* `since` (all digits) and `epoch`: where a viewer goes on; false when they make no sense. */
static bool read_resume(struct lws *wsi, dp_session *session)
{
    char since_value[32];
    char epoch_value[ROOM_EPOCH_BYTES + 16];
    const char *since = lws_get_urlarg_by_name(wsi, "since=", since_value, sizeof since_value);
    const char *epoch = lws_get_urlarg_by_name(wsi, "epoch=", epoch_value, sizeof epoch_value);
    session->resumes = since != NULL;
    if (since == NULL) {
        return true;
    }
    size_t digits = strspn(since, "0123456789");
    if (digits == 0 || digits > SINCE_DIGITS_MAX || since[digits] != '\0' || epoch == NULL ||
        strlen(epoch) >= sizeof session->epoch) {
        return false;
    }
    session->since = strtoull(since, NULL, 10);
    snprintf(session->epoch, sizeof session->epoch, "%s", epoch);
    return true;
}

/* Before the upgrade: reads the query, and refuses with an HTTP status what cannot be served. */
static int on_filter(server_loop *loop, struct lws *wsi, dp_session *session)
{
    dp_server *server = loop->server;
    char *path;
    int path_bytes;
    char value[16];
    char room_value[ROOM_NAME_BYTES_MAX + 16];
    int method = lws_http_get_uri_and_method(wsi, &path, &path_bytes);
    unsigned status = 0;
    const char *room = lws_get_urlarg_by_name(wsi, "room=", room_value, sizeof room_value);
    session->is_bili = method >= 0 && path_bytes == 4 && memcmp(path, "/sub", 4) == 0;
    bool is_native = method >= 0 && path_bytes == 6 && memcmp(path, "/v1/ws", 6) == 0;
    if (!is_native && !session->is_bili) {
        status = HTTP_STATUS_NOT_FOUND;
    } else if (!may_open(server, wsi)) {
        status = HTTP_STATUS_FORBIDDEN;
    } else if (is_native && (room == NULL || !protocol_room_name_valid(room, strlen(room)) ||
                             !read_resume(wsi, session))) {
        status = HTTP_STATUS_BAD_REQUEST;
    } else if (atomic_load_explicit(&server->draining, memory_order_relaxed) ||
               atomic_load_explicit(&server->viewers, memory_order_relaxed) >=
                   server->config.limits_connections_max) {
        status = HTTP_STATUS_SERVICE_UNAVAILABLE;
    }
    /* A Bilibili client brings its room and token in its first packet. */
    if (status == 0 && session->is_bili) {
        entrance_address(wsi, &session->who.address);
    } else if (status == 0) {
        protocol_message why;
        protocol_error error = entrance_check(loop, wsi, room, &session->who, &why);
        status = error == PROTOCOL_OK ? 0 : protocol_error_http_status(error);
    }
    if (status != 0) {
        (void)lws_return_http_status(wsi, status, NULL);
        return -1;
    }
    if (session->is_bili) {
        return 0; /* its room comes with the first packet */
    }
    snprintf(session->room, sizeof session->room, "%s", room);
    const char *history = lws_get_urlarg_by_name(wsi, "history=", value, sizeof value);
    long wanted = history == NULL ? 0 : strtol(history, NULL, 10);
    session->history = wanted < 0 ? 0 : wanted > HISTORY_MAX ? HISTORY_MAX : (unsigned)wanted;
    return 0;
}

/* What the viewer is shown first of the room; what he asked for decides whether and how much. */
static void find_past(const dp_session *session, subscription *room, room_resumed *out)
{
    *out = (room_resumed){.frame = NULL};
    if (session->resumes) {
        const room_seen seen = {.epoch = session->epoch, .seq = session->since};
        (void)room_view_resume(room->view, &seen, HISTORY_MAX, out);
    } else {
        (void)room_view_history(room->view, session->history, &out->frame);
    }
    room->next_batch = room->view->ring.head;
    room->next_seq = room->view->next_seq;
}

static void say_hello(server_loop *loop, dp_session *session, subscription *room)
{
    const config *settings = &loop->server->config;
    viewer *who = &session->u.ws.viewer;
    room_resumed past;
    find_past(session, room, &past);
    const char *recovered = !session->resumes ? ""
                            : past.recovered  ? ",\"recovered\":true"
                                              : ",\"recovered\":false";
    char text[REPLY_BYTES_MAX];
    int size_bytes =
        snprintf(text, sizeof text,
                 "{\"op\":\"hello\",\"room\":\"%s\",\"epoch\":\"%s\",\"seq\":%" PRIu64
                 ",\"server\":\"danpoold/" DP_VERSION_STRING "\",\"ping_ms\":%" PRId64
                 ",\"text_chars_max\":%" PRId64 ",\"ext_bytes_max\":%" PRId64 "%s}",
                 room_name(room->view->room), room_epoch(room->view->room), room->next_seq - 1,
                 settings->timeouts_ping_s * 1000, settings->limits_text_chars_max,
                 settings->limits_ext_bytes_max, recovered);
    viewer_reply(who, text, (size_t)size_bytes);
    if (past.frame != NULL) {
        viewer_reply(who, (char *)dp_buf_data(past.frame) + BATCH_HEADROOM,
                     dp_buf_size(past.frame) - BATCH_HEADROOM);
        dp_put(past.frame);
    }
}

/* Takes a place of the address, given back by on_gone(); false: it has as many as it may. */
static bool on_arrived(server_loop *loop, struct lws *wsi, dp_session *session)
{
    session->has_place = limits_connect(loop->server->gate->limits, &session->who.address);
    if (!session->has_place) {
        static unsigned char why[] = "too many";
        lws_close_reason(wsi, (enum lws_close_status)WS_CLOSE_TRY_LATER, why, sizeof why - 1);
    }
    return session->has_place;
}

static void on_gone(server_loop *loop, dp_session *session)
{
    if (session->has_place) {
        session->has_place = false;
        limits_disconnect(loop->server->gate->limits, &session->who.address);
    }
}

static int on_established(server_loop *loop, struct lws *wsi, dp_session *session)
{
    ws_session *ws = &session->u.ws;
    memset(ws, 0, sizeof *ws);
    ws->wsi = wsi;
    ws->who = &session->who;
    viewer_begin(&ws->viewer, loop, &native_protocol, viewer_io_websocket(loop), wsi);
    subscription *room;
    if (viewer_join(&ws->viewer, session->room, &room) != DP_OK) {
        viewer_end(&ws->viewer);
        lws_close_reason(wsi, (enum lws_close_status)WS_CLOSE_TRY_LATER,
                         (unsigned char *)(uintptr_t) "full", 4);
        return -1;
    }
    session->is_ws = true;
    admit_bucket_fill(&ws->bucket, loop->server->config.limits_messages_burst, os_clock_ns());
    say_hello(loop, session, room);
    return 0;
}

static void on_closed(dp_session *session)
{
    if (session->is_ws) {
        session->is_ws = false;
        dp_put(session->u.ws.partial);
        viewer_end(&session->u.ws.viewer);
    }
}

int conn_callback(server_loop *loop, struct lws *wsi, enum lws_callback_reasons reason,
                  dp_session *session, void *in, size_t size_bytes)
{
    if (reason == LWS_CALLBACK_ESTABLISHED && !on_arrived(loop, wsi, session)) {
        return -1;
    }
    if (reason == LWS_CALLBACK_CLOSED) {
        on_gone(loop, session);
    }
    if (session->is_bili && reason != LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION) {
        return bili_ws_callback(loop, wsi, reason, session, in, size_bytes);
    }
    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return on_filter(loop, wsi, session);
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(loop, wsi, session);
    case LWS_CALLBACK_RECEIVE:
        /* libwebsockets goes on calling for a connection that ESTABLISHED refused, until it is
         * closed. */
        return session->is_ws ? on_receive(loop, session, in, size_bytes) : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        session->u.ws.viewer.is_done |= session->is_ws; /* a close frame is the last one */
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return session->is_ws ? viewer_lws_writable(&session->u.ws.viewer) : -1;
    case LWS_CALLBACK_CLOSED:
        on_closed(session);
        return 0;
    default:
        return 0;
    }
}
