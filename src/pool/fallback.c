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
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        chain_free(self->kept[i]);
    os_mutex_destroy(&self->lock);
}

/* A kept block of that class, NULL when there is none. */
static fallback_block *kept_take(fallback *self, unsigned size_class)
{
    fallback_block *block = self->kept[size_class];
    if (block != NULL) {
        self->kept[size_class] = block->next;
        self->kept_bytes -= block->size_bytes;
        block->next = NULL;
    }
    return block;
}

/* Takes kept blocks, the largest first, until the bound is kept, or until all of them are taken. */
static fallback_block *kept_shrink(fallback *self)
{
    fallback_block *surplus = NULL;
    unsigned size_class = SIZE_CLASS_COUNT;
    while (self->held_bytes + self->kept_bytes > self->bytes_max && size_class > 0) {
        fallback_block *block = kept_take(self, size_class - 1);
        if (block == NULL) {
            size_class--;
            continue;
        }
        block->next = surplus;
        surplus = block;
    }
    return surplus;
}

fallback_block *fallback_get(fallback *self, size_t size_bytes)
{
    unsigned size_class = size_class_of(size_bytes);
    size_t block_bytes = size_class_bytes(size_class);
    fallback_block *block = NULL;
    fallback_block *surplus = NULL;
    os_lock(&self->lock);
    bool fits = block_bytes <= self->bytes_max && self->held_bytes <= self->bytes_max - block_bytes;
    if (fits) {
        self->held_bytes += block_bytes;
        self->gets++;
        block = kept_take(self, size_class);
        surplus = kept_shrink(self);
    }
    os_unlock(&self->lock);
    chain_free(surplus);
    if (!fits)
        return NULL;
    if (block == NULL) {
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
    }
    OS_UNPOISON(block->bytes, block_bytes);
    return block;
}

void fallback_put(fallback *self, fallback_block *block)
{
    unsigned size_class = size_class_of(block->size_bytes);
    OS_POISON(block->bytes, block->size_bytes);
    os_lock(&self->lock);
    DP_ASSERT(self->held_bytes >= block->size_bytes);
    self->held_bytes -= block->size_bytes;
    self->puts++;
    bool keeps = self->kept_bytes + block->size_bytes <= self->bytes_max / 4;
    if (keeps) {
        block->next = self->kept[size_class];
        self->kept[size_class] = block;
        self->kept_bytes += block->size_bytes;
    }
    os_unlock(&self->lock);
    if (!keeps)
        block_free(block);
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
    os_lock(&self->lock);
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
        for (const fallback_block *block = self->kept[i]; block != NULL; block = block->next) {
            DP_ASSERT(block->size_bytes == size_class_bytes(i));
            bytes += block->size_bytes;
        }
    }
    DP_ASSERT(bytes == self->kept_bytes);
    DP_ASSERT(self->held_bytes + self->kept_bytes <= self->bytes_max);
    DP_ASSERT((self->held_bytes == 0) == (self->gets == self->puts));
    os_unlock(&self->lock);
}
