/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that verify tokens: a JWKS (RFC 7517), or one secret; and API tokens known by their hashes.
 *
 * A key has one algorithm, which follows from its type: oct HS256, RSA RS256, EC P-256 ES256, OKP
 * Ed25519 EdDSA.  A set never changes once it is read, so that any number of threads verify with it
 * while a newer one is read.  OpenSSL does the arithmetic.
 */
#ifndef DP_SERVER_GATE_AUTH_KEYS_H
#define DP_SERVER_GATE_AUTH_KEYS_H

#include <danpool/status.h>

#include "server/gate/auth.h"
#include "server/gate/auth_jwt.h"

#define AUTH_KEYS_MAX         64u
#define AUTH_FILE_BYTES_MAX   (256u << 10)
#define AUTH_SECRET_BYTES_MIN 32u /* RFC 7518, section 3.2 */

typedef struct auth_keys auth_keys;

/* What a file or a word of it was wrong for: at least 256 bytes. */
typedef struct auth_error {
    char *text;
    size_t capacity_bytes;
} auth_error;

/* Writes "path: ..." and returns DP_ERR_INVALID. */
dp_status auth_fail(auth_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The whole of a small file, ended by a NUL that is not counted; os_free() it. */
dp_status auth_read_file(const char *path, char **bytes, size_t *size_bytes, auth_error *error);

/* Reads what of the three files is named. */
dp_status auth_keys_read(const auth_config *config, auth_keys **out, auth_error *error);
void auth_keys_destroy(auth_keys *keys);
size_t auth_keys_count(const auth_keys *keys);   /* JWKS and secret */
size_t auth_tokens_count(const auth_keys *keys); /* API tokens */

/* AUTH_OK, AUTH_UNKNOWN_KEY or AUTH_BAD_SIGNATURE. */
auth_result auth_keys_verify(const auth_keys *keys, const jwt *token);

/* Fills sub, name, roles and rooms of an API token; false when there is no such. */
bool auth_keys_find_token(const auth_keys *keys, const char *token, size_t token_bytes,
                          identity *out);

/* auth_jwks.c: adds the usable keys of a JWKS text; those of other kinds are passed over. */
dp_status auth_jwks_read(auth_keys *keys, const char *path, const char *json, size_t json_bytes,
                         auth_error *error);

/* auth_tokens.c: adds the lines of an API token file. */
dp_status auth_tokens_read(auth_keys *keys, const char *path, char *text, auth_error *error);

#endif
