/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a room share: the room itself and its table.
 *
 * Invariants, under the room's lock:
 *     window and numbers: every number after flushed_seq up to last_seq is in the window, or was
 *         counted as sampled or merged by the entry after it (or by `dropped`, after the last);
 *     rings: the newest batch of a format ends at its next_seq <= flushed_seq + 1;
 *     history: holds shown messages only, every one after lost_seq.
 */
#ifndef DP_SERVER_ROOM_INTERNAL_H
#define DP_SERVER_ROOM_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/room/density.h"
#include "server/room/room.h"

/* Messages that were not shown, by why. */
typedef struct room_dropped {
    uint32_t sampled, merged;
} room_dropped;

/* One shown message, held by a reference. */
typedef struct room_entry {
    uint64_t seq;
    uint64_t admitted_ns;
    dp_buf *packed;
    uint32_t count;       /* it stands for */
    room_dropped dropped; /* since the entry before it */
} room_entry;

typedef struct room_window {
    room_entry *entries;
    format_message *scratch; /* what a format is given, of the same capacity */
    size_t count, capacity, bytes;
    room_dropped dropped; /* since the last entry */
    uint64_t tell_ns;     /* when viewers are told of them though nothing is shown */
} room_window;

/* A ring of the newest messages, grown with use up to history_max. */
typedef struct room_hot {
    room_entry *entries;
    size_t capacity, head, count; /* head: where the next one goes */
    size_t bytes;                 /* of the packed messages */
    uint64_t lost_seq;            /* newest shown number that is no longer here */
} room_hot;

/* The batches of one format, while it has views. */
typedef struct room_output {
    batch_ring ring;
    uint64_t next_seq; /* first number that no batch of it covers */
    unsigned views;
} room_output;

struct dp_room {
    room_table *table;
    dp_room *bucket_next;
    unsigned references; /* under the table's lock */
    uint64_t used_ns;    /* likewise */
    char name[ROOM_NAME_BYTES_MAX + 1];
    char epoch[ROOM_EPOCH_BYTES];
    uint16_t tenant; /* 0: none */

    pthread_mutex_t lock;
    uint64_t last_seq, flushed_seq;
    uint64_t flushed_ns;    /* when the newest batch was built ... */
    size_t flushed_count;   /* ... and how many messages that flush had */
    uint64_t flush_from_ns; /* the window is open until then */
    bool flush_promised;
    room_settings settings;
    _Atomic uint64_t settings_version; /* of the moderators' decisions that were applied */
    room_budget budget;
    merge_table merges;
    room_window window;
    room_hot hot;
    room_output outputs[FORMAT_COUNT];
    room_view *views[ROOM_LOOPS_MAX][FORMAT_COUNT];
};

#define ROOM_BUCKETS 4096u

struct room_table {
    room_config config;
    pthread_mutex_t lock;
    dp_room *buckets[ROOM_BUCKETS];
    size_t count;
    uint64_t epoch_base_ms;
    uint64_t made;
};

/* room_hot.c; under the room's lock. */

/* Keeps one more, with a reference of its own; the oldest goes where there is no place. */
void room_hot_push(dp_room *room, const room_entry *entry);
/* The n-th newest, 1 = the newest. */
room_entry *room_hot_at(const dp_room *room, size_t back);
/* The one of that number; NULL. */
room_entry *room_hot_find(dp_room *room, uint64_t seq);
/* Takes it out, as if it had never been shown. */
void room_hot_remove(dp_room *room, uint64_t seq);
/* Drops the older half; false when there is none. */
bool room_hot_halve(dp_room *room);
void room_hot_clear(dp_room *room);

/* room_window.c */
void room_window_clear(dp_room *room);

/* room_view.c: room_view_pull() under the room's lock. */
void room_view_pull_locked(room_view *view);

#endif
