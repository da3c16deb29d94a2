/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed messages:
 *
 *     head (48 bytes) | media (24, if any) | super chat (12, if one) | text ext user name | media's
 *
 * Sizes stand in the head, bytes without terminators behind.  Whether the texts need escapes in
 * JSON is found out here, once, eight bytes at a time: most texts do not, and are then copied
 * blindly by every format that is JSON inside.
 */
#include "server/wire/message.h"

#include <string.h>

#include "pool/os.h"

enum { FLAG_MEDIA = 1, FLAG_SUPER_CHAT = 2, FLAG_PLAIN = 4 };

typedef struct packed_head {
    int64_t ts_ms;
    uint64_t target_seq;
    uint64_t sender_key;
    uint32_t color;
    uint32_t text_bytes, ext_bytes;
    uint16_t size_px, user_bytes, name_bytes;
    uint8_t kind, lane, mode, flags;
} packed_head;

_Static_assert(sizeof(packed_head) == 48, "the head has no holes");

void message_from_request(const protocol_request *request, message *out)
{
    *out = (message){.kind = MESSAGE_TEXT,
                     .lane = MESSAGE_LANE_NORMAL,
                     .mode = request->mode,
                     .color = request->color,
                     .size_px = (uint16_t)request->size_px,
                     .text = {.bytes = request->text, .size_bytes = (uint32_t)request->text_bytes},
                     .ext = {.bytes = request->ext, .size_bytes = (uint32_t)request->ext_bytes}};
}

#define MEDIA_SLICES 5u

typedef struct packed_media {
    uint32_t width, height, frames;
    uint16_t slice_bytes[MEDIA_SLICES + 1]; /* the last is a filler */
} packed_media;

static void media_slices(const message_media *media, message_slice out[MEDIA_SLICES])
{
    out[0] = media->id;
    out[1] = media->content_type;
    out[2] = media->source;
    out[3] = media->engine;
    out[4] = media->tier;
}

size_t message_packed_bytes(const message *in)
{
    size_t bytes = sizeof(packed_head) + in->text.size_bytes + in->ext.size_bytes +
                   in->user_id.size_bytes + in->name.size_bytes;
    if (in->media.id.size_bytes > 0) {
        message_slice slices[MEDIA_SLICES];
        media_slices(&in->media, slices);
        bytes += sizeof(packed_media);
        for (size_t i = 0; i < MEDIA_SLICES; i++) {
            bytes += slices[i].size_bytes;
        }
    }
    return in->kind == MESSAGE_SUPER_CHAT ? bytes + sizeof in->super_chat : bytes;
}

/* The high bit of a byte is set where JSON must escape it: below 0x20, a quote, a backslash.
 * Exact as a whole: 0 when there is none (Lamport's and Mycroft's test for a zero byte). */
static uint64_t escapes_of(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t quote = word ^ ones * '"';
    uint64_t slash = word ^ ones * '\\';
    return (((word - ones * 0x20u) & ~word) | ((quote - ones) & ~quote) |
            ((slash - ones) & ~slash)) &
           ones * 0x80u;
}

static bool is_plain(message_slice text)
{
    uint64_t found = 0;
    uint64_t word;
    size_t at = 0;
    for (; at + sizeof word <= text.size_bytes; at += sizeof word) {
        memcpy(&word, text.bytes + at, sizeof word);
        found |= escapes_of(word);
    }
    if (at < text.size_bytes) {
        memset(&word, 'a', sizeof word);
        memcpy(&word, text.bytes + at, text.size_bytes - at);
        found |= escapes_of(word);
    }
    return found == 0;
}

static char *put(char *to, const void *bytes, size_t size_bytes)
{
    if (size_bytes > 0) {
        memcpy(to, bytes, size_bytes);
    }
    return to + size_bytes;
}

static char *put_slice(char *to, message_slice slice)
{
    return put(to, slice.bytes, slice.size_bytes);
}

static char *put_media_head(char *to, const message_media *media)
{
    message_slice slices[MEDIA_SLICES];
    media_slices(media, slices);
    packed_media packed = {.width = media->width, .height = media->height, .frames = media->frames};
    for (size_t i = 0; i < MEDIA_SLICES; i++) {
        DP_ASSERT(slices[i].size_bytes <= UINT16_MAX);
        packed.slice_bytes[i] = (uint16_t)slices[i].size_bytes;
    }
    return put(to, &packed, sizeof packed);
}

static unsigned flags_of(const message *in)
{
    unsigned flags = in->media.id.size_bytes > 0 ? FLAG_MEDIA : 0;
    flags |= in->kind == MESSAGE_SUPER_CHAT ? FLAG_SUPER_CHAT : 0;
    bool plain = is_plain(in->text) && is_plain(in->user_id) && is_plain(in->name);
    return flags | (plain ? FLAG_PLAIN : 0);
}

void message_pack(const message *in, void *to)
{
    DP_ASSERT((unsigned)in->kind < MESSAGE_KIND_COUNT && (unsigned)in->lane < MESSAGE_LANE_COUNT);
    DP_ASSERT(in->text.size_bytes <= MESSAGE_TEXT_BYTES_MAX &&
              in->ext.size_bytes <= MESSAGE_TEXT_BYTES_MAX);
    DP_ASSERT(in->user_id.size_bytes <= UINT16_MAX && in->name.size_bytes <= UINT16_MAX);
    unsigned flags = flags_of(in);
    packed_head head = {.ts_ms = in->ts_ms,
                        .target_seq = in->target_seq,
                        .sender_key = in->sender_key,
                        .color = in->color,
                        .text_bytes = in->text.size_bytes,
                        .ext_bytes = in->ext.size_bytes,
                        .size_px = in->size_px,
                        .user_bytes = (uint16_t)in->user_id.size_bytes,
                        .name_bytes = (uint16_t)in->name.size_bytes,
                        .kind = (uint8_t)in->kind,
                        .lane = (uint8_t)in->lane,
                        .mode = (uint8_t)in->mode,
                        .flags = (uint8_t)flags};
    char *at = put(to, &head, sizeof head);
    if ((flags & FLAG_MEDIA) != 0) {
        at = put_media_head(at, &in->media);
    }
    if ((flags & FLAG_SUPER_CHAT) != 0) {
        at = put(at, &in->super_chat, sizeof in->super_chat);
    }
    at = put_slice(at, in->text);
    at = put_slice(at, in->ext);
    at = put_slice(at, in->user_id);
    at = put_slice(at, in->name);
    if ((flags & FLAG_MEDIA) != 0) {
        message_slice slices[MEDIA_SLICES];
        media_slices(&in->media, slices);
        for (size_t i = 0; i < MEDIA_SLICES; i++) {
            at = put_slice(at, slices[i]);
        }
    }
}

static const char *take(const char *from, size_t size_bytes, message_slice *out)
{
    if (size_bytes > 0) {
        *out = (message_slice){.bytes = from, .size_bytes = (uint32_t)size_bytes};
    }
    return from + size_bytes;
}

static void view_media(const packed_media *packed, const char *from, message_media *out)
{
    message_slice *slices[MEDIA_SLICES] = {&out->id, &out->content_type, &out->source, &out->engine,
                                           &out->tier};
    out->width = packed->width;
    out->height = packed->height;
    out->frames = packed->frames;
    for (size_t i = 0; i < MEDIA_SLICES; i++) {
        from = take(from, packed->slice_bytes[i], slices[i]);
    }
}

void message_view(const void *packed, message *out)
{
    packed_head head;
    packed_media media = {.width = 0};
    memcpy(&head, packed, sizeof head);
    const char *at = (const char *)packed + sizeof head;
    *out = (message){.kind = (message_kind)head.kind,
                     .lane = (message_lane)head.lane,
                     .mode = (protocol_mode)head.mode,
                     .color = head.color,
                     .size_px = head.size_px,
                     .ts_ms = head.ts_ms,
                     .target_seq = head.target_seq,
                     .sender_key = head.sender_key,
                     .is_plain = (head.flags & FLAG_PLAIN) != 0};
    if ((head.flags & FLAG_MEDIA) != 0) {
        memcpy(&media, at, sizeof media);
        at += sizeof media;
    }
    if ((head.flags & FLAG_SUPER_CHAT) != 0) {
        memcpy(&out->super_chat, at, sizeof out->super_chat);
        at += sizeof out->super_chat;
    }
    at = take(at, head.text_bytes, &out->text);
    at = take(at, head.ext_bytes, &out->ext);
    at = take(at, head.user_bytes, &out->user_id);
    at = take(at, head.name_bytes, &out->name);
    if ((head.flags & FLAG_MEDIA) != 0) {
        view_media(&media, at, &out->media);
    }
}
