/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peer processes: start, the one-struct-each-way conversation, and the end.
 *
 * The loader ignores a preload it cannot find, so the process says first which file its malloc came
 * from and the parent believes nothing else.
 */
#define _GNU_SOURCE /* dladdr, pipe2 */

#include "pool_peer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPLY_MS_MAX 60000

typedef struct peer_order {
    uint32_t index;
    uint32_t quick;
} peer_order;

const peer_kind peer_kinds[PEER_COUNT] = {
    {"glibc", {NULL}, "libc.so"},
    {"jemalloc", {"libjemalloc.so.2", NULL}, "libjemalloc"},
    {"mimalloc", {"libmimalloc.so.2", "libmimalloc.so.3", NULL}, "libmimalloc"},
    {"tcmalloc", {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", NULL}, "libtcmalloc"},
};

static bool read_all(int fd, void *to, size_t size, int timeout_ms)
{
    char *at = to;
    while (size > 0) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, timeout_ms) <= 0) {
            return false;
        }
        ssize_t got = read(fd, at, size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const void *from, size_t size)
{
    const char *at = from;
    while (size > 0) {
        ssize_t put = write(fd, at, size);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        at += put;
        size -= (size_t)put;
    }
    return true;
}

void peer_library_read(char library[sizeof((peer *)0)->library])
{
    Dl_info info;
    void *address = dlsym(RTLD_DEFAULT, "malloc");
    memset(library, 0, sizeof((peer *)0)->library);
    if (address != NULL && dladdr(address, &info) != 0 && info.dli_fname != NULL) {
        (void)snprintf(library, sizeof((peer *)0)->library, "%s", info.dli_fname);
    }
}

int peer_process(peer_work *run)
{
    char library[sizeof((peer *)0)->library];
    peer_library_read(library);
    if (!write_all(STDOUT_FILENO, library, sizeof library)) {
        return 1;
    }
    bench_setup();
    peer_order order;
    while (read_all(STDIN_FILENO, &order, sizeof order, -1)) {
        work_result result = {.ok = false};
        run(order.index, order.quick != 0, &result);
        if (!write_all(STDOUT_FILENO, &result, sizeof result)) {
            return 1;
        }
    }
    return 0;
}

/* In the child: pipes to 0 and 1, the preload into the environment, and the program again. */
static void child_exec(int in, int out, const char *preload, char *argument)
{
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) {
        _exit(126);
    }
    /* The loader complains about a library that is not there; that is said better by us. */
    if (freopen("/dev/null", "w", stderr) == NULL) {
        _exit(126);
    }
    (void)unsetenv("LD_PRELOAD");
    if (preload != NULL && setenv("LD_PRELOAD", preload, 1) != 0) {
        _exit(126);
    }
    char program[] = "bench";
    char flag[] = PEER_FLAG;
    char *arguments[] = {program, flag, argument, NULL};
    (void)execv("/proc/self/exe", arguments);
    _exit(127);
}

static void peer_stop(peer *p)
{
    if (p->pid <= 0) {
        return;
    }
    (void)close(p->to);
    (void)close(p->from);
    /* It may hang in its work; nothing of it is needed any more. */
    (void)kill(p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    p->pid = 0;
}

static bool peer_spawn(peer *p, const char *preload, char *argument)
{
    int down[2];
    int up[2];
    if (pipe2(down, O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(up, O_CLOEXEC) != 0) {
        (void)close(down[0]);
        (void)close(down[1]);
        return false;
    }
    (void)fflush(NULL);
    p->pid = fork();
    if (p->pid == 0) {
        (void)close(down[1]);
        (void)close(up[0]);
        child_exec(down[0], up[1], preload, argument);
    }
    (void)close(down[0]);
    (void)close(up[1]);
    if (p->pid < 0) {
        (void)close(down[1]);
        (void)close(up[0]);
        p->pid = 0;
        return false;
    }
    p->to = down[1];
    p->from = up[0];
    if (!read_all(p->from, p->library, sizeof p->library, REPLY_MS_MAX)) {
        peer_stop(p);
        return false;
    }
    p->library[sizeof p->library - 1] = '\0';
    return true;
}

static void kind_start(const peer_kind *kind, peer *p, char why[128], char *argument)
{
    size_t tried = 0;
    do {
        const char *preload = kind->candidates[tried++];
        if (!peer_spawn(p, preload, argument)) {
            (void)snprintf(why, 128, "its process could not be started");
        } else if (strstr(p->library, kind->mark) == NULL) {
            (void)snprintf(why, 128, "%s was not found", preload == NULL ? "libc" : preload);
            peer_stop(p);
        }
    } while (p->pid == 0 && kind->candidates[0] != NULL && kind->candidates[tried] != NULL);
}

void peers_start(peer peers[PEER_COUNT], char why[PEER_COUNT][128], const char *argument)
{
    char *copy = argument == NULL ? NULL : strdup(argument); /* execv() wants it writable */
    memset(peers, 0, PEER_COUNT * sizeof peers[0]);
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that died is found by the failing write */
    for (size_t i = 0; i < PEER_COUNT; i++) {
        peers[i].name = peer_kinds[i].name;
        why[i][0] = '\0';
        if (bench_is_sanitized()) {
            (void)snprintf(why[i], 128, "a sanitizer's malloc cannot be replaced by a preload");
        } else {
            kind_start(&peer_kinds[i], &peers[i], why[i], copy);
        }
    }
    free(copy);
}

void peers_stop(peer peers[PEER_COUNT])
{
    for (size_t i = 0; i < PEER_COUNT; i++) {
        peer_stop(&peers[i]);
    }
}

void peer_run(peer *p, size_t index, bool quick, work_result *out)
{
    memset(out, 0, sizeof *out);
    if (p->pid == 0) {
        return;
    }
    const peer_order order = {.index = (uint32_t)index, .quick = quick ? 1u : 0u};
    if (!write_all(p->to, &order, sizeof order) ||
        !read_all(p->from, out, sizeof *out, REPLY_MS_MAX)) {
        peer_stop(p);
        out->ok = false;
    }
}
