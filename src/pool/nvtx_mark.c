/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1: the one file that includes NVTX's headers; see nvtx_mark.h.
 *
 * The headers define their functions here, as weak hidden symbols, and look for the tool on the
 * first call.  Everything is made by nvtx_mark_start() under its once; `nvtx_mark_attached` is
 * stored last, with release.
 */
#include "pool/nvtx_mark.h"

#if DP_HAVE_NVTX

#include <nvtx3/nvToolsExt.h>
#include <nvtx3/nvToolsExtMem.h>
#include <pthread.h>

_Atomic bool nvtx_mark_attached;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static nvtxDomainHandle_t domain;
static nvtxStringHandle_t range_names[NVTX_RANGE_COUNT];
static nvtxStringHandle_t tier_names[DP_TIER_COUNT];

static void start(void)
{
    static const char *const names[NVTX_TIER_CALL] = {
#define NVTX_RANGE_NAME(id, name) [id] = (name),
        NVTX_RANGE_LIST(NVTX_RANGE_NAME)
#undef NVTX_RANGE_NAME
    };
    domain = nvtxDomainCreateA("danpool");
    if (domain == NULL)
        return; /* no tool */
    for (unsigned i = 0; i < NVTX_RANGE_COUNT; i++)
        range_names[i] = nvtxDomainRegisterStringA(
            domain,
            i < NVTX_TIER_CALL ? names[i] : tier_call_name((tier_call)(i - NVTX_TIER_CALL)));
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        const char *name = dp_tier_name((dp_tier_id)tier);
        tier_names[tier] = nvtxDomainRegisterStringA(domain, name);
        nvtxDomainNameCategoryA(domain, NVTX_CATEGORY(tier), name);
    }
    nvtxDomainNameCategoryA(domain, NVTX_CATEGORY_RENDER, "render");
    atomic_store_explicit(&nvtx_mark_attached, true, memory_order_release);
}

void nvtx_mark_start(void)
{
    (void)pthread_once(&once, start);
}

void nvtx_mark_push(nvtx_range range, unsigned category, uint64_t payload)
{
    const nvtxEventAttributes_t event = {
        .version = NVTX_VERSION,
        .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE,
        .category = category,
        .payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64,
        .payload = {.ullValue = payload},
        .messageType = NVTX_MESSAGE_TYPE_REGISTERED,
        .message = {.registered = range_names[range]},
    };
    (void)nvtxDomainRangePushEx(domain, &event);
}

void nvtx_mark_pop(void)
{
    (void)nvtxDomainRangePop(domain);
}

/* ---- memory ---- */

static void *pointer_of(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

void *nvtx_heap_add(dp_tier_id tier, uint64_t address, size_t size_bytes, nvtx_heap_use use)
{
    if (!nvtx_is_attached())
        return NULL;
    const nvtxMemVirtualRangeDesc_t range = {.size = size_bytes, .ptr = pointer_of(address)};
    const nvtxMemHeapDesc_t heap = {
        .extCompatID = NVTX_EXT_COMPATID_MEM,
        .structSize = sizeof heap,
        .usage = use == NVTX_HEAP_CUT ? NVTX_MEM_HEAP_USAGE_TYPE_LAYOUT
                                      : NVTX_MEM_HEAP_USAGE_TYPE_SUB_ALLOCATOR,
        .type = NVTX_MEM_TYPE_VIRTUAL_ADDRESS,
        .typeSpecificDescSize = sizeof range,
        .typeSpecificDesc = &range,
        .category = NVTX_CATEGORY(tier),
        .messageType = NVTX_MESSAGE_TYPE_REGISTERED,
        .message = {.registered = tier_names[tier]},
    };
    nvtxMemHeapHandle_t handle = nvtxMemHeapRegister(domain, &heap);
    return handle == NVTX_MEM_HEAP_HANDLE_NO_TOOL ? NULL : (void *)handle;
}

void nvtx_heap_remove(void *heap)
{
    if (heap != NULL)
        nvtxMemHeapUnregister(domain, heap);
}

void nvtx_block_add(void *heap, uint64_t address, size_t size_bytes)
{
    if (heap == NULL)
        return;
    const nvtxMemVirtualRangeDesc_t range = {.size = size_bytes, .ptr = pointer_of(address)};
    const nvtxMemRegionsRegisterBatch_t batch = {
        .extCompatID = NVTX_EXT_COMPATID_MEM,
        .structSize = sizeof batch,
        .regionType = NVTX_MEM_TYPE_VIRTUAL_ADDRESS,
        .heap = heap,
        .regionCount = 1,
        .regionDescElementSize = sizeof range,
        .regionDescElements = &range,
    };
    nvtxMemRegionsRegister(domain, &batch);
}

void nvtx_block_remove(void *heap, uint64_t address)
{
    if (heap == NULL)
        return;
    const nvtxMemRegionRef_t region = {.pointer = pointer_of(address)};
    const nvtxMemRegionsUnregisterBatch_t batch = {
        .extCompatID = NVTX_EXT_COMPATID_MEM,
        .structSize = sizeof batch,
        .refType = NVTX_MEM_REGION_REF_TYPE_POINTER,
        .refCount = 1,
        .refElementSize = sizeof region,
        .refElements = &region,
    };
    nvtxMemRegionsUnregister(domain, &batch);
}

#else

/* A translation unit may not be empty. */
typedef int nvtx_mark_is_left_out;

#endif
