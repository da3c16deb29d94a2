/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pages may open a WebSocket here.  Browsers say whose page it is in Origin (RFC 6454), and
 * unlike for requests nothing but this check keeps other sites' pages out (RFC 6455, 10.2).
 */
#ifndef DP_SERVER_CONN_ORIGIN_H
#define DP_SERVER_CONN_ORIGIN_H

#include <stdbool.h>

#define ORIGIN_BYTES_MAX 300u

/*
 * `list`: origins with commas, such as "https://live.example.org".  A star in the place of the
 * first label stands for every name below the rest; "" allows all.  `origin` "" (no browser) is
 * allowed.  Letter case does not count.
 */
bool origin_is_allowed(const char *list, const char *origin);

/* Whether every entry is scheme://host, with a port or without; the first wrong one's text begins
 * at the result, NULL when all are good. */
const char *origin_list_wrong(const char *list);

#endif
