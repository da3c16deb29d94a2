/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of keys: read from its files all or not at all, then only read.
 *
 * A token names its key by `kid`; keys without one are tried for every token.  The key's algorithm
 * must be the one that the token's header names before anything is computed: a header that says
 * "none", or HS256 with the name of an RSA key, fits no key.  Secrets are wiped before their memory
 * goes back.
 */
#include "server/gate/auth_keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include "pool/os.h"
#include "server/gate/auth_keys_internal.h"

#define P256_BYTES      32u
#define ECDSA_DER_MAX   80u /* a sequence of two integers of up to 33 bytes */
#define SECRET_LINE_END "\r\n"

dp_status auth_fail(auth_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, error->capacity_bytes, format, arguments);
    va_end(arguments);
    return DP_ERR_INVALID;
}

dp_status auth_read_file(const char *path, char **bytes, size_t *size_bytes, auth_error *error)
{
    FILE *file = fopen(path, "rbe");
    struct stat facts;
    if (file == NULL || fstat(fileno(file), &facts) != 0) {
        int problem = errno;
        if (file != NULL) {
            fclose(file);
        }
        return auth_fail(error, "%s: %s", path, strerror(problem));
    }
    if (!S_ISREG(facts.st_mode) || facts.st_size > (off_t)AUTH_FILE_BYTES_MAX) {
        fclose(file);
        return auth_fail(error, "%s: not a file of at most %u KiB", path,
                         AUTH_FILE_BYTES_MAX >> 10);
    }
    char *text = os_calloc(AUTH_FILE_BYTES_MAX + 1, 1);
    if (text == NULL) {
        fclose(file);
        auth_fail(error, "%s: out of memory", path);
        return DP_ERR_NOMEM;
    }
    size_t read_bytes = fread(text, 1, AUTH_FILE_BYTES_MAX, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) {
        os_free(text);
        return auth_fail(error, "%s: cannot be read", path);
    }
    *bytes = text;
    *size_bytes = read_bytes;
    return DP_OK;
}

static void release_file(char *bytes)
{
    OPENSSL_cleanse(bytes, AUTH_FILE_BYTES_MAX);
    os_free(bytes);
}

dp_status auth_keys_add_secret(auth_keys *keys, const char *kid, const uint8_t *secret,
                               size_t secret_bytes, auth_error *error)
{
    if (keys->key_count == AUTH_KEYS_MAX) {
        return auth_fail(error, "more than %u keys", AUTH_KEYS_MAX);
    }
    if (secret_bytes < AUTH_SECRET_BYTES_MIN) {
        return auth_fail(error, "a secret of %zu bytes: HS256 needs at least %u", secret_bytes,
                         AUTH_SECRET_BYTES_MIN);
    }
    uint8_t *copy = os_calloc(1, secret_bytes);
    if (copy == NULL) {
        auth_fail(error, "out of memory");
        return DP_ERR_NOMEM;
    }
    memcpy(copy, secret, secret_bytes);
    auth_key *key = &keys->keys[keys->key_count++];
    key->algorithm = AUTH_HS256;
    key->secret = copy;
    key->secret_bytes = secret_bytes;
    snprintf(key->kid, sizeof key->kid, "%s", kid);
    return DP_OK;
}

/* The bytes of the file; one line end behind them is an editor's. */
static dp_status read_secret(auth_keys *keys, const char *path, auth_error *error)
{
    char *bytes;
    size_t size_bytes;
    char why[256] = "";
    auth_error inner = {why, sizeof why};
    dp_status status = auth_read_file(path, &bytes, &size_bytes, error);
    if (status != DP_OK) {
        return status;
    }
    while (size_bytes > 0 && strchr(SECRET_LINE_END, bytes[size_bytes - 1]) != NULL) {
        size_bytes--;
    }
    status = auth_keys_add_secret(keys, "", (const uint8_t *)bytes, size_bytes, &inner);
    release_file(bytes);
    if (status != DP_OK) {
        auth_fail(error, "%s: %s", path, why);
    }
    return status;
}

typedef dp_status (*reading)(auth_keys *keys, const char *path, char *text, size_t text_bytes,
                             auth_error *error);

static dp_status read_jwks(auth_keys *keys, const char *path, char *text, size_t text_bytes,
                           auth_error *error)
{
    return auth_jwks_read(keys, path, text, text_bytes, error);
}

static dp_status read_tokens(auth_keys *keys, const char *path, char *text, size_t text_bytes,
                             auth_error *error)
{
    if (memchr(text, '\0', text_bytes) != NULL) {
        return auth_fail(error, "%s: holds a NUL", path);
    }
    return auth_tokens_read(keys, path, text, error);
}

static dp_status read_with(auth_keys *keys, const char *path, reading read, auth_error *error)
{
    char *bytes;
    size_t size_bytes;
    dp_status status = auth_read_file(path, &bytes, &size_bytes, error);
    if (status == DP_OK) {
        status = read(keys, path, bytes, size_bytes, error);
        release_file(bytes);
    }
    return status;
}

dp_status auth_keys_read(const auth_config *config, auth_keys **out, auth_error *error)
{
    auth_keys *keys = os_calloc(1, sizeof *keys);
    if (keys == NULL) {
        auth_fail(error, "out of memory");
        return DP_ERR_NOMEM;
    }
    dp_status status = DP_OK;
    if (config->keys_path[0] != '\0') {
        status = read_with(keys, config->keys_path, read_jwks, error);
    }
    if (status == DP_OK && config->secret_path[0] != '\0') {
        status = read_secret(keys, config->secret_path, error);
    }
    if (status == DP_OK && config->tokens_path[0] != '\0') {
        status = read_with(keys, config->tokens_path, read_tokens, error);
    }
    if (status != DP_OK) {
        auth_keys_destroy(keys);
        return status;
    }
    *out = keys;
    return DP_OK;
}

void auth_keys_destroy(auth_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->key_count; i++) {
        EVP_PKEY_free(keys->keys[i].public_key);
        if (keys->keys[i].secret != NULL) {
            OPENSSL_cleanse(keys->keys[i].secret, keys->keys[i].secret_bytes);
            os_free(keys->keys[i].secret);
        }
    }
    os_free(keys->tokens);
    os_free(keys);
}

size_t auth_keys_count(const auth_keys *keys)
{
    return keys->key_count;
}

size_t auth_tokens_count(const auth_keys *keys)
{
    return keys->token_count;
}

/* ---- signatures ----------------------------------------------------------------------------- */

static bool verify_hmac(const auth_key *key, const jwt *token)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_bytes = 0;
    return HMAC(EVP_sha256(), key->secret, (int)key->secret_bytes,
                (const uint8_t *)token->signed_bytes, token->signed_size_bytes, mac,
                &mac_bytes) != NULL &&
           mac_bytes == token->signature_bytes &&
           CRYPTO_memcmp(mac, token->signature, mac_bytes) == 0;
}

/* `md` NULL: the signature's own (Ed25519). */
static bool verify_public(const auth_key *key, const EVP_MD *md, const jwt *token,
                          const uint8_t *signature, size_t signature_bytes)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL) {
        return false;
    }
    bool good =
        EVP_DigestVerifyInit(context, NULL, md, NULL, key->public_key) == 1 &&
        EVP_DigestVerify(context, signature, signature_bytes, (const uint8_t *)token->signed_bytes,
                         token->signed_size_bytes) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

/* JWS writes r and s beside each other in 64 bytes (RFC 7518, section 3.4), OpenSSL reads DER. */
static bool verify_ecdsa(const auth_key *key, const jwt *token)
{
    uint8_t der[ECDSA_DER_MAX];
    uint8_t *at = der;
    if (token->signature_bytes != 2 * P256_BYTES) {
        return false;
    }
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(token->signature, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(token->signature + P256_BYTES, P256_BYTES, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        ECDSA_SIG_free(pair);
        BN_free(r);
        BN_free(s);
        return false;
    }
    int der_bytes = i2d_ECDSA_SIG(pair, &at); /* at most 72: 2 + 2 * (2 + 33) */
    ECDSA_SIG_free(pair);
    return der_bytes > 0 && verify_public(key, EVP_sha256(), token, der, (size_t)der_bytes);
}

static bool verify_with(const auth_key *key, const jwt *token)
{
    switch (key->algorithm) {
    case AUTH_HS256:
        return verify_hmac(key, token);
    case AUTH_RS256:
        return verify_public(key, EVP_sha256(), token, token->signature, token->signature_bytes);
    case AUTH_ES256:
        return verify_ecdsa(key, token);
    case AUTH_EDDSA:
        return verify_public(key, NULL, token, token->signature, token->signature_bytes);
    }
    return false;
}

static bool algorithm_is(const auth_key *key, const char *name)
{
    static const char *const names[] = {[AUTH_HS256] = "HS256",
                                        [AUTH_RS256] = "RS256",
                                        [AUTH_ES256] = "ES256",
                                        [AUTH_EDDSA] = "EdDSA"};
    return strcmp(names[key->algorithm], name) == 0;
}

auth_result auth_keys_verify(const auth_keys *keys, const jwt *token)
{
    auth_result result = AUTH_UNKNOWN_KEY;
    bool any_kid = token->header.kid[0] == '\0';
    for (size_t i = 0; i < keys->key_count; i++) {
        const auth_key *key = &keys->keys[i];
        if (!any_kid && key->kid[0] != '\0' && strcmp(key->kid, token->header.kid) != 0) {
            continue;
        }
        result = AUTH_BAD_SIGNATURE;
        if (algorithm_is(key, token->header.algorithm) && verify_with(key, token)) {
            return AUTH_OK;
        }
    }
    return result;
}

bool auth_keys_find_token(const auth_keys *keys, const char *token, size_t token_bytes,
                          identity *out)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)token, token_bytes, hash);
    for (size_t i = 0; i < keys->token_count; i++) {
        if (CRYPTO_memcmp(keys->tokens[i].sha256, hash, sizeof hash) == 0) {
            *out = keys->tokens[i].who;
            return true;
        }
    }
    return false;
}
