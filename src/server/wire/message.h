/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One admitted message, in no wire format: what every format is written from.
 *
 *     JSON, CBOR, bilibili, DPlayer, HTTP --parse--> message --pack--> pooled buffer --view-->
 * format
 *
 * A packed message is one pooled buffer: a header of fixed size and the texts behind it, so that a
 * room holds, samples, merges and forgets messages without knowing how they will look on a wire.
 * A format serialises only what is really shown, and only where somebody speaks it.
 *
 * Slices point into whatever the message was read from: parsed bytes before packing, the packed
 * buffer after.  A slice of no bytes is an absent one.  Thread safe: no state.
 */
#ifndef DP_SERVER_WIRE_MESSAGE_H
#define DP_SERVER_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/wire/protocol.h"

/* Bytes of UTF-8 that somebody else owns; NULL when absent. */
typedef struct message_slice {
    const char *bytes;
    uint32_t size_bytes;
} message_slice;

typedef enum message_kind {
    MESSAGE_TEXT,
    MESSAGE_MEDIA,
    MESSAGE_SUPER_CHAT,
    MESSAGE_RECALL, /* takes message `target_seq` back, from screens and history */
    MESSAGE_EVENT,  /* moderation or room news for clients: `text` is its name, `ext` its JSON */
    MESSAGE_KIND_COUNT
} message_kind;

/* What leaves first when a window has more than its room shows; the lower, the earlier. */
typedef enum message_lane {
    MESSAGE_LANE_CONTROL, /* recalls and events: never dropped, outside of the budget */
    MESSAGE_LANE_SUPER,
    MESSAGE_LANE_MODERATOR,
    MESSAGE_LANE_NORMAL,
    MESSAGE_LANE_COUNT
} message_lane;

/* A finished picture that the message names; absent when id.bytes is NULL. */
typedef struct message_media {
    message_slice id; /* 64 hexadecimal digits */
    message_slice content_type, source, engine, tier;
    uint32_t width, height, frames;
} message_media;

typedef struct message_super_chat {
    uint32_t price_cents;
    uint32_t duration_s;
    char currency[4]; /* ISO 4217 */
} message_super_chat;

typedef struct message {
    message_kind kind;
    message_lane lane;
    protocol_mode mode;
    uint32_t color; /* 0xrrggbb */
    uint16_t size_px;
    int64_t ts_ms;         /* since 1970, UTC */
    uint64_t target_seq;   /* MESSAGE_RECALL only */
    uint64_t sender_key;   /* hash of who sent it, 0 = nobody known; never on a wire */
    message_slice user_id; /* the token's sub; absent for guests */
    message_slice name;    /* shown name; absent for guests */
    message_slice text;
    message_slice ext; /* JSON as the sender wrote it */
    message_media media;
    message_super_chat super_chat;
    bool is_plain; /* of a view: JSON strings hold text, user_id and name without an escape */
} message;

#define MESSAGE_TEXT_BYTES_MAX (1u << 20) /* of text and of ext; more is a programmer's error */

/* What a parsed request asks to have said: a text of nobody, without a time.  The slices point
 * where the request's do. */
void message_from_request(const protocol_request *request, message *out);

/* Bytes that message_pack() writes. */
size_t message_packed_bytes(const message *in);

/* Writes `in` into `to`, which has message_packed_bytes(in) bytes and pointer alignment. */
void message_pack(const message *in, void *to);

/* A view of packed bytes; the slices of `out` point into them. */
void message_view(const void *packed, message *out);

#endif
