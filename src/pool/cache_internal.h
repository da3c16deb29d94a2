/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: what the files of the cache share.  Their rules are told in cache.c.
 */
#ifndef DP_POOL_CACHE_INTERNAL_H
#define DP_POOL_CACHE_INTERNAL_H

#include <pthread.h>

#include <danpool/cache.h>

#include "pool/evict.h"
#include "pool/nvtx_mark.h"
#include "pool/observe.h"
#include "pool/pool_internal.h"

/* Entries that are entered, and committed to the store, in one go. */
#define CACHE_BATCH_MAX 32u

/* Copies in one or more volatile tiers that share a budget. */
typedef struct cache_level {
    evict order;
    size_t bytes_leaving; /* of copies that another thread is moving out */
    size_t bytes_max;
    size_t bytes_low; /* what dp_cache_maintain() brings it down to */
} cache_level;

typedef struct cache_entry {
    struct cache_entry *hash_next;
    dp_cache_key key;
    uint64_t id;
    dp_buf *buf;     /* (or NULL) the cache's reference to the volatile copy */
    dp_tier_id tier; /* of buf, as far as the level's sums know */
    dp_tier_id home; /* where its first volatile copy was; once `homed` */
    dp_buf *view;    /* (or NULL) the cache's reference to a buffer over the stored copy */
    evict_node host_node;
    evict_node pmem_node;
    list_node rise; /* in cache->rising, or on its own */
    size_t size_bytes;
    dp_kind kind;
    dp_priority priority;
    bool stored;
    bool busy;
    bool gone;
    bool homed;
    bool warm;       /* hit since it came to where it is */
    bool is_claimed; /* left by an earlier run: its meta data comes with its first view */
    size_t meta_bytes;
    uint8_t meta[]; /* room for what was inserted; for the most there can be after a claim */
} cache_entry;

struct dp_cache {
    dp_pool *pool;
    observer *observer; /* the pool's */
    dp_tier *store;     /* (or NULL) the pmem tier */
    size_t pmem_bytes_max;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* some entry stopped being busy */
    cache_entry **slots;
    size_t slot_count; /* a power of two */
    size_t entry_count;
    uint64_t id_next;
    cache_level levels[DP_TIER_COUNT];
    uint8_t level_of[DP_TIER_COUNT]; /* tiers without a budget of their own are on host's */
    list_node rising;                /* entries below their home that were hit twice there */
    evict pmem;
    size_t pmem_bytes_coming;    /* booked by commits under way */
    tier_store_totals unclaimed; /* what the store holds that has no entry here yet */
    cache_entry *spare;          /* (or NULL) for the next claim */
    dp_cache_stats stats;        /* entries and bytes of pmem excepted: those are in `pmem` */
};

/* The table (cache_table.c); all under the lock. */
cache_entry *cache_find(const dp_cache *cache, const dp_cache_key *key);
/* For who will look for that key soon. */
void cache_prefetch(const dp_cache *cache, const dp_cache_key *key);
/* The entry that a lookup may see: not one that is on its way out. */
cache_entry *cache_find_live(const dp_cache *cache, const dp_cache_key *key);
void cache_add(dp_cache *cache, cache_entry *entry);
/* Takes an entry that has no copy left out of the table and frees it. */
void cache_discard(dp_cache *cache, cache_entry *entry);
/*
 * Gives what an earlier run left in the store under that key an entry, when it has none yet.
 * DP_ERR_NOT_FOUND, DP_ERR_NOMEM.
 */
dp_status cache_claim(dp_cache *cache, const dp_cache_key *key, cache_entry **out);
/* cache_find_live(), else cache_claim(). */
dp_status cache_take_up(dp_cache *cache, const dp_cache_key *key, cache_entry **out);
/* The same for the oldest of that priority that nobody asked for; NULL when there is none. */
cache_entry *cache_take_up_oldest(dp_cache *cache, dp_priority priority);

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
/* The same for at most CACHE_BATCH_MAX of them in one commit. */
void cache_commit_many(dp_cache *cache, cache_entry *const entries[], dp_status written[],
                       size_t count);
/* What has to follow it, with the lock again: the entry stops being busy. */
void cache_commit_end(dp_cache *cache, cache_entry *entry, dp_status status);
/* Something that waits for `idle` may go on. */
void cache_busy_end(dp_cache *cache, cache_entry *entry);
/*
 * Demotes at most steps_max entries, one a step, from levels over their budget (or, to_low, over
 * their low watermark).  Returns the steps taken.  Without the lock.
 */
unsigned cache_host_make_room(dp_cache *cache, unsigned steps_max, bool to_low);
/* Is there room for a copy in that tier, once copies that the store has too have made way? */
bool cache_host_fits(dp_cache *cache, dp_tier_id tier, dp_priority priority, size_t size_bytes);

/* Entries that one insert demotes at most. */
#define CACHE_INSERT_STEPS_MAX 8u

/* The ladder (cache_ladder.c); under the lock unless said otherwise. */
/* DP_ERR_INVALID: what the configuration says of levels makes no sense. */
dp_status cache_levels_init(dp_cache *cache, const dp_cache_config *config);
static inline cache_level *cache_level_of(dp_cache *cache, dp_tier_id tier)
{
    return &cache->levels[cache->level_of[tier]];
}
/* A hit of the volatile copy: it becomes the youngest, and may be asked to rise. */
void cache_host_touch(dp_cache *cache, cache_entry *entry);
/*
 * Moves an idle entry's copy to the next level down its ladder that takes it, giving the lock up
 * meanwhile.  False, with the entry as it was: there is none.
 */
bool cache_step_down(dp_cache *cache, cache_entry *entry);

#endif
