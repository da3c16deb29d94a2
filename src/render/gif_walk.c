/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See gif_walk.h.  After the GIF89a specification: extensions (23 .. 26), image descriptors (20),
 * chains of data blocks (15).
 */
#include "render/gif_walk.h"

#define SCREEN_FLAGS_AT  10u
#define EXTENSION        0x21u
#define DESCRIPTOR       0x2cu
#define DESCRIPTOR_BYTES 10u /* its last byte has the flags of a colour table */

/* Bytes of a colour table, by the flags that announce it. */
static size_t colours_bytes(unsigned flags)
{
    return (flags & 0x80u) != 0 ? (size_t)3 << ((flags & 7u) + 1) : 0;
}

/* Steps over a chain of data blocks; false when the file ends in it. */
static bool skip_blocks(media_bytes file, size_t *at)
{
    while (*at < file.size_bytes) {
        const size_t length = file.data[*at];
        *at += length + 1;
        if (length == 0) {
            return true;
        }
    }
    return false;
}

uint32_t gif_walk_frames(media_bytes file)
{
    size_t at = GIF_SCREEN_BYTES + colours_bytes(file.data[SCREEN_FLAGS_AT]);
    uint32_t frames = 0;

    while (at + DESCRIPTOR_BYTES <= file.size_bytes && frames <= PICTURE_FRAMES_MAX) {
        if (file.data[at] == EXTENSION) {
            at += 2; /* and its label */
        } else if (file.data[at] == DESCRIPTOR) {
            frames++;
            /* Behind the colours: the size of codes. */
            at += DESCRIPTOR_BYTES + colours_bytes(file.data[at + DESCRIPTOR_BYTES - 1]) + 1;
        } else {
            break;
        }
        if (!skip_blocks(file, &at)) {
            break;
        }
    }
    return frames > 0 ? frames : 1;
}
