/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who killed decoders lately: sources, by a keyed hash of their bytes, and tenants.
 *
 * A source that ended two workers, and a tenant whose pictures ended many in a minute, are turned
 * away for a while before they cost another one.  Both tables are of a fixed size and forget the
 * oldest, so an attacker with many sources bounds only how long each of them is remembered.
 * The hash is SipHash-2-4 (Aumasson and Bernstein, 2012) under a random key, so that nobody can
 * make a harmless picture of another person look like a killer.
 *
 * Not thread safe: the sandbox's lock.  Time is passed in.
 */
#ifndef DP_RENDER_SANDBOX_BLOCK_H
#define DP_RENDER_SANDBOX_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_SOURCES          256u
#define BLOCK_TENANTS          64u
#define BLOCK_SOURCE_DEATHS    2u
#define BLOCK_TENANT_DEATHS    8u
#define BLOCK_TENANT_WINDOW_NS UINT64_C(60000000000)
#define BLOCK_SOURCE_NS        UINT64_C(600000000000)
#define BLOCK_TENANT_NS        UINT64_C(60000000000)

typedef struct block_source {
    uint64_t hash;
    uint64_t size_bytes; /* 0: free */
    uint64_t last_ns;
    uint32_t deaths;
} block_source;

typedef struct block_tenant {
    uint64_t tenant; /* 0: free */
    uint32_t deaths;
    uint64_t first_ns, last_ns; /* of the deaths that are counted */
} block_tenant;

typedef struct block_table {
    uint64_t key[2];
    unsigned source_count; /* entries in use: 0 spares the hash */
    block_source sources[BLOCK_SOURCES];
    block_tenant tenants[BLOCK_TENANTS];
} block_table;

void block_init(block_table *table);

/* SipHash-2-4 of the bytes under the table's key; needs no lock. */
uint64_t block_hash(const block_table *table, const void *bytes, size_t size_bytes);

/* Whether a source of that size was ever remembered, so that its hash is worth making. */
bool block_knows_size(const block_table *table, uint64_t size_bytes);

/* Takes note of a death.  Tenant 0 is nobody in particular and never blocked. */
void block_note(block_table *table, uint64_t hash, uint64_t size_bytes, uint64_t tenant,
                uint64_t now_ns);

bool block_has_source(const block_table *table, uint64_t hash, uint64_t size_bytes,
                      uint64_t now_ns);
bool block_has_tenant(const block_table *table, uint64_t tenant, uint64_t now_ns);

/* How many sources are turned away now. */
unsigned block_sources_now(const block_table *table, uint64_t now_ns);

#endif
