/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The managed tier: one address for CPU and GPU, the driver moves the pages to who touches them.
 *
 * It is the tier for what both sides touch in turns and nobody wants to copy.  It is not a cheaper
 * hbm: a touch on the wrong side is a fault that moves 4 KiB to 2 MiB over the bus, some 20 us
 * each, so whoever knows the order says it by advice and prefetch.  The budget is small unless the
 * owner sets another: managed memory takes from the device and from the host at once, may grow past
 * what the device has, and then every kernel there pays for the paging.
 *
 * Only a device with concurrent access is taken.  Without it the CPU must not touch any managed
 * byte while any kernel runs, which no two users of one pool could promise each other.
 *
 * Regions are got and put under the slab's lock of this tier, advice comes from any thread; the
 * state is constant after open.
 */
#include <stdio.h>

#include "pool/cuda_driver.h"
#include "pool/os.h"
#include "pool/tier.h"

#define MANAGED_REGION_BYTES    ((size_t)8 << 20)
#define MANAGED_ALIGNMENT_BYTES 256u
#define MANAGED_BUDGET_BYTES    ((size_t)256 << 20)

typedef struct managed_tier {
    dp_tier tier;
    cuda_device device;
} managed_tier;

static managed_tier *managed_of(dp_tier *tier)
{
    return (managed_tier *)tier;
}

static void managed_close(dp_tier *tier)
{
    managed_tier *self = managed_of(tier);
    cuda_device_close(&self->device);
    os_free(self);
}

/* ---- regions ---- */

static dp_status managed_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    const cuda_device *device = &managed_of(tier)->device;
    dp_status status = cuda_enter(device);
    if (status != DP_OK) {
        return status;
    }
    cuda_address address = 0;
    status = cuda_status(device->driver->managed_alloc(&address, size_bytes, CUDA_ATTACH_GLOBAL));
    cuda_leave(device);
    if (status == DP_OK) {
        *out = (tier_region){
            .host = (void *)(uintptr_t)address, .device = address, .size_bytes = size_bytes};
    }
    return status;
}

static void managed_region_put(dp_tier *tier, const tier_region *region)
{
    const cuda_device *device = &managed_of(tier)->device;
    bool entered = cuda_enter(device) == DP_OK;
    /* A lost device frees nothing; there is nobody to tell. */
    (void)device->driver->memory_free(region->device);
    if (entered) {
        cuda_leave(device);
    }
}

/* ---- advice ---- */

static const struct {
    int advice;
    dp_place where;
} managed_advices[DP_ADVICE_COUNT] = {
    [DP_ADVICE_PREFER_HOST] = {CUDA_ADVISE_PREFER, DP_PLACE_HOST},
    [DP_ADVICE_PREFER_DEVICE] = {CUDA_ADVISE_PREFER, DP_PLACE_DEVICE},
    [DP_ADVICE_PREFER_NONE] = {CUDA_ADVISE_PREFER_NONE, DP_PLACE_DEVICE},
    [DP_ADVICE_READ_MOSTLY] = {CUDA_ADVISE_READ_MOSTLY, DP_PLACE_DEVICE},
    [DP_ADVICE_READ_WRITE] = {CUDA_ADVISE_NOT_READ_MOSTLY, DP_PLACE_DEVICE},
};

static cuda_location location_of(const cuda_device *device, dp_place where)
{
    if (where == DP_PLACE_HOST) {
        return (cuda_location){.type = CUDA_LOCATION_HOST};
    }
    return (cuda_location){.type = CUDA_LOCATION_DEVICE, .id = device->ordinal};
}

static cuda_ordinal ordinal_of(const cuda_device *device, dp_place where)
{
    return where == DP_PLACE_HOST ? CUDA_ORDINAL_CPU : device->ordinal;
}

static dp_status managed_advise(dp_tier *tier, uint64_t address, size_t size_bytes,
                                dp_advice advice)
{
    const cuda_device *device = &managed_of(tier)->device;
    const cuda_driver *driver = device->driver;
    int what = managed_advices[advice].advice;
    dp_place where = managed_advices[advice].where;
    /* The driver would widen the range to whole pages, and so advise for a neighbour's bytes. */
    uint64_t end = (address + size_bytes) & ~(uint64_t)(os_page_bytes() - 1);
    uint64_t start = os_align_up(address, os_page_bytes());
    if (start >= end) {
        return DP_ERR_INVALID;
    }
    dp_status status = cuda_enter(device);
    if (status != DP_OK) {
        return status;
    }
    size_t page_bytes = (size_t)(end - start);
    cuda_result result =
        driver->advise != NULL
            ? driver->advise(start, page_bytes, what, location_of(device, where))
            : driver->advise_ordinal(start, page_bytes, what, ordinal_of(device, where));
    cuda_leave(device);
    return cuda_status(result);
}

static dp_status managed_prefetch(dp_tier *tier, uint64_t address, size_t size_bytes,
                                  dp_place where, uint64_t stream)
{
    const cuda_device *device = &managed_of(tier)->device;
    const cuda_driver *driver = device->driver;
    cuda_stream *order = (cuda_stream *)(uintptr_t)stream;
    dp_status status = cuda_enter(device);
    if (status != DP_OK) {
        return status;
    }
    cuda_result result =
        driver->prefetch != NULL
            ? driver->prefetch(address, size_bytes, location_of(device, where), 0, order)
            : driver->prefetch_ordinal(address, size_bytes, ordinal_of(device, where), order);
    cuda_leave(device);
    return cuda_status(result);
}

static const tier_advice_ops MANAGED_ADVICE_OPS = {
    .advise = managed_advise,
    .prefetch = managed_prefetch,
};

static const tier_ops MANAGED_OPS = {
    .close = managed_close,
    .region_get = managed_region_get,
    .region_put = managed_region_put,
    .advice = &MANAGED_ADVICE_OPS,
};

/* For a driver without the calls that the group needs. */
static const tier_ops MANAGED_OPS_UNADVISED = {
    .close = managed_close,
    .region_get = managed_region_get,
    .region_put = managed_region_put,
};

/* ---- opening ---- */

static bool has_attribute(const cuda_device *device, int attribute)
{
    int value = 0;
    const cuda_driver *driver = device->driver;
    return driver->device_attribute != NULL &&
           driver->device_attribute(&value, attribute, device->ordinal) == CUDA_OK && value != 0;
}

static bool is_advisable(const cuda_driver *driver)
{
    return (driver->advise != NULL || driver->advise_ordinal != NULL) &&
           (driver->prefetch != NULL || driver->prefetch_ordinal != NULL);
}

static dp_status check_device(const cuda_device *device, char detail[96])
{
    if (device->driver->managed_alloc == NULL) {
        snprintf(detail, 96, "CUDA driver too old: it lacks cuMemAllocManaged");
    } else if (!has_attribute(device, CUDA_ATTRIBUTE_MANAGED_MEMORY)) {
        snprintf(detail, 96, "%.40s has no managed memory", device->name);
    } else if (!has_attribute(device, CUDA_ATTRIBUTE_CONCURRENT_ACCESS)) {
        snprintf(detail, 96, "%.40s: the CPU may not touch it while a kernel runs", device->name);
    } else {
        return DP_OK;
    }
    return DP_ERR_UNSUPPORTED;
}

dp_status tier_managed_open(const tier_open_args *args, char detail[96], dp_tier **out)
{
    (void)args;
    managed_tier *self = os_calloc(1, sizeof *self);
    if (self == NULL) {
        snprintf(detail, 96, "no memory for the tier's own state");
        return DP_ERR_NOMEM;
    }
    dp_status status = cuda_device_open(detail, &self->device);
    if (status != DP_OK) {
        os_free(self);
        return status;
    }
    status = check_device(&self->device, detail);
    if (status != DP_OK) {
        managed_close(&self->tier);
        return status;
    }
    bool advisable = is_advisable(self->device.driver);
    self->tier = (dp_tier){
        .ops = advisable ? &MANAGED_OPS : &MANAGED_OPS_UNADVISED,
        .info = {.id = DP_TIER_MANAGED,
                 .name = dp_tier_name(DP_TIER_MANAGED),
                 .state = DP_OK,
                 .alignment_bytes = MANAGED_ALIGNMENT_BYTES,
                 .host_visible = true,
                 .device_visible = true},
        .region_bytes_default = MANAGED_REGION_BYTES,
        .budget_bytes_default = MANAGED_BUDGET_BYTES,
    };
    snprintf(self->tier.info.detail, sizeof self->tier.info.detail, "shared with %.40s%s",
             self->device.name, advisable ? "" : ", without advice");
    *out = &self->tier;
    return DP_OK;
}
