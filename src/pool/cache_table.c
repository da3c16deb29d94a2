/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache's hash table: chains over a power of two of slots, doubled when half of the slots would
 * be in use.  All under the cache's lock.  An entry is freed here and nowhere else while the cache
 * lives.
 */
#include "pool/cache_internal.h"

#include <string.h>

#include "pool/os.h"

static cache_entry **table_slot(cache_entry **slots, size_t slot_count, const dp_cache_key *key)
{
    uint64_t hash;
    memcpy(&hash, key->bytes, sizeof hash); /* a key is a cryptographic hash already */
    return &slots[hash & (slot_count - 1)];
}

cache_entry *cache_find(const dp_cache *cache, const dp_cache_key *key)
{
    cache_entry *entry = *table_slot(cache->slots, cache->slot_count, key);
    while (entry != NULL && memcmp(&entry->key, key, sizeof *key) != 0) {
        entry = entry->hash_next;
    }
    return entry;
}

void cache_prefetch(const dp_cache *cache, const dp_cache_key *key)
{
    __builtin_prefetch(table_slot(cache->slots, cache->slot_count, key), 1);
}

/* The entry that a lookup may see: not one that is on its way out. */
cache_entry *cache_find_live(const dp_cache *cache, const dp_cache_key *key)
{
    cache_entry *entry = cache_find(cache, key);
    return entry != NULL && !entry->gone ? entry : NULL;
}

/* Doubles the table.  Without memory for that the chains just get longer. */
static void table_grow(dp_cache *cache)
{
    size_t slot_count = cache->slot_count * 2;
    cache_entry **slots = os_calloc(slot_count, sizeof(cache_entry *));
    if (slots == NULL) {
        return;
    }
    for (size_t i = 0; i < cache->slot_count; i++) {
        for (cache_entry *entry = cache->slots[i], *next; entry != NULL; entry = next) {
            next = entry->hash_next;
            cache_entry **slot = table_slot(slots, slot_count, &entry->key);
            entry->hash_next = *slot;
            *slot = entry;
        }
    }
    os_free(cache->slots);
    cache->slots = slots;
    cache->slot_count = slot_count;
}

void cache_add(dp_cache *cache, cache_entry *entry)
{
    if (cache->entry_count >= cache->slot_count / 2) {
        table_grow(cache);
    }
    cache_entry **slot = table_slot(cache->slots, cache->slot_count, &entry->key);
    entry->hash_next = *slot;
    *slot = entry;
    entry->id = cache->id_next++;
    list_init(&entry->rise);
    cache->entry_count++;
}

/* Takes an entry that has neither copy left out of the table and frees it. */
void cache_discard(dp_cache *cache, cache_entry *entry)
{
    DP_ASSERT(entry->buf == NULL && entry->view == NULL && !entry->stored && !entry->busy);
    cache_entry **link = table_slot(cache->slots, cache->slot_count, &entry->key);
    while (*link != entry) {
        DP_ASSERT(*link != NULL);
        link = &(*link)->hash_next;
    }
    *link = entry->hash_next;
    cache->entry_count--;
    os_free(entry);
}

/* --- what an earlier run left --- */

static cache_entry *spare_ready(dp_cache *cache)
{
    if (cache->spare == NULL) {
        cache->spare = os_calloc(1, sizeof *cache->spare + DP_CACHE_META_BYTES_MAX);
    }
    return cache->spare;
}

/* Makes the spare entry that of a stored object. */
static cache_entry *spare_enter(dp_cache *cache, const tier_claim *claim)
{
    cache_entry *entry = cache->spare;
    cache->spare = NULL;
    entry->key = claim->key;
    entry->size_bytes = claim->size_bytes;
    entry->kind = claim->kind;
    entry->priority = claim->priority;
    entry->is_claimed = true;
    cache->unclaimed.objects--;
    cache->unclaimed.bytes -= claim->size_bytes;
    cache_add(cache, entry);
    cache_pmem_attach(cache, entry);
    return entry;
}

/* The spare comes first: a claim cannot be taken back. */
dp_status cache_claim(dp_cache *cache, const dp_cache_key *key, cache_entry **out)
{
    tier_claim claim;
    if (cache->unclaimed.objects == 0) {
        return DP_ERR_NOT_FOUND;
    }
    if (spare_ready(cache) == NULL) {
        return DP_ERR_NOMEM;
    }
    if (!tier_store_claim(cache->store, key, &claim)) {
        return DP_ERR_NOT_FOUND;
    }
    *out = spare_enter(cache, &claim);
    return DP_OK;
}

dp_status cache_take_up(dp_cache *cache, const dp_cache_key *key, cache_entry **out)
{
    cache_entry *entry = cache_find_live(cache, key);
    if (entry == NULL) {
        return cache_claim(cache, key, out);
    }
    *out = entry;
    return DP_OK;
}

cache_entry *cache_take_up_oldest(dp_cache *cache, dp_priority priority)
{
    tier_claim claim;
    if (cache->unclaimed.objects == 0 || spare_ready(cache) == NULL ||
        !tier_store_claim_oldest(cache->store, priority, &claim)) {
        return NULL;
    }
    return spare_enter(cache, &claim);
}
