/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pinned tier: page-locked host memory that kernels may dereference and that copies run from
 * at full bus speed.
 *
 * Regions come from cuMemHostAlloc, which takes milliseconds and locks pages machine-wide; hence
 * few large regions.  "Portable" pins for every context of the process, "device map" gives the
 * address that kernels use.  Regions are got and put under the slab's lock of this tier; the state
 * is constant after open.  The device (a retained primary context) goes with close().
 */
#include <stdio.h>

#include "pool/cuda_driver.h"
#include "pool/os.h"
#include "pool/tier.h"

#define PINNED_REGION_BYTES    ((size_t)8 << 20)
#define PINNED_ALIGNMENT_BYTES 64u /* a cache line; every block is rounded up to it, text too */

typedef struct pinned_tier {
    dp_tier tier;
    cuda_device device;
} pinned_tier;

static pinned_tier *pinned_of(dp_tier *tier)
{
    return (pinned_tier *)tier;
}

static void pinned_close(dp_tier *tier)
{
    pinned_tier *self = pinned_of(tier);
    cuda_device_close(&self->device);
    os_free(self);
}

static dp_status pinned_alloc(const cuda_driver *driver, size_t size_bytes, tier_region *out)
{
    void *host = NULL;
    cuda_address device = 0;
    cuda_result result =
        driver->host_alloc(&host, size_bytes, CUDA_HOST_PORTABLE | CUDA_HOST_DEVICE_MAP);
    if (result != CUDA_OK) {
        return cuda_status(result);
    }
    result = driver->host_address(&device, host, 0);
    if (result != CUDA_OK) {
        (void)driver->host_free(host);
        return cuda_status(result);
    }
    *out = (tier_region){.host = host, .device = device, .size_bytes = size_bytes};
    return DP_OK;
}

static dp_status pinned_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    const cuda_device *device = &pinned_of(tier)->device;
    dp_status status = cuda_enter(device);
    if (status != DP_OK) {
        return status;
    }
    status = pinned_alloc(device->driver, size_bytes, out);
    cuda_leave(device);
    return status;
}

static void pinned_region_put(dp_tier *tier, const tier_region *region)
{
    const cuda_device *device = &pinned_of(tier)->device;
    /* Freed even where the context cannot be entered: a lost device frees nothing either way. */
    bool entered = cuda_enter(device) == DP_OK;
    (void)device->driver->host_free(region->host);
    if (entered) {
        cuda_leave(device);
    }
}

static const tier_ops PINNED_OPS = {
    .close = pinned_close,
    .region_get = pinned_region_get,
    .region_put = pinned_region_put,
};

dp_status tier_pinned_open(const tier_open_args *args, char detail[96], dp_tier **out)
{
    (void)args;
    pinned_tier *self = os_calloc(1, sizeof *self);
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
        .ops = &PINNED_OPS,
        .info = {.id = DP_TIER_PINNED,
                 .name = dp_tier_name(DP_TIER_PINNED),
                 .state = DP_OK,
                 .alignment_bytes = PINNED_ALIGNMENT_BYTES,
                 .host_visible = true,
                 .device_visible = true},
        .region_bytes_default = PINNED_REGION_BYTES,
    };
    snprintf(self->tier.info.detail, sizeof self->tier.info.detail, "page-locked for %s",
             self->device.name);
    *out = &self->tier;
    return DP_OK;
}
