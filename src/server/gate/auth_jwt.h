/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JWT taken apart: three base64url pieces, a JSON header and JSON claims (RFC 7515, 7519).
 *
 * Nothing here is trusted or verified: the caller checks the signature over `signed_bytes` before
 * it looks at a claim.  Everything is bounded: AUTH_TOKEN_BYTES_MAX of token, fixed fields, and a
 * text that does not fit its field makes the token malformed rather than shortened, since half a
 * list of rooms or half a subject would mean something else.  Members that appear twice are
 * refused, as RFC 7515 section 4 asks.  No state; thread safe.
 */
#ifndef DP_SERVER_GATE_AUTH_JWT_H
#define DP_SERVER_GATE_AUTH_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/gate/identity.h"

#define AUTH_TOKEN_BYTES_MAX     8192u
#define AUTH_SIGNATURE_BYTES_MAX 1024u /* RSA of 8192 bits */
#define AUTH_TEXT_BYTES          256u  /* kid, iss, and what `aud` is compared with */

typedef struct jwt_header {
    char algorithm[16]; /* as it stands in `alg`; longer ones are cut to "" and match no key */
    char kid[AUTH_TEXT_BYTES];
} jwt_header;

typedef struct jwt_claims {
    char issuer[AUTH_TEXT_BYTES]; /* "" = absent */
    bool audience_matches;        /* one of `aud` is the audience asked for */
    bool has_expires, has_not_before, has_rooms, has_roles;
    int64_t expires_s, not_before_s;
    uint32_t roles;
    uint32_t messages_per_s;
    char sub[IDENTITY_TEXT_BYTES];
    char name[IDENTITY_TEXT_BYTES];
    char rooms[IDENTITY_ROOMS_BYTES];
} jwt_claims;

typedef struct jwt {
    jwt_header header;
    const char *signed_bytes; /* header '.' payload, as it came */
    size_t signed_size_bytes;
    const char *payload; /* base64url, as it came */
    size_t payload_bytes;
    uint8_t signature[AUTH_SIGNATURE_BYTES_MAX];
    size_t signature_bytes;
} jwt;

/*
 * base64url without padding, as RFC 7515 section 2 has it: no other character, no bits left over
 * that are not zero, so that one token has one spelling.  Returns false when it is not that or does
 * not fit.
 */
bool jwt_base64url(const char *text, size_t text_bytes, uint8_t *to, size_t capacity_bytes,
                   size_t *size_bytes);

/* Splits and reads the header.  False when it is no JWS in compact form, or has a `crit`. */
bool jwt_parse(const char *token, size_t token_bytes, jwt *out);

/* Reads the claims; `audience` is looked for in `aud`.  False when a claim has another shape. */
bool jwt_read_claims(const jwt *token, const char *audience, jwt_claims *out);

/* IDENTITY_* of a role's name with everything it contains, 0 when there is no such role. */
uint32_t jwt_role(const char *name, size_t name_bytes);

/* Whether this may stand in a list of rooms: a room's name, or the start of one with `*`. */
bool jwt_room_pattern_valid(const char *pattern, size_t pattern_bytes);

#endif
