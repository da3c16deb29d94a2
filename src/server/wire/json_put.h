/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON written byte by byte into a place that is known to suffice: literals, numbers, texts.
 *
 * Each takes where to write and returns where to go on.  Nothing is checked: the caller has counted
 * before (a text takes its own bytes and escapes_bytes() more).  No state, no memory.
 */
#ifndef DP_SERVER_WIRE_JSON_PUT_H
#define DP_SERVER_WIRE_JSON_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "server/wire/message.h"

#define ESCAPE_BYTES_MAX 6u /* \u00XX */

#define PUT(to, literal) put_bytes((to), (literal), sizeof(literal) - 1)

static inline char *put_bytes(char *to, const char *bytes, size_t size_bytes)
{
    memcpy(to, bytes, size_bytes);
    return to + size_bytes;
}

static inline char *put_slice(char *to, message_slice slice)
{
    return slice.size_bytes > 0 ? put_bytes(to, slice.bytes, slice.size_bytes) : to;
}

static const char json_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

static inline char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    while (number >= 100) {
        at -= 2;
        memcpy(digits + at, json_pairs + 2 * (number % 100), 2);
        number /= 100;
    }
    if (number >= 10) {
        at -= 2;
        memcpy(digits + at, json_pairs + 2 * number, 2);
    } else {
        digits[--at] = (char)('0' + number);
    }
    return put_bytes(to, digits + at, sizeof digits - at);
}

static inline char *put_escape(char *to, unsigned char c)
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

static inline char *put_text(char *to, message_slice text, bool plain)
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
static inline size_t escapes_bytes(message_slice text)
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

#endif
