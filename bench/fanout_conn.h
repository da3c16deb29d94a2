/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the load client: bytes in, bytes out, frames and fragments.
 *
 * Reading goes through one scratch buffer shared by all connections; only what is left of a frame
 * that has not come whole is kept with the connection.  The owner's thread only.
 */
#ifndef DP_BENCH_FANOUT_CONN_H
#define DP_BENCH_FANOUT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fanout_batch.h"

typedef enum conn_state { CONN_CONNECTING, CONN_UPGRADING, CONN_OPEN, CONN_CLOSED } conn_state;

typedef struct conn_bytes {
    char *data;
    size_t used;
    size_t size;
} conn_bytes;

typedef struct conn {
    int fd;
    conn_state state;
    bool wants_write;                 /* epoll is asked for EPOLLOUT */
    conn_bytes in;                    /* the start of a frame */
    conn_bytes out;                   /* what the socket did not take yet */
    conn_bytes message;               /* fragments of a message */
    uint64_t next[BATCH_SENDERS_MAX]; /* the number expected of each sender */
} conn;

/* Called for every whole text message. */
typedef void conn_message(void *user, conn *c, const char *payload, size_t count);

typedef struct conn_io {
    int epoll;
    char *scratch;
    size_t scratch_size;
    conn_message *message;
    void *user;
} conn_io;

/* Starts a non-blocking connect and registers with epoll.  False: errno says why. */
bool conn_start(conn_io *io, conn *c, unsigned port);
void conn_close(conn *c);

/* Handles an epoll event; the connection is CONN_CLOSED afterwards when it failed. */
void conn_event(conn_io *io, conn *c, uint32_t events, const char *room, unsigned port);

/* Appends a masked text frame to what will be sent; conn_flush() sends.  False: no memory. */
bool conn_queue(conn *c, uint8_t opcode, const char *payload, size_t count);
void conn_flush(conn_io *io, conn *c);

/* Reads nothing of this connection from now on, and does not notice how it ends. */
void conn_deafen(conn_io *io, conn *c);

#endif
