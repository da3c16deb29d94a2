/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: get, reference, put, and what a buffer says about itself.
 *
 * Reference counts and memory order:
 *  - dp_ref() adds relaxed: the caller holds a reference, so whatever handed him the buffer has
 *    ordered its content before him already.
 *  - dp_put() subtracts with release, so that everything a holder did with the bytes comes before
 *    the block's next life, and with acquire, so that the last one sees what the others did.
 *  - A holder that reads 1 with acquire is the only one: nobody else may add to a count that he
 *    alone holds.  The count then goes to 0 by a plain store, which saves the locked instruction
 *    in by far the commonest case, get and put without sharing.
 *  (An acquire fence in the last put only would do as well; ThreadSanitizer cannot see fences, and
 *  on x86 the instruction is the same.)
 */
#include <string.h>

#include "pool/pool_state.h"

static const char *const kind_names[DP_KIND_COUNT] = {
#define KIND_NAME(id, name) [id] = (name),
    DP_KIND_LIST(KIND_NAME)
#undef KIND_NAME
};

/* A buffer over memory that a tier holds already; freed with its last reference. */
typedef struct wrapped_buf {
    dp_buf base; /* flags has BUF_WRAP, run is NULL */
    tier_region region;
    buf_release *release;
    void *user;
    uint64_t cookie;
} wrapped_buf;

/* ---- getting ---- */

static inline bool request_is_valid(const dp_request *request, size_t size_bytes)
{
    /* One comparison for size 0 and size too large: 0 - 1 is the largest of all. */
    return size_bytes - 1 < DP_SIZE_BYTES_MAX && (unsigned)request->kind < DP_KIND_COUNT &&
           (unsigned)request->priority < DP_PRIORITY_COUNT && request->need < ROUTER_NEED_COUNT;
}

dp_status buf_request_check(const dp_request *request)
{
    if (request_is_valid(request, request->size_bytes))
        return DP_OK;
    bool only_too_large = request->size_bytes != 0 && request_is_valid(request, 1);
    return only_too_large ? DP_ERR_TOO_LARGE : DP_ERR_INVALID;
}

/* How much of the block the CPU could touch. */
static inline size_t buf_host_bytes(const dp_buf *buf)
{
    return buf->host == NULL ? 0 : buf->capacity_bytes;
}

/* A block becomes a held buffer.  Relaxed: handing it to another thread is the caller's to order.
 */
static inline dp_buf *buf_begin(dp_buf *buf, const dp_request *request)
{
    atomic_store_explicit(&buf->references, 1, memory_order_relaxed);
    buf->size_bytes = (uint32_t)request->size_bytes;
    buf->kind = (uint8_t)request->kind;
    OS_UNPOISON(buf->host, buf_host_bytes(buf));
    return buf;
}

/*
 * Tries the route's tiers the whole way down.  "Full" outranks other reasons: a caller can wait for
 * memory, but not for a tier that is not there.
 */
static __attribute__((noinline)) dp_status get_slowly(dp_pool *pool, const dp_request *request,
                                                      const router_route *route, dp_buf **out)
{
    magazine_layer *layer = &pool->magazines;
    dp_status reason = DP_ERR_UNSUPPORTED;
    for (unsigned i = 0; i < route->count; i++) {
        dp_tier_id tier = (dp_tier_id)route->tiers[i];
        dp_buf *buf = NULL;
        unsigned size_class = pool_class_of(pool, tier, request->size_bytes);
        dp_status status = magazine_get(layer, tier, size_class, &buf);
        if (status == DP_OK) {
            if (route->tiers[i] != route->first)
                magazine_count(layer, MAGAZINE_FALLBACKS, 1);
            *out = buf_begin(buf, request);
            return DP_OK;
        }
        magazine_count(layer, MAGAZINE_FAILED + (unsigned)tier, 1);
        if (status == DP_ERR_QUOTA)
            status = DP_ERR_NOMEM;
        if (reason != DP_ERR_NOMEM)
            reason = status;
    }
    magazine_count(layer, MAGAZINE_GETS_FAILED, 1);
    return reason;
}

/*
 * What is inline here is the whole of the common case: the request is valid, this thread has been
 * here before, and its magazine for the first usable tier has a block.
 */
dp_status dp_get(dp_pool *pool, const dp_request *request, dp_buf **out)
{
    DP_ASSERT(pool != NULL && request != NULL && out != NULL);
    if (DP_UNLIKELY(!request_is_valid(request, request->size_bytes)))
        return buf_request_check(request);
    const router_route *route = router_find(&pool->router, request);
    magazine_set *set = magazine_set_quick(&pool->magazines);
    if (DP_UNLIKELY(set == NULL || route->count == 0))
        return get_slowly(pool, request, route, out);
    unsigned tier = route->tiers[0];
    magazine *mag = &set->magazines[tier][pool_class_of(pool, tier, request->size_bytes)];
    dp_buf *buf = magazine_pop(mag);
    if (DP_UNLIKELY(buf == NULL))
        return get_slowly(pool, request, route, out);
    magazine_count_get(mag, buf);
    if (tier != route->first)
        stats_add(&set->counters.fallbacks, 1);
    *out = buf_begin(buf, request);
    return DP_OK;
}

dp_status buf_wrap(dp_pool *pool, const buf_wrap_args *args, dp_buf **out)
{
    DP_ASSERT(args->release != NULL && (unsigned)args->tier < DP_TIER_COUNT);
    DP_ASSERT(args->size_bytes <= args->region.size_bytes);
    if (args->region.size_bytes > DP_SIZE_BYTES_MAX)
        return DP_ERR_TOO_LARGE;
    wrapped_buf *self = os_aligned(64, sizeof *self);
    if (self == NULL)
        return DP_ERR_NOMEM;
    *self = (wrapped_buf){
        .base = {.references = 1,
                 .size_bytes = (uint32_t)args->size_bytes,
                 .capacity_bytes = (uint32_t)args->region.size_bytes,
                 .tier = (uint8_t)args->tier,
                 .kind = (uint8_t)args->kind,
                 .flags = BUF_WRAP | (args->writable ? BUF_OURS : 0),
                 .host = args->region.host,
                 .device = args->region.device,
                 .pool = pool},
        .region = args->region,
        .release = args->release,
        .user = args->user,
        .cookie = args->cookie,
    };
    atomic_fetch_add_explicit(&pool->wrapped_live, 1, memory_order_relaxed);
    *out = &self->base;
    return DP_OK;
}

/* ---- references ---- */

dp_buf *dp_ref(dp_buf *buf)
{
    uint32_t before = atomic_fetch_add_explicit(&buf->references, 1, memory_order_relaxed);
    DP_ASSERT(before != 0 && before != UINT32_MAX);
    return buf;
}

static __attribute__((noinline)) void wrapped_free(dp_buf *buf)
{
    wrapped_buf *self = (wrapped_buf *)(void *)buf;
    dp_pool *pool = buf->pool;
    self->release(self->user, self->cookie);
    os_free(self);
    /* Release: whoever destroys the pool after reading 0 sees that the memory is given back. */
    atomic_fetch_sub_explicit(&pool->wrapped_live, 1, memory_order_release);
}

/* The last reference is gone. */
static inline void buf_recycle(dp_buf *buf)
{
    if (DP_UNLIKELY((buf->flags & BUF_WRAP) != 0)) {
        wrapped_free(buf);
        return;
    }
    OS_POISON(buf->host, buf_host_bytes(buf));
    magazine_layer *layer = &buf->pool->magazines;
    magazine_set *set = magazine_set_quick(layer);
    if (DP_LIKELY(set != NULL)) {
        magazine *mag = &set->magazines[buf->tier][buf->size_class];
        if (DP_LIKELY(magazine_push(mag, buf))) {
            stats_add(&mag->puts, 1);
            return;
        }
    }
    magazine_put(layer, buf);
}

static __attribute__((noinline)) void put_shared(dp_buf *buf)
{
    uint32_t before = atomic_fetch_sub_explicit(&buf->references, 1, memory_order_acq_rel);
    DP_ASSERT(before != 0); /* put twice: the block may be another's by now */
    if (before == 1)
        buf_recycle(buf);
}

void dp_put(dp_buf *buf)
{
    if (buf == NULL)
        return;
    if (DP_LIKELY(atomic_load_explicit(&buf->references, memory_order_acquire) == 1)) {
        atomic_store_explicit(&buf->references, 0, memory_order_relaxed);
        buf_recycle(buf);
        return;
    }
    put_shared(buf);
}

uint32_t buf_references(const dp_buf *buf)
{
    return atomic_load_explicit(&buf->references, memory_order_acquire);
}

/* ---- facts ---- */

void *dp_buf_data(const dp_buf *buf)
{
    return buf->host;
}

uint64_t dp_buf_device_address(const dp_buf *buf)
{
    return buf->device;
}

size_t dp_buf_size(const dp_buf *buf)
{
    return buf->size_bytes;
}

size_t dp_buf_capacity(const dp_buf *buf)
{
    return buf->capacity_bytes;
}

void dp_buf_set_size(dp_buf *buf, size_t size_bytes)
{
    DP_ASSERT(size_bytes <= buf->capacity_bytes);
    buf->size_bytes = (uint32_t)size_bytes;
}

dp_tier_id dp_buf_tier(const dp_buf *buf)
{
    return (dp_tier_id)buf->tier;
}

dp_kind dp_buf_kind(const dp_buf *buf)
{
    return (dp_kind)buf->kind;
}

const char *dp_kind_name(dp_kind kind)
{
    return (unsigned)kind < DP_KIND_COUNT ? kind_names[kind] : "unknown";
}

dp_kind dp_kind_by_name(const char *name)
{
    DP_ASSERT(name != NULL);
    for (unsigned kind = 0; kind < DP_KIND_COUNT; kind++) {
        if (strcmp(name, kind_names[kind]) == 0)
            return (dp_kind)kind;
    }
    return DP_KIND_COUNT;
}

/* ---- copies ---- */

static const tier_region *place_of(const dp_buf *buf, size_t *offset_bytes)
{
    if ((buf->flags & BUF_WRAP) == 0)
        return slab_region_of(buf, offset_bytes);
    *offset_bytes = 0;
    return &((const wrapped_buf *)(const void *)buf)->region;
}

/* Written so that a huge offset cannot wrap round. */
static bool range_is_inside(const dp_buf *buf, size_t offset_bytes, size_t size_bytes)
{
    return offset_bytes <= buf->capacity_bytes && size_bytes <= buf->capacity_bytes - offset_bytes;
}

/* A wrapped block is a stored object served in place, which nobody changes, or a share's, which
 * another process may be reading unless it is held once. */
static bool may_write(const dp_buf *buf)
{
    return (buf->flags & BUF_WRAP) == 0 ||
           ((buf->flags & BUF_OURS) != 0 && buf_references(buf) == 1);
}

dp_status dp_buf_write(dp_buf *buf, size_t offset_bytes, const void *from, size_t size_bytes)
{
    if (!range_is_inside(buf, offset_bytes, size_bytes) || !may_write(buf))
        return DP_ERR_INVALID;
    size_t base = 0;
    const tier_region *region = place_of(buf, &base);
    dp_status status =
        tier_write(buf->pool->tiers[buf->tier], region, base + offset_bytes, from, size_bytes);
    if (status == DP_OK)
        magazine_count(&buf->pool->magazines, MAGAZINE_BYTES_COPIED, size_bytes);
    return status;
}

dp_status dp_buf_read(const dp_buf *buf, size_t offset_bytes, void *to, size_t size_bytes)
{
    if (!range_is_inside(buf, offset_bytes, size_bytes))
        return DP_ERR_INVALID;
    size_t base = 0;
    const tier_region *region = place_of(buf, &base);
    dp_status status =
        tier_read(buf->pool->tiers[buf->tier], region, base + offset_bytes, to, size_bytes);
    if (status == DP_OK)
        magazine_count(&buf->pool->magazines, MAGAZINE_BYTES_COPIED, size_bytes);
    return status;
}
