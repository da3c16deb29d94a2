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

static void a_text_tail_is_as_documented(void **state)
{
    (void)state;
    char to[512];
    assert_int_equal(parse("{\"op\":\"send\",\"text\":\"a\\\"\\\\/b 你\",\"ext\":{\"n\": 1}}"),
                     PROTOCOL_OK);
    check_written(protocol_write_text_tail(&request, 1790000000000, to, sizeof to), to,
                  "\"ts\":1790000000000,\"kind\":\"text\",\"text\":\"a\\\"\\\\/b 你\",\"mode\":"
                  "\"scroll\",\"color\":\"#ffffff\",\"size\":25,\"ext\":{\"n\": 1}}");
    assert_int_equal(
        parse("{\"op\":\"send\",\"text\":\"x\",\"mode\":\"reverse\",\"color\":\"#00000A\"}"),
        PROTOCOL_OK);
    check_written(protocol_write_text_tail(&request, 0, to, sizeof to), to,
                  "\"ts\":0,\"kind\":\"text\",\"text\":\"x\",\"mode\":\"reverse\",\"color\":"
                  "\"#00000a\",\"size\":25}");
}

static void a_media_tail_is_as_documented(void **state)
{
    (void)state;
    char to[PROTOCOL_MEDIA_TAIL_BYTES_MAX];
    char id[65];
    char expected[600];
    memset(id, 'f', 64);
    id[64] = '\0';
    protocol_media media = {.id = id,
                            .content_type = "image/webp",
                            .width = 160,
                            .height = 90,
                            .frames = 12,
                            .source = "svg",
                            .engine = "librsvg+cpu",
                            .tier = "host",
                            .mode = PROTOCOL_MODE_SCROLL};
    snprintf(expected, sizeof expected,
             "\"ts\":1790000000004,\"kind\":\"media\",\"mode\":\"scroll\",\"media\":{\"id\":\"%s\","
             "\"url\":\"/v1/media/%s\",\"type\":\"image/webp\",\"width\":160,\"height\":90,"
             "\"frames\":12,\"source\":\"svg\",\"engine\":\"librsvg+cpu\",\"tier\":\"host\"}}",
             id, id);
    check_written(protocol_write_media_tail(&media, 1790000000004, to, sizeof to), to, expected);
    /* The longest words that are in use still fit the promised size. */
    media.width = media.height = media.frames = UINT32_MAX;
    media.mode = PROTOCOL_MODE_REVERSE;
    assert_true(protocol_write_media_tail(&media, INT64_MAX, to, sizeof to) > 0);
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
    protocol_media media = {
        .id = "ab", .content_type = "c", .source = "s", .engine = "e", .tier = "t"};
    assert_int_equal(parse("{\"op\":\"send\",\"text\":\"a\\\"b\",\"ext\":[1]}"), PROTOCOL_OK);
    for (int writer = 0; writer < 6; writer++) {
        size_t whole = 0;
        for (size_t capacity = 0; capacity < 300; capacity++) {
            char *to = malloc(capacity + 1);
            assert_non_null(to);
            to[capacity] = '#';
            size_t results[] = {
                writer == 0 ? protocol_write_text_tail(&request, 5, to, capacity) : 0,
                writer == 1 ? protocol_write_media_tail(&media, 5, to, capacity) : 0,
                writer == 2 ? protocol_write_ack(5, 6, to, capacity) : 0,
                writer == 3 ? protocol_write_pong(true, 6, to, capacity) : 0,
                writer == 4 ? protocol_write_error(true, 5, PROTOCOL_BUSY, "m", 9, to, capacity)
                            : 0,
                writer == 5 ? protocol_write_http_error(PROTOCOL_BUSY, "m", to, capacity) : 0,
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

static void the_promised_size_is_enough_and_not_wasteful(void **state)
{
    (void)state;
    char json[PROTOCOL_FRAME_BYTES_MAX];
    char to[PROTOCOL_FRAME_BYTES_MAX];
    size_t used =
        (size_t)snprintf(json, sizeof json, "{\"op\":\"send\",\"mode\":\"reverse\",\"text\":\"");
    for (int i = 0; i < 100; i++) {
        used += (size_t)snprintf(json + used, sizeof json - used, "\\\"\\\\");
    }
    used += (size_t)snprintf(json + used, sizeof json - used, "\",\"ext\":{\"n\":1}}");
    assert_int_equal(parse_bytes(json, used), PROTOCOL_OK);
    size_t promised = protocol_text_tail_bytes_max(&request);
    size_t bytes = protocol_write_text_tail(&request, INT64_MAX, to, promised);
    assert_true(bytes > 0);
    assert_true(promised - bytes < 100);
    /* Uncleaned control characters, which only a caller of our own could pass, are escaped too. */
    protocol_request raw = {.text = "\x01\x02\n", .text_bytes = 3, .size_px = 25};
    assert_true(protocol_write_text_tail(&raw, INT64_MAX, to, protocol_text_tail_bytes_max(&raw)) >
                0);
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
        assert_int_equal(protocol_parse(parser, json, sizeof json - 1, true, &request, &message),
                         0);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    for (int i = 0; i < ROUNDS; i++) {
        assert_true(protocol_write_text_tail(&request, 1790000000000 + i, to, sizeof to) > 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &c);
    print_message("parse_ns=%.0f write_ns=%.0f\n", nanoseconds(&a, &b) / ROUNDS,
                  nanoseconds(&b, &c) / ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_tail_is_as_documented),
        cmocka_unit_test(a_media_tail_is_as_documented),
        cmocka_unit_test(answers_are_as_documented),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(the_promised_size_is_enough_and_not_wasteful),
        cmocka_unit_test(the_cost_of_a_message_is_printed),
    };
    return cmocka_run_group_tests(tests, make_parser, drop_parser);
}
