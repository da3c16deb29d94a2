/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1 of the WebAssembly build: linear memory as the host tier.  There is one, it is always
 * there and is never closed.
 */
#ifndef DP_WASM_TIER_WASM_H
#define DP_WASM_TIER_WASM_H

#include "pool/tier.h"

dp_tier *tier_wasm(void);

/* Whether a region may make memory grow, which cannot be undone.  A refusal lets the slab look
 * among what it keeps unused first. */
void tier_wasm_may_grow(bool may);

#endif
