/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: see tenant.h.
 *
 * Memory order: a chunk is published with release and found with acquire.  A booking and the end of
 * its tenant are a store-then-load on both sides (the count, then the state; the state, then the
 * count), hence sequentially consistent: either the booking sees that the tenant has ended, or
 * whoever wants its place sees the booking.
 */
#include "pool/tenant.h"

#include <string.h>

void tenants_init(tenants *self)
{
    *self = (tenants){0};
    os_mutex_init(&self->lock);
}

static tenant *tenant_at(const tenants *self, uint32_t id)
{
    tenant *chunk = atomic_load_explicit(&self->chunks[id / TENANT_CHUNK], memory_order_acquire);
    return chunk == NULL ? NULL : &chunk[id % TENANT_CHUNK];
}

static bool is_live(const tenant *one)
{
    return one != NULL && atomic_load(&one->state) == TENANT_LIVE;
}

static bool is_charged(const tenant *one)
{
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        if (atomic_load(&one->used_bytes[tier]) != 0)
            return true;
    }
    return false;
}

void tenants_destroy(tenants *self)
{
    for (unsigned i = 0; i < TENANT_CHUNKS; i++) {
        tenant *chunk = atomic_load_explicit(&self->chunks[i], memory_order_acquire);
        for (unsigned k = 0; chunk != NULL && k < TENANT_CHUNK; k++)
            DP_ASSERT(!is_charged(&chunk[k]));
        os_free(chunk);
    }
    os_mutex_destroy(&self->lock);
}

/* ---- booking ---- */

bool tenant_exists(const tenants *self, uint16_t id)
{
    return id == 0 || is_live(tenant_at(self, id));
}

dp_status tenant_charge(tenants *self, uint16_t id, dp_tier_id tier, size_t size_bytes)
{
    if (id == 0)
        return DP_OK;
    tenant *one = tenant_at(self, id);
    if (one == NULL)
        return DP_ERR_NOT_FOUND;
    uint64_t quota = atomic_load_explicit(&one->quota_bytes_max[tier], memory_order_relaxed);
    uint64_t used = atomic_load_explicit(&one->used_bytes[tier], memory_order_relaxed);
    do {
        if (used > quota || size_bytes > quota - used)
            return is_live(one) ? DP_ERR_QUOTA : DP_ERR_NOT_FOUND;
    } while (!atomic_compare_exchange_weak(&one->used_bytes[tier], &used, used + size_bytes));
    if (is_live(one))
        return DP_OK;
    tenant_return(self, id, tier, size_bytes);
    return DP_ERR_NOT_FOUND;
}

void tenant_return(tenants *self, uint16_t id, dp_tier_id tier, size_t size_bytes)
{
    if (id == 0)
        return;
    tenant *one = tenant_at(self, id);
    DP_ASSERT(one != NULL);
    uint64_t before = atomic_fetch_sub(&one->used_bytes[tier], size_bytes);
    DP_ASSERT(before >= size_bytes);
}

void tenant_count_refused(tenants *self, uint16_t id)
{
    tenant *one = tenant_at(self, id);
    if (id != 0 && one != NULL)
        atomic_fetch_add_explicit(&one->refused, 1, memory_order_relaxed);
}

/* ---- making and ending; under the lock ---- */

/* Makes the chunk of an id that was never given; false: no memory. */
static bool chunk_make(tenants *self, uint32_t id)
{
    if (tenant_at(self, id) != NULL)
        return true;
    tenant *chunk = os_aligned(alignof(tenant), TENANT_CHUNK * sizeof *chunk);
    if (chunk == NULL)
        return false;
    memset(chunk, 0, TENANT_CHUNK * sizeof *chunk);
    atomic_store_explicit(&self->chunks[id / TENANT_CHUNK], chunk, memory_order_release);
    return true;
}

/* The next of the ids given so far, round and round, that may be given again; at most `steps` are
 * looked at. */
static bool place_reuse(tenants *self, uint32_t steps, uint32_t *id)
{
    for (uint32_t i = 0; i < steps && i < self->made; i++) {
        self->turn = self->turn % self->made + 1;
        const tenant *one = tenant_at(self, self->turn);
        if (atomic_load(&one->state) == TENANT_LEAVING && !is_charged(one)) {
            *id = self->turn;
            return true;
        }
    }
    return false;
}

static dp_status place_find(tenants *self, uint32_t *id)
{
    if (place_reuse(self, TENANT_CHUNK, id))
        return DP_OK;
    if (self->made == DP_TENANTS_MAX)
        return place_reuse(self, DP_TENANTS_MAX, id) ? DP_OK : DP_ERR_BUSY;
    if (!chunk_make(self, self->made + 1))
        return DP_ERR_NOMEM;
    *id = ++self->made;
    return DP_OK;
}

dp_status tenant_make(tenants *self, const char *name, const size_t quota_bytes_max[DP_TIER_COUNT],
                      uint16_t *id)
{
    uint32_t place = 0;
    os_lock(&self->lock);
    dp_status status = place_find(self, &place);
    if (status == DP_OK) {
        tenant *one = tenant_at(self, place);
        size_t length = strnlen(name, DP_TENANT_NAME_BYTES - 1);
        memset(one->name, 0, sizeof one->name);
        memcpy(one->name, name, length);
        for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
            uint64_t quota = quota_bytes_max == NULL ? 0 : quota_bytes_max[tier];
            atomic_store_explicit(&one->quota_bytes_max[tier], quota == 0 ? UINT64_MAX : quota,
                                  memory_order_relaxed);
        }
        atomic_store_explicit(&one->refused, 0, memory_order_relaxed);
        atomic_store(&one->state, TENANT_LIVE);
        *id = (uint16_t)place;
    }
    os_unlock(&self->lock);
    return status;
}

dp_status tenant_end(tenants *self, uint16_t id)
{
    dp_status status = DP_ERR_NOT_FOUND;
    os_lock(&self->lock);
    tenant *one = tenant_at(self, id);
    if (id != 0 && is_live(one)) {
        atomic_store(&one->state, TENANT_LEAVING);
        status = DP_OK;
    }
    os_unlock(&self->lock);
    return status;
}

/* ---- asking ---- */

dp_status tenant_read(tenants *self, uint16_t id, dp_tenant_stats *out)
{
    dp_status status = DP_ERR_NOT_FOUND;
    os_lock(&self->lock);
    const tenant *one = tenant_at(self, id);
    if (id != 0 && is_live(one)) {
        memcpy(out->name, one->name, sizeof out->name);
        for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
            uint64_t quota =
                atomic_load_explicit(&one->quota_bytes_max[tier], memory_order_relaxed);
            out->quota_bytes_max[tier] = quota == UINT64_MAX ? 0 : quota;
            out->used_bytes[tier] =
                atomic_load_explicit(&one->used_bytes[tier], memory_order_relaxed);
        }
        out->refused = atomic_load_explicit(&one->refused, memory_order_relaxed);
        status = DP_OK;
    }
    os_unlock(&self->lock);
    return status;
}

uint16_t tenant_next(const tenants *self, uint16_t id)
{
    for (uint32_t at = (uint32_t)id + 1; at <= DP_TENANTS_MAX; at++) {
        const tenant *one = tenant_at(self, at);
        if (one == NULL)
            at |= TENANT_CHUNK - 1; /* nor is any other of that chunk there */
        else if (is_live(one))
            return (uint16_t)at;
    }
    return 0;
}
