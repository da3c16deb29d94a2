/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket server of libwebsockets and nothing else: what a connection costs before danpoold
 * adds anything.
 */
#ifndef DP_BENCH_FANOUT_BARE_H
#define DP_BENCH_FANOUT_BARE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Opens that many idle connections to such a server in a process of its own.  False with a message
 * in `error`: libwebsockets is not in this build, or the server could not be reached.
 */
bool bare_idle_bytes(size_t connections, double *bytes_per_connection, char error[160]);

#endif
