/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: plain allocated memory of a bounded size, for requests that no tier of their rule serves.
 *
 * A block is a header with room for its owner's descriptor, and the caller's bytes behind it, from
 * os_aligned().  Blocks that came back are kept by size class, up to a quarter of the bound, since
 * a degraded class sees the same sizes again and again; small ones before large ones, since the
 * system serves a large one in a time that is little beside what its content takes; kept and held
 * ones together never exceed the bound.  It is for moments when a tier is down: one lock, no
 * magazines.
 *
 * Invariants, under the lock: held_bytes + kept_bytes <= bytes_max; kept_bytes is the sum over the
 * chains; held_bytes is the sum over blocks got and not put.  All calls are thread safe; memory is
 * taken and given back without the lock.
 */
#ifndef DP_POOL_FALLBACK_H
#define DP_POOL_FALLBACK_H

#include <stdalign.h>

#include "pool/size_class.h"

#define FALLBACK_DESCRIPTOR_BYTES 192u

typedef struct fallback_block {
    struct fallback_block *next; /* kept: the chain */
    size_t size_bytes;           /* of the bytes behind it */
    alignas(64) unsigned char descriptor[FALLBACK_DESCRIPTOR_BYTES];
    alignas(64) unsigned char bytes[];
} fallback_block;

typedef struct fallback {
    pthread_mutex_t lock;
    size_t bytes_max;
    size_t held_bytes;
    size_t kept_bytes;
    fallback_block *kept[SIZE_CLASS_COUNT];
    uint64_t
        kept_classes[(SIZE_CLASS_COUNT + 63) / 64]; /* a bit for each chain that is not empty */
    uint64_t gets;
    uint64_t puts;
} fallback;

typedef struct fallback_stats {
    uint64_t gets;
    uint64_t puts;
    uint64_t held_bytes;
} fallback_stats;

/* A bound of 0 refuses everything. */
void fallback_init(fallback *self, size_t bytes_max);
/* Asserts that every block came back. */
void fallback_destroy(fallback *self);

/* A block of at least size_bytes, rounded up to its size class; NULL: no room, or no memory. */
fallback_block *fallback_get(fallback *self, size_t size_bytes);
/* Cannot fail. */
void fallback_put(fallback *self, fallback_block *block);

void fallback_stats_read(fallback *self, fallback_stats *out);

/* Asserts the invariants. */
void fallback_check(fallback *self);

#endif
