/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CUDA driver table over malloc, to drive our side of the driver API where there is no GPU.
 *
 * It keeps the rules that our code could break: nothing but cuInit and the device queries works
 * without a current context, a context is current per thread, device addresses cannot be
 * dereferenced (they are tagged; managed ones can), what is freed must have been allocated, advice
 * is for managed memory, events are used between their creation and destruction, and after the
 * device is lost every call fails until the next reset.  Streams are numbers; their work is done at
 * once, or, while they are held, when the test says so.  It is a test double: no program but tests
 * links it.
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
    size_t managed_bytes;    /* managed memory that the system grants */
    bool no_managed;         /* the device has no managed memory */
    bool no_concurrency;     /* it has, but the CPU may not touch it while kernels run */
    uint32_t lacks;          /* CUDA_FAKE_LACKS_* bits: symbols that this driver does not export */
    unsigned events_max;     /* (optional) past it cuEventCreate is out of memory */
    uint64_t lost_after;     /* (optional) the device is lost at the n-th call that touches it */
    cuda_result lost_result; /* what every call answers from then on */
    unsigned call_delay_us;  /* each call that touches the device takes that long at least */
    void (*on_call)(void *user); /* (optional) run by each such call: moves a test's clock */
    void *on_call_user;
} cuda_fake_plan;

#define CUDA_FAKE_LACKS_MANAGED  1u
#define CUDA_FAKE_LACKS_LOCATION 2u /* the forms of CUDA 12.2: advice by location */
#define CUDA_FAKE_LACKS_ORDINAL  4u /* the older ones: advice by ordinal */

#define CUDA_FAKE_PLAN_DEFAULT                                                                     \
    {                                                                                              \
        .device_count = 1, .device_bytes = (size_t)256 << 20, .pinned_bytes = (size_t)256 << 20,   \
        .managed_bytes = (size_t)256 << 20, .lost_result = CUDA_ECC_UNCORRECTABLE                  \
    }

/* What is out at this moment: all zero when nothing leaked. */
typedef struct cuda_fake_leaks {
    size_t device_allocations;
    size_t pinned_allocations;
    size_t managed_allocations;
    size_t events;
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

/* The last advice or prefetch, as the driver was told; count is 0 when there was none. */
typedef struct cuda_fake_hint {
    unsigned count;
    bool by_ordinal; /* through the older form */
    bool is_prefetch;
    cuda_address address;
    size_t size_bytes;
    int advice;
    cuda_location location; /* from the older form too: CUDA_LOCATION_HOST for the CPU */
    uint64_t stream;
} cuda_fake_hint;

cuda_fake_hint cuda_fake_hint_read(void);

/* From now on work on every stream stays undone (true) or is done at once (false). */
void cuda_fake_streams_hold(bool hold);
/* The work queued on that stream up to now is done. */
void cuda_fake_stream_pass(uint64_t stream);
/* Calls that waited for work which the test had not let pass. */
unsigned cuda_fake_waits(void);

#endif
