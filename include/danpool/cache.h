/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyed cache: content that can be found again, kept in the tier that it is worth.
 *
 * Entries are immutable: a key names one content for ever (content addressing).  An entry is held
 * by the cache through one reference of its own, so a lookup's buffer stays valid after its
 * eviction.  It is inserted in a buffer of any tier and stays there while the budget allows.  Above
 * it, the lowest priority's least recently used entry that nobody else holds goes down the ladder:
 * from the tier it was inserted in to those that the routing rule of its kind names behind that one
 * (hbm -> pinned -> host), then to pmem (where there is one), else it is dropped.  Hits bring it up
 * again when there is room.  A persistent entry is written to pmem when it is inserted, so that
 * demoting it costs nothing and a kill -9 loses nothing.
 */
#ifndef DANPOOL_CACHE_H
#define DANPOOL_CACHE_H

#include <danpool/buf.h>
#include <danpool/pool.h>
#include <danpool/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_cache dp_cache;

#define DP_CACHE_KEY_BYTES      32u
#define DP_CACHE_META_BYTES_MAX 128u

typedef struct dp_cache_key {
    uint8_t bytes[DP_CACHE_KEY_BYTES]; /* a cryptographic hash: uniformly spread, compared whole */
} dp_cache_key;

typedef struct dp_cache_config {
    size_t host_bytes_max; /* of all tiers but pmem and those below, 0 = 256 MiB */
    size_t pmem_bytes_max; /* above it pmem entries are dropped, 0 = what the pool file holds */
    /* (optional) tiers with a budget of their own; not for host and pmem.  0: with host's */
    size_t tier_bytes_max[DP_TIER_COUNT];
    unsigned low_percent; /* of each budget: what dp_cache_maintain() clears the rest of, 0 = 100 */
} dp_cache_config;

typedef struct dp_cache_entry {
    dp_buf *buf; /* one reference for the receiver of a lookup */
    dp_priority priority;
    bool persistent; /* insert: write through to pmem; lookup: it is in pmem at this moment */
    size_t meta_bytes;
    uint8_t meta[DP_CACHE_META_BYTES_MAX]; /* the owner's facts about the content */
} dp_cache_entry;

/* An entry that is both in another tier and in pmem counts in the entries and bytes of both. */
typedef struct dp_cache_stats {
    uint64_t hits[DP_TIER_COUNT]; /* by the tier the entry was found in */
    uint64_t misses;
    uint64_t inserted;
    uint64_t demoted;        /* down the ladder, the free ones included */
    uint64_t promoted;       /* up again */
    uint64_t dropped;        /* out of the last tier */
    uint64_t persist_failed; /* pmem full or failing: kept in host memory only */
    uint64_t entries[DP_TIER_COUNT];
    uint64_t bytes[DP_TIER_COUNT];
} dp_cache_stats;

/*
 * Makes a cache over `pool`.  DP_ERR_NOMEM; DP_ERR_INVALID: a percentage over 100, or a budget for
 * host or pmem in the wrong place.  Entries that pmem kept from an earlier run are found at once,
 * and are read only when they are asked for, so that this costs the same whatever pmem holds.
 * One cache at a time for a pool with pmem, since the file holds one set of keys.  The cache is
 * destroyed before its pool, when no other thread is in a call; buffers got from it may stay out.
 */
DP_API dp_status dp_cache_create(dp_pool *pool, const dp_cache_config *config, dp_cache **out);
DP_API void dp_cache_destroy(dp_cache *cache);

/*
 * Inserts one entry; the cache takes a reference of its own, the caller keeps his.  An existing key
 * keeps its content: DP_ERR_EXISTS.  DP_ERR_TOO_LARGE: the content alone exceeds the budget of the
 * tier that it is in.
 * Returns DP_OK with *durable false (`durable` may be NULL) when a persistent entry could not be
 * written to pmem.  A true *durable means: committed, survives kill -9 from here on.
 */
DP_API dp_status dp_cache_insert(dp_cache *cache, const dp_cache_key *key,
                                 const dp_cache_entry *entry, bool *durable);

/* One of many inserts, and how it went. */
typedef struct dp_cache_item {
    dp_cache_key key;
    dp_cache_entry entry;
    dp_status status; /* out: what dp_cache_insert() would return */
    bool durable;     /* out */
} dp_cache_item;

/*
 * Inserts many entries, each as dp_cache_insert() would; persistent ones are committed to pmem 32
 * at a time, which costs each a fraction of a commit of its own.  Each item is on its own: a crash
 * in the middle may keep some.  Returns DP_OK when all went in, else the first item's error.
 */
DP_API dp_status dp_cache_insert_many(dp_cache *cache, dp_cache_item *items, size_t count);

/*
 * Finds an entry and gives the caller one reference to its buffer.  A pmem entry is served in place
 * and promoted to the CPU's memory when it is hit a second time and fits there, if need be in the
 * place of copies that pmem has too: a lookup never waits for a write to pmem.  DP_ERR_NOT_FOUND,
 * for an entry whose stored bytes turn out to be corrupt too; DP_ERR_NOMEM.  Thread safe.  Cost:
 * the lock and a hash probe; the first hit in pmem after a start reads the whole entry to check it.
 */
DP_API dp_status dp_cache_lookup(dp_cache *cache, const dp_cache_key *key, dp_cache_entry *out);

/*
 * Does what inserts and lookups need not wait for, in at most steps_max steps of one entry each:
 * demotes from tiers over their low watermark, then brings up again entries that were hit twice
 * below the tier they were inserted in, where there is room under that mark.  Returns the steps
 * taken; fewer than steps_max: there is nothing left to do.  An insert demotes 8 entries at most,
 * so without a thread that calls this now and then a tier can be over its budget for a while, and
 * nothing rises but from pmem.  Thread safe; no lock is held while bytes are copied.
 */
DP_API unsigned dp_cache_maintain(dp_cache *cache, unsigned steps_max);

/* Forgets an entry in every tier; holders keep theirs.  DP_ERR_NOT_FOUND, DP_ERR_NOMEM.  Thread
 * safe. */
DP_API dp_status dp_cache_remove(dp_cache *cache, const dp_cache_key *key);

DP_API void dp_cache_stats_read(const dp_cache *cache, dp_cache_stats *out);

#ifdef __cplusplus
}
#endif

#endif
