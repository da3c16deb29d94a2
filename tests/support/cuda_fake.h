/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CUDA driver table over malloc, to drive our side of the driver API where there is no GPU.
 *
 * It keeps the rules that our code could break: nothing but cuInit and the device queries works
 * without a current context, a context is current per thread, device addresses cannot be
 * dereferenced (they are tagged), what is freed must have been allocated, and after the device is
 * lost every call fails until the next reset.  It is a test double: no program but tests links it.
 */
#ifndef DP_TESTS_CUDA_FAKE_H
#define DP_TESTS_CUDA_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool/cuda_driver.h"

typedef struct cuda_fake_plan {
    int device_count;        /* 0: "driver found, no device" */
    cuda_result init_result; /* what cuInit answers */
    size_t device_bytes;     /* memory of the device; past it allocations fail */
    size_t pinned_bytes;     /* page-locked memory that the system grants */
    uint64_t lost_after;     /* (optional) the device is lost at the n-th call that touches it */
    cuda_result lost_result; /* what every call answers from then on */
    unsigned call_delay_us;  /* each call that touches the device takes that long at least */
} cuda_fake_plan;

#define CUDA_FAKE_PLAN_DEFAULT                                                                     \
    {                                                                                              \
        .device_count = 1, .device_bytes = (size_t)256 << 20, .pinned_bytes = (size_t)256 << 20,   \
        .lost_result = CUDA_ECC_UNCORRECTABLE                                                      \
    }

/* What is out at this moment: all zero when nothing leaked. */
typedef struct cuda_fake_leaks {
    size_t device_allocations;
    size_t pinned_allocations;
    size_t contexts_retained;
    size_t contexts_pushed; /* on the calling thread */
} cuda_fake_leaks;

/* Starts anew with a plan and installs the table; asserts that the last user left nothing behind.
 */
void cuda_fake_install(const cuda_fake_plan *plan);
/* Installs the real driver again. */
void cuda_fake_uninstall(void);

cuda_fake_leaks cuda_fake_leaks_read(void);
bool cuda_fake_is_clean(void);
/* Calls that touched the device since the install. */
uint64_t cuda_fake_calls(void);
/* Loses the device now. */
void cuda_fake_lose(void);
/* Makes a lost device work again, as after a reset; what was allocated on it is still there. */
void cuda_fake_mend(void);

#endif
