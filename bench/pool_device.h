/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of bench_pool for the tiers whose memory is slow to get: huge, pinned, hbm, managed and shm.
 * The peer is the driver or the kernel itself, one allocation and one release a pair, which is what
 * a program without a pool would do.
 */
#ifndef DP_BENCH_POOL_DEVICE_H
#define DP_BENCH_POOL_DEVICE_H

#include "harness.h"

/* Emits the rows and those of pool_pages.h, or skips them with the tier's own words where it is not
 * up. */
void pool_device_rows(bench *b);

#endif
