/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: what the pmem tier knows in DRAM of the entries in its file.
 *
 * Every node is in a hash table by key and in a list by sequence, or in neither.  No locking: the
 * tier's lock guards the index and the nodes' mutable fields.
 */
#ifndef DP_POOL_PMEM_INDEX_H
#define DP_POOL_PMEM_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <libpmemobj/base.h>

#include <danpool/cache.h>

struct pmem_entry;

typedef struct pmem_node {
    struct pmem_node *hash_next;
    struct pmem_node *older;
    struct pmem_node *newer;
    struct pmem_entry *entry; /* NULL while committing */
    PMEMoid oid;
    dp_cache_key key;
    uint64_t sequence;
    uint32_t holds;
    bool verified;  /* the checksum was right once since open */
    bool condemned; /* removed, in no index: freed by the last release */
} pmem_node;

typedef struct pmem_index {
    pmem_node **slots;
    size_t slot_count; /* a power of two */
    size_t count;
    pmem_node *oldest;
    pmem_node *newest;
} pmem_index;

/* False when there is no memory. */
bool pmem_index_open(pmem_index *index);
/* The nodes are the owner's to free. */
void pmem_index_close(pmem_index *index);

pmem_node *pmem_index_find(const pmem_index *index, const dp_cache_key *key);
/* Adds a node whose key is not in and whose sequence is the highest. */
void pmem_index_add(pmem_index *index, pmem_node *node);
void pmem_index_remove(pmem_index *index, pmem_node *node);

#endif
