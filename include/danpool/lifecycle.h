/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a buffer, and the watch over buffers that do not come back.
 *
 *     FREE -> PENDING -> QUEUED -> RENDERING -> RECYCLED -> FREE
 *
 * dp_get() makes a free buffer PENDING, the last dp_put() makes it FREE, dp_buf_advance() does the
 * steps between; a user without stages leaves his buffers PENDING.
 *
 * A buffer that is held longer than its lease has escaped: somebody forgot it, or something is
 * stuck.  dp_escape_scan() finds such buffers and names the place in the program that got each.  It
 * never takes a buffer for older than it is, so a buffer that comes back in time is never reported.
 * A get or a put pays nothing for it.
 */
#ifndef DANPOOL_LIFECYCLE_H
#define DANPOOL_LIFECYCLE_H

#include <danpool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dp_buf_state {
    DP_BUF_FREE,      /* in the pool */
    DP_BUF_PENDING,   /* held: being filled, parsed, or of a user without stages */
    DP_BUF_QUEUED,    /* held: waits for its turn */
    DP_BUF_RENDERING, /* held: is being worked on */
    DP_BUF_RECYCLED,  /* held, but its work is done: kept to be read, or about to be put */
    DP_BUF_STATE_COUNT
} dp_buf_state;

/*
 * One step forward; a step to RECYCLED may leave out those between.  DP_ERR_INVALID, and nothing
 * changes, for any other step: of two holders who decide at the same time, one to begin with a
 * buffer and one to give it up, the later one learns of it.  Asserts that the buffer is held.
 * Orders nothing else.  Thread safe; one locked instruction.
 */
DP_API dp_status dp_buf_advance(dp_buf *buf, dp_buf_state state);

/* For its holder, and for the walkers of tests.  Thread safe. */
DP_API dp_buf_state dp_buf_state_of(const dp_buf *buf);

/* "free", "pending", "queued", "rendering", "recycled". */
DP_API const char *dp_buf_state_name(dp_buf_state state);

/* ---- leases ---- */

#define DP_LEASE_MS_DEFAULT 5000u
#define DP_LEASE_MS_MAX     300000u

/*
 * Asks the owner to give his reference back: called by dp_escape_scan(), on its thread and without
 * a lock, once a lease, when its buffer is reported HIGH.  It puts the owner's reference, if it can
 * know that the owner will not, or makes him do so.  It must not add a reference.
 */
typedef void dp_revoke(void *user, dp_buf *buf);

/*
 * Gives one buffer a lease of its own, from the get on: 1 .. DP_LEASE_MS_MAX.  It ends with the
 * last dp_put(), or with dp_buf_unlease(); each waits until a call of `revoke` that is under way
 * has returned, unless made by that call itself.  So `user` must live until then only, and neither
 * is for who holds a lock that `revoke` takes.  A second lease replaces the first.
 *
 * For the holder of the only reference.  Errors: DP_ERR_INVALID (lease_ms), DP_ERR_NOMEM.
 * Cost: a lock and an allocation, and as much again for the last put.
 */
DP_API dp_status dp_buf_lease(dp_buf *buf, uint32_t lease_ms, dp_revoke *revoke, void *user);

/* Back to the default lease.  For the holder of the only reference; without a lease it is fine. */
DP_API void dp_buf_unlease(dp_buf *buf);

/*
 * From now to its last put the buffer is not watched: for what is kept for as long as it is useful,
 * as by a cache.  For any holder, thread safe; one store.
 */
DP_API void dp_buf_expect_long(dp_buf *buf);

/* Its lease begins again now, also after dp_buf_expect_long().  As cheap. */
DP_API void dp_buf_renew(dp_buf *buf);

/* ---- escapes ---- */

/* By how it stands with the buffer when the lease is over. */
typedef enum dp_escape_severity {
    DP_ESCAPE_LOW,    /* one holder, for less than medium_ms */
    DP_ESCAPE_MEDIUM, /* two holders, or for medium_ms and more */
    DP_ESCAPE_HIGH,   /* three and more, or for more than high_ms: revoked where there is a way */
    DP_ESCAPE_SEVERITY_COUNT
} dp_escape_severity;

/* "low", "medium", "high". */
DP_API const char *dp_escape_severity_name(dp_escape_severity severity);

typedef struct dp_escape {
    dp_escape_severity severity;
    uint64_t age_ns; /* at least */
    uint64_t lease_ns;
    uint32_t references;
    dp_buf_state state;
    dp_tier_id tier;
    dp_kind kind;
    size_t capacity_bytes;
    const void *site;    /* the return address of the dp_get() */
    const char *module;  /* the program or library it lies in, NULL when unknown */
    size_t module_bytes; /* how far in it: for addr2line -e MODULE 0x... */
    const char *symbol;  /* the function, NULL where the module does not export its name */
    const void *buf;     /* only to tell two apart: it may be another's by now */
    bool revoked;        /* the owner is asked for it next */
} dp_escape;

/* May call whatever it likes but dp_escape_scan(), which would be DP_ERR_BUSY. */
typedef void dp_escape_report(void *user, const dp_escape *escape);

typedef struct dp_escape_options {
    uint32_t lease_ms;            /* of buffers without one of their own; 0 = 5000 */
    uint32_t medium_ms;           /* counted from the end of the lease; 0 = 3000 */
    uint32_t high_ms;             /* likewise; 0 = 5000 */
    uint32_t blocks_max;          /* descriptors to look at in this call; 0 = all there are */
    uint64_t (*clock_ns)(void *); /* (optional) NULL = the monotonic clock */
    void *clock_user;             /* what it is called with */
    dp_escape_report *report;     /* (optional) called for each escape and severity once */
    void *report_user;            /* what it is called with */
} dp_escape_options;

#define DP_ESCAPE_OPTIONS_DEFAULT                                                                  \
    {                                                                                              \
        .lease_ms = DP_LEASE_MS_DEFAULT, .medium_ms = 3000u, .high_ms = 5000u,                     \
    }

typedef struct dp_escape_totals {
    bool complete;   /* false: blocks_max was reached, the next call goes on there */
    uint64_t blocks; /* descriptors looked at, free ones too */
    uint64_t held;   /* of those */
    uint64_t reported[DP_ESCAPE_SEVERITY_COUNT];
    uint64_t revoked;
} dp_escape_totals;

/*
 * Looks for escapes: to be called every second or so, from any one thread.  Each escape is reported
 * when it is found, and again when it has become more severe.  Ages are counted from the end of the
 * interval between two scans in which the buffer was got, so an escape is found at most two
 * intervals after its lease is over.  Buffers that dp_cache keeps are not watched.
 *
 * Errors: DP_ERR_BUSY (another thread is scanning), DP_ERR_INVALID (lease_ms over DP_LEASE_MS_MAX,
 * medium_ms or high_ms over a minute).
 * Cost: some 20 ns for each descriptor; no lock is held for longer than 1,024 of them.
 */
DP_API dp_status dp_escape_scan(dp_pool *pool, const dp_escape_options *options,
                                dp_escape_totals *out);

#ifdef __cplusplus
}
#endif

#endif
