/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: the bitmap behind share_space.h.  Bits behind the last block are set from the start, so
 * that no search has to look for the end; give and take assert that every bit really turns.
 */
#include "pool/share_space.h"

#include "pool/os.h"

#define WORD_BITS 64u

/* Bits first .. first + count - 1 of a word; 1 <= count, first + count <= 64. */
static uint64_t mask_of(unsigned first, unsigned count)
{
    return (~(uint64_t)0 >> (WORD_BITS - count)) << first;
}

dp_status share_space_init(share_space *space, uint64_t blocks)
{
    DP_ASSERT(blocks > 0);
    uint64_t words = (blocks + WORD_BITS - 1) / WORD_BITS;
    *space = (share_space){.words = os_calloc(words, sizeof(uint64_t)), .blocks = blocks};
    if (space->words == NULL)
        return DP_ERR_NOMEM;
    unsigned tail = (unsigned)(blocks % WORD_BITS);
    if (tail != 0)
        space->words[words - 1] = ~mask_of(0, tail);
    return DP_OK;
}

void share_space_fini(share_space *space)
{
    os_free(space->words);
    space->words = NULL;
}

/* The first block at or behind `from` whose bit is `taken`, at most `end`. */
static uint64_t find_bit(const share_space *space, uint64_t from, uint64_t end, bool taken)
{
    while (from < end) {
        uint64_t word = space->words[from / WORD_BITS];
        word = (taken ? word : ~word) >> (from % WORD_BITS);
        if (word != 0) {
            uint64_t at = from + (unsigned)__builtin_ctzll(word);
            return at < end ? at : end;
        }
        from = (from / WORD_BITS + 1) * WORD_BITS;
    }
    return end;
}

static bool find_run(const share_space *space, uint64_t from, uint64_t count, uint64_t *first)
{
    uint64_t at = find_bit(space, from, space->blocks, false);
    while (at < space->blocks && count <= space->blocks - at) {
        uint64_t taken = find_bit(space, at, at + count, true);
        if (taken == at + count) {
            *first = at;
            return true;
        }
        at = find_bit(space, taken, space->blocks, false);
    }
    return false;
}

/* Turns `count` bits over, asserting that all were what they are no longer. */
static void turn(share_space *space, uint64_t first, uint64_t count, bool taken)
{
    DP_ASSERT(count > 0 && first < space->blocks && count <= space->blocks - first);
    for (uint64_t at = first, end = first + count; at < end;) {
        unsigned bit = (unsigned)(at % WORD_BITS);
        uint64_t left = end - at;
        unsigned here = left < WORD_BITS - bit ? (unsigned)left : WORD_BITS - bit;
        uint64_t mask = mask_of(bit, here);
        uint64_t *word = &space->words[at / WORD_BITS];
        DP_ASSERT((*word & mask) == (taken ? 0 : mask));
        *word ^= mask;
        at += here;
    }
}

bool share_space_take(share_space *space, uint64_t count, uint64_t *first)
{
    DP_ASSERT(count > 0);
    if (count > space->blocks - space->used)
        return false;
    if (!find_run(space, space->next, count, first) && !find_run(space, 0, count, first))
        return false;
    turn(space, *first, count, true);
    space->used += count;
    space->next = *first + count;
    return true;
}

void share_space_give(share_space *space, uint64_t first, uint64_t count)
{
    turn(space, first, count, false);
    space->used -= count;
    if (first < space->next)
        space->next = first;
}

void share_space_check(const share_space *space)
{
    uint64_t used = 0;
    for (uint64_t i = 0; i < (space->blocks + WORD_BITS - 1) / WORD_BITS; i++)
        used += (unsigned)__builtin_popcountll(space->words[i]);
    uint64_t tail = space->blocks % WORD_BITS;
    DP_ASSERT(used - (tail == 0 ? 0 : WORD_BITS - tail) == space->used);
    DP_ASSERT(space->used <= space->blocks && space->next <= space->blocks);
}
