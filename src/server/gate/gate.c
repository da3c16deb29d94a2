/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate's parts, opened and asked in order: what is cheap and common first.
 *
 * Moderators, back ends and administrators pass all of it: a moderator has to be able to say what
 * he warns of.
 */
#include "server/gate/gate.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "pool/os.h"
#include "server/ops/log.h"

#define BURST_S         2u
#define CONNECT_BURST_S 10u
#define BUCKETS_MAX     65536u
#define SENDERS_MAX     8192u

static limits_rate rate(int64_t per_s, uint32_t burst_s)
{
    return (limits_rate){.per_s = (uint32_t)per_s, .burst = (uint32_t)per_s * burst_s};
}

static limits_config limits_of(const config *settings)
{
    return (limits_config){
        .rates = {[LIMITS_USER] = rate(settings->limits_user_messages_per_s, BURST_S),
                  [LIMITS_ADDRESS] = rate(settings->limits_address_messages_per_s, BURST_S),
                  [LIMITS_ROOM] = rate(settings->limits_room_messages_per_s, BURST_S),
                  [LIMITS_CONNECT] =
                      rate(settings->limits_address_connects_per_s, CONNECT_BURST_S)},
        .tarpit_ms_max = (uint32_t)settings->limits_tarpit_ms_max,
        .address_connections_max = (uint32_t)settings->limits_address_connections_max,
        .buckets_max = BUCKETS_MAX,
        .connections_max = (size_t)settings->limits_connections_max};
}

static repeat_config repeats_of(const config *settings)
{
    return (repeat_config){.times = (uint32_t)settings->limits_repeat_times,
                           .window_s = (uint32_t)settings->limits_repeat_window_s,
                           .alike_percent = (uint32_t)settings->limits_repeat_alike_percent,
                           .senders_max = SENDERS_MAX};
}

dp_status gate_open(const config *settings, gate **out, char *error, size_t error_bytes)
{
    limits_config limit = limits_of(settings);
    repeat_config repeats = repeats_of(settings);
    moderation_config decisions = {.state_path = settings->moderation_state_path,
                                   .audit_path = settings->moderation_audit_path,
                                   .entries_max = (size_t)settings->moderation_entries_max,
                                   .held_max = (size_t)settings->moderation_held_max};
    gate *all = os_calloc(1, sizeof *all);
    error[0] = '\0';
    dp_status status = all == NULL ? DP_ERR_NOMEM : DP_OK;
    if (status == DP_OK) {
        atomic_store(&all->repeat_mute_s, (uint32_t)settings->limits_repeat_mute_s);
        status = limits_create(&limit, &all->limits);
    }
    if (status == DP_OK) {
        status = repeat_create(&repeats, &all->repeats);
    }
    if (status == DP_OK) {
        status = filter_create(settings->filter_lists, &all->filter, error, error_bytes);
    }
    if (status == DP_OK) {
        status = moderation_create(&decisions, &all->moderation, error, error_bytes);
    }
    if (status != DP_OK) {
        if (error[0] == '\0') {
            snprintf(error, error_bytes, "%s", dp_status_message(status));
        }
        gate_close(all);
        return status;
    }
    *out = all;
    return DP_OK;
}

void gate_close(gate *all)
{
    if (all == NULL) {
        return;
    }
    if (all->moderation != NULL) {
        (void)moderation_maintain(all->moderation, 0);
    }
    moderation_destroy(all->moderation);
    filter_destroy(all->filter);
    repeat_destroy(all->repeats);
    limits_destroy(all->limits);
    os_free(all);
}

dp_status gate_reload(gate *all, const config *settings, char *error, size_t error_bytes)
{
    limits_config limit = limits_of(settings);
    repeat_config repeats = repeats_of(settings);
    dp_status status = filter_reload(all->filter, error, error_bytes);
    if (status != DP_OK) {
        return status;
    }
    limits_configure(all->limits, &limit);
    repeat_configure(all->repeats, &repeats);
    atomic_store(&all->repeat_mute_s, (uint32_t)settings->limits_repeat_mute_s);
    dp_status reopened = moderation_audit_reopen(all->moderation);
    if (reopened != DP_OK) {
        snprintf(error, error_bytes, "the audit log cannot be opened anew");
        status = reopened;
    }
    return status;
}

void gate_maintain(gate *all, int64_t now_ms)
{
    dp_status status = moderation_maintain(all->moderation, now_ms);
    if (status != DP_OK) {
        log_warn("moderation state not written", "status=%s", dp_status_name(status));
    }
}

static protocol_error refuse(admit_result *out, protocol_error error, uint32_t retry_ms,
                             const char *why)
{
    out->retry_ms = retry_ms;
    (void)snprintf(out->text.text, sizeof out->text.text, "%s", why);
    return error;
}

static protocol_error check_moderation(gate *all, const char *room, const identity *who,
                                       int64_t now_ms, admit_result *out)
{
    uint32_t retry_ms = 0;
    switch (moderation_check(all->moderation, room, who, now_ms, &retry_ms)) {
    case MODERATION_OK:
        return PROTOCOL_OK;
    case MODERATION_MUTED:
        return refuse(out, PROTOCOL_MUTED, retry_ms, "you are muted");
    case MODERATION_BANNED:
        return refuse(out, PROTOCOL_BANNED, retry_ms, "you are banned");
    case MODERATION_ROOM_CLOSED:
        return refuse(out, PROTOCOL_ROOM_CLOSED, 0, "the room is closed");
    case MODERATION_SLOW:
        return refuse(out, PROTOCOL_SLOW_MODE, retry_ms, "the room is slow: wait before the next");
    }
    return PROTOCOL_OK;
}

static protocol_error check_limits(gate *all, const char *room, const identity *who,
                                   uint64_t now_ns, admit_result *out)
{
    uint32_t retry_ms = 0;
    if (who->sub[0] != '\0' && !limits_take(all->limits, LIMITS_USER, identity_user_key(who->sub),
                                            who->messages_per_s, now_ns, &retry_ms)) {
        return refuse(out, PROTOCOL_RATE_LIMITED, retry_ms, "more messages than a user may send");
    }
    if (!limits_take(all->limits, LIMITS_ADDRESS, identity_address_key(&who->address), 0, now_ns,
                     &retry_ms)) {
        return refuse(out, PROTOCOL_RATE_LIMITED, retry_ms,
                      "more messages than an address may send");
    }
    if (!limits_take(all->limits, LIMITS_ROOM, identity_hash(room, strlen(room)), 0, now_ns,
                     &retry_ms)) {
        return refuse(out, PROTOCOL_RATE_LIMITED, retry_ms, "more messages than the room takes");
    }
    return PROTOCOL_OK;
}

/* On a buffer of its own: what it points to belongs to whoever parsed it. */
static protocol_error hold(gate *all, const char *room, const message *in, admit_result *out)
{
    uint64_t id;
    size_t bytes = message_packed_bytes(in);
    void *packed = os_aligned(16, bytes);
    dp_status status = DP_ERR_NOMEM;
    if (packed != NULL) {
        message_pack(in, packed);
        status = moderation_hold(all->moderation, room, packed, bytes, in->ts_ms, &id);
        os_free(packed);
    }
    if (status != DP_OK) {
        return refuse(out, PROTOCOL_BLOCKED, 0, "this would need a look that nobody takes now");
    }
    out->is_held = true;
    return PROTOCOL_OK;
}

/* Masks in place: the bytes are the parser's, which nobody reads again. */
static filter_action check_words(gate *all, const char *room, message *in)
{
    size_t bytes = in->text.size_bytes;
    char *text = (char *)(uintptr_t)in->text.bytes;
    filter_verdict verdict = filter_scan(all->filter, room, text, &bytes);
    in->text.size_bytes = (uint32_t)bytes;
    return verdict.action;
}

static protocol_error check_repeats(gate *all, const char *room, const identity *who,
                                    const message *in, uint64_t now_ns, admit_result *out)
{
    uint32_t retry_ms = 0;
    if (!repeat_check(all->repeats, in->sender_key, in->text.bytes, in->text.size_bytes, now_ns,
                      &retry_ms)) {
        return PROTOCOL_OK;
    }
    uint32_t mute_s = atomic_load_explicit(&all->repeat_mute_s, memory_order_relaxed);
    if (mute_s > 0 &&
        moderation_mute(all->moderation, room, who, "repeated", mute_s, in->ts_ms) == DP_OK) {
        retry_ms = mute_s * 1000u;
    }
    return refuse(out, PROTOCOL_REPEATED, retry_ms, "the same again and again");
}

static bool is_above(const identity *who)
{
    const uint32_t above =
        (uint32_t)IDENTITY_MODERATOR | (uint32_t)IDENTITY_BACKEND | (uint32_t)IDENTITY_ADMIN;
    return who != NULL && (who->roles & above) != 0;
}

protocol_error gate_check(gate *all, const char *room, const identity *who, message *in,
                          uint64_t now_ns, admit_result *out)
{
    protocol_error error = PROTOCOL_OK;
    if (in->kind == MESSAGE_EVENT || in->kind == MESSAGE_RECALL || is_above(who)) {
        return PROTOCOL_OK;
    }
    if (who != NULL) {
        error = check_moderation(all, room, who, in->ts_ms, out);
        if (error == PROTOCOL_OK) {
            error = check_limits(all, room, who, now_ns, out);
        }
    }
    if (error != PROTOCOL_OK || in->text.size_bytes == 0) {
        return error;
    }
    filter_action action = check_words(all, room, in);
    if (action == FILTER_BLOCK) {
        return refuse(out, PROTOCOL_BLOCKED, 0, "the text holds what is not wanted here");
    }
    if (who != NULL) {
        error = check_repeats(all, room, who, in, now_ns, out);
    }
    return error == PROTOCOL_OK && action == FILTER_HOLD ? hold(all, room, in, out) : error;
}
