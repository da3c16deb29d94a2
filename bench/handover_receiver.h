/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two processes of handover.h say to each other.
 */
#ifndef DP_BENCH_HANDOVER_RECEIVER_H
#define DP_BENCH_HANDOVER_RECEIVER_H

#include <danpool/share.h>

#include "handover.h"

#define SENDER_CORE   0
#define RECEIVER_CORE 1

typedef struct handover_order {
    uint64_t size_bytes;
    uint32_t kind;
    uint8_t mark; /* what the first and the last byte are */
    uint8_t zero[3];
    dp_share_token token; /* HANDOVER_SHARE */
} handover_order;

typedef struct receiver {
    int socket;
    bool polls;
    dp_share_view *view;
    void *copy;
} receiver;

/* The whole of the process; its exit status.  Ends when the sender's end of the socket closes. */
int receiver_process(int socket, bool polls, size_t size_bytes_max);

#endif
