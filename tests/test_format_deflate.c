/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed batches: each inflates alone, as RFC 7692 has it, to what the plain format says. */
#include "cm.h"
#include "one_pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <danpool/stats.h>

#include "pool/os.h"
#include "server/wire/format.h"
#include "server/wire/message.h"

#define MESSAGES_MAX 400u

/* Messages of one text each, of any bytes that are good UTF-8. */
typedef struct made {
    format_message messages[MESSAGES_MAX];
    format_batch batch;
} made;

static void make(made *out, size_t count, uint64_t random)
{
    *out = (made){.batch = {.first_seq = 1, .next_seq = count + 1, .count = count}};
    for (size_t i = 0; i < count; i++) {
        char text[100];
        for (size_t at = 0; at < sizeof text; at++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            text[at] = random == 0 ? 'x' : (char)(0x20 + random % 0x5f);
        }
        const message in = {.text = {.bytes = text, .size_bytes = sizeof text}};
        void *packed = malloc(message_packed_bytes(&in));
        assert_non_null(packed);
        message_pack(&in, packed);
        out->messages[i] = (format_message){.seq = i + 1, .count = 1, .packed = packed};
    }
    out->batch.messages = out->messages;
}

static void unmake(made *out)
{
    for (size_t i = 0; i < out->batch.count; i++) {
        free((void *)(uintptr_t)out->messages[i].packed);
    }
}

/* Inflates with nothing but the frame and the four bytes that every receiver adds. */
static void check_frame(const dp_buf *frame, const dp_buf *plain)
{
    size_t bytes = dp_buf_size(frame) - FORMAT_HEADROOM;
    size_t plain_bytes = dp_buf_size(plain) - FORMAT_HEADROOM;
    unsigned char *from = malloc(bytes + 4);
    unsigned char *to = malloc(plain_bytes + 1);
    assert_true(from != NULL && to != NULL);
    memcpy(from, (const char *)dp_buf_data(frame) + FORMAT_HEADROOM, bytes);
    memcpy(from + bytes, "\0\0\xff\xff", 4);
    z_stream inflater = {.next_in = from, .avail_in = (uInt)(bytes + 4)};
    inflater.next_out = to;
    inflater.avail_out = (uInt)(plain_bytes + 1);
    assert_int_equal(inflateInit2(&inflater, -MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&inflater, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(inflater.total_out, plain_bytes);
    assert_int_equal(inflater.avail_in, 0);
    assert_memory_equal(to, (const char *)dp_buf_data(plain) + FORMAT_HEADROOM, plain_bytes);
    (void)inflateEnd(&inflater);
    free(from);
    free(to);
}

static void check_batch(const format_batch *batch)
{
    dp_buf *frame = NULL;
    dp_buf *plain = NULL;
    assert_int_equal(format_of(FORMAT_JSON)->build(pool, batch, &plain), DP_OK);
    assert_int_equal(format_of(FORMAT_JSON_DEFLATE)->build(pool, batch, &frame), DP_OK);
    check_frame(frame, plain);
    dp_put(frame);
    dp_put(plain);
}

static void every_batch_inflates_alone_to_the_plain_one(void **state)
{
    (void)state;
    for (size_t count = 0; count <= MESSAGES_MAX; count = count * 2 + 1) {
        made one;
        make(&one, count, 0);
        check_batch(&one.batch);
        unmake(&one);
        make(&one, count, 88172645463325252u + count);
        check_batch(&one.batch);
        unmake(&one);
    }
}

static void alike_comments_become_a_fraction(void **state)
{
    (void)state;
    made one;
    dp_buf *frame = NULL;
    dp_buf *plain = NULL;
    make(&one, 100, 0);
    assert_int_equal(format_of(FORMAT_JSON)->build(pool, &one.batch, &plain), DP_OK);
    assert_int_equal(format_of(FORMAT_JSON_DEFLATE)->build(pool, &one.batch, &frame), DP_OK);
    assert_true(dp_buf_size(frame) * 10 < dp_buf_size(plain));
    assert_true(dp_buf_capacity(frame) < dp_buf_size(plain) / 4);
    dp_put(frame);
    dp_put(plain);
    unmake(&one);
}

static void *build_once(void *user)
{
    dp_buf *frame = NULL;
    dp_status status = format_of(FORMAT_JSON_DEFLATE)->build(pool, user, &frame);
    dp_put(frame);
    return (void *)(uintptr_t)status;
}

/* A thread's first batch makes its compressor: each allocation of that may fail. */
static void memory_that_lacks_is_said_and_nothing_is_lost(void **state)
{
    (void)state;
    made one;
    make(&one, 3, 0);
    uint64_t nth = 0;
    bool fired;
    do {
        pthread_t thread;
        void *status = NULL;
        (void)os_malloc_fail_nth(++nth);
        assert_int_equal(pthread_create(&thread, NULL, build_once, &one.batch), 0);
        assert_int_equal(pthread_join(thread, &status), 0);
        fired = os_malloc_fail_nth(0) == 0;
        assert_true((uintptr_t)status == DP_OK || (fired && (uintptr_t)status == DP_ERR_NOMEM));
    } while (fired);
    assert_true(nth > 4);
    unmake(&one);
    dp_stats stats;
    dp_stats_read(pool, &stats);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        assert_int_equal(stats.tiers[id].used_bytes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_batch_inflates_alone_to_the_plain_one),
        cmocka_unit_test(alike_comments_become_a_fraction),
        cmocka_unit_test(memory_that_lacks_is_said_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
