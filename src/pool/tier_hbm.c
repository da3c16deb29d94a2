/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hbm tier: the GPU's own memory, which the CPU cannot dereference.
 *
 * cuMemAlloc synchronises the whole device, so regions are large and the slab cuts them; the
 * slab's descriptors live outside the memory because no header could be read here.  Bytes get in
 * and out through the copy group.  The copies are synchronous: when they return, the host buffer
 * may be reused.  Regions are got and put under the slab's lock of this tier, copies come from any
 * thread; the state is constant after open.
 */
#include <stdio.h>

#include "pool/cuda_driver.h"
#include "pool/os.h"
#include "pool/tier.h"

#define HBM_REGION_BYTES    ((size_t)32 << 20)
#define HBM_ALIGNMENT_BYTES 256u /* cuMemAlloc: "suitably aligned for any kind of variable" */

typedef struct hbm_tier {
    dp_tier tier;
    cuda_device device;
} hbm_tier;

static hbm_tier *hbm_of(dp_tier *tier)
{
    return (hbm_tier *)tier;
}

static void hbm_close(dp_tier *tier)
{
    hbm_tier *self = hbm_of(tier);
    cuda_device_close(&self->device);
    os_free(self);
}

static dp_status hbm_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    const cuda_device *device = &hbm_of(tier)->device;
    dp_status status = cuda_enter(device);
    if (status != DP_OK) {
        return status;
    }
    cuda_address address = 0;
    status = cuda_status(device->driver->memory_alloc(&address, size_bytes));
    cuda_leave(device);
    if (status == DP_OK) {
        *out = (tier_region){.device = address, .size_bytes = size_bytes};
    }
    return status;
}

static void hbm_region_put(dp_tier *tier, const tier_region *region)
{
    const cuda_device *device = &hbm_of(tier)->device;
    bool entered = cuda_enter(device) == DP_OK;
    /* A lost device has already dropped its memory; its error is nobody's to handle here. */
    (void)device->driver->memory_free(region->device);
    if (entered) {
        cuda_leave(device);
    }
}

static dp_status hbm_room(dp_tier *tier, uint64_t *free_bytes, uint64_t *all_bytes)
{
    const cuda_device *device = &hbm_of(tier)->device;
    dp_status status = cuda_enter(device);
    if (status != DP_OK)
        return status;
    size_t free_now = 0;
    size_t all = 0;
    status = cuda_status(device->driver->memory_info(&free_now, &all));
    cuda_leave(device);
    if (status == DP_OK) {
        *free_bytes = free_now;
        *all_bytes = all;
    }
    return status;
}

static dp_status hbm_write(dp_tier *tier, uint64_t address, const void *from, size_t size_bytes)
{
    const cuda_device *device = &hbm_of(tier)->device;
    dp_status status = cuda_enter(device);
    if (status != DP_OK) {
        return status;
    }
    status = cuda_status(device->driver->copy_to_device(address, from, size_bytes));
    cuda_leave(device);
    return status;
}

static dp_status hbm_read(dp_tier *tier, uint64_t address, void *to, size_t size_bytes)
{
    const cuda_device *device = &hbm_of(tier)->device;
    dp_status status = cuda_enter(device);
    if (status != DP_OK) {
        return status;
    }
    status = cuda_status(device->driver->copy_to_host(to, address, size_bytes));
    cuda_leave(device);
    return status;
}

static const tier_copy_ops HBM_COPY_OPS = {.write = hbm_write, .read = hbm_read};

static const tier_ops HBM_OPS = {
    .close = hbm_close,
    .region_get = hbm_region_get,
    .region_put = hbm_region_put,
    .room = hbm_room,
    .copy = &HBM_COPY_OPS,
};

/* The detail line of a usable tier: which GPU, and how much of its memory was free at the start. */
static void hbm_describe(hbm_tier *self)
{
    const cuda_device *device = &self->device;
    char *detail = self->tier.info.detail;
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    cuda_result result = CUDA_UNKNOWN;
    if (cuda_enter(device) == DP_OK) {
        result = device->driver->memory_info(&free_bytes, &total_bytes);
        cuda_leave(device);
    }
    if (result == CUDA_OK) {
        snprintf(detail, sizeof self->tier.info.detail, "%.40s, %zu of %zu MiB free", device->name,
                 free_bytes >> 20, total_bytes >> 20);
    } else {
        snprintf(detail, sizeof self->tier.info.detail, "%s", device->name);
    }
}

dp_status tier_hbm_open(const tier_open_args *args, char detail[96], dp_tier **out)
{
    (void)args;
    hbm_tier *self = os_calloc(1, sizeof *self);
    if (self == NULL) {
        snprintf(detail, CUDA_DETAIL_BYTES, "no memory for the tier's own state");
        return DP_ERR_NOMEM;
    }
    dp_status status = cuda_device_open(detail, &self->device);
    if (status != DP_OK) {
        os_free(self);
        return status;
    }
    self->tier = (dp_tier){
        .ops = &HBM_OPS,
        .info = {.id = DP_TIER_HBM,
                 .name = dp_tier_name(DP_TIER_HBM),
                 .state = DP_OK,
                 .alignment_bytes = HBM_ALIGNMENT_BYTES,
                 .device_visible = true},
        .region_bytes_default = HBM_REGION_BYTES,
    };
    hbm_describe(self);
    *out = &self->tier;
    return DP_OK;
}
