/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1: what the files of the pmem tier share.  How it all works is told in tier_pmem.c.
 */
#ifndef DP_POOL_PMEM_STATE_H
#define DP_POOL_PMEM_STATE_H

#include <pthread.h>

#include "pool/pmem_dir.h"
#include "pool/pmem_index.h"
#include "pool/tier.h"

#define PMEM_ENTRY_TYPE  UINT64_C(0x64616e04)
#define PMEM_REGION_TYPE UINT64_C(0x64616e02) /* only ever reserved, so never seen by a walk */

#define PMEM_CLASS_COUNT 2u

typedef struct pmem_tier {
    dp_tier tier;
    PMEMobjpool *pop;
    uint64_t class_flags[PMEM_CLASS_COUNT];
    bool is_pmem;         /* flushing cache lines does: libpmem says so of the mapping */
    pthread_mutex_t lock; /* guards everything below, and the nodes' mutable fields */
    pmem_dir dir;
    pmem_index index;
    uint64_t sequence_next;
    tier_store_totals totals; /* of what a find can see */
    /* invariant: every unclaimed node of a priority is its cursor or newer */
    size_t unclaimed[DP_PRIORITY_COUNT];
    pmem_node *cursor[DP_PRIORITY_COUNT];
    bool is_untouched; /* no node was claimed or committed since the last unclaim */
} pmem_tier;

static inline pmem_tier *pmem_of(dp_tier *tier)
{
    return (pmem_tier *)tier;
}

/* A reservation with the bound that libpmemobj does not check: sizes past it wrap round. */
PMEMoid pmem_reserve(pmem_tier *self, struct pobj_action *action, size_t size_bytes, uint64_t type,
                     uint64_t flags);
/* The flags that put an object of that size into the smallest class that holds it. */
uint64_t pmem_class_flags(const pmem_tier *self, size_t size_bytes);

/* Fills directory and index from the file; `detail` says what is wrong. */
dp_status pmem_load(pmem_tier *self, size_t file_bytes, char detail[96]);

/* Frees the bytes and the slot; nobody else may know the node any more.  Without the lock. */
void pmem_node_free(pmem_tier *self, pmem_node *node);

/* The store's table, and its one slot that has a file of its own. */
extern const tier_store_ops PMEM_STORE_OPS;
void pmem_commit(dp_tier *tier, tier_item *items, size_t count);

#endif
