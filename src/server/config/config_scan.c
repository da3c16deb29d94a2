/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scanner that knows just enough of libconfig's grammar to tell numbers from strings and
 * comments:
 * "..." with backslash escapes, # and // to the end of the line, and block comments.  No state.
 */
#include "server/config/config_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No configuration is near this; what is behind it is not looked at. */
#define FILE_BYTES_MAX (1024u * 1024u)

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Behind the string, comment or word that starts at `at`; at + 1 for any other character. */
static size_t token_end(const char *text, size_t size_bytes, size_t at)
{
    bool two = at + 1 < size_bytes;
    size_t end = at + 1;
    if (text[at] == '"') {
        while (end < size_bytes && text[end] != '"') {
            end += text[end] == '\\' ? 2 : 1;
        }
        return end + 1;
    }
    if (text[at] == '#' || (text[at] == '/' && two && text[at + 1] == '/')) {
        while (end < size_bytes && text[end] != '\n') {
            end++;
        }
        return end;
    }
    if (text[at] == '/' && two && text[at + 1] == '*') {
        end = at + 2;
        while (end < size_bytes && !(text[end] == '/' && text[end - 1] == '*' && end > at + 2)) {
            end++;
        }
        return end + 1;
    }
    while (is_word(text[at]) && end < size_bytes && is_word(text[end])) {
        end++;
    }
    return end;
}

/* Whether the word is a whole number above INT32_MAX without L.  The sign stands before the word.
 */
static bool wraps(const char *word, size_t size_bytes)
{
    bool hex = size_bytes > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    uint64_t base = hex ? 16 : 10;
    uint64_t value = 0;
    for (size_t i = hex ? 2 : 0; i < size_bytes; i++) {
        const char *digits = "0123456789abcdefABCDEF";
        const char *found = strchr(digits, word[i]);
        uint64_t digit = found == NULL ? base : (uint64_t)(found - digits);
        digit = digit >= 16 ? digit - 6 : digit;
        if (found == NULL || digit >= base) {
            return false; /* a name, an L, or no number at all: libconfig's to judge */
        }
        /* Held just above the bound, so that no number of digits can overflow it. */
        value = value > INT32_MAX ? value : value * base + digit;
    }
    return value > INT32_MAX;
}

unsigned config_scan_wrapped(const char *text, size_t size_bytes)
{
    unsigned line = 1;
    size_t at = 0;
    while (at < size_bytes) {
        size_t end = token_end(text, size_bytes, at);
        end = end < size_bytes ? end : size_bytes;
        if (text[at] >= '0' && text[at] <= '9' && wraps(text + at, end - at)) {
            return line;
        }
        for (; at < end; at++) {
            line += text[at] == '\n';
        }
    }
    return 0;
}

unsigned config_scan_wrapped_file(const char *path)
{
    unsigned line = 0;
    FILE *file = fopen(path, "r");
    char *text = malloc(FILE_BYTES_MAX);
    if (file != NULL && text != NULL) {
        size_t size_bytes = fread(text, 1, FILE_BYTES_MAX, file);
        line = config_scan_wrapped(text, size_bytes);
    }
    free(text);
    if (file != NULL) {
        fclose(file);
    }
    return line;
}
