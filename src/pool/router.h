/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: which tiers a request may come from, in order.
 *
 * The rules are read one after the other; the first that matches decides.  Tiers that are absent,
 * that cannot hand out memory, or that lack a DP_NEED_* bit are left out of its answer.  That is
 * cheap enough for the long way through dp_get(); for the short one the pool asks once, when it is
 * made, for every row and size class whose answer does not depend on anything else.
 *
 * Immutable after router_init(), hence thread safe.  No memory of its own.
 */
#ifndef DP_POOL_ROUTER_H
#define DP_POOL_ROUTER_H

#include <stdbool.h>

#include <danpool/pool.h>

#include "pool/os.h"

#define ROUTER_RULES_MAX 64u

/*
 * A request's kind, priority and need in one small number, two bits each, which a descriptor keeps
 * and the table of the short way is indexed by.  dp_get() in the public header makes it too.
 */
#define ROUTER_ROWS 64u

static inline unsigned router_row(unsigned kind, unsigned priority, unsigned need)
{
    return kind | priority << 2 | need << 4;
}

static inline unsigned router_row_kind(unsigned row)
{
    return row & 3u;
}

static inline unsigned router_row_priority(unsigned row)
{
    return row >> 2 & 3u;
}

static inline unsigned router_row_need(unsigned row)
{
    return row >> 4 & 3u;
}

_Static_assert(DP_KIND_COUNT <= 4 && DP_PRIORITY_COUNT <= 4 && (DP_NEED_HOST | DP_NEED_DEVICE) < 4,
               "the fields of a row have two bits each");

typedef struct router_route {
    uint8_t tiers[DP_TIER_COUNT]; /* usable ones, in order */
    uint8_t count;
    uint8_t first; /* the rule's first tier, usable or not: any other one is a fallback */
    uint8_t rule;  /* index of the rule, the number of rules when none matches */
} router_route;

/* DP_TIER_BIT() sets. */
typedef struct router_facts {
    uint32_t usable; /* open and able to hand out regions */
    uint32_t host_visible;
    uint32_t device_visible;
} router_facts;

typedef struct router {
    dp_route_rule rules[ROUTER_RULES_MAX];
    size_t rule_count;
    router_facts facts;
} router;

/* Copies the rules.  DP_ERR_INVALID: a rule out of range, none, or too many. */
dp_status router_init(const dp_route_rule *rules, size_t rule_count, const router_facts *facts,
                      router *out);

/* The first of the rules that matches, their number when none does. */
size_t router_match(const dp_route_rule *rules, size_t rule_count, const dp_request *request);

/* The answer to a request that has been validated. */
router_route router_find(const router *self, const dp_request *request);

/*
 * Whether all requests of a row, of size_bytes_min to size_bytes_max, with no batch and no tenant,
 * get the same answer.
 */
bool router_is_flat(const router *self, size_t size_bytes_min, size_t size_bytes_max);

#endif
