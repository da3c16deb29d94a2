/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleaning of comment text in one pass, in place if wanted.
 *
 * Invariant: never more bytes written than read, so the output may be the input.  Trimming follows
 * removal: white space behind a removed mark is still at the end.  Nothing is owned here, no state.
 */
#include "server/wire/text.h"

#include <stdint.h>
#include <string.h>

#include <unictype.h>
#include <unistr.h>

bool text_is_utf8(const void *bytes, size_t size_bytes)
{
    return u8_check(bytes, size_bytes) == NULL;
}

static bool is_removed(ucs4_t point)
{
    if (point < 0xA0) {
        return point < 0x20 || point >= 0x7F;
    }
    if (point == 0xFEFF) {
        return true;
    }
    if (point < 0x200E || point > 0x2069) {
        return false;
    }
    /* Line and paragraph separators lie just before the embeddings and overrides. */
    return point <= 0x200F || (point >= 0x2028 && point <= 0x202E) || point >= 0x2066;
}

/* Reads one code point; what is not UTF-8 is given as its replacement.  Returns the bytes read. */
static size_t read_point(const uint8_t *at, size_t left_bytes, ucs4_t *out)
{
    if (*at < 0x80) {
        *out = *at;
        return 1;
    }
    int length = u8_mbtoucr(out, at, left_bytes);
    if (length > 0) {
        return (size_t)length;
    }
    /* A surrogate in three bytes, as yajl spells a lone \udc00: room enough for U+FFFD. */
    if (left_bytes >= 3 && at[0] == 0xED && (at[1] & 0xE0) == 0xA0 && (at[2] & 0xC0) == 0x80) {
        *out = 0xFFFD;
        return 3;
    }
    *out = '?';
    return 1;
}

size_t text_clean(const char *bytes, size_t size_bytes, char *to, size_t *chars_out)
{
    const uint8_t *from = (const uint8_t *)bytes;
    size_t read_bytes = 0;
    size_t written = 0;
    size_t chars = 0;
    /* The end of the last character that is not white space: what is behind it is cut. */
    size_t kept_bytes = 0;
    size_t kept_chars = 0;
    while (read_bytes < size_bytes) {
        ucs4_t point;
        read_bytes += read_point(from + read_bytes, size_bytes - read_bytes, &point);
        if (is_removed(point)) {
            continue;
        }
        /* The other ASCII white space is control characters, which are gone by now. */
        bool white = point < 0x80 ? point == ' ' : uc_is_property_white_space(point);
        if (white && chars == 0) {
            continue;
        }
        if (point < 0x80) {
            to[written++] = (char)point;
        } else {
            /* Through a local, because u8_uctomb() does not promise to work over its own source. */
            uint8_t encoded[4];
            int length = u8_uctomb(encoded, point, (ptrdiff_t)sizeof encoded);
            memcpy(to + written, encoded, (size_t)length);
            written += (size_t)length;
        }
        chars++;
        if (!white) {
            kept_bytes = written;
            kept_chars = chars;
        }
    }
    *chars_out = kept_chars;
    return kept_bytes;
}
