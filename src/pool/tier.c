/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that touches a tier's table: front functions, names, and the list of openers.
 *
 * A missing slot or group is answered here with DP_ERR_UNSUPPORTED, so that no tier writes the same
 * refusal again.  No state; what the tier itself promises about threads holds.
 */
#include "pool/tier.h"

#include <stdio.h>
#include <string.h>

#include "pool/os.h"

static const char *const names[DP_TIER_COUNT] = {
#define TIER_NAME(id, name) [id] = (name),
    DP_TIER_LIST(TIER_NAME)
#undef TIER_NAME
};

static tier_opener *const openers[DP_TIER_COUNT] = {
#define TIER_OPENER(id, opener) [id] = (opener),
    TIER_OPENER_LIST(TIER_OPENER)
#undef TIER_OPENER
};

const char *dp_tier_name(dp_tier_id id)
{
    return (unsigned)id < DP_TIER_COUNT ? names[id] : "none";
}

dp_tier_id dp_tier_by_name(const char *name)
{
    DP_ASSERT(name != NULL);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        if (strcmp(name, names[id]) == 0)
            return (dp_tier_id)id;
    }
    return DP_TIER_NONE;
}

dp_status tier_open(dp_tier_id id, const tier_open_args *args, char detail[96], dp_tier **out)
{
    DP_ASSERT((unsigned)id < DP_TIER_COUNT);
    dp_tier *tier = NULL;
    detail[0] = '\0';
    dp_status status = openers[id](args, detail, &tier);
    if (status != DP_OK)
        return status;
    DP_ASSERT(tier->ops->close != NULL);
    DP_ASSERT((tier->ops->region_get == NULL) == (tier->ops->region_put == NULL));
    DP_ASSERT(tier->info.id == id);
    *out = tier;
    return DP_OK;
}

void tier_close(dp_tier *tier)
{
    if (tier != NULL)
        tier->ops->close(tier);
}

bool tier_has_regions(const dp_tier *tier)
{
    return tier->ops->region_get != NULL;
}

dp_status tier_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    if (tier->ops->region_get == NULL)
        return DP_ERR_UNSUPPORTED;
    return tier->ops->region_get(tier, size_bytes, out);
}

void tier_region_put(dp_tier *tier, const tier_region *region)
{
    DP_ASSERT(tier->ops->region_put != NULL);
    tier->ops->region_put(tier, region);
}

dp_status tier_room(dp_tier *tier, uint64_t *free_bytes, uint64_t *all_bytes)
{
    if (tier->ops->room == NULL)
        return DP_ERR_UNSUPPORTED;
    return tier->ops->room(tier, free_bytes, all_bytes);
}

/* Written so that a huge offset cannot wrap round. */
static bool range_is_inside(const tier_region *region, size_t offset_bytes, size_t size_bytes)
{
    return offset_bytes <= region->size_bytes && size_bytes <= region->size_bytes - offset_bytes;
}

dp_status tier_write(dp_tier *tier, const tier_region *region, size_t offset_bytes,
                     const void *from, size_t size_bytes)
{
    DP_ASSERT(range_is_inside(region, offset_bytes, size_bytes));
    if (tier->ops->copy != NULL)
        return tier->ops->copy->write(tier, region->device + offset_bytes, from, size_bytes);
    DP_ASSERT(region->host != NULL);
    memcpy((unsigned char *)region->host + offset_bytes, from, size_bytes);
    return DP_OK;
}

dp_status tier_read(dp_tier *tier, const tier_region *region, size_t offset_bytes, void *to,
                    size_t size_bytes)
{
    DP_ASSERT(range_is_inside(region, offset_bytes, size_bytes));
    if (tier->ops->copy != NULL)
        return tier->ops->copy->read(tier, region->device + offset_bytes, to, size_bytes);
    DP_ASSERT(region->host != NULL);
    memcpy(to, (const unsigned char *)region->host + offset_bytes, size_bytes);
    return DP_OK;
}

dp_status tier_advise(dp_tier *tier, uint64_t device, size_t size_bytes, dp_advice advice)
{
    if (tier->ops->advice == NULL)
        return DP_ERR_UNSUPPORTED;
    return tier->ops->advice->advise(tier, device, size_bytes, advice);
}

dp_status tier_prefetch(dp_tier *tier, uint64_t device, size_t size_bytes, dp_place where,
                        uint64_t stream)
{
    if (tier->ops->advice == NULL)
        return DP_ERR_UNSUPPORTED;
    return tier->ops->advice->prefetch(tier, device, size_bytes, where, stream);
}

bool tier_has_store(const dp_tier *tier)
{
    return tier->ops->store != NULL;
}

dp_status tier_store_commit(dp_tier *tier, const dp_cache_key *key, const tier_object *object)
{
    tier_item item = {.key = key,
                      .data = object->data,
                      .size_bytes = object->size_bytes,
                      .meta = object->meta,
                      .meta_bytes = object->meta_bytes,
                      .priority = object->priority,
                      .kind = object->kind};
    tier_store_commit_many(tier, &item, 1);
    return item.status;
}

void tier_store_commit_many(dp_tier *tier, tier_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i].status = DP_ERR_UNSUPPORTED;
    if (tier_has_store(tier) && count > 0)
        tier->ops->store->commit(tier, items, count);
}

dp_status tier_store_find(dp_tier *tier, const dp_cache_key *key, tier_object *out)
{
    return tier_has_store(tier) ? tier->ops->store->find(tier, key, out) : DP_ERR_UNSUPPORTED;
}

void tier_store_release(dp_tier *tier, const tier_object *object)
{
    DP_ASSERT(tier_has_store(tier));
    tier->ops->store->release(tier, object);
}

dp_status tier_store_remove(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes)
{
    size_t unused = 0;
    if (!tier_has_store(tier))
        return DP_ERR_UNSUPPORTED;
    return tier->ops->store->remove(tier, key, size_bytes != NULL ? size_bytes : &unused);
}

void tier_store_each(dp_tier *tier, tier_visit *visit, void *user)
{
    if (tier_has_store(tier))
        tier->ops->store->each(tier, visit, user);
}

void tier_store_totals_read(dp_tier *tier, tier_store_totals *out)
{
    *out = (tier_store_totals){0};
    if (tier_has_store(tier))
        tier->ops->store->totals(tier, out);
}

void tier_store_unclaim(dp_tier *tier)
{
    if (tier_has_store(tier))
        tier->ops->store->unclaim(tier);
}

bool tier_store_claim(dp_tier *tier, const dp_cache_key *key, tier_claim *out)
{
    return tier_has_store(tier) && tier->ops->store->claim(tier, key, out);
}

bool tier_store_claim_oldest(dp_tier *tier, dp_priority priority, tier_claim *out)
{
    return tier_has_store(tier) && tier->ops->store->claim_oldest(tier, priority, out);
}
