/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tier around another tier whose n-th call fails, then every k-th after it; for tests.
 *
 * Counted are the calls that can fail for want of memory or by a broken device: region_get, copies,
 * advice and commits, these by the object, in one count over all threads.  The failed call never
 * reaches the inner tier, so a failure leaves it as it was.  Everything else is forwarded, facts
 * included.
 */
#include <stdatomic.h>

#include "pool/os.h"
#include "pool/tier.h"

typedef struct fault_tier {
    dp_tier tier;
    tier_ops ops; /* FAULT_OPS less the groups that the inner tier lacks */
    dp_tier *inner;
    uint64_t fail_nth;
    uint64_t every; /* 0: once only */
    atomic_uint_fast64_t calls;
} fault_tier;

static fault_tier *fault_of(dp_tier *tier)
{
    return (fault_tier *)tier;
}

static bool fails_now(fault_tier *self)
{
    /* Relaxed: the number is all that is shared. */
    uint64_t call = atomic_fetch_add_explicit(&self->calls, 1, memory_order_relaxed) + 1;
    if (self->fail_nth == 0 || call < self->fail_nth) {
        return false;
    }
    return call == self->fail_nth ||
           (self->every > 0 && (call - self->fail_nth) % self->every == 0);
}

static void fault_close(dp_tier *tier)
{
    tier_close(fault_of(tier)->inner);
    os_free(tier);
}

static dp_status fault_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    fault_tier *self = fault_of(tier);
    return fails_now(self) ? DP_ERR_NOMEM : tier_region_get(self->inner, size_bytes, out);
}

static void fault_region_put(dp_tier *tier, const tier_region *region)
{
    tier_region_put(fault_of(tier)->inner, region);
}

static dp_status fault_room(dp_tier *tier, uint64_t *free_bytes, uint64_t *all_bytes)
{
    return tier_room(fault_of(tier)->inner, free_bytes, all_bytes);
}

static dp_status fault_write(dp_tier *tier, uint64_t device, const void *from, size_t size_bytes)
{
    fault_tier *self = fault_of(tier);
    if (fails_now(self)) {
        return DP_ERR_DEVICE;
    }
    return self->inner->ops->copy->write(self->inner, device, from, size_bytes);
}

static dp_status fault_read(dp_tier *tier, uint64_t device, void *to, size_t size_bytes)
{
    fault_tier *self = fault_of(tier);
    if (fails_now(self)) {
        return DP_ERR_DEVICE;
    }
    return self->inner->ops->copy->read(self->inner, device, to, size_bytes);
}

static dp_status fault_advise(dp_tier *tier, uint64_t device, size_t size_bytes, dp_advice advice)
{
    fault_tier *self = fault_of(tier);
    return fails_now(self) ? DP_ERR_DEVICE : tier_advise(self->inner, device, size_bytes, advice);
}

static dp_status fault_prefetch(dp_tier *tier, uint64_t device, size_t size_bytes, dp_place where,
                                uint64_t stream)
{
    fault_tier *self = fault_of(tier);
    if (fails_now(self)) {
        return DP_ERR_DEVICE;
    }
    return tier_prefetch(self->inner, device, size_bytes, where, stream);
}

/* Every object of a batch counts; those before and behind a failed one go on in batches. */
static void fault_commit(dp_tier *tier, tier_item *items, size_t count)
{
    fault_tier *self = fault_of(tier);
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        if (fails_now(self)) {
            tier_store_commit_many(self->inner, items + from, i - from);
            items[i].status = DP_ERR_IO;
            from = i + 1;
        }
    }
    tier_store_commit_many(self->inner, items + from, count - from);
}

static dp_status fault_find(dp_tier *tier, const dp_cache_key *key, tier_object *out)
{
    return tier_store_find(fault_of(tier)->inner, key, out);
}

static void fault_release(dp_tier *tier, const tier_object *object)
{
    tier_store_release(fault_of(tier)->inner, object);
}

static dp_status fault_remove(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes)
{
    return tier_store_remove(fault_of(tier)->inner, key, size_bytes);
}

static void fault_each(dp_tier *tier, tier_visit *visit, void *user)
{
    tier_store_each(fault_of(tier)->inner, visit, user);
}

static void fault_totals(dp_tier *tier, tier_store_totals *out)
{
    tier_store_totals_read(fault_of(tier)->inner, out);
}

static void fault_unclaim(dp_tier *tier)
{
    tier_store_unclaim(fault_of(tier)->inner);
}

static bool fault_claim(dp_tier *tier, const dp_cache_key *key, tier_claim *out)
{
    return tier_store_claim(fault_of(tier)->inner, key, out);
}

static bool fault_claim_oldest(dp_tier *tier, dp_priority priority, tier_claim *out)
{
    return tier_store_claim_oldest(fault_of(tier)->inner, priority, out);
}

static const tier_copy_ops FAULT_COPY_OPS = {.write = fault_write, .read = fault_read};

static const tier_advice_ops FAULT_ADVICE_OPS = {
    .advise = fault_advise,
    .prefetch = fault_prefetch,
};

static const tier_store_ops FAULT_STORE_OPS = {
    .commit = fault_commit,
    .find = fault_find,
    .release = fault_release,
    .remove = fault_remove,
    .each = fault_each,
    .totals = fault_totals,
    .unclaim = fault_unclaim,
    .claim = fault_claim,
    .claim_oldest = fault_claim_oldest,
};

static const tier_ops FAULT_OPS = {
    .close = fault_close,
    .region_get = fault_region_get,
    .region_put = fault_region_put,
    .room = fault_room,
    .copy = &FAULT_COPY_OPS,
    .store = &FAULT_STORE_OPS,
    .advice = &FAULT_ADVICE_OPS,
};

dp_status tier_fault_wrap(dp_tier *inner, uint64_t fail_nth, uint64_t every, dp_tier **out)
{
    DP_ASSERT(inner != NULL);
    fault_tier *self = os_calloc(1, sizeof *self);
    if (self == NULL) {
        tier_close(inner); /* taken over on failure too, as everywhere */
        return DP_ERR_NOMEM;
    }
    self->tier = *inner;
    self->tier.ops = &self->ops;
    self->ops = tier_ops_like(&FAULT_OPS, inner->ops);
    self->inner = inner;
    self->fail_nth = fail_nth;
    self->every = every;
    atomic_init(&self->calls, 0);
    *out = &self->tier;
    return DP_OK;
}
