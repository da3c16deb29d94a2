/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JWKS (RFC 7517, 7518, 8037) becomes keys: oct, RSA, EC P-256 and OKP Ed25519.
 *
 * The file is the operator's, so it may be read as a tree.  As RFC 7517 section 5 asks, keys of
 * other types or algorithms, or for encryption, are passed over; one of ours that is broken is an
 * error that says which it is, and so is a set without any key for us.  Private parts are not read.
 */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <yajl/yajl_tree.h>

#include "server/gate/auth_keys_internal.h"

#define RSA_BITS_MIN     2048
#define RSA_BYTES_MAX    1024u
#define P256_POINT_BYTES 65u

/* NULL when the member is absent or no text. */
static const char *member_text(yajl_val object, const char *name)
{
    const char *path[] = {name, NULL};
    yajl_val value = yajl_tree_get(object, path, yajl_t_string);
    return value == NULL ? NULL : YAJL_GET_STRING(value);
}

static bool member_is(yajl_val object, const char *name, const char *wanted)
{
    const char *text = member_text(object, name);
    return text != NULL && strcmp(text, wanted) == 0;
}

static bool member_bytes(yajl_val object, const char *name, uint8_t *to, size_t capacity_bytes,
                         size_t *size_bytes)
{
    const char *text = member_text(object, name);
    return text != NULL && jwt_base64url(text, strlen(text), to, capacity_bytes, size_bytes) &&
           *size_bytes > 0;
}

/* Whether the key is for verifying at all, and by the algorithm of its type. */
static bool is_for_us(yajl_val object, const char *algorithm)
{
    const char *path[] = {"key_ops", NULL};
    const char *use = member_text(object, "use");
    const char *stated = member_text(object, "alg");
    yajl_val operations = yajl_tree_get(object, path, yajl_t_array);
    if ((use != NULL && strcmp(use, "sig") != 0) ||
        (stated != NULL && strcmp(stated, algorithm) != 0)) {
        return false;
    }
    for (size_t i = 0; operations != NULL && i < YAJL_GET_ARRAY(operations)->len; i++) {
        const char *operation = YAJL_GET_STRING(YAJL_GET_ARRAY(operations)->values[i]);
        if (operation != NULL && strcmp(operation, "verify") == 0) {
            return true;
        }
    }
    return operations == NULL;
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

/* A point off the curve or a modulus that is none would verify what nobody signed. */
static EVP_PKEY *checked(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
    bool good = context != NULL && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (!good) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static EVP_PKEY *read_rsa(yajl_val object)
{
    uint8_t modulus[RSA_BYTES_MAX];
    uint8_t exponent[8];
    size_t modulus_bytes;
    size_t exponent_bytes;
    if (!member_bytes(object, "n", modulus, sizeof modulus, &modulus_bytes) ||
        !member_bytes(object, "e", exponent, sizeof exponent, &exponent_bytes)) {
        return NULL;
    }
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_bytes, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_bytes, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (n != NULL && e != NULL && build != NULL && BN_num_bits(n) >= RSA_BITS_MIN &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        key = checked(from_parameters("RSA", build));
    }
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return key;
}

static EVP_PKEY *read_p256(yajl_val object)
{
    uint8_t point[P256_POINT_BYTES] = {0x04}; /* both coordinates as they are */
    size_t x_bytes;
    size_t y_bytes;
    if (!member_bytes(object, "x", point + 1, 32, &x_bytes) || x_bytes != 32 ||
        !member_bytes(object, "y", point + 33, 32, &y_bytes) || y_bytes != 32) {
        return NULL;
    }
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) ==
            1) {
        key = checked(from_parameters("EC", build));
    }
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *read_ed25519(yajl_val object)
{
    uint8_t x[32];
    size_t x_bytes;
    if (!member_bytes(object, "x", x, sizeof x, &x_bytes) || x_bytes != sizeof x) {
        return NULL;
    }
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof x);
}

static const struct {
    const char *type;
    const char *curve; /* NULL: the type has none */
    const char *name;
    auth_algorithm algorithm;
    EVP_PKEY *(*read)(yajl_val object); /* NULL: a secret */
} kinds[] = {
    {"oct", NULL, "HS256", AUTH_HS256, NULL},
    {"RSA", NULL, "RS256", AUTH_RS256, read_rsa},
    {"EC", "P-256", "ES256", AUTH_ES256, read_p256},
    {"OKP", "Ed25519", "EdDSA", AUTH_EDDSA, read_ed25519},
};

static dp_status add_secret(auth_keys *keys, yajl_val object, const char *kid, auth_error *error)
{
    uint8_t secret[1024];
    size_t secret_bytes;
    if (!member_bytes(object, "k", secret, sizeof secret, &secret_bytes)) {
        return auth_fail(error, "the member k is not base64url");
    }
    dp_status status = auth_keys_add_secret(keys, kid, secret, secret_bytes, error);
    OPENSSL_cleanse(secret, sizeof secret);
    return status;
}

static dp_status add_key(auth_keys *keys, yajl_val object, auth_error *error)
{
    const char *kid = member_text(object, "kid");
    if (kid != NULL && strlen(kid) >= AUTH_TEXT_BYTES) {
        return auth_fail(error, "its kid is longer than %u bytes", AUTH_TEXT_BYTES - 1);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!member_is(object, "kty", kinds[i].type) ||
            (kinds[i].curve != NULL && !member_is(object, "crv", kinds[i].curve)) ||
            !is_for_us(object, kinds[i].name)) {
            continue;
        }
        if (kinds[i].read == NULL) {
            return add_secret(keys, object, kid == NULL ? "" : kid, error);
        }
        if (keys->key_count == AUTH_KEYS_MAX) {
            return auth_fail(error, "more than %u keys", AUTH_KEYS_MAX);
        }
        EVP_PKEY *public_key = kinds[i].read(object);
        if (public_key == NULL) {
            return auth_fail(error, "not a key for %s", kinds[i].name);
        }
        auth_key *key = &keys->keys[keys->key_count++];
        key->algorithm = kinds[i].algorithm;
        key->public_key = public_key;
        memcpy(key->kid, kid == NULL ? "" : kid, kid == NULL ? 1 : strlen(kid) + 1);
        return DP_OK;
    }
    return DP_OK;
}

dp_status auth_jwks_read(auth_keys *keys, const char *path, const char *json, size_t json_bytes,
                         auth_error *error)
{
    static const char *list_path[] = {"keys", NULL};
    char why[256] = "";
    /* The tree ends where a NUL stands; a file that goes on behind one is not JSON. */
    bool is_text = memchr(json, '\0', json_bytes) == NULL;
    yajl_val tree = is_text ? yajl_tree_parse(json, why, sizeof why) : NULL;
    yajl_val list = tree == NULL ? NULL : yajl_tree_get(tree, list_path, yajl_t_array);
    if (list == NULL) {
        yajl_tree_free(tree);
        return auth_fail(error, "%s: not a JWKS, {\"keys\":[...]}", path);
    }
    dp_status status = DP_OK;
    auth_error inner = {why, sizeof why};
    for (size_t i = 0; status == DP_OK && i < YAJL_GET_ARRAY(list)->len; i++) {
        status = add_key(keys, YAJL_GET_ARRAY(list)->values[i], &inner);
        if (status != DP_OK) {
            auth_fail(error, "%s: key %zu: %s", path, i + 1, why);
        }
    }
    yajl_tree_free(tree);
    if (status == DP_OK && keys->key_count == 0) {
        status = auth_fail(error, "%s: no key for HS256, RS256, ES256 or EdDSA in it", path);
    }
    return status;
}
