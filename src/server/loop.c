/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event loop: a thread, a libwebsockets context, a listener of its own, an inbox.
 *
 * The loops listen on one port, which they share by SO_REUSEPORT, and the kernel spreads the
 * connections.  The listener is adopted as a raw descriptor, and what it accepts is adopted as a
 * connection of this context (Debian's libwebsockets has no service threads of its own).
 *
 * Other threads only set flags and link things under inbox_lock, then wake the loop; the loop does
 * all the work in drain_inbox().  A view on the inbox list is freed by this thread alone,
 * after taking it off, so the list never holds a dead one.
 */
#define _DEFAULT_SOURCE /* SO_REUSEPORT */

#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "pool/os.h"
#include "server/ops/log.h"
#include "server/ops/metrics.h"

#define LISTEN_BACKLOG       4096
#define ACCEPTS_PER_WAKE     64
#define SEND_BUFFER_BYTES    (128 << 10)
#define ROOM_IDLE_NS         600000000000u
#define TICK_US              (LWS_US_PER_SEC / 10)
#define SERVICE_BUFFER_BYTES (32u << 10)
#define ESCAPES_PAUSE_US     10000
#define PARK_US              (LWS_US_PER_SEC / 20)
#define HANDSHAKE_S          5
/* Steps of a drain, and the share of drain_s that they take: the rest is for the slowest. */
#define LEAVE_US            (LWS_US_PER_SEC / 20)
#define LEAVE_SHARE_PERCENT 60
#define LEAVE_SLICE_MIN     64u

static int protocol_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
                             void *in, size_t size_bytes);
static int listener_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
                             void *in, size_t size_bytes);

/* The first serves plain HTTP too, and clients that name no subprotocol. */
static const struct lws_protocols protocols[] = {
    {.name = PROTOCOL_NAME,
     .callback = protocol_callback,
     .per_session_data_size = sizeof(dp_session),
     /* What one turn of the loop reads of one connection: a publisher that is behind catches up. */
     .rx_buffer_size = SERVICE_BUFFER_BYTES},
    {.name = "danpool-listener", .callback = listener_callback},
    {.name = NULL},
};

/* The loop that this thread runs, NULL on other threads. */
static _Thread_local server_loop *loop_of_thread;

int64_t server_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static server_loop *loop_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

void loop_wake(server_loop *loop)
{
    lws_cancel_service(loop->context);
}

/* Under inbox_lock: true when the loop must be woken, once for all that is posted until it looks.
 */
static bool inbox_needs_wake(server_loop *loop)
{
    bool needed = !loop->inbox_woken;
    loop->inbox_woken = true;
    return needed;
}

static void drain_inbox(server_loop *loop)
{
    pthread_mutex_lock(&loop->inbox_lock);
    loop->inbox_woken = false;
    media_upload *uploads = loop->inbox_uploads;
    loop->inbox_uploads = NULL;
    pthread_mutex_unlock(&loop->inbox_lock);
    while (uploads != NULL) {
        media_upload *upload = uploads;
        uploads = upload->next;
        http_upload_done(loop, upload);
    }
    for (;;) {
        pthread_mutex_lock(&loop->inbox_lock);
        room_view *view = loop->inbox_views;
        if (view != NULL) {
            loop->inbox_views = view->dirty_next;
            view->dirty = false;
        }
        pthread_mutex_unlock(&loop->inbox_lock);
        if (view == NULL) {
            return;
        }
        room_view_pull(view);
        viewers_wake(view);
        room_written(view->room, os_clock_ns());
    }
}

static void drain_soon(lws_sorted_usec_list_t *timer)
{
    drain_inbox(lws_container_of(timer, server_loop, drain_timer));
}

void loop_notify_view(void *user, room_view *view)
{
    server_loop *loop = user;
    pthread_mutex_lock(&loop->inbox_lock);
    bool wake = false;
    if (!view->dirty) {
        view->dirty = true;
        view->dirty_next = loop->inbox_views;
        loop->inbox_views = view;
        wake = inbox_needs_wake(loop);
    }
    pthread_mutex_unlock(&loop->inbox_lock);
    if (wake && loop_of_thread == loop) {
        /*
         * Not now, but after everything that poll() reported was read: what a busy sender wrote
         * meanwhile then shares the next batch, so that batches grow as the loop falls behind.
         */
        lws_sul_schedule(loop->context, 0, &loop->drain_timer, drain_soon, 1);
    } else if (wake) {
        loop_wake(loop);
    }
}

void loop_post_upload(server_loop *loop, media_upload *upload)
{
    pthread_mutex_lock(&loop->inbox_lock);
    upload->next = loop->inbox_uploads;
    loop->inbox_uploads = upload;
    inbox_needs_wake(loop);
    pthread_mutex_unlock(&loop->inbox_lock);
    /* Always woken: it may come from this very thread, which is then not about to look. */
    loop_wake(loop);
}

dp_status loop_view_acquire(server_loop *loop, const char *name, format_id format, room_view **out)
{
    for (room_view *view = loop->views; view != NULL; view = view->loop_next) {
        if (view->format == format && strcmp(room_name(view->room), name) == 0) {
            view->viewer_count++;
            *out = view;
            return DP_OK;
        }
    }
    dp_room *room;
    dp_status status = room_acquire(loop->server->rooms, name, true, &room);
    if (status != DP_OK) {
        return status;
    }
    room_view *view;
    status = room_view_create(room, loop, loop->index, format, &view);
    if (status != DP_OK) {
        room_release(room);
        return status;
    }
    view->viewer_count = 1;
    view->loop_next = loop->views;
    loop->views = view;
    *out = view;
    return DP_OK;
}

static void inbox_forget(server_loop *loop, room_view *view)
{
    pthread_mutex_lock(&loop->inbox_lock);
    for (room_view **link = &loop->inbox_views; *link != NULL; link = &(*link)->dirty_next) {
        if (*link == view) {
            *link = view->dirty_next;
            break;
        }
    }
    pthread_mutex_unlock(&loop->inbox_lock);
}

/* Lets go of a view that nobody watches: out of the room first, so that nobody can post it again.
 */
static void view_retire(server_loop *loop, room_view *view)
{
    room_view **link = &loop->views;
    while (*link != view) {
        link = &(*link)->loop_next;
    }
    *link = view->loop_next;
    dp_room *room = view->room;
    room_view_leave(view);
    inbox_forget(loop, view);
    room_view_destroy(view);
    room_release(room);
}

void loop_view_release(server_loop *loop, room_view *view)
{
    DP_ASSERT(view->viewer_count > 0);
    if (--view->viewer_count == 0) {
        view_retire(loop, view);
    }
}

static void arm_flush_timer(server_loop *loop, uint64_t now_ns)
{
    uint64_t at_ns = loop->flushes[loop->flush_head].at_ns;
    uint64_t wait_us = at_ns > now_ns ? (at_ns - now_ns) / 1000u + 1u : 1u;
    lws_sul_schedule(loop->context, 0, &loop->flush_timer, loop->flush_timer.cb,
                     (lws_usec_t)wait_us);
}

/* Doubles the ring of promises; without memory the room is flushed now instead, which is only
 * early. */
static bool flushes_grow(server_loop *loop)
{
    size_t capacity = loop->flush_capacity == 0 ? 64 : loop->flush_capacity * 2;
    flush_promise *grown = calloc(capacity, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    for (size_t i = 0; i < loop->flush_count; i++) {
        grown[i] = loop->flushes[(loop->flush_head + i) % loop->flush_capacity];
    }
    free(loop->flushes);
    loop->flushes = grown;
    loop->flush_capacity = capacity;
    loop->flush_head = 0;
    return true;
}

void loop_flush_later(server_loop *loop, dp_room *room, uint64_t at_ns)
{
    if (loop->flush_count == loop->flush_capacity && !flushes_grow(loop)) {
        room_flush_now(room, os_clock_ns());
        return;
    }
    /* The promise keeps the room alive; every window is equally long, so the ring is in order of
     * time. */
    room_hold(room);
    loop->flushes[(loop->flush_head + loop->flush_count) % loop->flush_capacity] =
        (flush_promise){.room = room, .at_ns = at_ns};
    if (loop->flush_count++ == 0) {
        arm_flush_timer(loop, os_clock_ns());
    }
}

static void flush_due(lws_sorted_usec_list_t *timer)
{
    server_loop *loop = lws_container_of(timer, server_loop, flush_timer);
    uint64_t now_ns = os_clock_ns();
    size_t due = loop->flush_count;
    while (due-- > 0 && loop->flushes[loop->flush_head].at_ns <= now_ns) {
        dp_room *room = loop->flushes[loop->flush_head].room;
        loop->flush_head = (loop->flush_head + 1) % loop->flush_capacity;
        loop->flush_count--;
        uint64_t again_ns = room_flush(room, now_ns);
        if (again_ns != 0) {
            loop_flush_later(loop, room, again_ns);
        }
        room_release(room);
    }
    if (loop->flush_count > 0) {
        arm_flush_timer(loop, now_ns);
    }
    drain_inbox(loop);
}

static void second_passed(lws_sorted_usec_list_t *timer)
{
    server_loop *loop = lws_container_of(timer, server_loop, second_timer);
    uint64_t now_ns = os_clock_ns();
    atomic_store_explicit(&loop->beat_ns, now_ns, memory_order_relaxed);
    for (room_view *view = loop->views; view != NULL; view = view->loop_next) {
        viewers_check(loop, view, now_ns);
    }
    if (loop->index == 0) {
        room_table_sweep(loop->server->rooms, now_ns, ROOM_IDLE_NS);
    }
    lws_sul_schedule(loop->context, 0, &loop->second_timer, second_passed, LWS_US_PER_SEC);
}

/* A scan that has more to look at goes on soon, with whatever else there is to do between. */
static void escapes_due(lws_sorted_usec_list_t *timer)
{
    server_loop *loop = lws_container_of(timer, server_loop, escape_timer);
    bool complete = escapes_scan(loop->server);
    lws_sul_schedule(loop->context, 0, &loop->escape_timer, escapes_due,
                     complete ? LWS_US_PER_SEC : ESCAPES_PAUSE_US);
}

/* The first loop looks after the pool's health. */
static void tick_passed(lws_sorted_usec_list_t *timer)
{
    server_loop *loop = lws_container_of(timer, server_loop, tick_timer);
    dp_pool_tick(loop->server->pool);
    lws_sul_schedule(loop->context, 0, &loop->tick_timer, tick_passed, TICK_US);
}

/* The next slice of viewers goes, the same number in each step. */
static void leave_due(lws_sorted_usec_list_t *timer)
{
    server_loop *loop = lws_container_of(timer, server_loop, leave_timer);
    size_t left = loop->leave_slice;
    for (room_view *view = loop->views; view != NULL && left > 0; view = view->loop_next) {
        left -= viewers_go_away(view, left);
    }
    if (loop->sessions > 0) {
        lws_sul_schedule(loop->context, 0, &loop->leave_timer, leave_due, LEAVE_US);
    }
}

static void go_away(server_loop *loop)
{
    loop->going_away = true;
    while (loop->flush_count > 0) {
        dp_room *room = loop->flushes[loop->flush_head].room;
        loop->flush_head = (loop->flush_head + 1) % loop->flush_capacity;
        loop->flush_count--;
        room_flush_now(room, os_clock_ns());
        room_release(room);
    }
    drain_inbox(loop);
    int64_t steps = loop->server->config.timeouts_drain_s * LWS_US_PER_SEC / 100 *
                    LEAVE_SHARE_PERCENT / LEAVE_US;
    loop->leave_slice = loop->sessions / (size_t)(steps > 0 ? steps : 1) + 1;
    if (steps == 0) {
        loop->leave_slice = SIZE_MAX; /* no time: all at once */
    } else if (loop->leave_slice < LEAVE_SLICE_MIN && loop->sessions <= LEAVE_SLICE_MIN) {
        loop->leave_slice = LEAVE_SLICE_MIN;
    }
    leave_due(&loop->leave_timer);
}

static int protocol_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
                             void *in, size_t size_bytes)
{
    dp_session *session = user;
    server_loop *loop = loop_of(wsi);
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        loop->ssl_ctx = user; /* the certificate comes from us, not from libwebsockets */
        return tls_apply(loop->server->tls, loop->ssl_ctx, &loop->tls_generation) ? 0 : 1;
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        if (loop->ssl_ctx != NULL &&
            !tls_apply(loop->server->tls, loop->ssl_ctx, &loop->tls_generation)) {
            log_error("the new certificate is not taken", "loop=%u", loop->index);
        }
        drain_inbox(loop);
        if (atomic_load_explicit(&loop->server->draining, memory_order_relaxed) &&
            !loop->going_away) {
            go_away(loop);
        }
        return 0;
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_CLOSED:
        return conn_callback(loop, wsi, reason, session, in, size_bytes);
    case LWS_CALLBACK_TIMER:
        return session->is_ws ? conn_callback(loop, wsi, reason, session, in, size_bytes)
                              : http_callback(loop, wsi, reason, session, in, size_bytes);
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_HTTP_WRITEABLE:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        return http_callback(loop, wsi, reason, session, in, size_bytes);
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, size_bytes);
    }
}

/* Out of descriptors: gives up the spare one to take the connection and hang up on it, so that the
 * listener does not spin on a backlog that cannot be accepted. */
static void refuse_one(server_loop *loop)
{
    close(loop->spare_fd);
    int fd = accept(loop->listen_fd, NULL, NULL);
    if (fd >= 0) {
        close(fd);
    }
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* From here on the connection is libwebsockets' own. */
static void answer(server_loop *loop, int fd)
{
    /* On failure libwebsockets has closed the descriptor. */
    struct lws *wsi = lws_adopt_socket_vhost(loop->vhost, fd);
    if (wsi != NULL && loop->ssl_ctx == NULL) {
        lws_set_timeout(wsi, PENDING_TIMEOUT_ESTABLISH_WITH_SERVER, HANDSHAKE_S);
    }
}

static void park_due(lws_sorted_usec_list_t *timer)
{
    server_loop *loop = lws_container_of(timer, server_loop, park_timer);
    uint64_t now_ns = os_clock_ns();
    for (int fd = tarpit_take(&loop->parked, now_ns); fd >= 0;
         fd = tarpit_take(&loop->parked, now_ns)) {
        answer(loop, fd);
    }
    if (loop->parked.count > 0) {
        lws_sul_schedule(loop->context, 0, &loop->park_timer, park_due, PARK_US);
    }
}

/* Answers a new connection: at once, or when its address has come too often, later. */
static void greet(server_loop *loop, int fd, const struct sockaddr_in *peer)
{
    identity_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};
    uint64_t now_ns = os_clock_ns();
    memcpy(address.bytes + 12, &peer->sin_addr, 4);
    uint32_t wait_ms = limits_tarpit_ms(loop->server->gate->limits, &address, now_ns);
    if (wait_ms == 0) {
        answer(loop, fd);
    } else if (!tarpit_park(&loop->parked, fd, now_ns + (uint64_t)wait_ms * 1000000u)) {
        close(fd);
    } else if (loop->parked.count == 1) {
        lws_sul_schedule(loop->context, 0, &loop->park_timer, park_due, PARK_US);
    }
}

static int listener_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
                             void *in, size_t size_bytes)
{
    (void)user;
    (void)in;
    (void)size_bytes;
    if (reason != LWS_CALLBACK_RAW_RX_FILE) {
        return 0;
    }
    server_loop *loop = loop_of(wsi);
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        struct sockaddr_in peer = {.sin_family = AF_INET};
        socklen_t peer_bytes = sizeof peer;
        int fd = accept(loop->listen_fd, (struct sockaddr *)&peer, &peer_bytes);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) {
                refuse_one(loop);
                log_warn("connection refused", "reason=descriptors");
            }
            return 0;
        }
        int on = 1;
        int send_bytes = SEND_BUFFER_BYTES;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        /* Small enough that a viewer who stops reading is noticed by his numbers, not by our
         * memory. */
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
        greet(loop, fd, &peer);
    }
    return 0;
}

static bool set_option(int fd, int name)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, name, &on, sizeof on) == 0;
}

/*
 * The loops of one danpoold share the port, two danpoolds must not.  The first loop therefore
 * listens without SO_REUSEPORT, which the kernel grants to one socket alone, whatever others have
 * set, and is opened to the loops after it only then.  Linux takes the option from a socket that
 * listens already (reuseport_add_sock() makes the group when the second socket comes); were it to
 * refuse, the second loop could not listen and the start would fail, loudly.  SO_REUSEADDR looks
 * past old connections in TIME_WAIT, never past a listener.
 */
static bool listen_shared(int fd, struct sockaddr_in *address, bool first)
{
    socklen_t address_bytes = sizeof *address;
    return set_option(fd, SO_REUSEADDR) && (first || set_option(fd, SO_REUSEPORT)) &&
           bind(fd, (struct sockaddr *)address, sizeof *address) == 0 &&
           listen(fd, LISTEN_BACKLOG) == 0 && (!first || set_option(fd, SO_REUSEPORT)) &&
           getsockname(fd, (struct sockaddr *)address, &address_bytes) == 0;
}

static dp_status listen_open(server_loop *loop)
{
    dp_server *server = loop->server;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server->port)};
    if (inet_pton(AF_INET, server->config.listen_address, &address.sin_addr) != 1) {
        log_error("cannot listen", "address=%s reason=\"not an IPv4 address\"",
                  server->config.listen_address);
        return DP_ERR_INVALID;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool good = fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
                fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
                listen_shared(fd, &address, loop->index == 0);
    if (!good) {
        log_error("cannot listen", "address=%s port=%u reason=\"%s\"",
                  server->config.listen_address, (unsigned)server->port, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return DP_ERR_IO;
    }
    server->port = ntohs(address.sin_port);
    loop->listen_fd = fd;
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return DP_OK;
}

static dp_status context_open(server_loop *loop)
{
    const config *settings = &loop->server->config;
    loop->keepalive.secs_since_valid_ping = (uint16_t)settings->timeouts_ping_s;
    loop->keepalive.secs_since_valid_hangup =
        (uint16_t)(settings->timeouts_ping_s + settings->timeouts_hangup_s);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .gid = -1,
        .uid = -1,
        .user = loop,
        .keepalive_timeout = 30,
        .timeout_secs = 20,
        .pt_serv_buf_size = SERVICE_BUFFER_BYTES,
        .retry_and_idle_policy = &loop->keepalive,
        .server_string = "danpoold",
        .options = LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DISABLE_IPV6,
    };
    if (loop->server->tls != NULL) {
        info.options |=
            LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
        info.provided_client_ssl_ctx = tls_client_context(loop->server->tls);
    }
    loop->context = lws_create_context(&info);
    loop->vhost = loop->context == NULL ? NULL : lws_create_vhost(loop->context, &info);
    if (loop->vhost == NULL) {
        return DP_ERR_NOMEM;
    }
    lws_sock_file_fd_type listener = {.filefd = loop->listen_fd};
    struct lws *wsi = lws_adopt_descriptor_vhost(loop->vhost, LWS_ADOPT_RAW_FILE_DESC, listener,
                                                 protocols[1].name, NULL);
    return wsi == NULL ? DP_ERR_NOMEM : DP_OK;
}

static void *loop_run(void *user)
{
    server_loop *loop = user;
    loop_of_thread = loop;
    atomic_store_explicit(&loop->beat_ns, os_clock_ns(), memory_order_relaxed);
    loop->flush_timer.cb = flush_due;
    lws_sul_schedule(loop->context, 0, &loop->second_timer, second_passed, LWS_US_PER_SEC);
    if (loop->index == 0) {
        lws_sul_schedule(loop->context, 0, &loop->tick_timer, tick_passed, TICK_US);
    }
    if (loop->index == 0 && loop->server->config.pool_lease_ms > 0) {
        lws_sul_schedule(loop->context, 0, &loop->escape_timer, escapes_due, LWS_US_PER_SEC);
    }
    while (!atomic_load_explicit(&loop->stop, memory_order_acquire)) {
        if (lws_service(loop->context, 0) < 0) {
            log_error("event loop failed", "loop=%u", loop->index);
            break;
        }
    }
    lws_sul_cancel(&loop->flush_timer);
    lws_sul_cancel(&loop->drain_timer);
    lws_sul_cancel(&loop->second_timer);
    lws_sul_cancel(&loop->escape_timer);
    lws_sul_cancel(&loop->tick_timer);
    lws_sul_cancel(&loop->park_timer);
    lws_sul_cancel(&loop->leave_timer);
    tarpit_close(&loop->parked);
    /* Closes what is still open; the sessions' CLOSED callbacks release views and buffers. */
    lws_context_destroy(loop->context);
    return NULL;
}

/* Undoes a start that failed half way; what libwebsockets has adopted, it closes itself. */
static void loop_abandon(server_loop *loop)
{
    if (loop->context != NULL) {
        lws_context_destroy(loop->context);
    } else if (loop->listen_fd >= 0) {
        close(loop->listen_fd);
    }
    if (loop->spare_fd >= 0) {
        close(loop->spare_fd);
    }
    protocol_parser_destroy(loop->parser);
    pthread_mutex_destroy(&loop->inbox_lock);
}

dp_status loop_start(server_loop *loop, dp_server *server, unsigned index)
{
    *loop = (server_loop){.server = server, .index = index, .listen_fd = -1, .spare_fd = -1};
    pthread_mutex_init(&loop->inbox_lock, NULL);
    protocol_limits limits = {.text_chars_max = (size_t)server->config.limits_text_chars_max,
                              .ext_bytes_max = (size_t)server->config.limits_ext_bytes_max};
    dp_status status = protocol_parser_create(&limits, &loop->parser);
    if (status == DP_OK) {
        status = listen_open(loop);
    }
    if (status == DP_OK) {
        status = context_open(loop);
    }
    if (status == DP_OK && pthread_create(&loop->thread, NULL, loop_run, loop) != 0) {
        status = DP_ERR_NOMEM;
    }
    if (status != DP_OK) {
        loop_abandon(loop);
    }
    return status;
}

void loop_stop(server_loop *loop)
{
    atomic_store_explicit(&loop->stop, true, memory_order_release);
    loop_wake(loop);
    pthread_join(loop->thread, NULL);
    DP_ASSERT(loop->views == NULL);
    while (loop->inbox_uploads != NULL) {
        media_upload *upload = loop->inbox_uploads;
        loop->inbox_uploads = upload->next;
        room_release(upload->room);
        free(upload);
    }
    while (loop->flush_count > 0) {
        room_release(loop->flushes[loop->flush_head].room);
        loop->flush_head = (loop->flush_head + 1) % loop->flush_capacity;
        loop->flush_count--;
    }
    free(loop->flushes);
    close(loop->spare_fd);
    protocol_parser_destroy(loop->parser);
    pthread_mutex_destroy(&loop->inbox_lock);
}
