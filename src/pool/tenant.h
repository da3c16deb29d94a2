/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: quotas of tenants, booked and given back without a lock.
 *
 *     chunks[id / 64] -> 64 tenants, made with the first of them and never freed before the pool
 *
 * Booking adds to the tier's count by compare-and-swap, so that a request is refused exactly when
 * it does not fit, then looks whether the tenant is there and gives it back when not.  Ending a
 * tenant only changes its state; its place is made another's when all its counts are 0, which they
 * reach for good, since from then on whatever is booked is given back at once.
 *
 * The lock is for making, ending and the name.
 */
#ifndef DP_POOL_TENANT_H
#define DP_POOL_TENANT_H

#include <stdalign.h>
#include <stdatomic.h>

#include <danpool/tenant.h>

#include "pool/os.h"

#define TENANT_CHUNK  64u
#define TENANT_CHUNKS 1024u
_Static_assert(TENANT_CHUNK *TENANT_CHUNKS == DP_TENANTS_MAX + 1, "every id has a place");

typedef enum tenant_state {
    TENANT_FREE,
    TENANT_LIVE,
    TENANT_LEAVING /* ended; some of its buffers may be held */
} tenant_state;

typedef struct tenant {
    alignas(64) _Atomic uint8_t state;
    _Atomic uint64_t used_bytes[DP_TIER_COUNT];
    _Atomic uint64_t quota_bytes_max[DP_TIER_COUNT]; /* UINT64_MAX: no limit */
    _Atomic uint64_t refused;
    char name[DP_TENANT_NAME_BYTES]; /* under the lock */
} tenant;

typedef struct tenants {
    pthread_mutex_t lock;
    uint32_t made; /* ids up to here have been given at least once */
    uint32_t turn; /* the last one that was looked at for giving it again */
    _Atomic(tenant *) chunks[TENANT_CHUNKS];
} tenants;

void tenants_init(tenants *self);
/* Asserts that nothing is charged to anybody. */
void tenants_destroy(tenants *self);

/* Does such a tenant exist?  0, nobody, does. */
bool tenant_exists(const tenants *self, uint16_t id);

/* Books bytes of a tier.  DP_ERR_QUOTA, DP_ERR_NOT_FOUND.  Nobody (0) is never refused. */
dp_status tenant_charge(tenants *self, uint16_t id, dp_tier_id tier, size_t size_bytes);
/* Gives back what was booked. */
void tenant_return(tenants *self, uint16_t id, dp_tier_id tier, size_t size_bytes);
/* Counts a request that ended in DP_ERR_QUOTA. */
void tenant_count_refused(tenants *self, uint16_t id);

dp_status tenant_make(tenants *self, const char *name, const size_t quota_bytes_max[DP_TIER_COUNT],
                      uint16_t *id);
dp_status tenant_end(tenants *self, uint16_t id);
dp_status tenant_read(tenants *self, uint16_t id, dp_tenant_stats *out);
uint16_t tenant_next(const tenants *self, uint16_t id);

#endif
