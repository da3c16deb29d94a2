/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: POSIX behind os.h.
 *
 * The only state is the countdown of os_malloc_fail_nth().  It is one relaxed atomic: tests set it
 * before the threads that it should hit are started, and nothing else is published through it.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "pool/os.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/*
 * How often a lock that is held is looked at before the thread sleeps: about a microsecond.  Most
 * of our locks are held for less, and one who sleeps costs himself two system calls and the holder,
 * who has to wake him, another.
 */
#define LOCK_SPINS 50u

static _Atomic uint64_t fail_countdown;

void os_assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "danpool: assertion failed: %s (%s:%d)\n", expression, file, line);
    fflush(stderr);
    abort();
}

uint64_t os_malloc_fail_nth(uint64_t nth)
{
    return atomic_exchange_explicit(&fail_countdown, nth, memory_order_relaxed);
}

/* True when this very call is the one that was asked to fail. */
static int fails_now(void)
{
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (DP_UNLIKELY(left != 0)) {
        if (atomic_compare_exchange_weak_explicit(&fail_countdown, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return left == 1;
    }
    return 0;
}

void *os_calloc(size_t count, size_t size_bytes)
{
    return fails_now() ? NULL : calloc(count, size_bytes);
}

void *os_aligned(size_t alignment_bytes, size_t size_bytes)
{
    void *memory = NULL;
    if (fails_now() || posix_memalign(&memory, alignment_bytes, size_bytes) != 0)
        return NULL;
    return memory;
}

char *os_strdup(const char *text)
{
    size_t size_bytes = strlen(text) + 1;
    char *copy = os_calloc(1, size_bytes);
    if (copy != NULL)
        memcpy(copy, text, size_bytes);
    return copy;
}

void os_free(void *memory)
{
    free(memory);
}

void *os_pages_map(size_t size_bytes)
{
    void *pages =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void os_pages_unmap(void *pages, size_t size_bytes)
{
    DP_ASSERT(munmap(pages, size_bytes) == 0);
}

void os_pages_prefer_huge(void *memory, size_t size_bytes)
{
    /* Whole huge pages only; the kernel refuses an address that is not a page's. */
    uintptr_t start = ((uintptr_t)memory + OS_HUGE_PAGE_BYTES - 1) & ~(OS_HUGE_PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)memory + size_bytes) & ~(OS_HUGE_PAGE_BYTES - 1);
    if (start < end)
        (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
}

size_t os_page_bytes(void)
{
    long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (size_t)bytes : 4096;
}

uint64_t os_clock_ns(void)
{
    struct timespec now;
    DP_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void os_mutex_init(pthread_mutex_t *mutex)
{
    DP_ASSERT(pthread_mutex_init(mutex, NULL) == 0);
}

void os_mutex_destroy(pthread_mutex_t *mutex)
{
    DP_ASSERT(pthread_mutex_destroy(mutex) == 0);
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

void os_lock(pthread_mutex_t *mutex)
{
    for (unsigned i = 0; i < LOCK_SPINS; i++) {
        if (DP_LIKELY(pthread_mutex_trylock(mutex) == 0))
            return;
        cpu_relax();
    }
    DP_ASSERT(pthread_mutex_lock(mutex) == 0);
}

void os_unlock(pthread_mutex_t *mutex)
{
    DP_ASSERT(pthread_mutex_unlock(mutex) == 0);
}
