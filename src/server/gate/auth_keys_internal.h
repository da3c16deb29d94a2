/* SPDX-License-Identifier: Apache-2.0 */
/* What a set of keys is made of, for the files that read one; see auth_keys.h. */
#ifndef DP_SERVER_GATE_AUTH_KEYS_INTERNAL_H
#define DP_SERVER_GATE_AUTH_KEYS_INTERNAL_H

#include <openssl/evp.h>

#include "server/gate/auth_keys.h"

typedef enum auth_algorithm { AUTH_HS256, AUTH_RS256, AUTH_ES256, AUTH_EDDSA } auth_algorithm;

typedef struct auth_key {
    auth_algorithm algorithm;
    char kid[AUTH_TEXT_BYTES]; /* "" = a token of any kid may be its */
    EVP_PKEY *public_key;      /* NULL for HS256 */
    uint8_t *secret;           /* HS256 only; os_free() */
    size_t secret_bytes;
} auth_key;

typedef struct auth_api_token {
    uint8_t sha256[32];
    identity who;
} auth_api_token;

struct auth_keys {
    auth_key keys[AUTH_KEYS_MAX];
    size_t key_count;
    auth_api_token *tokens;
    size_t token_count;
};

/* Takes a copy of the secret. */
dp_status auth_keys_add_secret(auth_keys *keys, const char *kid, const uint8_t *secret,
                               size_t secret_bytes, auth_error *error);

#endif
