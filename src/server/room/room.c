/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The room table: finding, making and dropping rooms.  Windows, views and histories have files of
 * their own (room_internal.h).
 */
#include "server/room/room_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <danpool/tenant.h>

#include "pool/os.h"

dp_status room_table_create(const room_config *config, room_table **out)
{
    room_table *table = os_calloc(1, sizeof *table);
    if (table == NULL) {
        return DP_ERR_NOMEM;
    }
    table->config = *config;
    pthread_mutex_init(&table->lock, NULL);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    table->epoch_base_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    *out = table;
    return DP_OK;
}

static dp_room **bucket_of(room_table *table, const char *name)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a; room names are short and not secret */
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    }
    return &table->buckets[(hash ^ (hash >> 32)) % ROOM_BUCKETS];
}

static void room_destroy(dp_room *room)
{
    room_window_clear(room);
    room_hot_clear(room);
    merge_table_clear(&room->merges);
    for (unsigned i = 0; i < FORMAT_COUNT; i++) {
        batch_ring_clear(&room->outputs[i].ring);
    }
    if (room->tenant != 0) {
        (void)dp_tenant_destroy(room->table->config.pool, room->tenant);
    }
    pthread_mutex_destroy(&room->lock);
    os_free(room);
}

void room_table_sweep(room_table *table, uint64_t now_ns, uint64_t idle_ns)
{
    pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < ROOM_BUCKETS; i++) {
        dp_room **link = &table->buckets[i];
        while (*link != NULL) {
            dp_room *candidate = *link;
            if (candidate->references == 0 && now_ns - candidate->used_ns >= idle_ns) {
                *link = candidate->bucket_next;
                table->count--;
                room_destroy(candidate);
            } else {
                link = &candidate->bucket_next;
            }
        }
    }
    pthread_mutex_unlock(&table->lock);
}

void room_table_destroy(room_table *table)
{
    if (table == NULL) {
        return;
    }
    room_table_sweep(table, UINT64_MAX, 0);
    DP_ASSERT(table->count == 0);
    pthread_mutex_destroy(&table->lock);
    os_free(table);
}

size_t room_table_count(room_table *table)
{
    pthread_mutex_lock(&table->lock);
    size_t count = table->count;
    pthread_mutex_unlock(&table->lock);
    return count;
}

/*
 * Messages are charged, batches are not: those are bounded by the ring, and a room whose history
 * fills its quota must still be able to send.
 */
static dp_status tenant_create(const room_config *config, const char *name, uint16_t *id)
{
    if (config->quota_bytes_max == 0) {
        return DP_OK;
    }
    size_t quotas[DP_TIER_COUNT];
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        quotas[tier] = config->quota_bytes_max;
    }
    return dp_tenant_create(config->pool, name, quotas, id);
}

static dp_status room_create(room_table *table, const char *name, dp_room **out)
{
    const room_config *config = &table->config;
    if (table->count >= config->rooms_max) {
        return DP_ERR_BUSY;
    }
    dp_room *made = os_calloc(1, sizeof *made);
    if (made == NULL) {
        return DP_ERR_NOMEM;
    }
    dp_status status = tenant_create(config, name, &made->tenant);
    if (status != DP_OK) {
        os_free(made);
        return status;
    }
    made->table = table;
    made->settings = config->settings;
    room_budget_fill(&made->budget, config->settings.display_per_s, 0);
    for (unsigned i = 0; i < FORMAT_COUNT; i++) {
        batch_ring_init(&made->outputs[i].ring, config->ring_batches, config->ring_bytes_max);
    }
    pthread_mutex_init(&made->lock, NULL);
    snprintf(made->name, sizeof made->name, "%s", name);
    /* Rooms made and dropped within one run must not share an epoch either. */
    snprintf(made->epoch, sizeof made->epoch, "%" PRIx64, table->epoch_base_ms + table->made++);
    *out = made;
    return DP_OK;
}

dp_status room_acquire(room_table *table, const char *name, bool create, dp_room **out)
{
    dp_status status = DP_OK;
    pthread_mutex_lock(&table->lock);
    dp_room **bucket = bucket_of(table, name);
    dp_room *found = *bucket;
    while (found != NULL && strcmp(found->name, name) != 0) {
        found = found->bucket_next;
    }
    if (found == NULL && !create) {
        status = DP_ERR_NOT_FOUND;
    } else if (found == NULL) {
        status = room_create(table, name, &found);
        if (status == DP_OK) {
            found->bucket_next = *bucket;
            *bucket = found;
            table->count++;
        }
    }
    if (status == DP_OK) {
        found->references++;
        *out = found;
    }
    pthread_mutex_unlock(&table->lock);
    return status;
}

void room_hold(dp_room *room)
{
    pthread_mutex_lock(&room->table->lock);
    DP_ASSERT(room->references > 0);
    room->references++;
    pthread_mutex_unlock(&room->table->lock);
}

void room_release(dp_room *room)
{
    room_table *table = room->table;
    pthread_mutex_lock(&table->lock);
    DP_ASSERT(room->references > 0);
    room->references--;
    room->used_ns = os_clock_ns();
    pthread_mutex_unlock(&table->lock);
}

const char *room_name(const dp_room *room)
{
    return room->name;
}

const char *room_epoch(const dp_room *room)
{
    return room->epoch;
}

static uint64_t room_bytes(dp_room *room)
{
    pthread_mutex_lock(&room->lock);
    uint64_t bytes = room->hot.bytes + room->window.bytes;
    for (unsigned i = 0; i < FORMAT_COUNT; i++) {
        bytes += room->outputs[i].ring.bytes;
    }
    pthread_mutex_unlock(&room->lock);
    return bytes;
}

uint64_t room_table_bytes(room_table *table)
{
    uint64_t bytes = 0;
    pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < ROOM_BUCKETS; i++) {
        for (dp_room *room = table->buckets[i]; room != NULL; room = room->bucket_next) {
            bytes += room_bytes(room);
        }
    }
    pthread_mutex_unlock(&table->lock);
    return bytes;
}

void room_table_set(room_table *table, const room_settings *settings)
{
    pthread_mutex_lock(&table->lock);
    table->config.settings = *settings;
    pthread_mutex_unlock(&table->lock);
}

void room_set(dp_room *room, const room_settings *settings)
{
    pthread_mutex_lock(&room->lock);
    room->settings = *settings;
    pthread_mutex_unlock(&room->lock);
}

bool room_needs_version(dp_room *room, uint64_t version)
{
    return atomic_load_explicit(&room->settings_version, memory_order_relaxed) != version &&
           atomic_exchange_explicit(&room->settings_version, version, memory_order_relaxed) !=
               version;
}

void room_get(dp_room *room, room_settings *out)
{
    pthread_mutex_lock(&room->lock);
    *out = room->settings;
    pthread_mutex_unlock(&room->lock);
}
