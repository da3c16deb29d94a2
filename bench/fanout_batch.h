/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the load client reads out of a batch, once for all the viewers that get the same bytes.
 *
 * Every message carries {"n":number,"s":sender,"t":ns} in `ext`, which the server delivers byte for
 * byte.  A thousand viewers get the same batch: the first one's is scanned, and the others' are
 * recognised by comparing every byte, which also proves that they got the same.
 */
#ifndef DP_BENCH_FANOUT_BATCH_H
#define DP_BENCH_FANOUT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_SENDERS_MAX 16u

typedef struct batch_message {
    uint64_t n;       /* number within its sender, from 0 */
    uint64_t sent_ns; /* when it was due to be sent, CLOCK_MONOTONIC */
    uint32_t sender;
} batch_message;

typedef struct batch {
    char *bytes; /* the payload as received */
    size_t byte_count;
    size_t byte_size;
    uint64_t missed; /* messages that the server says this viewer lost */
    batch_message *messages;
    size_t message_count;
    size_t message_size;
} batch;

typedef struct batch_cache batch_cache;

batch_cache *batch_cache_create(void);
void batch_cache_destroy(batch_cache *cache);

/*
 * The batch of room number `room` that is in this payload: valid until the next call.  NULL when
 * the payload is no batch, *broken telling whether it is one that cannot be understood (or memory
 * ran out).
 */
const batch *batch_read(batch_cache *cache, size_t room, const char *payload, size_t count,
                        bool *broken);

/* Writes the client's send message; returns its length, 0 when it does not fit. */
size_t batch_message_write(char *out, size_t out_size, const batch_message *message,
                           size_t text_bytes);

#endif
