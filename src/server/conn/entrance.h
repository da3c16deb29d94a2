/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entrance: who stands behind a request, before a room is opened for it.
 *
 *     token (Authorization, ?token=) -> auth -> identity
 *       -> the room it may enter -> bans
 *
 * A browser cannot set headers of a WebSocket and puts its token into the query; the header counts
 * where both came.  As a subprotocol it cannot come: libwebsockets 4.1.6 hangs up on names of more
 * than 63 bytes.  Where no keys are configured everybody is a guest who may send, and tokens are
 * not looked at.  On a loop's thread, while libwebsockets still has the request's headers.
 */
#ifndef DP_SERVER_CONN_ENTRANCE_H
#define DP_SERVER_CONN_ENTRANCE_H

#include "server/gate/identity.h"
#include "server/wire/protocol.h"

struct lws;
struct server_loop;

/*
 * Who asks, and whether they may enter `room` (NULL: no room yet).  PROTOCOL_OK with *who filled;
 * PROTOCOL_UNAUTHORIZED, PROTOCOL_FORBIDDEN or PROTOCOL_BANNED with words for the client in *why.
 */
protocol_error entrance_check(struct server_loop *loop, struct lws *wsi, const char *room,
                              identity *who, protocol_message *why);

/* The same for a token that came otherwise ("" = none), from whom `who->address` says. */
protocol_error entrance_admit(struct server_loop *loop, const char *token, const char *room,
                              identity *who, protocol_message *why);

/* Who stands behind the connection, or its request at hand: the session's own. */
identity *entrance_who(struct lws *wsi);

/* The address of the peer of a connection; all zero where the kernel does not tell. */
void entrance_address(struct lws *wsi, identity_address *out);

#endif
