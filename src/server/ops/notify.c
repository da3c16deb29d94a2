/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connected datagram socket; a message is lines of NAME=value.  A send that would block is
 * dropped: a daemon must not wait for its supervisor.
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */

#include "server/ops/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pool/os.h"
#include "server/ops/log.h"

static int notify_fd = -1;
static uint64_t watchdog_ns; /* 0 = there is none */
static uint64_t watchdog_last_ns;

/* "@name" stands for the abstract namespace, whose names begin with a NUL. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof address.sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, bytes) != 0) {
        int problem = errno;
        close(fd);
        errno = problem;
        return -1;
    }
    return fd;
}

/* WATCHDOG_PID, where it is there, says whose watchdog it is. */
static uint64_t watchdog_of_environment(void)
{
    const char *timeout = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (timeout == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid())) {
        return 0;
    }
    return (uint64_t)strtoull(timeout, NULL, 10) * 1000u;
}

void notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0') {
        return;
    }
    notify_fd = connect_to(path);
    if (notify_fd < 0) {
        log_warn("the supervisor cannot be told", "notify_socket=\"%s\" reason=\"%s\"", path,
                 strerror(errno));
    } else {
        watchdog_ns = watchdog_of_environment();
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_close(void)
{
    if (notify_fd >= 0) {
        close(notify_fd);
    }
    notify_fd = -1;
    watchdog_ns = 0;
}

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char text[512];
    if (notify_fd < 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    DP_ASSERT(length > 0 && (size_t)length < sizeof text);
    (void)send(notify_fd, text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void notify_ready(const char *status)
{
    tell("READY=1\nSTATUS=%.400s", status);
}

void notify_reloading(void)
{
    tell("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
         (unsigned long long)(os_clock_ns() / 1000u));
}

void notify_stopping(const char *status)
{
    tell("STOPPING=1\nSTATUS=%.400s", status);
}

void notify_extend(uint64_t timeout_us)
{
    tell("EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)timeout_us);
}

bool notify_watchdog_due(uint64_t now_ns)
{
    return watchdog_ns > 0 && now_ns - watchdog_last_ns >= watchdog_ns / 2;
}

void notify_watchdog(uint64_t now_ns)
{
    watchdog_last_ns = now_ns;
    tell("WATCHDOG=1");
}
