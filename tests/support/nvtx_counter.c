/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tool for NVTX that counts, loaded by NVTX itself through NVTX_INJECTION64_PATH.
 *
 * It stands where Nsight would: it fills in the functions of the domain API and of the memory
 * extension, checks that what comes in is well formed, and writes at the process's end what it has
 * seen, a line "key value" each, to the file that DP_NVTX_COUNTS names.  A misuse (a pop without a
 * push, a heap unregistered twice, a string of another domain) is counted under "misuse".
 */
#include <nvtx3/nvToolsExt.h>
#include <nvtx3/nvToolsExtMem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64u
#define LIVE_MAX  256u

int NVTX_API InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_export_table);
int NVTX_API InitializeInjectionNvtxExtension(nvtxExtModuleInfo_t *module);

/* A name, and how often something with it was pushed. */
typedef struct counted {
    char name[64];
    unsigned long pushes;
} counted;

typedef struct live_range {
    const void *at;
    size_t size;
    unsigned heap; /* for a region: the number of its heap, from 1 */
} live_range;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char domain[64];
static counted strings[NAMES_MAX]; /* a handle is the address of its entry */
static unsigned string_count;
static counted categories[NAMES_MAX]; /* by number */
static live_range heaps[LIVE_MAX];    /* a handle is the address of its entry */
static live_range regions[LIVE_MAX];
static unsigned long layout_heaps, sub_heaps, heaps_removed, regions_added, regions_removed;
static unsigned long misuse;
static long ranges_open; /* over all threads */
static _Thread_local int depth;

static void check(int condition)
{
    misuse += !condition;
}

static int is_domain(nvtxDomainHandle_t handle)
{
    return (const void *)handle == (const void *)domain;
}

/* ---- domains, names, ranges ---- */

static nvtxDomainHandle_t NVTX_API domain_create(const char *name)
{
    pthread_mutex_lock(&lock);
    check(domain[0] == '\0');
    snprintf(domain, sizeof domain, "%s", name);
    pthread_mutex_unlock(&lock);
    return (nvtxDomainHandle_t)(void *)domain;
}

static nvtxStringHandle_t NVTX_API string_register(nvtxDomainHandle_t handle, const char *text)
{
    pthread_mutex_lock(&lock);
    check(is_domain(handle) && string_count < NAMES_MAX);
    counted *entry = &strings[string_count++];
    snprintf(entry->name, sizeof entry->name, "%s", text);
    pthread_mutex_unlock(&lock);
    return (nvtxStringHandle_t)(void *)entry;
}

static void NVTX_API category_name(nvtxDomainHandle_t handle, uint32_t category, const char *name)
{
    pthread_mutex_lock(&lock);
    check(is_domain(handle) && category > 0 && category < NAMES_MAX);
    check(categories[category].name[0] == '\0');
    snprintf(categories[category].name, sizeof categories[category].name, "%s", name);
    pthread_mutex_unlock(&lock);
}

static int NVTX_API range_push(nvtxDomainHandle_t handle, const nvtxEventAttributes_t *event)
{
    pthread_mutex_lock(&lock);
    check(is_domain(handle) && event->version == NVTX_VERSION);
    check(event->size == NVTX_EVENT_ATTRIB_STRUCT_SIZE);
    check(event->messageType == NVTX_MESSAGE_TYPE_REGISTERED);
    check(event->payloadType == NVTX_PAYLOAD_TYPE_UNSIGNED_INT64);
    check(event->category < NAMES_MAX && categories[event->category].name[0] != '\0');
    counted *name = (counted *)(void *)event->message.registered;
    check(name >= strings && name < strings + string_count);
    name->pushes++;
    categories[event->category].pushes++;
    ranges_open++;
    pthread_mutex_unlock(&lock);
    return depth++;
}

static int NVTX_API range_pop(nvtxDomainHandle_t handle)
{
    pthread_mutex_lock(&lock);
    check(is_domain(handle) && depth > 0);
    ranges_open--;
    pthread_mutex_unlock(&lock);
    return --depth;
}

/* ---- memory ---- */

static live_range *slot_free(live_range *all)
{
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        if (all[i].at == NULL)
            return &all[i];
    }
    abort();
}

static nvtxMemHeapHandle_t NVTX_API heap_register(nvtxDomainHandle_t handle,
                                                  const nvtxMemHeapDesc_t *heap)
{
    pthread_mutex_lock(&lock);
    const nvtxMemVirtualRangeDesc_t *range = heap->typeSpecificDesc;
    check(is_domain(handle) && heap->extCompatID == NVTX_EXT_COMPATID_MEM);
    check(heap->structSize == sizeof *heap && heap->type == NVTX_MEM_TYPE_VIRTUAL_ADDRESS);
    check(heap->typeSpecificDescSize == sizeof *range && range->ptr != NULL && range->size > 0);
    check(heap->category > 0 && heap->category < NAMES_MAX);
    check(categories[heap->category].name[0] != '\0');
    layout_heaps += heap->usage == NVTX_MEM_HEAP_USAGE_TYPE_LAYOUT;
    sub_heaps += heap->usage == NVTX_MEM_HEAP_USAGE_TYPE_SUB_ALLOCATOR;
    live_range *slot = slot_free(heaps);
    *slot = (live_range){.at = range->ptr, .size = range->size};
    pthread_mutex_unlock(&lock);
    return (nvtxMemHeapHandle_t)(void *)slot;
}

static void NVTX_API heap_unregister(nvtxDomainHandle_t handle, nvtxMemHeapHandle_t heap)
{
    pthread_mutex_lock(&lock);
    live_range *slot = (live_range *)(void *)heap;
    check(is_domain(handle) && slot >= heaps && slot < heaps + LIVE_MAX && slot->at != NULL);
    for (unsigned i = 0; i < LIVE_MAX; i++) /* no block of it may be out */
        check(regions[i].at == NULL || &heaps[regions[i].heap] != slot);
    slot->at = NULL;
    heaps_removed++;
    pthread_mutex_unlock(&lock);
}

static void NVTX_API regions_register(nvtxDomainHandle_t handle,
                                      const nvtxMemRegionsRegisterBatch_t *batch)
{
    pthread_mutex_lock(&lock);
    const nvtxMemVirtualRangeDesc_t *range = batch->regionDescElements;
    const live_range *heap = (const live_range *)(const void *)batch->heap;
    check(is_domain(handle) && batch->extCompatID == NVTX_EXT_COMPATID_MEM);
    check(batch->structSize == sizeof *batch && batch->regionCount == 1);
    check(batch->regionDescElementSize == sizeof *range);
    check(heap >= heaps && heap < heaps + LIVE_MAX && heap->at == range->ptr);
    check(range->size > 0 && range->size <= heap->size);
    for (unsigned i = 0; i < LIVE_MAX; i++)
        check(regions[i].at != range->ptr);
    *slot_free(regions) =
        (live_range){.at = range->ptr, .size = range->size, .heap = (unsigned)(heap - heaps)};
    regions_added++;
    pthread_mutex_unlock(&lock);
}

static void NVTX_API regions_unregister(nvtxDomainHandle_t handle,
                                        const nvtxMemRegionsUnregisterBatch_t *batch)
{
    pthread_mutex_lock(&lock);
    check(is_domain(handle) && batch->extCompatID == NVTX_EXT_COMPATID_MEM);
    check(batch->structSize == sizeof *batch && batch->refCount == 1);
    check(batch->refType == NVTX_MEM_REGION_REF_TYPE_POINTER);
    unsigned found = 0;
    while (found < LIVE_MAX && regions[found].at != batch->refElements[0].pointer)
        found++;
    check(found < LIVE_MAX);
    if (found < LIVE_MAX)
        regions[found].at = NULL;
    regions_removed++;
    pthread_mutex_unlock(&lock);
}

/* ---- being loaded, and the report ---- */

int NVTX_API InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_export_table)
{
    const NvtxExportTableCallbacks *callbacks = get_export_table(NVTX_ETID_CALLBACKS);
    NvtxFunctionTable table = NULL;
    unsigned size = 0;
    if (callbacks == NULL ||
        !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size) ||
        size <= NVTX_CBID_CORE2_DomainCreateA)
        return 0;
    *table[NVTX_CBID_CORE2_DomainCreateA] = (NvtxFunctionPointer)domain_create;
    *table[NVTX_CBID_CORE2_DomainRegisterStringA] = (NvtxFunctionPointer)string_register;
    *table[NVTX_CBID_CORE2_DomainNameCategoryA] = (NvtxFunctionPointer)category_name;
    *table[NVTX_CBID_CORE2_DomainRangePushEx] = (NvtxFunctionPointer)range_push;
    *table[NVTX_CBID_CORE2_DomainRangePop] = (NvtxFunctionPointer)range_pop;
    return 1;
}

int NVTX_API InitializeInjectionNvtxExtension(nvtxExtModuleInfo_t *module)
{
    if (module->moduleId != NVTX_EXT_MODULEID_MEM || module->segmentsCount != 1)
        return 0;
    intptr_t *slots = module->segments[0].functionSlots;
    slots[NVTX3EXT_CBID_nvtxMemHeapRegister] = (intptr_t)heap_register;
    slots[NVTX3EXT_CBID_nvtxMemHeapUnregister] = (intptr_t)heap_unregister;
    slots[NVTX3EXT_CBID_nvtxMemRegionsRegister] = (intptr_t)regions_register;
    slots[NVTX3EXT_CBID_nvtxMemRegionsUnregister] = (intptr_t)regions_unregister;
    return 1;
}

static __attribute__((destructor)) void report(void)
{
    const char *path = getenv("DP_NVTX_COUNTS");
    FILE *to = path == NULL ? NULL : fopen(path, "w");
    if (to == NULL)
        return;
    check(ranges_open == 0);
    fprintf(to, "domain.%s 1\nmisuse %lu\n", domain, misuse);
    fprintf(to, "heaps.layout %lu\nheaps.sub %lu\nheaps.removed %lu\n", layout_heaps, sub_heaps,
            heaps_removed);
    fprintf(to, "regions.added %lu\nregions.removed %lu\n", regions_added, regions_removed);
    for (unsigned i = 0; i < string_count; i++) {
        if (strings[i].pushes > 0)
            fprintf(to, "range.%s %lu\n", strings[i].name, strings[i].pushes);
    }
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        if (categories[i].pushes > 0)
            fprintf(to, "category.%s %lu\n", categories[i].name, categories[i].pushes);
    }
    (void)fclose(to);
}
