/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The auth body is read with yajl's events: a value belongs to the top-level key before it.  Its
 * memory is an arena on the stack (protocol_internal.h), large enough for any body that is allowed.
 */
#include "server/wire/bili_packet.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "server/wire/protocol_internal.h"

#define ARENA_BYTES      (16u << 10)
#define ROOM_DIGITS_MAX  19u
#define VERSION_OF_BYTES 1u

static uint32_t read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bili_read bili_packet_read(const uint8_t *bytes, size_t size_bytes, bili_packet *out)
{
    if (size_bytes < BILI_HEADER_BYTES) {
        return BILI_READ_MORE;
    }
    uint32_t packet_bytes = read_u32(bytes);
    unsigned header_bytes = (unsigned)bytes[4] << 8 | bytes[5];
    if (header_bytes != BILI_HEADER_BYTES || packet_bytes < BILI_HEADER_BYTES ||
        packet_bytes > BILI_PACKET_BYTES) {
        return BILI_READ_FAIL;
    }
    if (size_bytes < packet_bytes) {
        return BILI_READ_MORE;
    }
    *out = (bili_packet){.packet_bytes = packet_bytes,
                         .version = (uint16_t)(bytes[6] << 8 | bytes[7]),
                         .operation = read_u32(bytes + 8),
                         .body = bytes + BILI_HEADER_BYTES,
                         .body_bytes = packet_bytes - BILI_HEADER_BYTES};
    return BILI_READ_PACKET;
}

static void write_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

void bili_header_write(uint8_t to[BILI_HEADER_BYTES], uint32_t body_bytes, bili_version version,
                       bili_operation operation)
{
    write_u32(to, BILI_HEADER_BYTES + body_bytes);
    write_u32(to + 4, BILI_HEADER_BYTES << 16 | (uint32_t)version);
    write_u32(to + 8, (uint32_t)operation);
    write_u32(to + 12, 1);
}

typedef enum auth_key { AUTH_KEY_NONE, AUTH_KEY_ROOM, AUTH_KEY_VERSION, AUTH_KEY_TOKEN } auth_key;

typedef struct auth_reader {
    protocol_arena arena;
    unsigned depth;
    bool is_object;
    auth_key key; /* the top-level key whose value comes next */
    bool good;
    bili_auth *out;
} auth_reader;

/* The room is the number as it was written, without what a number may have beside its digits. */
static void take_room(auth_reader *reader, const char *digits, size_t count)
{
    reader->good = count > 0 && count <= ROOM_DIGITS_MAX && digits[0] != '0';
    for (size_t i = 0; reader->good && i < count; i++) {
        reader->good = digits[i] >= '0' && digits[i] <= '9';
    }
    if (reader->good) {
        memcpy(reader->out->room, digits, count);
        reader->out->room[count] = '\0';
    }
}

static int on_number(void *user, const char *digits, size_t count)
{
    auth_reader *reader = user;
    if (reader->depth == 1 && reader->key == AUTH_KEY_ROOM) {
        take_room(reader, digits, count);
    } else if (reader->depth == 1 && reader->key == AUTH_KEY_VERSION) {
        reader->out->version = count == VERSION_OF_BYTES ? digits[0] - '0' : 0;
    }
    return reader->good;
}

static int on_string(void *user, const unsigned char *bytes, size_t size_bytes)
{
    auth_reader *reader = user;
    if (reader->depth == 1 && reader->key == AUTH_KEY_ROOM) {
        take_room(reader, (const char *)bytes, size_bytes);
    } else if (reader->depth == 1 && reader->key == AUTH_KEY_TOKEN) {
        reader->good = size_bytes < BILI_TOKEN_BYTES;
        if (reader->good) {
            memcpy(reader->out->token, bytes, size_bytes);
            reader->out->token[size_bytes] = '\0';
        }
    }
    return reader->good;
}

static int on_map_key(void *user, const unsigned char *bytes, size_t size_bytes)
{
    static const struct {
        const char *name;
        auth_key key;
    } names[] = {
        {"roomid", AUTH_KEY_ROOM}, {"protover", AUTH_KEY_VERSION}, {"key", AUTH_KEY_TOKEN}};
    auth_reader *reader = user;
    if (reader->depth == 1) {
        reader->key = AUTH_KEY_NONE;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (strlen(names[i].name) == size_bytes &&
                memcmp(names[i].name, bytes, size_bytes) == 0) {
                reader->key = names[i].key;
            }
        }
    }
    return 1;
}

static int on_start(void *user)
{
    auth_reader *reader = user;
    return ++reader->depth <= PROTOCOL_DEPTH_MAX;
}

static int on_start_map(void *user)
{
    auth_reader *reader = user;
    reader->is_object = reader->is_object || reader->depth == 0;
    return on_start(user);
}

static int on_end(void *user)
{
    auth_reader *reader = user;
    reader->depth--;
    return 1;
}

/* The only function that longjmp() comes back to; it has no locals that change. */
static bool read_json(auth_reader *reader, const uint8_t *body, size_t body_bytes)
{
    static const yajl_callbacks callbacks = {.yajl_number = on_number,
                                             .yajl_string = on_string,
                                             .yajl_start_map = on_start_map,
                                             .yajl_map_key = on_map_key,
                                             .yajl_end_map = on_end,
                                             .yajl_start_array = on_start,
                                             .yajl_end_array = on_end};
    if (setjmp(reader->arena.full) != 0) {
        return false;
    }
    yajl_alloc_funcs allocator = protocol_arena_funcs(&reader->arena);
    yajl_handle handle = yajl_alloc(&callbacks, &allocator, reader);
    return yajl_parse(handle, body, body_bytes) == yajl_status_ok &&
           yajl_complete_parse(handle) == yajl_status_ok;
}

bool bili_auth_read(const uint8_t *body, size_t body_bytes, bili_auth *out)
{
    _Alignas(max_align_t) unsigned char memory[ARENA_BYTES];
    bili_auth found = {.room = ""};
    auth_reader reader = {
        .arena = {.bytes = memory, .capacity_bytes = sizeof memory}, .good = true, .out = &found};
    if (!read_json(&reader, body, body_bytes) || !reader.is_object || !reader.good ||
        found.room[0] == '\0') {
        return false;
    }
    if (found.version < 0 || found.version > BILI_BROTLI) {
        found.version = 0;
    }
    *out = found;
    return true;
}
