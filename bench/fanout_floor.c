/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: a sink process connects, the calling process accepts and sends.
 *
 * The loop sends with MSG_DONTWAIT as a server would, and a socket that is full is an error: then
 * the sink could not follow and the figure would be a different one.
 */
#define _GNU_SOURCE /* RUSAGE_THREAD */

#include "fanout_floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define SINK_BUFFER_BYTES ((size_t)256 << 10)
#define ACCEPT_MS_MAX     10000

typedef struct floor_state {
    int *sockets;
    size_t open;
    char *frame;
    int listener;
    unsigned port;
    pid_t sink;
} floor_state;

/* The reading process: one connection after the other, then reads until all have ended. */
static void sink_process(const floor_config *config, unsigned port)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)bench_pin(config->sink_core);
    int epoll = epoll_create1(0);
    char *buffer = malloc(SINK_BUFFER_BYTES);
    if (epoll < 0 || buffer == NULL) {
        _exit(1);
    }
    for (size_t i = 0; i < config->sockets; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            _exit(1);
        }
    }
    for (size_t ended = 0; ended < config->sockets;) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            if (recv(events[i].data.fd, buffer, SINK_BUFFER_BYTES, 0) <= 0) {
                (void)close(events[i].data.fd);
                ended++;
            }
        }
    }
    _exit(0);
}

static bool listen_anywhere(floor_state *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->listener < 0 || bind(f->listener, (const struct sockaddr *)&at, sizeof at) != 0 ||
        listen(f->listener, 128) != 0 ||
        getsockname(f->listener, (struct sockaddr *)&at, &length) != 0) {
        return false;
    }
    f->port = ntohs(at.sin_port);
    return true;
}

static bool accept_all(const floor_config *config, floor_state *f)
{
    while (f->open < config->sockets) {
        struct pollfd wait = {.fd = f->listener, .events = POLLIN};
        if (poll(&wait, 1, ACCEPT_MS_MAX) <= 0) {
            return false;
        }
        int fd = accept(f->listener, NULL, NULL);
        if (fd < 0) {
            return false;
        }
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        f->sockets[f->open++] = fd;
    }
    return true;
}

static double cpu_now_s(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_THREAD, &use) != 0) {
        return 0.0;
    }
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static bool send_round(const floor_config *config, const floor_state *f)
{
    for (size_t i = 0; i < f->open; i++) {
        ssize_t put =
            send(f->sockets[i], f->frame, config->frame_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put != (ssize_t)config->frame_bytes) {
            return false;
        }
    }
    return true;
}

static void sleep_until(uint64_t when_ns)
{
    struct timespec at = {.tv_sec = (time_t)(when_ns / 1000000000u),
                          .tv_nsec = (long)(when_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

/* Returns CPU seconds a send, negative when the sink could not follow. */
static double send_windows(const floor_config *config, const floor_state *f)
{
    uint64_t gap_ns = (uint64_t)(1e9 / config->windows_per_s);
    uint64_t windows = (uint64_t)(config->windows_per_s * config->seconds);
    bool ok = send_round(config, f); /* warm-up */
    double cpu = cpu_now_s();
    uint64_t start = bench_now_ns();
    for (uint64_t i = 0; ok && i < windows; i++) {
        sleep_until(start + i * gap_ns);
        ok = send_round(config, f);
    }
    cpu = cpu_now_s() - cpu;
    return ok && windows > 0 ? cpu / (double)(windows * f->open) : -1.0;
}

static void floor_free(floor_state *f)
{
    for (size_t i = 0; i < f->open; i++) {
        (void)close(f->sockets[i]);
    }
    if (f->sink > 0) {
        /* It ends by itself once every connection has; a broken one is not waited for. */
        uint64_t deadline = bench_now_ns() + 2000000000u;
        pid_t got = 0;
        while (got == 0 && bench_now_ns() < deadline) {
            got = waitpid(f->sink, NULL, WNOHANG);
            (void)poll(NULL, 0, got == 0 ? 5 : 0);
        }
        if (got == 0) {
            (void)kill(f->sink, SIGKILL);
            (void)waitpid(f->sink, NULL, 0);
        }
    }
    if (f->listener >= 0) {
        (void)close(f->listener);
    }
    free(f->frame);
    free(f->sockets);
}

bool floor_run(const floor_config *config, double *cpu_s_per_send, char error[160])
{
    floor_state f = {.listener = -1, .sink = 0};
    double cost = -1.0;
    f.sockets = calloc(config->sockets, sizeof *f.sockets);
    f.frame = calloc(1, config->frame_bytes);
    (void)snprintf(error, 160, "the floor's sockets could not be set up");
    if (f.sockets != NULL && f.frame != NULL && listen_anywhere(&f)) {
        (void)fflush(NULL);
        f.sink = fork();
        if (f.sink == 0) {
            sink_process(config, f.port);
        }
        (void)bench_pin(config->core);
        if (f.sink > 0 && accept_all(config, &f)) {
            cost = send_windows(config, &f);
            (void)snprintf(error, 160, "the floor's reader could not follow");
        }
        (void)bench_pin(config->sink_core);
    }
    floor_free(&f);
    if (cost < 0.0) {
        return false;
    }
    *cpu_s_per_send = cost;
    return true;
}
