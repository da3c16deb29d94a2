/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child serves until its parent kills it.  It speaks danpool's subprotocol name, so that the
 * load client can connect, and answers nothing.
 */
#define _GNU_SOURCE /* prctl's companions */

#include "fanout_bare.h"

#include <stdint.h>
#include <stdio.h>

#ifdef BENCH_HAS_LWS

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "fanout_run.h"
#include "harness.h"

#define REST_S 0.2

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size_bytes)
{
    (void)wsi;
    (void)reason;
    (void)user;
    (void)in;
    (void)size_bytes;
    return 0;
}

static void serve(int to_parent)
{
    static const struct lws_protocols protocols[] = {
        {.name = "danpool.v1.json", .callback = on_event}, {.name = NULL}};
    struct lws_context_creation_info info = {.iface = "127.0.0.1", .protocols = protocols};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)bench_pin(RUN_SERVER_CORE);
    lws_set_log_level(LLL_ERR, NULL);
    /* What the parent freed would be filled first, and no connection would seem to take anything.
     */
    (void)malloc_trim(0);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *vhost = context == NULL ? NULL : lws_get_vhost_by_name(context, "default");
    int port = vhost == NULL ? 0 : lws_get_vhost_listen_port(vhost);
    if (port <= 0 || write(to_parent, &port, sizeof port) != sizeof port) {
        _exit(1);
    }
    while (lws_service(context, 0) >= 0) {
    }
    _exit(1);
}

static bool measure(const server *s, size_t connections, double *out, char error[160])
{
    const load_config config = {.port = s->port,
                                .room = "bare",
                                .viewers = connections,
                                .connect_ms_max = RUN_CONNECT_MS_MAX};
    uint64_t empty = server_resident_bytes(s);
    load *l = load_open(&config, error);
    if (l == NULL) {
        return false;
    }
    load_idle(l, REST_S);
    *out = ((double)server_resident_bytes(s) - (double)empty) / (double)connections;
    load_close(l);
    return true;
}

bool bare_idle_bytes(size_t connections, double *bytes_per_connection, char error[160])
{
    int pipes[2];
    int port = 0;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        (void)snprintf(error, 160, "pipe: %s", strerror(errno));
        return false;
    }
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        serve(pipes[1]);
    }
    (void)close(pipes[1]);
    bool good = pid > 0 && read(pipes[0], &port, sizeof port) == sizeof port;
    (void)close(pipes[0]);
    (void)snprintf(error, 160, "the bare libwebsockets server did not start");
    if (good) {
        const server s = {.pid = pid, .output = -1, .port = (unsigned)port};
        good = measure(&s, connections, bytes_per_connection, error);
    }
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    return good;
}

#else

bool bare_idle_bytes(size_t connections, double *bytes_per_connection, char error[160])
{
    (void)connections;
    (void)bytes_per_connection;
    (void)snprintf(error, 160, "libwebsockets is not in this build");
    return false;
}

#endif
