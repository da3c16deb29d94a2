/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store of the pmem tier does beside committing: find, hold, remove, walk, claim.
 *
 * The rules of held and condemned nodes are told in tier_pmem.c.  Bytes are verified and freed
 * outside the lock.
 */
#include "dp_features.h"

#if DP_HAVE_PMEM

#include <string.h>

#include "pool/os.h"
#include "pool/pmem_state.h"

/* --- removing --- */

/* A slot whose entry is unknown (damaged, at opening) only loses its bits. */
void pmem_node_free(pmem_tier *self, pmem_node *node)
{
    pmem_change change;
    pmem_change_init(&change);
    if (node->entry != NULL) {
        PMEMoid oid = {.pool_uuid_lo = self->dir.pool_id,
                       .off = pmem_place_slot(&node->place)->offset};
        pmemobj_defer_free(self->pop, oid, &change.actions[change.action_count++]);
    }
    pmem_change_live(&change, &node->place, false);
    pmem_change_doomed(&change, &node->place, false);
    /* A few actions fit a lane's own log, so there is nothing that could fail. */
    DP_ASSERT(pmem_dir_publish(&self->dir, &change));
    os_lock(&self->lock);
    pmem_dir_give(&self->dir, &node->place);
    pmem_index_node_put(&self->index, node);
    os_unlock(&self->lock);
}

/* Keeps the bytes of a removed node that is held, but for this run only. */
static void node_doom(pmem_tier *self, pmem_node *node)
{
    pmem_change change;
    pmem_change_init(&change);
    pmem_change_live(&change, &node->place, false);
    pmem_change_doomed(&change, &node->place, true);
    DP_ASSERT(pmem_dir_publish(&self->dir, &change));
}

/* Gives one hold back; the last one of a condemned node frees it. */
static void node_release(pmem_tier *self, pmem_node *node)
{
    os_lock(&self->lock);
    DP_ASSERT(node->holds > 0);
    node->holds--;
    bool last = node->condemned && node->holds == 0;
    os_unlock(&self->lock);
    if (last) {
        pmem_node_free(self, node);
    }
}

/* Under the lock: takes a node out of everything that leads to it. */
static void node_unlink(pmem_tier *self, pmem_node *node)
{
    const pmem_slot *slot = pmem_place_slot(&node->place);
    for (size_t i = 0; i < DP_PRIORITY_COUNT; i++) {
        if (self->cursor[i] == node) {
            self->cursor[i] = node->newer;
        }
    }
    if (!node->claimed) {
        self->unclaimed[slot->priority]--;
    }
    self->totals.objects--;
    self->totals.bytes -= slot->size_bytes;
    pmem_index_remove(&self->index, node);
    node->condemned = true;
}

static dp_status pmem_remove(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    pmem_node *node = pmem_index_find(&self->index, key->bytes);
    if (node == NULL || node->entry == NULL) {
        os_unlock(&self->lock);
        return DP_ERR_NOT_FOUND;
    }
    node_unlink(self, node);
    size_t removed_bytes = pmem_place_slot(&node->place)->size_bytes;
    bool held = node->holds > 0;
    node->holds++; /* ours, so that no release frees it meanwhile */
    os_unlock(&self->lock);
    if (held) {
        node_doom(self, node);
    }
    node_release(self, node);
    *size_bytes = removed_bytes;
    return DP_OK;
}

/* --- finding --- */

static tier_object node_object(const pmem_node *node)
{
    const pmem_slot *slot = pmem_place_slot(&node->place);
    tier_object object = {
        .data = pmem_payload(node->entry, slot->meta_bytes),
        .size_bytes = slot->size_bytes,
        .priority = (dp_priority)slot->priority,
        .kind = (dp_kind)slot->kind,
        .meta_bytes = slot->meta_bytes,
        .cookie = (uint64_t)(uintptr_t)node,
    };
    memcpy(object.meta, node->entry->bytes, slot->meta_bytes);
    return object;
}

static void pmem_release(dp_tier *tier, const tier_object *object)
{
    node_release(pmem_of(tier), (void *)(uintptr_t)object->cookie);
}

/*
 * The first find of an object after open reads all of it; the caller holds it, so the bytes stay.
 * A corrupt one stays in the index, to be found corrupt again, until it is removed.
 */
static dp_status node_verify(pmem_tier *self, pmem_node *node)
{
    const pmem_slot *slot = pmem_place_slot(&node->place);
    const pmem_entry *entry = node->entry;
    const uint8_t *payload = pmem_payload(entry, slot->meta_bytes);
    if (entry->sequence != slot->sequence ||
        pmem_checksum(slot, entry->bytes, payload) != entry->checksum) {
        node_release(self, node);
        return DP_ERR_CORRUPT;
    }
    os_lock(&self->lock);
    node->verified = true;
    os_unlock(&self->lock);
    return DP_OK;
}

static dp_status pmem_find(dp_tier *tier, const dp_cache_key *key, tier_object *out)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    pmem_node *node = pmem_index_find(&self->index, key->bytes);
    if (node == NULL || node->entry == NULL) {
        os_unlock(&self->lock);
        return DP_ERR_NOT_FOUND;
    }
    node->holds++;
    bool verified = node->verified;
    os_unlock(&self->lock);
    dp_status status = verified ? DP_OK : node_verify(self, node);
    if (status == DP_OK) {
        *out = node_object(node);
    }
    return status;
}

/* Holds the lock throughout: `visit` must not call the store. */
static void pmem_each(dp_tier *tier, tier_visit *visit, void *user)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    bool more = true;
    for (pmem_node *node = self->index.oldest; node != NULL && more; node = node->newer) {
        if (node->entry != NULL) {
            tier_object object = node_object(node);
            dp_cache_key key;
            memcpy(key.bytes, pmem_place_slot(&node->place)->key, sizeof key.bytes);
            more = visit(user, &key, &object);
        }
    }
    os_unlock(&self->lock);
}

static void pmem_totals(dp_tier *tier, tier_store_totals *out)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    *out = self->totals;
    os_unlock(&self->lock);
}

/* --- claims --- */

static void pmem_unclaim(dp_tier *tier)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    if (!self->is_untouched) {
        memset(self->unclaimed, 0, sizeof self->unclaimed);
        for (pmem_node *node = self->index.oldest; node != NULL; node = node->newer) {
            node->claimed = node->entry == NULL;
            self->unclaimed[pmem_place_slot(&node->place)->priority] += !node->claimed;
        }
        for (size_t i = 0; i < DP_PRIORITY_COUNT; i++) {
            self->cursor[i] = self->index.oldest;
        }
        self->is_untouched = true;
    }
    os_unlock(&self->lock);
}

static void node_claim(pmem_tier *self, pmem_node *node, tier_claim *out)
{
    const pmem_slot *slot = pmem_place_slot(&node->place);
    node->claimed = true;
    self->unclaimed[slot->priority]--;
    self->is_untouched = false;
    memcpy(out->key.bytes, slot->key, sizeof out->key.bytes);
    out->size_bytes = slot->size_bytes;
    out->priority = (dp_priority)slot->priority;
    out->kind = (dp_kind)slot->kind;
}

static bool pmem_claim(dp_tier *tier, const dp_cache_key *key, tier_claim *out)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    pmem_node *node = pmem_index_find(&self->index, key->bytes);
    bool is_free = node != NULL && !node->claimed;
    if (is_free) {
        node_claim(self, node, out);
    }
    os_unlock(&self->lock);
    return is_free;
}

/* The cursor only goes forward, so all claims together walk the list once. */
static bool pmem_claim_oldest(dp_tier *tier, dp_priority priority, tier_claim *out)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    bool is_one = self->unclaimed[priority] > 0;
    if (is_one) {
        pmem_node *node = self->cursor[priority];
        while (node->claimed || pmem_place_slot(&node->place)->priority != priority) {
            node = node->newer;
        }
        self->cursor[priority] = node->newer;
        node_claim(self, node, out);
    }
    os_unlock(&self->lock);
    return is_one;
}

const tier_store_ops PMEM_STORE_OPS = {
    .commit = pmem_commit,
    .find = pmem_find,
    .release = pmem_release,
    .remove = pmem_remove,
    .each = pmem_each,
    .totals = pmem_totals,
    .unclaim = pmem_unclaim,
    .claim = pmem_claim,
    .claim_oldest = pmem_claim_oldest,
};

#else
/* ISO C wants a declaration in every file. */
typedef int pmem_store_left_out;
#endif
