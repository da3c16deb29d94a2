/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a pack; its bytes are a file's, so every scene is looked at as it is opened.
 */
#include "render/svg/scene_pack.h"

#include <string.h>

#include "pool/os.h"

#define PACK_ALIGNMENT 8u

size_t scene_pack_bytes(size_t size_bytes)
{
    return os_align_up(size_bytes, PACK_ALIGNMENT);
}

dp_status scene_pack_next(const void *pack, size_t size_bytes, size_t *offset, scene *out)
{
    const uint8_t *at = (const uint8_t *)pack + *offset;
    const size_t left = size_bytes - *offset;
    scene_header header;

    if (left == 0) {
        return DP_ERR_NOT_FOUND;
    }
    if (left < sizeof header) {
        return DP_ERR_CORRUPT;
    }
    memcpy(&header, at, sizeof header);
    if (header.size_bytes < sizeof header || scene_pack_bytes(header.size_bytes) > left) {
        return DP_ERR_CORRUPT;
    }
    const dp_status status = scene_open(at, header.size_bytes, out);
    if (status == DP_OK) {
        *offset += scene_pack_bytes(header.size_bytes);
    }
    return status;
}
