/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a connection or a request speaks for: what a verified token said, or a guest.
 *
 * Plain values without a pointer, so that an identity is copied into a session and outlives the
 * token.
 */
#ifndef DP_SERVER_GATE_IDENTITY_H
#define DP_SERVER_GATE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_TEXT_BYTES  65u
#define IDENTITY_ROOMS_BYTES 256u

enum identity_role {
    IDENTITY_VIEWER = 1u << 0,
    IDENTITY_PUBLISHER = 1u << 1, /* may send */
    IDENTITY_MODERATOR = 1u << 2, /* may mute, ban, recall in its rooms; leaves earlier */
    IDENTITY_BACKEND = 1u << 3,   /* may publish in bulk, super chats and events */
    IDENTITY_ADMIN = 1u << 4      /* all rooms, and the server itself */
};

/* An IPv4 address is kept as its IPv6 form ::ffff:a.b.c.d. */
typedef struct identity_address {
    uint8_t bytes[16];
} identity_address;

typedef struct identity {
    bool is_guest;                    /* no token: anonymous */
    uint32_t roles;                   /* IDENTITY_* */
    char sub[IDENTITY_TEXT_BYTES];    /* "" for guests */
    char name[IDENTITY_TEXT_BYTES];   /* shown name, cleaned */
    char rooms[IDENTITY_ROOMS_BYTES]; /* allowed rooms with commas; "" = all; "pre*" = a prefix */
    uint32_t messages_per_s;          /* the token's own limit; 0 = the configured one */
    int64_t expires_s;                /* since 1970; 0 = never */
    identity_address address;         /* the real peer, behind listed proxies too */
} identity;

/* What everybody without a token is, by configuration. */
void identity_guest(bool may_send, const identity_address *address, identity *out);

/* Whether the identity may enter this room at all. */
bool identity_allows_room(const identity *who, const char *room);

/*
 * A number that stands for the sender: of `sub` where there is one, else of the address.  Of IPv6
 * the first 64 bits count, since a host has all of the rest for itself.  Never 0.
 */
uint64_t identity_key(const identity *who);
uint64_t identity_user_key(const char *sub);
uint64_t identity_address_key(const identity_address *address);

/*
 * SipHash-1-3 under a key that is drawn once a process, so that nobody can choose names or
 * addresses that collide.  Numbers of one process mean nothing to another.
 */
uint64_t identity_hash(const void *bytes, size_t size_bytes);

/* "192.0.2.7", "2001:db8::1"; with a length behind "/" where `bits` is not NULL (of the 128 of the
 * IPv6 form: "192.0.2.0/24" gives 120).  Bits behind the prefix are cleared. */
bool identity_address_parse(const char *text, identity_address *out, unsigned *bits);

#define IDENTITY_ADDRESS_TEXT_BYTES 52u
/* The same as text; bits 128 leaves the length out. */
void identity_address_print(const identity_address *address, unsigned bits,
                            char to[IDENTITY_ADDRESS_TEXT_BYTES]);

#endif
