/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of logfmt as a JSON object.
 *
 * The callers write their pairs by printf(), so what stands between quotes is not escaped: a value
 * in quotes ends at the quote before a space or the end of the line.  Bytes that are not UTF-8
 * become '?', so that what is written is JSON whatever a path is made of.
 */
#include "server/ops/log.h"

#include <stdbool.h>
#include <string.h>

#define CLOSING "}\n"

typedef struct json_text {
    char *to;
    size_t used;
    bool overflow;
} json_text;

static void put(json_text *out, const char *bytes, size_t size_bytes)
{
    if (out->used + size_bytes > LOG_JSON_BYTES - sizeof CLOSING) {
        out->overflow = true;
        return;
    }
    memcpy(out->to + out->used, bytes, size_bytes);
    out->used += size_bytes;
}

/* How many bytes at `at` are one character of UTF-8 (RFC 3629), 0 when they are none. */
static size_t utf8_bytes(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80) {
        return 1;
    }
    size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool is_wrong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
                    (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F);
    return is_wrong ? 0 : length;
}

/* `is_escaped`: the value has its quotes and backslashes escaped already (msg). */
static void put_text(json_text *out, const char *text, size_t size_bytes, bool is_escaped)
{
    put(out, "\"", 1);
    for (size_t i = 0; i < size_bytes;) {
        size_t length = utf8_bytes((const unsigned char *)text + i, size_bytes - i);
        if (length == 0) {
            put(out, "?", 1);
            i++;
            continue;
        }
        if (!is_escaped && (text[i] == '"' || text[i] == '\\')) {
            put(out, "\\", 1);
        }
        put(out, text + i, length);
        i += length;
    }
    put(out, "\"", 1);
}

/* Digits that JSON and a double both hold: no leading zero, at most 15. */
static bool is_number(const char *text, size_t size_bytes)
{
    size_t sign = size_bytes > 1 && text[0] == '-';
    for (size_t i = sign; i < size_bytes; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return size_bytes > sign && size_bytes <= 15 && (text[sign] != '0' || size_bytes == sign + 1);
}

/* The end of the value that begins at `at`: behind its closing quote, or at the space. */
static const char *value_end(const char *at, const char *end, bool is_escaped)
{
    if (at == end || *at != '"') {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        return space == NULL ? end : space;
    }
    for (at++; at < end; at++) {
        if (is_escaped && *at == '\\') {
            at++;
        } else if (*at == '"' && (at + 1 == end || at[1] == ' ')) {
            return at + 1;
        }
    }
    return end;
}

static void put_value(json_text *out, const char *at, const char *end, bool is_escaped)
{
    size_t size_bytes = (size_t)(end - at);
    if (size_bytes >= 2 && at[0] == '"' && end[-1] == '"') {
        put_text(out, at + 1, size_bytes - 2, is_escaped);
    } else if (is_number(at, size_bytes)) {
        put(out, at, size_bytes);
    } else {
        put_text(out, at, size_bytes, false);
    }
}

size_t log_json(const char *line, size_t line_bytes, char to[LOG_JSON_BYTES])
{
    json_text out = {.to = to};
    const char *end = line + line_bytes;
    if (line_bytes > 0 && end[-1] == '\n') {
        end--;
    }
    put(&out, "{", 1);
    for (const char *at = line; at < end;) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (equals == NULL) {
            break;
        }
        size_t before = out.used;
        size_t key_bytes = (size_t)(equals - at);
        bool is_msg = key_bytes == 3 && memcmp(at, "msg", 3) == 0;
        const char *value = equals + 1;
        const char *next = value_end(value, end, is_msg);
        put(&out, ",", before > 1);
        put_text(&out, at, key_bytes, false);
        put(&out, ":", 1);
        put_value(&out, value, next, is_msg);
        if (out.overflow) {
            out.used = before;
            break;
        }
        for (at = next; at < end && *at == ' '; at++) {
        }
    }
    memcpy(to + out.used, CLOSING, sizeof CLOSING - 1);
    return out.used + sizeof CLOSING - 1;
}
