/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers: reference-counted blocks of pooled memory.
 *
 * Ownership, in numbered sentences:
 *  1. dp_get() gives the caller one reference.
 *  2. dp_ref() adds one; every reference is given back by exactly one dp_put(), from any thread.
 *  3. The last dp_put() returns the block to the releasing thread's magazine; the bytes are gone.
 *  4. Whoever holds a reference may read.  Writing is for the holder of the only reference: a
 * buffer that has been shared is immutable.
 *  5. A buffer never outlives its pool: dp_pool_destroy() asserts that none is held.
 *
 * The descriptor (struct dp_buf) lives outside the block, since some tiers (HBM) cannot be written
 * by the CPU.
 *
 * Movable buffers (DP_GET_MOVABLE):
 *  6. A movable buffer may change its tier while it is held, by dp_buf_migrate(), from any holder.
 *  7. Its addresses hold between a dp_buf_map() and its dp_buf_unmap() only; nobody can move it
 * then.
 *  8. A move carries the bytes and keeps the references; one that fails leaves the buffer as it
 * was. Any other buffer stays where it was got for as long as it lives, and mapping it costs
 * nothing.
 */
#ifndef DANPOOL_BUF_H
#define DANPOOL_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>
#include <danpool/tier.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_pool dp_pool;
typedef struct dp_buf dp_buf;

/* What the bytes are; the first column the router looks at.  X(enumerator, name). */
#define DP_KIND_LIST(X)                                                                            \
    X(DP_KIND_OTHER, "other")                                                                      \
    X(DP_KIND_TEXT, "text")                                                                        \
    X(DP_KIND_SURFACE, "surface")                                                                  \
    X(DP_KIND_ENCODED, "encoded")

typedef enum dp_kind {
#define DP_KIND_ENUM(id, name) id,
    DP_KIND_LIST(DP_KIND_ENUM)
#undef DP_KIND_ENUM
        DP_KIND_COUNT
} dp_kind;

/* Lowest is evicted first.  X(enumerator, name). */
#define DP_PRIORITY_LIST(X)                                                                        \
    X(DP_PRIORITY_LOW, "low")                                                                      \
    X(DP_PRIORITY_NORMAL, "normal")                                                                \
    X(DP_PRIORITY_HIGH, "high")

typedef enum dp_priority {
#define DP_PRIORITY_ENUM(id, name) id,
    DP_PRIORITY_LIST(DP_PRIORITY_ENUM)
#undef DP_PRIORITY_ENUM
        DP_PRIORITY_COUNT
} dp_priority;

/* Families that routing and health use: tiny < 128 B, medium 128 B .. 2 KiB, large > 2 KiB. */
typedef enum dp_family {
    DP_FAMILY_TINY,
    DP_FAMILY_MEDIUM,
    DP_FAMILY_LARGE,
    DP_FAMILY_COUNT
} dp_family;

/* "tiny", "medium", "large". */
DP_API const char *dp_family_name(dp_family family);

/* Bits of dp_request.need: tiers that lack one of them are passed over by the router. */
#define DP_NEED_HOST   1u /* the CPU will dereference the block */
#define DP_NEED_DEVICE 2u /* a kernel will dereference the block */

/* Bits of dp_request.flags. */
#define DP_GET_MOVABLE 1u /* dp_buf_migrate() may move it; holds exactly the bytes asked for */

/* What is asked for. */
typedef struct dp_request {
    size_t size_bytes;   /* 1 .. DP_SIZE_BYTES_MAX */
    uint8_t kind;        /* (optional) a dp_kind, DP_KIND_OTHER */
    uint8_t priority;    /* (optional) a dp_priority, DP_PRIORITY_LOW */
    uint8_t need;        /* (optional) DP_NEED_* bits */
    uint8_t flags;       /* (optional) DP_GET_* bits */
    uint16_t tenant;     /* (optional) whose quota it is taken from, 0 = nobody's */
    uint16_t batch_size; /* (optional) how many such blocks one kernel launch uses, 0 = unknown */
} dp_request;

#define DP_SIZE_BYTES_MAX ((size_t)1 << 31)

/* Inline whatever the compiler was told. */
#if defined(__GNUC__)
#define DP_INLINE __attribute__((always_inline)) inline
#else
#define DP_INLINE inline
#endif

/* The two halves of dp_get(), not for programs.  The first one's NULL means: ask the second. */
DP_API dp_buf *dp_get_quick(dp_pool *pool, size_t size_bytes, unsigned row);
DP_API dp_status dp_get_slow(dp_pool *pool, const dp_request *request, dp_buf **out);

/*
 * Takes a block of at least request->size_bytes from the first tier of the matching rule that can
 * serve it, or from the fallback (health.h).  The content is undefined.
 *
 * Errors: DP_ERR_INVALID (size 0), DP_ERR_TOO_LARGE, DP_ERR_NOMEM (every tier of the rule is
 * exhausted), DP_ERR_UNSUPPORTED (no tier of the rule exists here and meets `need`),
 * DP_ERR_DEVICE (the only tiers left have failed), DP_ERR_QUOTA (the tenant's own quota),
 * DP_ERR_NOT_FOUND (no such tenant).
 * Thread safe.  Cost: a few nanoseconds from the thread's magazine; a slab or a tier call
 * otherwise.
 *
 * The part of it that looks at the request is inline, so that a request of constants costs nothing,
 * and always so, not optimised too, so that the place that the pool remembers for it is the caller.
 */
DP_API DP_INLINE dp_status dp_get(dp_pool *pool, const dp_request *request, dp_buf **out)
{
    unsigned kind = request->kind;
    unsigned priority = request->priority;
    unsigned need = request->need;
    if (((kind | priority | need) & ~3u) == 0 &&
        (request->flags | request->tenant | request->batch_size) == 0) {
        dp_buf *buf = dp_get_quick(pool, request->size_bytes, kind | priority << 2 | need << 4);
        if (__builtin_expect(buf != NULL, 1)) {
            *out = buf;
            return DP_OK;
        }
    }
    return dp_get_slow(pool, request, out);
}

/* Adds a reference and returns `buf`.  Thread safe; one relaxed atomic add. */
DP_API dp_buf *dp_ref(dp_buf *buf);

/* Gives one reference back; NULL is fine.  Thread safe. */
DP_API void dp_put(dp_buf *buf);

/*
 * The two questions that every use of a buffer asks cost a load, not a call.  Where they look is
 * part of the ABI; a program that cannot inline them (through a foreign function interface) calls
 * them.
 */
#define DP_BUF_SIZE_OFFSET 4
#define DP_BUF_DATA_OFFSET 8

/*
 * Host address of the block, NULL when the tier is not host visible.  Valid while referenced; of a
 * movable buffer, while the caller has it mapped, and NULL while nobody has.
 */
DP_API inline void *dp_buf_data(const dp_buf *buf)
{
    void *data;
    __builtin_memcpy(&data, (const char *)(const void *)buf + DP_BUF_DATA_OFFSET, sizeof data);
    return data;
}

/* Bytes in use: the size asked for, or what dp_buf_set_size() said since. */
DP_API inline size_t dp_buf_size(const dp_buf *buf)
{
    uint32_t size_bytes;
    __builtin_memcpy(&size_bytes, (const char *)(const void *)buf + DP_BUF_SIZE_OFFSET,
                     sizeof size_bytes);
    return size_bytes;
}

/* Device address of the block, 0 when the tier is not device visible.  Valid as dp_buf_data() is.
 */
DP_API uint64_t dp_buf_device_address(const dp_buf *buf);

/* Bytes the block could hold. */
DP_API size_t dp_buf_capacity(const dp_buf *buf);

/* Sets the bytes in use; asserts size <= capacity.  For the only holder. */
DP_API void dp_buf_set_size(dp_buf *buf, size_t size_bytes);

/* The tier that the block really is in; of a movable buffer that nobody has mapped, a moment ago.
 */
DP_API dp_tier_id dp_buf_tier(const dp_buf *buf);
DP_API dp_kind dp_buf_kind(const dp_buf *buf);

/*
 * Copies `size_bytes` between host memory and the block, whatever its tier, and counts them in
 * bytes_copied.  Synchronous.  Errors: DP_ERR_INVALID (range outside the block, or a write to a
 * stored object that is served in place), DP_ERR_DEVICE.
 */
DP_API dp_status dp_buf_write(dp_buf *buf, size_t offset_bytes, const void *from,
                              size_t size_bytes);
DP_API dp_status dp_buf_read(const dp_buf *buf, size_t offset_bytes, void *to, size_t size_bytes);

/*
 * Pins a buffer where it is and gives its host address, as dp_buf_data() says it from then on.
 * Brackets nest, across threads too.  DP_ERR_UNSUPPORTED: the CPU cannot see the tier it is in; the
 * buffer is not pinned then (move it, or use dp_buf_read(): there are no hidden copies).  Waits for
 * a move that is under way.  Thread safe.
 */
DP_API dp_status dp_buf_map(dp_buf *buf, void **host);

/*
 * The same for a kernel: the device address.  DP_ERR_UNSUPPORTED where the device cannot see it. It
 * is unmapped when the kernel has ended, not when it was launched.
 */
DP_API dp_status dp_buf_map_device(dp_buf *buf, uint64_t *device);

/* Ends one bracket of either kind; asserts that there is one. */
DP_API void dp_buf_unmap(dp_buf *buf);

/*
 * Moves a movable buffer into another tier, bytes and all, while it is held; DP_OK at once when it
 * is there.  Reads and writes by other holders wait meanwhile.  The copied bytes are counted, twice
 * when they go from device to device, through 256 KiB of host memory at most.
 *
 * Errors, with the buffer as it was: DP_ERR_BUSY (mapped), DP_ERR_UNSUPPORTED (not a movable
 * buffer, or no such tier here), DP_ERR_INVALID (no tier's number), DP_ERR_NOMEM, DP_ERR_DEVICE,
 * DP_ERR_QUOTA (of its tenant, whose charge moves along).
 * Thread safe.  Cost: a get, the copy, and a put.
 */
DP_API dp_status dp_buf_migrate(dp_buf *buf, dp_tier_id tier);

DP_API const char *dp_kind_name(dp_kind kind);
DP_API dp_kind dp_kind_by_name(const char *name); /* DP_KIND_COUNT when there is none */

DP_API const char *dp_priority_name(dp_priority priority);
DP_API dp_priority dp_priority_by_name(const char *name); /* DP_PRIORITY_COUNT when there is none */

#ifdef __cplusplus
}
#endif

#endif
