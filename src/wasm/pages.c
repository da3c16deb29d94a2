/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bit for each page of the address space: set while the page is ours and spare.  First fit from
 * below; a search looks at each page once, which is nothing beside what a region serves afterwards.
 */
#include "wasm/pages.h"

#include "pool/os.h"

extern unsigned char __heap_base; /* the linker's: the first byte behind the program's data */

static uint32_t spare[PAGES_MAX / 32];
static uint32_t pages_end; /* behind the last page that was ever ours, 0: not looked yet */

static bool is_spare(uint32_t page)
{
    return (spare[page / 32] >> (page % 32) & 1u) != 0;
}

static void spare_set(uint32_t from, uint32_t count, bool value)
{
    for (uint32_t page = from; page < from + count; page++) {
        DP_ASSERT(is_spare(page) != value); /* given back twice */
        spare[page / 32] ^= 1u << (page % 32);
    }
}

/* What lies behind the data and is there already is ours from the start. */
static void pages_begin(void)
{
    uint32_t first = pages_of((size_t)&__heap_base);
    pages_end = (uint32_t)__builtin_wasm_memory_size(0);
    if (pages_end < first)
        pages_end = first;
    spare_set(first, pages_end - first, true);
}

/* True when `count` spare pages follow each other; else *tail gets how many of them end ours. */
static bool pages_find(uint32_t count, uint32_t *at, uint32_t *tail)
{
    uint32_t length = 0;
    for (uint32_t page = 0; page < pages_end; page++) {
        length = is_spare(page) ? length + 1 : 0;
        if (length == count) {
            *at = page + 1 - count;
            return true;
        }
    }
    *tail = length;
    return false;
}

static bool pages_grow(uint32_t count)
{
    size_t old = __builtin_wasm_memory_grow(0, count);
    if (old == SIZE_MAX)
        return false;
    spare_set((uint32_t)old, count, true);
    pages_end = (uint32_t)old + count;
    return true;
}

void *pages_take(uint32_t count, bool may_grow)
{
    DP_ASSERT(count > 0);
    if (pages_end == 0)
        pages_begin();
    uint32_t at = 0;
    uint32_t tail = 0;
    if (!pages_find(count, &at, &tail)) {
        /* Spare pages at the end are half the way, unless somebody else has grown memory since. */
        if (pages_end != __builtin_wasm_memory_size(0))
            tail = 0;
        if (!may_grow || !pages_grow(count - tail))
            return NULL;
        at = pages_end - count;
    }
    spare_set(at, count, false);
    return (void *)(at * PAGE_BYTES);
}

void pages_give_back(void *pages, uint32_t count)
{
    DP_ASSERT((size_t)pages % PAGE_BYTES == 0);
    spare_set((uint32_t)((size_t)pages / PAGE_BYTES), count, true);
}
