/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiver of handover.h: a process of its own on a core of its own.  It answers each order
 * with the time at which it had read the bytes; 0 says that they were wrong.
 */
#define _GNU_SOURCE /* the CMSG macros */

#include "handover_receiver.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

/* One message and the descriptor that came with it, -1 where there is none. */
static bool order_read(const receiver *r, handover_order *order, int *fd)
{
    struct iovec part = {.iov_base = order, .iov_len = sizeof *order};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t got;
    do {
        got = recvmsg(r->socket, &message, r->polls ? MSG_DONTWAIT : 0);
    } while (got < 0 && (errno == EINTR || (r->polls && errno == EAGAIN)));
    *fd = -1;
    struct cmsghdr *rights = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS) {
        memcpy(fd, CMSG_DATA(rights), sizeof *fd);
    }
    return got == sizeof *order;
}

static bool ends_are(const void *bytes, size_t size, uint8_t mark)
{
    const volatile uint8_t *b = bytes;
    return b[0] == mark && b[size - 1] == mark;
}

static uint64_t take_share(const receiver *r, const handover_order *order)
{
    const void *data = NULL;
    size_t size = 0;
    if (dp_share_acquire(r->view, &order->token, &data, &size) != DP_OK) {
        return 0;
    }
    bool good = size == order->size_bytes && ends_are(data, size, order->mark);
    uint64_t now = bench_now_ns();
    return dp_share_release(r->view, &order->token) == DP_OK && good ? now : 0;
}

static uint64_t take_copy(const receiver *r, const handover_order *order)
{
    for (size_t got = 0; got < order->size_bytes;) {
        ssize_t more = recv(r->socket, (char *)r->copy + got, order->size_bytes - got, MSG_WAITALL);
        if (more <= 0) {
            return 0;
        }
        got += (size_t)more;
    }
    return ends_are(r->copy, order->size_bytes, order->mark) ? bench_now_ns() : 0;
}

static uint64_t take_memfd(const handover_order *order, int fd)
{
    void *pages = mmap(NULL, order->size_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED) {
        return 0;
    }
    bool good = ends_are(pages, order->size_bytes, order->mark);
    uint64_t now = bench_now_ns();
    return munmap(pages, order->size_bytes) == 0 && good ? now : 0;
}

static uint64_t take(const receiver *r, const handover_order *order, int fd)
{
    switch (order->kind) {
    case HANDOVER_SHARE:
        return take_share(r, order);
    case HANDOVER_COPY:
        return take_copy(r, order);
    case HANDOVER_WRITE:
    case HANDOVER_SEND:
        return take_memfd(order, fd);
    default:
        return bench_now_ns();
    }
}

int receiver_process(int socket, bool polls, size_t size_bytes_max)
{
    receiver r = {.socket = socket, .polls = polls};
    int control_fd = -1;
    int data_fd = -1;
    (void)bench_pin(RECEIVER_CORE);
    if (dp_share_recv(socket, &control_fd, &data_fd) != DP_OK ||
        dp_share_attach(control_fd, data_fd, &r.view) != DP_OK) {
        return 1;
    }
    r.copy = mmap(NULL, size_bytes_max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r.copy == MAP_FAILED) {
        return 1;
    }
    memset(r.copy, 1, size_bytes_max); /* the copy goes to memory that has its pages */
    handover_order order;
    int fd = -1;
    while (order_read(&r, &order, &fd)) {
        uint64_t done = take(&r, &order, fd);
        if (fd >= 0) {
            (void)close(fd);
        }
        if (write(socket, &done, sizeof done) != sizeof done) {
            return 1;
        }
    }
    return 0;
}
