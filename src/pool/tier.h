/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1: a tier is a struct whose first member points to a static const table of operations.
 *
 * Only the tier_*() front functions below touch the table; a NULL slot means unsupported, and the
 * three groups (copy, store, advice) are all-or-none.  Tiers hand out large regions; the slab
 * allocator (rung 2) cuts them.  Decorators (tier_fault.c, tier_limit.c, tier_trace.c) are tiers
 * that hold another one.  Regions are got and put under the slab's lock of that tier, never
 * concurrently; the groups' calls may come from any thread at once.
 */
#ifndef DP_POOL_TIER_H
#define DP_POOL_TIER_H

#include <danpool/cache.h>
#include <danpool/device.h>
#include <danpool/status.h>
#include <danpool/tier.h>

typedef struct dp_tier dp_tier;

/* A piece of a tier's memory.  host is NULL where the CPU cannot see it, device 0 where a GPU
 * cannot. */
typedef struct tier_region {
    void *host;
    uint64_t device;
    size_t size_bytes;
    uint64_t cookie; /* the tier's own, e.g. a reservation, or shm's descriptor */
} tier_region;

/* For tiers that the CPU cannot dereference: synchronous copies, asserted inside the region. */
typedef struct tier_copy_ops {
    dp_status (*write)(dp_tier *tier, uint64_t device, const void *from, size_t size_bytes);
    dp_status (*read)(dp_tier *tier, uint64_t device, void *to, size_t size_bytes);
} tier_copy_ops;

/* For memory that the driver moves between CPU and GPU: hints, the bytes stay the same. */
typedef struct tier_advice_ops {
    /* Whole pages of the range only. */
    dp_status (*advise)(dp_tier *tier, uint64_t device, size_t size_bytes, dp_advice advice);
    dp_status (*prefetch)(dp_tier *tier, uint64_t device, size_t size_bytes, dp_place where,
                          uint64_t stream);
} tier_advice_ops;

/* What a store holds for one key.  `data` points into the tier and is valid until released. */
typedef struct tier_object {
    const void *data;
    size_t size_bytes;
    dp_priority priority;
    dp_kind kind;
    size_t meta_bytes;
    uint8_t meta[DP_CACHE_META_BYTES_MAX];
    uint64_t cookie;
} tier_object;

/* One object of a batch: what to commit, and how it went. */
typedef struct tier_item {
    const dp_cache_key *key;
    const void *data;
    size_t size_bytes;
    const void *meta;
    size_t meta_bytes;
    dp_priority priority;
    dp_kind kind;
    dp_status status; /* out: DP_OK, DP_ERR_EXISTS, DP_ERR_NOMEM, ... */
} tier_item;

/* What is known of a stored object without touching its bytes. */
typedef struct tier_claim {
    dp_cache_key key;
    size_t size_bytes;
    dp_priority priority;
    dp_kind kind;
} tier_claim;

typedef struct tier_store_totals {
    size_t objects;
    size_t bytes;
} tier_store_totals;

typedef bool tier_visit(void *user, const dp_cache_key *key, const tier_object *object);

/*
 * For persistent tiers: keyed objects that are found again after a crash, or were never there.
 *
 * Claims let the cache take up what an earlier run left one by one, instead of all of it before it
 * can serve anything: an object that was found at the opening is unclaimed until it is claimed.
 */
typedef struct tier_store_ops {
    /*
     * Commits each item's bytes under its key.  An item with DP_OK survives kill -9 once
     * the call returns; of the others nothing remains.  Each is on its own: a crash in the middle
     * may keep some.  Of two items of one key the first wins.
     */
    void (*commit)(dp_tier *tier, tier_item *items, size_t count);
    /*
     * Finds and holds: the bytes stay until release, removed or not.  DP_ERR_NOT_FOUND;
     * DP_ERR_CORRUPT until the object is removed.
     */
    dp_status (*find)(dp_tier *tier, const dp_cache_key *key, tier_object *out);
    void (*release)(dp_tier *tier, const tier_object *object);
    /* DP_ERR_NOT_FOUND; *size_bytes gets the size of what went. */
    dp_status (*remove)(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes);
    /*
     * Calls visit for every object, oldest commit first; stops when it returns false.  `visit` runs
     * under the store's lock and must not call it; object->data is not held.
     */
    void (*each)(dp_tier *tier, tier_visit *visit, void *user);
    void (*totals)(dp_tier *tier, tier_store_totals *out);
    /* Makes every object unclaimed, as after opening. */
    void (*unclaim)(dp_tier *tier);
    /* Claims the unclaimed object of that key; false when there is none. */
    bool (*claim)(dp_tier *tier, const dp_cache_key *key, tier_claim *out);
    /* Claims the oldest unclaimed object of that priority; false when there is none. */
    bool (*claim_oldest)(dp_tier *tier, dp_priority priority, tier_claim *out);
} tier_store_ops;

typedef struct tier_ops {
    void (*close)(dp_tier *tier);
    dp_status (*region_get)(dp_tier *tier, size_t size_bytes, tier_region *out);
    void (*region_put)(dp_tier *tier, const tier_region *region);
    /* (optional) What is free and what there is in all, others' use included; any thread. */
    dp_status (*room)(dp_tier *tier, uint64_t *free_bytes, uint64_t *all_bytes);
    const tier_copy_ops *copy;     /* (optional) NULL: memcpy on the host address does */
    const tier_store_ops *store;   /* (optional) NULL: nothing here survives the process */
    const tier_advice_ops *advice; /* (optional) NULL: the memory is where it is */
} tier_ops;

struct dp_tier {
    const tier_ops *ops;
    dp_tier_info info;
    size_t region_bytes_default; /* what the slab asks for when it needs more */
    size_t budget_bytes_default; /* (optional) limit where the pool's owner sets none, 0 = none */
};

typedef struct tier_open_args {
    const char *pmem_path;
    size_t pmem_size_bytes;
} tier_open_args;

/*
 * One opener a tier; on failure *detail (DP_TIER detail size) says why in words for people.
 * X(enumerator, opener).  Registration is this list, not constructors.
 */
#define TIER_OPENER_LIST(X)                                                                        \
    X(DP_TIER_HOST, tier_host_open)                                                                \
    X(DP_TIER_HUGE, tier_huge_open)                                                                \
    X(DP_TIER_PINNED, tier_pinned_open)                                                            \
    X(DP_TIER_HBM, tier_hbm_open)                                                                  \
    X(DP_TIER_MANAGED, tier_managed_open)                                                          \
    X(DP_TIER_PMEM, tier_pmem_open)                                                                \
    X(DP_TIER_SHM, tier_shm_open)

typedef dp_status tier_opener(const tier_open_args *args, char detail[96], dp_tier **out);

#define TIER_DECLARE(id, opener) tier_opener opener;
TIER_OPENER_LIST(TIER_DECLARE)
#undef TIER_DECLARE

/* Decorators take the inner tier over, also on failure, and close it; `out` behaves like it but for
 * what they add. */
/* Fails the n-th region_get, copy, advice or object of a commit from now on (1 = the next), then
 * every `every`-th; for tests. */
dp_status tier_fault_wrap(dp_tier *inner, uint64_t fail_nth, uint64_t every, dp_tier **out);
/* DP_ERR_QUOTA once more than budget_bytes_max would be taken in regions and stored objects. */
dp_status tier_limit_wrap(dp_tier *inner, size_t budget_bytes_max, dp_tier **out);

/* What a traced call did.  X(enumerator, name). */
#define TIER_CALL_LIST(X)                                                                          \
    X(TIER_REGION_GET, "region_get")                                                               \
    X(TIER_REGION_PUT, "region_put")                                                               \
    X(TIER_WRITE, "write")                                                                         \
    X(TIER_READ, "read")                                                                           \
    X(TIER_ADVISE, "advise")                                                                       \
    X(TIER_PREFETCH, "prefetch")                                                                   \
    X(TIER_COMMIT, "commit")                                                                       \
    X(TIER_FIND, "find")                                                                           \
    X(TIER_RELEASE, "release")                                                                     \
    X(TIER_REMOVE, "remove")                                                                       \
    X(TIER_EACH, "each")                                                                           \
    X(TIER_TOTALS, "totals")                                                                       \
    X(TIER_UNCLAIM, "unclaim")                                                                     \
    X(TIER_CLAIM, "claim")

typedef enum tier_call {
#define TIER_CALL_ENUM(id, name) id,
    TIER_CALL_LIST(TIER_CALL_ENUM)
#undef TIER_CALL_ENUM
        TIER_CALL_COUNT
} tier_call;

typedef struct tier_trace_event {
    dp_tier_id tier;
    tier_call call;
    size_t size_bytes; /* of the region, range or object; 0 where nothing was found, and for each */
    uint64_t start_ns;
    uint64_t duration_ns;
    dp_status status; /* DP_OK for calls that cannot fail */
} tier_trace_event;

typedef struct tier_trace_sink {
    /* Run after each call on the thread that made it, under whatever locks that thread holds (for
     * regions the slab's): it must not call the pool. */
    void (*report)(void *user, const tier_trace_event *event);
    /* (optional) Run before each call, with what is known of it; the same holds. */
    void (*begin)(void *user, const tier_trace_event *event);
    void *user;
    uint64_t (*clock_ns)(void *user); /* (optional) NULL: os_clock_ns() */
} tier_trace_sink;

/* Passes every call on and reports it.  `sink` is copied; what it points to outlives the tier. */
dp_status tier_trace_wrap(dp_tier *inner, const tier_trace_sink *sink, dp_tier **out);
const char *tier_call_name(tier_call call);

/* A decorator's table: its own slots, less the groups that the inner tier lacks. */
static inline tier_ops tier_ops_like(const tier_ops *own, const tier_ops *inner)
{
    return (tier_ops){
        .close = own->close,
        .region_get = inner->region_get != NULL ? own->region_get : NULL,
        .region_put = inner->region_put != NULL ? own->region_put : NULL,
        .room = inner->room != NULL ? own->room : NULL,
        .copy = inner->copy != NULL ? own->copy : NULL,
        .store = inner->store != NULL ? own->store : NULL,
        .advice = inner->advice != NULL ? own->advice : NULL,
    };
}

/* Front functions: NULL is fine for close. */
dp_status tier_open(dp_tier_id id, const tier_open_args *args, char detail[96], dp_tier **out);
void tier_close(dp_tier *tier);
/* False for a tier that is a store only: the router passes over it. */
bool tier_has_regions(const dp_tier *tier);
dp_status tier_region_get(dp_tier *tier, size_t size_bytes, tier_region *out);
void tier_region_put(dp_tier *tier, const tier_region *region);
/* DP_ERR_UNSUPPORTED where nobody can say: memory that is whatever the system gives. */
dp_status tier_room(dp_tier *tier, uint64_t *free_bytes, uint64_t *all_bytes);
dp_status tier_write(dp_tier *tier, const tier_region *region, size_t offset_bytes,
                     const void *from, size_t size_bytes);
dp_status tier_read(dp_tier *tier, const tier_region *region, size_t offset_bytes, void *to,
                    size_t size_bytes);
/* DP_ERR_UNSUPPORTED where the tier has no such group. */
dp_status tier_advise(dp_tier *tier, uint64_t device, size_t size_bytes, dp_advice advice);
dp_status tier_prefetch(dp_tier *tier, uint64_t device, size_t size_bytes, dp_place where,
                        uint64_t stream);
bool tier_has_store(const dp_tier *tier);
/* A batch of one. */
dp_status tier_store_commit(dp_tier *tier, const dp_cache_key *key, const tier_object *object);
void tier_store_commit_many(dp_tier *tier, tier_item *items, size_t count);
dp_status tier_store_find(dp_tier *tier, const dp_cache_key *key, tier_object *out);
void tier_store_release(dp_tier *tier, const tier_object *object);
/* `size_bytes` may be NULL here. */
dp_status tier_store_remove(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes);
void tier_store_each(dp_tier *tier, tier_visit *visit, void *user);
void tier_store_totals_read(dp_tier *tier, tier_store_totals *out);
void tier_store_unclaim(dp_tier *tier);
bool tier_store_claim(dp_tier *tier, const dp_cache_key *key, tier_claim *out);
bool tier_store_claim_oldest(dp_tier *tier, dp_priority priority, tier_claim *out);

#endif
