/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder's side of the wire: requests in, codecs called, replies out.  One job at a time, one
 * thread.  See render/sandbox_wire.h.
 */
#ifndef DP_DECODER_SERVE_H
#define DP_DECODER_SERVE_H

#include <danpool/pool.h>

#include "render/sandbox_wire.h"

/* Says hello; then serves until the socket is closed.  Returns the exit status. */
int serve(dp_pool *pool, bool filtered);

/*
 * What the request's trick does to the process, for tests of who is around it.  In the program that
 * is installed there are none and every trick is refused; see tests/support/decoder_trick.c.
 */
dp_status decoder_trick(const wire_request *request, uint8_t *region, wire_reply *reply);

#endif
