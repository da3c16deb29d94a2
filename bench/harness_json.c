/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON strings by RFC 8259: what must be escaped is, and what comes out is always valid UTF-8,
 * because names of processors and error messages come from outside.
 */
#include <stdio.h>
#include <string.h>

#include "harness.h"

/* Length of the UTF-8 sequence (RFC 3629) that `text` starts with, 0 when it is none. */
static size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80) {
        return 1;
    }
    size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4) {
        return 0;
    }
    /* The terminating zero is no continuation byte, so this never reads past it. */
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xF0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xED && text[1] > 0x9F;
    bool beyond = text[0] == 0xF4 && text[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : length;
}

/* Writes the JSON form of the next character to `piece`; returns how many bytes it came from. */
static size_t escape_next(const unsigned char *text, char piece[8])
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letter[] = "\"\\bfnrt";
    const char *special = strchr(plain, text[0]);
    if (special != NULL) {
        (void)snprintf(piece, 8, "\\%c", letter[special - plain]);
        return 1;
    }
    if (text[0] < 0x20 || text[0] == 0x7F) {
        (void)snprintf(piece, 8, "\\u%04x", (unsigned)text[0]);
        return 1;
    }
    size_t length = utf8_length(text);
    if (length == 0) {
        (void)snprintf(piece, 8, "\\ufffd");
        return 1;
    }
    memcpy(piece, text, length);
    piece[length] = '\0';
    return length;
}

size_t bench_json_string(char *out, size_t out_size, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t needed = 1;
    size_t written = 0;
    bool cut = out_size < 3;
    if (!cut) {
        out[written++] = '"';
    }
    while (*at != '\0') {
        char piece[8];
        at += escape_next(at, piece);
        size_t length = strlen(piece);
        needed += length;
        /* A piece is written whole or not at all, with room kept for the quote and the zero. */
        cut = cut || written + length + 2 > out_size;
        if (!cut) {
            memcpy(out + written, piece, length);
            written += length;
        }
    }
    if (out_size >= 3) {
        out[written++] = '"';
    }
    if (out_size > 0) {
        out[written] = '\0';
    }
    return needed + 1;
}
