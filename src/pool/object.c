/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: typed objects.  They rest constructed, as object_cache.h draws it, each in a buffer that
 * its type goes on holding; so no run can end under one, and what rests is known to be constructed.
 *
 *     block  [ padding | head | object        ]
 *
 * The watch over escapes (lifecycle.c) sees the buffer of an object at rest as one that is expected
 * to last, and that of an object that is out as one got at the dp_object_get().
 */
#include <string.h>

#include "pool/object_cache.h"

static bool type_is_valid(const dp_object_type *type)
{
    size_t alignment = type->alignment_bytes;
    return type->reset != NULL && type->size_bytes != 0 && type->kind < DP_KIND_COUNT &&
           type->size_bytes <= DP_SIZE_BYTES_MAX - 2 * (size_t)DP_OBJECT_ALIGNMENT_MAX &&
           (alignment & (alignment - 1)) == 0 && alignment <= DP_OBJECT_ALIGNMENT_MAX;
}

/* As many as fit in that many bytes, but a few at least. */
static uint32_t rest_max(size_t object_bytes, size_t bytes_max, uint32_t count_max)
{
    size_t count = bytes_max / object_bytes;
    if (count > count_max)
        return count_max;
    return count < 2 ? 2 : (uint32_t)count;
}

dp_status dp_objects_create(dp_pool *pool, const dp_object_type *type, dp_objects **out)
{
    if (!type_is_valid(type))
        return DP_ERR_INVALID;
    dp_objects *self = os_calloc(1, sizeof *self);
    if (self == NULL)
        return DP_ERR_NOMEM;
    self->pool = pool;
    self->type = *type;
    if (self->type.alignment_bytes < 16)
        self->type.alignment_bytes = 16;
    /* A block starts at a multiple of 16 at least. */
    size_t padding = self->type.alignment_bytes - 16;
    self->request = (dp_request){.size_bytes = padding + sizeof(object_head) + type->size_bytes,
                                 .kind = type->kind,
                                 .need = DP_NEED_HOST};
    self->cache_max = rest_max(self->request.size_bytes, OBJECT_CACHE_BYTES_MAX, OBJECT_CACHE_MAX);
    self->shared_max =
        rest_max(self->request.size_bytes, OBJECT_SHARED_BYTES_MAX, OBJECT_SHARED_MAX);
    os_mutex_init(&self->lock);
    object_caches_enter(self);
    *out = self;
    return DP_OK;
}

/* ---- one object ---- */

static dp_status object_construct(dp_objects *self, void **out)
{
    dp_buf *buf = NULL;
    dp_status status = dp_get(self->pool, &self->request, &buf);
    if (status != DP_OK)
        return status;
    uintptr_t start = (uintptr_t)dp_buf_data(buf);
    size_t offset = os_align_up(start + sizeof(object_head), self->type.alignment_bytes) - start;
    void *object = (char *)dp_buf_data(buf) + offset;
    memset(object, 0, self->type.size_bytes);
    if (self->type.construct != NULL)
        status = self->type.construct(object, self->type.user);
    if (status != DP_OK) {
        dp_put(buf);
        return status;
    }
    *object_head_of(object) = (object_head){.owner_or_next = (uintptr_t)self, .buf = buf};
    *out = object;
    return DP_OK;
}

/* Begins the life of an object that was at rest or was just made. */
static inline void object_begin(dp_objects *self, void *object, void *site)
{
    object_head *head = object_head_of(object);
    head->owner_or_next = (uintptr_t)self;
    OS_UNPOISON(object, self->type.size_bytes);
    atomic_store_explicit(&head->buf->site, site, memory_order_relaxed);
    atomic_store_explicit(&head->buf->epoch,
                          atomic_load_explicit(&self->pool->epoch, memory_order_relaxed),
                          memory_order_relaxed);
}

/* Resets it and ends its life; it is on no chain yet. */
static void object_end(const dp_objects *self, void *object)
{
    dp_buf *buf = object_head_of(object)->buf;
    self->type.reset(object, self->type.user);
    OS_POISON(object, self->type.size_bytes);
    if (DP_UNLIKELY((buf->flags & BUF_LEASE) != 0))
        dp_buf_unlease(buf);
    /* The state of a life is PENDING at first, as after a dp_get(). */
    unsigned row = atomic_load_explicit(&buf->row, memory_order_relaxed);
    if (DP_UNLIKELY(row >= ROUTER_ROWS))
        atomic_store_explicit(&buf->row, (uint8_t)(row % ROUTER_ROWS), memory_order_relaxed);
    dp_buf_expect_long(buf);
}

/* Destroys what is on a chain of the caller's own; how many those were. */
static uint64_t chain_destroy(const dp_objects *self, object_chain *chain)
{
    uint64_t count = 0;
    void *object;
    while ((object = object_pop(chain)) != NULL) {
        OS_UNPOISON(object, self->type.size_bytes);
        if (self->type.destroy != NULL)
            self->type.destroy(object, self->type.user);
        dp_put(object_head_of(object)->buf);
        count++;
    }
    return count;
}

/* As above, counted. */
static void objects_drop(dp_objects *self, object_chain *chain)
{
    uint64_t count = chain_destroy(self, chain);
    os_lock(&self->lock);
    self->stats.destroyed += count;
    os_unlock(&self->lock);
}

/* ---- get and put ---- */

/* Without one in the thread's cache: from the shared chain, with some more; else a new one. */
static __attribute__((noinline)) dp_status get_slowly(dp_objects *self, void **out)
{
    object_cache *cache = object_cache_mine(self);
    if (cache == NULL)
        cache = object_cache_make(self);
    os_lock(&self->lock);
    void *object = object_pop(&self->shared);
    if (object != NULL && cache != NULL)
        object_move(&self->shared, &cache->chain, self->cache_max / 2);
    os_unlock(&self->lock);
    bool fresh = object == NULL;
    dp_status status = fresh ? object_construct(self, &object) : DP_OK;
    os_lock(&self->lock);
    self->stats.gets += status == DP_OK;
    self->stats.failed += status != DP_OK;
    self->stats.fresh += fresh && status == DP_OK;
    self->stats.constructed += fresh && status == DP_OK;
    os_unlock(&self->lock);
    if (status == DP_OK)
        *out = object;
    return status;
}

dp_status dp_object_get(dp_objects *objects, void **out)
{
    object_cache *cache = object_cache_mine(objects);
    void *object = NULL;
    if (DP_LIKELY(cache != NULL && cache->chain.top != NULL)) {
        object = object_pop(&cache->chain);
        stats_add(&cache->gets, 1);
    } else {
        dp_status status = get_slowly(objects, &object);
        if (status != DP_OK)
            return status;
    }
    object_begin(objects, object, __builtin_return_address(0));
    *out = object;
    return DP_OK;
}

/* With the thread's cache full, or none: to the shared chain, and what that has no room for ends.
 */
static __attribute__((noinline)) void put_slowly(dp_objects *self, void *object)
{
    object_cache *cache = object_cache_mine(self);
    if (cache == NULL)
        cache = object_cache_make(self);
    object_chain surplus = {NULL, 0};
    os_lock(&self->lock);
    self->stats.puts++;
    object_push(&self->shared, object);
    if (cache != NULL && cache->chain.count >= self->cache_max)
        object_move(&cache->chain, &self->shared, self->cache_max / 2);
    if (self->shared.count > self->shared_max)
        object_move(&self->shared, &surplus, self->shared.count - self->shared_max);
    os_unlock(&self->lock);
    if (surplus.top != NULL)
        objects_drop(self, &surplus);
}

void dp_object_put(void *object)
{
    if (object == NULL)
        return;
    uintptr_t owner = object_head_of(object)->owner_or_next;
    DP_ASSERT((owner & 1u) == 0);           /* put twice */
    dp_objects *self = (dp_objects *)owner; /* NOLINT: stored as a number */
    object_end(self, object);
    object_cache *cache = object_cache_mine(self);
    if (DP_LIKELY(cache != NULL && cache->chain.count < self->cache_max)) {
        object_push(&cache->chain, object);
        stats_add(&cache->puts, 1);
        return;
    }
    put_slowly(self, object);
}

dp_buf *dp_object_buf(void *object)
{
    return object_head_of(object)->buf;
}

/* ---- all of a type ---- */

dp_status dp_objects_prewarm(dp_objects *objects, size_t count, size_t *ready)
{
    object_cache *cache = object_cache_mine(objects);
    if (cache == NULL)
        cache = object_cache_make(objects);
    uint32_t cache_max = cache == NULL ? 0 : objects->cache_max;
    os_lock(&objects->lock);
    size_t resting = objects->shared.count + (cache == NULL ? 0 : cache->chain.count);
    os_unlock(&objects->lock);
    if (count > (size_t)cache_max + objects->shared_max)
        count = (size_t)cache_max + objects->shared_max;
    dp_status status = DP_OK;
    while (resting < count && status == DP_OK) {
        void *object = NULL;
        status = object_construct(objects, &object);
        if (status != DP_OK)
            break;
        object_end(objects, object); /* so that the first use finds what a later one finds */
        os_lock(&objects->lock);
        objects->stats.constructed++;
        bool mine = cache != NULL && cache->chain.count < cache_max;
        object_push(mine ? &cache->chain : &objects->shared, object);
        os_unlock(&objects->lock);
        resting++;
    }
    if (resting == 0 && status != DP_OK)
        return status;
    *ready = resting;
    return DP_OK;
}

void dp_objects_trim(dp_objects *objects)
{
    object_cache *cache = object_cache_mine(objects);
    object_chain all = {NULL, 0};
    if (cache != NULL)
        object_move(&cache->chain, &all, UINT32_MAX);
    os_lock(&objects->lock);
    object_move(&objects->shared, &all, UINT32_MAX);
    os_unlock(&objects->lock);
    objects_drop(objects, &all);
}

void dp_objects_destroy(dp_objects *objects)
{
    if (objects == NULL)
        return;
    object_caches_leave(objects);
    DP_ASSERT(objects->shared.count == objects->stats.constructed - objects->stats.destroyed);
    (void)chain_destroy(objects, &objects->shared);
    os_mutex_destroy(&objects->lock);
    os_free(objects);
}

void dp_objects_stats_read(dp_objects *objects, dp_object_stats *out)
{
    os_lock(&objects->lock);
    dp_object_stats stats = objects->stats;
    os_unlock(&objects->lock);
    object_caches_count(objects, &stats);
    *out = stats;
}
