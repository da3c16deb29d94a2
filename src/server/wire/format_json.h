/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native JSON of batches (docs/protocol.md), for live frames and for the body of GET /history.
 *
 * A message's JSON is the same wherever it stands.  `ext` is byte for byte what the sender wrote.
 */
#ifndef DP_SERVER_WIRE_FORMAT_JSON_H
#define DP_SERVER_WIRE_FORMAT_JSON_H

#include "server/wire/format.h"
#include "server/wire/message.h"

/* Most bytes that format_json_message() writes of these. */
size_t format_json_message_bytes_max(const message *in);

/* Writes one message's object, without a comma behind, and returns its end.  Nothing is checked:
 * the place has format_json_message_bytes_max() bytes.  Thread safe, no memory. */
char *format_json_message(const format_message *entry, const message *in, char *to);

/* The body of GET /history, {"room":...,"epoch":...,"seq":...,"msgs":[...]}, without headroom;
 * `seq` is batch->next_seq - 1.  DP_ERR_NOMEM. */
dp_status format_json_history(dp_pool *pool, const format_batch *batch, dp_buf **out);

#endif
