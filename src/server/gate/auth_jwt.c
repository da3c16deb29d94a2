/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two JSON objects of a JWT, read by yajl's events.
 *
 * Only members of the outermost object count, and inside of those only the shapes listed in
 * member_table; whatever else there is is skipped by counting depth.  A reader knows the member
 * it is in, and each event is either right for it or makes the token malformed.
 */
#include "server/gate/auth_jwt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "server/wire/protocol.h"
#include "server/wire/text.h"

#define SECONDS_MAX 253402300799.0 /* the end of the year 9999 */

typedef enum member {
    MEMBER_OTHER,
    MEMBER_ALG,
    MEMBER_KID,
    MEMBER_CRIT,
    MEMBER_ISS,
    MEMBER_AUD,
    MEMBER_EXP,
    MEMBER_NBF,
    MEMBER_SUB,
    MEMBER_NAME,
    MEMBER_ROOMS,
    MEMBER_ROLES,
    MEMBER_LIMITS,
    MEMBER_RATE /* limits.messages_per_s */
} member;

static const struct {
    const char *name;
    member id;
    bool is_header;
    bool may_be_list; /* of texts, in the place of one text */
} member_table[] = {
    {"alg", MEMBER_ALG, true, false},     {"kid", MEMBER_KID, true, false},
    {"crit", MEMBER_CRIT, true, false},   {"iss", MEMBER_ISS, false, false},
    {"aud", MEMBER_AUD, false, true},     {"exp", MEMBER_EXP, false, false},
    {"nbf", MEMBER_NBF, false, false},    {"sub", MEMBER_SUB, false, false},
    {"name", MEMBER_NAME, false, false},  {"rooms", MEMBER_ROOMS, false, true},
    {"roles", MEMBER_ROLES, false, true}, {"limits", MEMBER_LIMITS, false, false},
};
#define MEMBERS (sizeof member_table / sizeof member_table[0])

typedef struct reader {
    jwt_header *header; /* one of the two is read */
    jwt_claims *claims;
    const char *audience;
    unsigned depth; /* 1 = in the outermost object */
    member now;
    bool in_list, in_limits, is_complete;
    uint32_t seen; /* bits of members */
} reader;

/* ---- base64url ------------------------------------------------------------------------------ */

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool jwt_base64url(const char *text, size_t text_bytes, uint8_t *to, size_t capacity_bytes,
                   size_t *size_bytes)
{
    size_t written = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    if (text_bytes % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < text_bytes; i++) {
        int value = sextet(text[i]);
        if (value < 0) {
            return false;
        }
        bits = (bits << 6) | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (written == capacity_bytes) {
                return false;
            }
            to[written++] = (uint8_t)(bits >> have);
            bits &= (1u << have) - 1u;
        }
    }
    if (bits != 0) {
        return false;
    }
    *size_bytes = written;
    return true;
}

/* ---- what a claim may hold ------------------------------------------------------------------ */

uint32_t jwt_role(const char *name, size_t name_bytes)
{
    static const struct {
        const char *name;
        uint32_t roles;
    } rows[] = {
        {"viewer", IDENTITY_VIEWER},
        {"publisher", IDENTITY_VIEWER | IDENTITY_PUBLISHER},
        {"mod", IDENTITY_VIEWER | IDENTITY_PUBLISHER | IDENTITY_MODERATOR},
        {"moderator", IDENTITY_VIEWER | IDENTITY_PUBLISHER | IDENTITY_MODERATOR},
        {"backend", IDENTITY_VIEWER | IDENTITY_PUBLISHER | IDENTITY_BACKEND},
        {"admin", IDENTITY_VIEWER | IDENTITY_PUBLISHER | IDENTITY_MODERATOR | IDENTITY_BACKEND |
                      IDENTITY_ADMIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strlen(rows[i].name) == name_bytes && memcmp(rows[i].name, name, name_bytes) == 0) {
            return rows[i].roles;
        }
    }
    return 0;
}

bool jwt_room_pattern_valid(const char *pattern, size_t pattern_bytes)
{
    if (pattern_bytes > 0 && pattern[pattern_bytes - 1] == '*') {
        return pattern_bytes == 1 || protocol_room_name_valid(pattern, pattern_bytes - 1);
    }
    return protocol_room_name_valid(pattern, pattern_bytes);
}

/* A copy with its end; a NUL inside would end it early for everybody who reads it later. */
static bool copy_text(char *to, size_t capacity_bytes, const unsigned char *text, size_t text_bytes)
{
    if (text_bytes >= capacity_bytes || memchr(text, '\0', text_bytes) != NULL) {
        return false;
    }
    memcpy(to, text, text_bytes);
    to[text_bytes] = '\0';
    return true;
}

static bool add_room(jwt_claims *claims, const char *room, size_t room_bytes)
{
    size_t used = strlen(claims->rooms);
    size_t comma = used > 0;
    if (!jwt_room_pattern_valid(room, room_bytes) ||
        used + comma + room_bytes >= sizeof claims->rooms) {
        return false;
    }
    if (comma) {
        claims->rooms[used++] = ',';
    }
    memcpy(claims->rooms + used, room, room_bytes);
    claims->rooms[used + room_bytes] = '\0';
    return true;
}

/* Several words in one text, as OAuth's `scope` has them; roles that we do not know are others'. */
static void add_roles(jwt_claims *claims, const char *text, size_t text_bytes)
{
    for (size_t at = 0; at < text_bytes;) {
        size_t end = at;
        while (end < text_bytes && text[end] != ' ' && text[end] != ',') {
            end++;
        }
        claims->roles |= jwt_role(text + at, end - at);
        at = end + 1;
    }
}

static bool set_name(jwt_claims *claims, const char *text, size_t text_bytes)
{
    char cleaned[AUTH_TOKEN_BYTES_MAX];
    size_t chars;
    if (text_bytes > sizeof cleaned) {
        return false;
    }
    size_t size_bytes = text_clean(text, text_bytes, cleaned, &chars);
    if (size_bytes >= sizeof claims->name) {
        /* A name is only shown: cut where a character ends. */
        size_bytes = sizeof claims->name - 1;
        while (size_bytes > 0 && ((unsigned char)cleaned[size_bytes] & 0xC0) == 0x80) {
            size_bytes--;
        }
    }
    memcpy(claims->name, cleaned, size_bytes);
    claims->name[size_bytes] = '\0';
    return true;
}

static bool set_seconds(double value, bool *has, int64_t *out)
{
    if (!isfinite(value) || value < 0 || value > SECONDS_MAX) {
        return false;
    }
    *has = true;
    *out = (int64_t)value;
    return true;
}

/* ---- yajl's events -------------------------------------------------------------------------- */

/* Whether an event in a member we do not read, or below one, is to be passed over. */
static bool is_skipped(const reader *in)
{
    return in->depth > 1 ? !in->in_list && !(in->in_limits && in->depth == 2)
                         : in->now == MEMBER_OTHER;
}

static int on_text(void *user, const unsigned char *text, size_t text_bytes)
{
    reader *in = user;
    jwt_claims *claims = in->claims;
    if (in->depth == 0) {
        return 0;
    }
    if (is_skipped(in)) {
        return 1;
    }
    switch (in->now) {
    case MEMBER_ALG:
        if (!copy_text(in->header->algorithm, sizeof in->header->algorithm, text, text_bytes)) {
            in->header->algorithm[0] = '\0';
        }
        return 1;
    case MEMBER_KID:
        return copy_text(in->header->kid, sizeof in->header->kid, text, text_bytes);
    case MEMBER_ISS:
        return copy_text(claims->issuer, sizeof claims->issuer, text, text_bytes);
    case MEMBER_AUD:
        claims->audience_matches |=
            strlen(in->audience) == text_bytes && memcmp(in->audience, text, text_bytes) == 0;
        return 1;
    case MEMBER_SUB:
        return copy_text(claims->sub, sizeof claims->sub, text, text_bytes);
    case MEMBER_NAME:
        return set_name(claims, (const char *)text, text_bytes);
    case MEMBER_ROOMS:
        claims->has_rooms = true;
        return add_room(claims, (const char *)text, text_bytes);
    case MEMBER_ROLES:
        claims->has_roles = true;
        add_roles(claims, (const char *)text, text_bytes);
        return 1;
    case MEMBER_OTHER:
        return 1;
    default:
        return 0;
    }
}

static int on_number(void *user, const char *digits, size_t digits_bytes)
{
    reader *in = user;
    if (in->depth == 0) {
        return 0;
    }
    if (is_skipped(in) || in->now == MEMBER_OTHER) {
        return 1;
    }
    char text[64];
    double value;
    if (!copy_text(text, sizeof text, (const unsigned char *)digits, digits_bytes)) {
        return 0;
    }
    value = strtod(text, NULL);
    if (in->in_list) {
        return 0;
    }
    switch (in->now) {
    case MEMBER_EXP:
        return set_seconds(value, &in->claims->has_expires, &in->claims->expires_s);
    case MEMBER_NBF:
        return set_seconds(value, &in->claims->has_not_before, &in->claims->not_before_s);
    case MEMBER_RATE:
        /* 0 would mean the configured limit; who may send nothing has no role to. */
        if (!(value >= 1 && value <= 1000000)) {
            return 0;
        }
        in->claims->messages_per_s = (uint32_t)value;
        return 1;
    default:
        return 0;
    }
}

/* null and booleans are right for nothing that we read. */
static int on_null(void *user)
{
    const reader *in = user;
    return in->depth > 0 && (is_skipped(in) || in->now == MEMBER_OTHER);
}

static int on_boolean(void *user, int value)
{
    (void)value;
    return on_null(user);
}

static int on_key(void *user, const unsigned char *key, size_t key_bytes)
{
    reader *in = user;
    if (in->depth == 2 && in->in_limits) {
        static const char rate[] = "messages_per_s";
        bool is_rate = key_bytes == sizeof rate - 1 && memcmp(key, rate, key_bytes) == 0;
        if (is_rate && (in->seen & (1u << MEMBER_RATE)) != 0) {
            return 0;
        }
        in->now = is_rate ? MEMBER_RATE : MEMBER_OTHER;
        in->seen |= is_rate ? 1u << MEMBER_RATE : 0;
        return 1;
    }
    if (in->depth != 1) {
        return 1;
    }
    in->now = MEMBER_OTHER;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (member_table[i].is_header == (in->header != NULL) &&
            strlen(member_table[i].name) == key_bytes &&
            memcmp(member_table[i].name, key, key_bytes) == 0) {
            in->now = member_table[i].id;
        }
    }
    if (in->now == MEMBER_OTHER) {
        return 1;
    }
    bool again = (in->seen & (1u << in->now)) != 0;
    in->seen |= 1u << in->now;
    /* A critical extension that one does not understand must be refused, and we know none. */
    return !again && in->now != MEMBER_CRIT;
}

static int on_map_begin(void *user)
{
    reader *in = user;
    if (in->depth == 0) {
        in->depth = 1;
        return !in->is_complete;
    }
    if (in->depth == 1 && in->now == MEMBER_LIMITS) {
        in->in_limits = true;
    } else if (!is_skipped(in) && in->now != MEMBER_OTHER) {
        return 0;
    }
    in->depth++;
    return 1;
}

static int on_map_end(void *user)
{
    reader *in = user;
    if (--in->depth == 1) {
        in->in_limits = false;
        in->now = MEMBER_OTHER;
    }
    in->is_complete = in->depth == 0;
    return 1;
}

static int on_list_begin(void *user)
{
    reader *in = user;
    if (in->depth == 0 || in->in_list) {
        return 0;
    }
    if (in->depth == 1) {
        for (size_t i = 0; i < MEMBERS; i++) {
            in->in_list |= member_table[i].id == in->now && member_table[i].may_be_list;
        }
    }
    if (!in->in_list && !is_skipped(in) && in->now != MEMBER_OTHER) {
        return 0;
    }
    if (in->in_list) {
        /* An empty list is a list: no role at all, and no room, which jwt_read_claims() refuses. */
        in->claims->has_rooms |= in->now == MEMBER_ROOMS;
        in->claims->has_roles |= in->now == MEMBER_ROLES;
    }
    in->depth++;
    return 1;
}

static int on_list_end(void *user)
{
    reader *in = user;
    if (--in->depth == 1) {
        in->in_list = false;
        in->now = MEMBER_OTHER;
    }
    return 1;
}

/* Decodes a piece and reads the object in it. */
static bool read_object(const char *piece, size_t piece_bytes, reader *in)
{
    static const yajl_callbacks callbacks = {.yajl_null = on_null,
                                             .yajl_boolean = on_boolean,
                                             .yajl_number = on_number,
                                             .yajl_string = on_text,
                                             .yajl_start_map = on_map_begin,
                                             .yajl_map_key = on_key,
                                             .yajl_end_map = on_map_end,
                                             .yajl_start_array = on_list_begin,
                                             .yajl_end_array = on_list_end};
    uint8_t json[AUTH_TOKEN_BYTES_MAX];
    size_t json_bytes;
    if (!jwt_base64url(piece, piece_bytes, json, sizeof json, &json_bytes)) {
        return false;
    }
    yajl_handle handle = yajl_alloc(&callbacks, NULL, in);
    if (handle == NULL) {
        return false;
    }
    bool good = yajl_parse(handle, json, json_bytes) == yajl_status_ok &&
                yajl_complete_parse(handle) == yajl_status_ok && in->is_complete;
    yajl_free(handle);
    return good;
}

/* ---- the token ------------------------------------------------------------------------------ */

bool jwt_parse(const char *token, size_t token_bytes, jwt *out)
{
    if (token_bytes > AUTH_TOKEN_BYTES_MAX) {
        return false;
    }
    const char *end = token + token_bytes;
    const char *first = memchr(token, '.', token_bytes);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL) {
        return false;
    }
    memset(out, 0, sizeof *out);
    out->signed_bytes = token;
    out->signed_size_bytes = (size_t)(second - token);
    out->payload = first + 1;
    out->payload_bytes = (size_t)(second - first - 1);
    reader in = {.header = &out->header};
    return jwt_base64url(second + 1, (size_t)(end - second - 1), out->signature,
                         sizeof out->signature, &out->signature_bytes) &&
           read_object(token, (size_t)(first - token), &in) && (in.seen & (1u << MEMBER_ALG)) != 0;
}

bool jwt_read_claims(const jwt *token, const char *audience, jwt_claims *out)
{
    jwt_claims claims = {.issuer = ""};
    reader in = {.claims = &claims, .audience = audience};
    /* An empty list of rooms would look like none, which is all of them. */
    if (!read_object(token->payload, token->payload_bytes, &in) ||
        (claims.has_rooms && claims.rooms[0] == '\0')) {
        return false;
    }
    *out = claims;
    return true;
}
