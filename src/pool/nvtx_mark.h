/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1: what Nsight Systems, Nsight Compute and Compute Sanitizer are told, in the NVTX domain
 * "danpool".
 *
 *  - Ranges (push and pop, per thread) stand around what is slow: refills, calls into tiers, moves
 *    between tiers, the stages of rendering.  A range's category is the tier, its payload the
 * bytes.
 *  - Memory: each region that a tier hands out is a heap.  A region that is cut into small blocks
 * is a heap of "layout" use: all of it may be touched.  A region that serves one large block at a
 *    time is a "sub-allocator" heap, whose block is registered while it is out and not while it is
 *    kept for the next: a checker can tell a surface that is used after its put.
 *
 * Cost without a tool: one relaxed load and a branch that is never taken, on paths that take a lock
 * or worse.  NVTX itself is headers only; nothing is linked.  The tool is found once, by
 * nvtx_mark_start(), through NVTX_INJECTION64_PATH, which the tools set.  Where the headers were
 * not found when configuring, all of this compiles to nothing.
 *
 * The WebAssembly build has none of it: no tool can be loaded there.
 *
 * Thread safe.  What is made here (domain, strings) lives as long as the process.
 */
#ifndef DP_POOL_NVTX_MARK_H
#define DP_POOL_NVTX_MARK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "pool/tier.h"

#if !defined(__wasm__)
#include "dp_features.h"
#endif

/* X(enumerator, name).  No '@', '/', '[' or '*' in a name: ncu --nvtx-include gives them a sense.
 */
#define NVTX_RANGE_LIST(X)                                                                         \
    X(NVTX_REFILL, "refill")                                                                       \
    X(NVTX_DEMOTE, "demote")                                                                       \
    X(NVTX_PROMOTE, "promote")                                                                     \
    X(NVTX_MIGRATE, "migrate")                                                                     \
    X(NVTX_QUEUE, "queue")                                                                         \
    X(NVTX_DECODE, "decode")                                                                       \
    X(NVTX_BATCH, "batch")                                                                         \
    X(NVTX_RASTER, "raster")                                                                       \
    X(NVTX_RESIZE, "resize")                                                                       \
    X(NVTX_ENCODE, "encode")

typedef enum nvtx_range {
#define NVTX_RANGE_ENUM(id, name) id,
    NVTX_RANGE_LIST(NVTX_RANGE_ENUM)
#undef NVTX_RANGE_ENUM
        NVTX_TIER_CALL, /* + a tier_call, under its name */
    NVTX_RANGE_COUNT = NVTX_TIER_CALL + TIER_CALL_COUNT
} nvtx_range;

/* Categories: the tier's number plus 1 (0 means none), and one for rendering. */
#define NVTX_CATEGORY(tier)  ((unsigned)(tier) + 1u)
#define NVTX_CATEGORY_RENDER NVTX_CATEGORY(DP_TIER_COUNT)

typedef enum nvtx_heap_use {
    NVTX_HEAP_CUT,  /* many blocks; always accessible */
    NVTX_HEAP_WHOLE /* one block; accessible while it is registered */
} nvtx_heap_use;

#if defined(DP_HAVE_NVTX) && DP_HAVE_NVTX

extern _Atomic bool nvtx_mark_attached;

/* Looks for a tool; every pool calls it when it is made, and only the first call does anything. */
void nvtx_mark_start(void);

void nvtx_mark_push(nvtx_range range, unsigned category, uint64_t payload);
void nvtx_mark_pop(void);

static inline bool nvtx_is_attached(void)
{
    /* Acquire: whoever sees true sees the domain and the strings. */
    return __builtin_expect(atomic_load_explicit(&nvtx_mark_attached, memory_order_acquire), 0);
}

static inline void nvtx_push(nvtx_range range, unsigned category, uint64_t payload)
{
    if (nvtx_is_attached())
        nvtx_mark_push(range, category, payload);
}

static inline void nvtx_pop(void)
{
    if (nvtx_is_attached())
        nvtx_mark_pop();
}

/* The heap's handle, NULL when no tool wants it.  `address` is the host's or the device's. */
void *nvtx_heap_add(dp_tier_id tier, uint64_t address, size_t size_bytes, nvtx_heap_use use);
/* These take NULL. */
void nvtx_heap_remove(void *heap);
void nvtx_block_add(void *heap, uint64_t address, size_t size_bytes);
void nvtx_block_remove(void *heap, uint64_t address);

#else

static inline void nvtx_mark_start(void)
{
}

static inline void nvtx_push(nvtx_range range, unsigned category, uint64_t payload)
{
    (void)range;
    (void)category;
    (void)payload;
}

static inline void nvtx_pop(void)
{
}

static inline void *nvtx_heap_add(dp_tier_id tier, uint64_t address, size_t size_bytes,
                                  nvtx_heap_use use)
{
    (void)tier;
    (void)address;
    (void)size_bytes;
    (void)use;
    return NULL;
}

static inline void nvtx_heap_remove(void *heap)
{
    (void)heap;
}

static inline void nvtx_block_add(void *heap, uint64_t address, size_t size_bytes)
{
    (void)heap;
    (void)address;
    (void)size_bytes;
}

static inline void nvtx_block_remove(void *heap, uint64_t address)
{
    (void)heap;
    (void)address;
}

#endif

#endif
