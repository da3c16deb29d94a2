/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the load client's parsing: a client that misses a loss would report a good server.
 */
#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include "fanout_batch.h"
#include "fanout_ws.h"

static const char upgrade_answer[] =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "upgrade: websocket\r\n"
    "sec-websocket-accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "Sec-WebSocket-Protocol: danpool.v1.json\r\n\r\n";

static void frames_of_every_length_come_back_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 100000};
    static char wire[100000 + WS_FRAME_HEAD_MAX];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t length = lengths[i];
        size_t head = 2;
        wire[0] = (char)0x81;
        if (length < 126) {
            wire[1] = (char)length;
        } else if (length < 65536) {
            wire[1] = 126;
            wire[2] = (char)(length >> 8);
            wire[3] = (char)length;
            head = 4;
        } else {
            wire[1] = 127;
            for (size_t k = 0; k < 8; k++) {
                wire[2 + k] = (char)((uint64_t)length >> (8 * (7 - k)));
            }
            head = 10;
        }
        ws_frame frame;
        for (size_t cut = 0; cut < head + length; cut += 1 + length / 7) {
            assert_int_equal(ws_frame_parse(wire, cut, &frame), WS_NEED_MORE);
        }
        assert_int_equal(ws_frame_parse(wire, head + length, &frame), WS_DONE);
        assert_true(frame.final);
        assert_int_equal(frame.opcode, WS_TEXT);
        assert_int_equal(frame.payload_bytes, length);
        assert_int_equal(frame.frame_bytes, head + length);
        assert_ptr_equal(frame.payload, wire + head);
    }
}

static void frames_against_the_protocol_are_refused(void **state)
{
    (void)state;
    static const unsigned char wrong[][10] = {
        {0x81, 0x80},                               /* masked by the server */
        {0xC1, 0x00},                               /* an extension nobody agreed on */
        {0x83, 0x00},                               /* unknown opcode */
        {0x8B, 0x00},                               /* unknown control opcode */
        {0x09, 0x00},                               /* a fragmented ping */
        {0x89, 0x7E, 0x00, 0x7E},                   /* a ping too long */
        {0x81, 0x7E, 0x00, 0x7D},                   /* not the shortest length */
        {0x81, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, /* the same in eight bytes */
        {0x81, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0},    /* absurd */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ws_frame frame;
        assert_int_equal(ws_frame_parse((const char *)wrong[i], sizeof wrong[i], &frame),
                         WS_BROKEN);
    }
}

static void sent_frames_are_masked(void **state)
{
    (void)state;
    static char payload[300];
    static char wire[sizeof payload + WS_FRAME_HEAD_MAX];
    memset(payload, 'a', sizeof payload);
    size_t length = ws_frame_write(wire, WS_TEXT, payload, sizeof payload, 0x01020304u);
    const unsigned char *at = (const unsigned char *)wire;
    assert_int_equal(length, 4 + 4 + sizeof payload);
    assert_int_equal(at[0], 0x81);
    assert_int_equal(at[1], 0x80 | 126);
    assert_int_equal(at[2] << 8 | at[3], sizeof payload);
    for (size_t i = 0; i < sizeof payload; i++) {
        assert_int_equal(at[8 + i] ^ at[4 + i % 4], 'a');
    }
}

static void the_upgrade_is_checked(void **state)
{
    (void)state;
    size_t head = 0;
    size_t length = sizeof upgrade_answer - 1;
    char text[512];
    assert_int_equal(ws_upgrade_check(upgrade_answer, length - 1, &head), WS_NEED_MORE);
    assert_int_equal(ws_upgrade_check(upgrade_answer, length, &head), WS_DONE);
    assert_int_equal(head, length);
    memcpy(text, upgrade_answer, length + 1);
    memcpy(strstr(text, "101"), "200", 3);
    assert_int_equal(ws_upgrade_check(text, length, &head), WS_BROKEN);
    memcpy(text, upgrade_answer, length + 1);
    memcpy(strstr(text, "s3pP"), "AAAA", 4);
    assert_int_equal(ws_upgrade_check(text, length, &head), WS_BROKEN);
    memcpy(text, upgrade_answer, length + 1);
    memcpy(strstr(text, "danpool"), "DANPOOL", 7);
    assert_int_equal(ws_upgrade_check(text, length, &head), WS_BROKEN);
}

static const batch *read_text(batch_cache *cache, const char *text, bool *broken)
{
    return batch_read(cache, 0, text, strlen(text), broken);
}

static void batches_give_every_message(void **state)
{
    (void)state;
    batch_cache *cache = batch_cache_create();
    assert_non_null(cache);
    bool broken = true;
    static const char text[] =
        "{\"op\":\"batch\",\"seq\":7,\"missed\":0,\"msgs\":["
        "{\"seq\":7,\"text\":\"\\\"ext\\\":{\\\"n\\\":9\",\"ext\":{\"n\":0,\"s\":1,\"t\":123}},"
        "{\"seq\":8,\"text\":\"x\"},"
        "{\"seq\":9,\"text\":\"y\",\"ext\":{\"n\":18446744073709551615,\"s\":0,\"t\":5}}]}";
    for (int round = 0; round < 2; round++) { /* the second one is found in the cache */
        const batch *b = read_text(cache, text, &broken);
        assert_non_null(b);
        assert_false(broken);
        assert_int_equal(b->message_count, 2);
        assert_int_equal(b->messages[0].n, 0);
        assert_int_equal(b->messages[0].sender, 1);
        assert_int_equal(b->messages[0].sent_ns, 123);
        assert_true(b->messages[1].n == UINT64_MAX);
    }
    const batch *b =
        read_text(cache, "{\"op\":\"batch\",\"seq\":263,\"missed\":55,\"msgs\":[]}", &broken);
    assert_non_null(b); /* the same slot, other bytes */
    assert_int_equal(b->message_count, 0);
    assert_int_equal(b->missed, 55);
    batch_cache_destroy(cache);
}

static void one_different_byte_is_another_batch(void **state)
{
    (void)state;
    batch_cache *cache = batch_cache_create();
    bool broken = true;
    char text[] =
        "{\"op\":\"batch\",\"seq\":1,\"missed\":0,\"msgs\":[{\"ext\":{\"n\":4,\"s\":0,"
        "\"t\":5}}]}";
    assert_int_equal(read_text(cache, text, &broken)->messages[0].n, 4);
    *strchr(text, '4') = '6';
    assert_int_equal(read_text(cache, text, &broken)->messages[0].n, 6);
    batch_cache_destroy(cache);
}

static void broken_batches_are_told_from_other_messages(void **state)
{
    (void)state;
    batch_cache *cache = batch_cache_create();
    bool broken = true;
    assert_null(read_text(cache, "{\"op\":\"hello\",\"seq\":3}", &broken));
    assert_false(broken);
    static const char *const wrong[] = {
        "{\"op\":\"batch\",\"seq\":x",
        "{\"op\":\"batch\",\"seq\":1,\"msgs\":[]}",
        "{\"op\":\"batch\",\"seq\":1,\"missed\":0,\"msgs\":[{\"ext\":{\"n\":1,\"t\":2}}]}",
        "{\"op\":\"batch\",\"seq\":1,\"missed\":0,\"msgs\":[{\"ext\":{\"n\":1,\"s\":16,\"t\":2}}]}",
        "{\"op\":\"batch\",\"seq\":1,\"missed\":0,\"msgs\":[{\"ext\":{\"n\":1,\"s\":0,\"t\":",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (int round = 0; round < 2; round++) { /* a failed one must not be found in the cache */
            assert_null(read_text(cache, wrong[i], &broken));
            assert_true(broken);
        }
    }
    batch_cache_destroy(cache);
}

static void a_written_message_has_the_text_length_asked_for(void **state)
{
    (void)state;
    char out[512];
    const batch_message m = {.n = 12, .sent_ns = 34, .sender = 5};
    size_t length = batch_message_write(out, sizeof out, &m, 100);
    assert_int_equal(length, strlen(out));
    const char *text = strstr(out, "\"text\":\"") + strlen("\"text\":\"");
    assert_int_equal(strchr(text, '"') - text, 100);
    assert_non_null(strstr(out, "\"ext\":{\"n\":12,\"s\":5,\"t\":34}}"));
    assert_int_equal(batch_message_write(out, 60, &m, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_every_length_come_back_whole),
        cmocka_unit_test(frames_against_the_protocol_are_refused),
        cmocka_unit_test(sent_frames_are_masked),
        cmocka_unit_test(the_upgrade_is_checked),
        cmocka_unit_test(batches_give_every_message),
        cmocka_unit_test(one_different_byte_is_another_batch),
        cmocka_unit_test(broken_batches_are_told_from_other_messages),
        cmocka_unit_test(a_written_message_has_the_text_length_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
