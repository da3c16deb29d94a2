/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP: publishing, media, history, metrics, health and the page.
 *
 *     on_request -> (body) -> handler -> answer -> on_writable until written
 *
 * One answer at a time is written from pooled or static bytes, without a copy; the request owns the
 * reference until the last byte is gone.
 *
 * A request that is refused before its body was read is answered at once and the connection closed
 * behind the answer, but not while bytes are still coming: a close with unread bytes is a reset,
 * and a reset makes most clients throw the answer away.  So only the sending side is shut, and the
 * rest is read and discarded, no further than LINGER_* allow.
 */
#include "server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <danpool/lifecycle.h>
#include <danpool/stats.h>

#include "pool/os.h"
#include "server/conn/entrance.h"
#include "server/http/assets.h"
#include "server/ops/metrics.h"

#define HEADER_BYTES_MAX       2048u
#define WRITE_BYTES_MAX        (64u << 10)
#define STATUS_CREATED         201u /* libwebsockets does not name it */
#define HISTORY_DEFAULT        50u
#define HISTORY_MAX            200u
#define STICKER_WIDTH          160u
#define STICKER_HEIGHT         160u
#define PHOTO_WIDTH            480u
#define PHOTO_HEIGHT           270u
#define MESSAGE_BODY_BYTES_MAX PROTOCOL_FRAME_BYTES_MAX

/*
 * What is discarded of a refused body.  32 MiB is four times the largest upload taken by default:
 * a photo sent in good faith fits, and a client that pours more than that gets its reset.  Nothing
 * is kept of it, so that what a refused client can hold is one descriptor for ten seconds, less
 * than with a slow upload that is accepted.
 */
#define LINGER_BYTES_MAX (32u << 20)
#define LINGER_IDLE_US   (2 * LWS_US_PER_SEC)
#define LINGER_NS_MAX    10000000000u

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
static const char media_policy[] = "default-src 'none'; sandbox";

/* What an answer is; zero fields are left out. */
typedef struct http_answer {
    unsigned status;
    const char *content_type;
    const char *cache_control, *etag, *policy, *tier;
    bool retry_after;
    const void *bytes;
    size_t size_bytes;
    dp_buf *owner; /* taken over */
} http_answer;

typedef struct header_space {
    unsigned char block[LWS_PRE + HEADER_BYTES_MAX];
    unsigned char *at, *end;
} header_space;

static bool put_header(struct lws *wsi, header_space *space, const char *name, const char *value)
{
    return value == NULL || lws_add_http_header_by_name(
                                wsi, (const unsigned char *)name, (const unsigned char *)value,
                                (int)strlen(value), &space->at, space->end) == 0;
}

/* Whether libwebsockets goes on to read a body of this request when it is not closed. */
static bool body_follows(struct lws *wsi)
{
    char value[24];
    if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) == 0) {
        return false;
    }
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) == 0) {
        return true; /* it may come in chunks */
    }
    return lws_hdr_copy(wsi, value, sizeof value, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 &&
           strtoll(value, NULL, 10) > 0;
}

/* The answer is out: the client sees its end now, and may send the rest into the void. */
static int linger_begin(struct lws *wsi, http_session *http)
{
    if (!body_follows(wsi) || lws_partial_buffered(wsi) != 0 ||
        shutdown(lws_get_socket_fd(wsi), SHUT_WR) != 0) {
        return -1;
    }
    http->lingering = true;
    http->linger_bytes = 0;
    http->linger_until_ns = os_clock_ns() + LINGER_NS_MAX;
    lws_set_timer_usecs(wsi, LINGER_IDLE_US);
    return 0;
}

/* Counts bytes that were thrown away; closes when it was enough. */
static int linger_more(struct lws *wsi, http_session *http, size_t size_bytes)
{
    http->linger_bytes += size_bytes;
    if (http->linger_bytes > LINGER_BYTES_MAX || os_clock_ns() > http->linger_until_ns) {
        return -1;
    }
    lws_set_timer_usecs(wsi, LINGER_IDLE_US);
    return 0;
}

static int on_writable(struct lws *wsi, http_session *http)
{
    if (!http->answering) {
        return 0;
    }
    size_t piece = http->answer_bytes < WRITE_BYTES_MAX ? http->answer_bytes : WRITE_BYTES_MAX;
    bool last = piece == http->answer_bytes;
    if (piece > 0 && lws_write(wsi, (unsigned char *)(uintptr_t)http->answer, piece,
                               last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0) {
        return -1;
    }
    if (http->answer_owner != NULL) {
        dp_stats_delivered(http->answer_owner, piece);
    }
    http->answer += piece;
    http->answer_bytes -= piece;
    if (!last) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    dp_put(http->answer_owner);
    http->answer_owner = NULL;
    http->answering = false;
    if (http->close_after) {
        return linger_begin(wsi, http);
    }
    return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

static int respond(struct lws *wsi, http_session *http, const http_answer *answer)
{
    header_space space;
    space.at = space.block + LWS_PRE;
    space.end = space.block + sizeof space.block - 1;
    unsigned char *start = space.at;
    bool good = lws_add_http_common_headers(wsi, answer->status, answer->content_type,
                                            answer->size_bytes, &space.at, space.end) == 0 &&
                put_header(wsi, &space, "x-content-type-options:", "nosniff") &&
                put_header(wsi, &space, "cache-control:",
                           answer->cache_control != NULL ? answer->cache_control : "no-store") &&
                put_header(wsi, &space, "etag:", answer->etag) &&
                put_header(wsi, &space, "content-security-policy:", answer->policy) &&
                put_header(wsi, &space, "x-danpool-tier:", answer->tier) &&
                put_header(wsi, &space, "retry-after:", answer->retry_after ? "1" : NULL) &&
                lws_finalize_write_http_header(wsi, start, &space.at, space.end) == 0;
    if (!good) {
        dp_put(answer->owner);
        return -1;
    }
    http->answer = answer->bytes;
    http->answer_bytes = http->head_only ? 0 : answer->size_bytes;
    http->answer_owner = answer->owner;
    if (answer->owner != NULL) {
        dp_buf_expect_long(answer->owner); /* as long as the client takes to read it */
    }
    http->answering = true;
    if (http->close_after) {
        /* libwebsockets waits for the rest of a body before it asks for an answer; this one has to
         * leave now, whether the body ever comes or not. */
        return on_writable(wsi, http);
    }
    lws_callback_on_writable(wsi);
    return 0;
}

static int respond_buf(struct lws *wsi, http_session *http, unsigned status, const char *type,
                       dp_buf *owner)
{
    http_answer answer = {.status = status,
                          .content_type = type,
                          .bytes = dp_buf_data(owner),
                          .size_bytes = dp_buf_size(owner),
                          .owner = owner};
    return respond(wsi, http, &answer);
}

/* A short text of ours, copied into a pooled block that lives until it is written. */
static int respond_text(server_loop *loop, struct lws *wsi, http_session *http, unsigned status,
                        const char *text)
{
    size_t size_bytes = strlen(text);
    dp_request request = {.size_bytes = size_bytes + 1, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    dp_buf *owner;
    if (dp_get(loop->server->pool, &request, &owner) != DP_OK) {
        return -1;
    }
    memcpy(dp_buf_data(owner), text, size_bytes);
    dp_buf_set_size(owner, size_bytes);
    http_answer answer = {.status = status,
                          .content_type = text[0] == '{' ? "application/json" : "text/plain",
                          .retry_after = status == HTTP_STATUS_SERVICE_UNAVAILABLE,
                          .bytes = dp_buf_data(owner),
                          .size_bytes = size_bytes,
                          .owner = owner};
    return respond(wsi, http, &answer);
}

static int respond_error(server_loop *loop, struct lws *wsi, http_session *http,
                         protocol_error error, const char *why)
{
    char text[512];
    size_t size_bytes = protocol_write_http_error(error, why, text, sizeof text - 1);
    text[size_bytes] = '\0';
    return respond_text(loop, wsi, http, protocol_error_http_status(error), text);
}

static int get_asset(server_loop *loop, struct lws *wsi, http_session *http, const char *path,
                     size_t path_bytes)
{
    const asset *found = asset_find(path, path_bytes);
    if (found == NULL) {
        return respond_error(loop, wsi, http, PROTOCOL_NOT_FOUND, "there is nothing at this path");
    }
    char known[80];
    bool same = lws_hdr_copy(wsi, known, sizeof known, WSI_TOKEN_HTTP_IF_NONE_MATCH) > 0 &&
                strcmp(known, found->etag) == 0;
    http_answer answer = {.status = same ? HTTP_STATUS_NOT_MODIFIED : HTTP_STATUS_OK,
                          .content_type = found->content_type,
                          .cache_control = "no-cache",
                          .etag = found->etag,
                          .policy = page_policy,
                          .bytes = found->bytes,
                          .size_bytes = same ? 0 : found->size_bytes};
    return respond(wsi, http, &answer);
}

static int get_media(server_loop *loop, struct lws *wsi, http_session *http, const char *id,
                     size_t id_bytes)
{
    dp_buf *picture;
    media_meta meta;
    if (media_find(loop->server->media, id, id_bytes, &picture, &meta) != DP_OK) {
        return respond_error(loop, wsi, http, PROTOCOL_NOT_FOUND, "no tier has this picture");
    }
    char etag[MEDIA_ID_BYTES + 3];
    char known[MEDIA_ID_BYTES + 16];
    snprintf(etag, sizeof etag, "\"%.*s\"", (int)id_bytes, id);
    bool same = lws_hdr_copy(wsi, known, sizeof known, WSI_TOKEN_HTTP_IF_NONE_MATCH) > 0 &&
                strcmp(known, etag) == 0;
    http_answer answer = {.status = same ? HTTP_STATUS_NOT_MODIFIED : HTTP_STATUS_OK,
                          .content_type = dp_media_content_type(meta.format),
                          .cache_control = "public, max-age=31536000, immutable",
                          .etag = etag,
                          .policy = media_policy,
                          .tier = dp_tier_name(dp_buf_tier(picture)),
                          .bytes = dp_buf_data(picture),
                          .size_bytes = same ? 0 : dp_buf_size(picture),
                          .owner = picture};
    return respond(wsi, http, &answer);
}

static int get_history(server_loop *loop, struct lws *wsi, http_session *http)
{
    char value[24];
    const char *limit = lws_get_urlarg_by_name(wsi, "limit=", value, sizeof value);
    long wanted = limit == NULL ? (long)HISTORY_DEFAULT : strtol(limit, NULL, 10);
    protocol_message refusal;
    protocol_error error = entrance_check(loop, wsi, http->room, entrance_who(wsi), &refusal);
    if (error != PROTOCOL_OK) {
        return respond_error(loop, wsi, http, error, refusal.text);
    }
    if (wanted < 1 || wanted > (long)HISTORY_MAX) {
        return respond_error(loop, wsi, http, PROTOCOL_BAD_REQUEST,
                             "limit must be an integer from 1 to 200");
    }
    dp_room *room;
    dp_buf *body;
    dp_status status = room_acquire(loop->server->rooms, http->room, false, &room);
    if (status != DP_OK) {
        return respond_error(loop, wsi, http, PROTOCOL_NOT_FOUND, "nobody has been in this room");
    }
    status = room_history(room, (size_t)wanted, &body);
    room_release(room);
    if (status != DP_OK) {
        return respond_error(loop, wsi, http, PROTOCOL_BUSY, "no memory just now, try again");
    }
    return respond_buf(wsi, http, HTTP_STATUS_OK, "application/json", body);
}

static int get_status(server_loop *loop, struct lws *wsi, http_session *http, const char *path)
{
    const char *words = "ok\n";
    bool good = true;
    if (strcmp(path, "/readyz") == 0) {
        good = status_ready(loop->server, &words);
    } else if (!status_alive(loop->server)) {
        good = false;
        words = "an event loop does not turn\n";
    }
    return respond_text(loop, wsi, http, good ? HTTP_STATUS_OK : HTTP_STATUS_SERVICE_UNAVAILABLE,
                        words);
}

static int get_metrics(server_loop *loop, struct lws *wsi, http_session *http)
{
    dp_buf *page;
    if (status_metrics(loop->server, &page) != DP_OK) {
        return respond_error(loop, wsi, http, PROTOCOL_BUSY, "no memory just now, try again");
    }
    return respond_buf(wsi, http, HTTP_STATUS_OK, "text/plain; version=0.0.4", page);
}

/* Splits /v1/rooms/NAME/LEAF; false when the path is not of that form or the name is none. */
static bool room_path(const char *path, http_session *http, const char **leaf)
{
    static const char prefix[] = "/v1/rooms/";
    if (strncmp(path, prefix, sizeof prefix - 1) != 0) {
        return false;
    }
    const char *name = path + sizeof prefix - 1;
    const char *end = strchr(name, '/');
    if (end == NULL || !protocol_room_name_valid(name, (size_t)(end - name))) {
        return false;
    }
    memcpy(http->room, name, (size_t)(end - name));
    http->room[end - name] = '\0';
    *leaf = end + 1;
    return true;
}

/* mode= and fit= of an upload; the shape is decided by the first bytes where fit is not given. */
static const char *upload_query(struct lws *wsi, http_session *http)
{
    char value[32];
    const char *mode = lws_get_urlarg_by_name(wsi, "mode=", value, sizeof value);
    http->mode = PROTOCOL_MODE_SCROLL;
    if (mode != NULL && !protocol_mode_by_name(mode, strlen(mode), &http->mode)) {
        return "mode must be scroll, top, bottom or reverse";
    }
    const char *fit = lws_get_urlarg_by_name(wsi, "fit=", value, sizeof value);
    http->width_max = 0;
    if (fit != NULL && strcmp(fit, "sticker") == 0) {
        http->width_max = STICKER_WIDTH;
        http->height_max = STICKER_HEIGHT;
    } else if (fit != NULL && strcmp(fit, "photo") == 0) {
        http->width_max = PHOTO_WIDTH;
        http->height_max = PHOTO_HEIGHT;
    } else if (fit != NULL) {
        return "fit must be sticker or photo";
    }
    return NULL;
}

/* Checks the declared length and takes the body's block before the first byte of it is read. */
static int expect_body(server_loop *loop, struct lws *wsi, http_session *http, http_route route)
{
    char value[24];
    size_t bytes_max = route == HTTP_ROUTE_MEDIA
                           ? (size_t)loop->server->config.render_input_mib_max << 20
                           : MESSAGE_BODY_BYTES_MAX;
    protocol_message refusal;
    http->close_after = true;
    protocol_error error = entrance_check(loop, wsi, http->room, entrance_who(wsi), &refusal);
    if (error != PROTOCOL_OK) {
        return respond_error(loop, wsi, http, error, refusal.text);
    }
    if (lws_hdr_copy(wsi, value, sizeof value, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0) {
        return respond_error(loop, wsi, http, PROTOCOL_LENGTH_REQUIRED,
                             "the body needs a Content-Length");
    }
    unsigned long long declared = strtoull(value, NULL, 10);
    if (declared > bytes_max) {
        char why[96];
        snprintf(why, sizeof why, "%llu bytes, at most %zu are taken", declared, bytes_max);
        return respond_error(loop, wsi, http, PROTOCOL_TOO_LARGE, why);
    }
    if (declared == 0) {
        return respond_error(loop, wsi, http, PROTOCOL_BAD_REQUEST, "the body is empty");
    }
    const char *wrong = route == HTTP_ROUTE_MEDIA ? upload_query(wsi, http) : NULL;
    if (wrong != NULL) {
        return respond_error(loop, wsi, http, PROTOCOL_BAD_REQUEST, wrong);
    }
    if (atomic_load_explicit(&loop->server->draining, memory_order_relaxed)) {
        return respond_error(loop, wsi, http, PROTOCOL_SHUTTING_DOWN,
                             "the server is shutting down");
    }
    dp_request request = {
        .size_bytes = (size_t)declared,
        .kind = route == HTTP_ROUTE_MEDIA ? DP_KIND_ENCODED : DP_KIND_TEXT,
        .need = DP_NEED_HOST,
    };
    if (dp_get(loop->server->pool, &request, &http->body) != DP_OK) {
        return respond_error(loop, wsi, http, PROTOCOL_BUSY, "no memory just now, try again");
    }
    dp_buf_expect_long(http->body); /* as long as the client takes to send it */
    http->close_after = false;
    http->route = route;
    http->body_bytes = 0;
    http->body_expected = (size_t)declared;
    return 0;
}

static int route_get(server_loop *loop, struct lws *wsi, http_session *http, const char *path)
{
    static const char media[] = "/v1/media/";
    const char *leaf;
    if (strncmp(path, media, sizeof media - 1) == 0) {
        const char *id = path + sizeof media - 1;
        return get_media(loop, wsi, http, id, strlen(id));
    }
    if (strcmp(path, "/metrics") == 0) {
        return get_metrics(loop, wsi, http);
    }
    if (strcmp(path, "/livez") == 0 || strcmp(path, "/readyz") == 0) {
        return get_status(loop, wsi, http, path);
    }
    if (room_path(path, http, &leaf)) {
        if (strcmp(leaf, "history") == 0) {
            return get_history(loop, wsi, http);
        }
        if (strcmp(leaf, "messages") == 0 || strcmp(leaf, "media") == 0) {
            return respond_error(loop, wsi, http, PROTOCOL_METHOD_NOT_ALLOWED, "use POST here");
        }
    }
    if (strcmp(path, "/v1/ws") == 0) {
        return respond_error(loop, wsi, http, PROTOCOL_BAD_REQUEST,
                             "this path speaks WebSocket only");
    }
    return get_asset(loop, wsi, http, path, strlen(path));
}

/* Paths outside of rooms that can only be read. */
static bool is_get_path(const char *path)
{
    return asset_find(path, strlen(path)) != NULL || strcmp(path, "/metrics") == 0 ||
           strcmp(path, "/livez") == 0 || strcmp(path, "/readyz") == 0 ||
           strncmp(path, "/v1/media/", 10) == 0 || strcmp(path, "/v1/ws") == 0;
}

static int route_post(server_loop *loop, struct lws *wsi, http_session *http, const char *path)
{
    const char *leaf = "";
    bool in_room = room_path(path, http, &leaf);
    if (in_room && strcmp(leaf, "messages") == 0) {
        return expect_body(loop, wsi, http, HTTP_ROUTE_MESSAGES);
    }
    if (in_room && strcmp(leaf, "media") == 0) {
        return expect_body(loop, wsi, http, HTTP_ROUTE_MEDIA);
    }
    http->close_after = true;
    if ((in_room && strcmp(leaf, "history") == 0) || is_get_path(path)) {
        return respond_error(loop, wsi, http, PROTOCOL_METHOD_NOT_ALLOWED, "use GET here");
    }
    return respond_error(loop, wsi, http, PROTOCOL_NOT_FOUND, "there is nothing at this path");
}

static int on_request(server_loop *loop, struct lws *wsi, http_session *http)
{
    char *uri;
    int uri_bytes;
    char path[256];
    int method = lws_http_get_uri_and_method(wsi, &uri, &uri_bytes);
    http->route = HTTP_ROUTE_NONE;
    http->close_after = false;
    if (method < 0) {
        return -1;
    }
    if ((size_t)uri_bytes >= sizeof path) {
        http->close_after = true;
        return respond_error(loop, wsi, http, PROTOCOL_NOT_FOUND, "there is nothing at this path");
    }
    memcpy(path, uri, (size_t)uri_bytes);
    path[uri_bytes] = '\0';
    http->head_only = method == LWSHUMETH_HEAD;
    if (method == LWSHUMETH_GET || method == LWSHUMETH_HEAD) {
        return route_get(loop, wsi, http, path);
    }
    if (method == LWSHUMETH_POST) {
        return route_post(loop, wsi, http, path);
    }
    http->close_after = true;
    return respond_error(loop, wsi, http, PROTOCOL_METHOD_NOT_ALLOWED, "use GET, HEAD or POST");
}

static void drop_body(http_session *http)
{
    dp_put(http->body);
    http->body = NULL;
    http->route = HTTP_ROUTE_NONE;
}

static int publish_message(server_loop *loop, struct lws *wsi, http_session *http)
{
    protocol_request request;
    protocol_message refusal = {.text = ""};
    uint64_t seq = 0;
    metrics_add(METRIC_RECEIVED_HTTP, 1);
    protocol_error error = protocol_parse(loop->parser, dp_buf_data(http->body), http->body_bytes,
                                          false, &request, &refusal);
    dp_room *room = NULL;
    if (error == PROTOCOL_OK &&
        room_acquire(loop->server->rooms, http->room, true, &room) != DP_OK) {
        error = PROTOCOL_BUSY;
        snprintf(refusal.text, sizeof refusal.text, "no place for another room");
    }
    if (error == PROTOCOL_OK) {
        message in;
        admit_result result;
        const admit_sender sender = {.who = entrance_who(wsi)};
        message_from_request(&request, &in);
        error = admit_message(loop, room, &sender, &in, &result);
        room_release(room);
        seq = result.seq;
        refusal = result.text;
    }
    drop_body(http);
    if (error != PROTOCOL_OK) {
        metrics_reject(error);
        return respond_error(loop, wsi, http, error, refusal.text);
    }
    char text[48];
    snprintf(text, sizeof text, "{\"seq\":%" PRIu64 "}", seq);
    return respond_text(loop, wsi, http, STATUS_CREATED, text);
}

static void upload_free(media_upload *upload)
{
    room_release(upload->room);
    free(upload);
}

/* Publishes a finished upload and answers its sender, if he is still there. */
static int upload_answer(server_loop *loop, struct lws *wsi, http_session *http,
                         media_upload *upload)
{
    media_result *result = &upload->result;
    uint64_t seq = 0;
    if (result->error == PROTOCOL_OK) {
        const admit_sender sender = {.who = &upload->who};
        admit_result admitted;
        result->error = admit_media(loop, upload, &sender, &admitted);
        seq = admitted.seq;
        snprintf(result->message, sizeof result->message, "%s", admitted.text.text);
    }
    bool failed = result->error != PROTOCOL_OK;
    metrics_add(failed           ? METRIC_MEDIA_FAILED
                : result->cached ? METRIC_MEDIA_CACHED
                                 : METRIC_MEDIA_RENDERED,
                1);
    if (failed) {
        metrics_reject(result->error);
    }
    if (wsi == NULL) {
        return 0;
    }
    if (failed) {
        return respond_error(loop, wsi, http, result->error, result->message);
    }
    char text[512];
    snprintf(text, sizeof text,
             "{\"id\":\"%s\",\"url\":\"/v1/media/%s\",\"type\":\"%s\",\"width\":%u,\"height\":%u,"
             "\"frames\":%u,\"seq\":%" PRIu64 ",\"cached\":%s}",
             result->id, result->id, dp_media_content_type(result->meta.format),
             (unsigned)result->meta.width, (unsigned)result->meta.height,
             (unsigned)result->meta.frames, seq, result->cached ? "true" : "false");
    return respond_text(loop, wsi, http, STATUS_CREATED, text);
}

static int publish_media(server_loop *loop, struct lws *wsi, http_session *http)
{
    dp_buf *body = http->body;
    http->body = NULL;
    http->route = HTTP_ROUTE_NONE;
    dp_buf_set_size(body, http->body_bytes);
    if (http->width_max == 0) {
        bool svg = dp_media_sniff(dp_buf_data(body), http->body_bytes) == DP_MEDIA_SVG;
        http->width_max = svg ? STICKER_WIDTH : PHOTO_WIDTH;
        http->height_max = svg ? STICKER_HEIGHT : PHOTO_HEIGHT;
    }
    media_upload *upload = calloc(1, sizeof *upload);
    dp_room *room = NULL;
    if (upload == NULL || room_acquire(loop->server->rooms, http->room, true, &room) != DP_OK) {
        free(upload);
        dp_put(body);
        metrics_add(METRIC_MEDIA_FAILED, 1);
        return respond_error(loop, wsi, http, PROTOCOL_BUSY, "cannot take it just now, try again");
    }
    *upload = (media_upload){
        .loop = loop, .wsi = wsi, .room = room, .who = *entrance_who(wsi), .mode = http->mode};
    http->upload = upload;
    bool done = media_submit(loop->server->media, upload, body, http->width_max, http->height_max);
    dp_put(body);
    if (!done) {
        return 0; /* http_upload_done answers; the connection's time-out covers a lost worker */
    }
    http->upload = NULL;
    int status = upload_answer(loop, wsi, http, upload);
    upload_free(upload);
    return status;
}

void http_upload_done(server_loop *loop, media_upload *upload)
{
    struct lws *wsi = upload->wsi;
    http_session *http = NULL;
    if (wsi != NULL) {
        dp_session *session = lws_wsi_user(wsi);
        http = &session->u.http;
        http->upload = NULL;
    }
    if (upload_answer(loop, wsi, http, upload) < 0 && wsi != NULL) {
        lws_set_timeout(wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
    }
    upload_free(upload);
}

static int on_body(struct lws *wsi, http_session *http, const void *in, size_t size_bytes)
{
    if (http->lingering) {
        return linger_more(wsi, http, size_bytes);
    }
    if (http->body == NULL) {
        return 0; /* a GET with a body: nobody asked for it */
    }
    if (size_bytes > http->body_expected - http->body_bytes) {
        return -1;
    }
    memcpy((char *)dp_buf_data(http->body) + http->body_bytes, in, size_bytes);
    http->body_bytes += size_bytes;
    return 0;
}

static int on_body_complete(server_loop *loop, struct lws *wsi, http_session *http)
{
    if (http->lingering) {
        return -1;
    }
    switch (http->route) {
    case HTTP_ROUTE_MESSAGES:
        return publish_message(loop, wsi, http);
    case HTTP_ROUTE_MEDIA:
        return publish_media(loop, wsi, http);
    case HTTP_ROUTE_NONE:
        return 0;
    }
    return 0;
}

static void on_closed(http_session *http)
{
    if (http->upload != NULL) {
        http->upload->wsi = NULL;
        http->upload = NULL;
    }
    drop_body(http);
    dp_put(http->answer_owner);
    http->answer_owner = NULL;
    http->answering = false;
}

int http_callback(server_loop *loop, struct lws *wsi, enum lws_callback_reasons reason,
                  dp_session *session, void *in, size_t size_bytes)
{
    if (session == NULL || session->is_ws) {
        return 0;
    }
    http_session *http = &session->u.http;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return on_request(loop, wsi, http);
    case LWS_CALLBACK_HTTP_BODY:
        return on_body(wsi, http, in, size_bytes);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return on_body_complete(loop, wsi, http);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return on_writable(wsi, http);
    case LWS_CALLBACK_TIMER: /* nothing came for a while */
        return http->lingering ? -1 : 0;
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        on_closed(http);
        return 0;
    default:
        return 0;
    }
}
