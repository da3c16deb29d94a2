/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: the owner's side of a share: its memory, its buffers and its peers.
 *
 * Locks, in this order:
 *   reaping  a barrier over all cores lies between its holder's two looks at the grants, and nobody
 *            else's withdrawing may come between them
 *   lock     the slots and the counts
 *   space    which blocks are taken; a buffer's last dp_put() takes it, under `lock` or not
 * The grants' bounds are the configuration's, so nothing here grows.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pool/memfd.h"
#include "pool/os.h"
#include "pool/pool_internal.h"
#include "pool/share_internal.h"
#include "pool/share_os.h"
#include "pool/share_slot.h"
#include "pool/share_space.h"

#define SHARE_MEMFD_NAME "danpool share data"

/* share_space.first and .count of a buffer in its one cookie. */
#define COOKIE_COUNT_BITS 26u
_Static_assert((DP_SIZE_BYTES_MAX / SHARE_BLOCK_BYTES_MIN) < ((uint64_t)1 << COOKIE_COUNT_BITS) &&
                   SHARE_DATA_BYTES_MAX / SHARE_BLOCK_BYTES_MIN <= (uint64_t)1
                                                                       << (64u - COOKIE_COUNT_BITS),
               "a cookie holds any run of blocks");

struct dp_share {
    pthread_mutex_t reaping;
    pthread_mutex_t lock;
    pthread_mutex_t space_lock;
    dp_pool *pool;
    int data_fd; /* for reading; what peers get is made from it */
    char *data;
    share_layout layout; /* of every control, but for the peer */
    uint32_t peers_max;
    uint64_t serial;      /* of the last grant */
    dp_share_stats count; /* under lock: granted .. peers_dead */
    share_space space;
    uint64_t buffers; /* under space_lock */
    share_slot slots[];
};

/* ---- making ---- */

static bool config_is_valid(const dp_share_config *config)
{
    size_t block = config->block_bytes;
    return config->name != NULL && strlen(config->name) <= DP_SHARE_NAME_BYTES_MAX &&
           config->size_bytes > 0 && config->size_bytes <= SHARE_DATA_BYTES_MAX &&
           block >= SHARE_BLOCK_BYTES_MIN && block <= SHARE_BLOCK_BYTES_MAX &&
           (block & (block - 1)) == 0 && config->peers_max > 0 &&
           config->peers_max <= DP_SHARE_PEERS_MAX && config->grants_max > 0 &&
           config->grants_max <= DP_SHARE_GRANTS_MAX;
}

static share_layout layout_of(const dp_share_config *config)
{
    share_layout layout = {
        .data_bytes = os_align_up(config->size_bytes, SHARE_ALIGNMENT),
        .block_bytes = (uint32_t)config->block_bytes,
        .grants = config->grants_max,
        .lease_ms = config->lease_ms,
    };
    share_random(&layout.share_id, sizeof layout.share_id);
    memcpy(layout.name, config->name, strlen(config->name));
    share_layout_plan(&layout);
    return layout;
}

/* The memory and, to hand out, a description of it that is for reading only. */
static dp_status data_create(dp_share *share)
{
    int made = -1;
    void *data = NULL;
    dp_status status =
        memfd_make(SHARE_MEMFD_NAME, share->layout.data_bytes, MEMFD_READ, &made, &data);
    if (status != DP_OK)
        return status;
    status = share_fd_reopen(made, false, &share->data_fd);
    (void)close(made);
    if (status != DP_OK) {
        memfd_unmap(data, share->layout.data_bytes);
        return status;
    }
    share->data = data;
    return DP_OK;
}

dp_status dp_share_create(dp_pool *pool, const dp_share_config *config, dp_share **out)
{
    DP_ASSERT(pool != NULL && config != NULL && out != NULL);
    if (!config_is_valid(config))
        return DP_ERR_INVALID;
    if (pool_tier(pool, DP_TIER_SHM) == NULL)
        return DP_ERR_UNSUPPORTED;
    dp_share *share =
        os_calloc(1, sizeof *share + (size_t)config->peers_max * sizeof share->slots[0]);
    if (share == NULL)
        return DP_ERR_NOMEM;
    share->pool = pool;
    share->peers_max = config->peers_max;
    share->layout = layout_of(config);
    dp_status status =
        share_space_init(&share->space, share->layout.data_bytes / share->layout.block_bytes);
    if (status == DP_OK) {
        status = data_create(share);
        if (status != DP_OK)
            share_space_fini(&share->space);
    }
    if (status != DP_OK) {
        os_free(share);
        return status;
    }
    os_mutex_init(&share->reaping);
    os_mutex_init(&share->lock);
    os_mutex_init(&share->space_lock);
    *out = share;
    return DP_OK;
}

void dp_share_destroy(dp_share *share)
{
    if (share == NULL)
        return;
    for (uint32_t i = 0; i < share->peers_max; i++) {
        if (share->slots[i].id != 0)
            (void)share_slot_close(&share->slots[i]);
    }
    DP_ASSERT(share->buffers == 0 && share->space.used == 0);
    memfd_unmap(share->data, share->layout.data_bytes);
    (void)close(share->data_fd);
    share_space_fini(&share->space);
    os_mutex_destroy(&share->space_lock);
    os_mutex_destroy(&share->lock);
    os_mutex_destroy(&share->reaping);
    os_free(share);
}

/* ---- buffers ---- */

static void blocks_give(void *user, uint64_t cookie)
{
    dp_share *share = user;
    uint64_t count = cookie & (((uint64_t)1 << COOKIE_COUNT_BITS) - 1);
    os_lock(&share->space_lock);
    share_space_give(&share->space, cookie >> COOKIE_COUNT_BITS, count);
    share->buffers--;
    os_unlock(&share->space_lock);
}

static bool blocks_take(dp_share *share, uint64_t count, uint64_t *first)
{
    os_lock(&share->space_lock);
    bool taken = share_space_take(&share->space, count, first);
    if (taken)
        share->buffers++;
    os_unlock(&share->space_lock);
    return taken;
}

/* Takes in what every peer gave back, and closes the places of those that died.  Under `lock`. */
static void peers_collect(dp_share *share, bool dead_too)
{
    for (uint32_t i = 0; i < share->peers_max; i++) {
        share_slot *slot = &share->slots[i];
        if (slot->id == 0)
            continue;
        share->count.released += share_slot_collect(slot);
        if (dead_too && share_slot_is_dead(slot)) {
            /* Its last words may have come after we looked. */
            share->count.released += share_slot_collect(slot);
            share->count.dropped += share_slot_close(slot);
            share->count.peers_dead++;
        }
    }
}

dp_status dp_share_get(dp_share *share, size_t size_bytes, dp_buf **out)
{
    DP_ASSERT(share != NULL && out != NULL);
    if (size_bytes == 0)
        return DP_ERR_INVALID;
    if (size_bytes > DP_SIZE_BYTES_MAX || size_bytes > share->layout.data_bytes)
        return DP_ERR_TOO_LARGE;
    size_t block = share->layout.block_bytes;
    uint64_t count = (size_bytes + block - 1) / block;
    uint64_t first = 0;
    if (!blocks_take(share, count, &first)) {
        os_lock(&share->lock);
        peers_collect(share, true);
        os_unlock(&share->lock);
        if (!blocks_take(share, count, &first))
            return DP_ERR_QUOTA;
    }
    const buf_wrap_args args = {
        .tier = DP_TIER_SHM,
        .region = {.host = share->data + first * block, .size_bytes = count * block},
        .size_bytes = size_bytes,
        .writable = true,
        .release = blocks_give,
        .user = share,
        .cookie = first << COOKIE_COUNT_BITS | count,
    };
    dp_status status = buf_wrap(share->pool, &args, out);
    if (status != DP_OK)
        blocks_give(share, args.cookie);
    return status;
}

/* ---- peers ---- */

/* Peer numbers go round: slot i has i + peers_max, i + 2 peers_max ..., so that none comes twice.
 */
static share_slot *slot_of(dp_share *share, uint32_t peer)
{
    share_slot *slot = &share->slots[peer % share->peers_max];
    return peer != 0 && slot->id == peer ? slot : NULL;
}

static share_slot *slot_find_free(dp_share *share)
{
    uint32_t rounds_max = UINT32_MAX / share->peers_max - 1;
    for (uint32_t i = 0; i < share->peers_max; i++) {
        if (share->slots[i].id == 0 && share->slots[i].round < rounds_max)
            return &share->slots[i];
    }
    return NULL;
}

dp_status dp_share_invite(dp_share *share, dp_share_invitation *out)
{
    DP_ASSERT(share != NULL && out != NULL);
    int data_fd = fcntl(share->data_fd, F_DUPFD_CLOEXEC, 3);
    if (data_fd < 0)
        return DP_ERR_NOMEM;
    dp_share_invitation made = {.data_fd = data_fd};
    dp_status status = DP_ERR_QUOTA;
    os_lock(&share->lock);
    share_slot *slot = slot_find_free(share);
    if (slot == NULL) {
        peers_collect(share, true);
        slot = slot_find_free(share);
    }
    if (slot != NULL) {
        share_layout layout = share->layout;
        layout.peer = (slot->round + 1) * share->peers_max + (uint32_t)(slot - share->slots);
        made.peer = layout.peer;
        status = share_slot_open(slot, &layout, &made.control_fd);
        if (status == DP_OK)
            slot->round++;
    }
    os_unlock(&share->lock);
    if (status != DP_OK) {
        (void)close(data_fd);
        return status;
    }
    *out = made;
    return DP_OK;
}

dp_status dp_share_send(dp_share *share, int socket_fd, uint32_t *peer)
{
    DP_ASSERT(peer != NULL);
    dp_share_invitation made;
    dp_status status = dp_share_invite(share, &made);
    if (status != DP_OK)
        return status;
    status = share_fds_send(socket_fd, (const int[2]){made.control_fd, made.data_fd});
    (void)close(made.control_fd);
    (void)close(made.data_fd);
    if (status != DP_OK) {
        os_lock(&share->lock);
        share_slot *slot = slot_of(share, made.peer); /* NULL: found dead by another thread */
        if (slot != NULL)
            (void)share_slot_close(slot);
        os_unlock(&share->lock);
        return status;
    }
    *peer = made.peer;
    return DP_OK;
}

dp_status dp_share_drop(dp_share *share, uint32_t peer)
{
    DP_ASSERT(share != NULL);
    dp_status status = DP_ERR_NOT_FOUND;
    os_lock(&share->lock);
    share_slot *slot = slot_of(share, peer);
    if (slot != NULL) {
        share->count.released += share_slot_collect(slot);
        share->count.dropped += share_slot_close(slot);
        status = DP_OK;
    }
    os_unlock(&share->lock);
    return status;
}

/* ---- grants ---- */

/* Where a buffer of this share lies; false for any other. */
static bool offset_of(const dp_share *share, const dp_buf *buf, uint64_t *offset_bytes)
{
    uintptr_t at = (uintptr_t)dp_buf_data(buf);
    uintptr_t base = (uintptr_t)share->data;
    if (at < base || at - base >= share->layout.data_bytes)
        return false;
    *offset_bytes = at - base;
    return true;
}

dp_status share_export_at(dp_share *share, dp_buf *buf, uint32_t peer, uint64_t now_ns,
                          dp_share_token *out)
{
    DP_ASSERT(share != NULL && buf != NULL && out != NULL);
    uint64_t offset_bytes = 0;
    share_token token = {
        .share_id = share->layout.share_id, .size_bytes = dp_buf_size(buf), .peer = peer};
    if (!offset_of(share, buf, &offset_bytes) || token.size_bytes == 0)
        return DP_ERR_INVALID;
    os_lock(&share->lock);
    share_slot *slot = slot_of(share, peer);
    dp_status status = DP_ERR_NOT_FOUND;
    if (slot != NULL) {
        if (share_slot_is_full(slot))
            share->count.released += share_slot_collect(slot);
        token.serial = share->serial + 1;
        status = share_slot_grant(slot, buf, offset_bytes, now_ns, &token);
    }
    if (status == DP_OK) {
        share->serial++;
        share->count.granted++;
    }
    os_unlock(&share->lock);
    if (status == DP_OK)
        memcpy(out->bytes, &token, sizeof token);
    return status;
}

dp_status dp_share_export(dp_share *share, dp_buf *buf, uint32_t peer, dp_share_token *out)
{
    return share_export_at(share, buf, peer, os_clock_ns(), out);
}

dp_status dp_share_revoke(dp_share *share, const dp_share_token *token)
{
    DP_ASSERT(share != NULL && token != NULL);
    share_token given;
    memcpy(&given, token->bytes, sizeof given);
    if (given.share_id != share->layout.share_id || given.grant >= share->layout.grants)
        return DP_ERR_NOT_FOUND;
    os_lock(&share->reaping);
    os_lock(&share->lock);
    share_slot *slot = slot_of(share, given.peer);
    dp_status status = DP_ERR_NOT_FOUND;
    if (slot != NULL) {
        share->count.released += share_slot_collect(slot);
        status = share_slot_withdraw(slot, &given);
    }
    if (status == DP_OK) {
        os_unlock(&share->lock);
        share_barrier_all();
        os_lock(&share->lock);
        slot = slot_of(share, given.peer); /* it may have died and be another's by now */
        uint64_t ended = slot == NULL ? 0 : share_slot_judge(slot);
        share->count.revoked += ended;
        if (slot != NULL && ended == 0 && share_slot_has(slot, &given))
            status = DP_ERR_BUSY;
    }
    os_unlock(&share->lock);
    os_unlock(&share->reaping);
    return status;
}

/* ---- reaping ---- */

void share_reap_at(dp_share *share, uint64_t now_ns, dp_share_reaped *out)
{
    DP_ASSERT(share != NULL);
    uint64_t lease_ns = (uint64_t)share->layout.lease_ms * 1000000u;
    os_lock(&share->reaping);
    os_lock(&share->lock);
    const dp_share_stats before = share->count;
    peers_collect(share, true);
    uint64_t withdrawn = 0;
    for (uint32_t i = 0; i < share->peers_max && now_ns >= lease_ns; i++) {
        if (share->slots[i].id != 0)
            withdrawn += share_slot_withdraw_older(&share->slots[i], now_ns - lease_ns);
    }
    if (withdrawn > 0) {
        os_unlock(&share->lock);
        share_barrier_all();
        os_lock(&share->lock);
        for (uint32_t i = 0; i < share->peers_max; i++) {
            if (share->slots[i].id != 0)
                share->count.expired += share_slot_judge(&share->slots[i]);
        }
    }
    const dp_share_stats after = share->count;
    os_unlock(&share->lock);
    os_unlock(&share->reaping);
    if (out != NULL) {
        *out = (dp_share_reaped){.peers_dead = (uint32_t)(after.peers_dead - before.peers_dead),
                                 .released = after.released - before.released,
                                 .dropped = after.dropped - before.dropped,
                                 .expired = after.expired - before.expired};
    }
}

void dp_share_reap(dp_share *share, dp_share_reaped *out)
{
    share_reap_at(share, os_clock_ns(), out);
}

/* ---- asking ---- */

void dp_share_stats_read(dp_share *share, dp_share_stats *out)
{
    DP_ASSERT(share != NULL && out != NULL);
    os_lock(&share->lock);
    peers_collect(share, false);
    dp_share_stats stats = share->count;
    for (uint32_t i = 0; i < share->peers_max; i++) {
        stats.peers += share->slots[i].id != 0;
        stats.grants += share->slots[i].active;
    }
    os_lock(&share->space_lock);
    stats.size_bytes = share->layout.data_bytes;
    stats.used_bytes = share->space.used * share->layout.block_bytes;
    stats.buffers = share->buffers;
    os_unlock(&share->space_lock);
    os_unlock(&share->lock);
    *out = stats;
}

void share_check(dp_share *share)
{
    os_lock(&share->lock);
    os_lock(&share->space_lock);
    share_space_check(&share->space);
    DP_ASSERT(share->buffers <= share->space.used &&
              (share->buffers == 0) == (share->space.used == 0));
    uint64_t grants = 0;
    for (uint32_t i = 0; i < share->peers_max; i++) {
        share_slot_check(&share->slots[i]);
        grants += share->slots[i].active;
    }
    const dp_share_stats *count = &share->count;
    DP_ASSERT(count->granted ==
              grants + count->released + count->dropped + count->expired + count->revoked);
    os_unlock(&share->space_lock);
    os_unlock(&share->lock);
}
