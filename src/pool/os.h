/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: the few things we ask of the operating system, and the assertion that stays on.
 *
 * All bookkeeping memory of the pool comes from os_calloc() and os_aligned(), so that a test can
 * make the n-th of those calls fail and see that nothing leaks and nothing is half done.  Every
 * function here is thread safe.
 */
#ifndef DP_POOL_OS_H
#define DP_POOL_OS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#define DP_LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define DP_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/*
 * For programmer errors only, in release builds too: an allocator that goes on after a reference
 * was put twice hands one block to two owners, which is worse than a stop.  Prints the expression
 * and the place to stderr and calls abort().
 */
#define DP_ASSERT(condition)                                                                       \
    ((void)(DP_LIKELY(condition) ? 0 : (os_assert_failed(#condition, __FILE__, __LINE__), 0)))

__attribute__((cold, noreturn)) void os_assert_failed(const char *expression, const char *file,
                                                      int line);

/* Zeroed memory for bookkeeping, NULL when there is none; given back with os_free(). */
void *os_calloc(size_t count, size_t size_bytes);
/* As above, not zeroed, at a multiple of alignment_bytes (a power of two, at least 8). */
void *os_aligned(size_t alignment_bytes, size_t size_bytes);
/* A copy of `text`, NULL when there is no memory. */
char *os_strdup(const char *text);
/* NULL is fine. */
void os_free(void *memory);

/*
 * For tests: the n-th call of the three allocators above fails (1 = the next one), once; 0 turns it
 * off.  Counted over all threads.  Returns what the last countdown had left: 0 says that it fired.
 */
uint64_t os_malloc_fail_nth(uint64_t nth);

/* Fresh zeroed pages from the kernel, aligned to a page, NULL when there are none. */
void *os_pages_map(size_t size_bytes);
void os_pages_unmap(void *pages, size_t size_bytes);
size_t os_page_bytes(void);
/* Asks for huge pages under memory that is larger than one; best effort. */
#define OS_HUGE_PAGE_BYTES ((size_t)2 << 20)
void os_pages_prefer_huge(void *memory, size_t size_bytes);

/* Nanoseconds on the monotonic clock. */
uint64_t os_clock_ns(void);

/* Mutexes that assert instead of returning: an error of theirs is always ours. */
void os_mutex_init(pthread_mutex_t *mutex);
void os_mutex_destroy(pthread_mutex_t *mutex);
void os_lock(pthread_mutex_t *mutex);
void os_unlock(pthread_mutex_t *mutex);

/*
 * Under AddressSanitizer, forbids or allows the program to touch memory that we hand out: a block
 * that was put is poisoned until it is got again.  Costs nothing in other builds; size 0 is fine.
 */
#if defined(__SANITIZE_ADDRESS__)
#define OS_POISON(memory, size_bytes)   __asan_poison_memory_region(memory, size_bytes)
#define OS_UNPOISON(memory, size_bytes) __asan_unpoison_memory_region(memory, size_bytes)
#else
#define OS_POISON(memory, size_bytes)   ((void)(memory), (void)(size_bytes))
#define OS_UNPOISON(memory, size_bytes) ((void)(memory), (void)(size_bytes))
#endif

/* `value` rounded up to a multiple of `alignment`, which is a power of two. */
static inline size_t os_align_up(size_t value, size_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

#endif
