/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tier over malloc with the facts a test asks for: small regions, large alignment, a hard limit,
 * or memory that the CPU must not touch.  A test double: no program but tests links it.
 *
 * It fills a region with a pattern when it is taken back, and its counts live outside it, so that a
 * test can look at them after the pool has closed the tier.  As every tier it relies on the slab's
 * lock for regions.
 */
#ifndef DP_TESTS_FAKE_TIER_H
#define DP_TESTS_FAKE_TIER_H

#include <stdatomic.h>

#include "pool/tier.h"

/* What ails it; changed by the test at any time. */
typedef struct fake_tier_faults {
    _Atomic int status;       /* what region_get answers, DP_OK: it works */
    _Atomic uint64_t slow_ns; /* how long region_get takes */
    void (*wait)(uint64_t ns);
    _Atomic unsigned gets; /* calls of region_get */
} fake_tier_faults;

typedef struct fake_tier_plan {
    dp_tier_id id;
    size_t region_bytes;      /* 0 = 256 KiB */
    size_t alignment_bytes;   /* 0 = 16 */
    size_t bytes_max;         /* past it region_get answers DP_ERR_NOMEM, 0 = no limit */
    bool device_only;         /* no host address; device addresses cannot be dereferenced */
    bool store_only;          /* no regions at all */
    fake_tier_faults *faults; /* (optional) the caller's, outlives the tier */
} fake_tier_plan;

typedef struct fake_tier_counts {
    size_t bytes_out;
    unsigned regions_out;
    unsigned calls; /* region_get and region_put */
    unsigned closed;
} fake_tier_counts;

/* `counts` is the caller's, is zeroed, and outlives the tier.  NULL when there is no memory. */
dp_tier *fake_tier_open(const fake_tier_plan *plan, fake_tier_counts *counts);

#endif
