/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pair is tried in a context of its own before it replaces another, so that certificate and key
 * are never of two different readings.
 */
#include "server/tls.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "pool/os.h"

#define PATH_BYTES 256u

struct tls_pair {
    pthread_mutex_t lock; /* over the next two */
    SSL_CTX *newest;
    unsigned generation;
    SSL_CTX *client; /* empty; see tls_client_context() */
    char cert_path[PATH_BYTES], key_path[PATH_BYTES];
};

static dp_status fail(char *error, size_t error_bytes, const char *path)
{
    unsigned long code = ERR_peek_error(); /* the first is the cause */
    const char *reason = ERR_reason_error_string(code);
    if (ERR_SYSTEM_ERROR(code)) {
        reason = strerror(ERR_GET_REASON(code));
    }
    snprintf(error, error_bytes, "%s: %s", path, reason == NULL ? "cannot be used" : reason);
    ERR_clear_error();
    return DP_ERR_INVALID;
}

static dp_status read_files(const tls_pair *pair, SSL_CTX **out, char *error, size_t error_bytes)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return DP_ERR_NOMEM;
    }
    const char *wrong = NULL;
    if (SSL_CTX_use_certificate_chain_file(context, pair->cert_path) != 1) {
        wrong = pair->cert_path;
    } else if (SSL_CTX_use_PrivateKey_file(context, pair->key_path, SSL_FILETYPE_PEM) != 1 ||
               SSL_CTX_check_private_key(context) != 1) {
        wrong = pair->key_path;
    }
    if (wrong != NULL) {
        SSL_CTX_free(context);
        return fail(error, error_bytes, wrong);
    }
    *out = context;
    return DP_OK;
}

dp_status tls_create(const char *cert_path, const char *key_path, tls_pair **out, char *error,
                     size_t error_bytes)
{
    *error = '\0';
    if (cert_path[0] == '\0' && key_path[0] == '\0') {
        *out = NULL;
        return DP_OK;
    }
    if (strlen(cert_path) >= PATH_BYTES || strlen(key_path) >= PATH_BYTES) {
        snprintf(error, error_bytes, "the path of a certificate is too long");
        return DP_ERR_INVALID;
    }
    tls_pair *pair = os_calloc(1, sizeof *pair);
    if (pair == NULL) {
        snprintf(error, error_bytes, "out of memory");
        return DP_ERR_NOMEM;
    }
    memcpy(pair->cert_path, cert_path, strlen(cert_path) + 1);
    memcpy(pair->key_path, key_path, strlen(key_path) + 1);
    dp_status status = read_files(pair, &pair->newest, error, error_bytes);
    if (status == DP_OK) {
        pair->client = SSL_CTX_new(TLS_client_method());
        status = pair->client == NULL ? DP_ERR_NOMEM : DP_OK;
    }
    if (status != DP_OK) {
        SSL_CTX_free(pair->newest);
        os_free(pair);
        return status;
    }
    pair->generation = 1;
    os_mutex_init(&pair->lock);
    *out = pair;
    return DP_OK;
}

void tls_destroy(tls_pair *pair)
{
    if (pair == NULL) {
        return;
    }
    SSL_CTX_free(pair->newest);
    SSL_CTX_free(pair->client);
    os_mutex_destroy(&pair->lock);
    os_free(pair);
}

void *tls_client_context(tls_pair *pair)
{
    return pair->client;
}

dp_status tls_reload(tls_pair *pair, char *error, size_t error_bytes)
{
    SSL_CTX *fresh;
    dp_status status = read_files(pair, &fresh, error, error_bytes);
    if (status != DP_OK) {
        return status;
    }
    os_lock(&pair->lock);
    SSL_CTX *old = pair->newest;
    pair->newest = fresh;
    pair->generation++;
    os_unlock(&pair->lock);
    SSL_CTX_free(old);
    return DP_OK;
}

bool tls_apply(tls_pair *pair, void *ssl_ctx, unsigned *generation)
{
    SSL_CTX *context = ssl_ctx;
    bool good = true;
    os_lock(&pair->lock);
    if (*generation != pair->generation) {
        STACK_OF(X509) *chain = NULL;
        SSL_CTX_get0_chain_certs(pair->newest, &chain);
        good = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
               SSL_CTX_use_cert_and_key(context, SSL_CTX_get0_certificate(pair->newest),
                                        SSL_CTX_get0_privatekey(pair->newest), chain, 1) == 1;
        *generation = good ? pair->generation : *generation;
    }
    os_unlock(&pair->lock);
    return good;
}
