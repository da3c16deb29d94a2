/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to bytes.
 *
 * A `sink` is the caller's memory with a fill level; once something does not fit it stays full and
 * the writer answers 0.  Numbers and our own tokens are printed; every string that came from
 * elsewhere is escaped by yajl_gen.  The generator lives in a block on the stack (yajl lets its
 * allocator be chosen), so that a writer touches no heap, has no state and may run in any thread.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_gen.h>

#include "pool/os.h"
#include "server/wire/protocol.h"

/* yajl_gen_t is about 580 bytes in yajl 2.1 (128 levels of state), its buffer's head 32. */
#define GENERATOR_BYTES 1024u

typedef struct sink {
    char *to;
    size_t capacity_bytes;
    size_t used_bytes;
    bool full;
} sink;

typedef struct generator_memory {
    _Alignas(max_align_t) unsigned char bytes[GENERATOR_BYTES];
    size_t used_bytes;
} generator_memory;

static void put_bytes(void *context, const char *bytes, size_t size_bytes)
{
    sink *into = context;
    if (into->full || size_bytes > into->capacity_bytes - into->used_bytes) {
        into->full = true;
        return;
    }
    memcpy(into->to + into->used_bytes, bytes, size_bytes);
    into->used_bytes += size_bytes;
}

static void put_literal(sink *into, const char *literal)
{
    put_bytes(into, literal, strlen(literal));
}

/* printf would cost more than all the rest of a message. */
static void put_unsigned(sink *into, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_bytes(into, digits + at, sizeof digits - at);
}

static void put_signed(sink *into, int64_t number)
{
    if (number < 0) {
        put_literal(into, "-");
    }
    put_unsigned(into, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static size_t finish(const sink *into)
{
    return into->full ? 0 : into->used_bytes;
}

static void *take(void *context, size_t size_bytes)
{
    generator_memory *memory = context;
    size_t align = _Alignof(max_align_t);
    size_t rounded = (size_bytes + align - 1) / align * align;
    /* A yajl whose generator outgrew this is another library than the one we were built with. */
    DP_ASSERT(rounded <= GENERATOR_BYTES - memory->used_bytes);
    void *block = memory->bytes + memory->used_bytes;
    memory->used_bytes += rounded;
    return block;
}

static void *retake(void *context, void *block, size_t size_bytes)
{
    /* Only yajl's own output buffer grows, and output goes to put_bytes() instead. */
    (void)block;
    return take(context, size_bytes);
}

static void leave(void *context, void *block)
{
    (void)context;
    (void)block;
}

/* The string in quotes, escaped.  The bytes must be UTF-8, which the writer's callers hold to. */
static void put_string(sink *into, const char *bytes, size_t size_bytes)
{
    generator_memory memory;
    memory.used_bytes = 0;
    yajl_alloc_funcs allocator = {take, retake, leave, &memory};
    yajl_gen generator = yajl_gen_alloc(&allocator);
    yajl_gen_config(generator, yajl_gen_print_callback, put_bytes, into);
    if (yajl_gen_string(generator, (const unsigned char *)bytes, size_bytes) !=
        yajl_gen_status_ok) {
        into->full = true;
    }
    /* No yajl_gen_free(): it would only give the stack block back. */
}

static void put_member(sink *into, const char *before, const char *value)
{
    put_literal(into, before);
    put_string(into, value, strlen(value));
}

size_t protocol_write_ack(int64_t id, uint64_t seq, char *to, size_t capacity_bytes)
{
    sink line = {.to = to, .capacity_bytes = capacity_bytes};
    put_literal(&line, "{\"op\":\"ack\",\"id\":");
    put_signed(&line, id);
    put_literal(&line, ",\"seq\":");
    put_unsigned(&line, seq);
    put_literal(&line, "}");
    return finish(&line);
}

size_t protocol_write_pong(bool has_id, int64_t id, char *to, size_t capacity_bytes)
{
    sink line = {.to = to, .capacity_bytes = capacity_bytes};
    put_literal(&line, "{\"op\":\"pong\"");
    if (has_id) {
        put_literal(&line, ",\"id\":");
        put_signed(&line, id);
    }
    put_literal(&line, "}");
    return finish(&line);
}

size_t protocol_write_error(bool has_id, int64_t id, protocol_error error, const char *message,
                            uint32_t retry_ms, char *to, size_t capacity_bytes)
{
    sink line = {.to = to, .capacity_bytes = capacity_bytes};
    put_literal(&line, "{\"op\":\"error\"");
    if (has_id) {
        put_literal(&line, ",\"id\":");
        put_signed(&line, id);
    }
    put_member(&line, ",\"code\":", protocol_error_code(error));
    put_member(&line, ",\"message\":", message);
    if (retry_ms > 0) {
        put_literal(&line, ",\"retry_ms\":");
        put_unsigned(&line, retry_ms);
    }
    put_literal(&line, "}");
    return finish(&line);
}

size_t protocol_write_http_error(protocol_error error, const char *message, char *to,
                                 size_t capacity_bytes)
{
    sink line = {.to = to, .capacity_bytes = capacity_bytes};
    put_member(&line, "{\"error\":{\"code\":", protocol_error_code(error));
    put_member(&line, ",\"message\":", message);
    put_literal(&line, "}}");
    return finish(&line);
}
