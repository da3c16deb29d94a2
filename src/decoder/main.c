/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpool-decoder: decodes strangers' pictures for danpoold, which starts it, one process a render
 * thread.  Not for people: it speaks only to a socket at descriptor 3 (render/sandbox_wire.h).
 *
 *     danpool-decoder MEMORY_BYTES
 */
#define _GNU_SOURCE /* M_PERTURB */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "decoder/confine.h"
#include "decoder/serve.h"
#include "decoder/warm.h"
#include "render/step_back.h"

/* Any byte but 0: freed memory is overwritten with it, so that one job finds nothing of another. */
#define PERTURB_BYTE 0xa5

static bool has_socket(void)
{
    int type = 0;
    socklen_t size_bytes = sizeof type;
    return getsockopt(WIRE_SOCKET_FD, SOL_SOCKET, SO_TYPE, &type, &size_bytes) == 0 &&
           type == SOCK_SEQPACKET;
}

/* Errors of the start are for the daemon's log; from here on a picture could speak through it. */
static void fall_silent(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) {
        (void)dup2(nowhere, STDERR_FILENO);
        (void)close(nowhere);
    }
#endif
}

int main(int argc, char **argv)
{
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    dp_pool *pool = NULL;
    char *end = NULL;

    const unsigned long long memory_bytes = argc == 2 ? strtoull(argv[1], &end, 10) : 0;
    if (memory_bytes == 0 || *end != '\0' || !has_socket()) {
        (void)fprintf(stderr, "danpool-decoder is started by danpoold; see danpoold.conf(5)\n");
        return WIRE_EXIT_START;
    }
    step_back();
    confine_early();
    (void)mallopt(M_PERTURB, PERTURB_BYTE);
    if (dp_pool_create(&config, &pool) != DP_OK) {
        (void)fprintf(stderr, "danpool-decoder: no memory\n");
        return WIRE_EXIT_START;
    }
    warm_up(pool);
    fall_silent();
    const bool filtered = confine_for_good((size_t)memory_bytes);
    /* No way back to libraries that would close files on the way out. */
    _exit(serve(pool, filtered));
}
