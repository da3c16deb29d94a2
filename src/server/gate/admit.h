/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: the one way of a message into a room, whichever protocol it came by.
 *
 *     draining -> room allowed -> ban, mute, slow, closed (moderation) -> token buckets (limits)
 *       -> filter -> repeats -> pack -> room_admit
 *
 * The cheap and common refusals stand first.  Every refusal has one reason of protocol_error; the
 * protocol that answers it counts it (metrics_reject), like those of its own parser: received =
 * admitted + rejected by reason + held.
 */
#ifndef DP_SERVER_GATE_ADMIT_H
#define DP_SERVER_GATE_ADMIT_H

#include "server/gate/identity.h"
#include "server/room/room.h"
#include "server/wire/message.h"

struct server_loop;
struct dp_room;
struct media_upload;

/* A token bucket: thousandths of a message, and when it was last filled. */
typedef struct admit_bucket {
    int64_t tokens_milli;
    uint64_t filled_ns;
} admit_bucket;

/* A bucket as full as `burst` messages. */
void admit_bucket_fill(admit_bucket *bucket, int64_t burst, uint64_t now_ns);

/* Takes one token; 0, or how many milliseconds until there is one.  `per_s` 0 = no limit. */
uint32_t admit_bucket_take(admit_bucket *bucket, int64_t per_s, int64_t burst, uint64_t now_ns);

/*
 * Who sends, and the sender's bucket, which lives as long as the connection (NULL: a request).
 * `who` NULL: the server itself, whom no rule concerns.
 */
typedef struct admit_sender {
    const identity *who;
    admit_bucket *bucket;
} admit_sender;

typedef struct admit_result {
    uint64_t seq;      /* of an admitted message */
    room_fate fate;    /* likewise; room_own() makes the sender's copy of one that is not shown */
    uint32_t retry_ms; /* of a refusal that time heals; 0 = none */
    protocol_message text; /* of a refusal: a clause for the sender */
    bool is_held;          /* taken, but a moderator looks first: seq is 0 */
} admit_result;

/*
 * Admits `in` to the room.  Fills in who sent it, his lane and, where it is 0, the time; the text
 * may be masked in place.  On the loop's thread.  PROTOCOL_OK or the reason; `out` is written
 * either way.
 */
protocol_error admit_message(struct server_loop *loop, struct dp_room *room,
                             const admit_sender *sender, message *in, admit_result *out);

/* The same for a finished upload, whose picture is the message. */
protocol_error admit_media(struct server_loop *loop, const struct media_upload *upload,
                           const admit_sender *sender, admit_result *out);

#endif
