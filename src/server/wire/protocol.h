/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native JSON protocol (docs/protocol.md): untrusted bytes to a request, and messages to bytes.
 *
 * Parsing is yajl's; its byte offsets give `ext` as the client wrote it.  The parser's memory comes
 * from one arena per protocol_parser, so that a message costs no malloc.  A parser belongs to one
 * thread.
 */
#ifndef DP_SERVER_PROTOCOL_H
#define DP_SERVER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>

#define PROTOCOL_NAME            "danpool.v1.json"
#define PROTOCOL_FRAME_BYTES_MAX 8192u
#define PROTOCOL_DEPTH_MAX       32u

typedef enum protocol_op { PROTOCOL_OP_SEND, PROTOCOL_OP_PING } protocol_op;
typedef enum protocol_mode {
    PROTOCOL_MODE_SCROLL,
    PROTOCOL_MODE_TOP,
    PROTOCOL_MODE_BOTTOM,
    PROTOCOL_MODE_REVERSE
} protocol_mode;

/* One error list: enumerator, code on the wire, HTTP status. */
#define PROTOCOL_ERROR_LIST(X)                                                                     \
    X(PROTOCOL_OK, "ok", 200)                                                                      \
    X(PROTOCOL_BAD_JSON, "bad_json", 400)                                                          \
    X(PROTOCOL_BAD_REQUEST, "bad_request", 400)                                                    \
    X(PROTOCOL_UNKNOWN_OP, "unknown_op", 400)                                                      \
    X(PROTOCOL_TEXT_EMPTY, "text_empty", 422)                                                      \
    X(PROTOCOL_TEXT_TOO_LONG, "text_too_long", 422)                                                \
    X(PROTOCOL_EXT_TOO_LARGE, "ext_too_large", 422)                                                \
    X(PROTOCOL_RATE_LIMITED, "rate_limited", 429)                                                  \
    X(PROTOCOL_UNAUTHORIZED, "unauthorized", 401)                                                  \
    X(PROTOCOL_FORBIDDEN, "forbidden", 403)                                                        \
    X(PROTOCOL_MUTED, "muted", 403)                                                                \
    X(PROTOCOL_BANNED, "banned", 403)                                                              \
    X(PROTOCOL_ROOM_CLOSED, "room_closed", 403)                                                    \
    X(PROTOCOL_SLOW_MODE, "slow_mode", 429)                                                        \
    X(PROTOCOL_BLOCKED, "blocked", 422)                                                            \
    X(PROTOCOL_REPEATED, "repeated", 429)                                                          \
    X(PROTOCOL_BUSY, "busy", 503)                                                                  \
    X(PROTOCOL_SHUTTING_DOWN, "shutting_down", 503)                                                \
    X(PROTOCOL_NOT_FOUND, "not_found", 404)                                                        \
    X(PROTOCOL_METHOD_NOT_ALLOWED, "method_not_allowed", 405)                                      \
    X(PROTOCOL_LENGTH_REQUIRED, "length_required", 411)                                            \
    X(PROTOCOL_TOO_LARGE, "too_large", 413)                                                        \
    X(PROTOCOL_UNSUPPORTED_MEDIA, "unsupported_media", 415)                                        \
    X(PROTOCOL_BAD_MEDIA, "bad_media", 422)                                                        \
    X(PROTOCOL_INTERNAL, "internal", 500)

typedef enum protocol_error {
#define PROTOCOL_ERROR_ENUM(id, code, http) id,
    PROTOCOL_ERROR_LIST(PROTOCOL_ERROR_ENUM)
#undef PROTOCOL_ERROR_ENUM
        PROTOCOL_ERROR_COUNT
} protocol_error;

const char *protocol_error_code(protocol_error error);
unsigned protocol_error_http_status(protocol_error error);

typedef struct protocol_limits {
    size_t text_chars_max;
    size_t ext_bytes_max;
} protocol_limits;

/* Points into the parsed bytes or the parser's own memory: valid until the next parse. */
typedef struct protocol_request {
    protocol_op op;
    bool has_id;
    int64_t id;
    const char *text; /* cleaned and trimmed, not terminated */
    size_t text_bytes;
    protocol_mode mode;
    uint32_t color; /* 0xrrggbb */
    int size_px;
    const char *ext; /* as written, NULL when absent */
    size_t ext_bytes;
} protocol_request;

/* A clause for the sender, e.g. "size must be an integer from 12 to 64". */
typedef struct protocol_message {
    char text[160];
} protocol_message;

typedef struct protocol_parser protocol_parser;

dp_status protocol_parser_create(const protocol_limits *limits, protocol_parser **out);
void protocol_parser_destroy(protocol_parser *parser);

/*
 * Parses one request.  `need_op` false (HTTP): op is taken as send.  On an error `out->id`/`has_id`
 * still hold the id when it was readable, so that the answer can name it.
 */
protocol_error protocol_parse(protocol_parser *parser, const void *bytes, size_t size_bytes,
                              bool need_op, protocol_request *out, protocol_message *message);

/* Writers return the bytes written, 0 when `capacity_bytes` is too small. */
size_t protocol_write_ack(int64_t id, uint64_t seq, char *to, size_t capacity_bytes);
size_t protocol_write_pong(bool has_id, int64_t id, char *to, size_t capacity_bytes);
/* retry_ms 0 = left out. */
size_t protocol_write_error(bool has_id, int64_t id, protocol_error error, const char *message,
                            uint32_t retry_ms, char *to, size_t capacity_bytes);
/* The HTTP form: {"error":{"code":"...","message":"..."}}. */
size_t protocol_write_http_error(protocol_error error, const char *message, char *to,
                                 size_t capacity_bytes);

/* "scroll" -> PROTOCOL_MODE_SCROLL; false when unknown. */
bool protocol_mode_by_name(const char *name, size_t name_bytes, protocol_mode *out);
const char *protocol_mode_name(protocol_mode mode);

/* Whether these bytes name a room: 1 to 64 of A-Z a-z 0-9 _ . - */
bool protocol_room_name_valid(const char *name, size_t name_bytes);

#endif
