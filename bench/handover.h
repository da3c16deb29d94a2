/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing bytes to another process, by a share and by what one would do without it.
 *
 * A receiver is forked and waits on a Unix socket; one hand-over begins when the sender has the
 * bytes ready and ends when the receiver has a pointer to them and has read the first and the last,
 * which it compares with what they should be.  Times are CLOCK_MONOTONIC's, which is one for both.
 * All kinds use the same socket and the same way of waiting.
 */
#ifndef DP_BENCH_HANDOVER_H
#define DP_BENCH_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum handover_kind {
    HANDOVER_RAW,   /* the message alone, without bytes: what the socket and waking cost */
    HANDOVER_SHARE, /* export, token over the socket, acquire */
    HANDOVER_COPY,  /* all bytes over the socket into memory that the receiver has */
    HANDOVER_WRITE, /* a new memfd, written, its descriptor sent, mapped */
    HANDOVER_SEND,  /* the same without the writing, which was done before the clock starts */
    HANDOVER_COUNT
} handover_kind;

typedef struct handover handover;

/*
 * Makes the memory for hand-overs of up to size_bytes_max, and the receiver, which spins on the
 * socket if `polls` and sleeps in the kernel if not.  NULL with the reason in `error`.
 */
handover *handover_open(size_t size_bytes_max, bool polls, char error[160]);
void handover_close(handover *h);

/* Hands size_bytes over once; false when anything failed or the bytes were wrong. */
bool handover_run(handover *h, handover_kind kind, size_t size_bytes, uint64_t *ns);

/* Nanoseconds for one export, acquire and release without any message, both sides on one thread. */
double handover_calls_ns(handover *h, unsigned rounds);

#endif
