/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection I/O of the load client.
 *
 * Level-triggered epoll and one recv an event: a busy connection cannot starve the others, and the
 * senders get their turn between two batches of events.
 */
#include "fanout_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcntl.h>

#include "fanout_ws.h"

#define MESSAGE_MASK 0x5A17C3E9u /* any value does on loopback; RFC 6455 10.3 is about proxies */

static bool bytes_append(conn_bytes *b, const char *data, size_t count)
{
    if (b->size - b->used < count) {
        size_t size = b->used + count + b->size / 2 + 256;
        char *larger = realloc(b->data, size);
        if (larger == NULL) {
            return false;
        }
        b->data = larger;
        b->size = size;
    }
    if (count > 0) {
        memcpy(b->data + b->used, data, count);
        b->used += count;
    }
    return true;
}

static void bytes_free(conn_bytes *b)
{
    free(b->data);
    *b = (conn_bytes){0};
}

void conn_close(conn *c)
{
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    c->fd = -1;
    c->state = CONN_CLOSED;
    bytes_free(&c->in);
    bytes_free(&c->out);
    bytes_free(&c->message);
}

bool conn_start(conn_io *io, conn *c, unsigned port)
{
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) {
        c->state = CONN_CLOSED;
        return false;
    }
    int one = 1;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    c->state = CONN_CONNECTING;
    c->wants_write = true;
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(c->fd, F_SETFD, FD_CLOEXEC) != 0 ||
        (connect(c->fd, (const struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(io->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        conn_close(c);
        return false;
    }
    return true;
}

/* Asks epoll for EPOLLOUT exactly while something waits to be sent. */
static void watch_writes(conn_io *io, conn *c)
{
    bool wants = c->out.used > 0;
    if (wants == c->wants_write) {
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | (wants ? (uint32_t)EPOLLOUT : 0u),
                                .data.ptr = c};
    c->wants_write = wants;
    if (epoll_ctl(io->epoll, EPOLL_CTL_MOD, c->fd, &event) != 0) {
        conn_close(c);
    }
}

void conn_flush(conn_io *io, conn *c)
{
    if (c->state == CONN_CLOSED || c->state == CONN_CONNECTING) {
        return;
    }
    size_t sent = 0;
    while (sent < c->out.used) {
        ssize_t put = send(c->fd, c->out.data + sent, c->out.used - sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        }
        if (put < 0) {
            conn_close(c);
            return;
        }
        sent += (size_t)put;
    }
    if (sent > 0) {
        memmove(c->out.data, c->out.data + sent, c->out.used - sent);
        c->out.used -= sent;
    }
    watch_writes(io, c);
}

void conn_deafen(conn_io *io, conn *c)
{
    if (c->fd >= 0) {
        (void)epoll_ctl(io->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    }
}

bool conn_queue(conn *c, uint8_t opcode, const char *payload, size_t count)
{
    char frame[2048];
    if (count + WS_FRAME_HEAD_MAX > sizeof frame) {
        return false;
    }
    size_t length = ws_frame_write(frame, opcode, payload, count, MESSAGE_MASK);
    return bytes_append(&c->out, frame, length);
}

/* A data frame: whole messages are handed on from where they are, fragments are put together. */
static bool take_data(conn_io *io, conn *c, const ws_frame *frame)
{
    bool fragmented = c->message.used > 0;
    if (fragmented != (frame->opcode == WS_CONTINUATION) || frame->opcode == WS_BINARY) {
        return false;
    }
    if (frame->final && !fragmented) {
        io->message(io->user, c, frame->payload, frame->payload_bytes);
        return true;
    }
    if (c->message.used + frame->payload_bytes > WS_PAYLOAD_MAX ||
        !bytes_append(&c->message, frame->payload, frame->payload_bytes)) {
        return false;
    }
    if (frame->final) {
        io->message(io->user, c, c->message.data, c->message.used);
        c->message.used = 0;
    }
    return true;
}

/* False: the connection is to be closed. */
static bool take_frame(conn_io *io, conn *c, const ws_frame *frame)
{
    switch (frame->opcode) {
    case WS_PING:
        if (!conn_queue(c, WS_PONG, frame->payload, frame->payload_bytes)) {
            return false;
        }
        conn_flush(io, c);
        return c->state != CONN_CLOSED;
    case WS_PONG:
        return true;
    case WS_CLOSE:
        return false;
    default:
        return take_data(io, c, frame);
    }
}

/* Takes what is whole from `bytes`; returns how much that was, or SIZE_MAX to close. */
static size_t take_bytes(conn_io *io, conn *c, const char *bytes, size_t count)
{
    size_t taken = 0;
    if (c->state == CONN_UPGRADING) {
        ws_result result = ws_upgrade_check(bytes, count, &taken);
        if (result != WS_DONE) {
            return result == WS_BROKEN ? SIZE_MAX : 0;
        }
        c->state = CONN_OPEN;
    }
    for (;;) {
        ws_frame frame;
        ws_result result = ws_frame_parse(bytes + taken, count - taken, &frame);
        if (result == WS_NEED_MORE) {
            return taken;
        }
        if (result == WS_BROKEN || !take_frame(io, c, &frame)) {
            return SIZE_MAX;
        }
        taken += frame.frame_bytes;
    }
}

/* One recv behind what was left over; what is left over now goes back to the connection. */
static void read_some(conn_io *io, conn *c)
{
    if (c->in.used >= io->scratch_size) {
        conn_close(c);
        return;
    }
    if (c->in.used > 0) {
        memcpy(io->scratch, c->in.data, c->in.used);
    }
    ssize_t got = recv(c->fd, io->scratch + c->in.used, io->scratch_size - c->in.used, 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        conn_close(c);
        return;
    }
    size_t count = c->in.used + (size_t)got;
    c->in.used = 0;
    size_t taken = take_bytes(io, c, io->scratch, count);
    if (taken == SIZE_MAX ||
        (c->state != CONN_CLOSED && !bytes_append(&c->in, io->scratch + taken, count - taken))) {
        conn_close(c);
    }
}

void conn_event(conn_io *io, conn *c, uint32_t events, const char *room, unsigned port)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    if (c->state == CONN_CONNECTING && (events & EPOLLOUT) != 0) {
        char request[512];
        size_t length = ws_upgrade_write(request, sizeof request, room, port);
        if (length == 0 || !bytes_append(&c->out, request, length)) {
            conn_close(c);
            return;
        }
        c->state = CONN_UPGRADING;
    }
    if ((events & EPOLLOUT) != 0) {
        conn_flush(io, c);
    }
    if (c->state != CONN_CLOSED && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read_some(io, c);
    }
}
