/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tricks of danpool-decoder-test; see decoder_trick.h.  One that comes back although it should have
 * been the end of the process answers DP_ERR_CORRUPT.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, syscall */
#include "decoder_trick.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "decoder/serve.h"

#define LEFT_BYTES ((size_t)1 << 20)

static void crash(void)
{
    /* By the signal itself: a sanitizer would stop at an address first. */
    (void)signal(SIGSEGV, SIG_DFL);
    (void)raise(SIGSEGV);
}

static void hang(void)
{
    volatile unsigned turns = 0;
    for (;;) {
        turns++;
    }
}

static void eat_memory(void)
{
    const size_t each = (size_t)4 << 20;
    for (;;) {
        char *bytes = malloc(each);
        if (bytes == NULL) {
            abort();
        }
        memset(bytes, 1, each);
    }
}

static void make_memory(int protection, int flags)
{
    (void)mmap(NULL, 4096, protection, flags | MAP_ANONYMOUS, -1, 0);
}

static void *nothing(void *user)
{
    return user;
}

static void raise_limit(void)
{
    const struct rlimit limit = {4096, 4096};
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Each of these is the end of the process where the filter is in force. */
static void break_out(decoder_trick_kind trick)
{
    static char name[] = "/bin/true", *arguments[] = {name, NULL};
    switch (trick) {
    case TRICK_WRITE_FILE:
        (void)open("/dev/null", O_WRONLY);
        break;
    case TRICK_SOCKET:
        (void)socket(AF_INET, SOCK_STREAM, 0);
        break;
    case TRICK_FORK:
        (void)fork();
        break;
    case TRICK_EXEC:
        (void)execv(name, arguments);
        break;
    case TRICK_TRACE:
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        break;
    case TRICK_MAKE_CODE:
        make_memory(PROT_READ | PROT_EXEC, MAP_PRIVATE);
        break;
    case TRICK_SHARE_MEMORY:
        make_memory(PROT_READ | PROT_WRITE, MAP_SHARED);
        break;
    case TRICK_KILL:
        (void)kill(1, 0);
        break;
    case TRICK_RAISE_LIMIT:
        raise_limit();
        break;
    default:
        break;
    }
}

static dp_status told_no(int result)
{
    return result < 0 && errno == EACCES ? DP_OK : DP_ERR_CORRUPT;
}

static dp_status find_old(const wire_request *request, const uint8_t *region)
{
    for (size_t i = 0; i < LEFT_BYTES; i++) {
        if (region[request->place_bytes + i] != 0) {
            return DP_ERR_CORRUPT;
        }
    }
    return DP_OK;
}

dp_status decoder_trick(const wire_request *request, uint8_t *region, wire_reply *reply)
{
    const struct timespec nap = {.tv_nsec = 100000000};
    struct stat facts;
    pthread_t thread;
    switch ((decoder_trick_kind)request->trick) {
    case TRICK_NONE:
        return DP_OK;
    case TRICK_CRASH:
        crash();
        break;
    case TRICK_ABORT:
        abort();
    case TRICK_EXIT:
        _exit(0);
    case TRICK_HANG:
        hang();
        break;
    case TRICK_SLEEP:
        (void)nanosleep(&nap, NULL);
        return DP_OK;
    case TRICK_EAT_MEMORY:
        eat_memory();
        break;
    case TRICK_LIE:
        reply->job++;
        return DP_OK;
    case TRICK_READ_FILE:
        return told_no(open("/etc/hostname", O_RDONLY));
    case TRICK_LOOK_AT_FILE:
        return told_no(stat("/etc/hostname", &facts));
    case TRICK_THREAD:
        return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0
                   ? DP_OK
                   : DP_ERR_CORRUPT;
    case TRICK_FIND_OLD:
        return find_old(request, region);
    case TRICK_LEAVE:
        memset(region + request->place_bytes, 7, LEFT_BYTES);
        return DP_OK;
    default:
        break_out((decoder_trick_kind)request->trick);
        break;
    }
    return DP_ERR_CORRUPT;
}
