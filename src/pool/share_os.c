/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: Linux behind share_os.h.  No state.
 */
#define _GNU_SOURCE /* F_OFD_SETLK, syscall, SCM_RIGHTS */
#include "pool/share_os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pool/os.h"

/* More than two descriptors in a message are a mistake or an attack; so many are closed again. */
#define FDS_MAX 16

/* How long a store may lie in a core's buffer, generously, where there is no membarrier(). */
#define BARRIER_WAIT_NS 20000000

/* ---- who is alive ---- */

dp_status share_fd_reopen(int fd, bool writable, int *out)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (opened >= 0) {
        *out = opened;
        return DP_OK;
    }
    switch (errno) {
    case ENOENT:
        return DP_ERR_UNSUPPORTED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return DP_ERR_NOMEM;
    default:
        return DP_ERR_IO;
    }
}

static struct flock lock_of(int byte)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
}

bool share_lock_take(int fd, int byte)
{
    struct flock lock = lock_of(byte);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool share_lock_is_held(int fd, int byte)
{
    struct flock lock = lock_of(byte);
    DP_ASSERT(fcntl(fd, F_OFD_GETLK, &lock) == 0);
    return lock.l_type != F_UNLCK;
}

void share_barrier_all(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0)
        return;
    /* A kernel with isolated cores refuses, a sandbox may forbid it: stores drain by themselves. */
    struct timespec left = {.tv_nsec = BARRIER_WAIT_NS};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void share_random(void *bytes, size_t size_bytes)
{
    DP_ASSERT(size_bytes <= 256); /* up to here the kernel gives all or nothing */
    while (getrandom(bytes, size_bytes, 0) != (ssize_t)size_bytes)
        DP_ASSERT(errno == EINTR);
}

/* ---- descriptors over a socket ---- */

dp_status share_fds_send(int socket_fd, const int fds[2])
{
    char hello[SHARE_HELLO_BYTES];
    memcpy(hello, SHARE_HELLO, sizeof hello);
    struct iovec bytes = {.iov_base = hello, .iov_len = sizeof hello};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, 2 * sizeof(int));
    ssize_t sent;
    do {
        sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof hello ? DP_OK : DP_ERR_IO;
}

/* Takes every descriptor out of the message; returns how many there were. */
static size_t fds_take(struct msghdr *message, int fds[FDS_MAX])
{
    size_t count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here && count < FDS_MAX; i++)
            memcpy(&fds[count++], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
    }
    return count;
}

dp_status share_fds_recv(int socket_fd, int fds[2])
{
    char hello[SHARE_HELLO_BYTES];
    struct iovec bytes = {.iov_base = hello, .iov_len = sizeof hello};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t got;
    do {
        got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? DP_ERR_TIMEOUT : DP_ERR_IO;
    if (got == 0)
        return DP_ERR_CLOSED;
    int came[FDS_MAX];
    size_t count = fds_take(&message, came);
    bool ours = count == 2 && (message.msg_flags & MSG_CTRUNC) == 0 &&
                got == (ssize_t)sizeof hello && memcmp(hello, SHARE_HELLO, sizeof hello) == 0;
    if (!ours) {
        for (size_t i = 0; i < count; i++)
            (void)close(came[i]);
        return DP_ERR_FORMAT;
    }
    fds[0] = came[0];
    fds[1] = came[1];
    return DP_OK;
}
