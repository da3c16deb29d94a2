/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's half of WebSocket (RFC 6455), as little of it as a load client needs: the upgrade
 * request and its answer, unmasked frames in, masked frames out.  Functions of their arguments; no
 * state, no allocation.
 */
#ifndef DP_BENCH_FANOUT_WS_H
#define DP_BENCH_FANOUT_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_PROTOCOL          "danpool.v1.json"
#define WS_PAYLOAD_MAX       ((size_t)16 << 20)
#define WS_FRAME_HEAD_MAX    14u /* 2 + 8 of length + 4 of mask */
#define WS_CONTROL_BYTES_MAX 125u

enum {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xA
};

typedef enum ws_result {
    WS_NEED_MORE,
    WS_DONE,
    WS_BROKEN /* the peer breaks the protocol, or refused the upgrade */
} ws_result;

typedef struct ws_frame {
    bool final;
    uint8_t opcode;
    const char *payload; /* into the parsed bytes */
    size_t payload_bytes;
    size_t frame_bytes; /* head and payload */
} ws_frame;

/* Looks at the first frame in `bytes`; `out` is written with WS_DONE only. */
ws_result ws_frame_parse(const char *bytes, size_t count, ws_frame *out);

/* Writes a masked final frame; `out` holds payload_bytes + WS_FRAME_HEAD_MAX.  Returns its length.
 */
size_t ws_frame_write(char *out, uint8_t opcode, const char *payload, size_t payload_bytes,
                      uint32_t mask);

/* The upgrade request.  Returns its length, 0 when it does not fit. */
size_t ws_upgrade_write(char *out, size_t out_size, const char *room, unsigned port);

/* Checks the answer: 101, the accept key and our subprotocol.  *head_bytes: its length. */
ws_result ws_upgrade_check(const char *bytes, size_t count, size_t *head_bytes);

#endif
