/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sketches of senders' texts, in sets of four ways with a lock each.
 *
 * A sender keeps four texts, so that two said in turn are caught too.  A text that is new takes
 * the place of the one said the longest ago.
 */
#include "server/gate/repeat.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "pool/os.h"
#include "server/gate/confusable.h"
#include "server/gate/identity.h"

#define WAYS       4u
#define TEXTS      4u
#define SKETCH     16u
#define POINTS_MAX 256u
#define SECOND_NS  1000000000u

/* What is remembered of a text. */
typedef struct text_mark {
    uint64_t hash;           /* of all of it */
    uint16_t sketch[SKETCH]; /* 0 = no pair fell into this class */
} text_mark;

typedef struct said_text {
    text_mark mark;
    uint64_t first_ns, last_ns;
    uint32_t times; /* 0 = free */
} said_text;

typedef struct sender_entry {
    uint64_t key; /* 0 = free */
    uint64_t last_ns;
    said_text texts[TEXTS];
} sender_entry;

typedef struct sender_set {
    _Alignas(64) _Atomic bool is_taken;
    sender_entry ways[WAYS];
} sender_set;

struct repeat_table {
    sender_set *sets;
    size_t set_count; /* a power of two */
    _Atomic uint32_t times, window_s, alike_percent;
};

static uint32_t number(const _Atomic uint32_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

void repeat_configure(repeat_table *table, const repeat_config *config)
{
    DP_ASSERT(config->times != 1 && config->alike_percent <= 100);
    atomic_store_explicit(&table->times, config->times, memory_order_relaxed);
    atomic_store_explicit(&table->window_s, config->window_s, memory_order_relaxed);
    atomic_store_explicit(&table->alike_percent, config->alike_percent, memory_order_relaxed);
}

dp_status repeat_create(const repeat_config *config, repeat_table **out)
{
    repeat_table *table = os_calloc(1, sizeof *table);
    if (table == NULL) {
        return DP_ERR_NOMEM;
    }
    table->set_count = 16;
    while (table->set_count * WAYS < config->senders_max) {
        table->set_count *= 2;
    }
    table->sets = os_pages_map(table->set_count * sizeof *table->sets);
    if (table->sets == NULL) {
        os_free(table);
        return DP_ERR_NOMEM;
    }
    repeat_configure(table, config);
    *out = table;
    return DP_OK;
}

void repeat_destroy(repeat_table *table)
{
    if (table != NULL) {
        os_pages_unmap(table->sets, table->set_count * sizeof *table->sets);
        os_free(table);
    }
}

/* A pair of neighbours: 4 bits choose its class, 16 are its number there, never 0. */
static void sketch_pair(text_mark *mark, uint32_t first, uint32_t second)
{
    uint64_t mixed = ((uint64_t)first << 32 | second) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9u;
    uint16_t value = (uint16_t)(mixed >> 40 | 1);
    uint16_t *at = &mark->sketch[mixed >> 60];
    if (*at == 0 || value < *at) {
        *at = value;
    }
}

static text_mark mark_of(const char *text, size_t size_bytes)
{
    confusable_point points[POINTS_MAX];
    uint32_t kept[POINTS_MAX];
    size_t count = confusable_skeleton(text, size_bytes, points, POINTS_MAX, NULL);
    if (count == 0) {
        /* Nothing but marks and pictures: those are what is said. */
        count = confusable_plain(text, size_bytes, points, POINTS_MAX, NULL);
    }
    text_mark mark = {.hash = 0};
    size_t kept_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (points[i].point != CONFUSABLE_BREAK &&
            (kept_count == 0 || kept[kept_count - 1] != points[i].point)) {
            kept[kept_count++] = points[i].point;
        }
    }
    for (size_t i = 1; i < kept_count; i++) {
        sketch_pair(&mark, kept[i - 1], kept[i]);
    }
    mark.hash = identity_hash(kept, kept_count * sizeof kept[0]);
    return mark;
}

static bool is_alike(const text_mark *one, const text_mark *two, uint32_t percent)
{
    if (one->hash == two->hash) {
        return true;
    }
    uint32_t same = 0;
    uint32_t used = 0;
    for (size_t i = 0; i < SKETCH; i++) {
        used += (one->sketch[i] | two->sketch[i]) != 0;
        same += one->sketch[i] == two->sketch[i] && one->sketch[i] != 0;
    }
    return percent < 100 && used > 0 && same * 100 >= percent * used;
}

/* The sender's entry: a new one takes a free place, else that of the longest silent. */
static sender_entry *entry_of(sender_set *set, uint64_t key)
{
    sender_entry *oldest = &set->ways[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set->ways[i].key == key) {
            return &set->ways[i];
        }
        if (set->ways[i].last_ns < oldest->last_ns) {
            oldest = &set->ways[i];
        }
    }
    *oldest = (sender_entry){.key = key};
    return oldest;
}

/* The like of this text, else the one said the longest ago, emptied. */
static said_text *text_of(sender_entry *entry, const text_mark *mark, uint32_t percent)
{
    said_text *oldest = &entry->texts[0];
    for (size_t i = 0; i < TEXTS; i++) {
        said_text *at = &entry->texts[i];
        if (at->times > 0 && is_alike(&at->mark, mark, percent)) {
            return at;
        }
        if (at->last_ns < oldest->last_ns) {
            oldest = at;
        }
    }
    *oldest = (said_text){.mark = *mark};
    return oldest;
}

bool repeat_check(repeat_table *table, uint64_t sender_key, const char *text, size_t size_bytes,
                  uint64_t now_ns, uint32_t *retry_ms)
{
    uint32_t times_max = number(&table->times);
    if (times_max == 0) {
        return false;
    }
    uint64_t window_ns = (uint64_t)number(&table->window_s) * SECOND_NS;
    text_mark mark = mark_of(text, size_bytes);
    sender_set *set = &table->sets[sender_key & (table->set_count - 1)];
    while (atomic_exchange_explicit(&set->is_taken, true, memory_order_acquire)) {
        sched_yield();
    }
    sender_entry *entry = entry_of(set, sender_key);
    entry->last_ns = now_ns;
    said_text *said = text_of(entry, &mark, number(&table->alike_percent));
    if (said->times == 0 || now_ns >= said->first_ns + window_ns) {
        said->first_ns = now_ns;
        said->times = 0;
    }
    said->last_ns = now_ns;
    said->times += said->times < UINT32_MAX;
    bool is_repeated = said->times >= times_max;
    if (is_repeated) {
        *retry_ms = (uint32_t)((said->first_ns + window_ns - now_ns) / 1000000 + 1);
    }
    atomic_store_explicit(&set->is_taken, false, memory_order_release);
    return is_repeated;
}
