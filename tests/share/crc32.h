/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32 as zlib has it, so that consumers in other languages can use theirs.  Slow and short.
 */
#ifndef DP_TESTS_SHARE_CRC32_H
#define DP_TESTS_SHARE_CRC32_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t crc32_of(const void *bytes, size_t size)
{
    uint32_t table[256];
    uint32_t sum = UINT32_MAX;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t row = i;
        for (int bit = 0; bit < 8; bit++)
            row = (row >> 1) ^ ((row & 1) != 0 ? 0xedb88320u : 0);
        table[i] = row;
    }
    for (size_t i = 0; i < size; i++)
        sum = (sum >> 8) ^ table[(sum ^ ((const uint8_t *)bytes)[i]) & 255];
    return ~sum;
}

#endif
