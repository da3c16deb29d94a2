/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of bench_pool for the tiers behind a driver: pinned and hbm.  The peer is the driver itself,
 * one allocation and one release a pair, which is what a program without a pool would do.
 */
#ifndef DP_BENCH_POOL_DEVICE_H
#define DP_BENCH_POOL_DEVICE_H

#include "harness.h"

/* Emits the rows, or skips them with the tier's own words where it is not up. */
void pool_device_rows(bench *b);

#endif
