/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sender of handover.h.  It owns pool, share and receiver; nothing here is thread safe.
 */
#define _GNU_SOURCE /* memfd_create, the CMSG macros */

#include "handover.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <danpool/pool.h>

#include "handover_receiver.h"
#include "harness.h"

#define ANSWER_MS_MAX 30000

/* Between two hand-overs, so that a receiver that sleeps does sleep. */
#define PAUSE_NS 100000

struct handover {
    dp_pool *pool;
    dp_share *share;
    uint32_t peer;
    pid_t receiver;
    int socket;
    size_t size_bytes_max;
    uint8_t *bytes; /* the sender's own, for the kinds that copy */
    uint8_t mark;
};

/* ---- making ---- */

static bool receiver_start(handover *h, bool polls)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return false;
    }
    (void)fflush(NULL);
    h->receiver = fork();
    if (h->receiver == 0) {
        (void)close(ends[0]);
        _exit(receiver_process(ends[1], polls, h->size_bytes_max));
    }
    (void)close(ends[1]);
    h->socket = ends[0];
    return h->receiver > 0;
}

static const char *make_all(handover *h, bool polls)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_SHM);
    /* The receiver first, so that it has nothing of the share but what it is sent. */
    if (!receiver_start(h, polls)) {
        return "the receiver could not be started";
    }
    h->bytes = malloc(h->size_bytes_max);
    if (h->bytes == NULL || dp_pool_create(&config, &h->pool) != DP_OK) {
        return "no pool";
    }
    memset(h->bytes, 1, h->size_bytes_max);
    dp_share_config share_config = DP_SHARE_CONFIG_DEFAULT;
    share_config.size_bytes = h->size_bytes_max;
    if (dp_share_create(h->pool, &share_config, &h->share) != DP_OK ||
        dp_share_send(h->share, h->socket, &h->peer) != DP_OK) {
        return "no share";
    }
    return NULL;
}

handover *handover_open(size_t size_bytes_max, bool polls, char error[160])
{
    handover *h = calloc(1, sizeof *h);
    if (h == NULL) {
        (void)snprintf(error, 160, "no memory");
        return NULL;
    }
    h->socket = -1;
    h->size_bytes_max = size_bytes_max;
    (void)signal(SIGPIPE, SIG_IGN); /* a receiver that died is found by the failing write */
    const char *wrong = make_all(h, polls);
    if (wrong != NULL) {
        (void)snprintf(error, 160, "%s", wrong);
        handover_close(h);
        return NULL;
    }
    (void)bench_pin(SENDER_CORE);
    return h;
}

void handover_close(handover *h)
{
    if (h->socket >= 0) {
        (void)close(h->socket);
    }
    if (h->receiver > 0) {
        (void)kill(h->receiver, SIGKILL); /* one that polls does not see the end of the socket */
        while (waitpid(h->receiver, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    dp_share_destroy(h->share);
    dp_pool_destroy(h->pool);
    free(h->bytes);
    free(h);
}

/* ---- one hand-over ---- */

static bool order_send(const handover *h, const handover_order *order, int fd)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)order, .iov_len = sizeof *order};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    return sendmsg(h->socket, &message, 0) == sizeof *order;
}

static bool write_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t put = write(fd, at, size);
        if (put <= 0) {
            return false;
        }
        at += put;
        size -= (size_t)put;
    }
    return true;
}

static bool send_share(handover *h, handover_order *order, dp_buf *buf)
{
    return dp_share_export(h->share, buf, h->peer, &order->token) == DP_OK &&
           order_send(h, order, -1);
}

static int memfd_written(const handover *h, size_t size_bytes)
{
    int fd = memfd_create("handover", MFD_CLOEXEC);
    if (fd >= 0 && !write_all(fd, h->bytes, size_bytes)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool answer_read(const handover *h, uint64_t *done)
{
    struct pollfd wait = {.fd = h->socket, .events = POLLIN};
    return poll(&wait, 1, ANSWER_MS_MAX) == 1 &&
           read(h->socket, done, sizeof *done) == sizeof *done && *done != 0;
}

/* What is ready before the clock starts: the bytes where the kind wants them. */
typedef struct prepared {
    dp_buf *buf;
    int fd;
} prepared;

static bool prepare(handover *h, const handover_order *order, prepared *p)
{
    uint8_t *bytes = h->bytes;
    *p = (prepared){.fd = -1};
    if (order->kind == HANDOVER_SHARE) {
        if (dp_share_get(h->share, order->size_bytes, &p->buf) != DP_OK) {
            return false;
        }
        bytes = dp_buf_data(p->buf);
    }
    bytes[0] = order->mark;
    bytes[order->size_bytes - 1] = order->mark;
    if (order->kind == HANDOVER_SEND) {
        p->fd = memfd_written(h, order->size_bytes);
    }
    return order->kind != HANDOVER_SEND || p->fd >= 0;
}

static bool hand_over(handover *h, handover_order *order, prepared *p)
{
    switch (order->kind) {
    case HANDOVER_SHARE:
        return send_share(h, order, p->buf);
    case HANDOVER_COPY:
        return order_send(h, order, -1) && write_all(h->socket, h->bytes, order->size_bytes);
    case HANDOVER_WRITE:
        p->fd = memfd_written(h, order->size_bytes);
        return p->fd >= 0 && order_send(h, order, p->fd);
    case HANDOVER_SEND:
        return order_send(h, order, p->fd);
    default:
        return order_send(h, order, -1);
    }
}

bool handover_run(handover *h, handover_kind kind, size_t size_bytes, uint64_t *ns)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    handover_order order = {.size_bytes = size_bytes, .kind = kind, .mark = ++h->mark};
    prepared p;
    uint64_t done = 0;
    bool ok = prepare(h, &order, &p);
    (void)nanosleep(&pause, NULL);
    uint64_t start = bench_now_ns();
    ok = ok && hand_over(h, &order, &p) && answer_read(h, &done);
    *ns = done - start;
    dp_put(p.buf);
    if (p.fd >= 0) {
        (void)close(p.fd);
    }
    return ok;
}

double handover_calls_ns(handover *h, unsigned rounds)
{
    dp_share_invitation made;
    dp_share_view *view = NULL;
    dp_buf *buf = NULL;
    bool ok = dp_share_invite(h->share, &made) == DP_OK;
    ok = ok && dp_share_attach(made.control_fd, made.data_fd, &view) == DP_OK &&
         dp_share_get(h->share, 4096, &buf) == DP_OK;
    uint64_t start = bench_now_ns();
    for (unsigned i = 0; ok && i < rounds; i++) {
        dp_share_token token;
        const void *data = NULL;
        size_t size = 0;
        ok = dp_share_export(h->share, buf, made.peer, &token) == DP_OK &&
             dp_share_acquire(view, &token, &data, &size) == DP_OK &&
             dp_share_release(view, &token) == DP_OK;
    }
    double ns = (double)(bench_now_ns() - start) / rounds;
    dp_put(buf);
    dp_share_detach(view);
    (void)close(made.control_fd);
    (void)close(made.data_fd);
    (void)dp_share_drop(h->share, made.peer);
    return ok ? ns : NAN;
}
