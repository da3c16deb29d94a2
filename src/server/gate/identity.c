/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities: guests, allowed rooms, and the numbers that stand for senders.
 *
 * Source of the hash: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one
 * compression and three finalisation rounds.  Thread safe; the key is drawn by the first caller.
 */
#define _GNU_SOURCE /* getrandom */

#include "server/gate/identity.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "pool/os.h"

/* Behind the last one: ::ffff:0:0/96 holds IPv4. */
static const uint8_t v4_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

/* Without the kernel's randomness the clock has to do: worse against an attacker, no less a hash.
 */
static void draw_key(void)
{
    if (getrandom(hash_key, sizeof hash_key, 0) != (ssize_t)sizeof hash_key) {
        hash_key[0] = os_clock_ns();
        hash_key[1] = ~(uint64_t)(uintptr_t)&hash_key ^ hash_key[0] << 21;
    }
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

uint64_t identity_hash(const void *bytes, size_t size_bytes)
{
    pthread_once(&hash_key_once, draw_key);
    const unsigned char *at = bytes;
    uint64_t v[4] = {hash_key[0] ^ 0x736f6d6570736575u, hash_key[1] ^ 0x646f72616e646f6du,
                     hash_key[0] ^ 0x6c7967656e657261u, hash_key[1] ^ 0x7465646279746573u};
    for (size_t left = size_bytes; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)size_bytes << 56;
    for (size_t i = 0; i < size_bytes % 8; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void identity_guest(bool may_send, const identity_address *address, identity *out)
{
    *out = (identity){.is_guest = true,
                      .roles = IDENTITY_VIEWER | (may_send ? (uint32_t)IDENTITY_PUBLISHER : 0u),
                      .address = *address};
}

/* One entry of the list against a name. */
static bool entry_allows(const char *entry, size_t entry_bytes, const char *room, size_t room_bytes)
{
    if (entry_bytes > 0 && entry[entry_bytes - 1] == '*') {
        entry_bytes--;
        return room_bytes >= entry_bytes && memcmp(entry, room, entry_bytes) == 0;
    }
    return room_bytes == entry_bytes && memcmp(entry, room, entry_bytes) == 0;
}

bool identity_allows_room(const identity *who, const char *room)
{
    if (who->rooms[0] == '\0') {
        return true;
    }
    size_t room_bytes = strlen(room);
    const char *entry = who->rooms;
    for (;;) {
        size_t entry_bytes = strcspn(entry, ",");
        if (entry_bytes > 0 && entry_allows(entry, entry_bytes, room, room_bytes)) {
            return true;
        }
        if (entry[entry_bytes] == '\0') {
            return false;
        }
        entry += entry_bytes + 1;
    }
}

static bool is_v4(const identity_address *address)
{
    return memcmp(address->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

static uint64_t not_zero(uint64_t key)
{
    return key == 0 ? 1 : key;
}

uint64_t identity_user_key(const char *sub)
{
    return not_zero(identity_hash(sub, strlen(sub)));
}

/* A byte more than any sub could have in front of it, so that no sub is an address. */
uint64_t identity_address_key(const identity_address *address)
{
    unsigned char bytes[17] = {0};
    memcpy(bytes + 1, address->bytes, is_v4(address) ? 16 : 8);
    return not_zero(identity_hash(bytes, sizeof bytes));
}

uint64_t identity_key(const identity *who)
{
    return who->sub[0] != '\0' ? identity_user_key(who->sub) : identity_address_key(&who->address);
}

static void clear_behind(identity_address *address, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned first = i * 8;
        unsigned kept = bits <= first ? 0 : bits - first >= 8 ? 8 : bits - first;
        address->bytes[i] = (uint8_t)(address->bytes[i] & (0xFF00u >> kept));
    }
}

/* Decimal, without a sign or a leading zero, at most `max`. */
static bool parse_length(const char *text, unsigned max, unsigned *out)
{
    unsigned value = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0')) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > max) {
            return false;
        }
        value = value * 10 + (unsigned)(*text - '0');
    }
    *out = value;
    return value <= max;
}

bool identity_address_parse(const char *text, identity_address *out, unsigned *bits)
{
    char head[INET6_ADDRSTRLEN];
    size_t head_bytes = strcspn(text, "/");
    bool has_length = text[head_bytes] == '/';
    if (head_bytes >= sizeof head || (has_length && bits == NULL)) {
        return false;
    }
    memcpy(head, text, head_bytes);
    head[head_bytes] = '\0';
    identity_address address;
    unsigned first = 0; /* bits in front of what the text's own form counts */
    if (inet_pton(AF_INET, head, address.bytes + 12) == 1) {
        memcpy(address.bytes, v4_prefix, sizeof v4_prefix);
        first = 96;
    } else if (inet_pton(AF_INET6, head, address.bytes) != 1) {
        return false;
    }
    unsigned length = 128 - first;
    if (has_length && !parse_length(text + head_bytes + 1, 128 - first, &length)) {
        return false;
    }
    clear_behind(&address, first + length);
    *out = address;
    if (bits != NULL) {
        *bits = first + length;
    }
    return true;
}

void identity_address_print(const identity_address *address, unsigned bits,
                            char to[IDENTITY_ADDRESS_TEXT_BYTES])
{
    char text[INET6_ADDRSTRLEN] = "";
    bool is_short = is_v4(address) && bits >= 96;
    const char *made = is_short ? inet_ntop(AF_INET, address->bytes + 12, text, sizeof text)
                                : inet_ntop(AF_INET6, address->bytes, text, sizeof text);
    DP_ASSERT(made != NULL && bits <= 128);
    if (bits == 128) {
        snprintf(to, IDENTITY_ADDRESS_TEXT_BYTES, "%s", text);
    } else {
        snprintf(to, IDENTITY_ADDRESS_TEXT_BYTES, "%s/%u", text, is_short ? bits - 96 : bits);
    }
}
