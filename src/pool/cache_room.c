/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an entry's copies are, and how room is made for them: the half of the cache that moves
 * bytes between host memory and the store.
 *
 * Bounds: an insert demotes at most CACHE_INSERT_STEPS_MAX entries, each of which frees pmem in at
 * most CACHE_ROUNDS_MAX rounds of CACHE_STEPS_MAX; what that does not settle, dp_cache_maintain()
 * or the next insert goes on with.
 */
#include "pool/cache_internal.h"

#include <string.h>

#include "pool/os.h"

#define CACHE_STEPS_MAX  32u
#define CACHE_ROUNDS_MAX 4u

/* --- copies; all under the lock --- */

/* Takes one reference over. */
void cache_host_attach(dp_cache *cache, cache_entry *entry, dp_buf *buf)
{
    DP_ASSERT(entry->buf == NULL);
    entry->buf = buf;
    entry->tier = dp_buf_tier(buf);
    entry->warm = false;
    if (!entry->homed) {
        entry->homed = true;
        entry->home = entry->tier;
    }
    evict_add(&cache_level_of(cache, entry->tier)->order, &entry->host_node, entry->priority,
              entry->size_bytes);
    cache->stats.entries[entry->tier]++;
    cache->stats.bytes[entry->tier] += entry->size_bytes;
}

void cache_host_drop(dp_cache *cache, cache_entry *entry)
{
    DP_ASSERT(entry->buf != NULL);
    cache->stats.entries[entry->tier]--;
    cache->stats.bytes[entry->tier] -= entry->size_bytes;
    evict_remove(&cache_level_of(cache, entry->tier)->order, &entry->host_node);
    list_remove(&entry->rise);
    dp_put(entry->buf);
    entry->buf = NULL;
}

void cache_pmem_attach(dp_cache *cache, cache_entry *entry)
{
    DP_ASSERT(!entry->stored);
    entry->stored = true;
    evict_add(&cache->pmem, &entry->pmem_node, entry->priority, entry->size_bytes);
}

void cache_view_drop(cache_entry *entry)
{
    dp_put(entry->view);
    entry->view = NULL;
}

void cache_busy_end(dp_cache *cache, cache_entry *entry)
{
    DP_ASSERT(entry->busy);
    entry->busy = false;
    pthread_cond_broadcast(&cache->idle);
}

/* Who holds the stored bytes keeps them: that is the tier's promise. */
bool cache_pmem_drop(dp_cache *cache, cache_entry *entry)
{
    DP_ASSERT(entry->stored && !entry->busy);
    entry->busy = true;
    entry->gone = entry->buf == NULL;
    entry->stored = false;
    evict_remove(&cache->pmem, &entry->pmem_node);
    cache_view_drop(entry);
    os_unlock(&cache->lock);
    (void)tier_store_remove(cache->store, &entry->key, NULL);
    os_lock(&cache->lock);
    cache_busy_end(cache, entry);
    bool gone = entry->gone;
    if (gone) {
        cache_discard(cache, entry);
    }
    return gone;
}

/* --- victims --- */

static evict_verdict judge_host(void *user, evict_node *node)
{
    (void)user;
    const cache_entry *entry = LIST_OF(node, cache_entry, host_node);
    if (entry->busy) {
        return EVICT_PASS;
    }
    /* Under the lock a count of one cannot grow: only a lookup could make it two. */
    return buf_references(entry->buf) == 1 ? EVICT_TAKE : EVICT_USED;
}

/* As above, but only those whose host copy can go without writing anything. */
static evict_verdict judge_host_stored(void *user, evict_node *node)
{
    const cache_entry *entry = LIST_OF(node, cache_entry, host_node);
    return entry->stored ? judge_host(user, node) : EVICT_PASS;
}

static evict_verdict judge_pmem(void *user, evict_node *node)
{
    (void)user;
    const cache_entry *entry = LIST_OF(node, cache_entry, pmem_node);
    if (entry->busy) {
        return EVICT_PASS;
    }
    return entry->view == NULL || buf_references(entry->view) == 1 ? EVICT_TAKE : EVICT_USED;
}

/* The next stored copy to go, of the lowest class first; what nobody asked for yet is the oldest.
 */
static cache_entry *pmem_victim(dp_cache *cache, dp_priority priority)
{
    for (unsigned class = 0; class <= (unsigned)priority; class ++) {
        cache_entry *entry = cache_take_up_oldest(cache, (dp_priority) class);
        if (entry != NULL) {
            return entry;
        }
        evict_node *node = evict_victim(&cache->pmem, (dp_priority) class, judge_pmem, NULL);
        if (node != NULL) {
            return LIST_OF(node, cache_entry, pmem_node);
        }
    }
    return NULL;
}

/*
 * Frees at least size_bytes of pmem, from entries that are worth no more than `priority`.  False
 * when it did not get that far.
 */
static bool pmem_evict(dp_cache *cache, dp_priority priority, size_t size_bytes)
{
    size_t freed_bytes = 0;
    os_lock(&cache->lock);
    for (unsigned step = 0; step < CACHE_STEPS_MAX && freed_bytes < size_bytes; step++) {
        cache_entry *entry = pmem_victim(cache, priority);
        if (entry == NULL) {
            break;
        }
        freed_bytes += entry->size_bytes;
        observe_evict(cache->observer, DP_TIER_PMEM, entry->size_bytes, entry->priority);
        cache->stats.dropped += cache_pmem_drop(cache, entry);
    }
    os_unlock(&cache->lock);
    return freed_bytes >= size_bytes;
}

/*
 * Under the lock: books room under pmem_bytes_max; *missing_bytes says how much must go first when
 * it does not, and stays 0 when nothing would help.
 */
static bool pmem_book(dp_cache *cache, size_t size_bytes, size_t *missing_bytes)
{
    size_t used_bytes = cache->pmem.bytes + cache->unclaimed.bytes + cache->pmem_bytes_coming;
    bool fits =
        size_bytes <= cache->pmem_bytes_max && used_bytes <= cache->pmem_bytes_max - size_bytes;
    if (fits) {
        cache->pmem_bytes_coming += size_bytes;
    } else if (size_bytes <= cache->pmem_bytes_max) {
        *missing_bytes = used_bytes - (cache->pmem_bytes_max - size_bytes);
    }
    return fits;
}

static tier_item entry_item(const cache_entry *entry, const void *data)
{
    return (tier_item){.key = &entry->key,
                       .data = data,
                       .size_bytes = entry->size_bytes,
                       .meta = entry->meta,
                       .meta_bytes = entry->meta_bytes,
                       .priority = entry->priority,
                       .kind = entry->kind};
}

/* Writes to the store, making room for it first and again when the store says it is full. */
static dp_status pmem_write(dp_cache *cache, const cache_entry *entry, const void *data)
{
    tier_item item = entry_item(entry, data);
    dp_status status = DP_ERR_QUOTA;
    for (unsigned round = 0; round < CACHE_ROUNDS_MAX; round++) {
        size_t missing_bytes = 0;
        os_lock(&cache->lock);
        bool booked = pmem_book(cache, entry->size_bytes, &missing_bytes);
        os_unlock(&cache->lock);
        if (booked) {
            tier_store_commit_many(cache->store, &item, 1);
            status = item.status;
            if (status == DP_OK) {
                return status; /* stays booked until cache_commit_end() puts it on the list */
            }
            os_lock(&cache->lock);
            cache->pmem_bytes_coming -= entry->size_bytes;
            os_unlock(&cache->lock);
            missing_bytes = entry->size_bytes;
        }
        bool full = status == DP_ERR_NOMEM || status == DP_ERR_QUOTA;
        if (!full || missing_bytes == 0 || !pmem_evict(cache, entry->priority, missing_bytes)) {
            break;
        }
    }
    return status;
}

/* The store reads host memory; what only a device sees is fetched first. */
dp_status cache_commit(dp_cache *cache, const cache_entry *entry)
{
    void *data = NULL;
    if (dp_buf_map(entry->buf, &data) == DP_OK) {
        dp_status written = pmem_write(cache, entry, data);
        dp_buf_unmap(entry->buf);
        return written;
    }
    void *copy = os_aligned(64, entry->size_bytes);
    if (copy == NULL) {
        return DP_ERR_NOMEM;
    }
    dp_status status = dp_buf_read(entry->buf, 0, copy, entry->size_bytes);
    if (status == DP_OK) {
        status = pmem_write(cache, entry, copy);
    }
    os_free(copy);
    return status;
}

/* Those of a batch that can be written as they are, in one commit. */
typedef struct commit_batch {
    size_t count;
    size_t which[CACHE_BATCH_MAX]; /* index into the caller's entries */
    void *data[CACHE_BATCH_MAX];   /* of each of the caller's, mapped; NULL: it cannot be */
    tier_item items[CACHE_BATCH_MAX];
} commit_batch;

static void batch_book(dp_cache *cache, cache_entry *const entries[], size_t count,
                       commit_batch *batch)
{
    for (size_t i = 0; i < count; i++) {
        if (dp_buf_map(entries[i]->buf, &batch->data[i]) != DP_OK) {
            batch->data[i] = NULL;
        }
    }
    os_lock(&cache->lock);
    for (size_t i = 0; i < count; i++) {
        size_t missing_bytes = 0;
        if (batch->data[i] != NULL && pmem_book(cache, entries[i]->size_bytes, &missing_bytes)) {
            batch->which[batch->count] = i;
            batch->items[batch->count++] = entry_item(entries[i], batch->data[i]);
        }
    }
    os_unlock(&cache->lock);
}

/* What the batch leaves (no room, device memory) is written one by one, making room. */
void cache_commit_many(dp_cache *cache, cache_entry *const entries[], dp_status written[],
                       size_t count)
{
    DP_ASSERT(count <= CACHE_BATCH_MAX);
    commit_batch batch;
    batch.count = 0;
    batch_book(cache, entries, count, &batch);
    tier_store_commit_many(cache->store, batch.items, batch.count);
    for (size_t i = 0; i < count; i++) {
        written[i] = DP_ERR_NOMEM;
        if (batch.data[i] != NULL) {
            dp_buf_unmap(entries[i]->buf);
        }
    }
    size_t failed_bytes = 0;
    for (size_t n = 0; n < batch.count; n++) {
        written[batch.which[n]] = batch.items[n].status;
        failed_bytes += batch.items[n].status != DP_OK ? batch.items[n].size_bytes : 0;
    }
    if (failed_bytes > 0) {
        os_lock(&cache->lock);
        cache->pmem_bytes_coming -= failed_bytes;
        os_unlock(&cache->lock);
    }
    for (size_t i = 0; i < count; i++) {
        if (written[i] == DP_ERR_NOMEM || written[i] == DP_ERR_QUOTA) {
            written[i] = cache_commit(cache, entries[i]);
        }
    }
}

/* Under the lock, after cache_commit(): the entry stops being busy. */
void cache_commit_end(dp_cache *cache, cache_entry *entry, dp_status status)
{
    if (status == DP_OK) {
        cache->pmem_bytes_coming -= entry->size_bytes;
        cache_pmem_attach(cache, entry);
    }
    cache_busy_end(cache, entry);
}

/* A host copy makes room. */
static void host_evict(dp_cache *cache, cache_entry *entry)
{
    observe_evict(cache->observer, entry->tier, entry->size_bytes, entry->priority);
    cache_host_drop(cache, entry);
}

/* Writes a host copy to pmem.  Called with the lock, which it gives up. */
static void host_store(dp_cache *cache, cache_entry *entry)
{
    dp_tier_id from = entry->tier;
    cache_level *level = cache_level_of(cache, from);
    entry->busy = true;
    level->bytes_leaving += entry->size_bytes;
    os_unlock(&cache->lock);
    nvtx_push(NVTX_DEMOTE, NVTX_CATEGORY(from), entry->size_bytes);
    dp_status status = cache_commit(cache, entry);
    nvtx_pop();
    if (status == DP_OK) {
        observe_migrate(cache->observer, from, DP_TIER_PMEM, entry->size_bytes);
    }
    os_lock(&cache->lock);
    level->bytes_leaving -= entry->size_bytes;
    cache_commit_end(cache, entry, status);
}

/*
 * Lets one copy go: down the ladder, at its end to pmem where there is one.  Called with the lock,
 * which it gives up.
 */
static void host_demote(dp_cache *cache, cache_entry *entry)
{
    if (cache_step_down(cache, entry)) {
        return;
    }
    if (!entry->stored && cache->store != NULL) {
        host_store(cache, entry);
        if (buf_references(entry->buf) > 1) {
            return; /* looked up meanwhile: dropping our reference would free nothing */
        }
    }
    host_evict(cache, entry);
    if (entry->stored) {
        cache->stats.demoted++;
    } else {
        cache->stats.dropped++;
        cache_discard(cache, entry);
    }
}

/* The next to go from a level that holds too much, the topmost level first. */
static evict_node *host_victim(dp_cache *cache, bool to_low)
{
    for (unsigned i = DP_TIER_COUNT; i-- > 0;) {
        cache_level *level = &cache->levels[i];
        evict_node *node = NULL;
        if (level->order.bytes - level->bytes_leaving >
            (to_low ? level->bytes_low : level->bytes_max)) {
            node = evict_victim(&level->order, DP_PRIORITY_HIGH, judge_host, NULL);
        }
        if (node != NULL) {
            return node;
        }
    }
    return NULL;
}

unsigned cache_host_make_room(dp_cache *cache, unsigned steps_max, bool to_low)
{
    unsigned steps = 0;
    os_lock(&cache->lock);
    for (; steps < steps_max; steps++) {
        evict_node *node = host_victim(cache, to_low);
        if (node == NULL) {
            break;
        }
        host_demote(cache, LIST_OF(node, cache_entry, host_node));
    }
    os_unlock(&cache->lock);
    return steps;
}

bool cache_host_fits(dp_cache *cache, dp_tier_id tier, dp_priority priority, size_t size_bytes)
{
    cache_level *level = cache_level_of(cache, tier);
    if (size_bytes > level->bytes_max) {
        return false;
    }
    size_t room_bytes = level->bytes_max - size_bytes;
    for (unsigned step = 0; step < CACHE_STEPS_MAX && level->order.bytes > room_bytes; step++) {
        evict_node *node = evict_victim(&level->order, priority, judge_host_stored, NULL);
        if (node == NULL) {
            break;
        }
        host_evict(cache, LIST_OF(node, cache_entry, host_node));
        cache->stats.demoted++;
    }
    return level->order.bytes <= room_bytes;
}
