/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets in sets of seven ways, two cache lines each with their lock, chosen by the key; beside
 * them a table of connections by address, open addressed and exact, which is touched only when
 * somebody comes or goes.
 *
 * full_ns of a bucket: when it is full again.  It may be at most burst intervals ahead of now; each
 * take moves it one interval on.  Interval and burst are read from atomics, since a reload may
 * change them while others take: a mix of old and new in one take does no harm.
 */
#include "server/gate/limits.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "pool/os.h"

#define WAYS        7u
#define SECOND_NS   1000000000u
#define OWN_BURST_S 2u

typedef struct bucket {
    uint64_t key; /* 0 = free */
    uint64_t full_ns;
} bucket;

typedef struct bucket_set {
    _Alignas(64) _Atomic bool is_taken;
    bucket ways[WAYS];
} bucket_set;

/* Connections of one address; key 0 = free. */
typedef struct address_count {
    uint64_t key;
    uint32_t count;
} address_count;

struct limits_table {
    bucket_set *sets;
    size_t set_count; /* a power of two */
    _Atomic uint32_t per_s[LIMITS_KIND_COUNT];
    _Atomic uint32_t burst[LIMITS_KIND_COUNT];
    _Atomic uint32_t tarpit_ms_max;
    _Atomic uint32_t address_connections_max;
    pthread_mutex_t address_lock;
    address_count *addresses;
    size_t address_slots; /* a power of two, twice what is ever used */
    size_t address_used;
};

static size_t power_of_two(size_t least)
{
    size_t size = 16;
    while (size < least) {
        size *= 2;
    }
    return size;
}

dp_status limits_create(const limits_config *config, limits_table **out)
{
    limits_table *all = os_aligned(64, sizeof *all);
    if (all == NULL) {
        return DP_ERR_NOMEM;
    }
    memset(all, 0, sizeof *all);
    os_mutex_init(&all->address_lock);
    all->set_count = power_of_two(config->buckets_max / WAYS + 1);
    all->address_slots = power_of_two(2 * config->connections_max);
    all->sets = os_pages_map(all->set_count * sizeof *all->sets);
    all->addresses = os_pages_map(all->address_slots * sizeof *all->addresses);
    if (all->sets == NULL || all->addresses == NULL) {
        limits_destroy(all);
        return DP_ERR_NOMEM;
    }
    limits_configure(all, config);
    *out = all;
    return DP_OK;
}

void limits_destroy(limits_table *all)
{
    if (all == NULL) {
        return;
    }
    if (all->sets != NULL) {
        os_pages_unmap(all->sets, all->set_count * sizeof *all->sets);
    }
    if (all->addresses != NULL) {
        os_pages_unmap(all->addresses, all->address_slots * sizeof *all->addresses);
    }
    os_mutex_destroy(&all->address_lock);
    os_free(all);
}

static void set_number(_Atomic uint32_t *to, uint32_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static uint32_t number(const _Atomic uint32_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

void limits_configure(limits_table *all, const limits_config *config)
{
    for (size_t kind = 0; kind < LIMITS_KIND_COUNT; kind++) {
        uint32_t burst = config->rates[kind].burst;
        set_number(&all->per_s[kind], config->rates[kind].per_s);
        set_number(&all->burst[kind], burst == 0 ? 1 : burst);
    }
    set_number(&all->tarpit_ms_max, config->tarpit_ms_max);
    set_number(&all->address_connections_max, config->address_connections_max);
}

/* Keys are good hashes already; the kinds only have to part ways. */
static uint64_t key_of(limits_kind kind, uint64_t key)
{
    key ^= (uint64_t)(kind + 1) * 0x9E3779B97F4A7C15u;
    return key == 0 ? 1 : key;
}

static bucket_set *set_take(limits_table *all, uint64_t key)
{
    bucket_set *set = &all->sets[key >> 32 & (all->set_count - 1)];
    while (atomic_exchange_explicit(&set->is_taken, true, memory_order_acquire)) {
        sched_yield();
    }
    return set;
}

static void set_give(bucket_set *set)
{
    atomic_store_explicit(&set->is_taken, false, memory_order_release);
}

/* The key's bucket.  A new one takes a free place, else that of the one that is the fullest. */
static bucket *bucket_of(bucket_set *set, uint64_t key)
{
    bucket *oldest = &set->ways[0];
    for (size_t i = 0; i < WAYS; i++) {
        bucket *at = &set->ways[i];
        if (at->key == key) {
            return at;
        }
        if (at->full_ns < oldest->full_ns) {
            oldest = at;
        }
    }
    *oldest = (bucket){.key = key};
    return oldest;
}

static uint32_t to_ms(uint64_t ns)
{
    uint64_t ms = (ns + 999999) / 1000000;
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

bool limits_take(limits_table *all, limits_kind kind, uint64_t key, uint32_t own_per_s,
                 uint64_t now_ns, uint32_t *retry_ms)
{
    uint32_t per_s = own_per_s > 0 ? own_per_s : number(&all->per_s[kind]);
    if (per_s == 0) {
        return true;
    }
    uint64_t interval_ns = SECOND_NS / per_s;
    uint64_t burst = own_per_s > 0 ? (uint64_t)OWN_BURST_S * own_per_s : number(&all->burst[kind]);
    uint64_t ahead_ns_max = (burst - 1) * interval_ns;
    key = key_of(kind, key);
    bucket_set *set = set_take(all, key);
    bucket *mine = bucket_of(set, key);
    uint64_t full_ns = mine->full_ns > now_ns ? mine->full_ns : now_ns;
    bool is_taken = full_ns - now_ns <= ahead_ns_max;
    if (is_taken) {
        mine->full_ns = full_ns + interval_ns;
    } else {
        *retry_ms = to_ms(full_ns - now_ns - ahead_ns_max);
    }
    set_give(set);
    return is_taken;
}

uint32_t limits_tarpit_ms(limits_table *all, const identity_address *address, uint64_t now_ns)
{
    uint32_t per_s = number(&all->per_s[LIMITS_CONNECT]);
    if (per_s == 0) {
        return 0;
    }
    uint64_t interval_ns = SECOND_NS / per_s;
    uint64_t free_ns = number(&all->burst[LIMITS_CONNECT]) * interval_ns;
    uint64_t most_ns = free_ns + number(&all->tarpit_ms_max) * (uint64_t)1000000;
    uint64_t key = key_of(LIMITS_CONNECT, identity_address_key(address));
    bucket_set *set = set_take(all, key);
    bucket *mine = bucket_of(set, key);
    uint64_t ahead_ns = (mine->full_ns > now_ns ? mine->full_ns - now_ns : 0) + interval_ns;
    /* A debt beyond the longest delay would only punish those who come later. */
    ahead_ns = ahead_ns > most_ns ? most_ns : ahead_ns;
    mine->full_ns = now_ns + ahead_ns;
    set_give(set);
    return ahead_ns > free_ns ? to_ms(ahead_ns - free_ns) : 0;
}

/* The address's entry, or the free one where it would stand. */
static size_t address_find(const limits_table *all, uint64_t key)
{
    size_t at = key & (all->address_slots - 1);
    while (all->addresses[at].key != 0 && all->addresses[at].key != key) {
        at = (at + 1) & (all->address_slots - 1);
    }
    return at;
}

/* Frees an entry and moves those up that its place had pushed on. */
static void address_remove(limits_table *all, size_t at)
{
    size_t mask = all->address_slots - 1;
    for (size_t next = (at + 1) & mask; all->addresses[next].key != 0; next = (next + 1) & mask) {
        size_t home = all->addresses[next].key & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            all->addresses[at] = all->addresses[next];
            at = next;
        }
    }
    all->addresses[at] = (address_count){.key = 0};
    all->address_used--;
}

bool limits_connect(limits_table *all, const identity_address *address)
{
    uint32_t most = number(&all->address_connections_max);
    uint64_t key = identity_address_key(address);
    os_lock(&all->address_lock);
    address_count *mine = &all->addresses[address_find(all, key)];
    bool is_new = mine->key == 0;
    bool is_counted = (most == 0 || mine->count < most) &&
                      (!is_new || all->address_used < all->address_slots / 2);
    if (is_counted) {
        all->address_used += is_new;
        mine->key = key;
        mine->count++;
    }
    os_unlock(&all->address_lock);
    return is_counted;
}

void limits_disconnect(limits_table *all, const identity_address *address)
{
    os_lock(&all->address_lock);
    size_t at = address_find(all, identity_address_key(address));
    DP_ASSERT(all->addresses[at].count > 0);
    if (--all->addresses[at].count == 0) {
        address_remove(all, at);
    }
    os_unlock(&all->address_lock);
}
