/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of two levels, since the whole would be 512 KiB: a leaf covers 16 MiB, is made with the
 * first region there and stays.
 */
#include "wasm/places.h"

#include "wasm/pages.h"

#define LEAF_PAGES 256u

_Static_assert(SLAB_UNIT_BYTES % PAGE_BYTES == 0, "a page belongs to one run");

typedef struct place {
    dp_buf *known; /* one of the blocks that are out, NULL when none is */
    uint32_t count;
} place;

static place *leaves[PAGES_MAX / LEAF_PAGES];

static place *place_of(const void *address)
{
    size_t page = (size_t)address / PAGE_BYTES;
    place *leaf = leaves[page / LEAF_PAGES];
    return leaf == NULL ? NULL : &leaf[page % LEAF_PAGES];
}

bool places_reserve(const void *from, size_t size_bytes)
{
    size_t first = (size_t)from / PAGE_BYTES / LEAF_PAGES;
    size_t last = ((size_t)from + (size_bytes - 1)) / PAGE_BYTES / LEAF_PAGES;
    for (size_t i = first; i <= last; i++) {
        if (leaves[i] == NULL)
            leaves[i] = os_calloc(LEAF_PAGES, sizeof *leaves[i]);
        if (leaves[i] == NULL)
            return false;
    }
    return true;
}

void place_enter(dp_buf *buf)
{
    place *at = place_of(buf->host);
    at->known = buf;
    at->count++;
}

void place_leave(const dp_buf *buf)
{
    place *at = place_of(buf->host);
    DP_ASSERT(at->count > 0);
    if (--at->count == 0)
        at->known = NULL;
}

dp_buf *place_find(const void *address)
{
    const place *at = place_of(address);
    if (at == NULL || at->known == NULL)
        return NULL;
    /* The known one may have come back meanwhile: its run lives while any block of the page is out,
     * and so does its descriptor. */
    ptrdiff_t distance = (const char *)address - (const char *)at->known->host;
    dp_buf *buf = at->known + distance / (ptrdiff_t)at->known->capacity_bytes;
    bool is_out = atomic_load_explicit(&buf->references, memory_order_relaxed) != 0;
    return buf->host == address && is_out ? buf : NULL;
}
