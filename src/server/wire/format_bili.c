/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch is one packet of version 2 or 3 whose inflated body is packets of version 0, one for each
 * message, compressed once for everybody; or, plainly, those packets one behind the other.
 *
 *     text, media  DANMU_MSG           info[] has every index that the known clients read
 *     super chat   SUPER_CHAT_MESSAGE
 *     recall       DANPOOL_RECALL      clients look for "DANMU_MSG" inside of a command's name, and
 *                                      would take RECALL_DANMU_MSG for a comment without a text
 *     event        DANPOOL_EVENT       other names are ignored by all of them
 *
 * Each carries {"danpool":{"seq":N,"count":K}}: these clients decode frames side by side and may
 * hand them on out of order.  History and numbers without messages have no form here, so that such
 * batches are empty.
 */
#include "server/wire/format_bili.h"

#include <stdio.h>
#include <string.h>

#include <dp_features.h>

#include "server/wire/format.h"

extern const format_ops format_bili_plain, format_bili_zlib, format_bili_brotli;

#if DP_HAVE_ZLIB

#include <zlib.h>

#if DP_HAVE_BROTLI
#include <brotli/encode.h>
#endif

#include <danpool/stats.h>

#include "pool/os.h"
#include "server/wire/bili_packet.h"
#include "server/wire/json_put.h"

/* Everything of the longest message but its texts. */
#define MESSAGE_BYTES_MAX 2048u
/* A text stands in `info` and, escaped twice, in `extra`: a quote is \" there and \\\" here. */
#define TEXT_TIMES_MAX (2u * ESCAPE_BYTES_MAX + 1u)
#define BASE_BYTES     256u
#define STICKER_TEXT   "[sticker]"
#define STICKER_PX     25u
#define STICKER_COLOR  0xffffffu
#define ZLIB_LEVEL     1
#define BROTLI_LEVEL   1
#define MS_PER_S       1000
#define CENTS          100u

static char media_base[BASE_BYTES];

void format_bili_media_base(const char *base)
{
    (void)snprintf(media_base, sizeof media_base, "%s", base);
}

static unsigned mode_number(protocol_mode mode)
{
    switch (mode) {
    case PROTOCOL_MODE_BOTTOM:
        return 4;
    case PROTOCOL_MODE_TOP:
        return 5;
    case PROTOCOL_MODE_REVERSE:
        return 6;
    default:
        return 1;
    }
}

static message_slice slice_of(const char *text)
{
    return (message_slice){.bytes = text, .size_bytes = (uint32_t)strlen(text)};
}

/* Their users are numbers: ours is given as one where it is one that JavaScript can hold. */
static uint64_t user_number(message_slice id)
{
    uint64_t number = 0;
    if (id.size_bytes == 0 || id.size_bytes > 15) {
        return 0;
    }
    for (uint32_t i = 0; i < id.size_bytes; i++) {
        if (id.bytes[i] < '0' || id.bytes[i] > '9') {
            return 0;
        }
        number = number * 10 + (uint64_t)(id.bytes[i] - '0');
    }
    return number;
}

/* CRC-32 of the user's id in hexadecimal, by which their block lists know a sender. */
static char *put_hash(char *to, message_slice id)
{
    uLong crc = crc32(0, (const Bytef *)id.bytes, id.size_bytes);
    for (int shift = 28; shift >= 0; shift -= 4) {
        *to++ = "0123456789abcdef"[crc >> shift & 0xFu];
    }
    return to;
}

/* JSON inside of a JSON string: what put_text() would write, escaped again. */
static char *put_text_twice(char *to, message_slice text)
{
    for (uint32_t i = 0; i < text.size_bytes; i++) {
        char once[ESCAPE_BYTES_MAX];
        const message_slice one = {.bytes = text.bytes + i, .size_bytes = 1};
        const char *end = put_text(once, one, false);
        to = put_text(to, (message_slice){once, (uint32_t)(end - once)}, false);
    }
    return to;
}

static char *put_media_url(char *to, const message *in)
{
    to = put_text(to, slice_of(media_base), false);
    return put_slice(PUT(to, "/v1/media/"), in->media.id);
}

/* info[0][13]: the sticker, or the text "{}". */
static char *put_emoticon(char *to, const message *in)
{
    if (in->kind != MESSAGE_MEDIA) {
        return PUT(to, "\"{}\"");
    }
    to = put_slice(PUT(to, "{\"bulge_display\":1,\"emoticon_unique\":\"danpool_"), in->media.id);
    to = put_number(PUT(to, "\",\"height\":"), in->media.height);
    to = put_number(PUT(to, ",\"in_player_area\":1,\"is_dynamic\":"), in->media.frames > 1);
    to = put_media_url(PUT(to, ",\"url\":\""), in);
    return PUT(put_number(PUT(to, "\",\"width\":"), in->media.width), "}");
}

/* A sticker has neither of its own, but clients that show its text instead need both. */
static unsigned shown_px(const message *in)
{
    return in->kind == MESSAGE_MEDIA ? STICKER_PX : in->size_px;
}

static uint32_t shown_color(const message *in)
{
    return in->kind == MESSAGE_MEDIA ? STICKER_COLOR : in->color;
}

/* info[0][15].extra: JSON in a string; clients parse it without a guard. */
static char *put_extra(char *to, const message *in, message_slice text)
{
    to = PUT(to, "\"extra\":\"{\\\"send_from_me\\\":false,\\\"mode\\\":0,\\\"color\\\":");
    to = put_number(to, shown_color(in));
    to = put_number(PUT(to, ",\\\"dm_type\\\":"), in->kind == MESSAGE_MEDIA);
    to = put_number(PUT(to, ",\\\"font_size\\\":"), shown_px(in));
    to = put_number(PUT(to, ",\\\"player_mode\\\":"), mode_number(in->mode));
    to = put_text_twice(PUT(to, ",\\\"show_player_type\\\":0,\\\"content\\\":\\\""), text);
    to = put_hash(PUT(to, "\\\",\\\"user_hash\\\":\\\""), in->user_id);
    to = PUT(to, "\\\",\\\"emoticon_unique\\\":\\\"");
    if (in->kind == MESSAGE_MEDIA) {
        to = put_slice(PUT(to, "danpool_"), in->media.id);
    }
    return PUT(to, "\\\",\\\"bulge_display\\\":0,\\\"direction\\\":0,\\\"emots\\\":null}\"");
}

static char *put_user(char *to, const message *in)
{
    to = put_number(PUT(to, ",\"user\":{\"uid\":"), user_number(in->user_id));
    to = put_text(PUT(to, ",\"base\":{\"name\":\""), in->name, in->is_plain);
    return PUT(to,
               "\",\"face\":\"\",\"name_color\":0,\"is_mystery\":false},\"medal\":null,"
               "\"guard\":null,\"wealth\":null}");
}

/* info[0]: 16 items. */
static char *put_style(char *to, const format_message *entry, const message *in, message_slice text)
{
    to = put_number(PUT(to, "[0,"), mode_number(in->mode));
    to = put_number(PUT(to, ","), shown_px(in));
    to = put_number(PUT(to, ","), shown_color(in));
    to = put_number(PUT(to, ","), (uint64_t)in->ts_ms);
    /* Their pages tell comments apart by this number, which JavaScript and C hold as an int. */
    to = put_number(PUT(to, ","), entry->seq & 0x7FFFFFFFu);
    to = put_hash(PUT(to, ",0,\""), in->user_id);
    to = put_number(PUT(to, "\",0,0,0,\"\","), in->kind == MESSAGE_MEDIA);
    to = PUT(put_emoticon(PUT(to, ","), in), ",\"{}\",{");
    to = PUT(put_extra(to, in, text), ",\"mode\":0,\"show_player_type\":0");
    return PUT(put_user(to, in), "}]");
}

static char *put_numbers(char *to, const format_message *entry)
{
    to = put_number(PUT(to, ",\"danpool\":{\"seq\":"), entry->seq);
    return PUT(put_number(PUT(to, ",\"count\":"), entry->count), "}}");
}

static char *put_comment(char *to, const format_message *entry, const message *in)
{
    message_slice text = in->kind == MESSAGE_MEDIA ? slice_of(STICKER_TEXT) : in->text;
    to = put_style(PUT(to, "{\"cmd\":\"DANMU_MSG\",\"info\":["), entry, in, text);
    to = put_text(PUT(to, ",\""), text, in->is_plain);
    to = put_number(PUT(to, "\",["), user_number(in->user_id));
    to = put_text(PUT(to, ",\""), in->name, in->is_plain);
    to = put_number(PUT(to, "\","), in->lane == MESSAGE_LANE_MODERATOR);
    to = PUT(to, ",0,0,10000,1,\"\"],[],[0,0,9868950,\">50000\",0],[\"\",\"\"],0,0,null,{\"ts\":");
    to = put_number(to, (uint64_t)in->ts_ms / MS_PER_S);
    to = put_hash(PUT(to, ",\"ct\":\""), in->user_id);
    return put_numbers(PUT(to, "\"},0,0,null,null,0,0,[0]]"), entry);
}

/* blivedm fails when any of these is absent. */
static char *put_super_chat(char *to, const format_message *entry, const message *in)
{
    uint64_t begin_s = (uint64_t)in->ts_ms / MS_PER_S;
    to = put_number(PUT(to, "{\"cmd\":\"SUPER_CHAT_MESSAGE\",\"data\":{\"id\":"), entry->seq);
    to = put_number(PUT(to, ",\"uid\":"), user_number(in->user_id));
    to = put_number(PUT(to, ",\"price\":"), in->super_chat.price_cents / CENTS);
    to = put_text(PUT(to, ",\"rate\":1000,\"message\":\""), in->text, in->is_plain);
    to = put_number(PUT(to, "\",\"message_trans\":\"\",\"start_time\":"), begin_s);
    to = put_number(PUT(to, ",\"end_time\":"), begin_s + in->super_chat.duration_s);
    to = put_number(PUT(to, ",\"time\":"), in->super_chat.duration_s);
    to = PUT(to,
             ",\"background_image\":\"\",\"background_color\":\"#EDF5FF\","
             "\"background_icon\":\"\",\"background_bottom_color\":\"#2A60B2\","
             "\"background_price_color\":\"#7497CD\",\"gift\":{\"gift_id\":12000,"
             "\"gift_name\":\"super chat\",\"num\":1},\"medal_info\":null,\"user_info\":{"
             "\"uname\":\"");
    to = put_text(to, in->name, in->is_plain);
    return put_numbers(PUT(to, "\",\"face\":\"\",\"guard_level\":0,\"user_level\":0}}"), entry);
}

static char *put_other(char *to, const format_message *entry, const message *in)
{
    if (in->kind == MESSAGE_RECALL) {
        to = put_number(PUT(to, "{\"cmd\":\"DANPOOL_RECALL\",\"data\":{\"target_seq\":"),
                        in->target_seq);
        return put_numbers(PUT(to, "}"), entry);
    }
    to = put_text(PUT(to, "{\"cmd\":\"DANPOOL_EVENT\",\"data\":{\"name\":\""), in->text,
                  in->is_plain);
    to = PUT(to, "\",\"ext\":");
    to = in->ext.size_bytes > 0 ? put_slice(to, in->ext) : PUT(to, "null");
    return put_numbers(PUT(to, "}"), entry);
}

static char *put_packet(char *to, const format_message *entry)
{
    message in;
    message_view(entry->packed, &in);
    char *body = to + BILI_HEADER_BYTES;
    char *end = NULL;
    switch (in.kind) {
    case MESSAGE_TEXT:
    case MESSAGE_MEDIA:
        end = put_comment(body, entry, &in);
        break;
    case MESSAGE_SUPER_CHAT:
        end = put_super_chat(body, entry, &in);
        break;
    default:
        end = put_other(body, entry, &in);
        break;
    }
    bili_header_write((uint8_t *)to, (uint32_t)(end - body), BILI_PLAIN, BILI_MESSAGE);
    return end;
}

static size_t packet_bytes_max(const void *packed)
{
    message in;
    message_view(packed, &in);
    return BILI_HEADER_BYTES + MESSAGE_BYTES_MAX + ESCAPE_BYTES_MAX * strlen(media_base) +
           in.ext.size_bytes +
           (size_t)TEXT_TIMES_MAX *
               (in.text.size_bytes + in.name.size_bytes + (size_t)in.user_id.size_bytes) +
           4u * (size_t)in.media.id.size_bytes;
}

static dp_status get(dp_pool *pool, size_t size_bytes, dp_buf **out)
{
    const dp_request request = {.size_bytes = size_bytes,
                                .kind = DP_KIND_TEXT,
                                .priority = DP_PRIORITY_NORMAL,
                                .need = DP_NEED_HOST};
    return dp_get(pool, &request, out);
}

/* The packets of all messages behind FORMAT_HEADROOM; *out NULL when there is none to say. */
static dp_status write_packets(dp_pool *pool, const format_batch *batch, dp_buf **out)
{
    size_t size_bytes = FORMAT_HEADROOM;
    *out = NULL;
    if (batch->count == 0 || batch->history) {
        return DP_OK;
    }
    for (size_t i = 0; i < batch->count; i++) {
        size_bytes += packet_bytes_max(batch->messages[i].packed);
    }
    dp_buf *frame;
    dp_status status = get(pool, size_bytes, &frame);
    if (status != DP_OK) {
        return status;
    }
    char *begin = dp_buf_data(frame);
    char *to = begin + FORMAT_HEADROOM;
    for (size_t i = 0; i < batch->count; i++) {
        to = put_packet(to, &batch->messages[i]);
    }
    DP_ASSERT((size_t)(to - begin) <= dp_buf_capacity(frame));
    dp_buf_set_size(frame, (size_t)(to - begin));
    dp_stats_copied(pool, (uint64_t)(to - begin) - FORMAT_HEADROOM);
    *out = frame;
    return DP_OK;
}

static dp_status build_plain(dp_pool *pool, const format_batch *batch, dp_buf **out)
{
    return write_packets(pool, batch, out);
}

/* Compresses `size_bytes` into a place of *room_bytes; false without memory. */
typedef bool compressor(const uint8_t *from, size_t size_bytes, uint8_t *to, size_t *room_bytes);

static bool compress_zlib(const uint8_t *from, size_t size_bytes, uint8_t *to, size_t *room_bytes)
{
    uLongf room = *room_bytes;
    int result = compress2(to, &room, from, size_bytes, ZLIB_LEVEL);
    DP_ASSERT(result == Z_OK || result == Z_MEM_ERROR); /* the place suffices */
    *room_bytes = room;
    return result == Z_OK;
}

static size_t zlib_bound(size_t size_bytes)
{
    return compressBound(size_bytes);
}

static dp_status build_packed(dp_pool *pool, const format_batch *batch, bili_version version,
                              size_t (*bound)(size_t), compressor *compress, dp_buf **out)
{
    dp_buf *plain;
    dp_buf *frame = NULL;
    dp_status status = write_packets(pool, batch, &plain);
    if (status != DP_OK || plain == NULL) {
        *out = NULL;
        return status;
    }
    size_t plain_bytes = dp_buf_size(plain) - FORMAT_HEADROOM;
    size_t room_bytes = bound(plain_bytes);
    status = get(pool, FORMAT_HEADROOM + BILI_HEADER_BYTES + room_bytes, &frame);
    if (status == DP_OK) {
        uint8_t *header = (uint8_t *)dp_buf_data(frame) + FORMAT_HEADROOM;
        if (compress((const uint8_t *)dp_buf_data(plain) + FORMAT_HEADROOM, plain_bytes,
                     header + BILI_HEADER_BYTES, &room_bytes)) {
            bili_header_write(header, (uint32_t)room_bytes, version, BILI_MESSAGE);
            dp_buf_set_size(frame, FORMAT_HEADROOM + BILI_HEADER_BYTES + room_bytes);
            *out = frame;
        } else {
            dp_put(frame);
            status = DP_ERR_NOMEM;
        }
    }
    dp_put(plain);
    return status;
}

static dp_status build_zlib(dp_pool *pool, const format_batch *batch, dp_buf **out)
{
    return build_packed(pool, batch, BILI_ZLIB, zlib_bound, compress_zlib, out);
}

const format_ops format_bili_plain = {
    .name = "bili_plain", .is_binary = true, .build = build_plain};
const format_ops format_bili_zlib = {.name = "bili_zlib", .is_binary = true, .build = build_zlib};

#if DP_HAVE_BROTLI

static bool compress_brotli(const uint8_t *from, size_t size_bytes, uint8_t *to, size_t *room_bytes)
{
    return BrotliEncoderCompress(BROTLI_LEVEL, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, size_bytes,
                                 from, room_bytes, to) == BROTLI_TRUE;
}

static size_t brotli_bound(size_t size_bytes)
{
    return BrotliEncoderMaxCompressedSize(size_bytes);
}

static dp_status build_brotli(dp_pool *pool, const format_batch *batch, dp_buf **out)
{
    return build_packed(pool, batch, BILI_BROTLI, brotli_bound, compress_brotli, out);
}

const format_ops format_bili_brotli = {
    .name = "bili_brotli", .is_binary = true, .build = build_brotli};

#else

const format_ops format_bili_brotli = {.name = "bili_brotli", .is_binary = true};

#endif

#else

/* The sender's hash is a CRC-32, so that none of them can be written without zlib. */
void format_bili_media_base(const char *base)
{
    (void)base;
}

const format_ops format_bili_plain = {.name = "bili_plain", .is_binary = true};
const format_ops format_bili_zlib = {.name = "bili_zlib", .is_binary = true};
const format_ops format_bili_brotli = {.name = "bili_brotli", .is_binary = true};

#endif
