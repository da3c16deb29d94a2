/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row of bench_pool that says what huge pages are for: dependent reads all over one block.
 */
#ifndef DP_BENCH_POOL_PAGES_H
#define DP_BENCH_POOL_PAGES_H

#include "harness.h"

/* Emits the row, or skips it with the tier's own words where it is not up. */
void pool_pages_row(bench *b);

#endif
