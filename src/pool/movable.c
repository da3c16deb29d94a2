/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Map, unmap and migrate; movable.h draws the picture.
 *
 * Why dp_buf_data() may read the handle without the lock: the addresses are written when the first
 * map begins and the last one ends.  Whoever has it mapped took the lock after the former and
 * before the latter, so what he reads cannot change under him.  Nobody else may ask.
 *
 * Lock order: a handle's lock is held over nothing but the condition's wait; the layer's likewise.
 */
#include "pool/movable.h"

#include "pool/nvtx_mark.h"
#include "pool/pool_state.h"

struct movable_buf {
    dp_buf base; /* flags has BUF_MOVE, run is NULL */
    dp_pool *pool;
    movable_buf *next; /* while it is kept */
    dp_buf *block;     /* the only reference to it */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a move ended, or the last of the copies that it waits for */
    uint32_t maps;
    uint32_t copies;
    bool moving;
};

static movable_buf *movable_of(const dp_buf *buf)
{
    DP_ASSERT((buf->flags & BUF_MOVE) != 0);
    return (movable_buf *)(uintptr_t)buf;
}

dp_pool *movable_pool_of(const dp_buf *buf)
{
    return movable_of(buf)->pool;
}

/* ---- handles ---- */

void movable_layer_init(movable_layer *layer)
{
    *layer = (movable_layer){.kept = NULL};
    os_mutex_init(&layer->lock);
}

static void handle_free(movable_buf *self)
{
    pthread_cond_destroy(&self->changed);
    os_mutex_destroy(&self->lock);
    os_free(self);
}

void movable_layer_destroy(movable_layer *layer)
{
    DP_ASSERT(layer->live == 0); /* else a movable buffer is still held */
    while (layer->kept != NULL) {
        movable_buf *self = layer->kept;
        layer->kept = self->next;
        handle_free(self);
    }
    os_mutex_destroy(&layer->lock);
}

void movable_check(movable_layer *layer)
{
    unsigned count = 0;
    os_lock(&layer->lock);
    for (const movable_buf *self = layer->kept; self != NULL; self = self->next) {
        DP_ASSERT(buf_references(&self->base) == 0 && self->block == NULL);
        DP_ASSERT(self->maps == 0 && self->copies == 0 && !self->moving);
        count++;
    }
    DP_ASSERT(count == layer->kept_count && count <= MOVABLE_KEPT_MAX);
    os_unlock(&layer->lock);
}

/* A kept handle, else a new one; NULL when there is no memory. */
static movable_buf *handle_take(movable_layer *layer)
{
    os_lock(&layer->lock);
    movable_buf *self = layer->kept;
    if (self != NULL) {
        layer->kept = self->next;
        layer->kept_count--;
    }
    layer->live++;
    os_unlock(&layer->lock);
    if (self != NULL)
        return self;
    self = os_aligned(64, sizeof *self);
    if (self == NULL) {
        os_lock(&layer->lock);
        layer->live--;
        os_unlock(&layer->lock);
        return NULL;
    }
    os_mutex_init(&self->lock);
    pthread_cond_init(&self->changed, NULL);
    return self;
}

dp_status movable_wrap(movable_layer *layer, dp_pool *pool, dp_buf *block, dp_buf **out)
{
    movable_buf *self = handle_take(layer);
    if (self == NULL) {
        dp_put(block);
        return DP_ERR_NOMEM;
    }
    /* The capacity is what was asked for, since a block of another tier may be rounded otherwise.
     */
    self->base = (dp_buf){
        .references = 1,
        .size_bytes = block->size_bytes,
        .capacity_bytes = block->size_bytes,
        .tier = (uint8_t)dp_buf_tier(block),
        .row = atomic_load_explicit(&block->row, memory_order_relaxed),
        .epoch = atomic_load_explicit(&block->epoch, memory_order_relaxed),
        .site = atomic_load_explicit(&block->site, memory_order_relaxed),
        .flags = BUF_MOVE,
    };
    self->pool = pool;
    self->next = NULL;
    self->block = block;
    dp_buf_expect_long(block); /* it is the handle that is watched */
    self->maps = 0;
    self->copies = 0;
    self->moving = false;
    if (lease_set(&pool->life.leases, &self->base, &lease_default) != DP_OK) {
        atomic_store_explicit(&self->base.references, 0, memory_order_relaxed);
        movable_free(&self->base);
        return DP_ERR_NOMEM;
    }
    *out = &self->base;
    return DP_OK;
}

void movable_free(dp_buf *buf)
{
    movable_buf *self = movable_of(buf);
    movable_layer *layer = &self->pool->movables;
    DP_ASSERT(self->maps == 0); /* put while mapped */
    DP_ASSERT(self->copies == 0 && !self->moving);
    dp_put(self->block);
    self->block = NULL;
    os_lock(&layer->lock);
    bool keep = layer->kept_count < MOVABLE_KEPT_MAX;
    if (keep) {
        self->next = layer->kept;
        layer->kept = self;
        layer->kept_count++;
    }
    layer->live--;
    os_unlock(&layer->lock);
    if (!keep)
        handle_free(self);
}

/* ---- maps ---- */

/* Under the lock: a move under way ends first. */
static void move_wait(movable_buf *self)
{
    while (self->moving)
        pthread_cond_wait(&self->changed, &self->lock);
}

/* Pins the block if it has the address that is asked for. */
static bool map_begin(movable_buf *self, bool on_device)
{
    os_lock(&self->lock);
    move_wait(self);
    const dp_buf *block = self->block;
    bool has_address = on_device ? block->device != 0 : block->host != NULL;
    if (has_address && self->maps++ == 0) {
        self->base.host = block->host;
        self->base.device = block->device;
    }
    os_unlock(&self->lock);
    return has_address;
}

dp_status dp_buf_map(dp_buf *buf, void **host)
{
    if ((buf->flags & BUF_MOVE) != 0 && !map_begin(movable_of(buf), false))
        return DP_ERR_UNSUPPORTED;
    if (buf->host == NULL)
        return DP_ERR_UNSUPPORTED;
    *host = buf->host;
    return DP_OK;
}

dp_status dp_buf_map_device(dp_buf *buf, uint64_t *device)
{
    if ((buf->flags & BUF_MOVE) != 0 && !map_begin(movable_of(buf), true))
        return DP_ERR_UNSUPPORTED;
    if (buf->device == 0)
        return DP_ERR_UNSUPPORTED;
    *device = buf->device;
    return DP_OK;
}

void dp_buf_unmap(dp_buf *buf)
{
    if ((buf->flags & BUF_MOVE) == 0)
        return;
    movable_buf *self = movable_of(buf);
    os_lock(&self->lock);
    DP_ASSERT(self->maps > 0);
    if (--self->maps == 0) {
        self->base.host = NULL;
        self->base.device = 0;
    }
    os_unlock(&self->lock);
}

/* ---- copies ---- */

static dp_buf *copy_begin(movable_buf *self)
{
    os_lock(&self->lock);
    move_wait(self);
    self->copies++;
    dp_buf *block = self->block;
    os_unlock(&self->lock);
    return block;
}

static void copy_end(movable_buf *self)
{
    os_lock(&self->lock);
    if (--self->copies == 0)
        pthread_cond_broadcast(&self->changed);
    os_unlock(&self->lock);
}

dp_status movable_write(dp_buf *buf, size_t offset_bytes, const void *from, size_t size_bytes)
{
    movable_buf *self = movable_of(buf);
    dp_status status = dp_buf_write(copy_begin(self), offset_bytes, from, size_bytes);
    copy_end(self);
    return status;
}

dp_status movable_read(const dp_buf *buf, size_t offset_bytes, void *to, size_t size_bytes)
{
    movable_buf *self = movable_of(buf);
    dp_status status = dp_buf_read(copy_begin(self), offset_bytes, to, size_bytes);
    copy_end(self);
    return status;
}

/* Through one block of host memory, piece by piece. */
static dp_status copy_staged(dp_pool *pool, dp_buf *to, const dp_buf *from, size_t size_bytes)
{
    size_t stage_bytes = size_bytes < MOVABLE_STAGE_BYTES ? size_bytes : MOVABLE_STAGE_BYTES;
    dp_request request = {.size_bytes = stage_bytes, .need = DP_NEED_HOST};
    dp_buf *stage = NULL;
    dp_status status = dp_get(pool, &request, &stage);
    if (status != DP_OK)
        return status;
    for (size_t done = 0; status == DP_OK && done < size_bytes; done += stage_bytes) {
        size_t rest = size_bytes - done;
        size_t piece = rest < stage_bytes ? rest : stage_bytes;
        status = dp_buf_read(from, done, dp_buf_data(stage), piece);
        if (status == DP_OK)
            status = dp_buf_write(to, done, dp_buf_data(stage), piece);
    }
    dp_put(stage);
    return status;
}

dp_status buf_copy(dp_buf *to, dp_buf *from, size_t size_bytes)
{
    void *host = NULL;
    if (size_bytes == 0)
        return DP_OK;
    if (dp_buf_map(from, &host) == DP_OK) {
        dp_status status = dp_buf_write(to, 0, host, size_bytes);
        dp_buf_unmap(from);
        return status;
    }
    if (dp_buf_map(to, &host) == DP_OK) {
        dp_status status = dp_buf_read(from, 0, host, size_bytes);
        dp_buf_unmap(to);
        return status;
    }
    return copy_staged(buf_pool(to), to, from, size_bytes);
}

/* ---- moving ---- */

/* From here on nobody maps or copies; false when somebody has it mapped. */
static bool move_begin(movable_buf *self)
{
    os_lock(&self->lock);
    move_wait(self);
    bool is_free = self->maps == 0;
    if (is_free) {
        self->moving = true;
        while (self->copies > 0)
            pthread_cond_wait(&self->changed, &self->lock);
    }
    os_unlock(&self->lock);
    return is_free;
}

/* Puts `block` in the place of the old one, which it returns, unless it is NULL. */
static dp_buf *move_end(movable_buf *self, dp_buf *block)
{
    dp_buf *old = NULL;
    os_lock(&self->lock);
    if (block != NULL) {
        old = self->block;
        self->block = block;
        atomic_store_explicit(&self->base.tier, (uint8_t)dp_buf_tier(block), memory_order_relaxed);
    }
    self->moving = false;
    pthread_cond_broadcast(&self->changed);
    os_unlock(&self->lock);
    return old;
}

/* A block like the one that the handle has, in another tier. */
static dp_status block_like(const movable_buf *self, dp_tier_id tier, dp_buf **out)
{
    const dp_buf *handle = &self->base;
    unsigned row = atomic_load_explicit(&handle->row, memory_order_relaxed);
    dp_request request = {.size_bytes = handle->capacity_bytes,
                          .kind = (uint8_t)router_row_kind(row),
                          .priority = (uint8_t)router_row_priority(row),
                          .need = (uint8_t)router_row_need(row)};
    /* The charge moves with it; where its tenant has ended the new block is nobody's. */
    if ((self->block->flags & BUF_TENANT) != 0 &&
        tenant_exists(&self->pool->tenants, self->block->tenant))
        request.tenant = self->block->tenant;
    dp_buf *block = NULL;
    dp_status status = buf_get_in(self->pool, tier, &request, &block);
    if (status != DP_OK)
        return status;
    /* It was got where the buffer was, and it is the handle that is watched. */
    dp_buf_expect_long(block);
    atomic_store_explicit(&block->site, atomic_load_explicit(&handle->site, memory_order_relaxed),
                          memory_order_relaxed);
    *out = block;
    return DP_OK;
}

dp_status dp_buf_migrate(dp_buf *buf, dp_tier_id tier)
{
    if ((unsigned)tier >= DP_TIER_COUNT)
        return DP_ERR_INVALID;
    if ((buf->flags & BUF_MOVE) == 0)
        return dp_buf_tier(buf) == tier ? DP_OK : DP_ERR_UNSUPPORTED;
    movable_buf *self = movable_of(buf);
    if (!move_begin(self))
        return DP_ERR_BUSY;
    if (dp_buf_tier(buf) == tier) {
        (void)move_end(self, NULL);
        return DP_OK;
    }
    dp_tier_id from = dp_buf_tier(buf);
    dp_buf *block = NULL;
    nvtx_push(NVTX_MIGRATE, NVTX_CATEGORY(tier), buf->capacity_bytes);
    dp_status status = block_like(self, tier, &block);
    if (status == DP_OK)
        status = buf_copy(block, self->block, buf->capacity_bytes);
    nvtx_pop();
    if (status == DP_OK) {
        observe_migrate(&self->pool->observer, from, tier, buf->capacity_bytes);
        dp_put(move_end(self, block));
        return DP_OK;
    }
    (void)move_end(self, NULL);
    dp_put(block);
    return status;
}
