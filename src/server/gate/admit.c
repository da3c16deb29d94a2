/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: a checked message passes the gates in the order of admit.h and gets its number in the
 * room.
 *
 * Everything that enters a room comes through here, from WebSocket, HTTP or the renderer, on a
 * loop's thread.
 */
#include "server/gate/admit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pool/os.h"
#include "server/ops/metrics.h"
#include "server/server.h"

#define TOKEN_MILLI   1000
#define BUSY_RETRY_MS 1000u
/* What a silent connection earns is of no more use than an hour's. */
#define EARN_US_MAX 3600000000u

void admit_bucket_fill(admit_bucket *bucket, int64_t burst, uint64_t now_ns)
{
    *bucket = (admit_bucket){.tokens_milli = burst * TOKEN_MILLI, .filled_ns = now_ns};
}

uint32_t admit_bucket_take(admit_bucket *bucket, int64_t per_s, int64_t burst, uint64_t now_ns)
{
    if (per_s == 0) {
        return 0;
    }
    int64_t full = burst * TOKEN_MILLI;
    uint64_t passed_us = (now_ns - bucket->filled_ns) / 1000u;
    if (passed_us > EARN_US_MAX) {
        passed_us = EARN_US_MAX;
    }
    int64_t earned = (int64_t)passed_us * per_s / 1000;
    if (earned > 0) {
        /* The remainder of a division is not lost: time moves only by what was earned. */
        bucket->filled_ns = bucket->tokens_milli + earned >= full
                                ? now_ns
                                : bucket->filled_ns + (uint64_t)(earned * 1000 / per_s) * 1000u;
        bucket->tokens_milli =
            bucket->tokens_milli + earned > full ? full : bucket->tokens_milli + earned;
    }
    if (bucket->tokens_milli >= TOKEN_MILLI) {
        bucket->tokens_milli -= TOKEN_MILLI;
        return 0;
    }
    return (uint32_t)((TOKEN_MILLI - bucket->tokens_milli + per_s - 1) / per_s) + 1u;
}

static protocol_error refuse(admit_result *out, protocol_error error, uint32_t retry_ms,
                             const char *why)
{
    out->retry_ms = retry_ms;
    (void)snprintf(out->text.text, sizeof out->text.text, "%s", why);
    return error;
}

/* The connection's own bucket; a token may bring its own rate. */
static protocol_error check_rate(server_loop *loop, const admit_sender *sender, uint64_t now_ns,
                                 admit_result *out)
{
    const config *settings = &loop->server->config;
    int64_t per_s = settings->limits_messages_per_s;
    if (sender->bucket == NULL) {
        return PROTOCOL_OK;
    }
    if (sender->who != NULL && sender->who->messages_per_s > 0) {
        per_s = sender->who->messages_per_s;
    }
    uint32_t wait_ms =
        admit_bucket_take(sender->bucket, per_s, settings->limits_messages_burst, now_ns);
    if (wait_ms == 0) {
        return PROTOCOL_OK;
    }
    char why[sizeof out->text.text];
    (void)snprintf(why, sizeof why, "more than %" PRId64 " messages a second; wait %" PRIu32 " ms",
                   per_s, wait_ms);
    return refuse(out, PROTOCOL_RATE_LIMITED, wait_ms, why);
}

static message_slice slice_of(const char *text)
{
    return (message_slice){.bytes = text, .size_bytes = (uint32_t)strlen(text)};
}

/* Who says it, and what that is worth when a room is overfull. */
static void sign(const identity *who, message *in)
{
    if (in->kind == MESSAGE_RECALL || in->kind == MESSAGE_EVENT) {
        in->lane = MESSAGE_LANE_CONTROL;
    } else if (in->kind == MESSAGE_SUPER_CHAT) {
        in->lane = MESSAGE_LANE_SUPER;
    } else {
        in->lane = MESSAGE_LANE_NORMAL;
    }
    if (who == NULL) {
        return;
    }
    if (in->lane == MESSAGE_LANE_NORMAL &&
        (who->roles & (unsigned)(IDENTITY_MODERATOR | IDENTITY_ADMIN)) != 0) {
        in->lane = MESSAGE_LANE_MODERATOR;
    }
    in->sender_key = identity_key(who);
    in->user_id = slice_of(who->sub);
    in->name = slice_of(who->name);
}

static protocol_error enter_room(server_loop *loop, dp_room *room, const message *in,
                                 uint64_t now_ns, admit_result *out)
{
    room_admitted admitted;
    dp_status status = room_admit(room, in, now_ns, &admitted);
    if (status == DP_ERR_NOT_FOUND) {
        return refuse(out, PROTOCOL_NOT_FOUND, 0, "the room has no message of that number");
    }
    if (status != DP_OK) {
        return refuse(out, PROTOCOL_BUSY, BUSY_RETRY_MS, "no memory just now, try again");
    }
    if (admitted.flush_later) {
        loop_flush_later(loop, room, admitted.flush_at_ns);
    }
    out->seq = admitted.seq;
    out->fate = admitted.fate;
    return PROTOCOL_OK;
}

/* What moderators set for this room since its last message. */
static void apply_settings(server_loop *loop, dp_room *room)
{
    uint64_t version = moderation_version(loop->server->gate->moderation);
    if (!room_needs_version(room, version)) {
        return;
    }
    const config *settings = &loop->server->config;
    moderation_room said =
        moderation_room_settings(loop->server->gate->moderation, room_name(room));
    room_settings wanted = {.display_per_s = (uint32_t)settings->fanout_display_per_s,
                            .merge = (room_merge)settings->fanout_merge,
                            .merge_ms = (uint32_t)settings->fanout_merge_ms};
    if (said.budget != MODERATION_UNSET) {
        wanted.display_per_s = said.budget;
    }
    if (said.merge != MODERATION_UNSET) {
        wanted.merge = said.merge == 0 ? ROOM_MERGE_OFF : ROOM_MERGE_ALWAYS;
    }
    room_set(room, &wanted);
}

/* Why this sender may not, NULL when he may. */
static const char *unfit_to_send(const identity *who, const char *room)
{
    const uint32_t senders =
        IDENTITY_PUBLISHER | IDENTITY_MODERATOR | IDENTITY_BACKEND | IDENTITY_ADMIN;
    if (!identity_allows_room(who, room)) {
        return "this room is not yours to speak in";
    }
    if ((who->roles & senders) == 0) {
        return "you may watch, not send";
    }
    return who->expires_s != 0 && server_wall_ms() / 1000 > who->expires_s ? "the token has expired"
                                                                           : NULL;
}

protocol_error admit_message(server_loop *loop, dp_room *room, const admit_sender *sender,
                             message *in, admit_result *out)
{
    *out = (admit_result){.seq = 0};
    if (atomic_load_explicit(&loop->server->draining, memory_order_relaxed)) {
        return refuse(out, PROTOCOL_SHUTTING_DOWN, BUSY_RETRY_MS, "the server is shutting down");
    }
    const char *unfit = sender->who == NULL ? NULL : unfit_to_send(sender->who, room_name(room));
    if (unfit != NULL) {
        return refuse(out, PROTOCOL_FORBIDDEN, 0, unfit);
    }
    uint64_t now_ns = os_clock_ns();
    protocol_error error = check_rate(loop, sender, now_ns, out);
    if (error != PROTOCOL_OK) {
        return error;
    }
    sign(sender->who, in);
    if (in->ts_ms == 0) {
        in->ts_ms = server_wall_ms();
    }
    apply_settings(loop, room);
    error = gate_check(loop->server->gate, room_name(room), sender->who, in, now_ns, out);
    if (error != PROTOCOL_OK || out->is_held) {
        metrics_add(METRIC_HELD, out->is_held);
        return error;
    }
    return enter_room(loop, room, in, now_ns, out);
}

protocol_error admit_media(server_loop *loop, const media_upload *upload,
                           const admit_sender *sender, admit_result *out)
{
    const media_result *result = &upload->result;
    message in = {.kind = MESSAGE_MEDIA,
                  .mode = upload->mode,
                  .media = {.id = slice_of(result->id),
                            .content_type = slice_of(dp_media_content_type(result->meta.format)),
                            .source = slice_of(dp_media_format_name(result->meta.source_format)),
                            .engine = slice_of(result->meta.engine),
                            .tier = slice_of(dp_tier_name(result->tier)),
                            .width = result->meta.width,
                            .height = result->meta.height,
                            .frames = result->meta.frames}};
    return admit_message(loop, upload->room, sender, &in, out);
}
