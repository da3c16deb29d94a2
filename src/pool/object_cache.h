/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: where the objects of a type rest, and which of them are whose.
 *
 *     thread's cache  [...]          a chain through the objects' heads; the thread's alone
 *     shared          [.........]    likewise, under the type's lock
 *
 * Invariant: an object is out, in one thread's cache, or in the shared chain of its type; its head
 * says which: `owner` when it is out, the next object at rest and a mark when it is not.
 *
 * The registry is one a process, as the magazines' (magazine.c), and for the same reason: it says
 * which thread has which cache, and outlives both.  Lock order: registry, then a type's.
 */
#ifndef DP_POOL_OBJECT_CACHE_H
#define DP_POOL_OBJECT_CACHE_H

#include <danpool/object.h>

#include "pool/list.h"
#include "pool/pool_state.h"
#include "pool/stats.h"

/* Types of one process whose objects threads keep; those of more go through the shared chain. */
#define OBJECT_SLOTS 32u

#define OBJECT_CACHE_MAX        64u /* objects in a thread's cache, */
#define OBJECT_CACHE_BYTES_MAX  ((size_t)64 << 10)
#define OBJECT_SHARED_MAX       1024u /* and in the shared chain */
#define OBJECT_SHARED_BYTES_MAX ((size_t)2 << 20)

/* Lies before each object. */
typedef struct object_head {
    uintptr_t owner_or_next; /* a dp_objects, or the next object at rest with bit 0 set */
    dp_buf *buf;             /* where the object lies; held */
} object_head;
_Static_assert(sizeof(object_head) <= 16, "an object is aligned to 16 behind it");

/* A chain of objects at rest. */
typedef struct object_chain {
    void *top;
    uint32_t count;
} object_chain;

typedef struct object_cache {
    object_chain chain;
    _Atomic uint64_t gets; /* the thread's alone to write */
    _Atomic uint64_t puts;
    dp_objects *owner;
    struct object_cache **slot; /* the thread's entry, under the registry's lock */
    list_node link;             /* in owner->caches, likewise */
} object_cache;

struct dp_objects {
    dp_pool *pool;
    dp_object_type type;
    dp_request request;
    unsigned slot;       /* OBJECT_SLOTS: threads keep none */
    uint32_t cache_max;  /* objects in a thread's cache */
    uint32_t shared_max; /* and in the shared chain */
    list_node caches;    /* under the registry's lock */
    pthread_mutex_t lock;
    object_chain shared;   /* under the lock, as the next one */
    dp_object_stats stats; /* with the gets and puts of threads that ended or have no cache */
};

/* The caches of the calling thread by the type's slot; NULL where it has none. */
typedef struct object_thread {
    object_cache *caches[OBJECT_SLOTS + 1];
} object_thread;

extern _Thread_local object_thread *object_thread_mine __attribute__((tls_model("initial-exec")));

static inline object_cache *object_cache_mine(const dp_objects *objects)
{
    return object_thread_mine->caches[objects->slot];
}

/* Makes the calling thread's cache; NULL when there is no memory or no slot for it. */
object_cache *object_cache_make(dp_objects *objects);

/* Enters a type; leaving it, all threads' objects go to the shared chain. */
void object_caches_enter(dp_objects *objects);
void object_caches_leave(dp_objects *objects);

/* Adds the gets and puts of all threads that have a cache. */
void object_caches_count(dp_objects *objects, dp_object_stats *to);

/* ---- chains ---- */

static inline object_head *object_head_of(void *object)
{
    return (object_head *)(void *)((char *)object - sizeof(object_head));
}

static inline void object_push(object_chain *chain, void *object)
{
    object_head_of(object)->owner_or_next = (uintptr_t)chain->top | 1u;
    chain->top = object;
    chain->count++;
}

/* NULL when there is none. */
static inline void *object_pop(object_chain *chain)
{
    void *object = chain->top;
    if (object == NULL)
        return NULL;
    /* The mark is taken off an address that was stored as a number. */
    chain->top = (void *)(object_head_of(object)->owner_or_next & ~(uintptr_t)1); /* NOLINT */
    chain->count--;
    return object;
}

/* Moves up to `count` objects. */
static inline void object_move(object_chain *from, object_chain *to, uint32_t count)
{
    for (; count > 0 && from->top != NULL; count--)
        object_push(to, object_pop(from));
}

#endif
