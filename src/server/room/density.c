/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merge table is set associative: a key's place is one of MERGE_WAYS slots.  Keys are keyed
 * hashes (identity_hash), so that nobody can make two texts that hide each other.
 */
#include "server/room/density.h"

#include <string.h>

#include "pool/os.h"
#include "server/gate/identity.h"

#define TOKEN_MILLI   1000
#define BURST_SHARE   4 /* of a second */
#define FILL_US_MAX   1000000u
#define MERGE_SETS    64u
#define MERGE_WAYS    4u
#define NORMAL_PREFIX 2u /* mode and colour, before the text */

static int64_t full_milli(uint32_t per_s)
{
    int64_t full = (int64_t)per_s * TOKEN_MILLI / BURST_SHARE;
    return full < TOKEN_MILLI ? TOKEN_MILLI : full;
}

void room_budget_fill(room_budget *budget, uint32_t per_s, uint64_t now_ns)
{
    *budget = (room_budget){.tokens_milli = full_milli(per_s), .filled_ns = now_ns};
}

static void refill(room_budget *budget, uint32_t per_s, uint64_t now_ns)
{
    if (now_ns <= budget->filled_ns) {
        return;
    }
    uint64_t passed_us = (now_ns - budget->filled_ns) / 1000u;
    int64_t full = full_milli(per_s);
    if (passed_us > 2 * FILL_US_MAX) {
        passed_us = 2 * FILL_US_MAX; /* a second's debt and the burst are paid by then */
    }
    int64_t earned = (int64_t)(passed_us * per_s / 1000u);
    if (earned == 0) {
        return;
    }
    if (budget->tokens_milli + earned >= full) {
        budget->tokens_milli = full;
        budget->filled_ns = now_ns;
    } else {
        /* Time moves only by what was earned, so that no remainder is lost. */
        budget->tokens_milli += earned;
        budget->filled_ns += (uint64_t)earned * 1000000u / per_s;
    }
}

bool room_budget_take(room_budget *budget, uint32_t per_s, message_lane lane, uint64_t now_ns)
{
    if (per_s == 0 || lane == MESSAGE_LANE_CONTROL) {
        return true;
    }
    int64_t second = (int64_t)per_s * TOKEN_MILLI;
    int64_t credit = lane == MESSAGE_LANE_SUPER       ? second
                     : lane == MESSAGE_LANE_MODERATOR ? second / 2
                                                      : 0;
    refill(budget, per_s, now_ns);
    if (budget->tokens_milli + credit < TOKEN_MILLI) {
        return false;
    }
    budget->tokens_milli -= TOKEN_MILLI;
    return true;
}

bool room_budget_is_tight(const room_budget *budget, uint32_t per_s)
{
    return per_s > 0 && budget->tokens_milli < full_milli(per_s) / 2;
}

void merge_table_clear(merge_table *table)
{
    os_free(table->slots);
    table->slots = NULL;
}

/* Full-width forms (U+FF01 to U+FF5E) are the ASCII ones 0xFEE0 above. */
static bool is_full_width(const unsigned char *at, size_t left, unsigned char *ascii)
{
    if (left < 3 || at[0] != 0xEF || (at[1] != 0xBC && at[1] != 0xBD)) {
        return false;
    }
    unsigned code = 0xF000u | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    if (code < 0xFF01u || code > 0xFF5Eu) {
        return false;
    }
    *ascii = (unsigned char)(code - 0xFEE0u);
    return true;
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

/* Into `to`, which holds as many bytes; returns how many there are. */
static size_t normalise(message_slice text, unsigned char *to)
{
    const unsigned char *from = (const unsigned char *)text.bytes;
    size_t used = 0;
    for (size_t at = 0; at < text.size_bytes;) {
        size_t left = text.size_bytes - at;
        unsigned char c = from[at];
        if (c < 0x80) {
            to[used] = lower(c);
            used += c != ' ';
            at++;
        } else if (is_full_width(from + at, left, &c)) {
            to[used++] = lower(c);
            at += 3;
        } else if (left >= 3 && memcmp(from + at, "\xE3\x80\x80", 3) == 0) {
            at += 3; /* the ideographic space */
        } else {
            to[used++] = c;
            at++;
        }
    }
    return used;
}

uint64_t merge_key(const message *in)
{
    unsigned char plain[NORMAL_PREFIX + ROOM_MERGE_TEXT_BYTES_MAX];
    if (in->kind != MESSAGE_TEXT || in->lane != MESSAGE_LANE_NORMAL || in->ext.size_bytes > 0 ||
        in->text.size_bytes > ROOM_MERGE_TEXT_BYTES_MAX) {
        return 0;
    }
    plain[0] = (unsigned char)in->mode;
    /* The upper two bits of each channel: shades look the same in motion. */
    plain[1] = (unsigned char)((in->color >> 22 & 3u) << 4 | (in->color >> 14 & 3u) << 2 |
                               (in->color >> 6 & 3u));
    size_t used = NORMAL_PREFIX + normalise(in->text, plain + NORMAL_PREFIX);
    uint64_t key = identity_hash(plain, used);
    return key == 0 ? 1 : key;
}

merge_slot *merge_find(merge_table *table, uint64_t key)
{
    if (table->slots == NULL) {
        return NULL;
    }
    merge_slot *set = table->slots + key % MERGE_SETS * MERGE_WAYS;
    for (unsigned i = 0; i < MERGE_WAYS; i++) {
        if (set[i].key == key) {
            return &set[i];
        }
    }
    return NULL;
}

void merge_note(merge_table *table, uint64_t key, uint64_t seq, uint64_t now_ns)
{
    if (table->slots == NULL) {
        table->slots = os_calloc((size_t)MERGE_SETS * MERGE_WAYS, sizeof *table->slots);
        if (table->slots == NULL) {
            return;
        }
    }
    merge_slot *set = table->slots + key % MERGE_SETS * MERGE_WAYS;
    merge_slot *into = merge_find(table, key);
    for (unsigned i = 0; i < MERGE_WAYS && into == NULL; i++) {
        into = set[i].key == 0 ? &set[i] : NULL;
    }
    if (into == NULL) {
        into = set;
        for (unsigned i = 1; i < MERGE_WAYS; i++) {
            into = set[i].shown_ns < into->shown_ns ? &set[i] : into;
        }
    }
    *into = (merge_slot){.key = key, .shown_ns = now_ns, .seq = seq};
}
