/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regions: the memory that the daemon and one decoder process both have mapped, made by the daemon,
 * sealed in its size, so that nobody's mapping can fault.
 *
 *     [source bytes, page aligned up][picture ............................ sparse to the end]
 *
 * A region belongs to one worker for its whole life and is never shown to another, so that what a
 * worker keeps mapped against the rules is its own old work.  Between two jobs its pages are wiped:
 * zeroed while they are few, given back to the system when they are many.
 *
 * Not thread safe: a region has one user at a time, its job or the sandbox's list.
 */
#ifndef DP_RENDER_SANDBOX_REGION_H
#define DP_RENDER_SANDBOX_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

/*
 * What the regions of one worker keep in pages between two jobs, together: to zero a page is ten
 * times cheaper than to fault it in twice, here and there.
 */
#define REGIONS_WARM_BYTES ((size_t)16 << 20)

typedef struct sandbox_region {
    uint8_t *bytes;
    size_t size_bytes;
    int fd;
    uint32_t slot;      /* its number at the worker */
    bool known;         /* the worker has its descriptor */
    bool is_out;        /* a job or a picture has it */
    size_t warm_bytes;  /* in pages, from 0 on, while nobody has it */
    size_t dirty_bytes; /* from 0 on; SIZE_MAX: nobody knows */
    struct sandbox *box;
    struct sandbox_worker *home; /* NULL: its worker is dead, and it goes with its last user */
} sandbox_region;

/* DP_ERR_NOMEM (memory or descriptors), DP_ERR_UNSUPPORTED (no sealed memory files). */
dp_status region_make(size_t size_bytes, sandbox_region **out);
void region_free(sandbox_region *region);

/* Wipes what the last job left, and gives pages back where more than keep_bytes were touched. */
void region_wipe(sandbox_region *region, size_t keep_bytes);

#endif
