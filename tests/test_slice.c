/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices: parts that share their buffer's reference, inside its bounds, and proven to copy nothing.
 */
#include "cm.h"

#include <string.h>

#include <danpool/slice.h>
#include <danpool/stats.h>

#include "pool_rig.h"

static void a_slice_keeps_its_buffer_and_shows_its_bytes_in_place(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_OTHER, 100);
    memcpy(dp_buf_data(buf), "head{body}tail", 14);
    dp_slice part;
    dp_slice inner;
    assert_int_equal(dp_slice_make(buf, 4, 6, &part), DP_OK);
    assert_int_equal(buf_references(buf), 2);
    assert_int_equal(dp_slice_sub(&part, 1, 4, &inner), DP_OK);
    assert_int_equal(buf_references(buf), 3);
    assert_ptr_equal(dp_slice_data(&inner), (char *)dp_buf_data(buf) + 5);
    dp_slice again = dp_slice_ref(&inner);
    assert_int_equal(buf_references(buf), 4);
    dp_put(buf);
    dp_slice_put(&part);
    dp_slice_put(&inner);
    /* The last part is all that holds the block: it must not be handed out again. */
    dp_buf *other = rig_get(rig.pool, DP_KIND_OTHER, 100);
    assert_ptr_not_equal(other, again.buf);
    dp_put(other);
    assert_memory_equal(dp_slice_data(&again), "body", 4);
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    assert_int_equal(stats.bytes_copied, 0);
    dp_slice_put(&again);
    assert_null(again.buf);
    assert_null(dp_slice_data(&again));
    dp_slice_put(&again); /* nothing to put */
    pool_rig_close(&rig);
}

static void a_slice_outside_the_bytes_in_use_is_refused(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_OTHER, 100);
    assert_true(dp_buf_capacity(buf) > 100);
    dp_slice part = {.size_bytes = 7};
    assert_int_equal(dp_slice_make(buf, 0, 101, &part), DP_ERR_INVALID);
    assert_int_equal(dp_slice_make(buf, 101, 0, &part), DP_ERR_INVALID);
    assert_int_equal(dp_slice_make(buf, SIZE_MAX, 2, &part), DP_ERR_INVALID);
    assert_int_equal(dp_slice_make(buf, 2, SIZE_MAX, &part), DP_ERR_INVALID);
    assert_null(part.buf);
    assert_int_equal(part.size_bytes, 7);
    assert_int_equal(dp_slice_make(buf, 100, 0, &part), DP_OK);
    dp_slice_put(&part);
    assert_int_equal(dp_slice_make(buf, 10, 20, &part), DP_OK);
    dp_slice inner = {.buf = NULL};
    /* Inside the buffer is not enough. */
    assert_int_equal(dp_slice_sub(&part, 0, 21, &inner), DP_ERR_INVALID);
    assert_int_equal(dp_slice_sub(&part, 21, 0, &inner), DP_ERR_INVALID);
    assert_int_equal(dp_slice_sub(&part, SIZE_MAX, 1, &inner), DP_ERR_INVALID);
    char byte = 0;
    assert_int_equal(dp_slice_read(&part, 20, &byte, 1), DP_ERR_INVALID);
    assert_int_equal(dp_slice_read(&part, 1, &byte, SIZE_MAX), DP_ERR_INVALID);
    assert_int_equal(buf_references(buf), 2);
    dp_slice_put(&part);
    dp_put(buf);
    pool_rig_close(&rig);
}

static void a_slice_of_device_memory_is_read_and_counted(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_request request = {.size_bytes = 64, .kind = DP_KIND_SURFACE, .batch_size = 8};
    dp_buf *buf = NULL;
    assert_int_equal(dp_get(rig.pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HBM);
    assert_int_equal(dp_buf_write(buf, 0, "0123456789", 10), DP_OK);
    dp_slice part;
    char bytes[3];
    assert_int_equal(dp_slice_make(buf, 2, 8, &part), DP_OK);
    dp_put(buf);
    assert_null(dp_slice_data(&part));
    assert_int_equal(dp_slice_read(&part, 3, bytes, 3), DP_OK);
    assert_memory_equal(bytes, "567", 3);
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    assert_int_equal(stats.bytes_copied, 13);
    dp_slice_put(&part);
    pool_rig_close(&rig);
}

/* What a fan-out does: one buffer, a thousand deliveries of parts of it, and the proof. */
static void zero_copy_shows_in_the_counters(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 4096);
    assert_int_equal(dp_buf_write(buf, 0, "a comment", 9), DP_OK);
    for (size_t i = 0; i < 1000; i++) {
        dp_slice part;
        assert_int_equal(dp_slice_make(buf, i, 1024, &part), DP_OK);
        dp_stats_delivered(part.buf, part.size_bytes);
        dp_slice_put(&part);
    }
    dp_put(buf);
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    assert_int_equal(stats.bytes_copied, 9);
    assert_int_equal(stats.bytes_delivered, 1000 * 1024);
    pool_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_keeps_its_buffer_and_shows_its_bytes_in_place),
        cmocka_unit_test(a_slice_outside_the_bytes_in_use_is_refused),
        cmocka_unit_test(a_slice_of_device_memory_is_read_and_counted),
        cmocka_unit_test(zero_copy_shows_in_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
