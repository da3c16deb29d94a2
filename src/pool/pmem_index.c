/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains over a power of two of slots, doubled when half of them would be in use; the list by
 * sequence is what doubling walks.  The owner's lock guards everything.
 */
#include "dp_features.h"

#if DP_HAVE_PMEM

#include "pool/pmem_index.h"

#include <string.h>

#include "pool/os.h"

#define PMEM_INDEX_SLOTS_START 256u
#define PMEM_NODES_A_BLOCK     63u

_Static_assert(sizeof(pmem_node) == 64, "a node is one cache line");

typedef struct pmem_node_block {
    struct pmem_node_block *next;
    char fill[sizeof(pmem_node) - sizeof(struct pmem_node_block *)]; /* nodes are cache lines */
    pmem_node nodes[];
} pmem_node_block;

/* Only called when no fresh node is left. */
static bool block_add(pmem_index *index, size_t node_count)
{
    size_t size_bytes = sizeof(pmem_node_block) + node_count * sizeof(pmem_node);
    pmem_node_block *block = os_aligned(
        OS_HUGE_PAGE_BYTES < size_bytes ? OS_HUGE_PAGE_BYTES : sizeof(pmem_node), size_bytes);
    if (block == NULL) {
        return false;
    }
    os_pages_prefer_huge(block, size_bytes);
    block->next = index->blocks;
    index->blocks = block;
    index->fresh = block->nodes;
    index->fresh_count = node_count;
    return true;
}

bool pmem_index_open(pmem_index *index, size_t room)
{
    *index = (pmem_index){.slot_count = PMEM_INDEX_SLOTS_START};
    while (index->slot_count < room * 2) {
        index->slot_count *= 2;
    }
    size_t table_bytes = index->slot_count * sizeof(pmem_node *);
    index->slots = os_calloc(1, table_bytes);
    if (index->slots == NULL) {
        return false;
    }
    os_pages_prefer_huge(index->slots, table_bytes);
    return room == 0 || block_add(index, room);
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
    pmem_node *node = index->free_nodes;
    if (node != NULL) {
        index->free_nodes = node->hash_next;
    } else {
        if (index->fresh_count == 0 && !block_add(index, PMEM_NODES_A_BLOCK)) {
            return NULL;
        }
        node = index->fresh++;
        index->fresh_count--;
    }
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

/* Other bytes than those that choose the slot. */
static uint32_t key_tag(const uint8_t key[DP_CACHE_KEY_BYTES])
{
    uint32_t tag;
    memcpy(&tag, key + sizeof(uint64_t), sizeof tag);
    return tag;
}

pmem_node *pmem_index_find(const pmem_index *index, const uint8_t key[DP_CACHE_KEY_BYTES])
{
    uint32_t tag = key_tag(key);
    pmem_node *node = *index_slot(index->slots, index->slot_count, key);
    while (node != NULL &&
           (node->tag != tag || memcmp(node_key(node), key, DP_CACHE_KEY_BYTES) != 0)) {
        node = node->hash_next;
    }
    return node;
}

void pmem_index_prefetch_place(const pmem_index *index, const uint8_t key[DP_CACHE_KEY_BYTES])
{
    __builtin_prefetch(index_slot(index->slots, index->slot_count, key), 1);
}

void pmem_index_prefetch_node(const pmem_index *index, const uint8_t key[DP_CACHE_KEY_BYTES])
{
    __builtin_prefetch(*index_slot(index->slots, index->slot_count, key), 0);
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
    if (index->count >= index->slot_count / 2) {
        index_grow(index);
    }
    pmem_node **slot = index_slot(index->slots, index->slot_count, node_key(node));
    node->tag = key_tag(node_key(node));
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
