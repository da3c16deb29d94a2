/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: the directory of the pmem file: which slots are in use, and how that changes.
 *
 * In the file the directory is a chain of leaves that starts at the root object, each with 960
 * slots and two bitmaps: `live` (an object of the store) and `doomed` (removed while held; its
 * bytes are to be freed).  A slot without a bit means nothing, whatever stands in it.  Bits change
 * in the same pmemobj_publish() that allocates or frees the heap's bytes, so after a crash the two
 * always agree.
 *
 * In DRAM there is a page for each leaf with a third bitmap, `taken`: slots that are live, doomed,
 * or promised to a commit under way.  invariant: free_count = slots of all pages - taken slots
 *
 * The tier's lock guards the pages; `publishing` guards the bitmaps in the file and is taken last.
 * A leaf without a taken slot goes back to the heap while half a leaf of free slots remains
 * elsewhere.
 */
#ifndef DP_POOL_PMEM_DIR_H
#define DP_POOL_PMEM_DIR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <libpmemobj/action_base.h>

#include <danpool/status.h>

#include "pool/pmem_entry.h"

#define PMEM_DIR_WORDS 15u
#define PMEM_DIR_SLOTS (PMEM_DIR_WORDS * 64u)

typedef struct pmem_root {
    uint64_t first; /* offset of the first leaf, 0: none yet */
} pmem_root;

typedef struct pmem_leaf {
    uint64_t magic;
    uint64_t next; /* offset of the next leaf, 0 behind the last */
    uint64_t live[PMEM_DIR_WORDS];
    uint64_t doomed[PMEM_DIR_WORDS];
    pmem_slot slots[PMEM_DIR_SLOTS];
} pmem_leaf;

typedef struct pmem_page {
    struct pmem_page *next;
    pmem_leaf *leaf;
    uint64_t offset; /* of the leaf in the file */
    uint32_t taken_count;
    uint32_t word_hint; /* no free slot in the words before it */
    uint64_t taken[PMEM_DIR_WORDS];
} pmem_page;

typedef struct pmem_dir {
    PMEMobjpool *pop;
    uint64_t pool_id; /* of every PMEMoid of this file */
    size_t file_bytes;
    uint64_t leaf_flags; /* the allocation class of leaves */
    pmem_root *root;
    pmem_page *first;
    pmem_page *last;
    pmem_page *hint; /* where to look for a slot first */
    size_t free_count;
    pthread_mutex_t publishing;
} pmem_dir;

typedef struct pmem_place {
    pmem_page *page;
    uint32_t slot;
} pmem_place;

static inline pmem_slot *pmem_place_slot(const pmem_place *place)
{
    return &place->page->leaf->slots[place->slot];
}

/*
 * Reads the bitmaps of a file; a new one gets its root.  Leaves are allocated with leaf_flags.
 * DP_ERR_NOMEM, DP_ERR_IO (no room), DP_ERR_CORRUPT (the chain of leaves is broken).  Close it also
 * after a failure.
 */
dp_status pmem_dir_open(pmem_dir *dir, PMEMobjpool *pop, size_t file_bytes, uint64_t leaf_flags);
void pmem_dir_close(pmem_dir *dir);

/* Slots that are live or doomed, when no commit is under way. */
size_t pmem_dir_count(const pmem_dir *dir);

/* Takes a free slot, adding a leaf if need be; false when there is no room for one. */
bool pmem_dir_take(pmem_dir *dir, pmem_place *out);
/* Gives a slot back whose bits are clear. */
void pmem_dir_give(pmem_dir *dir, const pmem_place *place);

/*
 * What one pmemobj_publish() will do: heap actions that the caller adds to, and bits.  As many as
 * a lane of libpmemobj holds in its own log, so that publishing never has to allocate.
 */
#define PMEM_CHANGE_MAX 40u

typedef struct pmem_bits {
    uint64_t *word;
    uint64_t set;
    uint64_t clear;
} pmem_bits;

typedef struct pmem_change {
    size_t action_count;
    size_t bits_count;
    struct pobj_action actions[PMEM_CHANGE_MAX];
    pmem_bits bits[PMEM_CHANGE_MAX];
} pmem_change;

static inline void pmem_change_init(pmem_change *change)
{
    change->action_count = 0;
    change->bits_count = 0;
}

/* Is there room for one more action and its bits, two words at most? */
static inline bool pmem_change_has_room(const pmem_change *change)
{
    return change->action_count + change->bits_count + 3 <= PMEM_CHANGE_MAX;
}

void pmem_change_live(pmem_change *change, const pmem_place *place, bool on);
void pmem_change_doomed(pmem_change *change, const pmem_place *place, bool on);

/* All of it or, when it returns false, nothing; the actions are cancelled then. */
bool pmem_dir_publish(pmem_dir *dir, pmem_change *change);

#endif
