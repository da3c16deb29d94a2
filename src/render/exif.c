/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader for one tag of one directory (Exif 2.32, section 4.6: IFD0, tag 0x0112, SHORT).
 *
 * Every offset comes from the file: each is compared with what is left before it is followed.
 */
#include "render/exif.h"

#include <stdbool.h>
#include <string.h>

#define HEADER_BYTES    6u
#define TAG_ORIENTATION 0x0112u
#define TYPE_SHORT      3u
#define ENTRY_BYTES     12u

typedef struct tiff {
    const uint8_t *bytes;
    size_t size_bytes;
    bool big_endian;
} tiff;

static unsigned read16(const tiff *t, size_t at)
{
    const unsigned a = t->bytes[at], b = t->bytes[at + 1];
    return t->big_endian ? a << 8 | b : b << 8 | a;
}

static uint32_t read32(const tiff *t, size_t at)
{
    const uint32_t a = read16(t, at), b = read16(t, at + 2);
    return t->big_endian ? a << 16 | b : b << 16 | a;
}

unsigned exif_orientation(const uint8_t *bytes, size_t size_bytes)
{
    const bool named = size_bytes >= HEADER_BYTES && memcmp(bytes, "Exif\0\0", HEADER_BYTES) == 0;
    const size_t skip = named ? HEADER_BYTES : 0;
    if (size_bytes < skip + 8 || (bytes[skip] != 'M' && bytes[skip] != 'I')) {
        return 1;
    }
    const tiff t = {bytes + skip, size_bytes - skip, bytes[skip] == 'M'};
    const size_t directory = read32(&t, 4);
    if (read16(&t, 2) != 42 || directory > t.size_bytes - 2) {
        return 1;
    }
    const size_t entries = read16(&t, directory);
    for (size_t i = 0; i < entries; i++) {
        const size_t at = directory + 2 + i * ENTRY_BYTES;
        if (at + ENTRY_BYTES > t.size_bytes) {
            return 1;
        }
        if (read16(&t, at) == TAG_ORIENTATION && read16(&t, at + 2) == TYPE_SHORT) {
            const unsigned orientation = read16(&t, at + 8);
            return orientation >= 1 && orientation <= 8 ? orientation : 1;
        }
    }
    return 1;
}
