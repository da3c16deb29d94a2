/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: the shipped rules, and the plain question "which rule matches first?".
 */
#include "pool/router.h"

#include <string.h>

/*
 * Text is read by every socket write, and pinned memory lets it be sent to a device as well.
 * Surfaces in large batches are the GPU's; in small ones the first result is sooner there when the
 * bytes wait in pinned memory.  Encoded media is host data, kept in pmem by the cache.
 */
static const dp_route_rule shipped[] = {
    {.kind = DP_KIND_TEXT, .tiers = {DP_TIER_PINNED, DP_TIER_HOST, DP_TIER_NONE}},
    {.kind = DP_KIND_SURFACE,
     .batch_size_min = 8,
     .tiers = {DP_TIER_HBM, DP_TIER_PINNED, DP_TIER_HOST, DP_TIER_NONE}},
    {.kind = DP_KIND_SURFACE, .tiers = {DP_TIER_PINNED, DP_TIER_HOST, DP_TIER_NONE}},
    {.kind = DP_KIND_ENCODED, .tiers = {DP_TIER_PINNED, DP_TIER_HOST, DP_TIER_NONE}},
    {.kind = DP_KIND_COUNT, .tiers = {DP_TIER_HOST, DP_TIER_NONE}},
};

const dp_route_rule *dp_route_rules_default(size_t *count)
{
    DP_ASSERT(count != NULL);
    *count = sizeof shipped / sizeof shipped[0];
    return shipped;
}

static bool rule_is_valid(const dp_route_rule *rule)
{
    if ((unsigned)rule->kind > DP_KIND_COUNT || rule->tiers[0] == DP_TIER_NONE ||
        (unsigned)rule->priority_min >= DP_PRIORITY_COUNT)
        return false;
    if (rule->size_bytes_max != 0 && rule->size_bytes_max < rule->size_bytes_min)
        return false;
    for (unsigned i = 0; i < DP_TIER_COUNT && rule->tiers[i] != DP_TIER_NONE; i++) {
        if ((unsigned)rule->tiers[i] >= DP_TIER_COUNT)
            return false;
    }
    return true;
}

static bool rule_matches(const dp_route_rule *rule, const dp_request *request)
{
    return (rule->kind == DP_KIND_COUNT || rule->kind == (dp_kind)request->kind) &&
           request->size_bytes >= rule->size_bytes_min &&
           (rule->size_bytes_max == 0 || request->size_bytes <= rule->size_bytes_max) &&
           request->priority >= (unsigned)rule->priority_min &&
           request->batch_size >= rule->batch_size_min &&
           (rule->tenant == 0 || rule->tenant == request->tenant);
}

static bool tier_serves(const router_facts *facts, dp_tier_id tier, uint32_t need)
{
    uint32_t bit = DP_TIER_BIT(tier);
    return (facts->usable & bit) != 0 &&
           ((need & DP_NEED_HOST) == 0 || (facts->host_visible & bit) != 0) &&
           ((need & DP_NEED_DEVICE) == 0 || (facts->device_visible & bit) != 0);
}

size_t router_match(const dp_route_rule *rules, size_t rule_count, const dp_request *request)
{
    size_t index = 0;
    while (index < rule_count && !rule_matches(&rules[index], request))
        index++;
    return index;
}

router_route router_find(const router *self, const dp_request *request)
{
    size_t index = router_match(self->rules, self->rule_count, request);
    router_route route = {.first = DP_TIER_NONE, .rule = (uint8_t)index};
    if (index == self->rule_count)
        return route;
    const dp_route_rule *rule = &self->rules[index];
    uint32_t taken = 0; /* a tier named twice is tried once */
    route.first = (uint8_t)rule->tiers[0];
    for (unsigned i = 0; i < DP_TIER_COUNT && rule->tiers[i] != DP_TIER_NONE; i++) {
        dp_tier_id tier = rule->tiers[i];
        if ((taken & DP_TIER_BIT(tier)) == 0 && tier_serves(&self->facts, tier, request->need))
            route.tiers[route.count++] = (uint8_t)tier;
        taken |= DP_TIER_BIT(tier);
    }
    return route;
}

/* A rule begins or ends to match between the two: its bound is above the lower, not the upper. */
static bool bound_is_between(size_t bound, size_t size_bytes_min, size_t size_bytes_max)
{
    return bound > size_bytes_min && bound <= size_bytes_max;
}

bool router_is_flat(const router *self, size_t size_bytes_min, size_t size_bytes_max)
{
    for (size_t i = 0; i < self->rule_count; i++) {
        const dp_route_rule *rule = &self->rules[i];
        if (bound_is_between(rule->size_bytes_min, size_bytes_min, size_bytes_max) ||
            (rule->size_bytes_max != 0 &&
             bound_is_between(rule->size_bytes_max + 1, size_bytes_min, size_bytes_max)))
            return false;
    }
    return true;
}

dp_status router_init(const dp_route_rule *rules, size_t rule_count, const router_facts *facts,
                      router *out)
{
    if (rule_count == 0 || rule_count > ROUTER_RULES_MAX)
        return DP_ERR_INVALID;
    for (size_t i = 0; i < rule_count; i++) {
        if (!rule_is_valid(&rules[i]))
            return DP_ERR_INVALID;
    }
    *out = (router){.rule_count = rule_count, .facts = *facts};
    memcpy(out->rules, rules, rule_count * sizeof *rules);
    return DP_OK;
}
