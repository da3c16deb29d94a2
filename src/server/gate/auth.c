/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens to identities: the set of keys in use, and the rules for claims.
 *
 * Verifying threads hold the lock for reading while they use the set; a reload reads the files
 * outside of it and holds it for writing only to swap pointers.
 */
#include "server/gate/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pool/os.h"
#include "server/gate/auth_jwt.h"
#include "server/gate/auth_keys.h"

#define PATH_BYTES 256u

struct auth {
    pthread_rwlock_t lock; /* over keys */
    auth_keys *keys;
    char keys_path[PATH_BYTES], secret_path[PATH_BYTES], tokens_path[PATH_BYTES];
    char issuer[AUTH_TEXT_BYTES], audience[AUTH_TEXT_BYTES];
    int64_t leeway_s;
};

const char *auth_result_name(auth_result result)
{
    static const char *const names[AUTH_RESULT_COUNT] = {
        [AUTH_OK] = "ok",
        [AUTH_MALFORMED] = "malformed",
        [AUTH_UNKNOWN_KEY] = "unknown_key",
        [AUTH_BAD_SIGNATURE] = "bad_signature",
        [AUTH_EXPIRED] = "expired",
        [AUTH_NOT_YET] = "not_yet",
        [AUTH_WRONG_AUDIENCE] = "wrong_audience",
        [AUTH_WRONG_ISSUER] = "wrong_issuer",
        [AUTH_DISABLED] = "disabled",
    };
    DP_ASSERT(result < AUTH_RESULT_COUNT);
    return names[result];
}

static auth_config config_of(const auth *keys)
{
    return (auth_config){.keys_path = keys->keys_path,
                         .secret_path = keys->secret_path,
                         .tokens_path = keys->tokens_path};
}

dp_status auth_create(const auth_config *config, auth **out, char *error, size_t error_bytes)
{
    auth_error wrong = {error, error_bytes};
    auth *keys = os_calloc(1, sizeof *keys);
    if (keys == NULL) {
        auth_fail(&wrong, "out of memory");
        return DP_ERR_NOMEM;
    }
    const struct {
        char *to;
        const char *from;
    } texts[] = {{keys->keys_path, config->keys_path},
                 {keys->secret_path, config->secret_path},
                 {keys->tokens_path, config->tokens_path},
                 {keys->issuer, config->issuer},
                 {keys->audience, config->audience}};
    dp_status status = DP_OK;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strlen(texts[i].from) >= PATH_BYTES) {
            status = auth_fail(&wrong, "%.64s...: too long", texts[i].from);
        } else {
            memcpy(texts[i].to, texts[i].from, strlen(texts[i].from) + 1);
        }
    }
    keys->leeway_s = config->leeway_s;
    if (status == DP_OK) {
        auth_config copy = config_of(keys);
        status = auth_keys_read(&copy, &keys->keys, &wrong);
    }
    if (status != DP_OK) {
        os_free(keys);
        return status;
    }
    pthread_rwlock_init(&keys->lock, NULL);
    *out = keys;
    return DP_OK;
}

void auth_destroy(auth *keys)
{
    if (keys == NULL) {
        return;
    }
    pthread_rwlock_destroy(&keys->lock);
    auth_keys_destroy(keys->keys);
    os_free(keys);
}

dp_status auth_reload(auth *keys, char *error, size_t error_bytes)
{
    auth_error wrong = {error, error_bytes};
    auth_config config = config_of(keys);
    auth_keys *fresh;
    dp_status status = auth_keys_read(&config, &fresh, &wrong);
    if (status != DP_OK) {
        return status;
    }
    pthread_rwlock_wrlock(&keys->lock);
    auth_keys *old = keys->keys;
    keys->keys = fresh;
    pthread_rwlock_unlock(&keys->lock);
    auth_keys_destroy(old);
    return DP_OK;
}

bool auth_is_enabled(const auth *keys)
{
    return keys->keys_path[0] != '\0' || keys->secret_path[0] != '\0' ||
           keys->tokens_path[0] != '\0';
}

static auth_result check_claims(const auth *keys, const jwt_claims *claims, int64_t now_s)
{
    if (claims->has_expires && now_s >= claims->expires_s + keys->leeway_s) {
        return AUTH_EXPIRED;
    }
    if (claims->has_not_before && now_s < claims->not_before_s - keys->leeway_s) {
        return AUTH_NOT_YET;
    }
    if (keys->audience[0] != '\0' && !claims->audience_matches) {
        return AUTH_WRONG_AUDIENCE;
    }
    if (keys->issuer[0] != '\0' && strcmp(keys->issuer, claims->issuer) != 0) {
        return AUTH_WRONG_ISSUER;
    }
    return AUTH_OK;
}

/* A token that says nothing of roles is a user's: he watches and writes.  `roles` alone can give
 * more, and can give less. */
static void fill(const auth *keys, const jwt_claims *claims, identity *out)
{
    identity_address address = out->address;
    *out = (identity){.roles = claims->has_roles ? claims->roles | IDENTITY_VIEWER
                                                 : IDENTITY_VIEWER | IDENTITY_PUBLISHER,
                      .messages_per_s = claims->messages_per_s,
                      .expires_s = claims->has_expires ? claims->expires_s + keys->leeway_s : 0,
                      .address = address};
    memcpy(out->sub, claims->sub, sizeof out->sub);
    memcpy(out->name, claims->name, sizeof out->name);
    memcpy(out->rooms, claims->rooms, sizeof out->rooms);
}

static auth_result verify_jwt(const auth *keys, const jwt *token, int64_t now_s, identity *out)
{
    pthread_rwlock_rdlock((pthread_rwlock_t *)&keys->lock);
    auth_result result = auth_keys_verify(keys->keys, token);
    pthread_rwlock_unlock((pthread_rwlock_t *)&keys->lock);
    if (result != AUTH_OK) {
        return result;
    }
    jwt_claims claims;
    if (!jwt_read_claims(token, keys->audience, &claims)) {
        return AUTH_MALFORMED;
    }
    result = check_claims(keys, &claims, now_s);
    if (result == AUTH_OK) {
        fill(keys, &claims, out);
    }
    return result;
}

/* API tokens are what has no point in it: a JWT has two. */
static auth_result verify_api_token(const auth *keys, const char *token, size_t token_bytes,
                                    identity *out)
{
    identity found;
    pthread_rwlock_rdlock((pthread_rwlock_t *)&keys->lock);
    bool has_tokens = auth_tokens_count(keys->keys) > 0;
    bool is_found = auth_keys_find_token(keys->keys, token, token_bytes, &found);
    pthread_rwlock_unlock((pthread_rwlock_t *)&keys->lock);
    if (!is_found) {
        return has_tokens ? AUTH_UNKNOWN_KEY : AUTH_MALFORMED;
    }
    found.address = out->address;
    *out = found;
    return AUTH_OK;
}

auth_result auth_verify(const auth *keys, const char *token, size_t token_bytes, int64_t now_s,
                        identity *out)
{
    if (!auth_is_enabled(keys)) {
        return AUTH_DISABLED;
    }
    if (token_bytes == 0 || token_bytes > AUTH_TOKEN_BYTES_MAX) {
        return AUTH_MALFORMED;
    }
    if (memchr(token, '.', token_bytes) == NULL) {
        return verify_api_token(keys, token, token_bytes, out);
    }
    jwt parsed;
    if (!jwt_parse(token, token_bytes, &parsed)) {
        return AUTH_MALFORMED;
    }
    return verify_jwt(keys, &parsed, now_s, out);
}
