/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembering killers; see sandbox_block.h.  A death that lies longer back than its time is as if
 * it had never been, so nothing needs sweeping.
 */
#include "render/sandbox_block.h"

#include <string.h>

#include "pool/share_os.h"

void block_init(block_table *table)
{
    memset(table, 0, sizeof *table);
    share_random(table->key, sizeof table->key);
}

/* ---- SipHash-2-4 ---- */

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

uint64_t block_hash(const block_table *table, const void *bytes, size_t size_bytes)
{
    const uint8_t *at = bytes;
    uint64_t v[4] = {
        table->key[0] ^ UINT64_C(0x736f6d6570736575), table->key[1] ^ UINT64_C(0x646f72616e646f6d),
        table->key[0] ^ UINT64_C(0x6c7967656e657261), table->key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word;

    for (size_t left = size_bytes; left >= 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }
    word = (uint64_t)size_bytes << 56;
    for (unsigned i = 0; i < size_bytes % 8; i++) {
        word |= (uint64_t)at[i] << 8 * i;
    }
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- sources ---- */

static const block_source *source_find(const block_table *table, uint64_t hash, uint64_t size_bytes)
{
    for (unsigned i = 0; i < BLOCK_SOURCES; i++) {
        const block_source *s = &table->sources[i];
        if (s->size_bytes == size_bytes && s->hash == hash && size_bytes != 0) {
            return s;
        }
    }
    return NULL;
}

bool block_knows_size(const block_table *table, uint64_t size_bytes)
{
    for (unsigned i = 0; table->source_count > 0 && i < BLOCK_SOURCES; i++) {
        if (table->sources[i].size_bytes == size_bytes) {
            return true;
        }
    }
    return false;
}

static bool source_is_blocked(const block_source *s, uint64_t now_ns)
{
    return s->deaths >= BLOCK_SOURCE_DEATHS && now_ns - s->last_ns < BLOCK_SOURCE_NS;
}

bool block_has_source(const block_table *table, uint64_t hash, uint64_t size_bytes, uint64_t now_ns)
{
    const block_source *s = source_find(table, hash, size_bytes);
    return s != NULL && source_is_blocked(s, now_ns);
}

unsigned block_sources_now(const block_table *table, uint64_t now_ns)
{
    unsigned count = 0;
    for (unsigned i = 0; i < BLOCK_SOURCES; i++) {
        count += table->sources[i].size_bytes != 0 && source_is_blocked(&table->sources[i], now_ns);
    }
    return count;
}

/* The entry of the source, else a free one, else the oldest. */
static block_source *source_place(block_table *table, uint64_t hash, uint64_t size_bytes)
{
    block_source *oldest = &table->sources[0];
    for (unsigned i = 0; i < BLOCK_SOURCES; i++) {
        block_source *s = &table->sources[i];
        if (s->size_bytes == size_bytes && s->hash == hash) {
            return s;
        }
        if (oldest->size_bytes != 0 && (s->size_bytes == 0 || s->last_ns < oldest->last_ns)) {
            oldest = s;
        }
    }
    table->source_count += oldest->size_bytes == 0;
    *oldest = (block_source){.hash = hash, .size_bytes = size_bytes};
    return oldest;
}

/* ---- tenants ---- */

bool block_has_tenant(const block_table *table, uint64_t tenant, uint64_t now_ns)
{
    for (unsigned i = 0; tenant != 0 && i < BLOCK_TENANTS; i++) {
        const block_tenant *t = &table->tenants[i];
        if (t->tenant == tenant) {
            return t->deaths >= BLOCK_TENANT_DEATHS && now_ns - t->last_ns < BLOCK_TENANT_NS;
        }
    }
    return false;
}

static block_tenant *tenant_place(block_table *table, uint64_t tenant, uint64_t now_ns)
{
    block_tenant *oldest = &table->tenants[0];
    for (unsigned i = 0; i < BLOCK_TENANTS; i++) {
        block_tenant *t = &table->tenants[i];
        if (t->tenant == tenant && now_ns - t->first_ns < BLOCK_TENANT_WINDOW_NS) {
            return t;
        }
        /* Its window has passed: counted anew, in its own place, or it would be there twice. */
        if (t->tenant == tenant) {
            oldest = t;
            break;
        }
        if (oldest->tenant != 0 && (t->tenant == 0 || t->last_ns < oldest->last_ns)) {
            oldest = t;
        }
    }
    *oldest = (block_tenant){.tenant = tenant, .first_ns = now_ns};
    return oldest;
}

void block_note(block_table *table, uint64_t hash, uint64_t size_bytes, uint64_t tenant,
                uint64_t now_ns)
{
    if (size_bytes != 0) {
        block_source *s = source_place(table, hash, size_bytes);
        s->deaths = now_ns - s->last_ns < BLOCK_SOURCE_NS ? s->deaths + 1 : 1;
        s->last_ns = now_ns;
    }
    if (tenant != 0) {
        block_tenant *t = tenant_place(table, tenant, now_ns);
        t->deaths++;
        t->last_ns = now_ns;
    }
}
