/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pmem tier: keyed objects that survive the process, in a libpmemobj pool file.
 *
 * An object is a slot in the directory (key and facts) and an entry in libpmemobj's heap (meta data
 * and content); pmem_entry.h has the bytes.  One pmemobj_publish() allocates the entry and sets the
 * slot's bit, atomically, and one frees and clears them.  So kill -9 leaves a whole object or
 * nothing, and no bytes that nothing leads to.  Opening reads the directory (pmem_load.c).
 *
 * Held objects: find() holds an object in a count that only DRAM knows.  Removing a held one turns
 * its bit from live to doomed, and the last release frees it; after a crash in between, open()
 * frees the doomed.  Two live objects of one key (a crash between unlinking the old one in DRAM
 * and freeing it, with the key committed anew) are settled by sequence: the newer stays.
 *
 * The index in DRAM: one node an object, in a hash table by key and in a list by sequence.
 *   - every node in the table is live or committing and in the list; a condemned one is in neither
 *   - holds > 0 keeps the node and its bytes; bytes are never written after the publish
 * One mutex guards it.  Filling, flushing, publishing, verifying and freeing run outside of it: on
 * an ordinary file each of these is an msync of milliseconds.  Only the directory's growth by a
 * leaf, once in 960 objects, is under it.  Lock order: the tier's, then the directory's
 * `publishing`.
 */
#include "dp_features.h"

#include <stdio.h>

#include "pool/os.h"
#include "pool/tier.h"

#define PMEM_DETAIL_BYTES 96

#if DP_HAVE_PMEM

#include <libpmem.h>
#include <libpmemobj/action_base.h>
#include <libpmemobj/atomic_base.h>
#include <libpmemobj/ctl.h>
#include <libpmemobj/pool_base.h>

#include "pool/pmem_file.h"
#include "pool/pmem_state.h"

#define PMEM_REGION_BYTES    ((size_t)1 << 20)
#define PMEM_ALIGNMENT_BYTES 64u

/*
 * Entries are allocated in units, 1 to 64 of them each: of 256 B up to 16 KiB, of 4 KiB up to
 * 256 KiB.  One arena for all threads: they wait for the write, not for the allocator, and every
 * further arena would keep runs of its own half empty.
 */
#define PMEM_UNITS_MAX    64u
#define PMEM_HEADER_BYTES 16u /* libpmemobj's compact header */
static const size_t PMEM_UNIT_BYTES[PMEM_CLASS_COUNT] = {256, 4096};
static const unsigned PMEM_UNITS_PER_RUN[PMEM_CLASS_COUNT] = {1000, 255};

/* --- regions --- */

PMEMoid pmem_reserve(pmem_tier *self, struct pobj_action *action, size_t size_bytes, uint64_t type,
                     uint64_t flags)
{
    if (size_bytes > PMEMOBJ_MAX_ALLOC_SIZE) {
        return OID_NULL;
    }
    return pmemobj_xreserve(self->pop, action, size_bytes, type, flags);
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

uint64_t pmem_class_flags(const pmem_tier *self, size_t size_bytes)
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
        pmem_reserve(pmem_of(tier), action, size_bytes + PMEM_ALIGNMENT_BYTES, PMEM_REGION_TYPE, 0);
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

/* --- open and close --- */

static void pmem_close(dp_tier *tier)
{
    pmem_tier *self = pmem_of(tier);
    for (const pmem_node *node = self->index.oldest; node != NULL; node = node->newer) {
        DP_ASSERT(node->holds == 0); /* a buffer over this object is still out */
    }
    pmem_index_close(&self->index);
    pmem_dir_close(&self->dir);
    os_mutex_destroy(&self->lock);
    pmemobj_close(self->pop);
    os_free(self);
}

static const tier_ops PMEM_OPS = {
    .close = pmem_close,
    .region_get = pmem_region_get,
    .region_put = pmem_region_put,
    .store = &PMEM_STORE_OPS,
};

static void pmem_describe(pmem_tier *self)
{
    dp_tier_info *info = &self->tier.info;
    snprintf(info->detail, sizeof info->detail, "%s, %zu entries found",
             self->is_pmem ? "persistent-memory hardware"
                           : "file-backed, not persistent-memory hardware",
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
    size_t file_bytes = 0;
    dp_status status =
        pmem_file_open(args->pmem_path, args->pmem_size_bytes, detail, &self->pop, &file_bytes);
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
    self->is_pmem = pmem_is_pmem(self->pop, PMEM_FILE_BYTES_MIN) != 0;
    if (!define_classes(self)) {
        snprintf(detail, PMEM_DETAIL_BYTES, "libpmemobj refused the allocation classes");
        status = DP_ERR_NOMEM;
    }
    status = status == DP_OK ? pmem_load(self, file_bytes, detail) : status;
    if (status != DP_OK) {
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
