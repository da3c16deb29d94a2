/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: a log-linear histogram of nanoseconds in fixed memory, the layout of Gil Tene's
 * HdrHistogram: values below 32 have a bucket each, above that every power of two is cut into 32,
 * so that a bucket is at most 1/32 of its values wide and its middle at most 1.6 % off, whatever
 * the range.  Values of 2^40 ns (18 minutes) and more share the last bucket; `max` is exact.
 *
 * Threads: any number may add at once; an add is two locked instructions, relaxed, since nothing is
 * ordered by them, and three where the maximum grows.  What is measured here took a lock or a
 * system call, so sharing one histogram a pool is cheaper than 9 KiB for each thread and tier would
 * be. Readers sum into a histogram_sum of their own, whose total is that of the counts it saw.
 */
#ifndef DP_POOL_HISTOGRAM_H
#define DP_POOL_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5u
#define HISTOGRAM_MAX_BITS 40u
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1u) << HISTOGRAM_SUB_BITS)

/* Zeroed memory is an empty one. */
typedef struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum;
    _Atomic uint64_t max;
} histogram;

typedef struct histogram_sum {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t sum; /* of the values themselves, exact */
    uint64_t max;
} histogram_sum;

/* The bucket of a value, and the middle of a bucket's values. */
unsigned histogram_bucket(uint64_t value);
uint64_t histogram_middle(unsigned bucket);

void histogram_add(histogram *self, uint64_t value);

/* Adds what `from` holds to *into. */
void histogram_merge(histogram_sum *into, const histogram *from);

/*
 * The value that a share of q (0 .. 1) of all values does not exceed, by nearest rank: the middle
 * of its bucket, and never more than the maximum.  0 when empty.
 */
uint64_t histogram_quantile(const histogram_sum *sum, double q);

#endif
