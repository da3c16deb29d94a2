/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file is, by its first bytes; see render.h.
 *
 * SVG has no magic number: past a byte order mark, white space, the XML declaration, comments and
 * processing instructions, the first element must be <svg> (a prefix is allowed).  A DOCTYPE is
 * stepped over so that the SVG guard can refuse it in words.  Only UTF-8 is looked at; the scan
 * ends after SCAN_BYTES_MAX.  Pure functions.
 */
#include <string.h>

#include "render/render.h"

#define SCAN_BYTES_MAX 16384u

typedef struct scan {
    const char *at, *end;
} scan;

static bool starts(const scan *s, const char *word)
{
    const size_t length = strlen(word);
    return (size_t)(s->end - s->at) >= length && memcmp(s->at, word, length) == 0;
}

/* Steps behind the next `word`; false when there is none. */
static bool step_behind(scan *s, const char *word)
{
    while (s->at < s->end && !starts(s, word)) {
        s->at++;
    }
    if (s->at >= s->end) {
        return false;
    }
    s->at += strlen(word);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* At '<': the element's local name is svg. */
static bool is_svg_element(const scan *s)
{
    const char *name = s->at + 1;
    const char *at = name;
    while (at < s->end && is_name(*at)) {
        at++;
    }
    if (at < s->end && *at == ':') {
        name = ++at;
        while (at < s->end && is_name(*at)) {
            at++;
        }
    }
    return at - name == 3 && memcmp(name, "svg", 3) == 0 && at < s->end &&
           (is_space(*at) || *at == '>' || *at == '/');
}

static bool is_svg(const char *bytes, size_t size_bytes)
{
    scan s = {bytes, bytes + (size_bytes < SCAN_BYTES_MAX ? size_bytes : SCAN_BYTES_MAX)};
    if (starts(&s, "\xef\xbb\xbf")) {
        s.at += 3;
    }
    for (;;) {
        while (s.at < s.end && is_space(*s.at)) {
            s.at++;
        }
        bool more = false;
        if (starts(&s, "<?")) {
            more = step_behind(&s, "?>");
        } else if (starts(&s, "<!--")) {
            s.at += 4;
            more = step_behind(&s, "-->");
        } else if (starts(&s, "<!DOCTYPE")) {
            /* An internal subset may hold '>' of its own; looking for the element covers both. */
            scan rest = s;
            return step_behind(&rest, "<svg") || step_behind(&s, ":svg");
        } else if (starts(&s, "<")) {
            return is_svg_element(&s);
        }
        if (!more) {
            return false;
        }
    }
}

/*
 * ISO/IEC 14496-12: the first box is `ftyp`; its major brand, or one of the compatible brands
 * behind it, says that an AV1 picture (avif) or a sequence of them (avis) follows.
 */
static bool is_avif(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes < 16 || memcmp(bytes + 4, "ftyp", 4) != 0) {
        return false;
    }
    const size_t box =
        (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
    const size_t end = box < size_bytes ? box : size_bytes;
    for (size_t at = 8; at + 4 <= end && at < SCAN_BYTES_MAX; at += 4) {
        if (memcmp(bytes + at, "avif", 4) == 0 || memcmp(bytes + at, "avis", 4) == 0) {
            return true;
        }
    }
    return false;
}

dp_media_format dp_media_sniff(const void *bytes, size_t size_bytes)
{
    static const char png[] = "\x89PNG\r\n\x1a\n";
    const char *start = bytes;

    if (size_bytes < 4) {
        return DP_MEDIA_UNKNOWN;
    }
    if (memcmp(start, "\xff\xd8\xff", 3) == 0) {
        return DP_MEDIA_JPEG;
    }
    if (size_bytes >= 8 && memcmp(start, png, 8) == 0) {
        return DP_MEDIA_PNG;
    }
    if (size_bytes >= 12 && memcmp(start, "RIFF", 4) == 0 && memcmp(start + 8, "WEBP", 4) == 0) {
        return DP_MEDIA_WEBP;
    }
    if (size_bytes >= 6 && (memcmp(start, "GIF87a", 6) == 0 || memcmp(start, "GIF89a", 6) == 0)) {
        return DP_MEDIA_GIF;
    }
    if (is_avif(bytes, size_bytes)) {
        return DP_MEDIA_AVIF;
    }
    return is_svg(start, size_bytes) ? DP_MEDIA_SVG : DP_MEDIA_UNKNOWN;
}

static const struct {
    const char *name, *content_type;
} formats[DP_MEDIA_FORMAT_COUNT] = {
    [DP_MEDIA_UNKNOWN] = {"unknown", "application/octet-stream"},
    [DP_MEDIA_JPEG] = {"jpeg", "image/jpeg"},
    [DP_MEDIA_PNG] = {"png", "image/png"},
    [DP_MEDIA_WEBP] = {"webp", "image/webp"},
    [DP_MEDIA_GIF] = {"gif", "image/gif"},
    [DP_MEDIA_AVIF] = {"avif", "image/avif"},
    [DP_MEDIA_SVG] = {"svg", "image/svg+xml"},
};

const char *dp_media_format_name(dp_media_format format)
{
    return formats[(unsigned)format < DP_MEDIA_FORMAT_COUNT ? format : DP_MEDIA_UNKNOWN].name;
}

const char *dp_media_content_type(dp_media_format format)
{
    return formats[(unsigned)format < DP_MEDIA_FORMAT_COUNT ? format : DP_MEDIA_UNKNOWN]
        .content_type;
}
