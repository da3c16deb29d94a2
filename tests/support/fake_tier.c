/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fake_tier.h.  Device addresses are host addresses plus a tag far above user space, so that
 * code that dereferences one dies at once.
 */
#include "fake_tier.h"

#include <stdlib.h>
#include <string.h>

#include "pool/os.h"

#define DEVICE_TAG ((uint64_t)1 << 60)
#define STALE_BYTE 0xdb
#define PAGE_BYTES 4096u

typedef struct fake_tier {
    dp_tier tier;
    fake_tier_plan plan;
    fake_tier_counts *counts;
} fake_tier;

static void fake_close(dp_tier *tier)
{
    fake_tier *self = (fake_tier *)tier;
    DP_ASSERT(self->counts->regions_out == 0);
    self->counts->closed++;
    free(self);
}

static dp_status ails(fake_tier_faults *faults)
{
    if (faults == NULL)
        return DP_OK;
    atomic_fetch_add(&faults->gets, 1);
    uint64_t slow_ns = atomic_load(&faults->slow_ns);
    if (slow_ns != 0)
        faults->wait(slow_ns);
    return (dp_status)atomic_load(&faults->status);
}

static dp_status fake_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    fake_tier *self = (fake_tier *)tier;
    fake_tier_counts *counts = self->counts;
    counts->calls++;
    dp_status status = ails(self->plan.faults);
    if (status != DP_OK)
        return status;
    if (self->plan.bytes_max != 0 && size_bytes > self->plan.bytes_max - counts->bytes_out)
        return DP_ERR_NOMEM;
    void *memory = NULL;
    if (posix_memalign(&memory, PAGE_BYTES, size_bytes) != 0)
        return DP_ERR_NOMEM;
    counts->bytes_out += size_bytes;
    counts->regions_out++;
    *out = (tier_region){.size_bytes = size_bytes, .cookie = (uint64_t)(uintptr_t)memory};
    if (self->plan.device_only)
        out->device = out->cookie + DEVICE_TAG;
    else
        out->host = memory;
    return DP_OK;
}

static void fake_region_put(dp_tier *tier, const tier_region *region)
{
    fake_tier *self = (fake_tier *)tier;
    void *memory = (void *)(uintptr_t)region->cookie;
    DP_ASSERT(self->counts->bytes_out >= region->size_bytes && self->counts->regions_out > 0);
    self->counts->calls++;
    self->counts->bytes_out -= region->size_bytes;
    self->counts->regions_out--;
    memset(memory, STALE_BYTE, region->size_bytes < PAGE_BYTES ? region->size_bytes : PAGE_BYTES);
    free(memory);
}

static dp_status fake_write(dp_tier *tier, uint64_t device, const void *from, size_t size_bytes)
{
    (void)tier;
    memcpy((void *)(uintptr_t)(device - DEVICE_TAG), from, size_bytes);
    return DP_OK;
}

static dp_status fake_read(dp_tier *tier, uint64_t device, void *to, size_t size_bytes)
{
    (void)tier;
    memcpy(to, (const void *)(uintptr_t)(device - DEVICE_TAG), size_bytes);
    return DP_OK;
}

static const tier_copy_ops copy_ops = {.write = fake_write, .read = fake_read};
static const tier_ops host_ops = {
    .close = fake_close, .region_get = fake_region_get, .region_put = fake_region_put};
static const tier_ops device_ops = {.close = fake_close,
                                    .region_get = fake_region_get,
                                    .region_put = fake_region_put,
                                    .copy = &copy_ops};
static const tier_ops store_only_ops = {.close = fake_close};

dp_tier *fake_tier_open(const fake_tier_plan *plan, fake_tier_counts *counts)
{
    fake_tier *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    *counts = (fake_tier_counts){0};
    self->plan = *plan;
    self->counts = counts;
    self->tier.ops = plan->device_only ? &device_ops : &host_ops;
    if (plan->store_only)
        self->tier.ops = &store_only_ops;
    self->tier.info = (dp_tier_info){
        .id = plan->id,
        .name = dp_tier_name(plan->id),
        .alignment_bytes = plan->alignment_bytes == 0 ? 16 : plan->alignment_bytes,
        .host_visible = !plan->device_only,
        .device_visible = plan->device_only,
    };
    self->tier.region_bytes_default =
        plan->region_bytes == 0 ? (size_t)256 << 10 : plan->region_bytes;
    return &self->tier;
}
