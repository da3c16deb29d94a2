/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: a chained hash table under one lock; lease.h states what keeps a record and its buffer
 * together.  It grows where there is memory for it, and is only slower where there is none.
 */
#include "pool/lease.h"

#define SLOTS_START ((size_t)64)

const lease_terms lease_default = {.lease_ns = 0};

void lease_table_init(lease_table *table)
{
    *table = (lease_table){.id_next = 1};
    os_mutex_init(&table->lock);
    DP_ASSERT(pthread_cond_init(&table->idle, NULL) == 0);
}

void lease_table_destroy(lease_table *table)
{
    DP_ASSERT(table->count == 0);
    while (table->spare != NULL) {
        lease *record = table->spare;
        table->spare = record->next;
        os_free(record);
    }
    os_free(table->slots);
    DP_ASSERT(pthread_cond_destroy(&table->idle) == 0);
    os_mutex_destroy(&table->lock);
}

/* ---- all under the lock ---- */

static size_t slot_of(const dp_buf *buf, size_t slot_count)
{
    /* Descriptors are 64 bytes apart; Fibonacci hashing (Knuth 6.4) spreads what is above. */
    uint64_t hash = ((uint64_t)(uintptr_t)buf >> 6) * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) & (slot_count - 1);
}

/* The link that leads to the buffer's record, or to the NULL at its chain's end. */
static lease **link_of(const lease_table *table, const dp_buf *buf)
{
    DP_ASSERT(table->slots != NULL);
    lease **link = &table->slots[slot_of(buf, table->slot_count)];
    while (*link != NULL && (*link)->buf != buf)
        link = &(*link)->next;
    return link;
}

static lease *record_find(const lease_table *table, const dp_buf *buf)
{
    return table->slots == NULL ? NULL : *link_of(table, buf);
}

static void table_grow(lease_table *table)
{
    size_t slot_count = table->slots == NULL ? SLOTS_START : table->slot_count * 2;
    lease **slots = os_calloc(slot_count, sizeof(lease *));
    if (slots == NULL)
        return;
    for (size_t i = 0; i < table->slot_count; i++) {
        for (lease *record = table->slots[i], *next; record != NULL; record = next) {
            next = record->next;
            lease **slot = &slots[slot_of(record->buf, slot_count)];
            record->next = *slot;
            *slot = record;
        }
    }
    os_free(table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
}

static lease *record_take(lease_table *table)
{
    lease *record = table->spare;
    if (record == NULL)
        return os_calloc(1, sizeof *record);
    table->spare = record->next;
    table->spare_count--;
    return record;
}

static void record_drop(lease_table *table, lease *record)
{
    if (table->spare_count == LEASE_SPARE_MAX) {
        os_free(record);
        return;
    }
    record->next = table->spare;
    table->spare = record;
    table->spare_count++;
}

static lease *record_add(lease_table *table, dp_buf *buf)
{
    if (table->count >= table->slot_count)
        table_grow(table);
    lease *record = table->slots == NULL ? NULL : record_take(table);
    if (record == NULL)
        return NULL;
    lease **slot = &table->slots[slot_of(buf, table->slot_count)];
    *record = (lease){.next = *slot, .buf = buf, .id = table->id_next++};
    *slot = record;
    table->count++;
    buf->flags |= BUF_LEASE;
    return record;
}

/* True when this very thread is inside the record's `revoke`; else waits until nobody is. */
static bool wait_for_revoke(lease_table *table, const lease *record)
{
    while (record->running && !pthread_equal(record->runner, pthread_self()))
        DP_ASSERT(pthread_cond_wait(&table->idle, &table->lock) == 0);
    return record->running;
}

/* ---- what others call ---- */

dp_status lease_set(lease_table *table, dp_buf *buf, const lease_terms *terms)
{
    os_lock(&table->lock);
    lease *record = record_find(table, buf);
    if (record == NULL)
        record = record_add(table, buf);
    else
        (void)wait_for_revoke(table, record);
    if (record != NULL) {
        record->terms = *terms;
        record->noted = 0;
        record->revoked = false;
    }
    os_unlock(&table->lock);
    return record == NULL ? DP_ERR_NOMEM : DP_OK;
}

void lease_end(lease_table *table, dp_buf *buf)
{
    os_lock(&table->lock);
    lease *record = record_find(table, buf);
    DP_ASSERT(record != NULL);
    record->ended = wait_for_revoke(table, record);
    *link_of(table, buf) = record->next;
    table->count--;
    buf->flags &= (uint8_t)~BUF_LEASE;
    if (!record->ended)
        record_drop(table, record);
    os_unlock(&table->lock);
}

bool lease_covers(lease_table *table, const dp_buf *buf)
{
    os_lock(&table->lock);
    bool covers = record_find(table, buf) != NULL;
    os_unlock(&table->lock);
    return covers;
}

bool lease_walk_step(lease_table *table, size_t *slot, size_t slots_max, lease_visit *visit,
                     void *user)
{
    os_lock(&table->lock);
    bool enough = false;
    for (size_t i = 0; i < slots_max && *slot < table->slot_count && !enough; i++) {
        for (lease *record = table->slots[*slot]; record != NULL && !enough; record = record->next)
            enough = !visit(user, record);
        *slot += enough ? 0 : 1;
    }
    bool more = *slot < table->slot_count;
    os_unlock(&table->lock);
    return more;
}

bool lease_revoke(lease_table *table, const dp_buf *buf, uint64_t id)
{
    os_lock(&table->lock);
    lease *record = record_find(table, buf);
    bool call = record != NULL && record->id == id && !record->revoked &&
                record->terms.revoke != NULL &&
                atomic_load_explicit(&record->buf->references, memory_order_relaxed) != 0;
    if (call) {
        record->revoked = true;
        record->running = true;
        record->runner = pthread_self();
        lease_terms terms = record->terms;
        os_unlock(&table->lock);
        terms.revoke(terms.user, record->buf);
        os_lock(&table->lock);
        record->running = false;
        DP_ASSERT(pthread_cond_broadcast(&table->idle) == 0);
        if (record->ended)
            record_drop(table, record);
    }
    os_unlock(&table->lock);
    return call;
}
