/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON is written once a batch: one dp_get of a size that suffices, then bytes without a check for
 * each.  What costs is numbers and texts, so numbers are written two digits at a time and texts
 * that need no escape (message.h, is_plain) are copied.
 */
#include "server/wire/format_json.h"

#include <string.h>

#include <danpool/stats.h>

#include "pool/os.h"

extern const format_ops format_json;

#define MEDIA_URL_PREFIX "/v1/media/"
/* Everything of the longest message but its texts: names of members, numbers, braces. */
#define MESSAGE_BYTES_MAX    152u
#define USER_BYTES_MAX       32u
#define SUPER_CHAT_BYTES_MAX 96u
#define MEDIA_BYTES_MAX      192u
#define EXT_BYTES_MAX        8u
#define HEAD_BYTES_MAX       256u
#define ESCAPE_BYTES_MAX     6u /* \u00XX */

#define PUT(to, literal) put_bytes((to), (literal), sizeof(literal) - 1)

static char *put_bytes(char *to, const char *bytes, size_t size_bytes)
{
    memcpy(to, bytes, size_bytes);
    return to + size_bytes;
}

static char *put_slice(char *to, message_slice slice)
{
    return slice.size_bytes > 0 ? put_bytes(to, slice.bytes, slice.size_bytes) : to;
}

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    while (number >= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (number % 100), 2);
        number /= 100;
    }
    if (number >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * number, 2);
    } else {
        digits[--at] = (char)('0' + number);
    }
    return put_bytes(to, digits + at, sizeof digits - at);
}

static char *put_time(char *to, int64_t ts_ms)
{
    if (ts_ms < 0) {
        *to++ = '-';
    }
    return put_number(to, ts_ms < 0 ? 0 - (uint64_t)ts_ms : (uint64_t)ts_ms);
}

static char *put_color(char *to, uint32_t color)
{
    for (int shift = 20; shift >= 0; shift -= 4) {
        *to++ = "0123456789abcdef"[color >> shift & 0xFu];
    }
    return to;
}

static char *put_escape(char *to, unsigned char c)
{
    static const char short_names[] = "btn\0fr"; /* 0x08 to 0x0d */
    *to++ = '\\';
    if (c == '"' || c == '\\') {
        *to++ = (char)c;
    } else if (c >= 0x08 && c <= 0x0d && short_names[c - 0x08] != '\0') {
        *to++ = short_names[c - 0x08];
    } else {
        to = PUT(to, "u00");
        *to++ = "0123456789ABCDEF"[c >> 4];
        *to++ = "0123456789ABCDEF"[c & 0xFu];
    }
    return to;
}

static char *put_text(char *to, message_slice text, bool plain)
{
    if (plain) {
        return put_slice(to, text);
    }
    for (uint32_t i = 0; i < text.size_bytes; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c < 0x20 || c == '"' || c == '\\') {
            to = put_escape(to, c);
        } else {
            *to++ = (char)c;
        }
    }
    return to;
}

/* How many bytes more than it has a text takes. */
static size_t escapes_bytes(message_slice text)
{
    size_t more = 0;
    for (uint32_t i = 0; i < text.size_bytes; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c < 0x20) {
            more += ESCAPE_BYTES_MAX - 1;
        } else if (c == '"' || c == '\\') {
            more += 1;
        }
    }
    return more;
}

size_t format_json_message_bytes_max(const message *in)
{
    size_t bytes = MESSAGE_BYTES_MAX + in->text.size_bytes + in->ext.size_bytes +
                   in->user_id.size_bytes + in->name.size_bytes;
    bytes += in->ext.size_bytes > 0 ? EXT_BYTES_MAX : 0;
    bytes += in->user_id.size_bytes > 0 || in->name.size_bytes > 0 ? USER_BYTES_MAX : 0;
    bytes += in->kind == MESSAGE_SUPER_CHAT ? SUPER_CHAT_BYTES_MAX : 0;
    if (!in->is_plain) {
        bytes += escapes_bytes(in->text) + escapes_bytes(in->user_id) + escapes_bytes(in->name);
    }
    if (in->media.id.size_bytes > 0) {
        bytes += MEDIA_BYTES_MAX + 2 * in->media.id.size_bytes + in->media.content_type.size_bytes +
                 in->media.source.size_bytes + in->media.engine.size_bytes +
                 in->media.tier.size_bytes;
    }
    return bytes;
}

/* Our own words and ids, which need no escapes. */
static char *put_media(char *to, const message_media *media)
{
    to = put_slice(PUT(to, ",\"media\":{\"id\":\""), media->id);
    to = put_slice(PUT(to, "\",\"url\":\"" MEDIA_URL_PREFIX), media->id);
    to = put_slice(PUT(to, "\",\"type\":\""), media->content_type);
    to = put_number(PUT(to, "\",\"width\":"), media->width);
    to = put_number(PUT(to, ",\"height\":"), media->height);
    to = put_number(PUT(to, ",\"frames\":"), media->frames);
    to = put_slice(PUT(to, ",\"source\":\""), media->source);
    to = put_slice(PUT(to, "\",\"engine\":\""), media->engine);
    to = put_slice(PUT(to, "\",\"tier\":\""), media->tier);
    return PUT(to, "\"}");
}

static char *put_super_chat(char *to, const message_super_chat *super_chat)
{
    to = put_number(PUT(to, ",\"super_chat\":{\"price_cents\":"), super_chat->price_cents);
    to = PUT(to, ",\"currency\":\"");
    /* From a back end: what is not three letters stays out of the JSON. */
    for (size_t i = 0; i < 3; i++) {
        char c = super_chat->currency[i];
        if (c >= 'A' && c <= 'Z') {
            *to++ = c;
        }
    }
    to = put_number(PUT(to, "\",\"duration_s\":"), super_chat->duration_s);
    return PUT(to, "}");
}

static char *put_user(char *to, const message *in)
{
    to = PUT(to, ",\"user\":{");
    if (in->user_id.size_bytes > 0) {
        to = put_text(PUT(to, "\"id\":\""), in->user_id, in->is_plain);
        to = PUT(to, "\"");
    }
    if (in->name.size_bytes > 0) {
        to = in->user_id.size_bytes > 0 ? PUT(to, ",") : to;
        to = put_text(PUT(to, "\"name\":\""), in->name, in->is_plain);
        to = PUT(to, "\"");
    }
    return PUT(to, "}");
}

static char *put_mode(char *to, const message *in)
{
    const char *mode = protocol_mode_name(in->mode);
    to = put_bytes(PUT(to, ",\"mode\":\""), mode, strlen(mode));
    return PUT(to, "\"");
}

static char *put_comment(char *to, const message *in)
{
    to = in->kind == MESSAGE_TEXT ? PUT(to, ",\"kind\":\"text\",\"text\":\"")
                                  : PUT(to, ",\"kind\":\"super_chat\",\"text\":\"");
    to = put_text(to, in->text, in->is_plain);
    to = put_mode(PUT(to, "\""), in);
    to = put_color(PUT(to, ",\"color\":\"#"), in->color);
    to = put_number(PUT(to, "\",\"size\":"), in->size_px);
    if (in->kind == MESSAGE_SUPER_CHAT) {
        to = put_super_chat(to, &in->super_chat);
    }
    return to;
}

static char *put_kind(char *to, const message *in)
{
    switch (in->kind) {
    case MESSAGE_MEDIA:
        return put_mode(PUT(to, ",\"kind\":\"media\""), in);
    case MESSAGE_RECALL:
        return put_number(PUT(to, ",\"kind\":\"recall\",\"target\":"), in->target_seq);
    case MESSAGE_EVENT:
        to = put_text(PUT(to, ",\"kind\":\"event\",\"event\":\""), in->text, in->is_plain);
        return PUT(to, "\"");
    default:
        return put_comment(to, in);
    }
}

char *format_json_message(const format_message *entry, const message *in, char *to)
{
    to = put_number(PUT(to, "{\"seq\":"), entry->seq);
    to = put_time(PUT(to, ",\"ts\":"), in->ts_ms);
    to = put_kind(to, in);
    if (in->media.id.size_bytes > 0) {
        to = put_media(to, &in->media);
    }
    if (in->user_id.size_bytes > 0 || in->name.size_bytes > 0) {
        to = put_user(to, in);
    }
    if (entry->count > 1) {
        to = put_number(PUT(to, ",\"count\":"), entry->count);
    }
    if (in->ext.size_bytes > 0) {
        to = put_slice(PUT(to, ",\"ext\":"), in->ext);
    }
    *to++ = '}';
    return to;
}

static char *put_messages(char *to, const format_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        message view;
        message_view(batch->messages[i].packed, &view);
        to = format_json_message(&batch->messages[i], &view, to);
        *to++ = ',';
    }
    return batch->count > 0 ? to - 1 : to;
}

/* The numbers of a batch; those that say nothing new are left out (protocol.md, "batch"). */
static char *put_head(char *to, const format_batch *batch)
{
    to = put_number(PUT(to, "{\"op\":\"batch\",\"seq\":"), batch->first_seq);
    to = put_number(PUT(to, ",\"missed\":"), batch->missed);
    if (batch->next_seq != batch->first_seq + batch->count) {
        to = put_number(PUT(to, ",\"next\":"), batch->next_seq);
    }
    if (batch->sampled > 0) {
        to = put_number(PUT(to, ",\"sampled\":"), batch->sampled);
    }
    if (batch->merged > 0) {
        to = put_number(PUT(to, ",\"merged\":"), batch->merged);
    }
    if (batch->own) {
        to = PUT(to, ",\"own\":true");
    }
    if (batch->history) {
        to = PUT(to, ",\"history\":true");
    }
    if (batch->resumed) {
        to = batch->recovered ? PUT(to, ",\"recovered\":true") : PUT(to, ",\"recovered\":false");
    }
    return PUT(to, ",");
}

static char *put_place(char *to, const format_batch *batch)
{
    to = put_bytes(PUT(to, "{\"room\":\""), batch->room, strlen(batch->room));
    to = put_bytes(PUT(to, "\",\"epoch\":\""), batch->epoch, strlen(batch->epoch));
    to = put_number(PUT(to, "\",\"seq\":"), batch->next_seq - 1);
    return PUT(to, ",");
}

static dp_status write_batch(dp_pool *pool, const format_batch *batch, bool live, dp_buf **out)
{
    size_t headroom = live ? FORMAT_HEADROOM : 0;
    dp_request request = {
        .kind = DP_KIND_TEXT, .priority = DP_PRIORITY_NORMAL, .need = DP_NEED_HOST};
    request.size_bytes = headroom + HEAD_BYTES_MAX;
    if (!live) {
        request.size_bytes += strlen(batch->room) + strlen(batch->epoch);
    }
    for (size_t i = 0; i < batch->count; i++) {
        message view;
        message_view(batch->messages[i].packed, &view);
        request.size_bytes += format_json_message_bytes_max(&view);
    }
    dp_buf *frame;
    dp_status status = dp_get(pool, &request, &frame);
    if (status != DP_OK) {
        return status;
    }
    char *begin = (char *)dp_buf_data(frame) + headroom;
    char *to = live ? put_head(begin, batch) : put_place(begin, batch);
    to = put_messages(PUT(to, "\"msgs\":["), batch);
    to = PUT(to, "]}");
    DP_ASSERT((size_t)(to - begin) + headroom <= dp_buf_capacity(frame));
    dp_buf_set_size(frame, (size_t)(to - begin) + headroom);
    dp_stats_copied(pool, (uint64_t)(to - begin));
    *out = frame;
    return DP_OK;
}

static dp_status build(dp_pool *pool, const format_batch *batch, dp_buf **out)
{
    return write_batch(pool, batch, true, out);
}

dp_status format_json_history(dp_pool *pool, const format_batch *batch, dp_buf **out)
{
    return write_batch(pool, batch, false, out);
}

const format_ops format_json = {.name = "json", .build = build};
