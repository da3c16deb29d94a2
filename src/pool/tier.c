/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that touches a tier's table: front functions, names, and the list of openers.
 *
 * A missing slot or group is answered here with DP_ERR_UNSUPPORTED, so that no tier writes the same
 * refusal again.  It is also where calls are timed and told to the tier's observer; a memcpy on the
 * host is no call.  No state; what the tier itself promises about threads holds.
 */
#include "pool/tier.h"

#include <stdio.h>
#include <string.h>

#include "pool/nvtx_mark.h"
#include "pool/observe.h"
#include "pool/os.h"

_Static_assert(NVTX_CALL_REMOVE - NVTX_CALL_REGION_GET == TRACE_CALL_REMOVE,
               "a call's range is found by its number");

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

/*
 * Around a call into the table.  A tier that nobody observes is a decorator's inner one, whose
 * calls the decorator's own already tell.
 */
static uint64_t call_begin(const dp_tier *tier, trace_call call, size_t size_bytes)
{
    if (tier->observer == NULL)
        return 0;
    nvtx_push((nvtx_range)(NVTX_CALL_REGION_GET + (unsigned)call), NVTX_CATEGORY(tier->info.id),
              size_bytes);
    return os_clock_ns();
}

/* Returns the status, for a shorter caller. */
static dp_status call_end(const dp_tier *tier, trace_call call, size_t size_bytes,
                          uint64_t begun_ns, dp_status status)
{
    if (tier->observer == NULL)
        return status;
    observe_tier_call(tier->observer, tier->info.id, call, size_bytes, begun_ns, status);
    nvtx_pop();
    return status;
}

dp_status tier_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    if (tier->ops->region_get == NULL)
        return DP_ERR_UNSUPPORTED;
    uint64_t begun_ns = call_begin(tier, TRACE_CALL_REGION_GET, size_bytes);
    dp_status status = tier->ops->region_get(tier, size_bytes, out);
    return call_end(tier, TRACE_CALL_REGION_GET, size_bytes, begun_ns, status);
}

void tier_region_put(dp_tier *tier, const tier_region *region)
{
    DP_ASSERT(tier->ops->region_put != NULL);
    size_t size_bytes = region->size_bytes;
    uint64_t begun_ns = call_begin(tier, TRACE_CALL_REGION_PUT, size_bytes);
    tier->ops->region_put(tier, region);
    (void)call_end(tier, TRACE_CALL_REGION_PUT, size_bytes, begun_ns, DP_OK);
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
    if (tier->ops->copy != NULL) {
        uint64_t begun_ns = call_begin(tier, TRACE_CALL_WRITE, size_bytes);
        dp_status status =
            tier->ops->copy->write(tier, region->device + offset_bytes, from, size_bytes);
        return call_end(tier, TRACE_CALL_WRITE, size_bytes, begun_ns, status);
    }
    DP_ASSERT(region->host != NULL);
    memcpy((unsigned char *)region->host + offset_bytes, from, size_bytes);
    return DP_OK;
}

dp_status tier_read(dp_tier *tier, const tier_region *region, size_t offset_bytes, void *to,
                    size_t size_bytes)
{
    DP_ASSERT(range_is_inside(region, offset_bytes, size_bytes));
    if (tier->ops->copy != NULL) {
        uint64_t begun_ns = call_begin(tier, TRACE_CALL_READ, size_bytes);
        dp_status status =
            tier->ops->copy->read(tier, region->device + offset_bytes, to, size_bytes);
        return call_end(tier, TRACE_CALL_READ, size_bytes, begun_ns, status);
    }
    DP_ASSERT(region->host != NULL);
    memcpy(to, (const unsigned char *)region->host + offset_bytes, size_bytes);
    return DP_OK;
}

bool tier_has_store(const dp_tier *tier)
{
    return tier->ops->store != NULL;
}

dp_status tier_store_commit(dp_tier *tier, const dp_cache_key *key, const tier_object *object)
{
    if (!tier_has_store(tier))
        return DP_ERR_UNSUPPORTED;
    uint64_t begun_ns = call_begin(tier, TRACE_CALL_COMMIT, object->size_bytes);
    dp_status status = tier->ops->store->commit(tier, key, object);
    return call_end(tier, TRACE_CALL_COMMIT, object->size_bytes, begun_ns, status);
}

dp_status tier_store_find(dp_tier *tier, const dp_cache_key *key, tier_object *out)
{
    if (!tier_has_store(tier))
        return DP_ERR_UNSUPPORTED;
    uint64_t begun_ns = call_begin(tier, TRACE_CALL_FIND, 0);
    dp_status status = tier->ops->store->find(tier, key, out);
    size_t size_bytes = status == DP_OK ? out->size_bytes : 0;
    return call_end(tier, TRACE_CALL_FIND, size_bytes, begun_ns, status);
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
    if (size_bytes == NULL)
        size_bytes = &unused;
    uint64_t begun_ns = call_begin(tier, TRACE_CALL_REMOVE, 0);
    dp_status status = tier->ops->store->remove(tier, key, size_bytes);
    return call_end(tier, TRACE_CALL_REMOVE, status == DP_OK ? *size_bytes : 0, begun_ns, status);
}

void tier_store_each(dp_tier *tier,
                     bool (*visit)(void *user, const dp_cache_key *key, const tier_object *object),
                     void *user)
{
    if (tier_has_store(tier))
        tier->ops->store->each(tier, visit, user);
}
