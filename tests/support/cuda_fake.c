/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake's memory and device; streams and events are in cuda_fake_stream.c.  The state is under
 * one mutex; the context stack is per thread.  Each allocation is a node of a list, so that a free
 * of anything else is seen.  A device address is the block's own with a bit set that no user-space
 * address has; a managed one is the block's own.
 */
#include "cuda_fake_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool/os.h"

#define DEVICE_TAG          (UINT64_C(1) << 62)
#define CONTEXTS_PUSHED_MAX 8u

typedef enum fake_kind { ON_DEVICE, PINNED, MANAGED, KIND_COUNT } fake_kind;

typedef struct fake_block {
    struct fake_block *next;
    size_t size_bytes;
    fake_kind kind;
    unsigned char *bytes;
} fake_block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cuda_fake_plan plan;
static fake_block *blocks;
static size_t used_bytes[KIND_COUNT];
static cuda_fake_hint hint;
static size_t contexts_retained;
static uint64_t calls;
static bool initialised;
static bool lost;
static int context_object; /* its address is the context */

static _Thread_local unsigned contexts_pushed;

/* Every entry point that needs a context starts here; 0 when the call may go on. */
cuda_result cuda_fake_touch(void)
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
    if (plan.on_call != NULL) {
        plan.on_call(plan.on_call_user);
    }
    if (delay_us != 0) {
        struct timespec wait = {.tv_nsec = (long)delay_us * 1000};
        nanosleep(&wait, NULL);
    }
    return result;
}

static size_t limit_bytes(fake_kind kind)
{
    const size_t limits[KIND_COUNT] = {plan.device_bytes, plan.pinned_bytes, plan.managed_bytes};
    return limits[kind];
}

static cuda_result block_alloc(size_t size_bytes, fake_kind kind, unsigned char **out)
{
    os_lock(&lock);
    bool fits = size_bytes != 0 && size_bytes <= limit_bytes(kind) - used_bytes[kind];
    if (fits) {
        used_bytes[kind] += size_bytes;
    }
    os_unlock(&lock);
    if (!fits) {
        return size_bytes == 0 ? CUDA_INVALID_VALUE : CUDA_OUT_OF_MEMORY;
    }
    fake_block *block = calloc(1, sizeof *block);
    void *bytes = NULL;
    DP_ASSERT(block != NULL && posix_memalign(&bytes, os_page_bytes(), size_bytes) == 0);
    *block = (fake_block){.size_bytes = size_bytes, .kind = kind, .bytes = bytes};
    os_lock(&lock);
    block->next = blocks;
    blocks = block;
    os_unlock(&lock);
    *out = bytes;
    return CUDA_OK;
}

static cuda_result block_free(const void *bytes, fake_kind kind)
{
    os_lock(&lock);
    fake_block **link = &blocks;
    while (*link != NULL && ((*link)->bytes != bytes || (*link)->kind != kind)) {
        link = &(*link)->next;
    }
    fake_block *block = *link;
    if (block != NULL) {
        *link = block->next;
        used_bytes[kind] -= block->size_bytes;
    }
    os_unlock(&lock);
    if (block == NULL) {
        return CUDA_INVALID_VALUE;
    }
    free(block->bytes);
    free(block);
    return CUDA_OK;
}

static bool block_holds(const fake_block *block, uintptr_t at, size_t size_bytes)
{
    uintptr_t start = (uintptr_t)block->bytes;
    return at >= start && at - start <= block->size_bytes &&
           size_bytes <= block->size_bytes - (at - start);
}

/* The bytes behind an address that kernels use, NULL unless all of them are inside one block. */
static unsigned char *device_bytes(cuda_address address, size_t size_bytes)
{
    unsigned char *found = NULL;
    unsigned char *at = (unsigned char *)(uintptr_t)(address & ~DEVICE_TAG);
    fake_kind kind = (address & DEVICE_TAG) != 0 ? ON_DEVICE : MANAGED;
    os_lock(&lock);
    for (const fake_block *block = blocks; block != NULL && found == NULL; block = block->next) {
        if (block->kind == kind && block_holds(block, (uintptr_t)at, size_bytes)) {
            found = at;
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
    cuda_result result = cuda_fake_touch();
    if (result == CUDA_OK) {
        os_lock(&lock);
        *free_bytes = plan.device_bytes - used_bytes[ON_DEVICE];
        *total_bytes = plan.device_bytes;
        os_unlock(&lock);
    }
    return result;
}

static cuda_result fake_memory_alloc(cuda_address *address, size_t size_bytes)
{
    unsigned char *bytes = NULL;
    cuda_result result = cuda_fake_touch();
    if (result == CUDA_OK) {
        result = block_alloc(size_bytes, ON_DEVICE, &bytes);
    }
    if (result == CUDA_OK) {
        *address = (cuda_address)(uintptr_t)bytes | DEVICE_TAG;
    }
    return result;
}

static cuda_result fake_memory_free(cuda_address address)
{
    cuda_result result = cuda_fake_touch();
    fake_kind kind = (address & DEVICE_TAG) != 0 ? ON_DEVICE : MANAGED;
    cuda_result freed = block_free((const void *)(uintptr_t)(address & ~DEVICE_TAG), kind);
    return result != CUDA_OK ? result : freed;
}

static cuda_result fake_host_alloc(void **host, size_t size_bytes, unsigned flags)
{
    unsigned char *bytes = NULL;
    cuda_result result = cuda_fake_touch();
    if (result == CUDA_OK && flags != (CUDA_HOST_PORTABLE | CUDA_HOST_DEVICE_MAP)) {
        result = CUDA_INVALID_VALUE;
    }
    if (result == CUDA_OK) {
        result = block_alloc(size_bytes, PINNED, &bytes);
    }
    if (result == CUDA_OK) {
        *host = bytes;
    }
    return result;
}

static cuda_result fake_host_free(void *host)
{
    cuda_result result = cuda_fake_touch();
    cuda_result freed = block_free(host, PINNED);
    return result != CUDA_OK ? result : freed;
}

static cuda_result fake_host_address(cuda_address *address, void *host, unsigned flags)
{
    cuda_result result = cuda_fake_touch();
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
    cuda_result result = cuda_fake_touch();
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
    cuda_result result = cuda_fake_touch();
    const unsigned char *bytes = device_bytes(from, size_bytes);
    if (result == CUDA_OK && bytes == NULL) {
        result = CUDA_ILLEGAL_ADDRESS;
    }
    if (result == CUDA_OK) {
        memcpy(to, bytes, size_bytes);
    }
    return result;
}

/* --- managed memory --- */

static cuda_result fake_device_attribute(int *value, int attribute, cuda_ordinal device)
{
    if (device != 0) {
        return CUDA_INVALID_DEVICE;
    }
    switch (attribute) {
    case CUDA_ATTRIBUTE_MANAGED_MEMORY:
        *value = !plan.no_managed;
        return CUDA_OK;
    case CUDA_ATTRIBUTE_CONCURRENT_ACCESS:
        *value = !plan.no_managed && !plan.no_concurrency;
        return CUDA_OK;
    default:
        return CUDA_INVALID_VALUE;
    }
}

static cuda_result fake_managed_alloc(cuda_address *address, size_t size_bytes, unsigned flags)
{
    unsigned char *bytes = NULL;
    cuda_result result = cuda_fake_touch();
    if (result == CUDA_OK && (flags != CUDA_ATTACH_GLOBAL || plan.no_managed)) {
        result = CUDA_INVALID_VALUE;
    }
    if (result == CUDA_OK) {
        result = block_alloc(size_bytes, MANAGED, &bytes);
    }
    if (result == CUDA_OK) {
        *address = (cuda_address)(uintptr_t)bytes;
    }
    return result;
}

static bool location_exists(cuda_location location)
{
    return location.type == CUDA_LOCATION_HOST ||
           (location.type == CUDA_LOCATION_DEVICE && location.id == 0);
}

/* Both forms of both calls end here; only what is in managed memory can be hinted at. */
static cuda_result take_hint(const cuda_fake_hint *taken)
{
    cuda_result result = cuda_fake_touch();
    bool valid = (taken->address & DEVICE_TAG) == 0 && taken->size_bytes > 0 &&
                 device_bytes(taken->address, taken->size_bytes) != NULL &&
                 location_exists(taken->location) && taken->advice >= 0 &&
                 taken->advice <= CUDA_ADVISE_PREFER_NONE;
    if (result == CUDA_OK && !valid) {
        result = CUDA_INVALID_VALUE;
    }
    if (result == CUDA_OK) {
        os_lock(&lock);
        unsigned count = hint.count + 1;
        hint = *taken;
        hint.count = count;
        os_unlock(&lock);
    }
    return result;
}

static cuda_location location_of(cuda_ordinal device)
{
    return device == CUDA_ORDINAL_CPU ? (cuda_location){.type = CUDA_LOCATION_HOST}
                                      : (cuda_location){.type = CUDA_LOCATION_DEVICE, .id = device};
}

static cuda_result fake_advise(cuda_address address, size_t size_bytes, int advice,
                               cuda_location location)
{
    return take_hint(&(cuda_fake_hint){
        .address = address, .size_bytes = size_bytes, .advice = advice, .location = location});
}

static cuda_result fake_advise_ordinal(cuda_address address, size_t size_bytes, int advice,
                                       cuda_ordinal device)
{
    return take_hint(&(cuda_fake_hint){.by_ordinal = true,
                                       .address = address,
                                       .size_bytes = size_bytes,
                                       .advice = advice,
                                       .location = location_of(device)});
}

static cuda_result fake_prefetch(cuda_address address, size_t size_bytes, cuda_location to,
                                 unsigned flags, cuda_stream *stream)
{
    if (flags != 0) {
        return CUDA_INVALID_VALUE;
    }
    return take_hint(&(cuda_fake_hint){.is_prefetch = true,
                                       .address = address,
                                       .size_bytes = size_bytes,
                                       .location = to,
                                       .stream = (uintptr_t)stream});
}

static cuda_result fake_prefetch_ordinal(cuda_address address, size_t size_bytes, cuda_ordinal to,
                                         cuda_stream *stream)
{
    return take_hint(&(cuda_fake_hint){.by_ordinal = true,
                                       .is_prefetch = true,
                                       .address = address,
                                       .size_bytes = size_bytes,
                                       .location = location_of(to),
                                       .stream = (uintptr_t)stream});
}

/* --- the table --- */

static cuda_result fake_error_name(cuda_result result, const char **name)
{
    *name = result == CUDA_OK ? "CUDA_SUCCESS" : "CUDA_ERROR_FAKE";
    return CUDA_OK;
}

static const cuda_driver whole_table = {
#define CUDA_FAKE_SLOT(slot, symbol, parameters) .slot = fake_##slot,
    CUDA_DRIVER_LIST(CUDA_FAKE_SLOT) CUDA_DRIVER_OPTIONAL_LIST(CUDA_FAKE_SLOT)
#undef CUDA_FAKE_SLOT
};
static cuda_driver fake_table;

void cuda_fake_install(const cuda_fake_plan *new_plan)
{
    DP_ASSERT(cuda_fake_is_clean());
    plan = *new_plan;
    calls = 0;
    lost = false;
    initialised = false;
    cuda_fake_streams_reset(plan.events_max);
    hint = (cuda_fake_hint){0};
    fake_table = whole_table;
    if ((plan.lacks & CUDA_FAKE_LACKS_MANAGED) != 0) {
        fake_table.managed_alloc = NULL;
    }
    if ((plan.lacks & CUDA_FAKE_LACKS_LOCATION) != 0) {
        fake_table.advise = NULL;
        fake_table.prefetch = NULL;
    }
    if ((plan.lacks & CUDA_FAKE_LACKS_ORDINAL) != 0) {
        fake_table.advise_ordinal = NULL;
        fake_table.prefetch_ordinal = NULL;
    }
    cuda_driver_override(&fake_table);
}

void cuda_fake_uninstall(void)
{
    cuda_driver_override(NULL);
}

cuda_fake_leaks cuda_fake_leaks_read(void)
{
    cuda_fake_leaks leaks = {.events = cuda_fake_events(), .contexts_pushed = contexts_pushed};
    os_lock(&lock);
    for (const fake_block *block = blocks; block != NULL; block = block->next) {
        leaks.device_allocations += block->kind == ON_DEVICE;
        leaks.pinned_allocations += block->kind == PINNED;
        leaks.managed_allocations += block->kind == MANAGED;
    }
    leaks.contexts_retained = contexts_retained;
    os_unlock(&lock);
    return leaks;
}

bool cuda_fake_is_clean(void)
{
    cuda_fake_leaks leaks = cuda_fake_leaks_read();
    return leaks.device_allocations + leaks.pinned_allocations + leaks.managed_allocations +
               leaks.events + leaks.contexts_retained + leaks.contexts_pushed ==
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

cuda_fake_hint cuda_fake_hint_read(void)
{
    os_lock(&lock);
    cuda_fake_hint result = hint;
    os_unlock(&lock);
    return result;
}
