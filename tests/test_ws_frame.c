/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of RFC 6455: every rule of a header, lengths at their edges, masks, close codes, accept.
 */
#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include "server/wire/ws_frame.h"

#define MESSAGE_MAX 70000u

static const uint8_t mask[4] = {0x5a, 0x17, 0xc3, 0x88};

typedef struct header {
    unsigned first;
    bool is_masked;
    uint64_t length;
    size_t length_bytes; /* 0, 2 or 8 */
} header;

/* Writes a client's frame whose payload counts up from 0; its size. */
static size_t frame_write(uint8_t *to, header h, size_t payload_bytes)
{
    size_t at = 0;
    to[at++] = (uint8_t)h.first;
    unsigned marker = h.length_bytes == 2 ? 126u : h.length_bytes == 8 ? 127u : (unsigned)h.length;
    to[at++] = (uint8_t)(marker | (h.is_masked ? 0x80u : 0u));
    for (size_t i = 0; i < h.length_bytes; i++) {
        to[at++] = (uint8_t)(h.length >> (8 * (h.length_bytes - 1 - i)));
    }
    memcpy(to + at, mask, sizeof mask);
    at += sizeof mask;
    for (size_t i = 0; i < payload_bytes; i++) {
        to[at++] = (uint8_t)(i ^ mask[i % 4]);
    }
    return at;
}

static ws_reader reader_new(void)
{
    return (ws_reader){.message_bytes_max = MESSAGE_MAX};
}

/* Reads one frame of an exactly allocated copy, so that a sanitizer sees a read behind its end. */
static ws_read read_copy(ws_reader *reader, const uint8_t *bytes, size_t size_bytes, ws_frame *out,
                         ws_close *close)
{
    uint8_t *copy = malloc(size_bytes + 1);
    assert_non_null(copy);
    memcpy(copy + 1, bytes, size_bytes);
    ws_read result = ws_frame_read(reader, copy + 1, size_bytes, out, close);
    if (result == WS_READ_FRAME) {
        for (size_t i = 0; i < out->payload_bytes; i++) {
            assert_int_equal(out->payload[i], (uint8_t)i);
        }
    }
    out->payload = NULL;
    free(copy);
    return result;
}

static void every_length_is_read_and_unmasked(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        size_t length_bytes;
    } rows[] = {{0, 0},   {1, 0},   {7, 0},     {8, 0},     {9, 0},    {125, 0},
                {126, 2}, {127, 2}, {65535, 2}, {65536, 8}, {65537, 8}};
    uint8_t *bytes = malloc(MESSAGE_MAX + WS_HEADER_BYTES_MAX);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ws_reader reader = reader_new();
        ws_frame frame;
        ws_close close;
        size_t size = frame_write(bytes, (header){0x82, true, rows[i].bytes, rows[i].length_bytes},
                                  rows[i].bytes);
        assert_int_equal(read_copy(&reader, bytes, size, &frame, &close), WS_READ_FRAME);
        assert_int_equal(frame.payload_bytes, rows[i].bytes);
        assert_int_equal(frame.frame_bytes, size);
        assert_true(frame.is_final);
        assert_int_equal(frame.opcode, WS_BINARY);
    }
    free(bytes);
}

static void a_frame_that_is_not_whole_says_how_much_it_needs(void **state)
{
    (void)state;
    uint8_t bytes[400];
    size_t size = frame_write(bytes, (header){0x81, true, 300, 2}, 300);
    for (size_t have = 0; have < size; have++) {
        ws_reader reader = reader_new();
        ws_frame frame;
        ws_close close;
        assert_int_equal(read_copy(&reader, bytes, have, &frame, &close), WS_READ_MORE);
        assert_true(frame.frame_bytes > have);
        assert_true(frame.frame_bytes <= size);
        if (have >= 4) {
            assert_int_equal(frame.frame_bytes, size);
        }
        assert_false(reader.is_open);
    }
}

/* The close code a frame of this header is refused with, 0 when it is read. */
static unsigned refused_with(ws_reader reader, header h, size_t payload_bytes)
{
    uint8_t *bytes = calloc(1, MESSAGE_MAX + WS_HEADER_BYTES_MAX);
    ws_frame frame;
    ws_close close = WS_CLOSE_NONE;
    assert_non_null(bytes);
    size_t size = frame_write(bytes, h, payload_bytes);
    ws_read result = read_copy(&reader, bytes, size, &frame, &close);
    free(bytes);
    return result == WS_READ_FAIL ? (unsigned)close : 0u;
}

static void each_broken_rule_is_a_protocol_error(void **state)
{
    (void)state;
    ws_reader idle = reader_new();
    ws_reader open = reader_new();
    open.is_open = true;
    open.message_bytes = 3;
    for (unsigned rsv = 0x10; rsv <= 0x70; rsv += 0x10) {
        assert_int_equal(refused_with(idle, (header){0x81 | rsv, true, 1, 0}, 1), 1002);
        assert_int_equal(refused_with(idle, (header){0x89 | rsv, true, 1, 0}, 1), 1002);
        assert_int_equal(refused_with(open, (header){0x80 | rsv, true, 1, 0}, 1), 1002);
    }
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
        unsigned in_idle = known && opcode != 0 ? 0 : 1002;
        unsigned in_open = opcode == 0 || (known && opcode >= 8) ? 0 : 1002;
        assert_int_equal(refused_with(idle, (header){0x80 | opcode, true, 2, 0}, 2), in_idle);
        assert_int_equal(refused_with(open, (header){0x80 | opcode, true, 2, 0}, 2), in_open);
        assert_int_equal(refused_with(idle, (header){0x80 | opcode, false, 2, 0}, 2), 1002);
    }
    for (unsigned opcode = 8; opcode <= 10; opcode++) {
        assert_int_equal(refused_with(idle, (header){opcode, true, 2, 0}, 2), 1002);
        assert_int_equal(refused_with(idle, (header){0x80 | opcode, true, 126, 2}, 126), 1002);
        assert_int_equal(refused_with(idle, (header){0x80 | opcode, true, 125, 0}, 125), 0);
    }
    assert_int_equal(refused_with(idle, (header){0x81, true, 125, 2}, 125), 1002);
    assert_int_equal(refused_with(idle, (header){0x81, true, 65535, 8}, 65535), 1002);
    assert_int_equal(refused_with(idle, (header){0x81, true, UINT64_C(1) << 63, 8}, 0), 1002);
}

static void a_message_over_the_limit_is_refused_by_its_header(void **state)
{
    (void)state;
    ws_reader reader = reader_new();
    assert_int_equal(refused_with(reader, (header){0x81, true, MESSAGE_MAX, 8}, 0), 0);
    assert_int_equal(refused_with(reader, (header){0x81, true, MESSAGE_MAX + 1, 8}, 0), 1009);
    assert_int_equal(refused_with(reader, (header){0x81, true, INT64_MAX, 8}, 0), 1009);
    reader.is_open = true;
    reader.message_bytes = MESSAGE_MAX - 10;
    assert_int_equal(refused_with(reader, (header){0x80, true, 10, 0}, 10), 0);
    assert_int_equal(refused_with(reader, (header){0x80, true, 11, 0}, 11), 1009);
    assert_int_equal(refused_with(reader, (header){0x89, true, 11, 0}, 11), 0);
}

static void pieces_are_counted_and_control_frames_may_stand_between(void **state)
{
    (void)state;
    static const struct {
        unsigned first;
        size_t bytes;
        bool open_after;
        uint32_t counted;
    } rows[] = {{0x01, 5, true, 5},  {0x89, 9, true, 5},  {0x00, 0, true, 5}, {0x00, 20, true, 25},
                {0x8a, 1, true, 25}, {0x80, 1, false, 0}, {0x82, 3, false, 0}};
    ws_reader reader = reader_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[64];
        ws_frame frame;
        ws_close close;
        size_t size =
            frame_write(bytes, (header){rows[i].first, true, rows[i].bytes, 0}, rows[i].bytes);
        assert_int_equal(read_copy(&reader, bytes, size, &frame, &close), WS_READ_FRAME);
        assert_int_equal(reader.is_open, rows[i].open_after);
        assert_int_equal(reader.message_bytes, rows[i].counted);
    }
}

static void rsv1_opens_a_message_where_it_was_agreed(void **state)
{
    (void)state;
    ws_reader reader = reader_new();
    reader.may_deflate = true;
    assert_int_equal(refused_with(reader, (header){0xc1, true, 4, 0}, 4), 0);
    assert_int_equal(refused_with(reader, (header){0xa1, true, 4, 0}, 4), 1002);
    assert_int_equal(refused_with(reader, (header){0xc9, true, 4, 0}, 4), 1002);
    reader.is_open = true;
    assert_int_equal(refused_with(reader, (header){0xc0, true, 4, 0}, 4), 1002);
}

static void a_close_frame_is_answered_with_its_code_or_the_fault(void **state)
{
    (void)state;
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999};
    static const unsigned bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535};
    assert_int_equal(ws_close_answer(NULL, 0), WS_CLOSE_NONE);
    assert_int_equal(ws_close_answer((const uint8_t *)"\x03", 1), 1002);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const uint8_t body[] = {(uint8_t)(good[i] >> 8), (uint8_t)good[i]};
        assert_int_equal(ws_close_answer(body, sizeof body), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const uint8_t body[] = {(uint8_t)(bad[i] >> 8), (uint8_t)bad[i]};
        assert_int_equal(ws_close_answer(body, sizeof body), 1002);
    }
    assert_int_equal(ws_close_answer((const uint8_t *)"\x03\xe8ok", 4), 1000);
    assert_int_equal(ws_close_answer((const uint8_t *)"\x03\xe8\xce\xba\xff", 5), 1007);
}

static void a_header_is_written_in_the_fewest_bytes(void **state)
{
    (void)state;
    uint8_t to[WS_WRITE_HEADER_MAX];
    assert_int_equal(ws_header_write((ws_write){.opcode = WS_TEXT}, 125, to), 2);
    assert_memory_equal(to, "\x81\x7d", 2);
    assert_int_equal(ws_header_write((ws_write){.opcode = WS_TEXT}, 126, to), 4);
    assert_memory_equal(to, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(ws_header_write((ws_write){WS_BINARY, true}, 65535, to), 4);
    assert_memory_equal(to, "\xc2\x7e\xff\xff", 4);
    assert_int_equal(ws_header_write((ws_write){.opcode = WS_PONG}, 65536, to), 10);
    assert_memory_equal(to, "\x8a\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}

static void the_accept_value_is_the_one_of_the_rfc(void **state)
{
    (void)state;
    char accept[WS_ACCEPT_BYTES];
    assert_true(ws_accept_of("dGhlIHNhbXBsZSBub25jZQ==", 24, accept)); /* section 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(ws_accept_of("dGhlIHNhbXBsZSBub25jZQ=", 23, accept));
    assert_false(ws_accept_of("dGhlIHNhbXBsZSBub25jZXh4", 24, accept));
    assert_false(ws_accept_of("dGhlIHNhbXBsZSBub25jZ===", 24, accept));
    assert_false(ws_accept_of("dGhlIHNhbXBsZ!Bub25jZQ==", 24, accept));
    assert_false(ws_accept_of("", 0, accept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_read_and_unmasked),
        cmocka_unit_test(a_frame_that_is_not_whole_says_how_much_it_needs),
        cmocka_unit_test(each_broken_rule_is_a_protocol_error),
        cmocka_unit_test(a_message_over_the_limit_is_refused_by_its_header),
        cmocka_unit_test(pieces_are_counted_and_control_frames_may_stand_between),
        cmocka_unit_test(rsv1_opens_a_message_where_it_was_agreed),
        cmocka_unit_test(a_close_frame_is_answered_with_its_code_or_the_fault),
        cmocka_unit_test(a_header_is_written_in_the_fewest_bytes),
        cmocka_unit_test(the_accept_value_is_the_one_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
