/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A viewer: one connection that is shown rooms, whichever protocol and socket it has.
 *
 *     room_view --(subscription: a number in the view's ring)--> viewer --(viewer_io)--> socket
 *
 * Nothing is queued for a viewer but short replies of the protocol: what it sees next of a room is
 * a number.  A viewer whose number fell out of the ring is told how many messages it missed and
 * goes on with the newest batch; one whose socket stays full for fanout.slow_close_ms is hung up
 * on.  One that does not read its replies is not read from either.
 *
 * A protocol embeds a viewer in its session, gives it a viewer_protocol (what it says) and a
 * viewer_io (how bytes leave), and calls viewer_writable() when its socket can take bytes again.
 * Everything here is the loop's thread alone.
 */
#ifndef DP_SERVER_CONN_VIEWER_H
#define DP_SERVER_CONN_VIEWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>
#include <danpool/status.h>

#include "server/room/room.h"
#include "server/wire/ws_frame.h"

struct server_loop;
typedef struct viewer viewer;

/* One room of one viewer. */
typedef struct subscription {
    viewer *owner;
    room_view *view;
    struct subscription *next, *previous; /* in the view's list */
    struct subscription *sibling;         /* the viewer's next room */
    uint64_t next_batch;                  /* number in the view's ring */
    uint64_t next_seq;                    /* of the message that is expected */
} subscription;

typedef enum viewer_sent {
    VIEWER_SENT,  /* taken; some of it may still wait inside, before anything else */
    VIEWER_FULL,  /* nothing was taken: again after viewer_writable() */
    VIEWER_BROKEN /* the connection is gone */
} viewer_sent;

/* A finished frame: the payload from `offset` on, with FORMAT_HEADROOM bytes in front of it. */
typedef struct viewer_frame {
    dp_buf *buf;
    size_t offset;
    ws_write ws; /* kind of the WebSocket frame; no meaning on a plain TCP connection */
} viewer_frame;

/* How bytes leave. */
typedef struct viewer_io {
    viewer_sent (*send)(viewer *to, const viewer_frame *frame);
    /* Whether something that was taken has not left yet. */
    bool (*is_full)(const viewer *of);
    /* Asks for a call of viewer_writable(). */
    void (*ask)(viewer *of);
    /* Stops and starts reading from the connection. */
    void (*read)(viewer *of, bool on);
    /* Hangs up soon, not inside of the call, without a word. */
    void (*drop)(viewer *of);
} viewer_io;

/* What a protocol says in its own words, by viewer_reply(). */
typedef struct viewer_protocol {
    const char *name; /* "json"; label of logs and metrics */
    format_id format; /* of its batches */
    ws_opcode opcode; /* of its replies: WS_TEXT or WS_BINARY */
    /* (optional) that `count` messages were lost, and that next_seq comes next */
    void (*missed)(subscription *of, uint64_t count);
    /* (optional) that the server goes, and when to come again */
    void (*going_away)(viewer *to, uint32_t retry_ms);
} viewer_protocol;

struct viewer {
    struct server_loop *loop;
    const viewer_protocol *protocol;
    const viewer_io *io;
    void *socket; /* the io's: a struct lws for viewer_io_lws */
    subscription *rooms;
    dp_buf *reply_head, *reply_tail;
    uint64_t alive_ns;        /* when the io was last told that the client is alive */
    uint64_t behind_since_ns; /* since when the socket is full; 0 = it is not */
    uint16_t reply_count;
    uint16_t close_status; /* enum ws_close, once is_closing */
    bool reading_paused;
    bool is_closing; /* replies are still written, then it is closed */
    bool is_done;    /* the close was begun: nothing may be written any more */
    bool is_blocked; /* the socket took nothing: wait for viewer_writable() */
};

/* Connections through libwebsockets, WebSocket and raw; `socket` is the struct lws. */
extern const viewer_io viewer_io_lws;

/* The cheapest io for a WebSocket of this loop: past libwebsockets where there is no TLS. */
const viewer_io *viewer_io_websocket(const struct server_loop *loop);

/* Begins; counted as a connection from here to viewer_end(). */
void viewer_begin(viewer *made, struct server_loop *loop, const viewer_protocol *protocol,
                  const viewer_io *io, void *socket);
/* Leaves all rooms and gives back what is held. */
void viewer_end(viewer *ended);

/*
 * Enters a room, from the next batch on (room_view_pull() was done); DP_ERR_BUSY: no place for
 * another room, DP_ERR_NOMEM.
 */
dp_status viewer_join(viewer *who, const char *room, subscription **out);
void viewer_leave(viewer *who, subscription *room);
/* The viewer's subscription of that room, NULL. */
subscription *viewer_room(const viewer *who, const char *room);

/*
 * Queues a copy of a short answer; it leaves before the next batch.  Without memory the connection
 * is closed: an answer must not get lost.
 */
void viewer_reply(viewer *to, const void *bytes, size_t size_bytes);

/* Closes after what is queued. */
void viewer_close(viewer *whom, ws_close status);

/*
 * Writes what there is until the socket is full; false when the connection is broken or was
 * closed, and the caller must end it.
 */
bool viewer_writable(viewer *who);

/* Writes the view's new batches to everybody who watches it. */
void viewers_wake(room_view *view);

/* Once a second: hangs up on those who stayed behind too long. */
void viewers_check(struct server_loop *loop, room_view *view, uint64_t now_ns);

/*
 * Tells up to `most` of those who are still there and closes them, the times to come again spread;
 * how many there were.
 */
size_t viewers_go_away(room_view *view, size_t most);

#endif
