/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A viewer's WebSocket: reads requests, writes replies and batches.
 *
 * Nothing is queued per viewer but short replies: what he sees next is a number in his view's ring.
 * A viewer whose number fell out of the ring is told how many messages he missed and goes on with
 * the newest batch.  A sender that does not read his replies is not read from either
 * (REPLIES_PAUSE).
 */
#include "server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/lifecycle.h>
#include <danpool/stats.h>
#include <dp_features.h>

#include "pool/os.h"
#include "server/ops/log.h"
#include "server/ops/metrics.h"

#define REPLIES_PAUSE   64u
#define REPLIES_RESUME  16u
#define REPLY_BYTES_MAX 512u
#define WRITES_PER_WAKE 8
#define TOKEN_MILLI     1000
/* RFC 6455 registry: "Try Again Later"; libwebsockets does not name it. */
#define CLOSE_STATUS_TRY_AGAIN_LATER 1013
#define RETRY_MS_MIN                 500u
#define RETRY_MS_SPREAD              2000u

/* A reply's block: the next one's pointer, room for the frame header, the text. */
#define REPLY_HEADROOM 64u
_Static_assert(REPLY_HEADROOM >= sizeof(dp_buf *) + LWS_PRE, "a reply needs its link and header");
_Static_assert(BATCH_HEADROOM >= LWS_PRE, "a frame header must fit in front of a batch");

static dp_buf **reply_link(dp_buf *reply)
{
    return (dp_buf **)dp_buf_data(reply);
}

static void reply_push(ws_session *ws, dp_buf *reply)
{
    *reply_link(reply) = NULL;
    dp_buf_expect_long(reply); /* as long as the client does not read */
    if (ws->reply_tail == NULL) {
        ws->reply_head = reply;
    } else {
        *reply_link(ws->reply_tail) = reply;
    }
    ws->reply_tail = reply;
    ws->reply_count++;
    if (ws->reply_count >= REPLIES_PAUSE && !ws->reading_paused) {
        ws->reading_paused = true;
        lws_rx_flow_control(ws->wsi, 0);
    }
    lws_callback_on_writable(ws->wsi);
}

static void reply_pop(ws_session *ws)
{
    dp_buf *reply = ws->reply_head;
    ws->reply_head = *reply_link(reply);
    if (ws->reply_head == NULL) {
        ws->reply_tail = NULL;
    }
    dp_put(reply);
    ws->reply_count--;
    if (ws->reading_paused && ws->reply_count <= REPLIES_RESUME) {
        ws->reading_paused = false;
        lws_rx_flow_control(ws->wsi, 1);
    }
}

/* Queues a short text.  Without memory for it the connection is closed: an answer must not get
 * lost. */
static void reply_text(server_loop *loop, ws_session *ws, const char *text, size_t size_bytes)
{
    DP_ASSERT(size_bytes > 0);
    dp_request request = {
        .size_bytes = REPLY_HEADROOM + size_bytes, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    dp_buf *reply;
    if (dp_get(loop->server->pool, &request, &reply) != DP_OK) {
        ws->closing = true;
        ws->close_status = LWS_CLOSE_STATUS_UNEXPECTED_CONDITION;
        lws_callback_on_writable(ws->wsi);
        return;
    }
    memcpy((char *)dp_buf_data(reply) + REPLY_HEADROOM, text, size_bytes);
    reply_push(ws, reply);
}

static void reply_error(server_loop *loop, ws_session *ws, const protocol_request *request,
                        protocol_error error, const char *message, uint32_t retry_ms)
{
    char text[REPLY_BYTES_MAX];
    metrics_reject(error);
    reply_text(loop, ws, text,
               protocol_write_error(request->has_id, request->id, error, message, retry_ms, text,
                                    sizeof text));
}

static void start_close(ws_session *ws, enum lws_close_status status)
{
    if (!ws->closing) {
        ws->closing = true;
        ws->close_status = status;
    }
    lws_callback_on_writable(ws->wsi);
}

/* Takes one token; 0, or how many milliseconds until there is one. */
static uint32_t bucket_take(const config *settings, ws_session *ws, uint64_t now_ns)
{
    int64_t rate = settings->limits_messages_per_s;
    if (rate == 0) {
        return 0;
    }
    int64_t full = settings->limits_messages_burst * TOKEN_MILLI;
    uint64_t passed_us = (now_ns - ws->tokens_ns) / 1000u;
    if (passed_us > 3600000000u) {
        passed_us = 3600000000u;
    }
    int64_t earned = (int64_t)passed_us * rate / 1000;
    if (earned > 0) {
        /* The remainder of a division is not lost: time moves only by what was earned. */
        ws->tokens_ns = ws->tokens_milli + earned >= full
                            ? now_ns
                            : ws->tokens_ns + (uint64_t)(earned * 1000 / rate) * 1000u;
        ws->tokens_milli = ws->tokens_milli + earned > full ? full : ws->tokens_milli + earned;
    }
    if (ws->tokens_milli >= TOKEN_MILLI) {
        ws->tokens_milli -= TOKEN_MILLI;
        return 0;
    }
    return (uint32_t)((TOKEN_MILLI - ws->tokens_milli + rate - 1) / rate) + 1u;
}

static void handle_send(server_loop *loop, ws_session *ws, const protocol_request *request)
{
    const config *settings = &loop->server->config;
    uint32_t wait_ms = bucket_take(settings, ws, os_clock_ns());
    if (wait_ms > 0) {
        char message[96];
        snprintf(message, sizeof message,
                 "more than %" PRId64 " messages a second; wait %" PRIu32 " ms",
                 settings->limits_messages_per_s, wait_ms);
        reply_error(loop, ws, request, PROTOCOL_RATE_LIMITED, message, wait_ms);
        return;
    }
    uint64_t seq;
    protocol_error error = admit_text(loop, ws->view->room, request, &seq);
    if (error != PROTOCOL_OK) {
        const char *message = error == PROTOCOL_SHUTTING_DOWN ? "the server is shutting down"
                                                              : "no memory just now, try again";
        reply_error(loop, ws, request, error, message, 1000);
        return;
    }
    if (request->has_id) {
        char text[REPLY_BYTES_MAX];
        reply_text(loop, ws, text, protocol_write_ack(request->id, seq, text, sizeof text));
    }
}

static void handle_message(server_loop *loop, ws_session *ws, const void *bytes, size_t size_bytes)
{
    protocol_request request;
    protocol_message message;
    protocol_error error =
        protocol_parse(loop->parser, bytes, size_bytes, true, &request, &message);
    metrics_add(METRIC_RECEIVED_JSON, 1);
    if (error != PROTOCOL_OK) {
        reply_error(loop, ws, &request, error, message.text, 0);
    } else if (request.op == PROTOCOL_OP_PING) {
        char text[REPLY_BYTES_MAX];
        reply_text(loop, ws, text,
                   protocol_write_pong(request.has_id, request.id, text, sizeof text));
    } else {
        handle_send(loop, ws, &request);
    }
}

/* Collects a message that came in pieces; the usual one that came whole is parsed where it lies. */
static void handle_piece(server_loop *loop, ws_session *ws, const void *in, size_t size_bytes)
{
    if (ws->partial_bytes + size_bytes > PROTOCOL_FRAME_BYTES_MAX) {
        start_close(ws, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
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
        start_close(ws, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION);
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
    lws_validity_confirmed(ws->wsi);
    if (ws->closing) {
        return 0;
    }
    if (lws_frame_is_binary(ws->wsi)) {
        start_close(ws, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE);
        return 0;
    }
    handle_piece(loop, ws, in, size_bytes);
    return 0;
}

static bool write_text(ws_session *ws, dp_buf *buf, size_t headroom)
{
    unsigned char *text = (unsigned char *)dp_buf_data(buf) + headroom;
    size_t size_bytes = dp_buf_size(buf) - headroom;
    metrics_add(METRIC_FRAMES, 1);
    dp_stats_delivered(buf, size_bytes);
    return lws_write(ws->wsi, text, size_bytes, LWS_WRITE_TEXT) >= 0;
}

/* Tells a viewer who fell out of the ring, and moves him to the newest batch. */
static bool write_missed(ws_session *ws)
{
    room_view *view = ws->view;
    room_batch *newest = batch_ring_at(&view->ring, view->ring.head - 1);
    uint64_t missed = newest->first_seq - ws->next_seq;
    unsigned char block[LWS_PRE + 128];
    int size_bytes =
        snprintf((char *)block + LWS_PRE, 128,
                 "{\"op\":\"batch\",\"seq\":%" PRIu64 ",\"missed\":%" PRIu64 ",\"msgs\":[]}",
                 newest->first_seq, missed);
    ws->next_batch = view->ring.head - 1;
    ws->next_seq = newest->first_seq;
    metrics_add(METRIC_DROPPED_SLOW, (int64_t)missed);
    metrics_add(METRIC_FRAMES, 1);
    return lws_write(ws->wsi, block + LWS_PRE, (size_t)size_bytes, LWS_WRITE_TEXT) >= 0;
}

static bool write_batch(ws_session *ws)
{
    room_batch *batch = batch_ring_at(&ws->view->ring, ws->next_batch);
    if (batch->first_seq > ws->next_seq) {
        /* The loop itself was stalled past the room's ring: the hole is told the same way. */
        return write_missed(ws);
    }
    ws->next_batch++;
    ws->next_seq = batch->first_seq + batch->count;
    metrics_add(METRIC_DELIVERED, batch->count);
    metrics_observe(HISTOGRAM_FANOUT, os_clock_ns() - batch->admitted_ns, batch->count);
    return write_text(ws, batch->frame, BATCH_HEADROOM);
}

static bool has_output(const ws_session *ws)
{
    return ws->reply_head != NULL || ws->next_batch < ws->view->ring.head;
}

/* Writes one frame: replies first, then batches in order. */
static bool write_next(ws_session *ws)
{
    if (ws->reply_head != NULL) {
        bool good = write_text(ws, ws->reply_head, REPLY_HEADROOM);
        reply_pop(ws);
        return good;
    }
    if (ws->next_batch < ws->view->ring.tail) {
        return write_missed(ws);
    }
    return write_batch(ws);
}

/* Writes what there is until the socket is full; false when the connection is broken. */
static bool write_pending(ws_session *ws)
{
    for (int i = 0; i < WRITES_PER_WAKE && has_output(ws); i++) {
        if (lws_partial_buffered(ws->wsi) != 0) {
            break;
        }
        if (!write_next(ws)) {
            return false;
        }
    }
    if (has_output(ws) || ws->closing) {
        lws_callback_on_writable(ws->wsi);
    }
    return true;
}

static int on_writable(ws_session *ws)
{
    if (!write_pending(ws)) {
        return -1;
    }
    if (ws->closing && ws->reply_head == NULL) {
        lws_close_reason(ws->wsi, ws->close_status, NULL, 0);
        return -1;
    }
    return 0;
}

/*
 * Writes to every viewer now instead of asking poll() first whether it may: a socket that can take
 * it, the usual case, then costs one send().  One that cannot keeps its frame with libwebsockets,
 * and nothing more is written to it before LWS_CALLBACK_SERVER_WRITEABLE.
 */
void conn_wake_viewers(room_view *view)
{
    for (ws_session *ws = view->viewers; ws != NULL; ws = ws->next) {
        if (!write_pending(ws)) {
            lws_set_timeout(ws->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
        }
    }
}

void conn_check_viewers(server_loop *loop, room_view *view, uint64_t now_ns)
{
    uint64_t limit_ns = (uint64_t)loop->server->config.fanout_slow_close_ms * 1000000u;
    for (ws_session *ws = view->viewers; ws != NULL; ws = ws->next) {
        bool full = lws_partial_buffered(ws->wsi) != 0;
        if (!full) {
            ws->behind_since_ns = 0;
        } else if (ws->behind_since_ns == 0) {
            ws->behind_since_ns = now_ns;
        } else if (now_ns - ws->behind_since_ns > limit_ns) {
            /* A close frame would wait behind what he does not read: hang up. */
            log_info("viewer closed", "reason=slow behind_ms=%" PRIu64,
                     (now_ns - ws->behind_since_ns) / 1000000u);
            ws->behind_since_ns = 0;
            lws_close_reason(ws->wsi, LWS_CLOSE_STATUS_POLICY_VIOLATION,
                             (unsigned char *)(uintptr_t) "slow", 4);
            lws_set_timeout(ws->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
        }
    }
}

void conn_go_away(server_loop *loop, room_view *view)
{
    char text[160];
    for (ws_session *ws = view->viewers; ws != NULL; ws = ws->next) {
        /* Spread, so that a restart is not answered by everybody at once. */
        unsigned retry_ms =
            RETRY_MS_MIN + (unsigned)(((uintptr_t)ws >> 6) * 2654435761u % RETRY_MS_SPREAD);
        int size_bytes = snprintf(text, sizeof text,
                                  "{\"op\":\"notice\",\"code\":\"going_away\",\"message\":"
                                  "\"the server is shutting down\",\"retry_ms\":%u}",
                                  retry_ms);
        reply_text(loop, ws, text, (size_t)size_bytes);
        start_close(ws, LWS_CLOSE_STATUS_GOINGAWAY);
    }
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
    if (method < 0 || path_bytes != 6 || memcmp(path, "/v1/ws", 6) != 0) {
        status = HTTP_STATUS_NOT_FOUND;
    } else if (room == NULL || !protocol_room_name_valid(room, strlen(room))) {
        status = HTTP_STATUS_BAD_REQUEST;
    } else if (atomic_load_explicit(&server->draining, memory_order_relaxed) ||
               atomic_load_explicit(&server->viewers, memory_order_relaxed) >=
                   server->config.limits_connections_max) {
        status = HTTP_STATUS_SERVICE_UNAVAILABLE;
    }
    if (status != 0) {
        (void)lws_return_http_status(wsi, status, NULL);
        return -1;
    }
    snprintf(session->room, sizeof session->room, "%s", room);
    const char *history = lws_get_urlarg_by_name(wsi, "history=", value, sizeof value);
    long wanted = history == NULL ? 0 : strtol(history, NULL, 10);
    session->history = wanted < 0 ? 0 : wanted > 200 ? 200 : (unsigned)wanted;
    return 0;
}

static void say_hello(server_loop *loop, dp_session *session)
{
    const config *settings = &loop->server->config;
    ws_session *ws = &session->u.ws;
    dp_buf *history = NULL;
    (void)room_view_history(ws->view, session->history, &history);
    ws->next_batch = ws->view->ring.head;
    ws->next_seq = ws->view->next_seq;
    char text[REPLY_BYTES_MAX];
    int size_bytes = snprintf(text, sizeof text,
                              "{\"op\":\"hello\",\"room\":\"%s\",\"epoch\":\"%s\",\"seq\":%" PRIu64
                              ",\"server\":\"danpoold/" DP_VERSION_STRING "\",\"ping_ms\":%" PRId64
                              ",\"text_chars_max\":%" PRId64 ",\"ext_bytes_max\":%" PRId64 "}",
                              room_name(ws->view->room), room_epoch(ws->view->room),
                              ws->next_seq - 1, settings->timeouts_ping_s * 1000,
                              settings->limits_text_chars_max, settings->limits_ext_bytes_max);
    reply_text(loop, ws, text, (size_t)size_bytes);
    if (history != NULL) {
        reply_text(loop, ws, (char *)dp_buf_data(history) + BATCH_HEADROOM,
                   dp_buf_size(history) - BATCH_HEADROOM);
        dp_put(history);
    }
}

static int on_established(server_loop *loop, struct lws *wsi, dp_session *session)
{
    ws_session *ws = &session->u.ws;
    memset(ws, 0, sizeof *ws);
    if (loop_view_acquire(loop, session->room, &ws->view) != DP_OK) {
        lws_close_reason(wsi, CLOSE_STATUS_TRY_AGAIN_LATER, (unsigned char *)(uintptr_t) "full", 4);
        return -1;
    }
    session->is_ws = true;
    ws->wsi = wsi;
    ws->tokens_milli = loop->server->config.limits_messages_burst * TOKEN_MILLI;
    ws->tokens_ns = os_clock_ns();
    ws->next = ws->view->viewers;
    if (ws->next != NULL) {
        ws->next->previous = ws;
    }
    ws->view->viewers = ws;
    loop->sessions++;
    atomic_fetch_add_explicit(&loop->server->viewers, 1, memory_order_relaxed);
    metrics_add(METRIC_CONNECTIONS, 1);
    metrics_add(METRIC_CONNECTIONS_TOTAL, 1);
    say_hello(loop, session);
    return 0;
}

static void on_closed(server_loop *loop, dp_session *session)
{
    ws_session *ws = &session->u.ws;
    if (!session->is_ws) {
        return;
    }
    session->is_ws = false;
    while (ws->reply_head != NULL) {
        dp_buf *reply = ws->reply_head;
        ws->reply_head = *reply_link(reply);
        dp_put(reply);
    }
    dp_put(ws->partial);
    if (ws->previous != NULL) {
        ws->previous->next = ws->next;
    } else {
        ws->view->viewers = ws->next;
    }
    if (ws->next != NULL) {
        ws->next->previous = ws->previous;
    }
    loop_view_release(loop, ws->view);
    loop->sessions--;
    atomic_fetch_sub_explicit(&loop->server->viewers, 1, memory_order_relaxed);
    metrics_add(METRIC_CONNECTIONS, -1);
}

int conn_callback(server_loop *loop, struct lws *wsi, enum lws_callback_reasons reason,
                  dp_session *session, void *in, size_t size_bytes)
{
    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return on_filter(loop, wsi, session);
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(loop, wsi, session);
    case LWS_CALLBACK_RECEIVE:
        /* libwebsockets goes on calling for a connection that ESTABLISHED refused, until it is
         * closed. */
        return session->is_ws ? on_receive(loop, session, in, size_bytes) : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return session->is_ws ? on_writable(&session->u.ws) : -1;
    case LWS_CALLBACK_CLOSED:
        on_closed(loop, session);
        return 0;
    default:
        return 0;
    }
}
