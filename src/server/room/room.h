/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rooms: numbering, the open window, a ring of batches for each format, and the hot history.
 *
 *     room_admit (any loop) -> window -> room_flush -> rings -> room_view_pull (each loop) -> views
 *
 * Messages are held packed (wire/message.h).  A flush writes them once for each format that has a
 * viewer; the history is written when somebody asks, in the format he speaks.
 *
 * A room is shared by all loops and has one mutex.  What a loop's viewers of one format read is a
 * view: a ring of its own that only that loop touches, filled from the room's ring when the loop is
 * told that it is dirty.  So writing to a viewer takes no lock, and a stalled loop costs the room
 * nothing but a flag.
 *
 * Lock order: room table, room, loop inbox.  None is held while a socket is written.
 */
#ifndef DP_SERVER_ROOM_H
#define DP_SERVER_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/pool.h>

#include "server/room/batch.h"
#include "server/wire/message.h"

#define ROOM_NAME_BYTES_MAX 64u
#define ROOM_LOOPS_MAX      16u
#define ROOM_EPOCH_BYTES    24u

typedef struct dp_room dp_room;
typedef struct room_table room_table;
typedef struct room_view room_view;

/* Called under the room's lock when a view has something new: must only set a flag and wake. */
typedef void room_notify(void *loop, room_view *view);

/* What a room shows; each room has its own, at first those of the table. */
typedef enum room_merge { ROOM_MERGE_OFF, ROOM_MERGE_WHEN_FULL, ROOM_MERGE_ALWAYS } room_merge;

typedef struct room_settings {
    uint32_t display_per_s; /* messages a second, 0 = no limit */
    room_merge merge;       /* of identical comments ... */
    uint32_t merge_ms;      /* ... that come so soon after one another */
} room_settings;

typedef struct room_config {
    dp_pool *pool;
    size_t ring_batches;
    size_t ring_bytes_max;
    size_t batch_messages_max; /* 0 = no limit */
    size_t history_max;
    size_t rooms_max;
    uint64_t window_ns;
    room_notify *notify;
    size_t quota_bytes_max; /* of each tier, for a room's messages; 0: rooms are no tenants */
    room_settings settings; /* of rooms to come */
} room_config;

/* A loop's side of a room.  Everything here but `room` and `loop` belongs to the loop's thread. */
struct room_view {
    dp_room *room;
    void *loop;
    unsigned loop_index;
    format_id format;
    batch_ring ring;
    uint64_t pulled;   /* number of the next batch to take from the room's ring */
    uint64_t next_seq; /* number of the first message after the view's newest batch */
    void *viewers;     /* the loop's own list */
    size_t viewer_count;
    bool dirty;            /* under the loop's inbox lock */
    room_view *dirty_next; /* likewise */
    room_view *loop_next;  /* the loop's list of its views */
};

dp_status room_table_create(const room_config *config, room_table **out);
/* Asserts that nobody holds a room. */
void room_table_destroy(room_table *table);

/*
 * Finds or makes the room and takes a reference.  DP_ERR_BUSY: rooms_max reached, DP_ERR_NOMEM,
 * DP_ERR_NOT_FOUND when !create.  Thread safe.
 */
dp_status room_acquire(room_table *table, const char *name, bool create, dp_room **out);
/* One more reference, for somebody who has one. */
void room_hold(dp_room *room);
void room_release(dp_room *room);

/* Drops rooms that nobody holds and that were silent for idle_ns. */
void room_table_sweep(room_table *table, uint64_t now_ns, uint64_t idle_ns);
size_t room_table_count(room_table *table);

/* Bytes of messages and batches that rooms hold, views' copies not included. */
uint64_t room_table_bytes(room_table *table);

/* The settings of rooms to come; rooms that are there keep theirs.  Thread safe. */
void room_table_set(room_table *table, const room_settings *settings);

/* One room's settings, from its next message on.  Thread safe. */
void room_set(dp_room *room, const room_settings *settings);
/* Whether the room has yet to be given the settings of this version: true once a version. */
bool room_needs_version(dp_room *room, uint64_t version);
void room_get(dp_room *room, room_settings *out);

const char *room_name(const dp_room *room);
const char *room_epoch(const dp_room *room);

/* What becomes of an admitted message; its number is its own in any case. */
typedef enum room_fate {
    ROOM_SHOWN,   /* everybody gets it */
    ROOM_MERGED,  /* it stands in the count of an identical one */
    ROOM_SAMPLED, /* more came than the room shows */
} room_fate;

typedef struct room_admitted {
    uint64_t seq;
    room_fate fate;   /* final: whoever is not ROOM_SHOWN is shown his own by room_own() */
    bool flush_later; /* the caller must call room_flush() at flush_at_ns */
    uint64_t flush_at_ns;
} room_admitted;

/*
 * Gives a message its number and packs it into the window.  A quiet room is flushed at once; else
 * exactly one caller a window is asked to flush it later.  Thread safe.
 *
 * A MESSAGE_RECALL takes its target_seq out of the history, and out of the window before anybody
 * saw it (messages_dropped, "recalled"); DP_ERR_NOT_FOUND when the room never had that number.
 *
 * The packed message is charged to the room where rooms have a quota; a room whose quota is used up
 * gives its oldest history away for it.  Nothing was admitted after DP_ERR_QUOTA (what waits to be
 * sent alone fills it), DP_ERR_BUSY (the window is full because batches could not be built),
 * DP_ERR_NOMEM.
 */
dp_status room_admit(dp_room *room, const message *in, uint64_t now_ns, room_admitted *out);

/* A frame for the sender alone of a message that the room does not show; *out NULL when the format
 * has no way to say it.  DP_ERR_NOMEM. */
dp_status room_own(dp_room *room, format_id format, const message *in, uint64_t seq, dp_buf **out);

/*
 * Builds batches from the window and tells the views, if the window is over.  Returns 0, or when
 * the caller must flush again: the window was made longer meanwhile, or no memory was found.
 */
uint64_t room_flush(dp_room *room, uint64_t now_ns);

/* Builds what can be built, window or not; for a server that stops. */
void room_flush_now(dp_room *room, uint64_t now_ns);

/*
 * Says that a loop has just written to all its viewers, and so how long the window is: a quarter of
 * window_ns where a single message came and writing it was nothing; shorter by what the writing
 * took where that is long, so that both together are a window and a quarter at most; but a quarter
 * of a window always stays free for reading: under more load than the sockets take batches grow
 * instead of the backlog.
 */
void room_written(dp_room *room, uint64_t now_ns);

/*
 * Joins a loop's view of one format to the room; the format can be built.  To part: leave (from
 * then on nobody notifies it), take it off every list, destroy.  The caller holds a reference on
 * the room all the while.
 */
dp_status room_view_create(dp_room *room, void *loop, unsigned loop_index, format_id format,
                           room_view **out);
void room_view_leave(room_view *view);
void room_view_destroy(room_view *view);

/* Moves new batches from the room's ring to the view's.  By the view's loop only. */
void room_view_pull(room_view *view);

/*
 * For a viewer that joins: pulls, and gives the newest `limit` flushed messages as one history
 * batch (*out NULL when there are none).  The viewer's first live batch is the view's next.
 */
dp_status room_view_history(room_view *view, size_t limit, dp_buf **out);

/* What a viewer that comes again says it has seen. */
typedef struct room_seen {
    const char *epoch;
    uint64_t seq; /* everything up to here */
} room_seen;

typedef struct room_resumed {
    dp_buf *frame;  /* what came since, at most `limit`; NULL when the format cannot say it */
    bool recovered; /* every message that was shown since and not recalled is in it */
} room_resumed;

/* As room_view_history(), for a viewer that comes again.  After another epoch, or when the history
 * no longer reaches back to `seq`, it gets the newest there are, and `recovered` is false. */
dp_status room_view_resume(room_view *view, const room_seen *seen, size_t limit, room_resumed *out);

/* A frame that tells a viewer that he lost `missed` messages and goes on with number `next_seq`. */
dp_status room_view_missed(const room_view *view, uint64_t missed, uint64_t next_seq, dp_buf **out);

/* The newest messages that a room shows, for whoever writes them: oldest first, with references. */
typedef struct room_past {
    format_batch batch; /* its messages are packed; room and epoch are the room's own texts */
    format_message *messages;
    dp_buf **bufs;
} room_past;

/* The newest `limit`, the open window included.  DP_ERR_NOMEM.  Thread safe. */
dp_status room_past_take(dp_room *room, size_t limit, room_past *out);
void room_past_put(room_past *past);

/* The body of GET /history: the newest `limit` messages, the open window included. */
dp_status room_history(dp_room *room, size_t limit, dp_buf **out);

#endif
