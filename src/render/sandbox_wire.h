/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon and a decoder process say to each other: one request, one reply, of a fixed size
 * each, over a SOCK_SEQPACKET pair, so that a message is whole or not there.
 *
 *     worker  HELLO reply, once it has shut itself in
 *     daemon  OPEN    source bytes lie in the region     worker  what the header says
 *     daemon  DECODE  size and limits                    worker  picture in the region
 *     daemon  CLOSE                                      worker  (nothing)
 *
 * A picture is decoded once, and closed with that; a drawing until CLOSE, or an error.
 *
 * Bulk data is never in a message: it lies in a region, one memory file that both have mapped, the
 * source in front and the picture at `place_bytes`.  A message is copied by the kernel, so what was
 * checked does not change afterwards; what lies in the region may change at any time.
 *
 * Whatever comes from a worker is hostile input: wire_reply_check() and the checks behind it are
 * all that stands between a worker that was taken over and the daemon.  Both programs are of one
 * build; the version is there for the day on which they are not.
 */
#ifndef DP_RENDER_SANDBOX_WIRE_H
#define DP_RENDER_SANDBOX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

#include "render/codec.h"
#include "render/picture.h"

#define WIRE_VERSION       UINT32_C(0x64700001)
#define WIRE_MESSAGE_BYTES 160u

/* The descriptor that a worker finds its socket at. */
#define WIRE_SOCKET_FD 3

/* How a worker ends by itself; anything else that is not a signal is a crash. */
#define WIRE_EXIT_ORPHAN 0  /* the socket was closed */
#define WIRE_EXIT_START  70 /* it could not be started; see its words */
#define WIRE_EXIT_MEMORY 71 /* a library gave up for want of memory */
#define WIRE_EXIT_WIRE   72 /* the daemon spoke another language */

typedef enum wire_op {
    WIRE_HELLO, /* in a reply only */
    WIRE_OPEN,
    WIRE_DECODE,
    WIRE_CLOSE,
    WIRE_TRICK, /* tests: answered by a worker that was built for them, refused by others */
    WIRE_OP_COUNT
} wire_op;

/* What a DECODE gave. */
typedef enum wire_kind {
    WIRE_NOTHING,
    WIRE_PICTURE,
    WIRE_BYTES, /* used_bytes of something flat, a scene, that its receiver checks by itself */
    WIRE_KIND_COUNT
} wire_kind;

typedef struct wire_request {
    uint32_t version;
    uint32_t op;
    uint64_t job;          /* repeated by the reply */
    uint32_t slot;         /* which region, below WIRE_SLOTS */
    uint32_t trick;        /* WIRE_TRICK: which */
    uint64_t region_bytes; /* not 0: the region is new and its descriptor comes along */
    uint64_t source_bytes; /* OPEN: at 0, and there until CLOSE */
    uint64_t place_bytes;  /* where the picture goes; up to the end of the region */
    uint64_t deadline_ns;  /* CLOCK_MONOTONIC, which all processes share; 0 = none */
    uint64_t input_pixels_max;
    uint64_t bytes_max; /* decode_hints */
    uint32_t width, height, frames_max;
    uint32_t want_planes;
} wire_request;

typedef struct wire_plane {
    uint64_t offset_bytes, stride_bytes;
    uint32_t width, height;
} wire_plane;

typedef struct wire_reply {
    uint32_t version;
    uint32_t op; /* the request's */
    uint64_t job;
    uint32_t status; /* a dp_status */
    uint32_t kind;   /* a wire_kind */
    char message[WIRE_MESSAGE_BYTES];
    uint64_t copied_bytes; /* inside of the worker, for the pool's count */
    /* HELLO */
    uint32_t filtered; /* 1: the system call filter is in force */
    /* OPEN */
    uint32_t orientation, drawing;
    uint32_t source_width, source_height;
    /* DECODE; every offset is from the place */
    uint32_t picture_kind;
    uint32_t width, height, frame_count, loop_count;
    uint64_t used_bytes;
    uint64_t frame_bytes, durations_offset_bytes;
    wire_plane planes[3];
} wire_reply;

/* Regions that a worker can know at one time. */
#define WIRE_SLOTS 64u

/* What the daemon asked, and so what it can be told. */
typedef struct wire_expected {
    wire_op op;
    uint64_t job;
    size_t place_size_bytes; /* from the place to the end of the region */
    uint64_t input_pixels_max;
    decode_hints hints; /* DECODE */
    media_info info;    /* DECODE: what OPEN said */
} wire_expected;

/*
 * Whether a reply of `size_bytes` can be believed: its size and version, that it answers what was
 * asked, and that everything in it is within what was asked for.  The message is ended by a zero
 * and freed of what is not printable, whatever the answer.
 */
bool wire_reply_check(wire_reply *reply, size_t size_bytes, const wire_expected *expected);

/* What a checked OPEN says. */
media_info wire_reply_info(const wire_reply *reply);

/* What a checked DECODE says, with neither buffer nor bytes. */
picture wire_reply_picture(const wire_reply *reply);

/* The worker's half: puts a picture's layout into a reply. */
void wire_reply_set_picture(wire_reply *reply, const picture *p);

#endif
