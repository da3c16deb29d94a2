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

typedef enum moderation_action {
    MODERATION_MUTE_USER,
    MODERATION_UNMUTE_USER,
    MODERATION_BAN_USER,
    MODERATION_UNBAN_USER,
    MODERATION_BAN_ADDRESS,
    MODERATION_UNBAN_ADDRESS,
    MODERATION_CLOSE_ROOM,
    MODERATION_OPEN_ROOM,
    MODERATION_SLOW_ROOM, /* seconds between two comments of one sender; 0 = off */
    MODERATION_RECALL,    /* audit only: the room does it */
    MODERATION_APPROVE,
    MODERATION_REJECT,
    MODERATION_ACTION_COUNT
} moderation_action;

typedef struct moderation_order {
    moderation_action action;
    const char *room;    /* "" = all rooms */
    const char *target;  /* sub, address in text, or held id */
    const char *by;      /* who ordered it */
    const char *reason;  /* "" = none given */
    uint32_t duration_s; /* 0 = until it is taken back */
    uint32_t slow_s;
    uint64_t seq; /* recall */
} moderation_order;

typedef struct moderation_config {
    const char *state_path; /* "" = kept in memory only */
    const char *audit_path; /* append-only JSONL; "" = none */
    size_t entries_max;     /* mutes and bans together */
    size_t held_max;        /* comments waiting for review, the oldest is dropped and counted */
} moderation_config;

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

/* DP_ERR_INVALID, DP_ERR_NOT_FOUND (un-ban of nobody), DP_ERR_BUSY (entries_max), DP_ERR_IO (the
 * audit or state file could not be written: nothing was changed). */
dp_status moderation_apply(moderation *table, const moderation_order *order, int64_t now_ms);

/* Writes the list as JSON for the API: mutes, bans, rooms with settings, held comments. */
dp_status moderation_list(moderation *table, const char *room, int64_t now_ms, char **json_out);

#endif
