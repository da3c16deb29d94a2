/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers: references, facts, copies in and out of any tier, and what must stop the program. */
#include "cm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "dies.h"
#include "pool_rig.h"

static void a_buffer_holds_what_was_asked_for(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 1000);
    assert_int_equal(dp_buf_size(buf), 1000);
    assert_true(dp_buf_capacity(buf) >= 1000 && dp_buf_capacity(buf) <= 1280);
    assert_int_equal(dp_buf_kind(buf), DP_KIND_TEXT);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_PINNED);
    assert_int_equal(buf_references(buf), 1);
    memset(dp_buf_data(buf), 0xa5, dp_buf_capacity(buf));
    dp_buf_set_size(buf, dp_buf_capacity(buf));
    assert_int_equal(dp_buf_size(buf), dp_buf_capacity(buf));
    dp_put(buf);
    pool_rig_close(&rig);
}

static void requests_out_of_range_are_refused_and_out_is_untouched(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *untouched = (dp_buf *)&rig;
    dp_buf *buf = untouched;
    const struct {
        dp_request request;
        dp_status status;
    } rows[] = {
        {{.size_bytes = 0}, DP_ERR_INVALID},
        {{.size_bytes = DP_SIZE_BYTES_MAX + 1}, DP_ERR_TOO_LARGE},
        {{.size_bytes = SIZE_MAX}, DP_ERR_TOO_LARGE},
        {{.size_bytes = 1, .kind = DP_KIND_COUNT}, DP_ERR_INVALID},
        {{.size_bytes = 1, .priority = DP_PRIORITY_COUNT}, DP_ERR_INVALID},
        {{.size_bytes = 1, .need = 4}, DP_ERR_INVALID},
        {{.size_bytes = 1, .kind = DP_KIND_OTHER, .need = DP_NEED_DEVICE}, DP_ERR_UNSUPPORTED},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(dp_get(rig.pool, &rows[i].request, &buf), rows[i].status);
        assert_ptr_equal(buf, untouched);
    }
    pool_rig_close(&rig);
}

static void the_block_comes_back_with_the_last_reference_only(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_OTHER, 64);
    assert_ptr_equal(dp_ref(buf), buf);
    assert_int_equal(buf_references(buf), 2);
    dp_put(buf);
    dp_buf *other = rig_get(rig.pool, DP_KIND_OTHER, 64);
    assert_ptr_not_equal(other, buf);
    dp_put(other);
    dp_put(buf);
    dp_buf *again = rig_get(rig.pool, DP_KIND_OTHER, 64);
    assert_ptr_equal(again, buf);
    dp_put(again);
    dp_put(NULL);
    pool_rig_close(&rig);
}

static void bytes_go_in_and_out_of_a_tier_the_cpu_cannot_see(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_request request = {.size_bytes = 5000, .kind = DP_KIND_SURFACE, .batch_size = 8};
    dp_buf *buf = NULL;
    dp_buf *neighbour = NULL;
    assert_int_equal(dp_get(rig.pool, &request, &neighbour), DP_OK);
    assert_int_equal(dp_get(rig.pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HBM);
    assert_null(dp_buf_data(buf));
    assert_true(dp_buf_device_address(buf) % 256 == 0);
    char in[5000];
    char out[5000];
    for (unsigned i = 0; i < sizeof in; i++)
        in[i] = (char)(i * 7);
    assert_int_equal(dp_buf_write(neighbour, 0, out, 0), DP_OK);
    assert_int_equal(dp_buf_write(buf, 0, in, sizeof in), DP_OK);
    memset(out, 0, sizeof out);
    assert_int_equal(dp_buf_write(neighbour, 0, out, sizeof out), DP_OK);
    assert_int_equal(dp_buf_read(buf, 100, out, 4900), DP_OK);
    assert_memory_equal(out, in + 100, 4900);
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    assert_int_equal(stats.bytes_copied, 5000 + 5000 + 4900);
    dp_put(buf);
    dp_put(neighbour);
    pool_rig_close(&rig);
}

static void a_copy_outside_the_block_is_refused(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_OTHER, 64);
    char bytes[128] = {0};
    assert_int_equal(dp_buf_write(buf, 0, bytes, 65), DP_ERR_INVALID);
    assert_int_equal(dp_buf_write(buf, 64, bytes, 0), DP_OK);
    assert_int_equal(dp_buf_write(buf, 65, bytes, 0), DP_ERR_INVALID);
    assert_int_equal(dp_buf_write(buf, SIZE_MAX, bytes, 2), DP_ERR_INVALID);
    assert_int_equal(dp_buf_read(buf, 1, bytes, SIZE_MAX), DP_ERR_INVALID);
    assert_int_equal(dp_buf_read(buf, 63, bytes, 2), DP_ERR_INVALID);
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    assert_int_equal(stats.bytes_copied, 0);
    dp_put(buf);
    pool_rig_close(&rig);
}

/* ---- wrapped ---- */

typedef struct released {
    unsigned times;
    uint64_t cookie;
} released;

static void note_release(void *user, uint64_t cookie)
{
    released *note = user;
    note->times++;
    note->cookie = cookie;
}

static void a_wrapped_buffer_gives_its_memory_back_once(void **state)
{
    (void)state;
    static char object[100] = "kept in place";
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    released note = {0};
    buf_wrap_args args = {
        .tier = DP_TIER_PINNED,
        .kind = DP_KIND_ENCODED,
        .region = {.host = object, .size_bytes = sizeof object},
        .size_bytes = 14,
        .release = note_release,
        .user = &note,
        .cookie = 4711,
    };
    dp_buf *buf = NULL;
    os_malloc_fail_nth(1);
    assert_int_equal(buf_wrap(rig.pool, &args, &buf), DP_ERR_NOMEM);
    assert_int_equal(note.times, 0);
    assert_int_equal(buf_wrap(rig.pool, &args, &buf), DP_OK);
    assert_ptr_equal(dp_buf_data(buf), object);
    assert_int_equal(dp_buf_size(buf), 14);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_PINNED);
    char text[16];
    assert_int_equal(dp_buf_read(buf, 0, text, 14), DP_OK);
    assert_string_equal(text, "kept in place");
    assert_int_equal(dp_buf_write(buf, 0, "x", 1), DP_ERR_INVALID);
    dp_put(dp_ref(buf));
    assert_int_equal(note.times, 0);
    dp_put(buf);
    assert_int_equal(note.times, 1);
    assert_int_equal(note.cookie, 4711);
    pool_rig_close(&rig);
}

/* ---- threads ---- */

#define SHARERS      4
#define SHARE_ROUNDS 20000

static void *take_and_drop(void *user)
{
    dp_buf *buf = user;
    unsigned char first = *(const unsigned char *)dp_buf_data(buf);
    for (unsigned i = 0; i < SHARE_ROUNDS; i++) {
        dp_buf *mine = dp_ref(buf);
        if (*(const unsigned char *)dp_buf_data(mine) != first)
            abort();
        dp_put(mine);
    }
    dp_put(buf); /* the reference that came with the thread; one of the threads drops the last */
    return NULL;
}

static void references_from_many_threads_add_up(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    for (unsigned round = 0; round < 5; round++) {
        pthread_t threads[SHARERS];
        dp_buf *buf = rig_get(rig.pool, DP_KIND_TEXT, 64);
        memset(dp_buf_data(buf), (int)round, 64);
        for (unsigned i = 0; i < SHARERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, dp_ref(buf)), 0);
        dp_put(buf);
        for (unsigned i = 0; i < SHARERS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        pool_check(rig.pool);
    }
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    assert_int_equal(stats.tiers[DP_TIER_PINNED].used_bytes, 0);
    pool_rig_close(&rig);
}

/* ---- what must stop the program ---- */

static void put_twice(void *user)
{
    dp_buf *buf = rig_get(user, DP_KIND_OTHER, 64);
    dp_put(buf);
    dp_put(buf);
}

static void refer_to_a_free_buffer(void *user)
{
    dp_buf *buf = rig_get(user, DP_KIND_OTHER, 64);
    dp_put(buf);
    (void)dp_ref(buf);
}

static void say_more_than_it_holds(void *user)
{
    dp_buf_set_size(rig_get(user, DP_KIND_OTHER, 64), 65);
}

static void destroy_with_a_buffer_held(void *user)
{
    (void)rig_get(user, DP_KIND_OTHER, 64);
    dp_pool_destroy(user);
}

static void programmer_errors_stop_the_program(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_true(dies_of(put_twice, rig.pool, "before != 0"));
    assert_true(dies_of(refer_to_a_free_buffer, rig.pool, "before != 0"));
    assert_true(dies_of(say_more_than_it_holds, rig.pool, "capacity_bytes"));
    assert_true(dies_of(destroy_with_a_buffer_held, rig.pool, "live_blocks == 0"));
    pool_rig_close(&rig);
}

#if defined(__SANITIZE_ADDRESS__)
static void write_after_put(void *user)
{
    dp_buf *buf = rig_get(user, DP_KIND_OTHER, 64);
    volatile char *bytes = dp_buf_data(buf);
    dp_put(buf);
    bytes[3] = 1;
}

static void the_address_sanitizer_sees_a_write_after_the_last_put(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_true(ends_with_words(write_after_put, rig.pool, "use-after-poison"));
    pool_rig_close(&rig);
}
#endif

static void kinds_have_names_both_ways(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < DP_KIND_COUNT; kind++)
        assert_int_equal(dp_kind_by_name(dp_kind_name((dp_kind)kind)), kind);
    assert_int_equal(dp_kind_by_name("nonsense"), DP_KIND_COUNT);
    assert_string_equal(dp_kind_name(DP_KIND_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_holds_what_was_asked_for),
        cmocka_unit_test(requests_out_of_range_are_refused_and_out_is_untouched),
        cmocka_unit_test(the_block_comes_back_with_the_last_reference_only),
        cmocka_unit_test(bytes_go_in_and_out_of_a_tier_the_cpu_cannot_see),
        cmocka_unit_test(a_copy_outside_the_block_is_refused),
        cmocka_unit_test(a_wrapped_buffer_gives_its_memory_back_once),
        cmocka_unit_test(references_from_many_threads_add_up),
        cmocka_unit_test(programmer_errors_stop_the_program),
#if defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(the_address_sanitizer_sees_a_write_after_the_last_put),
#endif
        cmocka_unit_test(kinds_have_names_both_ways),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
