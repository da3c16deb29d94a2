/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: which blocks of a share's data memory are taken.  One bit a block in private memory, so
 * that no peer can reach it.
 *
 * A taking searches on from where the last one ended, or from the lowest block that came back
 * since: what was used before is warm and has its pages.  It skips whole words, so that its cost is
 * the bitmap at worst, 4 KiB for 128 MiB in blocks of 4 KiB.  Not thread safe.
 */
#ifndef DP_POOL_SHARE_SPACE_H
#define DP_POOL_SHARE_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include <danpool/status.h>

typedef struct share_space {
    uint64_t *words; /* a set bit is a taken block; bits behind the last block are set */
    uint64_t blocks;
    uint64_t used;
    uint64_t next; /* where the next search begins */
} share_space;

/* DP_ERR_NOMEM. */
dp_status share_space_init(share_space *space, uint64_t blocks);
void share_space_fini(share_space *space);

/* Takes `count` blocks in a row; false when there is no such run. */
bool share_space_take(share_space *space, uint64_t count, uint64_t *first);

/* Gives them back; asserts that each was taken. */
void share_space_give(share_space *space, uint64_t first, uint64_t count);

/* Asserts that the bits are as many as `used` says. */
void share_space_check(const share_space *space);

#endif
