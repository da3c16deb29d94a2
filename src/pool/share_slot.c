/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: grants of one peer, behind share_slot.h.
 *
 * Memory orders.  A grant's fields are written before its serial is, with release; the peer reads
 * the serial with acquire.  `released` is read with acquire: the peer's last read of the bytes
 * comes before the block's next life.  Withdrawing is Dekker's game, each side storing its word and
 * then loading the other's: the owner clears the serial, passes share_barrier_all() and reads
 * `claimed`; the peer writes `claimed` and reads the serial again.  Whichever store came first is
 * seen by the other side, so a grant is never both ended here and held there.
 */
#include "pool/share_slot.h"

#include <unistd.h>

#include "pool/memfd.h"
#include "pool/os.h"
#include "pool/share_os.h"

#define SLOT_MEMFD_NAME "danpool share control"

static share_header *header_of(const share_slot *slot)
{
    return (share_header *)(void *)slot->control;
}

static share_grant_entry *entry_of(const share_slot *slot, uint32_t index)
{
    share_grant_entry *table = (void *)(slot->control + slot->layout.grants_offset);
    return &table[index];
}

static share_claim_entry *claim_of(const share_slot *slot, uint32_t index)
{
    share_claim_entry *table = (void *)(slot->control + slot->layout.claims_offset);
    return &table[index];
}

/* ---- making ---- */

/* Private memory for the grants; in `slot` only when there is enough of it. */
static dp_status grants_create(share_slot *slot, uint32_t grants)
{
    share_grant *own = os_calloc(grants, sizeof *own);
    uint32_t *order = os_calloc(grants, sizeof *order);
    if (own == NULL || order == NULL) {
        os_free(own);
        os_free(order);
        return DP_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < grants; i++) {
        order[i] = i;
        own[i].position = i;
    }
    slot->own = own;
    slot->order = order;
    return DP_OK;
}

/* A second description of the control, locked for as long as the peer has it. */
static dp_status peer_fd_open(int probe_fd, int *control_fd)
{
    int fd = -1;
    dp_status status = share_fd_reopen(probe_fd, true, &fd);
    if (status != DP_OK)
        return status;
    if (!share_lock_take(fd, SHARE_LOCK_PEER) || !share_lock_take(probe_fd, SHARE_LOCK_OWNER)) {
        (void)close(fd);
        return DP_ERR_IO;
    }
    *control_fd = fd;
    return DP_OK;
}

static void slot_free(share_slot *slot)
{
    memfd_unmap(slot->control, slot->layout.control_bytes);
    (void)close(slot->probe_fd);
    os_free(slot->own);
    os_free(slot->order);
    *slot = (share_slot){.round = slot->round};
}

dp_status share_slot_open(share_slot *slot, const share_layout *layout, int *control_fd)
{
    DP_ASSERT(slot->id == 0 && layout->peer != 0);
    dp_status status = grants_create(slot, layout->grants);
    if (status != DP_OK)
        return status;
    void *control = NULL;
    status =
        memfd_make(SLOT_MEMFD_NAME, layout->control_bytes, MEMFD_WRITE, &slot->probe_fd, &control);
    if (status != DP_OK) {
        os_free(slot->own);
        os_free(slot->order);
        *slot = (share_slot){.round = slot->round};
        return status;
    }
    slot->control = control;
    slot->layout = *layout;
    share_header_write(header_of(slot), layout);
    status = peer_fd_open(slot->probe_fd, control_fd);
    if (status != DP_OK) {
        slot_free(slot);
        return status;
    }
    slot->id = layout->peer;
    return DP_OK;
}

/* ---- the end of a grant ---- */

static void grant_end(share_slot *slot, uint32_t index)
{
    share_grant *grant = &slot->own[index];
    DP_ASSERT(grant->state != SHARE_GRANT_FREE && grant->position < slot->active);
    atomic_store_explicit(&entry_of(slot, index)->serial, 0, memory_order_relaxed);
    uint32_t last = slot->order[--slot->active];
    slot->order[grant->position] = last;
    slot->own[last].position = grant->position;
    slot->order[slot->active] = index;
    grant->position = slot->active;
    grant->state = SHARE_GRANT_FREE;
    dp_buf *buf = grant->buf;
    grant->buf = NULL;
    dp_put(buf);
}

uint64_t share_slot_close(share_slot *slot)
{
    DP_ASSERT(slot->id != 0);
    uint64_t ended = slot->active;
    atomic_store_explicit(&header_of(slot)->state, SHARE_CLOSED, memory_order_release);
    while (slot->active > 0)
        grant_end(slot, slot->order[slot->active - 1]);
    slot_free(slot);
    return ended;
}

bool share_slot_is_dead(const share_slot *slot)
{
    return !share_lock_is_held(slot->probe_fd, SHARE_LOCK_PEER);
}

/* ---- granting ---- */

dp_status share_slot_grant(share_slot *slot, dp_buf *buf, uint64_t offset_bytes, uint64_t now_ns,
                           share_token *token)
{
    if (share_slot_is_full(slot))
        return DP_ERR_BUSY;
    uint32_t index = slot->order[slot->active++];
    slot->own[index] = (share_grant){.buf = dp_ref(buf),
                                     .serial = token->serial,
                                     .since_ns = now_ns,
                                     .position = slot->active - 1,
                                     .state = SHARE_GRANT_MADE};
    share_grant_entry *entry = entry_of(slot, index);
    /* Release: who sees one of these sees, too, that the serial before is gone. */
    atomic_store_explicit(&entry->offset_bytes, offset_bytes, memory_order_release);
    atomic_store_explicit(&entry->size_bytes, token->size_bytes, memory_order_release);
    entry->granted_ns = now_ns;
    atomic_store_explicit(&entry->serial, token->serial, memory_order_release);
    token->grant = index;
    return DP_OK;
}

bool share_slot_has(const share_slot *slot, const share_token *token)
{
    const share_grant *grant = &slot->own[token->grant];
    return grant->state != SHARE_GRANT_FREE && grant->serial == token->serial;
}

uint64_t share_slot_collect(share_slot *slot)
{
    uint64_t ended = 0;
    /* Downwards: grant_end() moves the last one into the hole, and that one has been seen. */
    for (uint32_t at = slot->active; at-- > 0;) {
        uint32_t index = slot->order[at];
        uint64_t released =
            atomic_load_explicit(&claim_of(slot, index)->released, memory_order_acquire);
        if (released != slot->own[index].serial)
            continue;
        grant_end(slot, index);
        ended++;
    }
    return ended;
}

/* ---- revoking ---- */

static bool is_claimed(const share_slot *slot, uint32_t index)
{
    uint64_t claimed = atomic_load_explicit(&claim_of(slot, index)->claimed, memory_order_seq_cst);
    return claimed == slot->own[index].serial;
}

static void withdraw(share_slot *slot, uint32_t index)
{
    atomic_store_explicit(&entry_of(slot, index)->serial, 0, memory_order_seq_cst);
    slot->own[index].state = SHARE_GRANT_CLOSING;
}

uint64_t share_slot_withdraw_older(share_slot *slot, uint64_t until_ns)
{
    uint64_t count = 0;
    for (uint32_t at = 0; at < slot->active; at++) {
        uint32_t index = slot->order[at];
        const share_grant *grant = &slot->own[index];
        if (grant->state == SHARE_GRANT_MADE && grant->since_ns <= until_ns &&
            !is_claimed(slot, index)) {
            withdraw(slot, index);
            count++;
        }
    }
    return count;
}

dp_status share_slot_withdraw(share_slot *slot, const share_token *token)
{
    const share_grant *grant = &slot->own[token->grant];
    if (!share_slot_has(slot, token))
        return DP_ERR_NOT_FOUND;
    if (grant->state != SHARE_GRANT_MADE || is_claimed(slot, token->grant))
        return DP_ERR_BUSY;
    withdraw(slot, token->grant);
    return DP_OK;
}

uint64_t share_slot_judge(share_slot *slot)
{
    uint64_t ended = 0;
    for (uint32_t at = slot->active; at-- > 0;) {
        uint32_t index = slot->order[at];
        if (slot->own[index].state != SHARE_GRANT_CLOSING)
            continue;
        if (is_claimed(slot, index)) {
            slot->own[index].state = SHARE_GRANT_TAKEN;
        } else {
            grant_end(slot, index);
            ended++;
        }
    }
    return ended;
}

void share_slot_check(const share_slot *slot)
{
    if (slot->id == 0) {
        DP_ASSERT(slot->control == NULL && slot->own == NULL && slot->active == 0);
        return;
    }
    DP_ASSERT(slot->active <= slot->layout.grants && slot->layout.peer == slot->id);
    for (uint32_t at = 0; at < slot->layout.grants; at++) {
        /* Each index is somewhere, and no two are at one place: a permutation. */
        DP_ASSERT(slot->order[at] < slot->layout.grants);
        const share_grant *grant = &slot->own[slot->order[at]];
        DP_ASSERT(grant->position == at);
        DP_ASSERT((grant->state != SHARE_GRANT_FREE) == (at < slot->active));
        DP_ASSERT((grant->buf != NULL) == (at < slot->active));
    }
}
