/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains over a power of two of slots, doubled when there are as many nodes as slots; the list by
 * sequence is what doubling walks.  The owner's lock guards everything; nodes are never freed here.
 */
#include "dp_features.h"

#if DP_HAVE_PMEM

#include "pool/pmem_index.h"

#include <string.h>

#include "pool/os.h"

#define PMEM_INDEX_SLOTS_START 256u

bool pmem_index_open(pmem_index *index)
{
    *index = (pmem_index){.slot_count = PMEM_INDEX_SLOTS_START};
    index->slots = os_calloc(index->slot_count, sizeof(pmem_node *));
    return index->slots != NULL;
}

void pmem_index_close(pmem_index *index)
{
    os_free(index->slots);
}

static pmem_node **index_slot(pmem_node **slots, size_t slot_count, const dp_cache_key *key)
{
    uint64_t hash;
    memcpy(&hash, key->bytes, sizeof hash); /* a key is a hash already */
    return &slots[hash & (slot_count - 1)];
}

pmem_node *pmem_index_find(const pmem_index *index, const dp_cache_key *key)
{
    pmem_node *node = *index_slot(index->slots, index->slot_count, key);
    while (node != NULL && memcmp(&node->key, key, sizeof *key) != 0) {
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
        pmem_node **slot = index_slot(slots, slot_count, &node->key);
        node->hash_next = *slot;
        *slot = node;
    }
    os_free(index->slots);
    index->slots = slots;
    index->slot_count = slot_count;
}

void pmem_index_add(pmem_index *index, pmem_node *node)
{
    DP_ASSERT(index->newest == NULL || index->newest->sequence <= node->sequence);
    if (index->count >= index->slot_count) {
        index_grow(index);
    }
    pmem_node **slot = index_slot(index->slots, index->slot_count, &node->key);
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
    pmem_node **link = index_slot(index->slots, index->slot_count, &node->key);
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
