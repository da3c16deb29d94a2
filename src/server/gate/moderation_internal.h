/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of moderation share: the table (moderation.c), its state file
 * (moderation_state.c), audit log and list (moderation_text.c).
 *
 * Everything here is under the table's lock.
 */
#ifndef DP_SERVER_GATE_MODERATION_INTERNAL_H
#define DP_SERVER_GATE_MODERATION_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/gate/moderation.h"

#define RULE_NONE UINT32_MAX

typedef enum rule_kind {
    RULE_FREE,
    RULE_MUTE_USER,
    RULE_MUTE_ADDRESS,
    RULE_BAN_USER,
    RULE_BAN_ADDRESS,
    RULE_ROOM,
    RULE_KIND_COUNT
} rule_kind;

/* One decision that holds.  Of RULE_ROOM there is one a room. */
typedef struct moderation_rule {
    rule_kind kind;
    char room[MODERATION_ROOM_BYTES]; /* "" = all */
    char target[MODERATION_TARGET_BYTES];
    char by[MODERATION_TARGET_BYTES];
    char reason[MODERATION_REASON_BYTES];
    int64_t until_ms;         /* 0 = until it is taken back */
    moderation_room settings; /* of RULE_ROOM */
    unsigned bits;            /* of an address */
    uint64_t hash;            /* of kind, room and target: its chain */
    uint32_t next;            /* in the chain, or of the free ones */
} moderation_rule;

typedef struct held_comment {
    uint64_t id; /* 0 = free */
    char room[MODERATION_ROOM_BYTES];
    int64_t at_ms;
    void *packed;
} held_comment;

/* When a sender last spoke in a slow room; the longest silent of four goes. */
typedef struct slow_mark {
    uint64_t key;
    int64_t at_ms;
} slow_mark;

#define SLOW_SETS 2048u
#define SLOW_WAYS 4u

struct moderation {
    _Atomic size_t rule_count; /* read without the lock: 0 = nothing to look for */
    _Atomic uint64_t version;
    pthread_mutex_t lock;
    moderation_rule *rules; /* pages; entries_max of them */
    uint32_t *chains;       /* heads, by the hash */
    size_t chain_count;     /* a power of two */
    size_t entries_max;
    uint32_t free_first;
    uint32_t fresh;        /* rules from here on were never used */
    uint32_t of_bits[129]; /* rules of addresses by the length of their prefix */
    slow_mark (*slow)[SLOW_WAYS];
    held_comment *held; /* a ring, in the order of ids */
    size_t held_max;
    uint64_t held_next; /* id of the next one */
    uint64_t held_dropped;
    char *state_path, *audit_path;
    int audit_fd;
    int64_t purged_ms; /* when what has expired was last looked for */
    bool is_dirty;     /* something that the state file does not have */
};

/* The rule of this kind, room and target (an address as identity_address_print() has it), NULL. */
moderation_rule *moderation_find(moderation *table, rule_kind kind, const char *room,
                                 const char *target);
/* A new rule, all fields but hash and next as in `rule`; NULL when there are entries_max. */
moderation_rule *moderation_add(moderation *table, const moderation_rule *rule);
void moderation_remove(moderation *table, moderation_rule *rule);

/* Checks a text of an order or a file: short enough, no control characters. */
bool moderation_text_fits(const char *text, size_t bytes_max);

/* Text that grows; after a failed allocation it stays failed. */
typedef struct moderation_text {
    char *bytes;
    size_t size_bytes, capacity_bytes;
    bool failed;
} moderation_text;

void moderation_put(moderation_text *to, const char *text);
void moderation_putf(moderation_text *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* As a JSON string with its quotes. */
void moderation_put_string(moderation_text *to, const char *text, size_t size_bytes);

/* moderation_state.c: DP_OK for no file; DP_ERR_CORRUPT, DP_ERR_IO, DP_ERR_BUSY, DP_ERR_NOMEM. */
dp_status moderation_state_load(moderation *table, char *error, size_t error_bytes);
/* Reads what a state file holds into an empty table. */
dp_status moderation_state_parse(moderation *table, const char *bytes, size_t size_bytes,
                                 char *error, size_t error_bytes);
dp_status moderation_state_save(moderation *table);

/* moderation_text.c */
dp_status moderation_audit(moderation *table, const moderation_order *order, const char *failed,
                           int64_t now_ms);

#endif
