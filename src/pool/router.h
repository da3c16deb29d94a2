/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: which tiers a request may come from, in order.
 *
 * The rules are compiled when the pool is made: the sizes and batch sizes at which any rule begins
 * or ends cut both axes into intervals, and within one interval every request of a kind and a need
 * has the same answer.  So the answer is an entry of a table, and where a kind's answer
 * depends on neither (with the shipped rules: all but surfaces) finding it takes one load.  Tiers
 * that are absent, that cannot hand out memory, or that lack a DP_NEED_* bit are left out when the
 * table is made.
 *
 * Immutable after router_create(), hence thread safe.
 */
#ifndef DP_POOL_ROUTER_H
#define DP_POOL_ROUTER_H

#include <stdbool.h>

#include <danpool/pool.h>

#include "pool/os.h"

#define ROUTER_RULES_MAX  64u /* bounds the table: 4 kinds x 4 needs x 129 x 65 entries */
#define ROUTER_NEED_COUNT 4u

typedef struct router_route {
    uint8_t tiers[DP_TIER_COUNT]; /* usable ones, in order */
    uint8_t count;
    uint8_t first; /* the rule's first tier, usable or not: any other one is a fallback */
    uint8_t rule;  /* index of the rule, the number of rules when none matches */
    uint8_t unused[16 - 3 - DP_TIER_COUNT];
} router_route;
_Static_assert(sizeof(router_route) == 16, "indexing is a shift");

/* DP_TIER_BIT() sets. */
typedef struct router_facts {
    uint32_t usable; /* open and able to hand out regions */
    uint32_t host_visible;
    uint32_t device_visible;
} router_facts;

/* All requests of one kind and need. */
typedef struct router_row {
    router_route only;    /* the answer, where sizes and batches make no difference */
    bool is_flat;         /* they make none */
    router_route *routes; /* [size interval][batch interval] */
} router_row;

typedef struct router {
    router_row rows[DP_KIND_COUNT * ROUTER_NEED_COUNT];
    size_t *size_bounds; /* rising; interval i ends before size_bounds[i] */
    size_t *batch_bounds;
    unsigned size_count; /* of bounds */
    unsigned batch_count;
} router;

/* Compiles the rules.  DP_ERR_INVALID: a rule out of range, none, or too many.  DP_ERR_NOMEM. */
dp_status router_create(const dp_route_rule *rules, size_t rule_count, const router_facts *facts,
                        router *out);
void router_destroy(router *self);

/* The request must have been validated. */
static inline const router_route *router_find(const router *self, const dp_request *request)
{
    const router_row *row = &self->rows[(size_t)request->kind * ROUTER_NEED_COUNT + request->need];
    if (DP_LIKELY(row->is_flat))
        return &row->only;
    unsigned size = 0;
    unsigned batch = 0;
    while (size < self->size_count && request->size_bytes >= self->size_bounds[size])
        size++;
    while (batch < self->batch_count && request->batch_size >= self->batch_bounds[batch])
        batch++;
    return &row->routes[size * (self->batch_count + 1) + batch];
}

#endif
