/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake's whole state is one struct under one mutex; the context stack is per thread.  Each
 * allocation is a node of a list, so that a free of anything else is seen.  A device address is the
 * block's own with a bit set that no user-space address has.
 */
#include "cuda_fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool/os.h"

#define DEVICE_TAG          (UINT64_C(1) << 62)
#define CONTEXTS_PUSHED_MAX 8u

typedef struct fake_block {
    struct fake_block *next;
    size_t size_bytes;
    bool pinned;
    unsigned char *bytes;
} fake_block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cuda_fake_plan plan;
static fake_block *blocks;
static size_t used_bytes[2]; /* device, pinned */
static size_t contexts_retained;
static uint64_t calls;
static bool initialised;
static bool lost;
static int context_object; /* its address is the context */

static _Thread_local unsigned contexts_pushed;

/* Every entry point that needs a context starts here; 0 when the call may go on. */
static cuda_result touch(void)
{
    os_lock(&lock);
    calls++;
    if (plan.lost_after != 0 && calls >= plan.lost_after) {
        lost = true;
    }
    cuda_result result = lost ? plan.lost_result : CUDA_OK;
    if (!initialised) {
        result = CUDA_NOT_INITIALIZED;
    } else if (contexts_pushed == 0) {
        result = CUDA_INVALID_CONTEXT;
    }
    unsigned delay_us = plan.call_delay_us;
    os_unlock(&lock);
    if (delay_us != 0) {
        struct timespec wait = {.tv_nsec = (long)delay_us * 1000};
        nanosleep(&wait, NULL);
    }
    return result;
}

static cuda_result block_alloc(size_t size_bytes, bool pinned, unsigned char **out)
{
    size_t limit_bytes = pinned ? plan.pinned_bytes : plan.device_bytes;
    os_lock(&lock);
    bool fits = size_bytes != 0 && size_bytes <= limit_bytes - used_bytes[pinned];
    if (fits) {
        used_bytes[pinned] += size_bytes;
    }
    os_unlock(&lock);
    if (!fits) {
        return size_bytes == 0 ? CUDA_INVALID_VALUE : CUDA_OUT_OF_MEMORY;
    }
    fake_block *block = calloc(1, sizeof *block);
    void *bytes = NULL;
    DP_ASSERT(block != NULL && posix_memalign(&bytes, 512, size_bytes) == 0);
    *block = (fake_block){.size_bytes = size_bytes, .pinned = pinned, .bytes = bytes};
    os_lock(&lock);
    block->next = blocks;
    blocks = block;
    os_unlock(&lock);
    *out = bytes;
    return CUDA_OK;
}

static cuda_result block_free(const void *bytes, bool pinned)
{
    os_lock(&lock);
    fake_block **link = &blocks;
    while (*link != NULL && ((*link)->bytes != bytes || (*link)->pinned != pinned)) {
        link = &(*link)->next;
    }
    fake_block *block = *link;
    if (block != NULL) {
        *link = block->next;
        used_bytes[pinned] -= block->size_bytes;
    }
    os_unlock(&lock);
    if (block == NULL) {
        return CUDA_INVALID_VALUE;
    }
    free(block->bytes);
    free(block);
    return CUDA_OK;
}

/* The bytes behind a device address, NULL unless all of them are inside one device block. */
static unsigned char *device_bytes(cuda_address address, size_t size_bytes)
{
    unsigned char *found = NULL;
    uintptr_t at = (uintptr_t)(address & ~DEVICE_TAG);
    os_lock(&lock);
    for (const fake_block *block = blocks; block != NULL && found == NULL; block = block->next) {
        uintptr_t start = (uintptr_t)block->bytes;
        if (!block->pinned && (address & DEVICE_TAG) != 0 && at >= start &&
            at - start <= block->size_bytes && size_bytes <= block->size_bytes - (at - start)) {
            found = block->bytes + (at - start);
        }
    }
    os_unlock(&lock);
    return found;
}

static cuda_result fake_init(unsigned flags)
{
    os_lock(&lock);
    cuda_result result = flags != 0 ? CUDA_INVALID_VALUE : plan.init_result;
    initialised = result == CUDA_OK;
    os_unlock(&lock);
    return result;
}

static cuda_result fake_device_count(int *count)
{
    *count = plan.device_count;
    return initialised ? CUDA_OK : CUDA_NOT_INITIALIZED;
}

static cuda_result fake_device_get(cuda_ordinal *device, int index)
{
    if (!initialised || index < 0 || index >= plan.device_count) {
        return initialised ? CUDA_INVALID_DEVICE : CUDA_NOT_INITIALIZED;
    }
    *device = index;
    return CUDA_OK;
}

static cuda_result fake_device_name(char *name, int length, cuda_ordinal device)
{
    snprintf(name, (size_t)length, "fake device %d", device);
    return CUDA_OK;
}

static cuda_result fake_context_retain(cuda_context **context, cuda_ordinal device)
{
    (void)device;
    os_lock(&lock);
    contexts_retained++;
    os_unlock(&lock);
    *context = (cuda_context *)(void *)&context_object;
    return CUDA_OK;
}

static cuda_result fake_context_release(cuda_ordinal device)
{
    (void)device;
    os_lock(&lock);
    bool retained = contexts_retained > 0;
    contexts_retained -= retained;
    os_unlock(&lock);
    return retained ? CUDA_OK : CUDA_INVALID_CONTEXT;
}

static cuda_result fake_context_push(cuda_context *context)
{
    if ((void *)context != (void *)&context_object || contexts_pushed == CONTEXTS_PUSHED_MAX) {
        return CUDA_INVALID_CONTEXT;
    }
    contexts_pushed++;
    return CUDA_OK;
}

static cuda_result fake_context_pop(cuda_context **context)
{
    if (contexts_pushed == 0) {
        return CUDA_INVALID_CONTEXT;
    }
    contexts_pushed--;
    *context = (cuda_context *)(void *)&context_object;
    return CUDA_OK;
}

static cuda_result fake_memory_info(size_t *free_bytes, size_t *total_bytes)
{
    cuda_result result = touch();
    if (result == CUDA_OK) {
        os_lock(&lock);
        *free_bytes = plan.device_bytes - used_bytes[false];
        *total_bytes = plan.device_bytes;
        os_unlock(&lock);
    }
    return result;
}

static cuda_result fake_memory_alloc(cuda_address *address, size_t size_bytes)
{
    unsigned char *bytes = NULL;
    cuda_result result = touch();
    if (result == CUDA_OK) {
        result = block_alloc(size_bytes, false, &bytes);
    }
    if (result == CUDA_OK) {
        *address = (cuda_address)(uintptr_t)bytes | DEVICE_TAG;
    }
    return result;
}

static cuda_result fake_memory_free(cuda_address address)
{
    cuda_result result = touch();
    cuda_result freed = block_free((const void *)(uintptr_t)(address & ~DEVICE_TAG), false);
    return result != CUDA_OK ? result : freed;
}

static cuda_result fake_host_alloc(void **host, size_t size_bytes, unsigned flags)
{
    unsigned char *bytes = NULL;
    cuda_result result = touch();
    if (result == CUDA_OK && flags != (CUDA_HOST_PORTABLE | CUDA_HOST_DEVICE_MAP)) {
        result = CUDA_INVALID_VALUE;
    }
    if (result == CUDA_OK) {
        result = block_alloc(size_bytes, true, &bytes);
    }
    if (result == CUDA_OK) {
        *host = bytes;
    }
    return result;
}

static cuda_result fake_host_free(void *host)
{
    cuda_result result = touch();
    cuda_result freed = block_free(host, true);
    return result != CUDA_OK ? result : freed;
}

static cuda_result fake_host_address(cuda_address *address, void *host, unsigned flags)
{
    cuda_result result = touch();
    if (result == CUDA_OK && flags != 0) {
        result = CUDA_INVALID_VALUE;
    }
    if (result == CUDA_OK) {
        *address = (cuda_address)(uintptr_t)host | DEVICE_TAG;
    }
    return result;
}

static cuda_result fake_copy_to_device(cuda_address to, const void *from, size_t size_bytes)
{
    cuda_result result = touch();
    unsigned char *bytes = device_bytes(to, size_bytes);
    if (result == CUDA_OK && bytes == NULL) {
        result = CUDA_ILLEGAL_ADDRESS;
    }
    if (result == CUDA_OK) {
        memcpy(bytes, from, size_bytes);
    }
    return result;
}

static cuda_result fake_copy_to_host(void *to, cuda_address from, size_t size_bytes)
{
    cuda_result result = touch();
    const unsigned char *bytes = device_bytes(from, size_bytes);
    if (result == CUDA_OK && bytes == NULL) {
        result = CUDA_ILLEGAL_ADDRESS;
    }
    if (result == CUDA_OK) {
        memcpy(to, bytes, size_bytes);
    }
    return result;
}

static cuda_result fake_error_name(cuda_result result, const char **name)
{
    *name = result == CUDA_OK ? "CUDA_SUCCESS" : "CUDA_ERROR_FAKE";
    return CUDA_OK;
}

static const cuda_driver fake_table = {
#define CUDA_FAKE_SLOT(slot, symbol, parameters) .slot = fake_##slot,
    CUDA_DRIVER_LIST(CUDA_FAKE_SLOT)
#undef CUDA_FAKE_SLOT
};

void cuda_fake_install(const cuda_fake_plan *new_plan)
{
    DP_ASSERT(cuda_fake_is_clean());
    plan = *new_plan;
    calls = 0;
    lost = false;
    initialised = false;
    cuda_driver_override(&fake_table);
}

void cuda_fake_uninstall(void)
{
    cuda_driver_override(NULL);
}

cuda_fake_leaks cuda_fake_leaks_read(void)
{
    cuda_fake_leaks leaks = {.contexts_pushed = contexts_pushed};
    os_lock(&lock);
    for (const fake_block *block = blocks; block != NULL; block = block->next) {
        leaks.device_allocations += !block->pinned;
        leaks.pinned_allocations += block->pinned;
    }
    leaks.contexts_retained = contexts_retained;
    os_unlock(&lock);
    return leaks;
}

bool cuda_fake_is_clean(void)
{
    cuda_fake_leaks leaks = cuda_fake_leaks_read();
    return leaks.device_allocations + leaks.pinned_allocations + leaks.contexts_retained +
               leaks.contexts_pushed ==
           0;
}

uint64_t cuda_fake_calls(void)
{
    os_lock(&lock);
    uint64_t result = calls;
    os_unlock(&lock);
    return result;
}

void cuda_fake_lose(void)
{
    os_lock(&lock);
    lost = true;
    os_unlock(&lock);
}

void cuda_fake_mend(void)
{
    os_lock(&lock);
    lost = false;
    os_unlock(&lock);
}
