/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the directory in the file to the index in DRAM: what opening costs.
 *
 * Only slots are read, 64 bytes an object in long stretches; no entry is touched.  A slot whose
 * check is wrong is dropped; then the bytes that it led to are found by a walk through the heap,
 * which is not needed otherwise, and freed.  One thread, before anybody else knows the tier.
 */
#include "dp_features.h"

#if DP_HAVE_PMEM

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpmemobj/atomic_base.h>
#include <libpmemobj/iterator_base.h>

#include "pool/os.h"
#include "pool/pmem_state.h"

#define LOAD_AHEAD 12u /* nodes between asking for memory and using it */

typedef struct found {
    uint64_t order; /* what to sort by: the sequence, later the offset */
    pmem_node *node;
} found;

/*
 * The nodes of all slots lie in one array, in the order of the directory.  A file that was only
 * ever added to has them oldest first, and none to clear; for any other file there is a second
 * array, which live nodes fill from the front and those whose slot is to be cleared from the back.
 */
typedef struct load_state {
    pmem_tier *self;
    pmem_node *nodes;
    found *at; /* NULL: the nodes are in order as they are */
    size_t room;
    size_t loaded;
    size_t live_count;
    size_t clear_count;
    uint64_t sequence; /* of the one before */
    bool in_order;
} load_state;

static void slot_load(load_state *state, const pmem_place *place, bool is_live)
{
    pmem_tier *self = state->self;
    const pmem_slot *slot = pmem_place_slot(place);
    pmem_node *node = pmem_index_node_get(&self->index);
    DP_ASSERT(node == &state->nodes[state->loaded]); /* the index was opened with room for all */
    state->loaded++;
    node->place = *place;
    if (pmem_slot_is_sound(slot, self->dir.file_bytes)) {
        PMEMoid oid = {.pool_uuid_lo = self->dir.pool_id, .off = slot->offset};
        node->entry = pmemobj_direct(oid);
    }
    node->condemned = !is_live;
    state->in_order =
        state->in_order && is_live && node->entry != NULL && slot->sequence >= state->sequence;
    state->sequence = slot->sequence;
}

static void slots_load(load_state *state)
{
    for (pmem_page *page = state->self->dir.first; page != NULL; page = page->next) {
        for (uint32_t word = 0; word < PMEM_DIR_WORDS; word++) {
            uint64_t live = page->leaf->live[word];
            for (uint64_t left = page->taken[word]; left != 0; left &= left - 1) {
                uint32_t bit = (uint32_t)__builtin_ctzll(left);
                pmem_place place = {.page = page, .slot = word * 64 + bit};
                slot_load(state, &place, (live >> bit & 1) != 0);
            }
        }
    }
}

static void found_fill(load_state *state)
{
    for (size_t i = 0; i < state->loaded; i++) {
        pmem_node *node = &state->nodes[i];
        bool keep = !node->condemned && node->entry != NULL;
        size_t to = keep ? state->live_count++ : state->room - ++state->clear_count;
        node->condemned = false;
        state->at[to] = (found){.order = pmem_place_slot(&node->place)->sequence, .node = node};
    }
}

/* Frees what was removed while held, and drops damaged slots; true when there was such a one. */
static bool slots_clear(load_state *state)
{
    pmem_tier *self = state->self;
    bool damaged = false;
    for (size_t i = state->room - state->clear_count; i < state->room; i++) {
        pmem_node *node = state->at[i].node;
        damaged |= node->entry == NULL;
        pmem_node_free(self, node);
    }
    return damaged;
}

/*
 * Least significant byte first, a pass for each byte that differs at all (H. H. Seward, 1954).
 * What was only ever added to is in order already.
 */
static bool found_sort(found *at, size_t count)
{
    uint64_t differ = 0;
    bool sorted = true;
    for (size_t i = 1; i < count; i++) {
        differ |= at[i].order ^ at[0].order;
        sorted &= at[i - 1].order <= at[i].order;
    }
    if (sorted) {
        return true;
    }
    found *other = os_calloc(count, sizeof *other);
    if (other == NULL) {
        return false;
    }
    found *from = at;
    found *to = other;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t ends[256] = {0};
        if ((differ >> shift & 255) == 0) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            ends[from[i].order >> shift & 255]++;
        }
        for (size_t digit = 0, sum = 0; digit < 256; digit++) {
            size_t here = ends[digit];
            ends[digit] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++) {
            to[ends[from[i].order >> shift & 255]++] = from[i];
        }
        found *swap = from;
        from = to;
        to = swap;
    }
    if (from != at) {
        memcpy(at, from, count * sizeof *at);
    }
    os_free(other);
    return true;
}

static pmem_node *live_node(const load_state *state, size_t i)
{
    return state->at == NULL ? &state->nodes[i] : state->at[i].node;
}

static const uint8_t *live_key(const load_state *state, size_t i)
{
    return pmem_place_slot(&live_node(state, i)->place)->key;
}

/* Oldest first; of two objects of one key the older is freed. */
static void nodes_add(load_state *state)
{
    pmem_tier *self = state->self;
    for (size_t i = 0; i < state->live_count; i++) {
        if (i + 2 * LOAD_AHEAD < state->live_count) {
            pmem_index_prefetch_place(&self->index, live_key(state, i + 2 * LOAD_AHEAD));
            pmem_index_prefetch_node(&self->index, live_key(state, i + LOAD_AHEAD));
        }
        pmem_node *node = live_node(state, i);
        const pmem_slot *slot = pmem_place_slot(&node->place);
        pmem_node *twin = pmem_index_find(&self->index, slot->key);
        if (twin != NULL) {
            const pmem_slot *old = pmem_place_slot(&twin->place);
            self->totals.objects--;
            self->totals.bytes -= old->size_bytes;
            self->unclaimed[old->priority]--;
            pmem_index_remove(&self->index, twin);
            pmem_node_free(self, twin);
        }
        pmem_index_add(&self->index, node);
        self->totals.objects++;
        self->totals.bytes += slot->size_bytes;
        self->unclaimed[slot->priority]++;
        self->sequence_next = slot->sequence + 1;
    }
    for (size_t i = 0; i < DP_PRIORITY_COUNT; i++) {
        self->cursor[i] = self->index.oldest;
    }
    self->is_untouched = true;
}

static int found_compare(const void *a, const void *b)
{
    uint64_t left = ((const found *)a)->order;
    uint64_t right = ((const found *)b)->order;
    return left < right ? -1 : left > right;
}

/* Frees each entry that no slot leads to. */
static void heap_sweep(pmem_tier *self, found *at, size_t room)
{
    size_t count = 0;
    for (pmem_node *node = self->index.oldest; node != NULL; node = node->newer) {
        DP_ASSERT(count < room);
        at[count++] = (found){.order = pmem_place_slot(&node->place)->offset};
    }
    qsort(at, count, sizeof *at, found_compare);
    PMEMoid next;
    for (PMEMoid oid = pmemobj_first(self->pop); !OID_IS_NULL(oid); oid = next) {
        next = pmemobj_next(oid);
        found key = {.order = oid.off};
        if (pmemobj_type_num(oid) == PMEM_ENTRY_TYPE &&
            (count == 0 || bsearch(&key, at, count, sizeof *at, found_compare) == NULL)) {
            pmemobj_free(&oid);
        }
    }
}

/* The nodes of a file that is not in order. */
static dp_status disordered_add(load_state *state)
{
    state->at = os_calloc(state->room, sizeof *state->at);
    if (state->at == NULL) {
        return DP_ERR_NOMEM;
    }
    os_pages_prefer_huge(state->at, state->room * sizeof *state->at);
    found_fill(state);
    dp_status status = DP_ERR_NOMEM;
    if (found_sort(state->at, state->live_count)) {
        status = DP_OK;
        bool damaged = slots_clear(state);
        nodes_add(state);
        if (damaged) {
            heap_sweep(state->self, state->at, state->room);
        }
    }
    os_free(state->at);
    return status;
}

static dp_status index_load(pmem_tier *self)
{
    load_state state = {.self = self, .room = pmem_dir_count(&self->dir), .in_order = true};
    if (!pmem_index_open(&self->index, state.room)) {
        return DP_ERR_NOMEM;
    }
    if (state.room == 0) {
        self->is_untouched = true;
        return DP_OK;
    }
    state.nodes = self->index.fresh;
    slots_load(&state);
    if (!state.in_order) {
        return disordered_add(&state);
    }
    state.live_count = state.loaded;
    nodes_add(&state);
    return DP_OK;
}

dp_status pmem_load(pmem_tier *self, size_t file_bytes, char detail[96])
{
    dp_status status =
        pmem_dir_open(&self->dir, self->pop, file_bytes, pmem_class_flags(self, sizeof(pmem_leaf)));
    if (status == DP_OK) {
        status = index_load(self);
    }
    switch (status) {
    case DP_OK:
        break;
    case DP_ERR_CORRUPT:
        snprintf(detail, 96, "pmem file's directory is damaged; left untouched");
        break;
    case DP_ERR_IO:
        snprintf(detail, 96, "pmem file has no room for its directory");
        break;
    default:
        snprintf(detail, 96, "no memory for the index of the pmem file");
        break;
    }
    return status;
}

#else
/* ISO C wants a declaration in every file. */
typedef int pmem_load_left_out;
#endif
