/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What moderation tells: the audit log, a line of JSON an order, and the list for the API.
 *
 * A line of the log is one write() to a file opened for appending.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pool/os.h"
#include "server/gate/moderation_internal.h"
#include "server/wire/message.h"

static void put_bytes(moderation_text *to, const char *bytes, size_t size_bytes)
{
    if (to->failed) {
        return;
    }
    if (to->size_bytes + size_bytes + 1 > to->capacity_bytes) {
        size_t wanted = 2 * (to->size_bytes + size_bytes) + 510;
        char *larger = os_calloc(1, wanted);
        if (larger == NULL) {
            to->failed = true;
            return;
        }
        if (to->size_bytes > 0) {
            memcpy(larger, to->bytes, to->size_bytes);
        }
        os_free(to->bytes);
        to->bytes = larger;
        to->capacity_bytes = wanted;
    }
    memcpy(to->bytes + to->size_bytes, bytes, size_bytes);
    to->size_bytes += size_bytes;
    to->bytes[to->size_bytes] = '\0';
}

void moderation_put(moderation_text *to, const char *text)
{
    put_bytes(to, text, strlen(text));
}

void moderation_putf(moderation_text *to, const char *format, ...)
{
    char text[768];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    DP_ASSERT(length >= 0 && (size_t)length < sizeof text);
    put_bytes(to, text, (size_t)length);
}

void moderation_put_string(moderation_text *to, const char *text, size_t size_bytes)
{
    moderation_put(to, "\"");
    for (size_t i = 0; i < size_bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\') {
            put_bytes(to, "\\", 1);
        }
        if (byte < 0x20) {
            moderation_putf(to, "\\u%04x", byte);
        } else {
            put_bytes(to, text + i, 1);
        }
    }
    moderation_put(to, "\"");
}

static void put_field(moderation_text *to, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        moderation_putf(to, ",\"%s\":", name);
        moderation_put_string(to, text, strlen(text));
    }
}

dp_status moderation_audit(moderation *table, const moderation_order *order, const char *failed,
                           int64_t now_ms)
{
    if (table->audit_path[0] == '\0') {
        return DP_OK;
    }
    moderation_text line = {.bytes = NULL};
    moderation_putf(&line, "{\"ts\":%" PRId64 ",\"action\":\"%s\"", now_ms,
                    moderation_action_name(order->action));
    put_field(&line, "room", order->room);
    put_field(&line, "target", order->target);
    put_field(&line, "by", order->by);
    put_field(&line, "reason", order->reason);
    if (order->duration_s > 0) {
        moderation_putf(&line, ",\"duration_s\":%u", (unsigned)order->duration_s);
    }
    if (order->action >= MODERATION_SLOW_ROOM && order->action <= MODERATION_BUDGET_ROOM &&
        order->value != MODERATION_UNSET) {
        moderation_putf(&line, ",\"value\":%u", (unsigned)order->value);
    }
    if (order->seq > 0) {
        moderation_putf(&line, ",\"seq\":%" PRIu64, order->seq);
    }
    put_field(&line, "failed", failed);
    moderation_put(&line, "}\n");
    dp_status status = line.failed ? DP_ERR_NOMEM : DP_OK;
    if (status == DP_OK) {
        ssize_t written;
        do {
            written = write(table->audit_fd, line.bytes, line.size_bytes);
        } while (written < 0 && errno == EINTR);
        status = written == (ssize_t)line.size_bytes ? DP_OK : DP_ERR_IO;
    }
    os_free(line.bytes);
    return status;
}

static bool is_listed(const char *of, const char *room)
{
    return room[0] == '\0' || of[0] == '\0' || strcmp(of, room) == 0;
}

static void put_rule(moderation_text *to, const moderation_rule *rule)
{
    bool is_user = rule->kind == RULE_MUTE_USER || rule->kind == RULE_BAN_USER;
    moderation_put(to, "{\"room\":");
    moderation_put_string(to, rule->room, strlen(rule->room));
    if (rule->kind == RULE_ROOM) {
        moderation_putf(to, ",\"closed\":%s,\"slow_s\":%u",
                        rule->settings.is_closed ? "true" : "false",
                        (unsigned)rule->settings.slow_s);
        if (rule->settings.merge != MODERATION_UNSET) {
            moderation_putf(to, ",\"merge\":%s", rule->settings.merge != 0 ? "true" : "false");
        }
        if (rule->settings.budget != MODERATION_UNSET) {
            moderation_putf(to, ",\"budget\":%u", (unsigned)rule->settings.budget);
        }
    } else {
        put_field(to, is_user ? "user" : "address", rule->target);
    }
    put_field(to, "by", rule->by);
    put_field(to, "reason", rule->reason);
    if (rule->until_ms > 0) {
        moderation_putf(to, ",\"until\":%" PRId64, rule->until_ms);
    }
    moderation_put(to, "}");
}

/* The rules of two kinds, those that have expired left out. */
static void put_rules(moderation_text *to, const moderation *table, const rule_kind kinds[2],
                      const char *room, int64_t now_ms)
{
    const char *between = "";
    for (uint32_t i = 0; i < table->fresh; i++) {
        const moderation_rule *rule = &table->rules[i];
        bool is_over = rule->until_ms > 0 && rule->until_ms <= now_ms;
        if ((rule->kind == kinds[0] || rule->kind == kinds[1]) && rule->kind != RULE_FREE &&
            !is_over && is_listed(rule->room, room)) {
            moderation_put(to, between);
            put_rule(to, rule);
            between = ",";
        }
    }
}

static void put_held(moderation_text *to, const moderation *table, const char *room)
{
    const char *between = "";
    for (size_t i = 0; i < table->held_max; i++) {
        const held_comment *held = &table->held[(table->held_next + i) % table->held_max];
        if (held->id == 0 || !is_listed(held->room, room)) {
            continue;
        }
        message in;
        message_view(held->packed, &in);
        moderation_putf(
            to, "%s{\"id\":\"%" PRIu64 "\",\"room\":\"%s\",\"ts\":%" PRId64 ",\"text\":", between,
            held->id, held->room, held->at_ms);
        moderation_put_string(to, in.text.bytes == NULL ? "" : in.text.bytes, in.text.size_bytes);
        if (in.user_id.size_bytes > 0) {
            moderation_put(to, ",\"user\":");
            moderation_put_string(to, in.user_id.bytes, in.user_id.size_bytes);
        }
        moderation_put(to, "}");
        between = ",";
    }
}

dp_status moderation_list(moderation *table, const char *room, int64_t now_ms, char **json_out)
{
    static const rule_kind mutes[2] = {RULE_MUTE_USER, RULE_MUTE_ADDRESS};
    static const rule_kind bans[2] = {RULE_BAN_USER, RULE_BAN_ADDRESS};
    static const rule_kind rooms[2] = {RULE_ROOM, RULE_ROOM};
    moderation_text text = {.bytes = NULL};
    os_lock(&table->lock);
    moderation_put(&text, "{\"mutes\":[");
    put_rules(&text, table, mutes, room, now_ms);
    moderation_put(&text, "],\"bans\":[");
    put_rules(&text, table, bans, room, now_ms);
    moderation_put(&text, "],\"rooms\":[");
    put_rules(&text, table, rooms, room, now_ms);
    moderation_put(&text, "],\"held\":[");
    put_held(&text, table, room);
    moderation_put(&text, "]}");
    os_unlock(&table->lock);
    if (text.failed) {
        os_free(text.bytes);
        return DP_ERR_NOMEM;
    }
    *json_out = text.bytes;
    return DP_OK;
}
