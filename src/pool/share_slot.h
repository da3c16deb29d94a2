/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: the owner's side of one peer: its control memory, and the grants made to it.
 *
 * What is true stands in private memory, in `own` and `order`.  The control is written to, for the
 * peer to read; of it nothing is ever read but the two claim words of a grant, and those are only
 * compared with the serial that we gave it.  So a peer that writes anything whatever ends its own
 * grants early, or late, and harms nobody else.
 *
 * A slot's lock is its share's; each call below is made under it.  A grant holds one reference to
 * its buffer, which is put under that lock when the grant ends.
 */
#ifndef DP_POOL_SHARE_SLOT_H
#define DP_POOL_SHARE_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include <danpool/buf.h>

#include "pool/share_format.h"

typedef enum share_grant_state {
    SHARE_GRANT_FREE,
    SHARE_GRANT_MADE,    /* the peer may claim it; whether it did, its claim word says */
    SHARE_GRANT_CLOSING, /* no longer in the control; a barrier is to pass before we look */
    SHARE_GRANT_TAKEN    /* closed, and found claimed: it ends when the peer gives it back */
} share_grant_state;

typedef struct share_grant {
    dp_buf *buf;
    uint64_t serial;
    uint64_t since_ns;
    uint32_t position; /* in order[] */
    share_grant_state state;
} share_grant;

/*
 * order[] is a permutation of the grants' indices; the first `active` of them are not FREE, and
 * order[own[i].position] == i.
 */
typedef struct share_slot {
    uint32_t id; /* 0: nobody's */
    uint32_t round;
    int probe_fd; /* our file description of the control; the peer's is another */
    share_layout layout;
    char *control;
    share_grant *own;
    uint32_t *order;
    uint32_t active;
} share_slot;

/*
 * Makes the control of a peer with the number layout->peer, and its descriptor to hand out.
 * DP_ERR_NOMEM, DP_ERR_IO, DP_ERR_UNSUPPORTED.
 */
dp_status share_slot_open(share_slot *slot, const share_layout *layout, int *control_fd);

/* Tells the peer, ends every grant and gives everything back.  Returns how many grants ended. */
uint64_t share_slot_close(share_slot *slot);

/* Whether nobody has the peer's descriptor or mapping any more.  One system call. */
bool share_slot_is_dead(const share_slot *slot);

/*
 * Makes a grant of token->size_bytes at offset_bytes; takes a reference and sets token->grant.
 * DP_ERR_BUSY when there is none left.
 */
dp_status share_slot_grant(share_slot *slot, dp_buf *buf, uint64_t offset_bytes, uint64_t now_ns,
                           share_token *token);

/* Whether no grant is left, until the peer gives one back. */
static inline bool share_slot_is_full(const share_slot *slot)
{
    return slot->active == slot->layout.grants;
}

/* Whether the token's grant has not ended. */
bool share_slot_has(const share_slot *slot, const share_token *token);

/* Ends what the peer gave back; returns how many. */
uint64_t share_slot_collect(share_slot *slot);

/*
 * Revoking is in two steps with share_barrier_all() between them: withdraw, then judge.  A grant
 * that the peer has claimed by then becomes TAKEN, the others end.
 */
/* Withdraws the grants made at or before `until_ns` that are not claimed; returns how many. */
uint64_t share_slot_withdraw_older(share_slot *slot, uint64_t until_ns);
/* Withdraws one.  DP_ERR_NOT_FOUND, DP_ERR_BUSY (claimed). */
dp_status share_slot_withdraw(share_slot *slot, const share_token *token);
/* Returns how many ended. */
uint64_t share_slot_judge(share_slot *slot);

/* Asserts the invariants above; bytes of the active grants' buffers are not looked at. */
void share_slot_check(const share_slot *slot);

#endif
