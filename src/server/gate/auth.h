/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: a JWT (RFC 7519; HS256, RS256, ES256, EdDSA) becomes an identity.
 *
 * Keys come from a JWKS file or a secret file, are told apart by `kid`, and are read again by
 * auth_reload(), which keeps the old set when the new one is bad.  The algorithm is the key's,
 * never what the token asks for, so "none" and a public key used as an HMAC secret are refused.
 */
#ifndef DP_SERVER_GATE_AUTH_H
#define DP_SERVER_GATE_AUTH_H

#include <danpool/status.h>

#include "server/gate/identity.h"

typedef struct auth auth;

typedef struct auth_config {
    const char *keys_path;   /* JWKS; "" = none */
    const char *secret_path; /* one HS256 secret, raw bytes; "" = none */
    const char *tokens_path; /* API tokens for back ends: lines "sha256 name roles rooms" */
    const char *issuer;      /* "" = any */
    const char *audience;    /* "" = any */
    uint32_t leeway_s;
} auth_config;

typedef enum auth_result {
    AUTH_OK,
    AUTH_MALFORMED,
    AUTH_UNKNOWN_KEY,
    AUTH_BAD_SIGNATURE,
    AUTH_EXPIRED,
    AUTH_NOT_YET,
    AUTH_WRONG_AUDIENCE,
    AUTH_WRONG_ISSUER,
    AUTH_DISABLED, /* a token came, but no keys are configured */
    AUTH_RESULT_COUNT
} auth_result;

/* "expired", for logs, metrics and answers. */
const char *auth_result_name(auth_result result);

/* DP_ERR_INVALID with `error` (at least 256 bytes) saying which file and why. */
dp_status auth_create(const auth_config *config, auth **out, char *error, size_t error_bytes);
void auth_destroy(auth *keys);
/* Reads the files again; on failure the old keys stay and `error` says why.  Thread safe. */
dp_status auth_reload(auth *keys, char *error, size_t error_bytes);

/* Whether any key or API token is configured: without one everybody is a guest. */
bool auth_is_enabled(const auth *keys);

/*
 * Verifies a JWT or an API token; on AUTH_OK fills everything of `out` but the address, which must
 * be set before, and otherwise leaves it.  expires_s is when the token stops being taken, leeway
 * included.  A token without `roles` may watch and write.  Thread safe.
 */
auth_result auth_verify(const auth *keys, const char *token, size_t token_bytes, int64_t now_s,
                        identity *out);

#endif
