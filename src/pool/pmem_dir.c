/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of the pmem file.  A commit's slots are neighbours as long as pages fill up from
 * the front, so a batch touches one or two words of a bitmap and a stretch of slots.
 *
 * Only the owner's thread is here while it opens; later the tier's lock and `publishing` guard what
 * pmem_dir.h says.
 */
#include "dp_features.h"

#if DP_HAVE_PMEM

#include "pool/pmem_dir.h"

#include <string.h>

#include <libpmemobj/base.h>
#include <libpmemobj/pool_base.h>

#include "pool/os.h"

#define LEAF_MAGIC UINT64_C(0x64616e706c656166) /* "danpleaf" */
#define LEAF_TYPE  UINT64_C(0x64616e03)

/* Sixteen units of 4 KiB, less libpmemobj's header. */
_Static_assert(sizeof(pmem_leaf) <= (64u << 10) - 16u, "a leaf must fit its units");

static bool page_add(pmem_dir *dir, pmem_leaf *leaf, uint64_t offset)
{
    pmem_page *page = os_calloc(1, sizeof *page);
    if (page == NULL) {
        return false;
    }
    page->leaf = leaf;
    page->offset = offset;
    for (size_t i = 0; i < PMEM_DIR_WORDS; i++) {
        page->taken[i] = leaf->live[i] | leaf->doomed[i];
        page->taken_count += (uint32_t)__builtin_popcountll(page->taken[i]);
    }
    *(dir->last != NULL ? &dir->last->next : &dir->first) = page;
    dir->last = page;
    dir->hint = page;
    dir->free_count += PMEM_DIR_SLOTS - page->taken_count;
    return true;
}

static pmem_leaf *leaf_at(const pmem_dir *dir, uint64_t offset)
{
    if (offset > dir->file_bytes - sizeof(pmem_leaf) || offset % 8 != 0) {
        return NULL;
    }
    PMEMoid oid = {.pool_uuid_lo = dir->pool_id, .off = offset};
    pmem_leaf *leaf = pmemobj_direct(oid);
    return leaf->magic == LEAF_MAGIC ? leaf : NULL;
}

dp_status pmem_dir_open(pmem_dir *dir, PMEMobjpool *pop, size_t file_bytes, uint64_t leaf_flags)
{
    *dir = (pmem_dir){.pop = pop, .file_bytes = file_bytes, .leaf_flags = leaf_flags};
    os_mutex_init(&dir->publishing);
    PMEMoid root = pmemobj_root(pop, sizeof(pmem_root)); /* zeroed when it is new */
    if (OID_IS_NULL(root)) {
        return DP_ERR_IO;
    }
    dir->pool_id = root.pool_uuid_lo;
    dir->root = pmemobj_direct(root);
    /* A rotten link may lead back: no file holds more leaves than fit. */
    size_t left = file_bytes / sizeof(pmem_leaf);
    for (uint64_t offset = dir->root->first; offset != 0; offset = dir->last->leaf->next) {
        pmem_leaf *leaf = leaf_at(dir, offset);
        if (leaf == NULL || left-- == 0) {
            return DP_ERR_CORRUPT;
        }
        if (!page_add(dir, leaf, offset)) {
            return DP_ERR_NOMEM;
        }
    }
    return DP_OK;
}

void pmem_dir_close(pmem_dir *dir)
{
    for (pmem_page *page = dir->first; page != NULL;) {
        pmem_page *next = page->next;
        os_free(page);
        page = next;
    }
    os_mutex_destroy(&dir->publishing);
}

size_t pmem_dir_count(const pmem_dir *dir)
{
    size_t count = 0;
    for (const pmem_page *page = dir->first; page != NULL; page = page->next) {
        count += page->taken_count;
    }
    return count;
}

/* --- leaves --- */

/* What leads to the leaf behind that page; behind none is the first one. */
static uint64_t *link_behind(const pmem_dir *dir, const pmem_page *page)
{
    return page != NULL ? &page->leaf->next : &dir->root->first;
}

/* Links a new leaf behind the last one. */
static bool leaf_add(pmem_dir *dir)
{
    struct pobj_action actions[2];
    PMEMoid oid =
        pmemobj_xreserve(dir->pop, &actions[0], sizeof(pmem_leaf), LEAF_TYPE, dir->leaf_flags);
    if (OID_IS_NULL(oid)) {
        return false;
    }
    pmem_leaf *leaf = pmemobj_direct(oid);
    DP_ASSERT(leaf != NULL);
    memset(leaf, 0, offsetof(pmem_leaf, slots));
    leaf->magic = LEAF_MAGIC;
    pmemobj_persist(dir->pop, leaf, offsetof(pmem_leaf, slots));
    uint64_t *link = link_behind(dir, dir->last);
    if (!page_add(dir, leaf, oid.off)) {
        pmemobj_cancel(dir->pop, actions, 1);
        return false;
    }
    pmemobj_set_value(dir->pop, &actions[1], link, oid.off);
    /* Two actions fit a lane's own log, so there is nothing that could fail. */
    DP_ASSERT(pmemobj_publish(dir->pop, actions, 2) == 0);
    return true;
}

static void leaf_drop(pmem_dir *dir, pmem_page *page)
{
    pmem_page *before = NULL;
    for (pmem_page *at = dir->first; at != page; at = at->next) {
        before = at;
    }
    struct pobj_action actions[2];
    PMEMoid oid = {.pool_uuid_lo = dir->pool_id, .off = page->offset};
    pmemobj_set_value(dir->pop, &actions[0], link_behind(dir, before), page->leaf->next);
    pmemobj_defer_free(dir->pop, oid, &actions[1]);
    DP_ASSERT(pmemobj_publish(dir->pop, actions, 2) == 0);
    *(before != NULL ? &before->next : &dir->first) = page->next;
    if (dir->last == page) {
        dir->last = before;
    }
    dir->hint = dir->first;
    dir->free_count -= PMEM_DIR_SLOTS;
    os_free(page);
}

/* --- slots --- */

static bool page_is_full(const pmem_page *page)
{
    return page->taken_count == PMEM_DIR_SLOTS;
}

static pmem_page *page_with_room(pmem_dir *dir)
{
    if (dir->free_count == 0) {
        return leaf_add(dir) ? dir->last : NULL;
    }
    if (page_is_full(dir->hint)) {
        dir->hint = dir->first;
        while (page_is_full(dir->hint)) {
            dir->hint = dir->hint->next;
        }
    }
    return dir->hint;
}

bool pmem_dir_take(pmem_dir *dir, pmem_place *out)
{
    pmem_page *page = page_with_room(dir);
    if (page == NULL) {
        return false;
    }
    uint32_t word = page->word_hint;
    while (page->taken[word] == UINT64_MAX) {
        word++;
    }
    uint32_t bit = (uint32_t)__builtin_ctzll(~page->taken[word]);
    page->taken[word] |= UINT64_C(1) << bit;
    page->word_hint = word;
    page->taken_count++;
    dir->free_count--;
    *out = (pmem_place){.page = page, .slot = word * 64 + bit};
    return true;
}

void pmem_dir_give(pmem_dir *dir, const pmem_place *place)
{
    pmem_page *page = place->page;
    uint32_t word = place->slot / 64;
    uint64_t bit = UINT64_C(1) << place->slot % 64;
    DP_ASSERT((page->taken[word] & bit) != 0);
    page->taken[word] &= ~bit;
    page->taken_count--;
    dir->free_count++;
    if (word < page->word_hint) {
        page->word_hint = word;
    }
    if (page->taken_count == 0 && dir->free_count >= PMEM_DIR_SLOTS + PMEM_DIR_SLOTS / 2) {
        leaf_drop(dir, page);
    } else if (page_is_full(dir->hint)) {
        dir->hint = page;
    }
}

/* --- changes --- */

static void change_bit(pmem_change *change, uint64_t *word, uint64_t bit, bool on)
{
    size_t i = change->bits_count;
    while (i > 0 && change->bits[i - 1].word != word) {
        i--;
    }
    if (i == 0) {
        change->bits[change->bits_count++] = (pmem_bits){.word = word};
        i = change->bits_count;
    }
    *(on ? &change->bits[i - 1].set : &change->bits[i - 1].clear) |= bit;
}

void pmem_change_live(pmem_change *change, const pmem_place *place, bool on)
{
    change_bit(change, &place->page->leaf->live[place->slot / 64], UINT64_C(1) << place->slot % 64,
               on);
}

void pmem_change_doomed(pmem_change *change, const pmem_place *place, bool on)
{
    change_bit(change, &place->page->leaf->doomed[place->slot / 64],
               UINT64_C(1) << place->slot % 64, on);
}

bool pmem_dir_publish(pmem_dir *dir, pmem_change *change)
{
    size_t count = change->action_count;
    DP_ASSERT(count + change->bits_count <= PMEM_CHANGE_MAX);
    os_lock(&dir->publishing);
    for (size_t i = 0; i < change->bits_count; i++) {
        const pmem_bits *bits = &change->bits[i];
        uint64_t value = (*bits->word & ~bits->clear) | bits->set;
        pmemobj_set_value(dir->pop, &change->actions[count++], bits->word, value);
    }
    bool done = pmemobj_publish(dir->pop, change->actions, count) == 0;
    os_unlock(&dir->publishing);
    if (!done) {
        pmemobj_cancel(dir->pop, change->actions, count);
    }
    return done;
}

#else
/* ISO C wants a declaration in every file. */
typedef int pmem_dir_left_out;
#endif
