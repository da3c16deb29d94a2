/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is really at the other end: PROXY protocol version 2 in front of a connection, and
 * X-Forwarded-For in front of a request, both believed of listed proxies alone.
 *
 * No state but the list, which is read once; thread safe.
 */
#ifndef DP_SERVER_CONN_PROXY_H
#define DP_SERVER_CONN_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include <danpool/status.h>

#include "server/gate/identity.h"

#define PROXY_NETS_MAX     64u
#define PROXY_HEADER_BYTES 16u
#define PROXY_BODY_MAX     536u /* two UNIX paths and then some: what is longer is refused */

typedef struct proxy_net {
    identity_address address;
    unsigned bits; /* of 128: an IPv4 /24 is a /120 */
} proxy_net;

typedef struct proxy_list {
    proxy_net nets[PROXY_NETS_MAX];
    size_t count;
} proxy_list;

/* "10.0.0.0/8, 192.0.2.1, 2001:db8::/32"; DP_ERR_INVALID, and `wrong` (64 bytes) is the entry. */
dp_status proxy_list_read(const char *text, proxy_list *out, char wrong[64]);
bool proxy_list_has(const proxy_list *list, const identity_address *address);

typedef enum proxy_result {
    PROXY_MORE,    /* not all of it has come */
    PROXY_ADDRESS, /* whom it speaks for stands in *out */
    PROXY_LOCAL,   /* the proxy itself (a health check), or a kind without an address */
    PROXY_INVALID  /* not version 2: hang up */
} proxy_result;

/*
 * Reads the beginning of a connection.  `used` gets the size of the header for PROXY_ADDRESS and
 * PROXY_LOCAL: the client's bytes begin there.  Version 1 is text and is not taken.
 */
proxy_result proxy_read(const void *bytes, size_t size_bytes, size_t *used, identity_address *out);

/*
 * The client according to X-Forwarded-For, whose proxies each wrote whom they saw at its end: from
 * the right, the first address that is no listed proxy.  `peer` is who speaks to us, and stays the
 * answer when he is not listed, and when the text is wrong there.
 */
identity_address proxy_forwarded_for(const proxy_list *list, const identity_address *peer,
                                     const char *text, size_t text_bytes);

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]:443" or "192.0.2.1:443". */
bool proxy_address_read(const char *text, size_t text_bytes, identity_address *out);

#endif
