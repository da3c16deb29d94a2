/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of Bilibili's live protocol, from auth to the end, whatever carries its bytes.
 *
 *     bytes -> packets -> auth (room, version, token) -> viewer of that room in one format
 *
 * The carrier (the WebSocket at /sub) owns the bili_session, hands on what came as a stream of
 * bytes, and hangs up when the times below have passed.  The loop's thread alone.
 */
#ifndef DP_SERVER_CONN_BILI_H
#define DP_SERVER_CONN_BILI_H

#include "server/conn/viewer.h"
#include "server/gate/identity.h"

#define BILI_AUTH_US_MAX 5000000  /* until the auth packet */
#define BILI_IDLE_US_MAX 70000000 /* between two packets: clients send one every 30 s */

typedef struct bili_session {
    viewer viewer;
    bool is_authed;
    identity *who;   /* the owner's; its address is known from the start */
    dp_buf *partial; /* a packet that has not come as a whole */
    size_t partial_bytes;
} bili_session;

/* `socket` is the io's; `who` has the peer's address and outlives the session. */
void bili_begin(bili_session *made, struct server_loop *loop, const viewer_io *io, void *socket,
                identity *who);
void bili_end(bili_session *ended);

/* Takes bytes that came.  False: no client of this protocol; the connection is to be closed. */
bool bili_take(bili_session *session, const uint8_t *bytes, size_t size_bytes);

#endif
