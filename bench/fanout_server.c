/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts, measures and stops danpoold: one child process on a free port, whose address is read from
 * its own output and whose cost is read from /proc.  It is always killed and reaped by whoever
 * started it.
 */
#define _GNU_SOURCE /* pipe2, environ */

#include "fanout_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define START_MS_MAX 15000
#define STOP_MS_MAX  10000

static const char ready_head[] = "danpoold: serving http://127.0.0.1:";

/* Settings in our environment would be the server's too, and the figures somebody else's. */
static void drop_settings(void)
{
    for (size_t i = 0; environ[i] != NULL;) {
        char name[128];
        size_t length = strcspn(environ[i], "=");
        if (strncmp(environ[i], "DANPOOL_", 8) != 0 || length >= sizeof name) {
            i++;
            continue;
        }
        memcpy(name, environ[i], length);
        name[length] = '\0';
        (void)unsetenv(name); /* closes the gap in environ */
    }
}

static void child_exec(const char *path, const char *const *settings, int core, int out)
{
    char *arguments[2 * SERVER_SETTINGS_MAX + 2];
    size_t count = 0;
    static char set[] = "--set";
    arguments[count++] = (char *)(uintptr_t)path;
    for (size_t i = 0; settings[i] != NULL && i < SERVER_SETTINGS_MAX; i++) {
        arguments[count++] = set;
        arguments[count++] = (char *)(uintptr_t)settings[i];
    }
    arguments[count] = NULL;
    /* It must not outlive a bench that was killed. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)bench_pin(core);
    drop_settings();
    if (dup2(out, STDOUT_FILENO) >= 0) {
        (void)execv(path, arguments);
    }
    (void)fprintf(stderr, "bench_fanout: %s: %s\n", path, strerror(errno));
    _exit(127);
}

/* Reads the child's output until the line that names the port. */
static bool wait_ready(server *s)
{
    char text[4096];
    size_t used = 0;
    uint64_t deadline = bench_now_ns() + (uint64_t)START_MS_MAX * 1000000u;
    while (bench_now_ns() < deadline && used + 1 < sizeof text) {
        struct pollfd wait = {.fd = s->output, .events = POLLIN};
        if (poll(&wait, 1, 100) <= 0) {
            continue;
        }
        ssize_t got = read(s->output, text + used, sizeof text - 1 - used);
        if (got <= 0) {
            return false;
        }
        used += (size_t)got;
        text[used] = '\0';
        const char *line = strstr(text, ready_head);
        if (line != NULL && strchr(line, '\n') != NULL) {
            char *end = NULL;
            unsigned long port = strtoul(line + sizeof ready_head - 1, &end, 10);
            s->port = (unsigned)port;
            return *end == '/' && port > 0 && port < 65536;
        }
    }
    return false;
}

bool server_start(const char *path, const char *const *settings, int core, server *out,
                  char error[160])
{
    int pipes[2];
    *out = (server){.pid = 0, .output = -1};
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        (void)snprintf(error, 160, "pipe: %s", strerror(errno));
        return false;
    }
    (void)fflush(NULL);
    out->pid = fork();
    if (out->pid == 0) {
        child_exec(path, settings, core, pipes[1]);
    }
    (void)close(pipes[1]);
    out->output = pipes[0];
    if (out->pid < 0) {
        (void)snprintf(error, 160, "fork: %s", strerror(errno));
        (void)close(out->output);
        out->pid = 0;
        return false;
    }
    if (!wait_ready(out)) {
        (void)snprintf(error, 160, "danpoold did not say that it serves within %d s",
                       START_MS_MAX / 1000);
        (void)server_stop(out);
        return false;
    }
    return true;
}

bool server_stop(server *s)
{
    if (s->pid <= 0) {
        return true;
    }
    int status = -1;
    (void)kill(s->pid, SIGTERM);
    uint64_t deadline = bench_now_ns() + (uint64_t)STOP_MS_MAX * 1000000u;
    pid_t got = 0;
    while (got == 0 && bench_now_ns() < deadline) {
        got = waitpid(s->pid, &status, WNOHANG);
        if (got == 0) {
            (void)poll(NULL, 0, 10);
        }
    }
    if (got == 0) {
        (void)kill(s->pid, SIGKILL);
        while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    (void)close(s->output);
    s->pid = 0;
    s->output = -1;
    return got > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The n-th number (1-based, as proc(5) counts) of /proc/PID/stat; its second field may hold spaces.
 */
static bool stat_field(pid_t pid, int field, uint64_t *out)
{
    char path[64];
    char text[1024];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    size_t used = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[used] = '\0';
    const char *at = strrchr(text, ')');
    for (int i = 2; at != NULL && i < field; i++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return false;
    }
    char *end = NULL;
    *out = strtoull(at + 1, &end, 10);
    return end > at + 1;
}

double server_cpu_s(const server *s)
{
    uint64_t user = 0;
    uint64_t system = 0;
    long ticks = sysconf(_SC_CLK_TCK);
    if (ticks <= 0 || !stat_field(s->pid, 14, &user) || !stat_field(s->pid, 15, &system)) {
        return NAN;
    }
    return (double)(user + system) / (double)ticks;
}

/* The second number of a thread's schedstat: nanoseconds on a run queue. */
static double wait_of_thread(const char *directory, const char *thread)
{
    char path[160];
    uint64_t ran = 0;
    uint64_t waited = 0;
    (void)snprintf(path, sizeof path, "%s/%.20s/schedstat", directory, thread);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0.0;
    }
    /* The kernel writes both numbers, so there is nothing here that could overflow. */
    bool ok = fscanf(file, "%" SCNu64 " %" SCNu64, &ran, &waited) == 2; // NOLINT(cert-err34-c)
    (void)fclose(file);
    return ok ? (double)waited / 1e9 : 0.0;
}

double server_wait_s(const server *s)
{
    char path[64];
    double sum = 0.0;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)s->pid);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return 0.0;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            sum += wait_of_thread(path, entry->d_name);
        }
    }
    (void)closedir(directory);
    return sum;
}

uint64_t server_resident_bytes(const server *s)
{
    uint64_t pages = 0;
    long page_bytes = sysconf(_SC_PAGESIZE);
    if (page_bytes <= 0 || !stat_field(s->pid, 24, &pages)) {
        return 0;
    }
    return pages * (uint64_t)page_bytes;
}

bool server_find(const char *given, char *out, size_t out_size)
{
    const char *named = given != NULL ? given : getenv("DANPOOLD");
    if (named != NULL) {
        (void)snprintf(out, out_size, "%s", named);
        return access(out, X_OK) == 0;
    }
    char self[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        return false;
    }
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    int written = snprintf(out, out_size, "%s/../src/server/danpoold", self);
    return written > 0 && (size_t)written < out_size && access(out, X_OK) == 0;
}
