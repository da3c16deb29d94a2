/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tenants: who shares a pool, and how much of each tier each of them may hold.
 *
 * A request that names a tenant (dp_request.tenant) is charged the size of its block, in the tier
 * that serves it, until its last reference is put.  A tier in which the tenant's quota is used up
 * is passed over for that request; when no tier of the rule is left, the tenant that asks, and
 * nobody else, gets DP_ERR_QUOTA.  A block of the fallback (health.h) is charged to the quota of
 * host.
 *
 * What a cache keeps stays charged to whom it was charged when it was inserted; copies that the
 * cache makes itself are nobody's.  Requests of no tenant (0) are charged to nobody.
 */
#ifndef DANPOOL_TENANT_H
#define DANPOOL_TENANT_H

#include <danpool/buf.h>
#include <danpool/status.h>
#include <danpool/tier.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DP_TENANTS_MAX       65535u
#define DP_TENANT_NAME_BYTES 64u

typedef struct dp_tenant_stats {
    char name[DP_TENANT_NAME_BYTES];
    uint64_t quota_bytes_max[DP_TIER_COUNT]; /* 0: no limit */
    uint64_t used_bytes[DP_TIER_COUNT];      /* in buffers that are held, by block size */
    uint64_t refused;                        /* gets that ended in DP_ERR_QUOTA */
} dp_tenant_stats;

/*
 * Makes a tenant; *id, 1 or higher, is what requests name.  `name` is copied, cut to
 * DP_TENANT_NAME_BYTES - 1, and for people only.  A quota of 0 is no limit; `quota_bytes_max` NULL
 * stands for no limit in any tier.
 * Errors: DP_ERR_BUSY (DP_TENANTS_MAX are there), DP_ERR_NOMEM.  Thread safe.
 */
DP_API dp_status dp_tenant_create(dp_pool *pool, const char *name,
                                  const size_t quota_bytes_max[DP_TIER_COUNT], uint16_t *id);

/*
 * Ends a tenant: requests that still name it get DP_ERR_NOT_FOUND.  Buffers that it holds stay
 * valid and charged; its id is not given to another one before the last of them is put.
 * DP_ERR_NOT_FOUND.  Thread safe.
 */
DP_API dp_status dp_tenant_destroy(dp_pool *pool, uint16_t id);

/* DP_ERR_NOT_FOUND.  Thread safe. */
DP_API dp_status dp_tenant_stats_read(dp_pool *pool, uint16_t id, dp_tenant_stats *out);

/*
 * The lowest id above `id` that is in use, 0 when there is none: a walk over all tenants starts
 * with 0.  Thread safe.
 */
DP_API uint16_t dp_tenant_next(dp_pool *pool, uint16_t id);

#ifdef __cplusplus
}
#endif

#endif
