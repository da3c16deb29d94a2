/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA kernels on a device against their CPU twins, byte for byte, on random input (the seed is
 * printed).  Skipped as a whole where the build has no kernels or the machine no device; memory on
 * the device is the pool's hbm tier.
 */
#include <stdio.h>

#include "cm.h"
#include "dp_features.h"

#if DP_HAVE_CUDA

#include <danpool/pool.h>

#include "kernel_rig.h"
#include "kernels/cuda_launch.h"

/* Buffers that are out, to be found by their address. */
#define HELD_MAX 64

static dp_pool *pool;
static dp_buf *held[HELD_MAX];

static dp_buf **holder_of(uint64_t address)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        if ((held[i] == NULL ? 0 : dp_buf_device_address(held[i])) == address) {
            return &held[i];
        }
    }
    fail_msg("no such buffer");
    return NULL;
}

static uint64_t take(const void *bytes, size_t size_bytes)
{
    const dp_request request = {
        .size_bytes = size_bytes, .kind = DP_KIND_SURFACE, .need = DP_NEED_DEVICE};
    dp_buf **holder = holder_of(0);

    assert_int_equal(dp_get(pool, &request, holder), DP_OK);
    if (bytes != NULL) {
        assert_int_equal(dp_buf_write(*holder, 0, bytes, size_bytes), DP_OK);
    }
    return dp_buf_device_address(*holder);
}

static void read_back(uint64_t address, void *bytes, size_t size_bytes)
{
    assert_int_equal(dp_buf_read(*holder_of(address), 0, bytes, size_bytes), DP_OK);
}

static void give(uint64_t address)
{
    dp_buf **holder = holder_of(address);
    dp_put(*holder);
    *holder = NULL;
}

int main(void)
{
    static const kernel_memory memory = {.take = take, .read = read_back, .give = give};
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
    const int failed = kernel_rig_run(&memory);
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
