/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains over a power of two of slots, doubled when there are as many nodes as slots; the list by
 * sequence is what doubling walks.  The owner's lock guards everything.
 */
#include "dp_features.h"

#if DP_HAVE_PMEM

#include "pool/pmem_index.h"

#include <string.h>

#include "pool/os.h"

#define PMEM_INDEX_SLOTS_START 256u
#define PMEM_NODES_A_BLOCK     63u

typedef struct pmem_node_block {
    struct pmem_node_block *next;
    pmem_node nodes[];
} pmem_node_block;

/* All nodes of a block go to the free chain, the first one on top. */
static bool block_add(pmem_index *index, size_t node_count)
{
    pmem_node_block *block = os_calloc(1, sizeof *block + node_count * sizeof(pmem_node));
    if (block == NULL) {
        return false;
    }
    block->next = index->blocks;
    index->blocks = block;
    for (size_t i = node_count; i-- > 0;) {
        block->nodes[i].hash_next = index->free_nodes;
        index->free_nodes = &block->nodes[i];
    }
    return true;
}

bool pmem_index_open(pmem_index *index, size_t room)
{
    *index = (pmem_index){.slot_count = PMEM_INDEX_SLOTS_START};
    while (index->slot_count < room) {
        index->slot_count *= 2;
    }
    index->slots = os_calloc(index->slot_count, sizeof(pmem_node *));
    return index->slots != NULL && (room == 0 || block_add(index, room));
}

void pmem_index_close(pmem_index *index)
{
    for (pmem_node_block *block = index->blocks; block != NULL;) {
        pmem_node_block *next = block->next;
        os_free(block);
        block = next;
    }
    os_free(index->slots);
}

pmem_node *pmem_index_node_get(pmem_index *index)
{
    if (index->free_nodes == NULL && !block_add(index, PMEM_NODES_A_BLOCK)) {
        return NULL;
    }
    pmem_node *node = index->free_nodes;
    index->free_nodes = node->hash_next;
    *node = (pmem_node){.hash_next = NULL};
    return node;
}

void pmem_index_node_put(pmem_index *index, pmem_node *node)
{
    node->hash_next = index->free_nodes;
    index->free_nodes = node;
}

static pmem_node **index_slot(pmem_node **slots, size_t slot_count,
                              const uint8_t key[DP_CACHE_KEY_BYTES])
{
    uint64_t hash;
    memcpy(&hash, key, sizeof hash); /* a key is a hash already */
    return &slots[hash & (slot_count - 1)];
}

static const uint8_t *node_key(const pmem_node *node)
{
    return pmem_place_slot(&node->place)->key;
}

pmem_node *pmem_index_find(const pmem_index *index, const uint8_t key[DP_CACHE_KEY_BYTES])
{
    pmem_node *node = *index_slot(index->slots, index->slot_count, key);
    while (node != NULL && memcmp(node_key(node), key, DP_CACHE_KEY_BYTES) != 0) {
        node = node->hash_next;
    }
    return node;
}

/* Doubles the table.  Without memory for that the chains just get longer. */
static void index_grow(pmem_index *index)
{
    size_t slot_count = index->slot_count * 2;
    pmem_node **slots = os_calloc(slot_count, sizeof *slots);
    if (slots == NULL) {
        return;
    }
    for (pmem_node *node = index->oldest; node != NULL; node = node->newer) {
        pmem_node **slot = index_slot(slots, slot_count, node_key(node));
        node->hash_next = *slot;
        *slot = node;
    }
    os_free(index->slots);
    index->slots = slots;
    index->slot_count = slot_count;
}

void pmem_index_add(pmem_index *index, pmem_node *node)
{
    if (index->count >= index->slot_count) {
        index_grow(index);
    }
    pmem_node **slot = index_slot(index->slots, index->slot_count, node_key(node));
    node->hash_next = *slot;
    *slot = node;
    node->older = index->newest;
    node->newer = NULL;
    *(index->newest != NULL ? &index->newest->newer : &index->oldest) = node;
    index->newest = node;
    index->count++;
}

void pmem_index_remove(pmem_index *index, pmem_node *node)
{
    pmem_node **link = index_slot(index->slots, index->slot_count, node_key(node));
    while (*link != node) {
        DP_ASSERT(*link != NULL);
        link = &(*link)->hash_next;
    }
    *link = node->hash_next;
    *(node->older != NULL ? &node->older->newer : &index->oldest) = node->newer;
    *(node->newer != NULL ? &node->newer->older : &index->newest) = node->older;
    index->count--;
}

#else
/* ISO C wants a declaration in every file. */
typedef int pmem_index_left_out;
#endif
