/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of lists by hash, and one list by use; see plan_cache.h.
 */
#include "render/plan_cache.h"

#include <string.h>

#include "pool/os.h"

#define BUCKETS 4096u

typedef struct plan_entry {
    dp_cache_key scene_key;
    uint32_t size[2];
    drawing_plan *plan;
    struct plan_entry *next;          /* in the bucket */
    struct plan_entry *newer, *older; /* by use */
} plan_entry;

struct plan_cache {
    pthread_mutex_t lock;
    size_t bytes, bytes_max;
    plan_entry *newest, *oldest;
    plan_entry *buckets[BUCKETS];
};

/* Keys are uniformly spread already. */
static size_t bucket_of(const dp_cache_key *key, const uint32_t size[2])
{
    uint32_t word;
    memcpy(&word, key->bytes, sizeof word);
    return (word ^ size[0] * 2654435761u ^ size[1] * 40503u) % BUCKETS;
}

static plan_entry **place_of(plan_cache *cache, const dp_cache_key *key, const uint32_t size[2])
{
    plan_entry **at = &cache->buckets[bucket_of(key, size)];
    while (*at != NULL && ((*at)->size[0] != size[0] || (*at)->size[1] != size[1] ||
                           memcmp((*at)->scene_key.bytes, key->bytes, sizeof key->bytes) != 0)) {
        at = &(*at)->next;
    }
    return at;
}

static void unlink_use(plan_cache *cache, plan_entry *entry)
{
    plan_entry **to_entry = entry->newer != NULL ? &entry->newer->older : &cache->newest;
    plan_entry **from_entry = entry->older != NULL ? &entry->older->newer : &cache->oldest;
    *to_entry = entry->older;
    *from_entry = entry->newer;
}

static void link_newest(plan_cache *cache, plan_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    if (cache->newest != NULL) {
        cache->newest->newer = entry;
    } else {
        cache->oldest = entry;
    }
    cache->newest = entry;
}

/* Takes the least recently used one out and puts it before `gone`. */
static plan_entry *evict(plan_cache *cache, plan_entry *gone)
{
    plan_entry *entry = cache->oldest;
    *place_of(cache, &entry->scene_key, entry->size) = entry->next;
    unlink_use(cache, entry);
    cache->bytes -= drawing_plan_bytes(entry->plan);
    entry->next = gone;
    return entry;
}

static void drop_all(plan_entry *gone)
{
    while (gone != NULL) {
        plan_entry *next = gone->next;
        drawing_plan_put(gone->plan);
        os_free(gone);
        gone = next;
    }
}

dp_status plan_cache_create(size_t bytes_max, plan_cache **out)
{
    plan_cache *cache = os_calloc(1, sizeof *cache);
    if (cache == NULL) {
        return DP_ERR_NOMEM;
    }
    os_mutex_init(&cache->lock);
    cache->bytes_max = bytes_max;
    *out = cache;
    return DP_OK;
}

void plan_cache_destroy(plan_cache *cache)
{
    plan_entry *gone = NULL;
    if (cache == NULL) {
        return;
    }
    while (cache->oldest != NULL) {
        gone = evict(cache, gone);
    }
    drop_all(gone);
    os_mutex_destroy(&cache->lock);
    os_free(cache);
}

drawing_plan *plan_cache_find(plan_cache *cache, const dp_cache_key *scene_key,
                              const uint32_t size[2])
{
    drawing_plan *plan = NULL;

    os_lock(&cache->lock);
    plan_entry *entry = *place_of(cache, scene_key, size);
    if (entry != NULL) {
        unlink_use(cache, entry);
        link_newest(cache, entry);
        plan = entry->plan;
        drawing_plan_ref(plan);
        atomic_fetch_add_explicit(&plan->uses, 1, memory_order_relaxed);
    }
    os_unlock(&cache->lock);
    return plan;
}

void plan_cache_keep(plan_cache *cache, const dp_cache_key *scene_key, const uint32_t size[2],
                     drawing_plan *plan)
{
    const size_t bytes = drawing_plan_bytes(plan);
    plan_entry *entry = bytes <= cache->bytes_max ? os_calloc(1, sizeof *entry) : NULL;
    plan_entry *gone = NULL;

    if (entry == NULL) {
        return;
    }
    *entry = (plan_entry){.scene_key = *scene_key, .size = {size[0], size[1]}, .plan = plan};
    drawing_plan_ref(plan);
    os_lock(&cache->lock);
    if (*place_of(cache, scene_key, size) != NULL) {
        gone = entry;
    } else {
        while (cache->bytes > cache->bytes_max - bytes) {
            gone = evict(cache, gone);
        }
        plan_entry **at = place_of(cache, scene_key, size);
        entry->next = NULL;
        *at = entry;
        link_newest(cache, entry);
        cache->bytes += bytes;
    }
    os_unlock(&cache->lock);
    drop_all(gone);
}
