/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of the decoder's process; see confine.h.  The filter is libseccomp's: a list of what may
 * be called, everything else is the end of the process.
 *
 * What the list is for: bytes over one socket and memory that is there already.  No file can be
 * opened, no socket made, no process started, nothing executed or traced, nobody signalled, and no
 * memory be made executable, or shared but by a descriptor that the daemon sent.
 */
#define _GNU_SOURCE /* CLONE_*, O_PATH, MAP_ANONYMOUS, syscall */
#include "decoder/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dp_features.h"
#include "render/sandbox_wire.h"

#if DP_HAVE_SECCOMP
#include <seccomp.h>
#endif

/* The three of a program, the socket, and a region's on its way into the map. */
#define DESCRIPTORS_MAX 8u

/* A library that gives up for want of memory aborts: were this much more to be had, it was not
 * that. */
#define PROBE_SHARE 8u

static size_t probe_bytes;

/* ---- from birth ---- */

static void close_inherited(void)
{
    /* The daemon's own are close-on-exec; a library's may not be. */
    const unsigned first = WIRE_SOCKET_FD + 1;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) {
        return;
    }
#endif
    const long last = sysconf(_SC_OPEN_MAX);
    for (long fd = first; fd < last; fd++) {
        (void)close((int)fd);
    }
}

void confine_early(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    const struct rlimit no_core = {0, 0};

    /* A service manager signals the whole group; when to go is the daemon's to say. */
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    close_inherited();
}

/* ---- memory ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DECODER_SANITIZED 1
#else
#define DECODER_SANITIZED 0
#endif

/* Signal safe: one system call that the filter lets pass. */
static void on_abort(int number)
{
    void *probe =
        mmap(NULL, probe_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) {
        _exit(WIRE_EXIT_MEMORY);
    }
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* GLib aborts by SIGTRAP, Rust by SIGABRT or SIGILL, C by SIGABRT. */
static void watch_aborts(size_t memory_bytes)
{
    static const int numbers[] = {SIGABRT, SIGTRAP, SIGILL};
    probe_bytes = memory_bytes / PROBE_SHARE;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct sigaction action = {.sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND};
        (void)sigaction(numbers[i], &action, NULL);
    }
}

static void limit_memory(size_t memory_bytes)
{
    /* A sanitizer's shadow is larger than any machine; its builds do without this limit. */
    if (DECODER_SANITIZED) {
        return;
    }
    /* Private memory; what is shared was given by the daemon, and the filter lets none be made. */
    const struct rlimit data = {memory_bytes, memory_bytes};
    (void)setrlimit(RLIMIT_DATA, &data);
    watch_aborts(memory_bytes);
}

/* ---- system calls ---- */

#if DP_HAVE_SECCOMP

/* Needed by decoding, by the allocator, by threads that wait, and by the end. */
static const int plain_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(setitimer),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(close),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(getcpu),
    SCMP_SYS(getrusage),
    SCMP_SYS(sched_getaffinity),
};

/* Libraries ask these in passing and do without: to be told no is harm to nobody. */
static const int probing_calls[] = {
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(ioctl),
    SCMP_SYS(fcntl),
    SCMP_SYS(lseek),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(prctl),
    SCMP_SYS(fadvise64),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_getattr),
    SCMP_SYS(sched_setattr),
};

static int allow_plain(scmp_filter_ctx filter)
{
    int error = 0;
    for (size_t i = 0; i < sizeof plain_calls / sizeof plain_calls[0] && error == 0; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain_calls[i], 0);
    }
    for (size_t i = 0; i < sizeof probing_calls / sizeof probing_calls[0] && error == 0; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), probing_calls[i], 0);
    }
    return error;
}

/* Private memory, or the daemon's by its descriptor; never executable, never shared anew. */
static int allow_memory(scmp_filter_ctx filter)
{
    const uint64_t sort = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS;
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                 SCMP_A3(SCMP_CMP_MASKED_EQ, sort, MAP_PRIVATE | MAP_ANONYMOUS));
    if (error == 0) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                 SCMP_A3(SCMP_CMP_EQ, MAP_SHARED));
    }
    if (error == 0) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    return error;
}

/* To open for reading is told no; to open for writing is no decoder's accident. */
static int refuse_files(scmp_filter_ctx filter)
{
    const uint64_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_PATH;
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));
#ifdef __NR_open
    if (error == 0) {
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), 1,
                                 SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0));
    }
#endif
    return error;
}

/*
 * Pango looks for fonts on threads that it makes as it goes.  clone3() takes its flags by a
 * pointer, which a filter cannot follow: as if the kernel were older, and the C library uses
 * clone().
 */
static int allow_threads(scmp_filter_ctx filter)
{
    const uint64_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                            CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    const int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return error != 0
               ? error
               : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | spaces, CLONE_THREAD));
}

/* abort() and raise() signal oneself; limits may be read, not set. */
static int allow_self(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (error == 0) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                 SCMP_A2(SCMP_CMP_EQ, 0));
    }
    return error;
}

static bool filter_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        return false;
    }
    /* Every thread that a library started is under it too, or it is not in force. */
    int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    error = error == 0 ? allow_plain(filter) : error;
    error = error == 0 ? allow_memory(filter) : error;
    error = error == 0 ? refuse_files(filter) : error;
    error = error == 0 ? allow_threads(filter) : error;
    error = error == 0 ? allow_self(filter) : error;
    error = error == 0 ? seccomp_load(filter) : error;
    seccomp_release(filter);
    return error == 0;
}

#else

static bool filter_calls(void)
{
    return false;
}

#endif

bool confine_for_good(size_t memory_bytes)
{
    const struct rlimit descriptors = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
    const struct rlimit nothing = {0, 0};

    (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    (void)setrlimit(RLIMIT_FSIZE, &nothing);
    limit_memory(memory_bytes);
    return filter_calls();
}
