/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: see fallback.h.  Room is booked under the lock before memory is taken, so that two
 * threads never share the last bytes, and given back when there is none.
 */
#include "pool/fallback.h"

void fallback_init(fallback *self, size_t bytes_max)
{
    *self = (fallback){.bytes_max = bytes_max};
    os_mutex_init(&self->lock);
}

static void block_free(fallback_block *block)
{
    OS_UNPOISON(block->bytes, block->size_bytes);
    os_free(block);
}

static void chain_free(fallback_block *block)
{
    while (block != NULL) {
        fallback_block *next = block->next;
        block_free(block);
        block = next;
    }
}

void fallback_destroy(fallback *self)
{
    DP_ASSERT(self->held_bytes == 0 && self->gets == self->puts);
    chain_free(self->kept);
    os_mutex_destroy(&self->lock);
}

/* Takes the block that *link points to out of the chain. */
static fallback_block *kept_take(fallback *self, fallback_block **link)
{
    fallback_block *block = *link;
    *link = block->next;
    block->next = NULL;
    self->kept_bytes -= block->size_bytes;
    self->kept_count--;
    return block;
}

/* The last of the chain, which has one. */
static fallback_block **kept_oldest(fallback *self)
{
    fallback_block **link = &self->kept;
    while ((*link)->next != NULL)
        link = &(*link)->next;
    return link;
}

/*
 * Books size_bytes.  *block gets a kept one of that very size, or NULL; *surplus the kept ones that
 * had to make room.  False: there is none.
 */
static bool room_take(fallback *self, size_t size_bytes, fallback_block **block,
                      fallback_block **surplus)
{
    *block = NULL;
    *surplus = NULL;
    if (size_bytes > self->bytes_max || self->held_bytes > self->bytes_max - size_bytes)
        return false;
    fallback_block **link = &self->kept;
    while (*link != NULL && (*link)->size_bytes != size_bytes)
        link = &(*link)->next;
    if (*link != NULL)
        *block = kept_take(self, link);
    self->held_bytes += size_bytes;
    while (self->held_bytes + self->kept_bytes > self->bytes_max) {
        fallback_block *oldest = kept_take(self, kept_oldest(self));
        oldest->next = *surplus;
        *surplus = oldest;
    }
    self->gets++;
    return true;
}

fallback_block *fallback_get(fallback *self, size_t size_bytes)
{
    size_t block_bytes = size_class_bytes(size_class_of(size_bytes));
    fallback_block *block = NULL;
    fallback_block *surplus = NULL;
    os_lock(&self->lock);
    bool has_room = room_take(self, block_bytes, &block, &surplus);
    os_unlock(&self->lock);
    chain_free(surplus);
    if (!has_room)
        return NULL;
    if (block == NULL)
        block = os_aligned(alignof(fallback_block), sizeof *block + block_bytes);
    if (block == NULL) {
        os_lock(&self->lock);
        self->held_bytes -= block_bytes;
        self->gets--;
        os_unlock(&self->lock);
        return NULL;
    }
    block->next = NULL;
    block->size_bytes = block_bytes;
    OS_UNPOISON(block->bytes, block_bytes);
    return block;
}

void fallback_put(fallback *self, fallback_block *block)
{
    fallback_block *surplus = NULL;
    OS_POISON(block->bytes, block->size_bytes);
    os_lock(&self->lock);
    DP_ASSERT(self->held_bytes >= block->size_bytes);
    self->held_bytes -= block->size_bytes;
    self->puts++;
    if (self->kept_count == FALLBACK_KEPT_MAX)
        surplus = kept_take(self, kept_oldest(self));
    block->next = self->kept;
    self->kept = block;
    self->kept_bytes += block->size_bytes;
    self->kept_count++;
    os_unlock(&self->lock);
    chain_free(surplus);
}

void fallback_stats_read(fallback *self, fallback_stats *out)
{
    os_lock(&self->lock);
    *out = (fallback_stats){.gets = self->gets, .puts = self->puts, .held_bytes = self->held_bytes};
    os_unlock(&self->lock);
}

void fallback_check(fallback *self)
{
    size_t bytes = 0;
    unsigned count = 0;
    os_lock(&self->lock);
    for (const fallback_block *block = self->kept; block != NULL; block = block->next) {
        bytes += block->size_bytes;
        count++;
    }
    DP_ASSERT(bytes == self->kept_bytes && count == self->kept_count);
    DP_ASSERT(count <= FALLBACK_KEPT_MAX);
    DP_ASSERT(self->held_bytes + self->kept_bytes <= self->bytes_max);
    DP_ASSERT((self->held_bytes == 0) == (self->gets == self->puts));
    os_unlock(&self->lock);
}
