/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: what stands in the pmem file, byte for byte, and its checksums.
 *
 * An object of the store is two pieces: a slot of 64 bytes in the directory (pmem_dir.h), which
 * holds the key and all facts, and an entry in the heap with the meta data and the content.  So
 * opening reads slots only.  In the machine's own byte order: libpmemobj refuses a file of another
 * machine.  Nothing here changes after it was published.
 *
 * The checksum is Fletcher's (J. G. Fletcher, "An Arithmetic Checksum for Serial Transmissions",
 * 1982) over 32-bit words, as libpmemobj uses for itself, in eight lanes that a vector unit adds at
 * once and that are summed the same way in the end.  It has to find torn and rotten pages, not an
 * attacker, and needs no further library.
 */
#ifndef DP_POOL_PMEM_ENTRY_H
#define DP_POOL_PMEM_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include <danpool/cache.h>

#define PMEM_PAYLOAD_ALIGNMENT 16u

typedef struct pmem_slot {
    uint64_t offset;   /* of the entry in the file */
    uint64_t sequence; /* grows with each commit */
    uint64_t size_bytes;
    uint8_t key[DP_CACHE_KEY_BYTES];
    uint16_t meta_bytes;
    uint8_t priority;
    uint8_t kind;
    uint32_t check; /* of all the fields before */
} pmem_slot;

typedef struct pmem_entry {
    uint64_t checksum; /* of the slot's facts (not its place), the meta data and the content */
    uint64_t sequence; /* the slot's */
    uint8_t bytes[];   /* meta data, rounded up, then content */
} pmem_entry;

/* Never reached by counting, so that a rotten number cannot make the next one wrap. */
#define PMEM_SEQUENCE_MAX (UINT64_MAX / 2)

/* Where the content starts behind the head of an entry. */
static inline size_t pmem_payload_offset(size_t meta_bytes)
{
    return (meta_bytes + PMEM_PAYLOAD_ALIGNMENT - 1) & ~(size_t)(PMEM_PAYLOAD_ALIGNMENT - 1);
}

static inline const uint8_t *pmem_payload(const pmem_entry *entry, size_t meta_bytes)
{
    return entry->bytes + pmem_payload_offset(meta_bytes);
}

/* The bytes that an entry takes in the heap; size_bytes must not be near SIZE_MAX. */
static inline size_t pmem_entry_bytes(size_t meta_bytes, size_t size_bytes)
{
    return sizeof(pmem_entry) + pmem_payload_offset(meta_bytes) + size_bytes;
}

uint32_t pmem_slot_check(const pmem_slot *slot);

/* Are the fields possible in a file of that size, and unharmed? */
bool pmem_slot_is_sound(const pmem_slot *slot, size_t file_bytes);

/* What entry->checksum must be for a slot and these bytes. */
uint64_t pmem_checksum(const pmem_slot *slot, const void *meta, const void *payload);

#endif
