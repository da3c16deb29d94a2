/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long texts for tests of limits.
 */
#ifndef DP_TESTS_REPEATED_H
#define DP_TESTS_REPEATED_H

#include <stdlib.h>
#include <string.h>

#include "cm.h"

/* `count` times `part` between `head` and `tail`; the caller's to free(). */
static inline char *repeated(const char *head, const char *part, size_t count, const char *tail)
{
    const size_t length = strlen(part);
    char *text = malloc(strlen(head) + count * length + strlen(tail) + 1);
    assert_non_null(text);
    strcpy(text, head);
    char *at = text + strlen(head);
    for (size_t i = 0; i < count; i++, at += length) {
        memcpy(at, part, length);
    }
    strcpy(at, tail);
    return text;
}

#endif
