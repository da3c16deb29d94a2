/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: opens or makes the pool file behind the pmem tier, and tells its failures apart.
 */
#ifndef DP_POOL_PMEM_FILE_H
#define DP_POOL_PMEM_FILE_H

#include <stddef.h>

#include <libpmemobj/base.h>

#include <danpool/status.h>

#define PMEM_FILE_LAYOUT       "danpool.v2"
#define PMEM_FILE_BYTES_MIN    ((size_t)16 << 20)
#define PMEM_FILE_DETAIL_BYTES 96

/*
 * Opens the pool file at `path`; makes one of `size_bytes` when there is none.  A file that is
 * there is never written to unless it is a sound pool of our layout.
 *
 * Errors, in words in `detail`: DP_ERR_INVALID (size), DP_ERR_CORRUPT (damaged or not ours),
 * DP_ERR_BUSY (open in another process, or twice in this one), DP_ERR_IO (no space, no right, no
 * such directory).  *file_bytes gets the size that it has.  The caller closes *out with
 * pmemobj_close().  Cost: a walk over the heap's chunk headers; making a file allocates all of its
 * blocks.
 */
dp_status pmem_file_open(const char *path, size_t size_bytes, char detail[PMEM_FILE_DETAIL_BYTES],
                         PMEMobjpool **out, size_t *file_bytes);

#endif
