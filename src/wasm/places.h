/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which descriptor an address belongs to: dp_wasm_free() is given no more than an address, and
 * nothing lies before a block that would say.
 *
 * For each page it is known how many blocks that start there are out, and one of them; a run's
 * descriptors lie side by side as its blocks do, so one leads to all.  A page without a block out
 * knows none, so an address that was freed already is told from one that is held.
 */
#ifndef DP_WASM_PLACES_H
#define DP_WASM_PLACES_H

#include <stdbool.h>

#include "pool/slab.h"

/* Makes room for these pages' entries, before any block of theirs is given; false: no memory. */
bool places_reserve(const void *from, size_t size_bytes);

/* The block goes out, or came back.  Neither can fail. */
void place_enter(dp_buf *buf);
void place_leave(const dp_buf *buf);

/* The block that starts exactly there and is out, else NULL. */
dp_buf *place_find(const void *address);

#endif
