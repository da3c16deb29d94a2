/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting in the order of a stream, advice and prefetch, on a real GPU.  A stream is made to stand
 * still by a host function that waits for the test, so nothing here depends on how fast the device
 * is.  Skipped as a whole where there is no device; tests/test_stream_release.c and
 * tests/test_tier_managed.c drive the same code everywhere, over the fake driver.
 */
#include "cm.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <danpool/device.h>
#include <danpool/pool.h>

#include "pool/cuda_driver.h"
#include "pool/os.h"
#include "pool/pool_internal.h"

#define BLOCK_BYTES ((size_t)256 << 10)

/* What only a test needs of the driver.  X(slot, exported symbol, parameters). */
#define GPU_CALL_LIST(X)                                                                           \
    X(stream_create, "cuStreamCreate", (cuda_stream * *stream, unsigned flags))                    \
    X(stream_destroy, "cuStreamDestroy_v2", (cuda_stream * stream))                                \
    X(stream_sync, "cuStreamSynchronize", (cuda_stream * stream))                                  \
    X(host_function, "cuLaunchHostFunc",                                                           \
      (cuda_stream * stream, void (*function)(void *user), void *user))                            \
    X(fill, "cuMemsetD8Async",                                                                     \
      (cuda_address to, unsigned char byte, size_t size_bytes, cuda_stream *stream))               \
    X(range_attribute, "cuMemRangeGetAttribute",                                                   \
      (void *out, size_t out_bytes, int attribute, cuda_address address, size_t size_bytes))

static struct {
#define GPU_SLOT(slot, symbol, parameters) cuda_result(*slot) parameters;
    GPU_CALL_LIST(GPU_SLOT)
#undef GPU_SLOT
} gpu;

/* CUmem_range_attribute. */
enum { RANGE_READ_MOSTLY = 1, RANGE_PREFERRED = 2, RANGE_LAST_PREFETCH = 4 };

#define STREAM_NON_BLOCKING 1u /* CU_STREAM_NON_BLOCKING: apart from the default stream */

static cuda_device device;
static char absence[CUDA_DETAIL_BYTES];

static bool load_calls(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL;
    void *address = NULL;
#define GPU_LOAD(slot, symbol, parameters)                                                         \
    address = all ? dlsym(library, symbol) : NULL;                                                 \
    all = all && address != NULL;                                                                  \
    memcpy(&gpu.slot, &address, sizeof address);
    GPU_CALL_LIST(GPU_LOAD)
#undef GPU_LOAD
    return all;
}

/* --- a stream that stands still --- */

typedef struct gate {
    cuda_stream *stream;
    atomic_bool open;
} gate;

static void pause_ms(long ms)
{
    struct timespec wait = {.tv_nsec = ms * 1000000};
    nanosleep(&wait, NULL);
}

/* On a thread of the driver's. */
static void wait_at(void *user)
{
    gate *self = user;
    while (!atomic_load(&self->open)) {
        pause_ms(1);
    }
}

static void gate_make(gate *self)
{
    atomic_init(&self->open, false);
    assert_int_equal(gpu.stream_create(&self->stream, STREAM_NON_BLOCKING), CUDA_OK);
}

static void gate_close(gate *self)
{
    atomic_store(&self->open, false);
    assert_int_equal(gpu.host_function(self->stream, wait_at, self), CUDA_OK);
}

static void gate_pass(gate *self)
{
    atomic_store(&self->open, true);
    assert_int_equal(gpu.stream_sync(self->stream), CUDA_OK);
}

static uint64_t gate_stream(const gate *self)
{
    return (uintptr_t)self->stream;
}

/* --- the pool --- */

static dp_pool *pool_over(dp_tier_id id)
{
    const dp_route_rule rule = {.kind = DP_KIND_COUNT, .tiers = {id, DP_TIER_NONE}};
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool = NULL;
    dp_tier_info info;
    config.tiers = DP_TIER_BIT(id) | DP_TIER_BIT(DP_TIER_HOST);
    config.rules = &rule;
    config.rule_count = 1;
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    assert_int_equal(dp_pool_tier_info(pool, id, &info), DP_OK);
    if (info.state != DP_OK) {
        print_message("stream_gpu: %s skipped: %s\n", info.name, info.detail);
        dp_pool_destroy(pool);
        skip();
    }
    return pool;
}

static dp_buf *get(dp_pool *pool)
{
    dp_buf *buf = NULL;
    dp_request request = {.size_bytes = BLOCK_BYTES};
    assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
    return buf;
}

static int enter(void **state)
{
    (void)state;
    return cuda_enter(&device) == DP_OK ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    cuda_leave(&device);
    return 0;
}

static void expect_held_until_passed(dp_tier_id id)
{
    dp_pool *pool = pool_over(id);
    gate still;
    gate_make(&still);
    dp_buf *first = get(pool);
    uint64_t block = dp_buf_device_address(first);
    /* From here on every block is cut from a region that is there: taking one waits for streams. */
    gate_close(&still);
    assert_int_equal(gpu.fill(block, 0xaa, BLOCK_BYTES, still.stream), CUDA_OK);
    dp_put_on_stream(first, gate_stream(&still));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(dp_pool_reclaim(pool), 1);
        dp_buf *other = get(pool);
        assert_int_not_equal(dp_buf_device_address(other), block);
        dp_put(other);
        pause_ms(1);
    }
    pool_check(pool);
    gate_pass(&still);
    assert_int_equal(dp_pool_reclaim(pool), 0);
    dp_buf *again = get(pool);
    assert_int_equal(dp_buf_device_address(again), block);
    /* The queued work was done in the block while it was nobody else's. */
    unsigned char last = 0;
    assert_int_equal(dp_buf_read(again, BLOCK_BYTES - 1, &last, 1), DP_OK);
    assert_int_equal(last, 0xaa);
    dp_put(again);
    pool_check(pool);
    dp_pool_destroy(pool);
    assert_int_equal(gpu.stream_destroy(still.stream), CUDA_OK);
}

static void a_block_of_hbm_is_not_reused_before_its_stream_has_passed(void **state)
{
    (void)state;
    expect_held_until_passed(DP_TIER_HBM);
}

static void a_pinned_block_is_not_reused_before_its_stream_has_passed(void **state)
{
    (void)state;
    expect_held_until_passed(DP_TIER_PINNED);
}

static void a_managed_block_is_not_reused_before_its_stream_has_passed(void **state)
{
    (void)state;
    expect_held_until_passed(DP_TIER_MANAGED);
}

static void a_stream_that_stands_still_does_not_hold_up_another(void **state)
{
    (void)state;
    dp_pool *pool = pool_over(DP_TIER_HBM);
    gate still;
    gate quick;
    gate_make(&still);
    gate_make(&quick);
    dp_buf *held = get(pool);
    dp_buf *passing = get(pool);
    gate_close(&still);
    dp_put_on_stream(held, gate_stream(&still));
    dp_put_on_stream(passing, gate_stream(&quick));
    assert_int_equal(gpu.stream_sync(quick.stream), CUDA_OK);
    assert_int_equal(dp_pool_reclaim(pool), 1);
    gate_pass(&still);
    assert_int_equal(dp_pool_reclaim(pool), 0);
    dp_pool_destroy(pool);
    assert_int_equal(gpu.stream_destroy(still.stream), CUDA_OK);
    assert_int_equal(gpu.stream_destroy(quick.stream), CUDA_OK);
}

static void *open_later(void *user)
{
    pause_ms(50);
    atomic_store(&((gate *)user)->open, true);
    return NULL;
}

static void destroying_waits_for_the_stream(void **state)
{
    (void)state;
    dp_pool *pool = pool_over(DP_TIER_HBM);
    pthread_t opener;
    gate still;
    gate_make(&still);
    dp_buf *held = get(pool);
    gate_close(&still);
    dp_put_on_stream(held, gate_stream(&still));
    assert_int_equal(pthread_create(&opener, NULL, open_later, &still), 0);
    dp_pool_destroy(pool);
    assert_true(atomic_load(&still.open));
    pthread_join(opener, NULL);
    assert_int_equal(gpu.stream_destroy(still.stream), CUDA_OK);
}

static int range_attribute(const dp_buf *buf, int attribute)
{
    int value = -77;
    assert_int_equal(gpu.range_attribute(&value, sizeof value, attribute,
                                         dp_buf_device_address(buf), dp_buf_capacity(buf)),
                     CUDA_OK);
    return value;
}

static void the_driver_keeps_what_it_was_advised(void **state)
{
    (void)state;
    dp_pool *pool = pool_over(DP_TIER_MANAGED);
    dp_buf *buf = get(pool);
    memset(dp_buf_data(buf), 0x5a, BLOCK_BYTES);
    assert_int_equal(range_attribute(buf, RANGE_READ_MOSTLY), 0);
    assert_int_equal(dp_buf_advise(buf, DP_ADVICE_READ_MOSTLY), DP_OK);
    assert_int_equal(range_attribute(buf, RANGE_READ_MOSTLY), 1);
    assert_int_equal(dp_buf_advise(buf, DP_ADVICE_READ_WRITE), DP_OK);
    assert_int_equal(range_attribute(buf, RANGE_READ_MOSTLY), 0);
    assert_int_equal(dp_buf_advise(buf, DP_ADVICE_PREFER_DEVICE), DP_OK);
    assert_int_equal(range_attribute(buf, RANGE_PREFERRED), device.ordinal);
    assert_int_equal(dp_buf_advise(buf, DP_ADVICE_PREFER_HOST), DP_OK);
    assert_int_equal(range_attribute(buf, RANGE_PREFERRED), CUDA_ORDINAL_CPU);
    assert_int_equal(dp_buf_advise(buf, DP_ADVICE_PREFER_NONE), DP_OK);
    assert_int_equal(dp_buf_prefetch(buf, DP_PLACE_DEVICE, 0), DP_OK);
    assert_int_equal(range_attribute(buf, RANGE_LAST_PREFETCH), device.ordinal);
    assert_int_equal(dp_buf_prefetch(buf, DP_PLACE_HOST, 0), DP_OK);
    assert_int_equal(range_attribute(buf, RANGE_LAST_PREFETCH), CUDA_ORDINAL_CPU);
    assert_int_equal(gpu.stream_sync(NULL), CUDA_OK);
    const unsigned char *bytes = dp_buf_data(buf);
    assert_true(bytes[0] == 0x5a && bytes[BLOCK_BYTES - 1] == 0x5a);
    dp_put(buf);
    dp_pool_destroy(pool);
}

#define GPU_TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GPU_TEST(a_block_of_hbm_is_not_reused_before_its_stream_has_passed),
        GPU_TEST(a_pinned_block_is_not_reused_before_its_stream_has_passed),
        GPU_TEST(a_managed_block_is_not_reused_before_its_stream_has_passed),
        GPU_TEST(a_stream_that_stands_still_does_not_hold_up_another),
        GPU_TEST(destroying_waits_for_the_stream),
        GPU_TEST(the_driver_keeps_what_it_was_advised),
    };
    if (cuda_device_open(absence, &device) != DP_OK) {
        printf("stream_gpu: skipped: %s\n", absence);
        return 77;
    }
    if (!load_calls()) {
        printf("stream_gpu: skipped: the driver lacks a call that this test needs\n");
        return 77;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cuda_device_close(&device);
    return failed;
}
