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

static const char *const priority_names[DP_PRIORITY_COUNT] = {
#define PRIORITY_NAME(id, name) [id] = (name),
    DP_PRIORITY_LIST(PRIORITY_NAME)
#undef PRIORITY_NAME
};

static const char *const kind_names[DP_KIND_COUNT] = {
#define KIND_NAME(id, name) [id] = (name),
    DP_KIND_LIST(KIND_NAME)
#undef KIND_NAME
};

/* A buffer over memory that is held already; freed with its last reference. */
typedef struct wrapped_buf {
    dp_buf base; /* flags has BUF_WRAP, run is NULL */
    dp_pool *pool;
    bool in_place; /* it lies in the memory that `release` gives back */
    tier_region region;
    buf_release *release;
    void *user;
    uint64_t cookie;
    bool writable; /* by its only holder */
} wrapped_buf;

static dp_pool *pool_of(const dp_buf *buf)
{
    if ((buf->flags & BUF_WRAP) != 0)
        return ((const wrapped_buf *)(const void *)buf)->pool;
    if ((buf->flags & BUF_MOVE) != 0)
        return movable_pool_of(buf);
    return slab_pool_of(buf);
}

dp_pool *buf_pool(const dp_buf *buf)
{
    return pool_of(buf);
}

/* ---- getting ---- */

dp_status buf_request_check(const dp_request *request)
{
    bool fits = request->kind < DP_KIND_COUNT && request->priority < DP_PRIORITY_COUNT &&
                request->need <= (DP_NEED_HOST | DP_NEED_DEVICE) &&
                request->flags <= DP_GET_MOVABLE && request->size_bytes != 0;
    if (!fits)
        return DP_ERR_INVALID;
    return request->size_bytes <= DP_SIZE_BYTES_MAX ? DP_OK : DP_ERR_TOO_LARGE;
}

/* How much of the block the CPU could touch. */
static inline size_t buf_host_bytes(const dp_buf *buf)
{
    return buf->host == NULL ? 0 : buf->capacity_bytes;
}

/*
 * A block becomes a held buffer.  Handing it to another thread is the caller's to order.  The
 * references come last, and by a release: whoever reads them and then the epoch, as the watch over
 * escapes does, reads the epoch of this life or of a later one, never that of a life before.
 */
static inline void buf_begin(const dp_pool *pool, dp_buf *buf, size_t size_bytes, unsigned row,
                             void *site)
{
    buf->size_bytes = (uint32_t)size_bytes;
    atomic_store_explicit(&buf->row, (uint8_t)row, memory_order_relaxed);
    atomic_store_explicit(&buf->epoch, atomic_load_explicit(&pool->epoch, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&buf->site, site, memory_order_relaxed);
    atomic_store_explicit(&buf->references, 1, memory_order_release);
    OS_UNPOISON(buf->host, buf_host_bytes(buf));
}

static observed_buf observed(const dp_buf *buf)
{
    return (observed_buf){.tier = (dp_tier_id)buf->tier,
                          .size_class = buf->size_class,
                          .size_bytes = buf->size_bytes,
                          .id = (uint64_t)(uintptr_t)buf};
}

/* A get that went the long way is timed; one that is recorded has its put recorded, too. */
static void get_observe(dp_pool *pool, dp_buf *buf, uint64_t begun_ns, bool is_fresh)
{
    observe_get(&pool->observer,
                &(observed_get){.buf = observed(buf),
                                .begun_ns = begun_ns,
                                .site = atomic_load_explicit(&buf->site, memory_order_relaxed),
                                .kind = dp_buf_kind(buf),
                                .fresh = is_fresh});
    if (observer_is_recording(&pool->observer))
        buf->flags |= BUF_SEEN;
}

/* A request on its long way. */
typedef struct slow_get {
    dp_pool *pool;
    const dp_request *request;
    void *site;
    router_route route;
    uint64_t begun_ns;
    dp_status reason; /* why there is no buffer yet */
    dp_buf *buf;
} slow_get;

/*
 * Why a get fails: the tenant's own quota before "full" before anything else, since a caller can
 * do something about the first, wait for the second, but not for a tier that is not there.
 */
static void reason_add(slow_get *get, dp_status status)
{
    if (get->reason != DP_ERR_QUOTA && (get->reason != DP_ERR_NOMEM || status == DP_ERR_QUOTA))
        get->reason = status;
}

/* Makes a block that was charged to the request's tenant the request's buffer. */
static void slow_get_end(slow_get *get, dp_buf *buf)
{
    const dp_request *request = get->request;
    unsigned row = router_row(request->kind, request->priority, request->need);
    buf_begin(get->pool, buf, request->size_bytes, row, get->site);
    if (request->tenant != 0) {
        buf->tenant = request->tenant;
        buf->flags |= BUF_TENANT;
    }
    get->buf = buf;
}

static void slow_get_from_tier(slow_get *get, dp_tier_id tier)
{
    dp_pool *pool = get->pool;
    uint16_t whose = get->request->tenant;
    bool is_fresh = false;
    const magazine_want want = {
        .tier = tier,
        .size_class = pool_class_of(pool, tier, get->request->size_bytes),
        .is_fallback = (uint8_t)tier != get->route.first,
        .is_fresh = &is_fresh,
    };
    size_t block_bytes = size_class_bytes(want.size_class);
    dp_status status = tenant_charge(&pool->tenants, whose, tier, block_bytes);
    if (status != DP_OK) {
        reason_add(get, status);
        return;
    }
    dp_buf *buf = NULL;
    status = health_get(&pool->health, &want, &buf);
    if (status == DP_OK) {
        slow_get_end(get, buf);
        get_observe(pool, buf, get->begun_ns, is_fresh);
        return;
    }
    tenant_return(&pool->tenants, whose, tier, block_bytes);
    magazine_count(&pool->magazines, MAGAZINE_FAILED + (unsigned)tier, 1);
    reason_add(get, status == DP_ERR_QUOTA ? DP_ERR_NOMEM : status);
}

static void fallback_release(void *user, uint64_t cookie)
{
    fallback_put(user, (fallback_block *)(uintptr_t)cookie);
}

_Static_assert(sizeof(wrapped_buf) <= FALLBACK_DESCRIPTOR_BYTES, "its block has room for it");

/* Host memory beside all budgets, for what no tier of its rule serves and no device has to see. */
static void slow_get_from_fallback(slow_get *get)
{
    dp_pool *pool = get->pool;
    const dp_request *request = get->request;
    if ((request->need & DP_NEED_DEVICE) != 0)
        return;
    fallback_block *block = fallback_get(&pool->fallback, request->size_bytes);
    if (block == NULL)
        return;
    const buf_wrap_args args = {
        .tier = DP_TIER_HOST,
        .kind = (dp_kind)request->kind,
        .region = {.host = block->bytes, .size_bytes = block->size_bytes},
        .size_bytes = request->size_bytes,
        .writable = true,
        .place = block->descriptor,
        .release = fallback_release,
        .user = &pool->fallback,
        .cookie = (uint64_t)(uintptr_t)block,
    };
    dp_buf *buf = NULL;
    dp_status status =
        tenant_charge(&pool->tenants, request->tenant, DP_TIER_HOST, block->size_bytes);
    if (status != DP_OK) {
        reason_add(get, status);
        fallback_put(&pool->fallback, block);
        return;
    }
    status = buf_wrap(pool, &args, &buf);
    if (status != DP_OK) { /* no memory for a record of its life */
        tenant_return(&pool->tenants, request->tenant, DP_TIER_HOST, block->size_bytes);
        reason_add(get, status);
        fallback_put(&pool->fallback, block);
        return;
    }
    buf->size_class = (uint8_t)size_class_of(block->size_bytes);
    slow_get_end(get, buf);
    if (observer_is_recording(&pool->observer)) /* else it would count among the tier's times */
        get_observe(pool, buf, get->begun_ns, false);
}

/*
 * The long way: the route's healthy tiers the whole way down, then the fallback, then what was
 * passed over for its health and is there all the same.
 */
dp_status dp_get_slow(dp_pool *pool, const dp_request *request, dp_buf **out)
{
    uint64_t begun_ns = os_clock_ns();
    dp_status status = buf_request_check(request);
    if (status != DP_OK)
        return status;
    if (!tenant_exists(&pool->tenants, request->tenant))
        return DP_ERR_NOT_FOUND;
    slow_get get = {.pool = pool,
                    .request = request,
                    .site = __builtin_return_address(0),
                    .route = router_find(&pool->router, request),
                    .begun_ns = begun_ns,
                    .reason = DP_ERR_UNSUPPORTED};
    uint32_t passed_over = 0;
    (void)stream_release_poll(&pool->streams, STREAM_POLLS_MAX);
    for (unsigned i = 0; get.buf == NULL && i < get.route.count; i++) {
        dp_tier_id tier = (dp_tier_id)get.route.tiers[i];
        unsigned size_class = pool_class_of(pool, tier, request->size_bytes);
        if (health_admits(&pool->health, tier, size_class_family(size_class)))
            slow_get_from_tier(&get, tier);
        else
            passed_over |= DP_TIER_BIT(tier);
    }
    if (passed_over != 0) /* and so asked for nothing that would be late */
        health_tick_at(&pool->health, HEALTH_LATE_TICKS, begun_ns);
    if (get.buf == NULL && get.route.count > 0)
        slow_get_from_fallback(&get);
    for (unsigned i = 0; get.buf == NULL && i < get.route.count; i++) {
        dp_tier_id tier = (dp_tier_id)get.route.tiers[i];
        if ((passed_over & DP_TIER_BIT(tier)) == 0)
            continue;
        if (health_admits_at_last(&pool->health, tier))
            slow_get_from_tier(&get, tier);
        else
            reason_add(&get, DP_ERR_DEVICE);
    }
    if (get.buf != NULL) {
        if ((request->flags & DP_GET_MOVABLE) != 0)
            return movable_wrap(&pool->movables, pool, get.buf, out);
        *out = get.buf;
        return DP_OK;
    }
    magazine_count(&pool->magazines, MAGAZINE_GETS_FAILED, 1);
    if (get.reason == DP_ERR_QUOTA)
        tenant_count_refused(&pool->tenants, request->tenant);
    return get.reason;
}

dp_status buf_get_in(dp_pool *pool, dp_tier_id tier, const dp_request *request, dp_buf **out)
{
    DP_ASSERT((unsigned)tier < DP_TIER_COUNT);
    dp_status status = buf_request_check(request);
    if (status == DP_OK && pool->slabs[tier] == NULL)
        status = DP_ERR_UNSUPPORTED;
    if (status != DP_OK)
        return status;
    if (!health_admits_at_last(&pool->health, tier))
        return DP_ERR_DEVICE;
    slow_get get = {.pool = pool,
                    .request = request,
                    .site = __builtin_return_address(0),
                    .route = {.first = (uint8_t)tier},
                    .begun_ns = os_clock_ns(),
                    .reason = DP_ERR_UNSUPPORTED};
    slow_get_from_tier(&get, tier);
    if (get.buf == NULL)
        return get.reason;
    *out = get.buf;
    return DP_OK;
}

/* Takes from the magazine that the short way's table names, NULL when it has no block. */
static inline dp_buf *get_quickly(dp_pool *pool, size_t size_bytes, unsigned row,
                                  unsigned size_class, void *site)
{
    uint32_t entry = atomic_load_explicit(&pool->fast[row][size_class], memory_order_relaxed);
    char *first = (char *)magazine_sets[pool->magazines.slot]->magazines;
    magazine *mag = (magazine *)(void *)(first + (entry & ~POOL_FAST_FALLBACK));
    dp_buf *buf = magazine_pop(mag);
    if (DP_UNLIKELY(buf == NULL))
        return NULL;
    if (DP_UNLIKELY((entry & POOL_FAST_FALLBACK) != 0))
        stats_add(&mag->fallbacks, 1);
    if (DP_UNLIKELY(buf->flags != 0))
        magazine_count_fresh(mag, buf);
    buf_begin(pool, buf, size_bytes, row, site);
    return buf;
}

static __attribute__((noinline)) dp_buf *get_large(dp_pool *pool, size_t size_bytes, unsigned row,
                                                   void *site)
{
    if (size_bytes - 1 >= POOL_FAST_BYTES_MAX)
        return NULL;
    return get_quickly(pool, size_bytes, row, size_class_of(size_bytes), site);
}

/*
 * The short way, for by far the most requests: a plain one whose answer stands in the table, from a
 * thread that has been here before and has such a block.  Everything else goes the long way, so
 * that nothing unusual costs the usual anything.
 */
dp_buf *dp_get_quick(dp_pool *pool, size_t size_bytes, unsigned row)
{
    /* Size 0 wraps round to the largest of all. */
    if (DP_UNLIKELY(size_bytes - 1 >= SIZE_CLASS_TABLE_BYTES))
        return get_large(pool, size_bytes, row, __builtin_return_address(0));
    unsigned size_class = size_class_table[(size_bytes - 1) / SIZE_CLASS_STEP_BYTES];
    return get_quickly(pool, size_bytes, row, size_class, __builtin_return_address(0));
}

extern inline dp_status dp_get(dp_pool *pool, const dp_request *request, dp_buf **out);

dp_status buf_wrap(dp_pool *pool, const buf_wrap_args *args, dp_buf **out)
{
    DP_ASSERT(args->release != NULL && (unsigned)args->tier < DP_TIER_COUNT);
    DP_ASSERT(args->size_bytes <= args->region.size_bytes);
    if (args->region.size_bytes > DP_SIZE_BYTES_MAX)
        return DP_ERR_TOO_LARGE;
    wrapped_buf *self = args->place != NULL ? args->place : os_aligned(64, sizeof *self);
    if (self == NULL)
        return DP_ERR_NOMEM;
    *self = (wrapped_buf){
        .base = {.references = 1,
                 .size_bytes = (uint32_t)args->size_bytes,
                 .capacity_bytes = (uint32_t)args->region.size_bytes,
                 .tier = (uint8_t)args->tier,
                 .row = (uint8_t)router_row(args->kind, DP_PRIORITY_LOW, 0),
                 .epoch = atomic_load_explicit(&pool->epoch, memory_order_relaxed),
                 .site = __builtin_return_address(0),
                 .flags = BUF_WRAP,
                 .host = args->region.host,
                 .device = args->region.device},
        .pool = pool,
        .in_place = args->place != NULL,
        .region = args->region,
        .release = args->release,
        .user = args->user,
        .cookie = args->cookie,
        .writable = args->writable,
    };
    if (lease_set(&pool->life.leases, &self->base, &lease_default) != DP_OK) {
        if (!self->in_place)
            os_free(self);
        return DP_ERR_NOMEM;
    }
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
    dp_pool *pool = self->pool;
    bool in_place = self->in_place;
    self->release(self->user, self->cookie);
    if (!in_place)
        os_free(self);
    /* Release: whoever destroys the pool after reading 0 sees that the memory is given back. */
    atomic_fetch_sub_explicit(&pool->wrapped_live, 1, memory_order_release);
}

/* The last reference is gone. */
static void buf_recycle(dp_buf *buf)
{
    if ((buf->flags & BUF_LEASE) != 0)
        lease_end(&pool_of(buf)->life.leases, buf);
    if ((buf->flags & BUF_TENANT) != 0) {
        buf->flags &= (uint8_t)~BUF_TENANT;
        tenant_return(&pool_of(buf)->tenants, buf->tenant, (dp_tier_id)buf->tier,
                      buf->capacity_bytes);
    }
    if ((buf->flags & BUF_WRAP) != 0) {
        wrapped_free(buf);
        return;
    }
    if ((buf->flags & BUF_MOVE) != 0) {
        movable_free(buf);
        return;
    }
    dp_pool *pool = pool_of(buf);
    bool is_wrapped = (buf->flags & BUF_WRAP) != 0;
    bool is_seen = (buf->flags & BUF_SEEN) != 0; /* a put without its get tells nothing */
    const observed_buf put = observed(buf);
    if (is_seen || !is_wrapped)
        observe_put(is_seen ? &pool->observer : NULL, &put);
    if (is_wrapped) {
        wrapped_free(buf);
        return;
    }
    buf->flags = 0;
    OS_POISON(buf->host, buf_host_bytes(buf));
    magazine_put(&pool->magazines, buf);
}

static __attribute__((noinline)) void put_slowly(dp_buf *buf)
{
    uint32_t before = atomic_fetch_sub_explicit(&buf->references, 1, memory_order_acq_rel);
    DP_ASSERT(before != 0); /* put twice: the block may be another's by now */
    if (before == 1)
        buf_recycle(buf);
}

/* The short way back: the only holder, of a block without flags, with room in his magazine. */
void dp_put(dp_buf *buf)
{
    if (buf == NULL)
        return;
    if (DP_LIKELY(atomic_load_explicit(&buf->references, memory_order_acquire) == 1 &&
                  buf->flags == 0)) {
        char *first = (char *)magazine_sets[buf->slot]->magazines;
        magazine *mag = (magazine *)(void *)(first + buf->magazine_bytes);
        if (DP_LIKELY(magazine_push(mag, buf))) {
            atomic_store_explicit(&buf->references, 0, memory_order_relaxed);
            OS_POISON(buf->host, buf_host_bytes(buf));
            return;
        }
    }
    put_slowly(buf);
}

uint32_t buf_references(const dp_buf *buf)
{
    return atomic_load_explicit(&buf->references, memory_order_acquire);
}

/* ---- facts ---- */

/* The copies of the two inline functions that can be called. */
extern inline void *dp_buf_data(const dp_buf *buf);
extern inline size_t dp_buf_size(const dp_buf *buf);
_Static_assert(offsetof(dp_buf, host) == DP_BUF_DATA_OFFSET, "what the public header reads");
_Static_assert(offsetof(dp_buf, size_bytes) == DP_BUF_SIZE_OFFSET, "what the public header reads");

uint64_t dp_buf_device_address(const dp_buf *buf)
{
    return buf->device;
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
    return (dp_tier_id)atomic_load_explicit(&buf->tier, memory_order_relaxed);
}

dp_kind dp_buf_kind(const dp_buf *buf)
{
    return (dp_kind)router_row_kind(atomic_load_explicit(&buf->row, memory_order_relaxed));
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

const char *dp_priority_name(dp_priority priority)
{
    return (unsigned)priority < DP_PRIORITY_COUNT ? priority_names[priority] : "unknown";
}

dp_priority dp_priority_by_name(const char *name)
{
    DP_ASSERT(name != NULL);
    for (unsigned priority = 0; priority < DP_PRIORITY_COUNT; priority++) {
        if (strcmp(name, priority_names[priority]) == 0)
            return (dp_priority)priority;
    }
    return DP_PRIORITY_COUNT;
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
           (((const wrapped_buf *)(const void *)buf)->writable && buf_references(buf) == 1);
}

/* NULL: plain memory, maybe of a tier that this pool has not got. */
static dp_tier *copy_tier(const dp_buf *buf)
{
    bool is_plain = (buf->flags & BUF_WRAP) != 0 && buf->host != NULL;
    return is_plain ? NULL : pool_of(buf)->tiers[buf->tier];
}

dp_status dp_buf_write(dp_buf *buf, size_t offset_bytes, const void *from, size_t size_bytes)
{
    if (!range_is_inside(buf, offset_bytes, size_bytes) || !may_write(buf))
        return DP_ERR_INVALID;
    if ((buf->flags & BUF_MOVE) != 0)
        return movable_write(buf, offset_bytes, from, size_bytes);
    size_t base = 0;
    const tier_region *region = place_of(buf, &base);
    dp_tier *tier = copy_tier(buf);
    dp_status status = DP_OK;
    if (tier != NULL)
        status = tier_write(tier, region, base + offset_bytes, from, size_bytes);
    else
        memcpy((char *)buf->host + offset_bytes, from, size_bytes);
    health_report(&pool_of(buf)->health, (dp_tier_id)buf->tier, status);
    if (status == DP_OK)
        magazine_count(&pool_of(buf)->magazines, MAGAZINE_BYTES_COPIED, size_bytes);
    return status;
}

dp_status dp_buf_read(const dp_buf *buf, size_t offset_bytes, void *to, size_t size_bytes)
{
    if (!range_is_inside(buf, offset_bytes, size_bytes))
        return DP_ERR_INVALID;
    if ((buf->flags & BUF_MOVE) != 0)
        return movable_read(buf, offset_bytes, to, size_bytes);
    size_t base = 0;
    const tier_region *region = place_of(buf, &base);
    dp_tier *tier = copy_tier(buf);
    dp_status status = DP_OK;
    if (tier != NULL)
        status = tier_read(tier, region, base + offset_bytes, to, size_bytes);
    else
        memcpy(to, (const char *)buf->host + offset_bytes, size_bytes);
    health_report(&pool_of(buf)->health, (dp_tier_id)buf->tier, status);
    if (status == DP_OK)
        magazine_count(&pool_of(buf)->magazines, MAGAZINE_BYTES_COPIED, size_bytes);
    return status;
}
