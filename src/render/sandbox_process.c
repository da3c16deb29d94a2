/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting, asking and burying decoder processes; see sandbox_process.h.
 */
#define _GNU_SOURCE /* ppoll, environ, SOCK_CLOEXEC */
#include "render/sandbox_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dp_features.h"
#include "pool/os.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* Libraries are loaded, fonts looked at; a machine under load and a sanitizer take their time. */
#define HELLO_NS (20 * NS_PER_S)
/* From the closed socket, or the fatal signal, to the end. */
#define LEAVE_MS     500u
#define LEAVE_NAP_NS 200000

#define ENVIRONMENT_MAX 16u

const char *sandbox_cause_name(sandbox_cause cause)
{
    static const char *const names[SANDBOX_CAUSE_COUNT] = {
#define SANDBOX_CAUSE_NAME(id, name) [id] = (name),
        SANDBOX_CAUSE_LIST(SANDBOX_CAUSE_NAME)
#undef SANDBOX_CAUSE_NAME
    };
    return (unsigned)cause < SANDBOX_CAUSE_COUNT ? names[cause] : "unknown";
}

/* ---- where it is ---- */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool find_beside(char path[PROCESS_PATH_BYTES])
{
    /* As installed (sbin and bin beside libexec), and in the build tree. */
    static const char *const places[] = {"../libexec/danpool/danpool-decoder",
                                         "../decoder/danpool-decoder",
                                         "../src/decoder/danpool-decoder"};
    char self[PROCESS_PATH_BYTES];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        return false;
    }
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        return false;
    }
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const int n = snprintf(path, PROCESS_PATH_BYTES, "%s%s", self, places[i]);
        if (n > 0 && (size_t)n < PROCESS_PATH_BYTES && is_program(path)) {
            return true;
        }
    }
    return false;
}

bool process_find_program(const char *configured, char path[PROCESS_PATH_BYTES])
{
    const char *named =
        configured != NULL && configured[0] != '\0' ? configured : getenv("DP_DECODER");
    if (named != NULL && named[0] != '\0') {
        const int n = snprintf(path, PROCESS_PATH_BYTES, "%s", named);
        return n > 0 && (size_t)n < PROCESS_PATH_BYTES && is_program(path);
    }
    if (find_beside(path)) {
        return true;
    }
    (void)snprintf(path, PROCESS_PATH_BYTES, "%s", DP_DECODER_INSTALLED);
    return is_program(path);
}

/* ---- starting ---- */

extern char **environ;

/* What fonts and sanitizers are told by; nothing else of our environment is a decoder's business.
 */
static bool is_passed_on(const char *entry)
{
    static const char *const names[] = {
        "FONTCONFIG_FILE=", "FONTCONFIG_PATH=", "HOME=",         "XDG_CACHE_HOME=",
        "XDG_DATA_HOME=",   "LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
        "TSAN_OPTIONS=",    "LSAN_OPTIONS="};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strncmp(entry, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void pick_environment(char *out[ENVIRONMENT_MAX])
{
    /* librsvg's filters run on threads of rayon's; one is enough for a sticker. */
    static char threads[] = "RAYON_NUM_THREADS=1", locale[] = "LC_ALL=C.UTF-8",
                files[] = "GIO_USE_VFS=local";
    size_t count = 0;
    out[count++] = threads;
    out[count++] = locale;
    out[count++] = files;
    for (char **entry = environ; *entry != NULL && count < ENVIRONMENT_MAX - 1; entry++) {
        if (is_passed_on(*entry)) {
            out[count++] = *entry;
        }
    }
    out[count] = NULL;
}

/* Nothing of ours is inherited: every signal as it is by default, none blocked, its own group. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    error = error == 0 ? posix_spawnattr_setsigdefault(attributes, &all) : error;
    error = error == 0 ? posix_spawnattr_setpgroup(attributes, 0) : error;
    return error == 0 ? posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                                 POSIX_SPAWN_SETSIGDEF |
                                                                 POSIX_SPAWN_SETPGROUP)
                      : error;
}

static int set_descriptors(posix_spawn_file_actions_t *actions, int socket_fd)
{
    /* Theirs first: ours may be 0 to 2 where the daemon was started without. */
    int error = posix_spawn_file_actions_adddup2(actions, socket_fd, WIRE_SOCKET_FD);
    error =
        error == 0 ? posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) : error;
    return error == 0 ? posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0)
                      : error;
}

static dp_status spawn(const char *path, size_t memory_bytes, int socket_fd, pid_t *pid)
{
    char memory[24], program[] = "danpool-decoder";
    char *arguments[] = {program, memory, NULL};
    char *environment[ENVIRONMENT_MAX];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    (void)snprintf(memory, sizeof memory, "%zu", memory_bytes);
    pick_environment(environment);
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return DP_ERR_NOMEM;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return DP_ERR_NOMEM;
    }
    int error = set_descriptors(&actions, socket_fd);
    error = error == 0 ? set_attributes(&attributes) : error;
    error =
        error == 0 ? posix_spawn(pid, path, &actions, &attributes, arguments, environment) : error;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error == 0) {
        return DP_OK;
    }
    return error == ENOENT || error == EACCES || error == ENOEXEC ? DP_ERR_NOT_FOUND : DP_ERR_NOMEM;
}

static dp_status hear_hello(sandbox_process *process)
{
    const wire_expected expected = {.op = WIRE_HELLO};
    wire_reply reply;
    size_t size_bytes = 0;
    const dp_status status =
        process_receive(process, os_clock_ns() + HELLO_NS, &reply, &size_bytes);
    if (status != DP_OK) {
        return status == DP_ERR_CLOSED ? DP_ERR_IO : status;
    }
    if (!wire_reply_check(&reply, size_bytes, &expected) || reply.status != DP_OK) {
        return DP_ERR_UNSUPPORTED;
    }
    process->filtered = reply.filtered == 1;
    return DP_OK;
}

dp_status process_start(const char *path, size_t memory_bytes, sandbox_process *out)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return DP_ERR_NOMEM;
    }
    sandbox_process process = {.socket_fd = ends[0]};
    dp_status status = spawn(path, memory_bytes, ends[1], &process.pid);
    (void)close(ends[1]);
    if (status != DP_OK) {
        (void)close(ends[0]);
        return status;
    }
    status = hear_hello(&process);
    if (status != DP_OK) {
        (void)process_bury(&process, DP_ERR_TIMEOUT);
        return status;
    }
    *out = process;
    return DP_OK;
}

/* ---- talking ---- */

bool process_is_unwell(const sandbox_process *process)
{
    struct pollfd looking = {.fd = process->socket_fd, .events = POLLIN};
    return poll(&looking, 1, 0) != 0;
}

dp_status process_send(const sandbox_process *process, const wire_request *request, int fd)
{
    wire_request copy = *request;
    struct iovec bytes = {.iov_base = &copy, .iov_len = sizeof copy};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    }
    ssize_t sent;
    do {
        /* One request is out at a time, so the buffer is empty: full means that nobody reads. */
        sent = sendmsg(process->socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof copy ? DP_OK : DP_ERR_CLOSED;
}

static struct timespec time_left(uint64_t deadline_ns)
{
    const uint64_t now_ns = os_clock_ns();
    const uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    return (struct timespec){.tv_sec = (time_t)(left_ns / NS_PER_S),
                             .tv_nsec = (long)(left_ns % NS_PER_S)};
}

dp_status process_receive(const sandbox_process *process, uint64_t deadline_ns, wire_reply *out,
                          size_t *size_bytes)
{
    struct pollfd waiting = {.fd = process->socket_fd, .events = POLLIN};
    for (;;) {
        const struct timespec left = time_left(deadline_ns);
        const int ready = ppoll(&waiting, 1, &left, NULL);
        if (ready == 0) {
            return DP_ERR_TIMEOUT;
        }
        if (ready < 0) {
            DP_ASSERT(errno == EINTR || errno == ENOMEM);
            continue;
        }
        /* Without room for control data, descriptors that it may send are closed by the kernel. */
        const ssize_t got = recv(process->socket_fd, out, sizeof *out, MSG_DONTWAIT | MSG_TRUNC);
        if (got > 0) {
            *size_bytes = (size_t)got;
            return DP_OK;
        }
        if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
            return DP_ERR_CLOSED;
        }
    }
}

/* ---- ending ---- */

static bool has_left(pid_t pid, int *how)
{
    pid_t gone;
    do {
        gone = waitpid(pid, how, WNOHANG);
    } while (gone < 0 && errno == EINTR);
    DP_ASSERT(gone == 0 || gone == pid);
    return gone == pid;
}

/* Waits a moment for the end; true when it came by itself. */
static bool leaves_by_itself(pid_t pid, int *how)
{
    const struct timespec nap = {.tv_nsec = LEAVE_NAP_NS};
    const uint64_t until_ns = os_clock_ns() + LEAVE_MS * NS_PER_MS;
    while (!has_left(pid, how)) {
        if (os_clock_ns() > until_ns) {
            return false;
        }
        (void)nanosleep(&nap, NULL);
    }
    return true;
}

static void kill_and_wait(pid_t pid, int *how)
{
    /* It is our child and not waited for, so the number is still its own. */
    (void)kill(pid, SIGKILL);
    pid_t gone;
    do {
        gone = waitpid(pid, how, 0);
    } while (gone < 0 && errno == EINTR);
    DP_ASSERT(gone == pid);
}

void process_dismiss(sandbox_process *process)
{
    int how;
    (void)close(process->socket_fd);
    if (!leaves_by_itself(process->pid, &how)) {
        kill_and_wait(process->pid, &how);
    }
    *process = (sandbox_process){.socket_fd = -1};
}

static sandbox_cause cause_of(int how)
{
    if (WIFEXITED(how)) {
        return WEXITSTATUS(how) == WIRE_EXIT_MEMORY ? SANDBOX_MEMORY : SANDBOX_CRASH;
    }
    switch (WTERMSIG(how)) {
    case SIGSYS:
        return SANDBOX_FILTER;
    case SIGKILL:
        return SANDBOX_KILLED;
    case SIGXCPU:
    case SIGALRM:
        return SANDBOX_TIMEOUT;
    default:
        return SANDBOX_CRASH;
    }
}

sandbox_cause process_bury(sandbox_process *process, dp_status failure)
{
    int how = 0;
    sandbox_cause cause = failure == DP_ERR_TIMEOUT ? SANDBOX_TIMEOUT : SANDBOX_CRASH;
    if (failure == DP_ERR_CLOSED && leaves_by_itself(process->pid, &how)) {
        cause = cause_of(how);
    } else {
        kill_and_wait(process->pid, &how);
    }
    (void)close(process->socket_fd);
    *process = (sandbox_process){.socket_fd = -1};
    return cause;
}
