/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tier around another tier that refuses to grow past a budget, with an error of its own.
 *
 * Counted are the bytes of regions that are out and of objects in the store, the ones found at the
 * start included (their payload: what the tier adds is the tier's business).  A removed object that
 * is still held counts as gone.  The budget is booked before the inner call and given back when it
 * fails, so that two threads never share the last bytes; the lock is held for the counting only.
 */
#include "pool/os.h"
#include "pool/tier.h"

typedef struct limit_tier {
    dp_tier tier;
    tier_ops ops; /* LIMIT_OPS less the groups that the inner tier lacks */
    dp_tier *inner;
    size_t budget_bytes_max;
    pthread_mutex_t lock;
    size_t used_bytes;
} limit_tier;

static limit_tier *limit_of(dp_tier *tier)
{
    return (limit_tier *)tier;
}

static bool book(limit_tier *self, size_t size_bytes)
{
    os_lock(&self->lock);
    /* What was found at the start may exceed the budget already. */
    bool fits = self->used_bytes <= self->budget_bytes_max &&
                size_bytes <= self->budget_bytes_max - self->used_bytes;
    if (fits) {
        self->used_bytes += size_bytes;
    }
    os_unlock(&self->lock);
    return fits;
}

static void unbook(limit_tier *self, size_t size_bytes)
{
    os_lock(&self->lock);
    DP_ASSERT(self->used_bytes >= size_bytes);
    self->used_bytes -= size_bytes;
    os_unlock(&self->lock);
}

static void limit_close(dp_tier *tier)
{
    limit_tier *self = limit_of(tier);
    tier_close(self->inner);
    os_mutex_destroy(&self->lock);
    os_free(self);
}

static dp_status limit_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    limit_tier *self = limit_of(tier);
    if (!book(self, size_bytes)) {
        return DP_ERR_QUOTA;
    }
    tier_region region;
    dp_status status = tier_region_get(self->inner, size_bytes, &region);
    if (status != DP_OK) {
        unbook(self, size_bytes);
        return status;
    }
    DP_ASSERT(region.size_bytes == size_bytes);
    *out = region;
    return DP_OK;
}

static void limit_region_put(dp_tier *tier, const tier_region *region)
{
    limit_tier *self = limit_of(tier);
    size_t size_bytes = region->size_bytes;
    tier_region_put(self->inner, region);
    unbook(self, size_bytes);
}

static dp_status limit_room(dp_tier *tier, uint64_t *free_bytes, uint64_t *all_bytes)
{
    return tier_room(limit_of(tier)->inner, free_bytes, all_bytes);
}

static dp_status limit_write(dp_tier *tier, uint64_t device, const void *from, size_t size_bytes)
{
    dp_tier *inner = limit_of(tier)->inner;
    return inner->ops->copy->write(inner, device, from, size_bytes);
}

static dp_status limit_read(dp_tier *tier, uint64_t device, void *to, size_t size_bytes)
{
    dp_tier *inner = limit_of(tier)->inner;
    return inner->ops->copy->read(inner, device, to, size_bytes);
}

static dp_status limit_advise(dp_tier *tier, uint64_t device, size_t size_bytes, dp_advice advice)
{
    return tier_advise(limit_of(tier)->inner, device, size_bytes, advice);
}

static dp_status limit_prefetch(dp_tier *tier, uint64_t device, size_t size_bytes, dp_place where,
                                uint64_t stream)
{
    return tier_prefetch(limit_of(tier)->inner, device, size_bytes, where, stream);
}

/* Commits what was booked, and gives the booking of what failed back. */
static void commit_booked(limit_tier *self, tier_item *items, size_t count)
{
    tier_store_commit_many(self->inner, items, count);
    size_t failed_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        failed_bytes += items[i].status != DP_OK ? items[i].size_bytes : 0;
    }
    if (failed_bytes > 0) {
        unbook(self, failed_bytes);
    }
}

/* Those before and behind an object that does not fit go on in batches. */
static void limit_commit(dp_tier *tier, tier_item *items, size_t count)
{
    limit_tier *self = limit_of(tier);
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        if (!book(self, items[i].size_bytes)) {
            commit_booked(self, items + from, i - from);
            items[i].status = DP_ERR_QUOTA;
            from = i + 1;
        }
    }
    commit_booked(self, items + from, count - from);
}

static dp_status limit_find(dp_tier *tier, const dp_cache_key *key, tier_object *out)
{
    return tier_store_find(limit_of(tier)->inner, key, out);
}

static void limit_release(dp_tier *tier, const tier_object *object)
{
    tier_store_release(limit_of(tier)->inner, object);
}

static dp_status limit_remove(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes)
{
    limit_tier *self = limit_of(tier);
    dp_status status = tier_store_remove(self->inner, key, size_bytes);
    if (status == DP_OK) {
        unbook(self, *size_bytes);
    }
    return status;
}

static void limit_each(dp_tier *tier, tier_visit *visit, void *user)
{
    tier_store_each(limit_of(tier)->inner, visit, user);
}

static void limit_totals(dp_tier *tier, tier_store_totals *out)
{
    tier_store_totals_read(limit_of(tier)->inner, out);
}

static void limit_unclaim(dp_tier *tier)
{
    tier_store_unclaim(limit_of(tier)->inner);
}

static bool limit_claim(dp_tier *tier, const dp_cache_key *key, tier_claim *out)
{
    return tier_store_claim(limit_of(tier)->inner, key, out);
}

static bool limit_claim_oldest(dp_tier *tier, dp_priority priority, tier_claim *out)
{
    return tier_store_claim_oldest(limit_of(tier)->inner, priority, out);
}

static const tier_copy_ops LIMIT_COPY_OPS = {.write = limit_write, .read = limit_read};

static const tier_advice_ops LIMIT_ADVICE_OPS = {
    .advise = limit_advise,
    .prefetch = limit_prefetch,
};

static const tier_store_ops LIMIT_STORE_OPS = {
    .commit = limit_commit,
    .find = limit_find,
    .release = limit_release,
    .remove = limit_remove,
    .each = limit_each,
    .totals = limit_totals,
    .unclaim = limit_unclaim,
    .claim = limit_claim,
    .claim_oldest = limit_claim_oldest,
};

static const tier_ops LIMIT_OPS = {
    .close = limit_close,
    .region_get = limit_region_get,
    .region_put = limit_region_put,
    .room = limit_room,
    .copy = &LIMIT_COPY_OPS,
    .store = &LIMIT_STORE_OPS,
    .advice = &LIMIT_ADVICE_OPS,
};

dp_status tier_limit_wrap(dp_tier *inner, size_t budget_bytes_max, dp_tier **out)
{
    DP_ASSERT(inner != NULL);
    limit_tier *self = os_calloc(1, sizeof *self);
    if (self == NULL) {
        tier_close(inner);
        return DP_ERR_NOMEM;
    }
    self->tier = *inner;
    self->tier.ops = &self->ops;
    self->tier.info.budget_bytes_max = budget_bytes_max;
    self->ops = tier_ops_like(&LIMIT_OPS, inner->ops);
    self->inner = inner;
    self->budget_bytes_max = budget_bytes_max;
    os_mutex_init(&self->lock);
    tier_store_totals found;
    tier_store_totals_read(inner, &found);
    self->used_bytes = found.bytes;
    *out = &self->tier;
    return DP_OK;
}
