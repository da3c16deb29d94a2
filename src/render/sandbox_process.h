/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One decoder process as an operating system sees it: started, asked, ended, and why it ended.
 *
 * Started by posix_spawn(), never by a bare fork of a program with threads.  The child has its own
 * process group (a Ctrl-C of the terminal is for the daemon alone), no descriptor but the socket
 * and /dev/null, and an environment of a few names.  It dies with us: it ends when its socket is
 * closed, and the kernel's alarm ends it where it does not look.
 *
 * A process has one user at a time; nothing here locks.
 */
#ifndef DP_RENDER_SANDBOX_PROCESS_H
#define DP_RENDER_SANDBOX_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "render/sandbox_wire.h"

/* Why a process ended.  X(enumerator, name). */
#define SANDBOX_CAUSE_LIST(X)                                                                      \
    X(SANDBOX_CRASH, "crash")     /* a signal of its own making, or it spoke nonsense */           \
    X(SANDBOX_TIMEOUT, "timeout") /* killed by us at the deadline */                               \
    X(SANDBOX_MEMORY, "memory")   /* it gave up for want of memory */                              \
    X(SANDBOX_FILTER, "filter")   /* it made a system call that it may not make */                 \
    X(SANDBOX_KILLED, "killed")   /* from outside: an operator, or the kernel out of memory */

typedef enum sandbox_cause {
#define SANDBOX_CAUSE_ENUM(id, name) id,
    SANDBOX_CAUSE_LIST(SANDBOX_CAUSE_ENUM)
#undef SANDBOX_CAUSE_ENUM
        SANDBOX_CAUSE_COUNT
} sandbox_cause;

const char *sandbox_cause_name(sandbox_cause cause);

typedef struct sandbox_process {
    pid_t pid;
    int socket_fd;
    bool filtered; /* it says that its system call filter is in force */
} sandbox_process;

#define PROCESS_PATH_BYTES 4096u

/*
 * Where the decoder's program is: `configured` when it is given, else $DP_DECODER, else beside the
 * running program as installed or built.  False: nowhere that can be executed.
 */
bool process_find_program(const char *configured, char path[PROCESS_PATH_BYTES]);

/*
 * Starts one and waits for its hello.  DP_ERR_NOMEM (descriptors, processes), DP_ERR_NOT_FOUND (no
 * such program), DP_ERR_UNSUPPORTED (another version), DP_ERR_TIMEOUT, DP_ERR_IO (it ended).
 */
dp_status process_start(const char *path, size_t memory_bytes, sandbox_process *out);

/* Whether it has ended, or wrote what nobody asked for.  One system call. */
bool process_is_unwell(const sandbox_process *process);

/* Sends a request, with a descriptor unless fd < 0.  DP_ERR_CLOSED: the process is gone. */
dp_status process_send(const sandbox_process *process, const wire_request *request, int fd);

/*
 * Waits for a reply until deadline_ns.  *size_bytes gets what came, which may be more than there
 * was room for.  DP_ERR_TIMEOUT, DP_ERR_CLOSED.
 */
dp_status process_receive(const sandbox_process *process, uint64_t deadline_ns, wire_reply *out,
                          size_t *size_bytes);

/* Ends a process that did nothing wrong: it is given a moment to leave by itself. */
void process_dismiss(sandbox_process *process);

/*
 * Ends a process that failed, says why it did and forgets it.  `failure` is what was seen of it:
 * DP_ERR_TIMEOUT (it did not answer in time) and DP_ERR_FORMAT (it spoke nonsense) kill it,
 * DP_ERR_CLOSED means that it is about to be gone.
 */
sandbox_cause process_bury(sandbox_process *process, dp_status failure);

#endif
