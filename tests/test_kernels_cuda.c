/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA kernels against their CPU twins, byte for byte, on random input (the seed is printed).
 * Skipped as a whole where the build has no kernels or the machine no device; memory on the device
 * is the pool's hbm tier.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cm.h"
#include "dp_features.h"

#if DP_HAVE_CUDA

#include <danpool/pool.h>

#include "kernels/composite.h"
#include "kernels/cuda_launch.h"
#include "kernels/resize.h"

static dp_pool *pool;
static uint32_t seed;

static uint32_t random_number(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static dp_buf *on_device(const void *bytes, size_t size_bytes)
{
    const dp_request request = {
        .size_bytes = size_bytes, .kind = DP_KIND_SURFACE, .need = DP_NEED_DEVICE};
    dp_buf *buf;
    assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
    if (bytes != NULL) {
        assert_int_equal(dp_buf_write(buf, 0, bytes, size_bytes), DP_OK);
    }
    return buf;
}

static uint8_t *random_bytes(size_t size_bytes)
{
    uint8_t *out = malloc(size_bytes);
    assert_non_null(out);
    for (size_t i = 0; i < size_bytes; i++) {
        out[i] = (uint8_t)random_number();
    }
    return out;
}

static void compare_resize(const uint32_t from[2], const uint32_t to[2])
{
    const size_t from_bytes = (size_t)from[0] * from[1] * 4, to_bytes = (size_t)to[0] * to[1] * 4;
    const size_t axis_bytes[2] = {resize_axis_bytes(from[0], to[0]),
                                  resize_axis_bytes(from[1], to[1])};
    void *memory[2] = {malloc(axis_bytes[0]), malloc(axis_bytes[1])};
    uint8_t *source = random_bytes(from_bytes), *want = malloc(to_bytes), *got = malloc(to_bytes);
    resize_axis x, y;

    assert_true(memory[0] != NULL && memory[1] != NULL && want != NULL && got != NULL);
    resize_axis_init(&x, from[0], to[0], memory[0]);
    resize_axis_init(&y, from[1], to[1], memory[1]);
    void *scratch = malloc(resize_cpu_scratch_bytes(&x, &y));
    assert_non_null(scratch);
    resize_cpu(&(resize_args){&x, &y, source, (size_t)from[0] * 4, want, (size_t)to[0] * 4},
               scratch);
    dp_buf *parts[5] = {on_device(source, from_bytes), on_device(NULL, to_bytes),
                        on_device(memory[0], axis_bytes[0]), on_device(memory[1], axis_bytes[1]),
                        on_device(NULL, resize_cuda_scratch_bytes(&x, &y))};
    const resize_cuda_args args = {.x = &x,
                                   .y = &y,
                                   .source = dp_buf_device_address(parts[0]),
                                   .target = dp_buf_device_address(parts[1]),
                                   .x_memory = dp_buf_device_address(parts[2]),
                                   .y_memory = dp_buf_device_address(parts[3]),
                                   .scratch = dp_buf_device_address(parts[4])};
    const char *failure = resize_cuda(&args);
    assert_string_equal(failure == NULL ? "" : failure, "");
    assert_int_equal(dp_buf_read(parts[1], 0, got, to_bytes), DP_OK);
    assert_memory_equal(got, want, to_bytes);
    for (int i = 0; i < 5; i++) {
        dp_put(parts[i]);
    }
    free(scratch);
    free(memory[0]);
    free(memory[1]);
    free(source);
    free(want);
    free(got);
}

static void resize_gives_the_same_bytes(void **state)
{
    static const uint32_t sizes[][4] = {{64, 48, 17, 13}, {1920, 1080, 480, 270}, {9, 7, 40, 31},
                                        {1, 1, 1, 1},     {5000, 3, 2, 1},        {33, 33, 33, 33}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        compare_resize(sizes[i], sizes[i] + 2);
    }
    for (int i = 0; i < 20; i++) {
        const uint32_t from[2] = {random_number() % 700 + 1, random_number() % 700 + 1};
        const uint32_t to[2] = {random_number() % 300 + 1, random_number() % 300 + 1};
        compare_resize(from, to);
    }
}

typedef const char *run_on_device(uint64_t rgba, size_t pixels);
typedef void run_on_host(uint8_t *rgba, size_t pixels);

static void compare_in_place(run_on_device *device, run_on_host *host)
{
    const size_t pixels = 100003;
    uint8_t *want = random_bytes(pixels * 4), *got = malloc(pixels * 4);
    assert_non_null(got);
    dp_buf *buf = on_device(want, pixels * 4);
    assert_null(device(dp_buf_device_address(buf), pixels));
    assert_int_equal(dp_buf_read(buf, 0, got, pixels * 4), DP_OK);
    host(want, pixels);
    assert_memory_equal(got, want, pixels * 4);
    dp_put(buf);
    free(want);
    free(got);
}

static void premultiply_and_back_give_the_same_bytes(void **state)
{
    (void)state;
    compare_in_place(composite_premultiply_cuda, composite_premultiply_cpu);
    compare_in_place(composite_unpremultiply_cuda, composite_unpremultiply_cpu);
}

static void over_gives_the_same_bytes(void **state)
{
    const size_t pixels = 100003;
    uint8_t *source = random_bytes(pixels * 4), *want = random_bytes(pixels * 4);
    uint8_t *got = malloc(pixels * 4);
    (void)state;
    assert_non_null(got);
    dp_buf *a = on_device(source, pixels * 4), *b = on_device(want, pixels * 4);
    assert_null(composite_over_cuda(dp_buf_device_address(b), dp_buf_device_address(a), pixels));
    assert_int_equal(dp_buf_read(b, 0, got, pixels * 4), DP_OK);
    composite_over_cpu(want, source, pixels);
    assert_memory_equal(got, want, pixels * 4);
    dp_put(a);
    dp_put(b);
    free(source);
    free(want);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_gives_the_same_bytes),
        cmocka_unit_test(premultiply_and_back_give_the_same_bytes),
        cmocka_unit_test(over_gives_the_same_bytes),
    };
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_tier_info info;
    const char *failure = cuda_launch_probe();

    if (failure != NULL) {
        printf("skipped: %s\n", failure);
        return CM_SKIP_ALL;
    }
    if (dp_pool_create(&config, &pool) != DP_OK) {
        return 1;
    }
    if (dp_pool_tier_info(pool, DP_TIER_HBM, &info) != DP_OK || info.state != DP_OK) {
        printf("skipped: tier hbm: %s\n", info.detail);
        dp_pool_destroy(pool);
        return CM_SKIP_ALL;
    }
    seed = (uint32_t)time(NULL);
    printf("seed %u\n", seed);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dp_pool_destroy(pool);
    return failed;
}

#else

int main(void)
{
    printf("skipped: built without the CUDA kernels (preset cuda has them)\n");
    return CM_SKIP_ALL;
}

#endif
