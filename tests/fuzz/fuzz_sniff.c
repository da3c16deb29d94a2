/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the first look at a file and the EXIF reader, which get bytes before anything else.
 */
#include <stdlib.h>
#include <string.h>

#include "render/exif.h"
#include "render/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const dp_media_format format = dp_media_sniff(data, size);
    const unsigned orientation = exif_orientation(data, size);

    if ((unsigned)format >= DP_MEDIA_FORMAT_COUNT || orientation < 1 || orientation > 8) {
        abort();
    }
    return 0;
}
