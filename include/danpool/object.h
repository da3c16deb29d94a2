/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed objects: constructed once, used many times.
 *
 * An object that is put is reset, not destroyed, and the next get hands it out as it is: with its
 * nested buffers, tables and whatever else the constructor made.  It is destroyed only when its
 * memory goes back to the pool.
 *
 * The reset contract, which dp_reset_check() (danpool/reset.h) checks:
 *  1. reset() brings every mutable field, nested ones too, to the state that construct() leaves;
 *  2. doing it twice is doing it once;
 *  3. it releases nothing that the constructor acquired outside of the object;
 *  4. where the constructor leaves an empty one, it leaves no NULL.
 *
 * The reset is done by the put, not by the get: what a user left behind is gone when he is, the get
 * is as short as it can be, and the put is seldom what somebody waits for.
 *
 * Objects live in memory that the CPU can reach.  Each is a buffer of the pool that its type holds
 * for as long as the object exists, so the pool's statistics count objects at rest as held.
 */
#ifndef DANPOOL_OBJECT_H
#define DANPOOL_OBJECT_H

#include <danpool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_objects dp_objects;

#define DP_OBJECT_ALIGNMENT_MAX 4096u

/* What the objects of a type are.  The functions are called without any lock of ours. */
typedef struct dp_object_type {
    const char *name;       /* static; for people */
    size_t size_bytes;      /* at least 1 */
    size_t alignment_bytes; /* (optional) a power of two up to 4096, 0 = 16 */
    uint8_t kind;           /* (optional) a dp_kind, for the router */
    void *user;             /* (optional) what the functions are called with */
    /* (optional) Gets zeroed memory; what it returns on failure, dp_object_get() returns. */
    dp_status (*construct)(void *object, void *user);
    void (*reset)(void *object, void *user);
    /* (optional) Undoes the constructor; called for a reset object. */
    void (*destroy)(void *object, void *user);
} dp_object_type;

/*
 * Makes the objects of one type over a pool, which outlives them.  `type` is copied, its name is
 * not.  Errors: DP_ERR_INVALID (size, alignment or kind out of range, no reset), DP_ERR_NOMEM.
 */
DP_API dp_status dp_objects_create(dp_pool *pool, const dp_object_type *type, dp_objects **out);

/*
 * Destroys the objects at rest, wherever they are.  Asserts that all were put; no other thread may
 * be in a call on this type, but threads that used it may end meanwhile.  NULL is fine.
 */
DP_API void dp_objects_destroy(dp_objects *objects);

/*
 * Hands out an object as the constructor leaves it.  The caller owns it until dp_object_put().
 * Errors: the pool's, the constructor's.  Thread safe.
 * Cost: a few nanoseconds where this thread has one at rest; else a lock; else a construction.
 */
DP_API dp_status dp_object_get(dp_objects *objects, void **out);

/* Resets the object and gives it back, from any thread; NULL is fine.  Asserts that it is out. */
DP_API void dp_object_put(void *object);

/*
 * The buffer that the object lies in, for dp_buf_lease() and its neighbours.  A lease ends with the
 * put.  An object that is out is watched like any buffer, from its dp_object_get() on.
 */
DP_API dp_buf *dp_object_buf(void *object);

/*
 * Constructs objects until `count` are at rest in this thread's cache and the shared one, or as
 * many as those keep; *ready gets how many are.  Fails when none could be made.  Thread safe.
 */
DP_API dp_status dp_objects_prewarm(dp_objects *objects, size_t count, size_t *ready);

/* Destroys what is at rest in this thread's cache and the shared one.  Thread safe. */
DP_API void dp_objects_trim(dp_objects *objects);

typedef struct dp_object_stats {
    uint64_t gets;
    uint64_t puts;
    uint64_t fresh;       /* gets that had to construct: the others were reuse */
    uint64_t constructed; /* with those that dp_objects_prewarm() made */
    uint64_t destroyed;
    uint64_t failed; /* gets */
} dp_object_stats;

/* Exact once the threads are quiet.  Thread safe. */
DP_API void dp_objects_stats_read(dp_objects *objects, dp_object_stats *out);

#ifdef __cplusplus
}
#endif

#endif
