/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyed cache: one table over what is in volatile memory ("host" in the names below, whatever
 * tier its buffer is in) and what is in the store of the pmem tier.
 *
 * An entry has a volatile copy (buf), a stored copy (stored), or both.  It is on its tier's level
 * exactly while buf is set and on cache->pmem exactly while stored is, so each list's bytes are
 * what its budget is compared with.  How copies go from level to level: cache_ladder.c.
 *
 * One lock guards the table, the lists and the counters, and is never held over a call that
 * writes to the store (an msync on an ordinary file).  The thread that makes such a call marks the
 * entry busy: lookups go on being served from what it has, eviction passes it over, and removal
 * waits for `idle`.  Busy and gone: nobody finds it any more, but its key is taken until its bytes
 * have left the store.  After any unlock an entry is looked up again and known by its id.
 *
 * What an earlier run left in the store is unclaimed at first: only its number and bytes are known
 * here.  An entry is made of it when somebody asks for its key, or when it is the next to be
 * evicted; anything unclaimed was used longer ago than anything that is not.  So making a cache
 * costs the same whatever pmem holds.
 *
 * Lock order: cache, then the store's own.  A buffer over stored bytes (view) releases its hold to
 * the tier, which outlives the cache, so such a buffer may be put after the cache is gone.
 */
#include "pool/cache_internal.h"

#include <string.h>

#include "pool/os.h"

#define CACHE_SLOTS_START  1024u
#define CACHE_ATTEMPTS_MAX 3u

/* --- lookup --- */

static void view_release(void *user, uint64_t cookie)
{
    tier_object object = {.cookie = cookie};
    tier_store_release(user, &object);
}

/* What a lookup has to remember of an entry while it is without the lock. */
typedef struct cache_found {
    uint64_t id;
    size_t size_bytes;
    dp_kind kind;
    bool promote; /* hit before since it left host memory */
} cache_found;

static void entry_describe(const cache_entry *entry, dp_cache_entry *out)
{
    out->priority = entry->priority;
    out->persistent = entry->stored;
    out->meta_bytes = entry->meta_bytes;
    memcpy(out->meta, entry->meta, entry->meta_bytes);
}

/* The entry that `found` was about, if it is still there. */
static cache_entry *find_again(const dp_cache *cache, const dp_cache_key *key,
                               const cache_found *found)
{
    cache_entry *entry = cache_find_live(cache, key);
    return entry != NULL && entry->id == found->id ? entry : NULL;
}

/* The store cannot serve it any more (corrupt, say): it has no stored copy then. */
static void forget_stored(dp_cache *cache, const dp_cache_key *key, const cache_found *found)
{
    os_lock(&cache->lock);
    cache_entry *entry = find_again(cache, key, found);
    if (entry != NULL && entry->stored && !entry->busy) {
        cache->stats.dropped += cache_pmem_drop(cache, entry);
    }
    os_unlock(&cache->lock);
}

/*
 * First hit of a stored copy: holds it in the store and makes a buffer over its bytes.  The meta
 * data comes from there too: what was taken up from an earlier run does not have it yet.
 */
static dp_status view_open(dp_cache *cache, const dp_cache_key *key, const cache_found *found,
                           dp_cache_entry *out)
{
    tier_object object;
    dp_status status = tier_store_find(cache->store, key, &object);
    if (status != DP_OK) {
        forget_stored(cache, key, found);
        return DP_ERR_NOT_FOUND;
    }
    buf_wrap_args args = {
        .tier = DP_TIER_PMEM,
        .kind = found->kind,
        .region = {.host = (void *)(uintptr_t)object.data, .size_bytes = object.size_bytes},
        .size_bytes = object.size_bytes,
        .release = view_release,
        .user = cache->store,
        .cookie = object.cookie,
    };
    dp_buf *view = NULL;
    status = buf_wrap(cache->pool, &args, &view);
    if (status != DP_OK) {
        tier_store_release(cache->store, &object);
        return status;
    }
    os_lock(&cache->lock);
    cache_entry *entry = find_again(cache, key, found);
    if (entry != NULL && entry->stored && entry->view == NULL && entry->buf == NULL) {
        entry->view = dp_ref(view);
        if (entry->is_claimed) {
            entry->meta_bytes = object.meta_bytes;
            memcpy(entry->meta, object.meta, object.meta_bytes);
        }
    }
    cache->stats.hits[DP_TIER_PMEM]++;
    os_unlock(&cache->lock);
    out->buf = view;
    out->meta_bytes = object.meta_bytes;
    memcpy(out->meta, object.meta, object.meta_bytes);
    return DP_OK;
}

/*
 * Copies a stored entry to host memory if it fits there, and serves the copy.  Best effort: *buf
 * stays the buffer over the stored bytes when anything is in the way.
 */
static void promote(dp_cache *cache, const dp_cache_key *key, const cache_found *found,
                    dp_priority priority, dp_buf **buf)
{
    dp_request request = {.size_bytes = found->size_bytes,
                          .kind = (uint8_t)found->kind,
                          .priority = (uint8_t)priority,
                          .need = DP_NEED_HOST};
    dp_tier_id tiers[DP_TIER_COUNT];
    size_t rule;
    if (dp_pool_route(cache->pool, &request, tiers, &rule) != DP_OK) {
        return;
    }
    os_lock(&cache->lock);
    bool fits = cache_host_fits(cache, tiers[0], priority, found->size_bytes);
    os_unlock(&cache->lock);
    dp_buf *copy = NULL;
    if (!fits || dp_get(cache->pool, &request, &copy) != DP_OK) {
        return;
    }
    nvtx_push(NVTX_PROMOTE, NVTX_CATEGORY(dp_buf_tier(copy)), found->size_bytes);
    dp_status status = dp_buf_write(copy, 0, dp_buf_data(*buf), found->size_bytes);
    nvtx_pop();
    if (status != DP_OK) {
        dp_put(copy);
        return;
    }
    observe_migrate(cache->observer, DP_TIER_PMEM, dp_buf_tier(copy), found->size_bytes);
    os_lock(&cache->lock);
    cache_entry *entry = find_again(cache, key, found);
    bool attach = entry != NULL && entry->buf == NULL &&
                  cache_host_fits(cache, dp_buf_tier(copy), priority, found->size_bytes);
    if (attach) {
        cache_host_attach(cache, entry, dp_ref(copy));
        cache_view_drop(entry);
        cache->stats.promoted++;
    }
    os_unlock(&cache->lock);
    /* Given back outside the lock: the last reference to a removed entry frees it in the store. */
    dp_put(attach ? *buf : copy);
    *buf = attach ? copy : *buf;
}

/* What the lock has to be held for: *out gets all but a buffer over stored bytes, made later. */
static dp_status lookup_locked(dp_cache *cache, const dp_cache_key *key, cache_found *found,
                               dp_cache_entry *out)
{
    cache_entry *entry = NULL;
    dp_status status = cache_take_up(cache, key, &entry);
    if (status != DP_OK) {
        cache->stats.misses++;
        return status;
    }
    *found = (cache_found){.id = entry->id,
                           .size_bytes = entry->size_bytes,
                           .kind = entry->kind,
                           .promote = entry->buf == NULL && entry->view != NULL};
    entry_describe(entry, out);
    if (entry->buf != NULL) {
        cache_host_touch(cache, entry);
    }
    if (entry->stored) {
        evict_touch(&cache->pmem, &entry->pmem_node);
    }
    out->buf = entry->buf != NULL ? entry->buf : entry->view;
    if (out->buf != NULL) {
        dp_ref(out->buf);
        cache->stats.hits[dp_buf_tier(out->buf)]++;
    }
    return DP_OK;
}

static dp_status lookup_once(dp_cache *cache, const dp_cache_key *key, dp_cache_entry *out,
                             bool *again)
{
    cache_found found;
    os_lock(&cache->lock);
    dp_status status = lookup_locked(cache, key, &found, out);
    os_unlock(&cache->lock);
    *again = false;
    if (status == DP_OK && out->buf == NULL) {
        status = view_open(cache, key, &found, out);
        *again = status == DP_ERR_NOT_FOUND;
    } else if (status == DP_OK && found.promote) {
        promote(cache, key, &found, out->priority, &out->buf);
    }
    return status;
}

/*
 * The stored copy may leave between the two halves of a lookup, since the store is asked without
 * the lock; the entry may even be back by then.  So a loss there is looked up again, a few times.
 */
dp_status dp_cache_lookup(dp_cache *cache, const dp_cache_key *key, dp_cache_entry *out)
{
    dp_status status = DP_ERR_NOT_FOUND;
    dp_cache_entry result = {.buf = NULL};
    bool again = true;
    for (unsigned attempt = 0; again && attempt < CACHE_ATTEMPTS_MAX; attempt++) {
        status = lookup_once(cache, key, &result, &again);
    }
    if (status == DP_OK) {
        *out = result;
    }
    return status;
}

/* --- the rest --- */

dp_status dp_cache_remove(dp_cache *cache, const dp_cache_key *key)
{
    os_lock(&cache->lock);
    cache_entry *entry = NULL;
    dp_status status = cache_take_up(cache, key, &entry);
    while (status == DP_OK && entry->busy) {
        pthread_cond_wait(&cache->idle, &cache->lock);
        status = cache_take_up(cache, key, &entry);
    }
    if (status != DP_OK) {
        os_unlock(&cache->lock);
        return status;
    }
    if (entry->buf != NULL) {
        cache_host_drop(cache, entry);
    }
    if (entry->stored) {
        (void)cache_pmem_drop(cache, entry);
    } else {
        cache_discard(cache, entry);
    }
    os_unlock(&cache->lock);
    return DP_OK;
}

void dp_cache_stats_read(const dp_cache *cache, dp_cache_stats *out)
{
    dp_cache *self = (dp_cache *)(uintptr_t)cache; /* only the lock is written */
    os_lock(&self->lock);
    *out = cache->stats;
    out->entries[DP_TIER_PMEM] += cache->pmem.count + cache->unclaimed.objects;
    out->bytes[DP_TIER_PMEM] += cache->pmem.bytes + cache->unclaimed.bytes;
    os_unlock(&self->lock);
}

dp_status dp_cache_create(dp_pool *pool, const dp_cache_config *config, dp_cache **out)
{
    dp_cache *cache = os_calloc(1, sizeof *cache);
    if (cache == NULL) {
        return DP_ERR_NOMEM;
    }
    dp_status status = cache_levels_init(cache, config);
    if (status != DP_OK) {
        os_free(cache);
        return status;
    }
    cache->slot_count = CACHE_SLOTS_START;
    cache->slots = os_calloc(cache->slot_count, sizeof(cache_entry *));
    if (cache->slots == NULL) {
        os_free(cache);
        return DP_ERR_NOMEM;
    }
    cache->pool = pool;
    cache->observer = pool_observer(pool);
    cache->pmem_bytes_max = config->pmem_bytes_max != 0 ? config->pmem_bytes_max : SIZE_MAX;
    evict_init(&cache->pmem);
    os_mutex_init(&cache->lock);
    pthread_cond_init(&cache->idle, NULL);
    dp_tier *pmem = pool_tier(pool, DP_TIER_PMEM);
    if (pmem != NULL && tier_has_store(pmem)) {
        cache->store = pmem;
        tier_store_unclaim(pmem);
        tier_store_totals_read(pmem, &cache->unclaimed);
    }
    *out = cache;
    return DP_OK;
}

void dp_cache_destroy(dp_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < cache->slot_count; i++) {
        for (cache_entry *entry = cache->slots[i], *next; entry != NULL; entry = next) {
            next = entry->hash_next;
            DP_ASSERT(!entry->busy); /* a call into this cache is still running */
            dp_put(entry->buf);
            dp_put(entry->view);
            os_free(entry);
        }
    }
    os_free(cache->spare);
    os_free(cache->slots);
    pthread_cond_destroy(&cache->idle);
    os_mutex_destroy(&cache->lock);
    os_free(cache);
}
