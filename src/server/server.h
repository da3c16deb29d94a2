/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of danpoold share: the server, its loops, and the session behind each connection.
 *
 * A loop is one thread with its own libwebsockets context and listener; a connection belongs to the
 * loop that accepted it for life, so everything in a session is that thread's alone.  Other threads
 * reach a loop only through its inbox (loop_notify_view, loop_post_upload), which wakes it.
 */
#ifndef DP_SERVER_SERVER_H
#define DP_SERVER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libwebsockets.h>

#include <danpool/cache.h>
#include <danpool/pool.h>

#include "render/render.h"
#include "server/config/config.h"
#include "server/conn/bili.h"
#include "server/conn/tarpit.h"
#include "server/conn/viewer.h"
#include "server/gate/admit.h"
#include "server/gate/auth.h"
#include "server/gate/gate.h"
#include "server/media.h"
#include "server/room/room.h"
#include "server/tls.h"
#include "server/wire/protocol.h"

typedef struct server_loop server_loop;

typedef struct dp_server {
    config config;
    auth *auth;    /* never NULL while loops turn; auth_is_enabled() where tokens are asked for */
    gate *gate;    /* filter, limits, moderation; never NULL while loops turn */
    tls_pair *tls; /* NULL = the listener speaks plain TCP */
    dp_pool *pool;
    FILE *trace; /* (or NULL) gets the pool's recording when the server stops */
    dp_cache *cache;
    dp_render *render;
    media_store *media;
    room_table *rooms;
    server_loop *loops;
    unsigned loop_count;
    uint16_t port;                      /* the one really listened on */
    _Atomic uint64_t config_generation; /* 1 at the start, one more each good reload */
    _Atomic bool draining;
    _Atomic int64_t viewers;
} dp_server;

/* A promise to flush a room, in the order of their times. */
typedef struct flush_promise {
    dp_room *room;
    uint64_t at_ns;
} flush_promise;

struct server_loop {
    dp_server *server;
    unsigned index;
    pthread_t thread;
    struct lws_context *context;
    struct lws_vhost *vhost;
    void *ssl_ctx; /* the vhost's; NULL without TLS */
    unsigned tls_generation;
    lws_retry_bo_t keepalive; /* when to ping and when to hang up; read by libwebsockets */
    int listen_fd, spare_fd;
    _Atomic bool stop;
    _Atomic uint64_t beat_ns; /* last time the loop turned, for /livez */
    protocol_parser *parser;
    lws_sorted_usec_list_t flush_timer, drain_timer, second_timer, escape_timer, tick_timer;
    lws_sorted_usec_list_t park_timer, leave_timer;
    tarpit parked;          /* accepted, not answered yet */
    size_t leave_slice;     /* viewers that go in one step of a drain */
    flush_promise *flushes; /* a ring */
    size_t flush_capacity, flush_head, flush_count;
    room_view *views;
    size_t sessions; /* ws sessions of this loop */
    bool going_away;

    pthread_mutex_t inbox_lock;
    room_view *inbox_views;
    media_upload *inbox_uploads;
    bool inbox_woken;
};

/* A WebSocket of the native protocol. */
typedef struct ws_session {
    struct lws *wsi;
    viewer viewer;
    dp_buf *partial; /* a message that arrives in pieces */
    size_t partial_bytes;
    admit_bucket bucket;
    const identity *who; /* the session's */
} ws_session;

typedef enum http_route { HTTP_ROUTE_NONE, HTTP_ROUTE_MESSAGES, HTTP_ROUTE_MEDIA } http_route;

/* One request; a kept-alive connection reuses it. */
typedef struct http_session {
    http_route route; /* of a request whose body is awaited */
    char room[ROOM_NAME_BYTES_MAX + 1];
    protocol_mode mode;
    uint32_t width_max, height_max;
    dp_buf *body;
    size_t body_bytes, body_expected;
    media_upload *upload;        /* rendering, answered later */
    const unsigned char *answer; /* bytes still to write */
    size_t answer_bytes;
    dp_buf *answer_owner; /* reference that keeps `answer`, NULL for static bytes */
    bool answering, close_after, head_only;
    bool lingering; /* refused and answered: the rest of the body is discarded */
    size_t linger_bytes;
    uint64_t linger_until_ns;
} http_session;

/* libwebsockets allocates one of these, zeroed, behind every connection. */
typedef struct dp_session {
    identity who; /* of the WebSocket, or of the request at hand */
    bool is_ws;
    bool has_place; /* counted for its address */
    bool is_bili;   /* a WebSocket at /sub; else the native protocol */
    char room[ROOM_NAME_BYTES_MAX + 1];
    unsigned history;
    bool resumes; /* it has seen everything up to `since` of the room's life `epoch` */
    char epoch[ROOM_EPOCH_BYTES];
    uint64_t since;
    union {
        ws_session ws;
        bili_session bili;
        http_session http;
    } u;
} dp_session;

/* loop.c */
dp_status loop_start(server_loop *loop, dp_server *server, unsigned index);
void loop_stop(server_loop *loop); /* asks and joins */
void loop_wake(server_loop *loop);
void loop_flush_later(server_loop *loop, dp_room *room, uint64_t at_ns);
void loop_notify_view(void *loop, room_view *view);
void loop_post_upload(server_loop *loop, media_upload *upload);
/* The loop's view of a room in a format that can be built, made for its first viewer; DP_ERR_BUSY,
 * DP_ERR_NOMEM. */
dp_status loop_view_acquire(server_loop *loop, const char *name, format_id format, room_view **out);
void loop_view_release(server_loop *loop, room_view *view);

/* conn.c */
int conn_callback(server_loop *loop, struct lws *wsi, enum lws_callback_reasons reason,
                  dp_session *session, void *in, size_t size_bytes);
/* bili_ws.c */
int bili_ws_callback(server_loop *loop, struct lws *wsi, enum lws_callback_reasons reason,
                     dp_session *session, void *in, size_t size_bytes);

/* http.c */
int http_callback(server_loop *loop, struct lws *wsi, enum lws_callback_reasons reason,
                  dp_session *session, void *in, size_t size_bytes);
void http_upload_done(server_loop *loop, media_upload *upload);

/* escapes.c: a piece of the scan for buffers that do not come back; true at its end. */
bool escapes_scan(dp_server *server);

/* status_page.c: bodies of /metrics, and the words of /readyz and /livez. */
dp_status status_metrics(dp_server *server, dp_buf **out);
bool status_ready(const dp_server *server, const char **words);
bool status_alive(const dp_server *server);

int64_t server_wall_ms(void);

#endif
