/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: the shipped rules, and the compiler from rules to the table that router.h describes.
 *
 * Compiling asks the plain question, "which rule matches first?", once for the lowest request of
 * each interval; the table can therefore not disagree with the rules.
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
    if ((unsigned)rule->kind > DP_KIND_COUNT || rule->tiers[0] == DP_TIER_NONE)
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
    return (rule->kind == DP_KIND_COUNT || rule->kind == request->kind) &&
           request->size_bytes >= rule->size_bytes_min &&
           (rule->size_bytes_max == 0 || request->size_bytes <= rule->size_bytes_max) &&
           request->batch_size >= rule->batch_size_min;
}

static bool tier_serves(const router_facts *facts, dp_tier_id tier, uint32_t need)
{
    uint32_t bit = DP_TIER_BIT(tier);
    return (facts->usable & bit) != 0 &&
           ((need & DP_NEED_HOST) == 0 || (facts->host_visible & bit) != 0) &&
           ((need & DP_NEED_DEVICE) == 0 || (facts->device_visible & bit) != 0);
}

static router_route route_make(const dp_route_rule *rules, size_t rule_count,
                               const router_facts *facts, const dp_request *request)
{
    size_t index = 0;
    while (index < rule_count && !rule_matches(&rules[index], request))
        index++;
    router_route route = {.first = DP_TIER_NONE, .rule = (uint8_t)index};
    if (index == rule_count)
        return route;
    const dp_route_rule *rule = &rules[index];
    uint32_t taken = 0; /* a tier named twice is tried once */
    route.first = (uint8_t)rule->tiers[0];
    for (unsigned i = 0; i < DP_TIER_COUNT && rule->tiers[i] != DP_TIER_NONE; i++) {
        dp_tier_id tier = rule->tiers[i];
        if ((taken & DP_TIER_BIT(tier)) == 0 && tier_serves(facts, tier, request->need))
            route.tiers[route.count++] = (uint8_t)tier;
        taken |= DP_TIER_BIT(tier);
    }
    return route;
}

/* Inserts into a rising array without repeating a bound; 0 bounds nothing. */
static unsigned bound_add(size_t *bounds, unsigned count, size_t bound)
{
    unsigned at = 0;
    while (at < count && bounds[at] < bound)
        at++;
    if (bound == 0 || (at < count && bounds[at] == bound))
        return count;
    for (unsigned i = count; i > at; i--)
        bounds[i] = bounds[i - 1];
    bounds[at] = bound;
    return count + 1;
}

static void bounds_collect(router *self, const dp_route_rule *rules, size_t rule_count)
{
    for (size_t i = 0; i < rule_count; i++) {
        const dp_route_rule *rule = &rules[i];
        self->size_count = bound_add(self->size_bounds, self->size_count, rule->size_bytes_min);
        /* Wraps to 0, "bounds nothing", for the largest of all, which is right. */
        if (rule->size_bytes_max != 0)
            self->size_count =
                bound_add(self->size_bounds, self->size_count, rule->size_bytes_max + 1);
        self->batch_count = bound_add(self->batch_bounds, self->batch_count, rule->batch_size_min);
    }
}

static void row_flatten(router_row *row, size_t count)
{
    row->only = row->routes[0];
    row->is_flat = true;
    for (size_t i = 1; i < count; i++)
        row->is_flat = row->is_flat && memcmp(&row->routes[i], &row->only, sizeof row->only) == 0;
}

static void routes_fill(router *self, const dp_route_rule *rules, size_t rule_count,
                        const router_facts *facts)
{
    for (unsigned row = 0; row < DP_KIND_COUNT * ROUTER_NEED_COUNT; row++) {
        router_route *route = self->rows[row].routes;
        dp_request request = {
            .kind = (dp_kind)(row / ROUTER_NEED_COUNT),
            .need = row % ROUTER_NEED_COUNT,
        };
        for (unsigned size = 0; size <= self->size_count; size++) {
            request.size_bytes = size == 0 ? 0 : self->size_bounds[size - 1];
            for (unsigned batch = 0; batch <= self->batch_count; batch++) {
                request.batch_size = batch == 0 ? 0 : (uint32_t)self->batch_bounds[batch - 1];
                *route++ = route_make(rules, rule_count, facts, &request);
            }
        }
        row_flatten(&self->rows[row], (size_t)(route - self->rows[row].routes));
    }
}

dp_status router_create(const dp_route_rule *rules, size_t rule_count, const router_facts *facts,
                        router *out)
{
    if (rule_count == 0 || rule_count > ROUTER_RULES_MAX)
        return DP_ERR_INVALID;
    for (size_t i = 0; i < rule_count; i++) {
        if (!rule_is_valid(&rules[i]))
            return DP_ERR_INVALID;
    }
    router self = {0};
    self.size_bounds = os_calloc(2 * rule_count, sizeof *self.size_bounds);
    self.batch_bounds = os_calloc(rule_count, sizeof *self.batch_bounds);
    if (self.size_bounds == NULL || self.batch_bounds == NULL)
        goto no_memory;
    bounds_collect(&self, rules, rule_count);
    /* One allocation, whose start is the first row. */
    size_t row_entries = (size_t)(self.size_count + 1) * (self.batch_count + 1);
    size_t row_count = sizeof self.rows / sizeof self.rows[0];
    router_route *routes = os_calloc(row_count * row_entries, sizeof *routes);
    if (routes == NULL)
        goto no_memory;
    for (size_t row = 0; row < row_count; row++)
        self.rows[row].routes = routes + row * row_entries;
    routes_fill(&self, rules, rule_count, facts);
    *out = self;
    return DP_OK;

no_memory:
    router_destroy(&self);
    return DP_ERR_NOMEM;
}

void router_destroy(router *self)
{
    os_free(self->rows[0].routes);
    os_free(self->size_bounds);
    os_free(self->batch_bounds);
    *self = (router){0};
}
