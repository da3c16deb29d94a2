/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket frames (RFC 6455) as a server reads and writes them: bytes in, checked frames out.
 *
 * The reader looks at the bytes of a connection where they lie and unmasks them there; it keeps no
 * bytes, only whether a message is open and how long it is by now, 8 bytes in all.  It checks every
 * rule that a header can break as soon as the header is there, so that a frame is refused before
 * its payload is waited for.  What it leaves to its caller: putting the pieces of a message
 * together, and whether a whole text is UTF-8 (text.h).
 *
 * No allocation, no state beyond ws_reader; a reader belongs to one thread.
 */
#ifndef DP_SERVER_WIRE_WS_FRAME_H
#define DP_SERVER_WIRE_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_CONTROL_BYTES_MAX 125u
#define WS_HEADER_BYTES_MAX  14u /* of a client's frame, mask included */
#define WS_WRITE_HEADER_MAX  10u /* of a server's frame */

typedef enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10
} ws_opcode;

/* Close codes that we send; RFC 6455, section 7.4.1, and IANA's registry. */
typedef enum ws_close {
    WS_CLOSE_NONE = 0, /* a close frame without a body */
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_NOT_UTF8 = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_LARGE = 1009,
    WS_CLOSE_UNEXPECTED = 1011,
    WS_CLOSE_TRY_LATER = 1013
} ws_close;

/* Zeroed at the start of a connection, but for the two limits. */
typedef struct ws_reader {
    uint32_t message_bytes_max; /* of all pieces together */
    uint32_t message_bytes;     /* of the open message so far */
    bool is_open;               /* a message was begun and not ended */
    bool may_deflate;           /* permessage-deflate was agreed: RSV1 may open a message */
} ws_reader;

typedef struct ws_frame {
    ws_opcode opcode;
    bool is_final;
    bool is_deflated; /* RSV1; on the first frame of a message only */
    uint8_t *payload; /* unmasked, inside the bytes that were read */
    uint32_t payload_bytes;
    size_t frame_bytes; /* header and payload: where the next frame begins */
} ws_frame;

typedef enum ws_read { WS_READ_FRAME, WS_READ_MORE, WS_READ_FAIL } ws_read;

/*
 * Reads the frame that begins at `bytes`.
 *
 * WS_READ_FRAME: `out` is filled and the payload unmasked in place: the same bytes must not be read
 * twice.  WS_READ_MORE: the frame is not there as a whole; nothing was changed, and
 * out->frame_bytes is how many bytes are known to be needed.  WS_READ_FAIL: *close is the code to
 * close with; nothing that follows may be read.  Cost: one pass over the payload, 8 bytes a step.
 */
ws_read ws_frame_read(ws_reader *reader, uint8_t *bytes, size_t size_bytes, ws_frame *out,
                      ws_close *close);

/*
 * What to answer to a close frame: its own code (WS_CLOSE_NONE when it has none), WS_CLOSE_PROTOCOL
 * for a body that is no body, a code that must not be sent, WS_CLOSE_NOT_UTF8 for a broken reason.
 */
ws_close ws_close_answer(const uint8_t *payload, size_t size_bytes);

typedef struct ws_write {
    ws_opcode opcode;
    bool is_deflated;
} ws_write;

/* Writes the header of an unmasked, final frame to `to` (WS_WRITE_HEADER_MAX bytes); its length. */
size_t ws_header_write(ws_write what, size_t payload_bytes, uint8_t *to);

/*
 * Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455, section 4.2.2): 28 characters and a NUL.
 * False when the key is not 16 bytes in base64.
 */
#define WS_ACCEPT_BYTES 29u
bool ws_accept_of(const char *key, size_t key_bytes, char accept[WS_ACCEPT_BYTES]);

#endif
