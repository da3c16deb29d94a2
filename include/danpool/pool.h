/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool: one allocator over unlike memories.  See docs/pool.md for the ladder behind it.
 */
#ifndef DANPOOL_POOL_H
#define DANPOOL_POOL_H

#include <danpool/buf.h>
#include <danpool/health.h>
#include <danpool/status.h>
#include <danpool/tier.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One line of the routing table: the first line that matches a request decides which tiers are
 * tried, in order.  A column at its zero value matches everything, but for `kind` (DP_KIND_COUNT).
 */
typedef struct dp_route_rule {
    dp_kind kind;                    /* DP_KIND_COUNT matches every kind */
    size_t size_bytes_min;           /* inclusive */
    size_t size_bytes_max;           /* inclusive, 0 = no limit */
    uint32_t batch_size_min;         /* inclusive */
    dp_priority priority_min;        /* inclusive */
    uint16_t tenant;                 /* 0 matches every tenant, and requests of none */
    dp_tier_id tiers[DP_TIER_COUNT]; /* ends early with DP_TIER_NONE */
} dp_route_rule;

typedef struct dp_pool_config {
    uint32_t tiers;                         /* DP_TIER_BIT() of the tiers to try to open */
    size_t budget_bytes_max[DP_TIER_COUNT]; /* (optional) per tier, 0 = no limit of ours (managed:
                                               256 MiB; SIZE_MAX is none there) */
    const char *pmem_path;                  /* (optional) libpmemobj file, created when absent */
    size_t pmem_size_bytes;                 /* size on creation, at least 16 MiB */
    const dp_route_rule *rules;             /* (optional) NULL = the shipped table */
    size_t rule_count;
    dp_health_config health; /* all zero = off */
} dp_pool_config;

#define DP_TIER_BIT(id)  (1u << (unsigned)(id))
#define DP_TIER_BITS_ALL (DP_TIER_BIT(DP_TIER_COUNT) - 1u)
#define DP_POOL_CONFIG_DEFAULT                                                                     \
    {                                                                                              \
        .tiers = DP_TIER_BITS_ALL, .pmem_size_bytes = 256u << 20,                                  \
        .health = DP_HEALTH_CONFIG_DEFAULT,                                                        \
    }

/*
 * Opens the tiers that this machine has and makes a pool over them.  `config` is copied, pmem_path
 * and rules too.  A tier that is absent is not an error (dp_pool_tier_info() says why it is), but
 * for pmem when a path is given: a file that cannot be opened is DP_ERR_IO or DP_ERR_CORRUPT.
 */
DP_API dp_status dp_pool_create(const dp_pool_config *config, dp_pool **out);

/* Closes everything.  Every buffer must have been put and every cache destroyed.  NULL is fine. */
DP_API void dp_pool_destroy(dp_pool *pool);

/* Facts about one tier of this pool, usable or not.  Thread safe. */
DP_API dp_status dp_pool_tier_info(const dp_pool *pool, dp_tier_id id, dp_tier_info *out);

/* The shipped routing table; `*count` gets its length.  Static. */
DP_API const dp_route_rule *dp_route_rules_default(size_t *count);

/*
 * Which of `count` rules a pool would go by: *index gets the first one that matches.  Says nothing
 * of what this machine has.  DP_ERR_NOT_FOUND: none matches; DP_ERR_INVALID, DP_ERR_TOO_LARGE: no
 * pool would serve such a request.
 */
DP_API dp_status dp_route_rules_match(const dp_route_rule *rules, size_t count,
                                      const dp_request *request, size_t *index);

/*
 * Explains a request without serving it: writes the tiers that would be tried, in order, ended by
 * DP_TIER_NONE where fewer than all, and the matching rule's index.  Thread safe, no allocation.
 */
DP_API dp_status dp_pool_route(const dp_pool *pool, const dp_request *request,
                               dp_tier_id tiers[DP_TIER_COUNT], size_t *rule_index);

/*
 * Warms up: takes `count` blocks of the request's class from the first tier of its rule, faults
 * their pages in, and leaves them where gets find them: as many as this thread's magazines hold
 * there, the rest in the depot for all threads.  Then a first message costs what a later one does.
 * *ready gets how many blocks that were: fewer where the budget or the tier ends, or where more
 * would not be kept (two magazines and what the tier's depots have room for).
 *
 * Fails as a get does when there is no block at all.  Thread safe.  The blocks count as got, put
 * and, where they were, fresh.
 */
DP_API dp_status dp_prewarm(dp_pool *pool, const dp_request *request, size_t count, size_t *ready);

/*
 * Returns what the calling thread keeps in its magazines to the shared depot.  Called on its own
 * at thread exit; a long-lived thread that goes idle may call it.
 */
DP_API void dp_pool_thread_flush(dp_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
