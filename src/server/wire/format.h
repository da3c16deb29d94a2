/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wire formats of live batches: the table that a room builds its batches from.
 *
 * A format turns a run of packed messages into the bytes of ONE immutable frame, header of the
 * frame included where the format has one of its own; every viewer of that format is sent the same
 * bytes.  Compressing formats compress here, once a batch.
 */
#ifndef DP_SERVER_WIRE_FORMAT_H
#define DP_SERVER_WIRE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>
#include <danpool/pool.h>

/* X(enumerator, ops): one row a format; the enumerators count from 0. */
#define FORMAT_LIST(X)                                                                             \
    X(FORMAT_JSON, format_json)                                                                    \
    X(FORMAT_JSON_DEFLATE, format_json_deflate)                                                    \
    X(FORMAT_CBOR, format_cbor)                                                                    \
    X(FORMAT_BILI_PLAIN, format_bili_plain)                                                        \
    X(FORMAT_BILI_ZLIB, format_bili_zlib)                                                          \
    X(FORMAT_BILI_BROTLI, format_bili_brotli)

typedef enum format_id {
#define FORMAT_ENUM(id, ops) id,
    FORMAT_LIST(FORMAT_ENUM)
#undef FORMAT_ENUM
        FORMAT_COUNT
} format_id;

/* Bytes kept free in front of a frame, for the WebSocket header and libwebsockets' own use. */
#define FORMAT_HEADROOM 32u

/* One message of a batch: its number, how many it stands for, and the packed bytes (message.h). */
typedef struct format_message {
    uint64_t seq;
    uint32_t count; /* 1, or how many identical ones were merged into it */
    const void *packed;
} format_message;

typedef struct format_batch {
    const char *room;
    const char *epoch;
    const format_message *messages; /* in order of seq; numbers may have gaps (sampled, merged) */
    size_t count;                   /* may be 0 for a batch that only tells numbers */
    uint64_t first_seq;             /* of the range that the batch covers */
    uint64_t next_seq;              /* first number after it */
    uint64_t sampled;               /* messages of the range left out for want of room on screen */
    uint64_t merged;                /* messages of the range that stand in another's count */
    uint64_t missed;                /* messages before first_seq that this viewer lost */
    bool own;       /* the viewer's own comment, which the room does not show to others */
    bool history;   /* older messages, for a viewer that joins */
    bool resumed;   /* a history for a viewer that said what it had seen last ... */
    bool recovered; /* ... and that closes the gap completely */
} format_batch;

typedef struct format_ops {
    const char *name; /* "json"; label of metrics */
    bool is_binary;   /* WebSocket frames of opcode 2 */
    bool is_deflated; /* WebSocket frames with RSV1 (RFC 7692) */
    /*
     * Builds the frame: FORMAT_HEADROOM bytes, then the payload up to dp_buf_size().  NULL slot:
     * the library it needs is absent from this build, and nobody can ask for the format.
     * DP_ERR_NOMEM; an empty payload (the format has no way to say it) is DP_OK with *out NULL.
     */
    dp_status (*build)(dp_pool *pool, const format_batch *batch, dp_buf **out);
} format_ops;

/* Never NULL; out of range is a programmer's error. */
const format_ops *format_of(format_id id);

#endif
