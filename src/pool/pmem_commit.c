/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits to the pmem file, a batch at a time.
 *
 * Under the lock a batch claims its keys: each gets a node and a slot, and nobody finds it yet.
 * Without it, the heap's bytes are reserved (in DRAM only), written and flushed, neighbours in one
 * go; then one publish allocates them and sets their slots' bits.  The lock again, and they are
 * found.  So a batch of 32 costs what one object does in fences, log writes and locks.
 *
 * A crash before the publish leaves reservations, which only DRAM knew, and slots without a bit.
 */
#include "dp_features.h"

#if DP_HAVE_PMEM

#include <string.h>

#include <libpmemobj/atomic_base.h>

#include "pool/os.h"
#include "pool/pmem_state.h"

#define PMEM_BATCH_MAX 32u

/* From this size on, content is written past the CPU's cache where flushing lines is enough. */
#define PMEM_STREAM_BYTES 512u

/* What lies between two objects of a run: libpmemobj's header and the rest of a unit. */
#define PMEM_SPAN_GAP_MAX 256u

typedef struct batch {
    tier_item *items;
    size_t count;
    pmem_node *nodes[PMEM_BATCH_MAX]; /* NULL: the item has failed */
    pmem_slot slots[PMEM_BATCH_MAX]; /* what to sum up: reading the file's back would wait for it */
    pmem_entry *entries[PMEM_BATCH_MAX];
    struct pobj_action actions[PMEM_BATCH_MAX];
} batch;

/* --- claiming keys --- */

static dp_status key_claim(pmem_tier *self, const tier_item *item, pmem_slot *slot, pmem_node **out)
{
    if (pmem_index_find(&self->index, item->key->bytes) != NULL) {
        return DP_ERR_EXISTS;
    }
    if (item->size_bytes > PMEMOBJ_MAX_ALLOC_SIZE) {
        return DP_ERR_NOMEM;
    }
    pmem_node *node = pmem_index_node_get(&self->index);
    if (node == NULL) {
        return DP_ERR_NOMEM;
    }
    if (!pmem_dir_take(&self->dir, &node->place)) {
        pmem_index_node_put(&self->index, node);
        return DP_ERR_NOMEM;
    }
    *slot = (pmem_slot){.sequence = self->sequence_next++,
                        .size_bytes = item->size_bytes,
                        .meta_bytes = (uint16_t)item->meta_bytes,
                        .priority = (uint8_t)item->priority,
                        .kind = (uint8_t)item->kind};
    memcpy(slot->key, item->key->bytes, sizeof slot->key);
    *pmem_place_slot(&node->place) = *slot;
    node->claimed = true;
    pmem_index_add(&self->index, node);
    *out = node;
    return DP_OK;
}

static void keys_claim(pmem_tier *self, batch *work)
{
    os_lock(&self->lock);
    self->is_untouched = false;
    for (size_t i = 0; i < work->count; i++) {
        pmem_index_prefetch_place(&self->index, work->items[i].key->bytes);
    }
    for (size_t i = 0; i < work->count; i++) {
        pmem_index_prefetch_node(&self->index, work->items[i].key->bytes);
    }
    for (size_t i = 0; i < work->count; i++) {
        tier_item *item = &work->items[i];
        DP_ASSERT(item->meta_bytes <= DP_CACHE_META_BYTES_MAX);
        work->nodes[i] = NULL;
        item->status = key_claim(self, item, &work->slots[i], &work->nodes[i]);
    }
    os_unlock(&self->lock);
}

/* --- writing --- */

/* Flushed bytes that lie next to each other, so that they are flushed in one call. */
typedef struct span {
    PMEMobjpool *pop;
    uintptr_t start;
    uintptr_t end;
} span;

static void span_flush(span *at)
{
    if (at->start != at->end) {
        pmemobj_flush(at->pop, (const void *)at->start, at->end - at->start);
    }
    at->start = at->end = 0;
}

static void span_add(span *at, const void *bytes, size_t size_bytes)
{
    uintptr_t start = (uintptr_t)bytes;
    if (start < at->end || start - at->end > PMEM_SPAN_GAP_MAX) {
        span_flush(at);
        at->start = start;
    }
    at->end = start + size_bytes;
}

/* Writes one entry; its flush may be still to come. */
static void entry_write(pmem_tier *self, pmem_entry *entry, const pmem_slot *slot,
                        const tier_item *item, span *spans)
{
    entry->sequence = slot->sequence;
    entry->checksum = pmem_checksum(slot, item->meta, item->data);
    if (item->meta_bytes > 0) {
        memcpy(entry->bytes, item->meta, item->meta_bytes); /* may be NULL when there is none */
    }
    uint8_t *payload = entry->bytes + pmem_payload_offset(item->meta_bytes);
    if (self->is_pmem && item->size_bytes >= PMEM_STREAM_BYTES) {
        span_add(spans, entry, (size_t)(payload - (uint8_t *)entry));
        pmemobj_memcpy(self->pop, payload, item->data, item->size_bytes,
                       PMEMOBJ_F_MEM_NODRAIN | PMEMOBJ_F_MEM_NONTEMPORAL);
    } else {
        memcpy(payload, item->data, item->size_bytes);
        span_add(spans, entry, pmem_entry_bytes(item->meta_bytes, item->size_bytes));
    }
}

static void batch_write(pmem_tier *self, batch *work)
{
    span entries = {.pop = self->pop};
    span slots = {.pop = self->pop};
    for (size_t i = 0; i < work->count; i++) {
        if (work->nodes[i] == NULL) {
            continue;
        }
        const tier_item *item = &work->items[i];
        size_t bytes = pmem_entry_bytes(item->meta_bytes, item->size_bytes);
        PMEMoid oid = pmem_reserve(self, &work->actions[i], bytes, PMEM_ENTRY_TYPE,
                                   pmem_class_flags(self, bytes));
        work->entries[i] = NULL;
        if (OID_IS_NULL(oid)) {
            work->items[i].status = DP_ERR_NOMEM;
            continue;
        }
        pmem_slot *slot = &work->slots[i];
        slot->offset = oid.off;
        slot->check = pmem_slot_check(slot);
        work->entries[i] = pmemobj_direct(oid);
        entry_write(self, work->entries[i], slot, item, &entries);
        /* Others may read the key meanwhile, so only the rest is written. */
        pmem_slot *stored = pmem_place_slot(&work->nodes[i]->place);
        stored->offset = slot->offset;
        stored->check = slot->check;
        span_add(&slots, stored, sizeof *stored);
    }
    span_flush(&entries);
    span_flush(&slots);
    pmemobj_drain(self->pop);
}

/* Publishes items from..to in one go. */
static void batch_publish(pmem_tier *self, batch *work, pmem_change *change, size_t from, size_t to)
{
    if (change->action_count > 0 && !pmem_dir_publish(&self->dir, change)) {
        for (size_t i = from; i < to; i++) {
            if (work->nodes[i] != NULL && work->items[i].status == DP_OK) {
                work->items[i].status = DP_ERR_IO;
            }
        }
    }
    pmem_change_init(change);
}

static void batch_publish_all(pmem_tier *self, batch *work)
{
    pmem_change change;
    pmem_change_init(&change);
    size_t from = 0;
    for (size_t i = 0; i < work->count; i++) {
        if (work->nodes[i] == NULL || work->items[i].status != DP_OK) {
            continue;
        }
        if (!pmem_change_has_room(&change)) {
            batch_publish(self, work, &change, from, i);
            from = i;
        }
        change.actions[change.action_count++] = work->actions[i];
        pmem_change_live(&change, &work->nodes[i]->place, true);
    }
    batch_publish(self, work, &change, from, work->count);
}

/* Shows what was published, and takes the claims of the rest back. */
static void batch_end(pmem_tier *self, batch *work)
{
    os_lock(&self->lock);
    for (size_t i = 0; i < work->count; i++) {
        pmem_node *node = work->nodes[i];
        if (node == NULL) {
            continue;
        }
        if (work->items[i].status == DP_OK) {
            node->entry = work->entries[i];
            node->verified = true;
            self->totals.objects++;
            self->totals.bytes += work->items[i].size_bytes;
        } else {
            pmem_index_remove(&self->index, node);
            pmem_dir_give(&self->dir, &node->place);
            pmem_index_node_put(&self->index, node);
        }
    }
    os_unlock(&self->lock);
}

void pmem_commit(dp_tier *tier, tier_item *items, size_t count)
{
    pmem_tier *self = pmem_of(tier);
    batch work;
    for (size_t from = 0; from < count; from += work.count) {
        work.items = items + from;
        work.count = count - from < PMEM_BATCH_MAX ? count - from : PMEM_BATCH_MAX;
        keys_claim(self, &work);
        batch_write(self, &work);
        batch_publish_all(self, &work);
        batch_end(self, &work);
    }
}

#else
/* ISO C wants a declaration in every file. */
typedef int pmem_commit_left_out;
#endif
