/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the protocol's tests share: one parser per process, and parsing of copies that end where the
 * message does, so that a sanitizer sees every step too far.  Main thread only, like cmocka.
 */
#ifndef DP_TESTS_PROTOCOL_FIXTURE_H
#define DP_TESTS_PROTOCOL_FIXTURE_H

#include "cm.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/wire/protocol_internal.h"

static const protocol_limits limits = {.text_chars_max = 200, .ext_bytes_max = 1024};
static protocol_parser *parser;
static protocol_request request;
static protocol_message refusal;

static inline int make_parser(void **state)
{
    (void)state;
    return protocol_parser_create(&limits, &parser) == DP_OK ? 0 : -1;
}

static inline int drop_parser(void **state)
{
    (void)state;
    protocol_parser_destroy(parser);
    return 0;
}

/* Parses a copy of exactly that size, so that a sanitizer sees a step too far; freed by the next.
 */
static inline protocol_error parse_form(const void *bytes, size_t size_bytes, bool need_op)
{
    static char *copy;
    free(copy);
    copy = malloc(size_bytes > 0 ? size_bytes : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size_bytes);
    protocol_error error = protocol_parse(parser, copy, size_bytes, need_op, &request, &refusal);
    assert_int_equal(error == PROTOCOL_OK, refusal.text[0] == '\0');
    return error;
}

static inline protocol_error parse_bytes(const void *bytes, size_t size_bytes)
{
    return parse_form(bytes, size_bytes, true);
}

static inline protocol_error parse(const char *json)
{
    return parse_bytes(json, strlen(json));
}

static inline void check_error(const char *json, protocol_error error, const char *words)
{
    assert_string_equal(protocol_error_code(parse(json)), protocol_error_code(error));
    assert_string_equal(refusal.text, words);
}

#endif
