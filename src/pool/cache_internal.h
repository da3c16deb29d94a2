/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: what the three files of the cache share.  Their rules are told in cache.c.
 */
#ifndef DP_POOL_CACHE_INTERNAL_H
#define DP_POOL_CACHE_INTERNAL_H

#include <pthread.h>

#include <danpool/cache.h>

#include "pool/evict.h"
#include "pool/nvtx_mark.h"
#include "pool/observe.h"
#include "pool/pool_internal.h"

typedef struct cache_entry {
    struct cache_entry *hash_next;
    dp_cache_key key;
    uint64_t id;
    dp_buf *buf;  /* (or NULL) the cache's reference to the host copy */
    dp_buf *view; /* (or NULL) the cache's reference to a buffer over the stored copy */
    evict_node host_node;
    evict_node pmem_node;
    size_t size_bytes;
    dp_kind kind;
    dp_priority priority;
    bool stored;
    bool busy;
    bool gone;
    size_t meta_bytes;
    uint8_t meta[DP_CACHE_META_BYTES_MAX];
} cache_entry;

struct dp_cache {
    dp_pool *pool;
    observer *observer; /* the pool's */
    dp_tier *store;     /* (or NULL) the pmem tier */
    size_t host_bytes_max;
    size_t pmem_bytes_max;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* some entry stopped being busy */
    cache_entry **slots;
    size_t slot_count; /* a power of two */
    size_t entry_count;
    uint64_t id_next;
    evict host;
    evict pmem;
    size_t pmem_bytes_coming; /* booked by commits under way */
    dp_cache_stats stats;     /* entries and bytes of pmem excepted: those are in `pmem` */
};

/* The table (cache_table.c); all under the lock. */
cache_entry *cache_find(const dp_cache *cache, const dp_cache_key *key);
/* The entry that a lookup may see: not one that is on its way out. */
cache_entry *cache_find_live(const dp_cache *cache, const dp_cache_key *key);
void cache_add(dp_cache *cache, cache_entry *entry);
/* Takes an entry that has no copy left out of the table and frees it. */
void cache_discard(dp_cache *cache, cache_entry *entry);

/* The copies (cache_room.c); under the lock unless said otherwise. */
/* Takes one reference to `buf` over. */
void cache_host_attach(dp_cache *cache, cache_entry *entry, dp_buf *buf);
void cache_host_drop(dp_cache *cache, cache_entry *entry);
void cache_view_drop(cache_entry *entry);
void cache_pmem_attach(dp_cache *cache, cache_entry *entry);
/*
 * Takes the stored copy away, giving the lock up meanwhile.  An entry without a host copy goes
 * altogether: true, and it is freed.
 */
bool cache_pmem_drop(dp_cache *cache, cache_entry *entry);
/* Writes a busy entry's host copy to the store, making room there.  Without the lock. */
dp_status cache_commit(dp_cache *cache, const cache_entry *entry);
/* What has to follow it, with the lock again: the entry stops being busy. */
void cache_commit_end(dp_cache *cache, cache_entry *entry, dp_status status);
/* Demotes until the host budget is kept or the bound is reached.  Without the lock. */
void cache_host_make_room(dp_cache *cache);
/* Is there room for a host copy, once copies that the store has too have made way? */
bool cache_host_fits(dp_cache *cache, dp_priority priority, size_t size_bytes);

#endif
