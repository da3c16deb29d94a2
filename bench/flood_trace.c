/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parent and child of flood_trace.h.  They speak through the child's standard output, which carries
 * one flood_count, and through ptrace stops.
 */
#define _GNU_SOURCE /* ptrace events, __WALL */
#include "flood_trace.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define DATA_MEMORY   1u /* SECCOMP_RET_DATA: a call for memory */
#define DATA_END      2u /* the measured time is over */
#define FLAME_SECONDS 5u

/* ---- the child ---- */

static bool traced;

/* The kernel runs this program for each system call from here on, in every thread. */
static void count_from_here(void)
{
#define STOP_AT(number, data)                                                                      \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | (data))
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        STOP_AT(SYS_mmap, DATA_MEMORY),
        STOP_AT(SYS_munmap, DATA_MEMORY),
        STOP_AT(SYS_mremap, DATA_MEMORY),
        STOP_AT(SYS_brk, DATA_MEMORY),
        STOP_AT(SYS_madvise, DATA_MEMORY),
        STOP_AT(SYS_getppid, DATA_END),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
#undef STOP_AT
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (traced &&
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
        traced = false;
    }
}

static void count_to_here(void)
{
    (void)syscall(SYS_getppid);
}

int flood_process(int argc, char **argv)
{
    if (argc != 5) {
        return 2;
    }
    flood_config config = {
        .with_pool = strcmp(argv[2], "pool") == 0,
        .seconds = (unsigned)strtoul(argv[3], NULL, 10),
        .messages_per_s = (unsigned)strtoul(argv[4], NULL, 10),
        .measure_begin = count_from_here,
        .measure_end = count_to_here,
    };
    traced = ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0 &&
             prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    bench_setup();
    flood_count count = {.calls_per_s = 0.0};
    flood_work(&config, &count.result);
    peer_library_read(count.library);
    return write(STDOUT_FILENO, &count, sizeof count) == (ssize_t)sizeof count ? 0 : 1;
}

/* ---- the parent ---- */

static void child_exec(const flood_order *order, int out)
{
    char program[] = "bench_flood";
    char flag[] = FLOOD_FLAG;
    char kind[8];
    char seconds[16];
    char pace[16];
    (void)snprintf(kind, sizeof kind, "%s", order->with_pool ? "pool" : "malloc");
    (void)snprintf(seconds, sizeof seconds, "%u", order->seconds);
    (void)snprintf(pace, sizeof pace, "%u", order->messages_per_s);
    char *arguments[] = {program, flag, kind, seconds, pace, NULL};
    if (dup2(out, STDOUT_FILENO) < 0) {
        _exit(126);
    }
    (void)unsetenv("LD_PRELOAD");
    if (order->preload != NULL) {
        (void)setenv("LD_PRELOAD", order->preload, 1);
    }
    (void)execv("/proc/self/exe", arguments);
    _exit(127);
}

/* Profiles the process for a while in the middle of its work.  Words are our own, not a user's. */
static pid_t profiler_start(pid_t of, const flood_order *order)
{
    if (order->flame_path == NULL) {
        return -1;
    }
    char command[512];
    (void)snprintf(command, sizeof command,
                   "sleep 5; exec perf record -q -e cpu-clock -F 499 -g -p %d -o '%s.perf' "
                   "-- sleep %u >/dev/null 2>&1",
                   (int)of, order->flame_path, FLAME_SECONDS);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static bool flame_draw(const flood_order *order)
{
    char command[1024];
    (void)snprintf(command, sizeof command,
                   "perf script -i '%s.perf' 2>/dev/null | '%s/bench/flamegraph.sh' "
                   "'bench flood: %u messages/s' >'%s'; status=$?; rm -f '%s.perf'; exit $status",
                   order->flame_path, DP_SOURCE_DIR, order->messages_per_s, order->flame_path,
                   order->flame_path);
    return system(command) == 0; /* NOLINT(cert-env33-c): a developer's tool */
}

typedef struct tracing {
    pid_t pid;
    uint64_t calls;
    bool counting;
    bool seen_end;
    int exit_status;
} tracing;

/* A stop of the child or of one of its threads: counts and says which signal it continues with. */
static long stop_handle(tracing *t, pid_t who, int status)
{
    int event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP) {
        unsigned long data = 0;
        (void)ptrace(PTRACE_GETEVENTMSG, who, NULL, &data);
        t->counting = t->counting && data != DATA_END;
        t->seen_end = t->seen_end || data == DATA_END;
        t->calls += t->counting && data == DATA_MEMORY;
        return 0;
    }
    int signal = WSTOPSIG(status);
    bool ours = event != 0 || signal == SIGSTOP || signal == SIGTRAP;
    return ours ? 0 : signal;
}

/* Until the child has ended; other children (the profiler) are left to whoever waits for them. */
static void follow(tracing *t)
{
    bool options_set = false;
    for (;;) {
        int status = 0;
        pid_t who = waitpid(-1, &status, __WALL);
        if (who < 0 && errno != EINTR) {
            return;
        }
        if (who == t->pid && !WIFSTOPPED(status)) {
            t->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
            return;
        }
        if (who <= 0 || !WIFSTOPPED(status)) {
            continue;
        }
        if (!options_set) {
            options_set = true;
            (void)ptrace(PTRACE_SETOPTIONS, who, NULL,
                         PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
        }
        (void)ptrace(PTRACE_CONT, who, NULL, stop_handle(t, who, status));
    }
}

bool flood_trace(const flood_order *order, flood_count *out, char why[128])
{
    int pipe_fds[2];
    memset(out, 0, sizeof *out);
    if (pipe(pipe_fds) != 0) {
        (void)snprintf(why, 128, "no pipe: %s", strerror(errno));
        return false;
    }
    (void)fflush(NULL);
    tracing t = {.pid = fork(), .counting = true};
    if (t.pid == 0) {
        (void)close(pipe_fds[0]);
        child_exec(order, pipe_fds[1]);
    }
    (void)close(pipe_fds[1]);
    if (t.pid < 0) {
        (void)close(pipe_fds[0]);
        (void)snprintf(why, 128, "no process: %s", strerror(errno));
        return false;
    }
    pid_t profiler = profiler_start(t.pid, order);
    follow(&t);
    if (profiler > 0) {
        (void)waitpid(profiler, NULL, 0);
        out->flame_written = flame_draw(order);
    }
    bool flame_written = out->flame_written;
    ssize_t got = read(pipe_fds[0], out, sizeof *out);
    out->flame_written = flame_written;
    (void)close(pipe_fds[0]);
    if (t.exit_status != 0 || got != (ssize_t)sizeof *out || !out->result.ok) {
        (void)snprintf(why, 128, "its process failed (status %d)", t.exit_status);
        return false;
    }
    out->calls_per_s = t.seen_end ? (double)t.calls / out->result.seconds : NAN;
    return true;
}
