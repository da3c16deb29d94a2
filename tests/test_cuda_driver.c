/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver table: what it says when there is no driver or no device, that every call runs with
 * the context current and leaves the thread's contexts as they were, and how errors are mapped.
 * All over the fake but for one test, which takes this machine as it is.
 */
#include "cm.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cuda_fake.h"
#include "pool/tier.h"

static void errors_map_to_one_status_each(void **state)
{
    (void)state;
    assert_int_equal(cuda_status(CUDA_OK), DP_OK);
    assert_int_equal(cuda_status(CUDA_OUT_OF_MEMORY), DP_ERR_NOMEM);
    static const cuda_result absent[] = {CUDA_NOT_INITIALIZED, CUDA_NO_DEVICE, CUDA_INVALID_DEVICE,
                                         CUDA_STUB_LIBRARY, CUDA_SYSTEM_DRIVER_MISMATCH};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        assert_int_equal(cuda_status(absent[i]), DP_ERR_UNSUPPORTED);
    }
    static const cuda_result broken[] = {CUDA_ECC_UNCORRECTABLE,
                                         CUDA_LAUNCH_FAILED,
                                         CUDA_ILLEGAL_ADDRESS,
                                         CUDA_DEVICE_UNAVAILABLE,
                                         CUDA_INVALID_CONTEXT,
                                         CUDA_UNKNOWN,
                                         123456};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_int_equal(cuda_status(broken[i]), DP_ERR_DEVICE);
    }
}

static void this_machine_has_a_device_or_says_why_not(void **state)
{
    (void)state;
    char detail[CUDA_DETAIL_BYTES] = "";
    cuda_device device = {0};
    dp_status status = cuda_device_open(detail, &device);
    if (status != DP_OK) {
        print_message("cuda_driver: no device here: %s\n", detail);
        assert_true(status == DP_ERR_UNSUPPORTED || status == DP_ERR_DEVICE);
        assert_true(strlen(detail) > 10);
        assert_null(device.driver);
        /* Asked again, the answer is the same: loading happened once. */
        char again[CUDA_DETAIL_BYTES] = "";
        assert_int_equal(cuda_device_open(again, &device), status);
        assert_string_equal(again, detail);
        return;
    }
    print_message("cuda_driver: found %s\n", device.name);
    assert_int_equal(cuda_enter(&device), DP_OK);
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    assert_int_equal(device.driver->memory_info(&free_bytes, &total_bytes), CUDA_OK);
    assert_true(total_bytes > 0 && free_bytes <= total_bytes);
    cuda_leave(&device);
    cuda_device_close(&device);
}

static void a_driver_without_a_device_says_so(void **state)
{
    (void)state;
    cuda_fake_plan none = CUDA_FAKE_PLAN_DEFAULT;
    char detail[CUDA_DETAIL_BYTES] = "";
    cuda_device device = {0};
    none.device_count = 0;
    cuda_fake_install(&none);
    assert_int_equal(cuda_device_open(detail, &device), DP_ERR_UNSUPPORTED);
    assert_string_equal(detail, "CUDA driver found, no device");
    cuda_fake_uninstall();

    none.device_count = 1;
    none.init_result = CUDA_NO_DEVICE;
    cuda_fake_install(&none);
    assert_int_equal(cuda_device_open(detail, &device), DP_ERR_UNSUPPORTED);
    assert_string_equal(detail, "CUDA driver found, no device");
    cuda_fake_uninstall();

    none.init_result = CUDA_SYSTEM_NOT_READY;
    cuda_fake_install(&none);
    assert_int_equal(cuda_device_open(detail, &device), DP_ERR_DEVICE);
    assert_string_equal(detail, "CUDA driver found, cuInit failed: CUDA_ERROR_FAKE (802)");
    cuda_fake_uninstall();
    assert_true(cuda_fake_is_clean());
}

static void the_context_is_current_only_between_enter_and_leave(void **state)
{
    (void)state;
    cuda_fake_plan one = CUDA_FAKE_PLAN_DEFAULT;
    cuda_fake_install(&one);
    char detail[CUDA_DETAIL_BYTES];
    cuda_device device = {0};
    cuda_address address = 0;
    assert_int_equal(cuda_device_open(detail, &device), DP_OK);
    assert_int_equal(device.driver->memory_alloc(&address, 64), CUDA_INVALID_CONTEXT);
    assert_int_equal(cuda_enter(&device), DP_OK);
    assert_int_equal(cuda_enter(&device), DP_OK);
    cuda_leave(&device);
    assert_int_equal(device.driver->memory_alloc(&address, 64), CUDA_OK);
    assert_int_equal(device.driver->memory_free(address), CUDA_OK);
    cuda_leave(&device);
    assert_int_equal(cuda_fake_leaks_read().contexts_pushed, 0);
    assert_int_equal(cuda_fake_leaks_read().contexts_retained, 1);
    cuda_device_close(&device);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

#define TIER_THREADS 4
#define TIER_ROUNDS  50

/* Copies through a tier on a thread of its own; no cmocka here, which knows the main thread only.
 */
static void *copy_on_a_thread(void *user)
{
    dp_tier *tier = ((void **)user)[0];
    const tier_region *region = ((void **)user)[1];
    unsigned char out[256];
    unsigned char back[256];
    memset(out, 0x5a, sizeof out);
    for (int i = 0; i < TIER_ROUNDS; i++) {
        if (tier_read(tier, region, 1024, back, sizeof back) != DP_OK ||
            memcmp(out, back, sizeof out) != 0) {
            return (void *)"a thread read other bytes than were written";
        }
    }
    return cuda_fake_leaks_read().contexts_pushed == 0 ? NULL : (void *)"a context stayed current";
}

static void threads_copy_without_a_context_of_their_own(void **state)
{
    (void)state;
    cuda_fake_plan slow = CUDA_FAKE_PLAN_DEFAULT;
    slow.call_delay_us = 50;
    cuda_fake_install(&slow);
    char detail[96];
    tier_open_args args = {0};
    dp_tier *tier = NULL;
    tier_region region;
    assert_int_equal(tier_open(DP_TIER_HBM, &args, detail, &tier), DP_OK);
    assert_int_equal(tier_region_get(tier, 4096, &region), DP_OK);
    unsigned char bytes[256];
    memset(bytes, 0x5a, sizeof bytes);
    assert_int_equal(tier_write(tier, &region, 1024, bytes, sizeof bytes), DP_OK);
    pthread_t threads[TIER_THREADS];
    void *user[] = {tier, &region};
    for (int i = 0; i < TIER_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, copy_on_a_thread, user), 0);
    }
    for (int i = 0; i < TIER_THREADS; i++) {
        void *complaint = NULL;
        pthread_join(threads[i], &complaint);
        assert_null(complaint);
    }
    tier_region_put(tier, &region);
    tier_close(tier);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_map_to_one_status_each),
        cmocka_unit_test(this_machine_has_a_device_or_says_why_not),
        cmocka_unit_test(a_driver_without_a_device_says_so),
        cmocka_unit_test(the_context_is_current_only_between_enter_and_leave),
        cmocka_unit_test(threads_copy_without_a_context_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
