/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every connection of libwebsockets has in common as a viewer's io, however its frames leave.
 */
#ifndef DP_SERVER_CONN_VIEWER_LWS_H
#define DP_SERVER_CONN_VIEWER_LWS_H

#include "server/conn/viewer.h"

bool viewer_lws_is_full(const viewer *of);
void viewer_lws_ask(viewer *of);
void viewer_lws_read(viewer *of, bool on);
void viewer_lws_drop(viewer *of);

/* The answer to LWS_CALLBACK_SERVER_WRITEABLE of a WebSocket: -1 hangs up, with the code that
 * viewer_close() was given. */
int viewer_lws_writable(viewer *who);

/* Something came of the client: it is alive.  Cheap, however often it is called. */
void viewer_lws_alive(viewer *who);

#endif
