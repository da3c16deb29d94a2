/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: what the pmem tier knows in DRAM of the objects in its file.
 *
 * A node is one cache line; its key and facts are those of the slot in the file.  Every node in use
 * is in a hash table by key and in a list by sequence, or in neither.  Nodes come from blocks that
 * are freed with the index.  No locking: the tier's lock guards the index and the nodes' mutable
 * fields.
 */
#ifndef DP_POOL_PMEM_INDEX_H
#define DP_POOL_PMEM_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <danpool/cache.h>

#include "pool/pmem_dir.h"
#include "pool/pmem_entry.h"

typedef struct pmem_node {
    struct pmem_node *hash_next; /* also the chain of free nodes */
    struct pmem_node *older;
    struct pmem_node *newer;
    pmem_entry *entry; /* NULL while committing */
    pmem_place place;
    uint32_t tag; /* bytes of the key, so that a miss need not look at the slot */
    uint32_t holds;
    bool verified;  /* the checksum was right once since open */
    bool claimed;   /* see tier.h */
    bool condemned; /* removed, in no index: freed by the last release */
} pmem_node;

typedef struct pmem_index {
    pmem_node **slots;
    size_t slot_count; /* a power of two */
    size_t count;
    pmem_node *oldest;
    pmem_node *newest;
    pmem_node *free_nodes;
    pmem_node *fresh; /* of the newest block: nodes that were never used */
    size_t fresh_count;
    struct pmem_node_block *blocks;
} pmem_index;

/* Makes an index with room for that many nodes; false when there is no memory. */
bool pmem_index_open(pmem_index *index, size_t room);
/* Frees the nodes too. */
void pmem_index_close(pmem_index *index);

/* A zeroed node, NULL when there is no memory; given back when it is in no list. */
pmem_node *pmem_index_node_get(pmem_index *index);
void pmem_index_node_put(pmem_index *index, pmem_node *node);

pmem_node *pmem_index_find(const pmem_index *index, const uint8_t key[DP_CACHE_KEY_BYTES]);
/* For who will look for that key soon: first its place in the table, later the node there. */
void pmem_index_prefetch_place(const pmem_index *index, const uint8_t key[DP_CACHE_KEY_BYTES]);
void pmem_index_prefetch_node(const pmem_index *index, const uint8_t key[DP_CACHE_KEY_BYTES]);
/* Adds a node whose key is not in and whose sequence is the highest. */
void pmem_index_add(pmem_index *index, pmem_node *node);
void pmem_index_remove(pmem_index *index, pmem_node *node);

#endif
