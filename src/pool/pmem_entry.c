/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checksums and plausibility of what stands in the pmem file.  No state, no library.
 */
#include "pool/pmem_entry.h"

#include <stddef.h>
#include <string.h>

/*
 * Four lanes are a vector of SSE or NEON, and the sums stay in registers: a commit has stores to
 * cold lines under way, and every store of ours would queue behind them.
 */
typedef uint32_t lanes __attribute__((vector_size(16)));

typedef struct fletcher {
    lanes low[2];
    lanes high[2];
} fletcher;

#define FLETCHER_BLOCK_BYTES (2 * sizeof(lanes))

static inline lanes lanes_load(const uint8_t *at)
{
    lanes words;
    memcpy(&words, at, sizeof words);
    return words;
}

/* The last block is padded with zeros; the sizes are summed before the bytes. */
static void fletcher_add(fletcher *sum, const void *bytes, size_t size_bytes)
{
    const uint8_t *at = bytes;
    lanes low0 = sum->low[0];
    lanes low1 = sum->low[1];
    lanes high0 = sum->high[0];
    lanes high1 = sum->high[1];
    uint8_t last[FLETCHER_BLOCK_BYTES];
    while (size_bytes > 0) {
        if (size_bytes < FLETCHER_BLOCK_BYTES) {
            memset(last, 0, sizeof last);
            memcpy(last, at, size_bytes);
            at = last;
            size_bytes = FLETCHER_BLOCK_BYTES;
        }
        low0 += lanes_load(at);
        low1 += lanes_load(at + sizeof(lanes));
        high0 += low0;
        high1 += low1;
        at += FLETCHER_BLOCK_BYTES;
        size_bytes -= FLETCHER_BLOCK_BYTES;
    }
    *sum = (fletcher){.low = {low0, low1}, .high = {high0, high1}};
}

static uint64_t fletcher_end(const fletcher *sum)
{
    uint32_t low = 0;
    uint32_t high = 0;
    for (size_t lane = 0; lane < sizeof(fletcher) / sizeof(uint32_t); lane++) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)sum + lane * sizeof word, sizeof word);
        low += word;
        high += low;
    }
    return (uint64_t)high << 32 | low;
}

uint32_t pmem_slot_check(const pmem_slot *slot)
{
    fletcher sum = {.low = {{1}}}; /* so that zeros do not check themselves */
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
    fletcher sum = {.low = {{1}}};
    fletcher_add(&sum, (const uint8_t *)slot + facts, offsetof(pmem_slot, check) - facts);
    fletcher_add(&sum, meta, slot->meta_bytes);
    fletcher_add(&sum, payload, slot->size_bytes);
    return fletcher_end(&sum);
}
