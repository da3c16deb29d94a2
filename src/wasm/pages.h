/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0 of the WebAssembly build: the pages of 64 KiB that linear memory is made of.
 *
 * Ours are those behind the program's data when it starts, and those that memory.grow gives us;
 * pages that somebody else grew are never touched.  Linear memory cannot shrink: what is given back
 * is kept and taken again, lowest address first, before memory grows.  One thread.
 */
#ifndef DP_WASM_PAGES_H
#define DP_WASM_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES ((size_t)64 << 10)
#define PAGES_MAX  65536u /* 4 GiB, all that 32 bits address */

/* The number of pages that hold so many bytes. */
static inline uint32_t pages_of(size_t size_bytes)
{
    return (uint32_t)(size_bytes / PAGE_BYTES + (size_bytes % PAGE_BYTES != 0));
}

/* Consecutive pages, their content undefined; NULL when there are none and memory cannot grow so
 * far, or was not to. */
void *pages_take(uint32_t count, bool may_grow);
void pages_give_back(void *pages, uint32_t count);

#endif
