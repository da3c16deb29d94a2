/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pmem tier: keyed objects that survive the process, in a libpmemobj pool file.
 *
 * The heap is the list.  An entry is one object of type ENTRY_TYPE; pmemobj_reserve() makes it in
 * volatile state, the bytes are filled in and persisted, and pmemobj_publish() sets the heap's own
 * bit for it, atomically.  So kill -9 leaves the whole entry or nothing, and since no pointer leads
 * to an entry there is none that could dangle or be lost: opening walks the heap.  Removal is one
 * atomic pmemobj_free().
 *
 * Held entries: find() holds an entry in a count that only DRAM knows.  Removing a held entry first
 * persists `state = CONDEMNED` and the last release frees it; after a crash in between, open()
 * frees the condemned.  Two live entries of one key (a crash between unlinking the old one in DRAM
 * and freeing it, with the key committed anew) are settled by sequence: the newer stays.
 *
 * The index in DRAM: one node an entry, in a hash table by key and in a list by sequence.
 *   - every node in the table is LIVE or COMMITTING and in the list; a condemned one is in neither
 *   - holds > 0 keeps the node and its bytes; bytes are never written after the publish
 * One mutex guards it.  Filling, persisting, publishing, verifying and freeing run outside of it:
 * on an ordinary file each of these is an msync of milliseconds.  libpmemobj has locks of its own.
 *
 * The checksum is Fletcher's (J. G. Fletcher, "An Arithmetic Checksum for Serial Transmissions",
 * 1982) over 32-bit words, the one that libpmemobj protects its own metadata with: it has to find
 * torn and rotten pages, not an attacker, and costs no further library.
 */
#include "dp_features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/os.h"
#include "pool/tier.h"

#define PMEM_DETAIL_BYTES 96

#if DP_HAVE_PMEM

#include <pthread.h>

#include <libpmem.h>
#include <libpmemobj/action_base.h>
#include <libpmemobj/atomic_base.h>
#include <libpmemobj/ctl.h>
#include <libpmemobj/iterator_base.h>
#include <libpmemobj/pool_base.h>

#include "pool/pmem_file.h"
#include "pool/pmem_index.h"

#define PMEM_REGION_BYTES    ((size_t)1 << 20)
#define PMEM_ALIGNMENT_BYTES 64u

/*
 * Entries are allocated in units, 1 to 64 of them each: of 256 B up to 16 KiB, of 4 KiB up to
 * 256 KiB.  One arena for all threads: they wait for the write, not for the allocator, and every
 * further arena would keep runs of its own half empty.
 */
#define PMEM_CLASS_COUNT  2u
#define PMEM_UNITS_MAX    64u
#define PMEM_HEADER_BYTES 16u /* libpmemobj's compact header */
static const size_t PMEM_UNIT_BYTES[PMEM_CLASS_COUNT] = {256, 4096};
static const unsigned PMEM_UNITS_PER_RUN[PMEM_CLASS_COUNT] = {1000, 255};

#define ENTRY_TYPE  UINT64_C(0x64616e01) /* an entry; anything else in the heap is not ours */
#define REGION_TYPE UINT64_C(0x64616e02) /* only ever reserved, so never seen by a walk */

/* Never reached by counting, so that a rotten number cannot make the next one wrap. */
#define ENTRY_SEQUENCE_MAX (UINT64_MAX / 2)

enum entry_state { ENTRY_LIVE = 1, ENTRY_CONDEMNED = 2 };

/* In the file, in the machine's own byte order (libpmemobj refuses a file of another machine). */
typedef struct pmem_entry {
    uint64_t state; /* the only field that changes after the publish; not in the checksum */
    uint64_t checksum;
    uint64_t sequence; /* the checksum covers everything from here to the end of the payload */
    uint64_t size_bytes;
    uint32_t priority;
    uint32_t kind;
    uint32_t meta_bytes;
    uint32_t reserved;
    uint8_t key[DP_CACHE_KEY_BYTES];
    uint8_t meta[DP_CACHE_META_BYTES_MAX];
    uint8_t payload[];
} pmem_entry;

typedef struct pmem_tier {
    dp_tier tier;
    PMEMobjpool *pop;
    uint64_t class_flags[PMEM_CLASS_COUNT];
    pthread_mutex_t lock; /* guards everything below, and the nodes' mutable fields */
    pmem_index index;
    uint64_t sequence_next;
} pmem_tier;

static pmem_tier *pmem_of(dp_tier *tier)
{
    return (pmem_tier *)tier;
}

/* --- checksum --- */

typedef struct fletcher {
    uint32_t low;
    uint32_t high;
} fletcher;

static void fletcher_add(fletcher *sum, const void *bytes, size_t size_bytes)
{
    const uint8_t *at = bytes;
    uint32_t low = sum->low;
    uint32_t high = sum->high;
    uint32_t word;
    for (; size_bytes >= sizeof word; at += sizeof word, size_bytes -= sizeof word) {
        memcpy(&word, at, sizeof word);
        low += word;
        high += low;
    }
    if (size_bytes > 0) {
        word = 0; /* the last word is padded with zeros; the size is summed before it */
        memcpy(&word, at, size_bytes);
        low += word;
        high += low;
    }
    *sum = (fletcher){.low = low, .high = high};
}

static uint64_t entry_checksum(const pmem_entry *entry)
{
    fletcher sum = {0};
    size_t header_bytes = offsetof(pmem_entry, payload) - offsetof(pmem_entry, sequence);
    fletcher_add(&sum, &entry->sequence, header_bytes);
    fletcher_add(&sum, entry->payload, entry->size_bytes);
    return (uint64_t)sum.high << 32 | sum.low;
}

/* --- nodes --- */

/* Frees the bytes and the node; nobody else may know it any more.  Outside the lock. */
static void node_free(pmem_node *node)
{
    pmemobj_free(&node->oid);
    os_free(node);
}

/* Gives one hold back, under the lock; true when the caller must node_free() it after unlocking. */
static bool node_unhold(pmem_node *node)
{
    DP_ASSERT(node->holds > 0);
    node->holds--;
    return node->condemned && node->holds == 0;
}

/* --- regions --- */

/* A reservation with the bound that libpmemobj does not check here: sizes past it wrap round. */
static PMEMoid reserve(PMEMobjpool *pop, struct pobj_action *action, size_t size_bytes,
                       uint64_t type, uint64_t flags)
{
    if (size_bytes > PMEMOBJ_MAX_ALLOC_SIZE) {
        return OID_NULL;
    }
    return pmemobj_xreserve(pop, action, size_bytes, type, flags);
}

/*
 * Defines the classes that entries are allocated from; they are settings of the run-time heap, not
 * of the file.  libpmemobj's own have some forty sizes up to 128 KiB, and each takes a run of up
 * to a mebibyte with its first object, which fills a small file with a handful of images.
 */
static bool define_classes(pmem_tier *self)
{
    for (size_t i = 0; i < PMEM_CLASS_COUNT; i++) {
        struct pobj_alloc_class_desc class = {.unit_size = PMEM_UNIT_BYTES[i],
                                              .units_per_block = PMEM_UNITS_PER_RUN[i],
                                              .header_type = POBJ_HEADER_COMPACT};
        if (pmemobj_ctl_set(self->pop, "heap.alloc_class.new.desc", &class) != 0) {
            return false;
        }
        self->class_flags[i] = POBJ_CLASS_ID(class.class_id) | POBJ_ARENA_ID(1);
    }
    return true;
}

/* The flags that put an object of that size into the smallest class that holds it. */
static uint64_t class_flags(const pmem_tier *self, size_t size_bytes)
{
    for (size_t i = 0; i < PMEM_CLASS_COUNT; i++) {
        if (size_bytes <= PMEM_UNIT_BYTES[i] * PMEM_UNITS_MAX - PMEM_HEADER_BYTES) {
            return self->class_flags[i];
        }
    }
    return 0; /* whole chunks of 256 KiB */
}

/* A region is a reservation for good: never published, so a crash leaves nothing to free. */
static dp_status pmem_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    struct pobj_action *action = os_calloc(1, sizeof *action);
    if (action == NULL || size_bytes > SIZE_MAX - PMEM_ALIGNMENT_BYTES) {
        os_free(action);
        return DP_ERR_NOMEM;
    }
    PMEMoid oid =
        reserve(pmem_of(tier)->pop, action, size_bytes + PMEM_ALIGNMENT_BYTES, REGION_TYPE, 0);
    if (OID_IS_NULL(oid)) {
        os_free(action);
        return DP_ERR_NOMEM;
    }
    /* libpmemobj aligns its own header, which leaves the bytes behind it 16 past a cache line. */
    uintptr_t start = (uintptr_t)pmemobj_direct(oid);
    uintptr_t aligned = (start + PMEM_ALIGNMENT_BYTES - 1) & ~(uintptr_t)(PMEM_ALIGNMENT_BYTES - 1);
    *out = (tier_region){
        .host = (void *)aligned, .size_bytes = size_bytes, .cookie = (uint64_t)(uintptr_t)action};
    return DP_OK;
}

static void pmem_region_put(dp_tier *tier, const tier_region *region)
{
    struct pobj_action *action = (void *)(uintptr_t)region->cookie;
    pmemobj_cancel(pmem_of(tier)->pop, action, 1);
    os_free(action);
}

/* --- store --- */

static void entry_fill(pmem_entry *entry, const pmem_node *node, const tier_object *object)
{
    memset(entry, 0, sizeof *entry);
    entry->state = ENTRY_LIVE;
    entry->sequence = node->sequence;
    entry->size_bytes = object->size_bytes;
    entry->priority = (uint32_t)object->priority;
    entry->kind = (uint32_t)object->kind;
    entry->meta_bytes = (uint32_t)object->meta_bytes;
    memcpy(entry->key, node->key.bytes, sizeof entry->key);
    memcpy(entry->meta, object->meta, object->meta_bytes);
    memcpy(entry->payload, object->data, object->size_bytes);
    entry->checksum = entry_checksum(entry);
}

/* The persistent half of a commit; nothing remains of it unless it returns DP_OK. */
static dp_status entry_publish(pmem_tier *self, pmem_node *node, const tier_object *object)
{
    struct pobj_action action;
    if (object->size_bytes > SIZE_MAX - sizeof(pmem_entry)) {
        return DP_ERR_NOMEM;
    }
    size_t size_bytes = sizeof(pmem_entry) + object->size_bytes;
    PMEMoid oid =
        reserve(self->pop, &action, size_bytes, ENTRY_TYPE, class_flags(self, size_bytes));
    if (OID_IS_NULL(oid)) {
        return DP_ERR_NOMEM;
    }
    pmem_entry *entry = pmemobj_direct(oid);
    DP_ASSERT(entry != NULL);
    entry_fill(entry, node, object);
    pmemobj_persist(self->pop, entry, size_bytes);
    if (pmemobj_publish(self->pop, &action, 1) != 0) {
        pmemobj_cancel(self->pop, &action, 1);
        return DP_ERR_IO;
    }
    node->oid = oid;
    node->entry = entry;
    return DP_OK;
}

static dp_status pmem_commit(dp_tier *tier, const dp_cache_key *key, const tier_object *object)
{
    pmem_tier *self = pmem_of(tier);
    DP_ASSERT(object->meta_bytes <= DP_CACHE_META_BYTES_MAX);
    pmem_node *node = os_calloc(1, sizeof *node);
    if (node == NULL) {
        return DP_ERR_NOMEM;
    }
    node->key = *key;
    os_lock(&self->lock);
    if (pmem_index_find(&self->index, key) != NULL) {
        os_unlock(&self->lock);
        os_free(node);
        return DP_ERR_EXISTS;
    }
    node->sequence = self->sequence_next++;
    /* Claims the key; nobody finds it until `entry` is set. */
    pmem_index_add(&self->index, node);
    /* What the publish fills in is a copy: the node itself changes under the lock only. */
    pmem_node made = *node;
    os_unlock(&self->lock);

    dp_status status = entry_publish(self, &made, object);

    os_lock(&self->lock);
    if (status == DP_OK) {
        node->oid = made.oid;
        node->entry = made.entry;
        node->verified = true;
    } else {
        pmem_index_remove(&self->index, node);
    }
    os_unlock(&self->lock);
    if (status != DP_OK) {
        os_free(node);
    }
    return status;
}

static tier_object node_object(const pmem_node *node)
{
    const pmem_entry *entry = node->entry;
    tier_object object = {
        .data = entry->payload,
        .size_bytes = entry->size_bytes,
        .priority = (dp_priority)entry->priority,
        .kind = (dp_kind)entry->kind,
        .meta_bytes = entry->meta_bytes,
        .cookie = (uint64_t)(uintptr_t)node,
    };
    memcpy(object.meta, entry->meta, entry->meta_bytes);
    return object;
}

static void pmem_release(dp_tier *tier, const tier_object *object)
{
    pmem_tier *self = pmem_of(tier);
    pmem_node *node = (void *)(uintptr_t)object->cookie;
    os_lock(&self->lock);
    bool last = node_unhold(node);
    os_unlock(&self->lock);
    if (last) {
        node_free(node);
    }
}

/*
 * The first find of an entry after open reads all of it; the caller holds it, so the bytes stay.
 * A corrupt one stays in the index, to be found corrupt again, until it is removed.
 */
static dp_status node_verify(pmem_tier *self, pmem_node *node)
{
    if (entry_checksum(node->entry) != node->entry->checksum) {
        tier_object mine = {.cookie = (uint64_t)(uintptr_t)node};
        pmem_release(&self->tier, &mine);
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
    pmem_node *node = pmem_index_find(&self->index, key);
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

static dp_status pmem_remove(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    pmem_node *node = pmem_index_find(&self->index, key);
    if (node == NULL || node->entry == NULL) {
        os_unlock(&self->lock);
        return DP_ERR_NOT_FOUND;
    }
    pmem_index_remove(&self->index, node);
    node->condemned = true;
    bool held = node->holds > 0;
    node->holds++; /* ours, so that no release frees it under the persist below */
    os_unlock(&self->lock);
    if (held) {
        node->entry->state = ENTRY_CONDEMNED;
        pmemobj_persist(self->pop, &node->entry->state, sizeof node->entry->state);
    }
    *size_bytes = node->entry->size_bytes;
    tier_object mine = {.cookie = (uint64_t)(uintptr_t)node};
    pmem_release(tier, &mine);
    return DP_OK;
}

/* Holds the lock throughout: `visit` must not call the store. */
static void pmem_each(dp_tier *tier,
                      bool (*visit)(void *user, const dp_cache_key *key, const tier_object *object),
                      void *user)
{
    pmem_tier *self = pmem_of(tier);
    os_lock(&self->lock);
    bool more = true;
    for (pmem_node *node = self->index.oldest; node != NULL && more; node = node->newer) {
        if (node->entry != NULL) {
            tier_object object = node_object(node);
            more = visit(user, &node->key, &object);
        }
    }
    os_unlock(&self->lock);
}

/* --- open and close --- */

static void pmem_close(dp_tier *tier)
{
    pmem_tier *self = pmem_of(tier);
    for (pmem_node *node = self->index.oldest; node != NULL;) {
        pmem_node *next = node->newer;
        DP_ASSERT(node->holds == 0); /* a buffer over this entry is still out */
        os_free(node);
        node = next;
    }
    pmem_index_close(&self->index);
    os_mutex_destroy(&self->lock);
    pmemobj_close(self->pop);
    os_free(self);
}

static const tier_store_ops PMEM_STORE_OPS = {
    .commit = pmem_commit,
    .find = pmem_find,
    .release = pmem_release,
    .remove = pmem_remove,
    .each = pmem_each,
};

static const tier_ops PMEM_OPS = {
    .close = pmem_close,
    .region_get = pmem_region_get,
    .region_put = pmem_region_put,
    .store = &PMEM_STORE_OPS,
};

/* Are the fields that the walk relies on possible?  The checksum is left to the first find. */
static bool entry_plausible(PMEMoid oid, const pmem_entry *entry)
{
    size_t usable = pmemobj_alloc_usable_size(oid);
    return usable >= sizeof *entry && entry->state == ENTRY_LIVE &&
           entry->size_bytes <= usable - sizeof *entry &&
           entry->meta_bytes <= DP_CACHE_META_BYTES_MAX && entry->priority < DP_PRIORITY_COUNT &&
           entry->kind < DP_KIND_COUNT && entry->sequence < ENTRY_SEQUENCE_MAX;
}

static int node_compare(const void *a, const void *b)
{
    uint64_t left = (*(pmem_node *const *)a)->sequence;
    uint64_t right = (*(pmem_node *const *)b)->sequence;
    return left < right ? -1 : left > right;
}

typedef struct node_array {
    pmem_node **at;
    size_t count;
    size_t room;
} node_array;

static bool array_add(node_array *array, PMEMoid oid)
{
    if (array->count == array->room) {
        size_t room = array->room == 0 ? 256 : array->room * 2;
        pmem_node **at = os_calloc(room, sizeof *at);
        if (at == NULL) {
            return false;
        }
        if (array->count > 0) {
            memcpy(at, array->at, array->count * sizeof *at);
        }
        os_free(array->at);
        array->at = at;
        array->room = room;
    }
    pmem_node *node = os_calloc(1, sizeof *node);
    if (node == NULL) {
        return false;
    }
    node->oid = oid;
    node->entry = pmemobj_direct(oid);
    node->sequence = node->entry->sequence;
    memcpy(node->key.bytes, node->entry->key, sizeof node->key.bytes);
    array->at[array->count++] = node;
    return true;
}

/* Walks the heap: collects the live entries, frees the condemned and the impossible ones. */
static bool collect(pmem_tier *self, node_array *array)
{
    PMEMoid next;
    for (PMEMoid oid = pmemobj_first(self->pop); !OID_IS_NULL(oid); oid = next) {
        next = pmemobj_next(oid);
        if (pmemobj_type_num(oid) != ENTRY_TYPE) {
            continue;
        }
        if (!entry_plausible(oid, pmemobj_direct(oid))) {
            pmemobj_free(&oid);
        } else if (!array_add(array, oid)) {
            return false;
        }
    }
    return true;
}

/* Builds the index, oldest first; of two entries of one key the older is freed. */
static dp_status rebuild(pmem_tier *self)
{
    node_array array = {0};
    if (!pmem_index_open(&self->index) || !collect(self, &array)) {
        for (size_t i = 0; i < array.count; i++) {
            os_free(array.at[i]);
        }
        os_free(array.at);
        return DP_ERR_NOMEM;
    }
    if (array.count > 0) {
        qsort(array.at, array.count, sizeof *array.at, node_compare);
    }
    for (size_t i = 0; i < array.count; i++) {
        pmem_node *twin = pmem_index_find(&self->index, &array.at[i]->key);
        if (twin != NULL) {
            pmem_index_remove(&self->index, twin);
            node_free(twin);
        }
        pmem_index_add(&self->index, array.at[i]);
        self->sequence_next = array.at[i]->sequence + 1;
    }
    os_free(array.at);
    return DP_OK;
}

static void pmem_describe(pmem_tier *self)
{
    dp_tier_info *info = &self->tier.info;
    bool real = pmem_is_pmem(self->pop, PMEM_FILE_BYTES_MIN) != 0;
    snprintf(info->detail, sizeof info->detail, "%s, %zu entries found",
             real ? "persistent-memory hardware" : "file-backed, not persistent-memory hardware",
             self->index.count);
}

dp_status tier_pmem_open(const tier_open_args *args, char detail[96], dp_tier **out)
{
    if (args->pmem_path == NULL || args->pmem_path[0] == '\0') {
        snprintf(detail, PMEM_DETAIL_BYTES, "no pmem_path configured");
        return DP_ERR_UNSUPPORTED;
    }
    pmem_tier *self = os_calloc(1, sizeof *self);
    if (self == NULL) {
        snprintf(detail, PMEM_DETAIL_BYTES, "no memory for the tier's own state");
        return DP_ERR_NOMEM;
    }
    dp_status status = pmem_file_open(args->pmem_path, args->pmem_size_bytes, detail, &self->pop);
    if (status != DP_OK) {
        os_free(self);
        return status;
    }
    os_mutex_init(&self->lock);
    self->tier = (dp_tier){
        .ops = &PMEM_OPS,
        .info = {.id = DP_TIER_PMEM,
                 .name = dp_tier_name(DP_TIER_PMEM),
                 .state = DP_OK,
                 .alignment_bytes = PMEM_ALIGNMENT_BYTES,
                 .host_visible = true,
                 .persistent = true},
        .region_bytes_default = PMEM_REGION_BYTES,
    };
    status = define_classes(self) ? rebuild(self) : DP_ERR_NOMEM;
    if (status != DP_OK) {
        snprintf(detail, PMEM_DETAIL_BYTES, "no memory for the index of the pmem file");
        pmem_close(&self->tier);
        return status;
    }
    pmem_describe(self);
    *out = &self->tier;
    return DP_OK;
}

#else

dp_status tier_pmem_open(const tier_open_args *args, char detail[96], dp_tier **out)
{
    (void)args;
    (void)out;
    snprintf(detail, PMEM_DETAIL_BYTES, "built without libpmemobj");
    return DP_ERR_UNSUPPORTED;
}

#endif
