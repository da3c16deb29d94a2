/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: the leases that buffers have of their own, by the buffer's address; and those of buffers
 * that no slab has a descriptor of (wrapped and movable ones), which the scan finds here only.
 *
 * A record exists exactly while its descriptor's BUF_LEASE is set, which is written by the only
 * holder or by the last put: so a record never outlives the buffer's life that it was made for, and
 * its buffer's descriptor can be read by whoever has the lock.  The table owns the records.
 *
 * Revoking: the record is marked as running and the lock let go for the call.  Whoever would end
 * the lease meanwhile waits, so that the call's `user` and buffer stay; the call itself may end it,
 * by putting the last reference, and then the record is freed after the call.
 *
 * The lock is taken under a slab's by the scan (lifecycle.c) and takes none itself.
 */
#ifndef DP_POOL_LEASE_H
#define DP_POOL_LEASE_H

#include <danpool/lifecycle.h>

#include "pool/os.h"
#include "pool/slab.h"

typedef struct lease_terms {
    uint64_t lease_ns; /* 0: what the scan takes for all */
    dp_revoke *revoke; /* (or NULL) */
    void *user;
} lease_terms;

/* Those of a buffer without a lease of its own. */
extern const lease_terms lease_default;

typedef struct lease {
    struct lease *next; /* in its slot */
    dp_buf *buf;
    uint64_t id; /* never used twice in a table */
    lease_terms terms;
    uint8_t noted; /* what has been said of it, as dp_buf.noted */
    bool revoked;
    bool running; /* `revoke` is being called, on the thread `runner` */
    bool ended;   /* by that call */
    pthread_t runner;
} lease;

#define LEASE_SPARE_MAX 256u

typedef struct lease_table {
    pthread_mutex_t lock;
    pthread_cond_t idle; /* some `revoke` has returned */
    lease **slots;       /* NULL until there is a lease */
    size_t slot_count;   /* a power of two */
    size_t count;
    lease *spare; /* records of nobody's, LEASE_SPARE_MAX at most */
    size_t spare_count;
    uint64_t id_next;
} lease_table;

void lease_table_init(lease_table *table);
/* Asserts that no lease is left. */
void lease_table_destroy(lease_table *table);

/* Makes or changes the lease of a buffer that the caller alone holds.  DP_ERR_NOMEM. */
dp_status lease_set(lease_table *table, dp_buf *buf, const lease_terms *terms);

/* Ends the lease of a buffer that has one. */
void lease_end(lease_table *table, dp_buf *buf);

bool lease_covers(lease_table *table, const dp_buf *buf);

/*
 * Shows the records of up to `slots_max` slots from *slot on, under the lock, and moves *slot; true
 * while there are more.  A false from `visit` ends the step, and the next one shows that slot again
 * from its start.  What is there all the time is shown, perhaps twice when the table grows.
 */
typedef bool lease_visit(void *user, lease *record);
bool lease_walk_step(lease_table *table, size_t *slot, size_t slots_max, lease_visit *visit,
                     void *user);

/* Calls the lease's `revoke`, if that lease is still there and was not revoked before. */
bool lease_revoke(lease_table *table, const dp_buf *buf, uint64_t id);

#endif
