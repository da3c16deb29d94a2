/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What moderators decided: mutes and bans of users and addresses, slow and closed rooms, comments
 * held for review; a state file that survives a restart and an audit log that only grows.
 *
 * One table for the server, a lock of its own (below the room's in the lock order: never taken with
 * a room's lock held).  Time is passed in, so that tests move the clock.
 */
#ifndef DP_SERVER_GATE_MODERATION_H
#define DP_SERVER_GATE_MODERATION_H

#include <danpool/status.h>

#include "server/gate/identity.h"

typedef struct moderation moderation;

typedef enum moderation_verdict {
    MODERATION_OK,
    MODERATION_MUTED,
    MODERATION_BANNED,
    MODERATION_ROOM_CLOSED,
    MODERATION_SLOW
} moderation_verdict;

/* X(enumerator, name in the audit log and the API). */
#define MODERATION_ACTION_LIST(X)                                                                  \
    X(MODERATION_MUTE_USER, "mute_user")                                                           \
    X(MODERATION_UNMUTE_USER, "unmute_user")                                                       \
    X(MODERATION_MUTE_ADDRESS, "mute_address")                                                     \
    X(MODERATION_UNMUTE_ADDRESS, "unmute_address")                                                 \
    X(MODERATION_BAN_USER, "ban_user")                                                             \
    X(MODERATION_UNBAN_USER, "unban_user")                                                         \
    X(MODERATION_BAN_ADDRESS, "ban_address")                                                       \
    X(MODERATION_UNBAN_ADDRESS, "unban_address")                                                   \
    X(MODERATION_CLOSE_ROOM, "close_room")                                                         \
    X(MODERATION_OPEN_ROOM, "open_room")                                                           \
    X(MODERATION_SLOW_ROOM, "slow_room")                                                           \
    X(MODERATION_MERGE_ROOM, "merge_room")                                                         \
    X(MODERATION_BUDGET_ROOM, "budget_room")                                                       \
    X(MODERATION_RECALL, "recall")                                                                 \
    X(MODERATION_APPROVE, "approve")                                                               \
    X(MODERATION_REJECT, "reject")

typedef enum moderation_action {
#define MODERATION_ENUM(id, name) id,
    MODERATION_ACTION_LIST(MODERATION_ENUM)
#undef MODERATION_ENUM
        MODERATION_ACTION_COUNT
} moderation_action;

const char *moderation_action_name(moderation_action action);
bool moderation_action_by_name(const char *name, moderation_action *out);

#define MODERATION_ROOM_BYTES   65u
#define MODERATION_TARGET_BYTES 65u
#define MODERATION_REASON_BYTES 129u
#define MODERATION_UNSET        UINT32_MAX

/* Texts are UTF-8 without control characters, shorter than the sizes above; NULL is "". */
typedef struct moderation_order {
    moderation_action action;
    const char *room;    /* "" = all rooms */
    const char *target;  /* sub, address or prefix in text ("192.0.2.0/24"), or held id */
    const char *by;      /* who ordered it */
    const char *reason;  /* "" = none given */
    uint32_t duration_s; /* 0 = until it is taken back */
    /* SLOW_ROOM: seconds between two comments of one sender, 0 = off.  MERGE_ROOM: 0 off, 1 on.
     * BUDGET_ROOM: comments shown a second.  MODERATION_UNSET: as configured again (0 of slow). */
    uint32_t value;
    uint64_t seq; /* RECALL, APPROVE, REJECT: written into the audit log; the room does it */
} moderation_order;

typedef struct moderation_config {
    const char *state_path; /* "" = kept in memory only */
    const char *audit_path; /* append-only JSONL; "" = none */
    size_t entries_max;     /* mutes, bans and rooms with settings together */
    size_t held_max;        /* comments waiting for review, the oldest is dropped and counted */
} moderation_config;

/* DP_ERR_CORRUPT: the state file does not pass its own checks; it is left as it is. */
dp_status moderation_create(const moderation_config *config, moderation **out, char *error,
                            size_t error_bytes);
void moderation_destroy(moderation *table);

/*
 * Before a comment is admitted.  MODERATION_SLOW, MUTED: *retry_ms says when it may be tried (0 =
 * never).  MODERATION_OK of a slow room starts the sender's pause.  Moderators pass.
 */
moderation_verdict moderation_check(moderation *table, const char *room, const identity *who,
                                    int64_t now_ms, uint32_t *retry_ms);

/* At connect: only bans count. */
bool moderation_is_banned(moderation *table, const char *room, const identity *who, int64_t now_ms);

/*
 * Carries an order out, writes it into the audit log and the state file.  DP_ERR_INVALID,
 * DP_ERR_NOT_FOUND (un-ban of nobody), DP_ERR_BUSY (entries_max), DP_ERR_IO (the audit or state
 * file could not be written: nothing was changed), DP_ERR_NOMEM.  Waits for the disk.
 */
dp_status moderation_apply(moderation *table, const moderation_order *order, int64_t now_ms);

/*
 * The server's own mute of a sender, by `sub` or, of a guest, by address: at once, written to the
 * state file by the next moderation_maintain().  Never waits for the disk.
 */
dp_status moderation_mute(moderation *table, const char *room, const identity *who,
                          const char *reason, uint32_t duration_s, int64_t now_ms);

/* Forgets what has expired and writes what is not yet written.  Every second or so, by a thread
 * that may wait. */
dp_status moderation_maintain(moderation *table, int64_t now_ms);

/* Opens the audit log anew, after it was moved away. */
dp_status moderation_audit_reopen(moderation *table);

typedef struct moderation_room {
    bool is_closed;
    uint32_t slow_s;
    uint32_t merge;  /* 0, 1, MODERATION_UNSET */
    uint32_t budget; /* a second; MODERATION_UNSET */
} moderation_room;

/* What is set for a room, by its own settings and those of all rooms. */
moderation_room moderation_room_settings(moderation *table, const char *room);
/* Grows with each change of a room's settings: whoever keeps a copy looks at it. */
uint64_t moderation_version(const moderation *table);

/*
 * Keeps a comment (message_pack()ed) for review under *id.  The oldest goes when there are
 * held_max; `*dropped` says how many ever went so.  DP_ERR_NOMEM, DP_ERR_BUSY (held_max 0).
 */
dp_status moderation_hold(moderation *table, const char *room, const void *packed,
                          size_t size_bytes, int64_t now_ms, uint64_t *id);
uint64_t moderation_held_dropped(moderation *table);
/* Takes it out: *packed is the caller's to os_free(), `room` has MODERATION_ROOM_BYTES.
 * DP_ERR_NOT_FOUND. */
dp_status moderation_held_take(moderation *table, uint64_t id, char *room, void **packed);

/*
 * The list as JSON for the API: {"mutes":[..],"bans":[..],"rooms":[..],"held":[..]}, of one room
 * (with what holds for all) or, "", of all.  os_free() it.  DP_ERR_NOMEM.
 */
dp_status moderation_list(moderation *table, const char *room, int64_t now_ms, char **json_out);

#endif
