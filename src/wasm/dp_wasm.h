/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool as a WebAssembly module: what danpool.wasm exports.
 *
 * The slab and the size classes are the library's own, over linear memory; there is one thread, so
 * magazines would keep nothing apart and are left out.  The module imports env.memory and nothing
 * else; how far that may grow is up to who makes it.  Addresses and sizes are 32 bits, unsigned: in
 * JavaScript, `alloc(n) >>> 0`.
 *
 * A programmer error (an address that is not held) traps.
 */
#ifndef DP_WASM_H
#define DP_WASM_H

#include <stddef.h>
#include <stdint.h>

#define DP_WASM_EXPORT(name) __attribute__((export_name(#name)))

/* 64-bit integers one after another, in JavaScript a BigUint64Array of 7.  Exact at any time. */
typedef struct dp_wasm_counters {
    uint64_t gets;           /* blocks handed out */
    uint64_t puts;           /* blocks that came back */
    uint64_t failed;         /* requests that were answered 0 */
    uint64_t reused;         /* gets served by memory that had been used before */
    uint64_t used_bytes;     /* in blocks that are held, by block size */
    uint64_t capacity_bytes; /* in regions */
    uint64_t memory_bytes;   /* linear memory, the program's data and the bookkeeping too */
} dp_wasm_counters;

/*
 * A block of at least size_bytes at a multiple of 16; its content is undefined.  0: size_bytes is 0
 * or above 2 GiB, or memory may not grow so far.
 */
DP_WASM_EXPORT(dp_wasm_alloc) void *dp_wasm_alloc(size_t size_bytes);

/* Gives a block back; 0 is fine. */
DP_WASM_EXPORT(dp_wasm_free) void dp_wasm_free(void *block);

/* Bytes that the block could hold. */
DP_WASM_EXPORT(dp_wasm_capacity) size_t dp_wasm_capacity(const void *block);

/* Writes the counters to `out`, which is a multiple of 8. */
DP_WASM_EXPORT(dp_wasm_stats) void dp_wasm_stats(dp_wasm_counters *out);

/* Gives up every region that holds no block, so that its pages can serve any other size. */
DP_WASM_EXPORT(dp_wasm_trim) void dp_wasm_trim(void);

/* For tests: walks everything and traps where an invariant does not hold. */
DP_WASM_EXPORT(dp_wasm_check) void dp_wasm_check(void);

#endif
