/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: which thread has which cache of objects; object_cache.h explains.
 *
 * A thread's caches hang on one thread-local pointer, which at first leads to a table without any.
 * When a thread ends, its objects go to the shared chains, which may then be longer than they
 * should be until the next put of their type; no function of a type is called here, since the
 * registry's lock is held.
 */
#include "pool/object_cache.h"

static object_thread thread_without; /* never written */
_Thread_local object_thread *object_thread_mine = &thread_without;

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static bool thread_key_works;
static uint32_t slots_used; /* a bit each, under the registry's lock */
_Static_assert(OBJECT_SLOTS == 32, "a bit for each slot");

/* Under the registry's lock. */
static void cache_end(object_cache *cache)
{
    dp_objects *owner = cache->owner;
    os_lock(&owner->lock);
    object_move(&cache->chain, &owner->shared, UINT32_MAX);
    owner->stats.gets += stats_load(&cache->gets);
    owner->stats.puts += stats_load(&cache->puts);
    os_unlock(&owner->lock);
    list_remove(&cache->link);
    *cache->slot = NULL;
    os_free(cache);
}

static void thread_end(void *ended)
{
    object_thread *mine = ended;
    os_lock(&registry_lock);
    for (unsigned slot = 0; slot < OBJECT_SLOTS; slot++) {
        if (mine->caches[slot] != NULL)
            cache_end(mine->caches[slot]);
    }
    os_unlock(&registry_lock);
    object_thread_mine = &thread_without;
    os_free(mine);
}

static void thread_key_make(void)
{
    thread_key_works = pthread_key_create(&thread_key, thread_end) == 0;
}

/* The calling thread's own table, made if need be. */
static bool thread_begin(void)
{
    if (object_thread_mine != &thread_without)
        return true;
    object_thread *mine = thread_key_works ? os_calloc(1, sizeof *mine) : NULL;
    if (mine != NULL && pthread_setspecific(thread_key, mine) != 0) {
        os_free(mine);
        mine = NULL;
    }
    if (mine != NULL)
        object_thread_mine = mine;
    return mine != NULL;
}

object_cache *object_cache_make(dp_objects *objects)
{
    if (objects->slot == OBJECT_SLOTS || !thread_begin())
        return NULL;
    object_cache *cache = os_calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->owner = objects;
    cache->slot = &object_thread_mine->caches[objects->slot];
    os_lock(&registry_lock);
    DP_ASSERT(*cache->slot == NULL);
    *cache->slot = cache;
    list_push_back(&objects->caches, &cache->link);
    os_unlock(&registry_lock);
    return cache;
}

void object_caches_enter(dp_objects *objects)
{
    DP_ASSERT(pthread_once(&thread_key_once, thread_key_make) == 0);
    list_init(&objects->caches);
    objects->slot = OBJECT_SLOTS;
    os_lock(&registry_lock);
    if (slots_used != UINT32_MAX) {
        objects->slot = (unsigned)__builtin_ctz(~slots_used);
        slots_used |= (uint32_t)1 << objects->slot;
    }
    os_unlock(&registry_lock);
}

void object_caches_leave(dp_objects *objects)
{
    os_lock(&registry_lock);
    while (!list_is_empty(&objects->caches))
        cache_end(LIST_OF(objects->caches.next, object_cache, link));
    if (objects->slot != OBJECT_SLOTS)
        slots_used &= ~((uint32_t)1 << objects->slot);
    os_unlock(&registry_lock);
}

void object_caches_count(dp_objects *objects, dp_object_stats *to)
{
    os_lock(&registry_lock);
    LIST_EACH(node, &objects->caches)
    {
        const object_cache *cache = LIST_OF(node, object_cache, link);
        to->gets += stats_load(&cache->gets);
        to->puts += stats_load(&cache->puts);
    }
    os_unlock(&registry_lock);
}
