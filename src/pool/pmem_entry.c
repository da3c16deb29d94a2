/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checksums and plausibility of what stands in the pmem file.  No state, no library.
 */
#include "pool/pmem_entry.h"

#include <stddef.h>
#include <string.h>

#define FLETCHER_LANES 8u

typedef struct fletcher {
    uint32_t low[FLETCHER_LANES];
    uint32_t high[FLETCHER_LANES];
} fletcher;

static void fletcher_block(fletcher *sum, const uint32_t words[FLETCHER_LANES])
{
    for (size_t lane = 0; lane < FLETCHER_LANES; lane++) {
        sum->low[lane] += words[lane];
        sum->high[lane] += sum->low[lane];
    }
}

/* The last block is padded with zeros; the sizes are summed before the bytes. */
static void fletcher_add(fletcher *sum, const void *bytes, size_t size_bytes)
{
    uint32_t words[FLETCHER_LANES];
    const uint8_t *at = bytes;
    fletcher local = *sum;
    for (; size_bytes >= sizeof words; at += sizeof words, size_bytes -= sizeof words) {
        memcpy(words, at, sizeof words);
        fletcher_block(&local, words);
    }
    if (size_bytes > 0) {
        memset(words, 0, sizeof words);
        memcpy(words, at, size_bytes);
        fletcher_block(&local, words);
    }
    *sum = local;
}

static uint64_t fletcher_end(const fletcher *sum)
{
    uint32_t low = 0;
    uint32_t high = 0;
    for (size_t lane = 0; lane < FLETCHER_LANES; lane++) {
        low += sum->low[lane];
        high += low;
        low += sum->high[lane];
        high += low;
    }
    return (uint64_t)high << 32 | low;
}

uint32_t pmem_slot_check(const pmem_slot *slot)
{
    fletcher sum = {.low = {1}}; /* so that zeros do not check themselves */
    fletcher_add(&sum, slot, offsetof(pmem_slot, check));
    uint64_t end = fletcher_end(&sum);
    return (uint32_t)(end >> 32) ^ (uint32_t)end;
}

bool pmem_slot_is_sound(const pmem_slot *slot, size_t file_bytes)
{
    return slot->check == pmem_slot_check(slot) && slot->meta_bytes <= DP_CACHE_META_BYTES_MAX &&
           slot->priority < DP_PRIORITY_COUNT && slot->kind < DP_KIND_COUNT &&
           slot->sequence < PMEM_SEQUENCE_MAX && slot->offset < file_bytes &&
           slot->size_bytes < file_bytes &&
           pmem_entry_bytes(slot->meta_bytes, slot->size_bytes) <= file_bytes - slot->offset;
}

uint64_t pmem_checksum(const pmem_slot *slot, const void *meta, const void *payload)
{
    size_t facts = offsetof(pmem_slot, sequence);
    fletcher sum = {.low = {1}};
    fletcher_add(&sum, (const uint8_t *)slot + facts, offsetof(pmem_slot, check) - facts);
    fletcher_add(&sum, meta, slot->meta_bytes);
    fletcher_add(&sum, payload, slot->size_bytes);
    return fletcher_end(&sum);
}
