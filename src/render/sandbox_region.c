/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory files between the daemon and a decoder process; see sandbox_region.h.
 *
 * The worker writes, so the file bears no F_SEAL_FUTURE_WRITE, which is why holes can be punched.
 */
#define _GNU_SOURCE /* fallocate */
#include "render/sandbox_region.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pool/memfd.h"
#include "pool/os.h"

dp_status region_make(size_t size_bytes, sandbox_region **out)
{
    sandbox_region *region = os_calloc(1, sizeof *region);
    if (region == NULL) {
        return DP_ERR_NOMEM;
    }
    void *bytes = NULL;
    const dp_status status =
        memfd_make("danpool picture", size_bytes, MEMFD_WRITE, &region->fd, &bytes);
    if (status != DP_OK) {
        os_free(region);
        return status;
    }
    region->bytes = bytes;
    region->size_bytes = size_bytes;
    *out = region;
    return DP_OK;
}

void region_free(sandbox_region *region)
{
    memfd_unmap(region->bytes, region->size_bytes);
    (void)close(region->fd);
    os_free(region);
}

void region_wipe(sandbox_region *region, size_t keep_bytes)
{
    const size_t touched_bytes =
        region->dirty_bytes > region->warm_bytes ? region->dirty_bytes : region->warm_bytes;
    if (touched_bytes <= keep_bytes) {
        memset(region->bytes, 0, region->dirty_bytes);
        region->warm_bytes = touched_bytes;
    } else {
        /* Of a file that is ours and large enough it cannot fail; if it does, nothing may stay. */
        if (fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                      (off_t)region->size_bytes) != 0) {
            memset(region->bytes, 0, region->size_bytes);
        }
        region->warm_bytes = 0;
    }
    region->dirty_bytes = 0;
}
