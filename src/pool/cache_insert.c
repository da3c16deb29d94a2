/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inserting, a batch at a time: one lock to enter the entries, one commit to the store for all that
 * are to be persistent, one lock to show them as durable.  A single insert is a batch of one.
 *
 * Between the two locks the entries are busy (cache.c) and served from host memory.
 */
#include <string.h>

#include "pool/cache_internal.h"
#include "pool/os.h"

typedef struct insert_batch {
    dp_cache_item *items;
    size_t count;
    size_t commit_count;
    cache_entry *commits[CACHE_BATCH_MAX]; /* the busy ones, to be written to the store */
    size_t commit_items[CACHE_BATCH_MAX];  /* which item each of them is */
    dp_status written[CACHE_BATCH_MAX];
} insert_batch;

static dp_status entry_make(dp_cache *cache, const dp_cache_item *item, cache_entry **out)
{
    const dp_cache_entry *given = &item->entry;
    DP_ASSERT(given->meta_bytes <= DP_CACHE_META_BYTES_MAX);
    DP_ASSERT((unsigned)given->priority < DP_PRIORITY_COUNT);
    size_t size_bytes = dp_buf_size(given->buf);
    if (size_bytes == 0) {
        return DP_ERR_INVALID;
    }
    if (size_bytes > cache_level_of(cache, dp_buf_tier(given->buf))->bytes_max) {
        return DP_ERR_TOO_LARGE;
    }
    cache_entry *made = os_calloc(1, sizeof *made + given->meta_bytes);
    if (made == NULL) {
        return DP_ERR_NOMEM;
    }
    made->key = item->key;
    made->size_bytes = size_bytes;
    made->kind = dp_buf_kind(given->buf);
    made->priority = given->priority;
    made->meta_bytes = given->meta_bytes;
    memcpy(made->meta, given->meta, given->meta_bytes);
    *out = made;
    return DP_OK;
}

/* Under the lock, which it gives up while an entry of that key is on its way out. */
static dp_status entry_enter(dp_cache *cache, cache_entry *made, dp_buf *buf)
{
    cache_entry *there = cache_find(cache, &made->key);
    while (there != NULL && there->gone) {
        pthread_cond_wait(&cache->idle, &cache->lock);
        there = cache_find(cache, &made->key);
    }
    dp_status status = there != NULL ? DP_OK : cache_claim(cache, &made->key, &there);
    if (status != DP_ERR_NOT_FOUND) {
        return status == DP_OK ? DP_ERR_EXISTS : status;
    }
    cache_add(cache, made);
    cache_host_attach(cache, made, dp_ref(buf));
    cache->stats.inserted++;
    return DP_OK;
}

static void batch_enter(dp_cache *cache, insert_batch *batch)
{
    cache_entry *made[CACHE_BATCH_MAX] = {NULL};
    for (size_t i = 0; i < batch->count; i++) {
        batch->items[i].status = entry_make(cache, &batch->items[i], &made[i]);
    }
    os_lock(&cache->lock);
    for (size_t i = 0; i < batch->count; i++) {
        cache_prefetch(cache, &batch->items[i].key);
    }
    for (size_t i = 0; i < batch->count; i++) {
        dp_cache_item *item = &batch->items[i];
        if (made[i] == NULL) {
            continue;
        }
        item->status = entry_enter(cache, made[i], item->entry.buf);
        if (item->status != DP_OK) {
            os_free(made[i]);
        } else if (item->entry.persistent && cache->store != NULL) {
            made[i]->busy = true;
            batch->commits[batch->commit_count] = made[i];
            batch->commit_items[batch->commit_count++] = i;
        }
    }
    os_unlock(&cache->lock);
}

static void batch_commit(dp_cache *cache, insert_batch *batch)
{
    cache_commit_many(cache, batch->commits, batch->written, batch->commit_count);
    os_lock(&cache->lock);
    for (size_t i = 0; i < batch->commit_count; i++) {
        dp_status status = batch->written[i];
        cache_commit_end(cache, batch->commits[i], status);
        cache->stats.persist_failed += status != DP_OK;
        batch->items[batch->commit_items[i]].durable = status == DP_OK;
    }
    os_unlock(&cache->lock);
}

dp_status dp_cache_insert_many(dp_cache *cache, dp_cache_item *items, size_t count)
{
    dp_status result = DP_OK;
    insert_batch batch;
    for (size_t from = 0; from < count; from += batch.count) {
        batch.items = items + from;
        batch.count = count - from < CACHE_BATCH_MAX ? count - from : CACHE_BATCH_MAX;
        batch.commit_count = 0;
        for (size_t i = 0; i < batch.count; i++) {
            batch.items[i].durable = false;
        }
        batch_enter(cache, &batch);
        if (batch.commit_count > 0) {
            batch_commit(cache, &batch);
        }
        unsigned steps_max = CACHE_INSERT_STEPS_MAX * (unsigned)batch.count;
        (void)cache_host_make_room(cache, steps_max, false);
        for (size_t i = 0; i < batch.count && result == DP_OK; i++) {
            result = batch.items[i].status;
        }
    }
    return result;
}

dp_status dp_cache_insert(dp_cache *cache, const dp_cache_key *key, const dp_cache_entry *entry,
                          bool *durable)
{
    dp_cache_item item = {.key = *key, .entry = *entry};
    dp_status status = dp_cache_insert_many(cache, &item, 1);
    if (status == DP_OK && durable != NULL) {
        *durable = item.durable;
    }
    return status;
}
