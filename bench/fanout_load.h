/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load client: viewers and senders on one thread over epoll.
 *
 * Senders are viewers that also send.  Every viewer checks each sender's messages one by one: a
 * number it has had counts as repeated, a number it skipped as lost.  Delivery latency runs from
 * the moment a message was *due* to be sent, not from when the client got round to it, so a client
 * or a server that stalls is not forgiven the messages it delayed.
 *
 * Rooms are all alike: connection i is in room i % rooms, and each room has its own senders.  A
 * viewer that is `stalled` reads nothing from the first send on, and nothing is expected of it.
 *
 * A load is used by one thread.  Everything is bounded in time by the configuration.
 */
#ifndef DP_BENCH_FANOUT_LOAD_H
#define DP_BENCH_FANOUT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness.h"

#define LOAD_ROOMS_MAX 256u

typedef struct load load;

typedef struct load_config {
    unsigned port;    /* on 127.0.0.1 */
    const char *room; /* with more than one: the start of their names */
    size_t rooms;     /* 0 counts as 1; LOAD_ROOMS_MAX at most */
    size_t viewers;   /* of all rooms together */
    size_t senders;   /* of each room, beside the viewers, up to BATCH_SENDERS_MAX; they view too */
    size_t stalled;   /* of the viewers, those that stop reading */
    size_t text_bytes;
    int connect_ms_max;
} load_config;

typedef struct load_result {
    uint64_t sent;
    uint64_t delivered; /* (message, viewer) pairs that arrived in order for the first time */
    uint64_t lost;
    uint64_t repeated; /* twice, or out of order */
    uint64_t missed;   /* what the server itself said was lost */
    uint64_t closed;   /* connections that have ended so far */
    uint64_t refused;  /* error answers to a sender */
    uint64_t broken;   /* frames that could not be understood */
    uint64_t frames;   /* batches received */
    uint64_t frame_bytes;
    double seconds;        /* from the first send to the last delivery */
    double client_cpu_s;   /* this thread, the same time */
    bench_hist latency_ns; /* from due time to the viewer's receive */
    bench_hist late_ns;    /* how late the client itself sent */
} load_result;

/*
 * Opens all connections and waits for every upgrade.  NULL with a message in `error` when it did
 * not come to that in time.
 */
load *load_open(const load_config *config, char error[160]);
void load_close(load *l);

/*
 * Sends `rate` messages a second for `seconds`, spread over the senders of all rooms, then waits
 * until all is delivered, at most `drain_ms_max`.  `out` is zeroed first.
 */
void load_run(load *l, unsigned rate, double seconds, int drain_ms_max, load_result *out);

/* Lets `seconds` pass while pings are answered. */
void load_idle(load *l, double seconds);

#endif
