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
        if (block->next == NULL)
            self->kept_classes[size_class / 64] &= ~((uint64_t)1 << size_class % 64);
        block->next = NULL;
    }
    return block;
}

static void kept_add(fallback *self, unsigned size_class, fallback_block *block)
{
    block->next = self->kept[size_class];
    self->kept[size_class] = block;
    self->kept_bytes += block->size_bytes;
    self->kept_classes[size_class / 64] |= (uint64_t)1 << size_class % 64;
}

/*
 * Takes kept blocks of classes above `size_class`, the largest first, until at most so many bytes
 * are kept or there is none.
 */
static fallback_block *kept_shrink(fallback *self, size_t bytes_max, int size_class)
{
    fallback_block *surplus = NULL;
    int word = (int)(sizeof self->kept_classes / sizeof self->kept_classes[0]) - 1;
    while (self->kept_bytes > bytes_max && word >= 0) {
        uint64_t classes = self->kept_classes[word];
        if (classes == 0) {
            word--;
            continue;
        }
        int largest = word * 64 + 63 - __builtin_clzll(classes);
        if (largest <= size_class)
            break;
        fallback_block *block = kept_take(self, (unsigned)largest);
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
        surplus = kept_shrink(self, self->bytes_max - self->held_bytes, -1);
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
    size_t room_bytes = self->bytes_max / 4;
    fallback_block *surplus = block;
    if (block->size_bytes <= room_bytes) { /* then larger ones make way, but none of its own size */
        surplus = kept_shrink(self, room_bytes - block->size_bytes, (int)size_class);
        if (self->kept_bytes + block->size_bytes <= room_bytes) {
            kept_add(self, size_class, block);
        } else {
            block->next = surplus;
            surplus = block;
        }
    }
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
    os_lock(&self->lock);
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
        bool any = (self->kept_classes[i / 64] >> i % 64 & 1) != 0;
        DP_ASSERT(any == (self->kept[i] != NULL));
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
