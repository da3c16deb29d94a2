/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharing: buffers that other processes read in place.  The format and its protocol, for peers in
 * any language, are in docs/share.md; Python's and Node's are in clients/.
 *
 * A share is one tenant's memory in one sealed memfd.  Its owner, the process that made it, maps it
 * for writing; nobody else can, ever.  Each peer is handed two descriptors: that memory, read-only,
 * and a control memory of its own, in which the owner writes what is granted and the peer writes
 * what it took and gave back.  No word of a control has two writers, so a peer needs no
 * compare-and-swap, and no peer can touch another's.  The owner believes a control nothing but "I
 * gave grant number n back": whatever is in it, a block is not handed out twice.
 *
 * Ownership, in numbered sentences:
 *  1. dp_share_get() gives an ordinary buffer (dp_ref, dp_put; tier shm) in the shared memory.
 *  2. dp_share_export() takes one reference to it for one peer, a grant, and names it by a token.
 *  3. Any transport may carry a token.  A buffer that is granted is immutable.
 *  4. A grant ends, and its reference is put, when the peer gives it back, dies or is dropped.
 *  5. One that the peer has not claimed ends by dp_share_revoke() or after lease_ms, too.
 *  6. An old, forged or another peer's token is DP_ERR_NOT_FOUND and never leads to other bytes.
 *  7. A share never outlives its pool, nor a buffer its share: dp_share_destroy() asserts it.
 *
 * Who may read a share may read all of it: what two parties must not both see belongs in two
 * shares.  An owner that is hostile can change the bytes while they are read, but cannot make a
 * peer read outside its mapping: copy what you check before you believe it.
 */
#ifndef DANPOOL_SHARE_H
#define DANPOOL_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>
#include <danpool/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_share dp_share;           /* the owner's side */
typedef struct dp_share_view dp_share_view; /* a peer's side */

/* Plain bytes, to be copied as they are. */
#define DP_SHARE_TOKEN_BYTES 32
typedef struct dp_share_token {
    uint8_t bytes[DP_SHARE_TOKEN_BYTES];
} dp_share_token;

#define DP_SHARE_NAME_BYTES_MAX 63
#define DP_SHARE_PEERS_MAX      4096u
#define DP_SHARE_GRANTS_MAX     65536u

typedef struct dp_share_config {
    const char *name;    /* whose it is, at most DP_SHARE_NAME_BYTES_MAX; peers can read it */
    size_t size_bytes;   /* rounded up to 64 KiB */
    size_t block_bytes;  /* a power of two, 64 .. 65536: sizes are rounded up to it */
    uint32_t peers_max;  /* at one time */
    uint32_t grants_max; /* at one time and to one peer: bounds what a peer can hold */
    uint32_t lease_ms;   /* how long a token may lie unclaimed */
} dp_share_config;

#define DP_SHARE_CONFIG_DEFAULT                                                                    \
    {                                                                                              \
        .name = "share", .block_bytes = 4096, .peers_max = 16, .grants_max = 1024,                 \
        .lease_ms = 5000,                                                                          \
    }

/*
 * Makes a share.  Errors: DP_ERR_INVALID (a field out of its range), DP_ERR_NOMEM (memory or
 * descriptors), DP_ERR_UNSUPPORTED (the pool has no tier shm, or there is no /proc), DP_ERR_IO.
 * Memory is taken from the system as blocks are first written, and kept until the share goes.
 */
DP_API dp_status dp_share_create(dp_pool *pool, const dp_share_config *config, dp_share **out);

/*
 * Ends every grant, tells the peers and unmaps; what peers have mapped stays theirs.  Asserts that
 * every buffer has been put.  No other thread may be in a call on it.  NULL is fine.
 */
DP_API void dp_share_destroy(dp_share *share);

/*
 * A buffer of at least size_bytes in the share, held once, writable until it is granted.
 * DP_ERR_QUOTA when there is no such run of free blocks, DP_ERR_TOO_LARGE (more than the whole
 * share, or DP_SIZE_BYTES_MAX), DP_ERR_INVALID (0), DP_ERR_NOMEM.  Thread safe.
 * Cost: a scan of the block bitmap from where the last one ended; no system call but the first
 * touch of each page.
 */
DP_API dp_status dp_share_get(dp_share *share, size_t size_bytes, dp_buf **out);

/* What a new peer needs.  The descriptors are the caller's to pass on and to close. */
typedef struct dp_share_invitation {
    uint32_t peer; /* never 0 and never used again */
    int control_fd;
    int data_fd;
} dp_share_invitation;

/*
 * Makes a place for one more peer.  The peer lives as long as any process has control_fd open or
 * mapped: the caller must close its own copy when it has passed it on.  Pass it by SCM_RIGHTS, by
 * inheritance or by pidfd_getfd(); what is opened again through /proc is another file.
 * DP_ERR_QUOTA (peers_max), DP_ERR_NOMEM, DP_ERR_IO.  Thread safe.
 */
DP_API dp_status dp_share_invite(dp_share *share, dp_share_invitation *out);

/*
 * Invites and sends the descriptors in one message over a Unix socket (8 bytes and SCM_RIGHTS).
 * DP_ERR_IO when the socket does not take it: the place is given up again.
 */
DP_API dp_status dp_share_send(dp_share *share, int socket_fd, uint32_t *peer);

/*
 * Grants the buffer, as large as dp_buf_size() says, to one peer.  The caller keeps his own
 * reference.  Give the token to that peer: to nobody else it is worth anything.
 * DP_ERR_NOT_FOUND (no such peer, or it died), DP_ERR_BUSY (it holds grants_max), DP_ERR_INVALID
 * (not a buffer of this share, or empty).  Thread safe.  Cost: a lock and two cache lines.
 */
DP_API dp_status dp_share_export(dp_share *share, dp_buf *buf, uint32_t peer, dp_share_token *out);

/*
 * Takes a grant back that was not claimed.  DP_ERR_BUSY when the peer has claimed it,
 * DP_ERR_NOT_FOUND when it has ended.  Thread safe.  Cost: a barrier over all cores, up to tens of
 * milliseconds.
 */
DP_API dp_status dp_share_revoke(dp_share *share, const dp_share_token *token);

/*
 * Ends all grants of a peer, claimed or not, and closes its place, though it may live on: for one
 * that gives nothing back.  It may then read bytes of later buffers.  DP_ERR_NOT_FOUND.
 */
DP_API dp_status dp_share_drop(dp_share *share, uint32_t peer);

typedef struct dp_share_reaped {
    uint32_t peers_dead;
    uint64_t released; /* grants that peers gave back */
    uint64_t dropped;  /* grants of dead peers */
    uint64_t expired;  /* grants that nobody claimed in lease_ms */
} dp_share_reaped;

/*
 * Takes in what peers gave back, finds dead peers and lapsed leases.  Call it now and then, say
 * each second; a share without room takes in what it can by itself.  Thread safe.  Cost: a system
 * call for each peer, a cache line for each grant, and where a lease has lapsed the barrier of
 * dp_share_revoke().  `out` may be NULL.
 */
DP_API void dp_share_reap(dp_share *share, dp_share_reaped *out);

typedef struct dp_share_stats {
    uint64_t size_bytes;
    uint64_t used_bytes; /* in whole blocks */
    uint64_t buffers;    /* held by anybody */
    uint64_t peers;
    uint64_t grants;  /* not ended */
    uint64_t granted; /* since the beginning; so are the rest */
    uint64_t released;
    uint64_t dropped;
    uint64_t expired;
    uint64_t revoked;
    uint64_t peers_dead;
} dp_share_stats;

/* Takes in what peers gave back, then counts.  Thread safe. */
DP_API void dp_share_stats_read(dp_share *share, dp_share_stats *out);

/*
 * Receives what dp_share_send() sent; the descriptors are the caller's.  DP_ERR_CLOSED (the other
 * end is), DP_ERR_FORMAT (something else came), DP_ERR_TIMEOUT (the socket does not block), or
 * DP_ERR_IO.  Unexpected descriptors are closed.
 */
DP_API dp_status dp_share_recv(int socket_fd, int *control_fd, int *data_fd);

/*
 * Maps a share.  Everything is checked as if a stranger had made it: DP_ERR_FORMAT (not a share, or
 * a damaged one, or a file that could shrink under its reader), DP_ERR_UNSUPPORTED (a later
 * version), DP_ERR_BUSY (the control was opened again instead of passed on), DP_ERR_CLOSED,
 * DP_ERR_NOMEM, DP_ERR_IO.  The descriptors stay the caller's and may be closed at once.  A view is
 * for the process that attached it: a forked child may read what was held, but not claim or give
 * back.
 */
DP_API dp_status dp_share_attach(int control_fd, int data_fd, dp_share_view **out);

/* Unmaps and leaves the share.  Asserts that every grant has been given back.  NULL is fine. */
DP_API void dp_share_detach(dp_share_view *view);

/*
 * Claims a grant: *data gets its bytes, which stay as they are until dp_share_release().  A token
 * is claimed once.  DP_ERR_NOT_FOUND (ended, given back, forged or another's), DP_ERR_EXISTS
 * (claimed and not given back yet), DP_ERR_CORRUPT (the owner granted what is not there),
 * DP_ERR_CLOSED (the owner ended the share or dropped this peer).
 * Thread safe.  Cost: a lock of this process and two cache lines, whatever the size.
 */
DP_API dp_status dp_share_acquire(dp_share_view *view, const dp_share_token *token,
                                  const void **data, size_t *size_bytes);

/* Gives a claimed grant back.  DP_ERR_NOT_FOUND when this view does not hold it.  Thread safe. */
DP_API dp_status dp_share_release(dp_share_view *view, const dp_share_token *token);

/* The name of the share and this peer's number.  Valid until the view is detached. */
DP_API const char *dp_share_view_name(const dp_share_view *view);
DP_API uint32_t dp_share_view_peer(const dp_share_view *view);

/* False once the owner has ended the share, dropped this peer or died.  One system call. */
DP_API bool dp_share_view_is_open(const dp_share_view *view);

#ifdef __cplusplus
}
#endif

#endif
