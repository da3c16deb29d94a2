/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: see histogram.h.  A value's bucket is its highest six bits: where they stand gives the
 * power of two, the five below the leading one give the place in it.
 */
#include "pool/histogram.h"

#define SUB_COUNT (1u << HISTOGRAM_SUB_BITS)
#define VALUE_MAX (((uint64_t)1 << HISTOGRAM_MAX_BITS) - 1)

unsigned histogram_bucket(uint64_t value)
{
    if (value > VALUE_MAX)
        value = VALUE_MAX;
    if (value < SUB_COUNT)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

uint64_t histogram_middle(unsigned bucket)
{
    if (bucket < 2 * SUB_COUNT)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t first = (uint64_t)(bucket - (shift << HISTOGRAM_SUB_BITS)) << shift;
    return first + ((uint64_t)1 << shift) / 2;
}

void histogram_add(histogram *self, uint64_t value)
{
    atomic_fetch_add_explicit(&self->counts[histogram_bucket(value)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->sum, value, memory_order_relaxed);
    uint64_t max = atomic_load_explicit(&self->max, memory_order_relaxed);
    while (value > max && !atomic_compare_exchange_weak_explicit(
                              &self->max, &max, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

void histogram_merge(histogram_sum *into, const histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&from->counts[i], memory_order_relaxed);
        into->counts[i] += count;
        into->total += count;
    }
    into->sum += atomic_load_explicit(&from->sum, memory_order_relaxed);
    uint64_t max = atomic_load_explicit(&from->max, memory_order_relaxed);
    if (max > into->max)
        into->max = max;
}

uint64_t histogram_quantile(const histogram_sum *sum, double q)
{
    if (sum->total == 0)
        return 0;
    double wanted = q * (double)sum->total;
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
    rank += (double)rank < wanted; /* rounds up: the share must be reached */
    uint64_t seen = 0;
    unsigned bucket = 0;
    while (bucket + 1 < HISTOGRAM_BUCKETS && (seen += sum->counts[bucket]) < rank)
        bucket++;
    uint64_t middle = histogram_middle(bucket);
    return middle < sum->max ? middle : sum->max;
}
