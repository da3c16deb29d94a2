/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate and key of the listener: read once for all loops, swapped while they serve.
 *
 * Connections keep what they began with; new ones get the newer.  The main thread reads, each loop
 * applies to its own context when it is woken.
 */
#ifndef DP_SERVER_TLS_H
#define DP_SERVER_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <danpool/status.h>

typedef struct tls_pair tls_pair;

/* PEM files: the certificate with its chain behind it, and its key.  "" and "" = no TLS: *out is
 * NULL.  DP_ERR_INVALID with `error` saying which file and why; they must belong together. */
dp_status tls_create(const char *cert_path, const char *key_path, tls_pair **out, char *error,
                     size_t error_bytes);
void tls_destroy(tls_pair *pair);

/*
 * An empty SSL_CTX of the pair's for libwebsockets, which would else make one for clients, that we
 * have none of: with every authority of the system in it, and forgotten at the end.
 */
void *tls_client_context(tls_pair *pair);

/* Reads the files again; on failure the old ones stay.  Thread safe. */
dp_status tls_reload(tls_pair *pair, char *error, size_t error_bytes);

/* Puts the newest pair into an SSL_CTX, and says in *generation which it was; does nothing when
 * that is the one already there (0 = none).  False when OpenSSL refuses.  Thread safe. */
bool tls_apply(tls_pair *pair, void *ssl_ctx, unsigned *generation);

#endif
