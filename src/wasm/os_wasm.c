/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0 of the WebAssembly build: what os.h promises, as far as the slab asks for it, over pages
 * of linear memory.  There is one thread, so a mutex is nothing; a failed assertion traps.
 *
 * Bookkeeping memory: a page serves slots of one size, 64 bytes and up by powers of two, and goes
 * back when its last slot does; what is larger than a quarter of a page has pages of its own.  A
 * header in the first bytes of the page says which, so that os_free() finds it from the address:
 *
 *     page   | header | slot | slot | slot | ...       header, to the data | data ...
 */
#include "pool/list.h"
#include "pool/os.h"
#include "wasm/pages.h"

#define HEADER_BYTES    ((size_t)64) /* and the alignment of every slot */
#define SLOT_BYTES_MAX  (PAGE_BYTES / 4)
#define SLOT_SIZES      9u /* 64 << 0 .. 64 << 8 */
#define ALIGN_BYTES_MAX (PAGE_BYTES / 2)

typedef struct heap_page {
    list_node link; /* in partial[] while it has a slot to give */
    void *free;     /* chain of slots that came back, the next one's address in each */
    size_t slot_bytes;
    uint32_t pages; /* not 0: pages of its own, nothing else counts */
    uint32_t used;  /* slots out */
    uint32_t fresh; /* slots before it were given at least once */
    uint32_t total;
} heap_page;
_Static_assert(sizeof(heap_page) <= HEADER_BYTES, "the header fits before the first slot");
_Static_assert(HEADER_BYTES << (SLOT_SIZES - 1) == SLOT_BYTES_MAX, "the largest slot");

static list_node partial[SLOT_SIZES];
static bool partial_begun;

void os_assert_failed(const char *expression, const char *file, int line)
{
    (void)expression, (void)file, (void)line;
    __builtin_trap();
}

static unsigned slot_size_of(size_t size_bytes)
{
    unsigned size = 0;
    while (HEADER_BYTES << size < size_bytes)
        size++;
    return size;
}

static heap_page *page_create(unsigned size)
{
    heap_page *page = pages_take(1, true);
    if (page == NULL)
        return NULL;
    size_t slot_bytes = HEADER_BYTES << size;
    *page = (heap_page){
        .slot_bytes = slot_bytes,
        .total = (uint32_t)((PAGE_BYTES - HEADER_BYTES) / slot_bytes),
    };
    list_init(&page->link);
    list_push_front(&partial[size], &page->link);
    return page;
}

static void *slot_take(unsigned size)
{
    for (unsigned i = 0; !partial_begun && i < SLOT_SIZES; i++)
        list_init(&partial[i]);
    partial_begun = true;
    heap_page *page = list_is_empty(&partial[size]) ? page_create(size)
                                                    : LIST_OF(partial[size].next, heap_page, link);
    if (page == NULL)
        return NULL;
    void *slot = page->free;
    if (slot != NULL)
        page->free = *(void **)slot;
    else
        slot = (char *)page + HEADER_BYTES + page->fresh++ * page->slot_bytes;
    if (++page->used == page->total)
        list_remove(&page->link);
    return slot;
}

static void slot_give_back(heap_page *page, void *slot)
{
    DP_ASSERT(page->used > 0);
    if (page->used-- == page->total)
        list_push_front(&partial[slot_size_of(page->slot_bytes)], &page->link);
    *(void **)slot = page->free;
    page->free = slot;
    if (page->used == 0) {
        list_remove(&page->link);
        pages_give_back(page, 1);
    }
}

void *os_aligned(size_t alignment_bytes, size_t size_bytes)
{
    DP_ASSERT(alignment_bytes <= ALIGN_BYTES_MAX);
    if (alignment_bytes <= HEADER_BYTES && size_bytes <= SLOT_BYTES_MAX)
        return slot_take(slot_size_of(size_bytes));
    size_t before = alignment_bytes > HEADER_BYTES ? alignment_bytes : HEADER_BYTES;
    size_t bytes;
    if (__builtin_add_overflow(before, size_bytes, &bytes))
        return NULL;
    heap_page *page = pages_take(pages_of(bytes), true);
    if (page == NULL)
        return NULL;
    page->pages = pages_of(bytes);
    return (char *)page + before;
}

void *os_calloc(size_t count, size_t size_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size_bytes, &bytes))
        return NULL;
    void *memory = os_aligned(HEADER_BYTES, bytes);
    if (memory != NULL)
        __builtin_memset(memory, 0, bytes);
    return memory;
}

void os_free(void *memory)
{
    if (memory == NULL)
        return;
    heap_page *page = (heap_page *)((size_t)memory & ~(PAGE_BYTES - 1));
    if (page->pages != 0)
        pages_give_back(page, page->pages);
    else
        slot_give_back(page, memory);
}

void os_mutex_init(pthread_mutex_t *mutex)
{
    (void)mutex;
}

void os_mutex_destroy(pthread_mutex_t *mutex)
{
    (void)mutex;
}

void os_lock(pthread_mutex_t *mutex)
{
    (void)mutex;
}

void os_unlock(pthread_mutex_t *mutex)
{
    (void)mutex;
}
