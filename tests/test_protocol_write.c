/* SPDX-License-Identifier: Apache-2.0 */
/* Writers: the documented forms, every capacity, the promised sizes. */
#include "protocol_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check_written(size_t bytes, const char *text, const char *expected)
{
    assert_int_equal(bytes, strlen(expected));
    assert_memory_equal(text, expected, bytes);
}

static void answers_are_as_documented(void **state)
{
    (void)state;
    char to[512];
    check_written(protocol_write_ack(1, 42, to, sizeof to), to,
                  "{\"op\":\"ack\",\"id\":1,\"seq\":42}");
    check_written(protocol_write_ack(9007199254740992, UINT64_MAX, to, sizeof to), to,
                  "{\"op\":\"ack\",\"id\":9007199254740992,\"seq\":18446744073709551615}");
    check_written(protocol_write_pong(true, 7, to, sizeof to), to, "{\"op\":\"pong\",\"id\":7}");
    check_written(protocol_write_pong(false, 7, to, sizeof to), to, "{\"op\":\"pong\"}");
    check_written(
        protocol_write_error(true, 1, PROTOCOL_RATE_LIMITED, "wait 350 ms", 350, to, sizeof to), to,
        "{\"op\":\"error\",\"id\":1,\"code\":\"rate_limited\",\"message\":\"wait 350 ms\","
        "\"retry_ms\":350}");
    check_written(protocol_write_error(false, 1, PROTOCOL_BAD_JSON, "a \"b\"\n", 0, to, sizeof to),
                  to, "{\"op\":\"error\",\"code\":\"bad_json\",\"message\":\"a \\\"b\\\"\\n\"}");
    check_written(protocol_write_http_error(PROTOCOL_TOO_LARGE, "no", to, sizeof to), to,
                  "{\"error\":{\"code\":\"too_large\",\"message\":\"no\"}}");
}

/* Every writer into every capacity: 0 and nothing behind the end, or the whole. */
static void what_does_not_fit_is_not_written(void **state)
{
    (void)state;
    for (int writer = 0; writer < 4; writer++) {
        size_t whole = 0;
        for (size_t capacity = 0; capacity < 300; capacity++) {
            char *to = malloc(capacity + 1);
            assert_non_null(to);
            to[capacity] = '#';
            size_t results[] = {
                writer == 0 ? protocol_write_ack(5, 6, to, capacity) : 0,
                writer == 1 ? protocol_write_pong(true, 6, to, capacity) : 0,
                writer == 2 ? protocol_write_error(true, 5, PROTOCOL_BUSY, "m", 9, to, capacity)
                            : 0,
                writer == 3 ? protocol_write_http_error(PROTOCOL_BUSY, "m", to, capacity) : 0,
            };
            size_t bytes = results[writer];
            assert_int_equal(to[capacity], '#');
            assert_true(bytes <= capacity);
            assert_true(whole == 0 || bytes == whole);
            whole = bytes;
            free(to);
        }
        assert_true(whole > 0);
    }
}

static double nanoseconds(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) * 1e9 + (double)(to->tv_nsec - from->tv_nsec);
}

/* Printed for people; no bound, since sanitizers and busy machines would break any. */
static void the_cost_of_a_message_is_printed(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    static const char json[] =
        "{\"op\":\"send\",\"id\":1,\"text\":\"hello, how are you today? 你好\","
        "\"color\":\"#ffffff\",\"ext\":{\"n\":123456,\"t\":1790000000000}}";
    struct timespec a;
    struct timespec b;
    struct timespec c;
    char to[1024];
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(protocol_parse(parser, json, sizeof json - 1, true, &request, &refusal),
                         0);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    for (int i = 0; i < ROUNDS; i++) {
        assert_true(protocol_write_ack(i, 1790000000000, to, sizeof to) > 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &c);
    print_message("parse_ns=%.0f ack_ns=%.0f\n", nanoseconds(&a, &b) / ROUNDS,
                  nanoseconds(&b, &c) / ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_as_documented),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(the_cost_of_a_message_is_printed),
    };
    return cmocka_run_group_tests(tests, make_parser, drop_parser);
}
