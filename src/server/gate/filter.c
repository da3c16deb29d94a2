/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter: lists that are read and compiled together, and the slots that threads scan in.
 *
 * A slot has what one scan needs: room for folded text, the engine's scratch, and the lists it
 * scans with.  A thread takes the slot of its number by one exchange, which nobody contends for
 * while there are no more threads than slots.  A reload compiles first, then takes each slot in
 * turn and gives it the new lists; when it has been through all of them, nobody can hold the old
 * ones.
 */
#define _GNU_SOURCE

#include "server/gate/filter.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "pool/os.h"
#include "server/gate/confusable.h"
#include "server/gate/filter_list.h"
#include "server/gate/filter_patterns.h"
#include "server/gate/filter_words.h"

#define PLAIN_BYTES_MAX (4u * CONFUSABLE_POINTS_MAX)

/* What a text is folded to. */
typedef struct scan_memory {
    confusable_point points[CONFUSABLE_POINTS_MAX];
    uint32_t offsets[CONFUSABLE_POINTS_MAX + 1]; /* of points[i] in `plain` */
    char plain[PLAIN_BYTES_MAX];
    uint64_t masked[FILTER_TEXT_BYTES_MAX / 64];
} scan_memory;

/* Immutable once made. */
typedef struct filter_lists {
    filter_list list;
    filter_words *words;       /* NULL: no rule is a word */
    filter_patterns *patterns; /* NULL: no rule is a pattern */
    filter_scratch *scratch[FILTER_SLOTS];
} filter_lists;

typedef struct filter_slot {
    _Alignas(64) _Atomic bool is_taken;
    _Atomic bool
        is_wanted; /* by a reload: who scans takes another, or a busy thread would keep it */
    filter_lists *lists;
    scan_memory *memory; /* pages that only longer texts touch */
} filter_slot;

struct filter_set {
    filter_slot slots[FILTER_SLOTS];
    _Atomic bool has_rules;
    const filter_engine *engine; /* NULL: none in this build */
    pthread_mutex_t reload_lock;
    char *paths;
};

/* One scan. */
typedef struct scan_call {
    const filter_lists *lists;
    const char *room;
    scan_memory *memory;
    size_t count; /* of memory->points */
    filter_verdict verdict;
    bool has_mask;
} scan_call;

static _Atomic unsigned threads_seen;
static _Thread_local unsigned thread_number; /* from 1 */

const char *filter_engine_name(void)
{
    return filter_engines[0] == NULL ? "none" : filter_engines[0]->name;
}

static void lists_destroy(const filter_set *set, filter_lists *lists)
{
    if (lists == NULL) {
        return;
    }
    if (lists->patterns != NULL) {
        for (size_t i = 0; i < FILTER_SLOTS; i++) {
            set->engine->scratch_destroy(lists->scratch[i]);
        }
        set->engine->destroy(lists->patterns);
    }
    filter_words_destroy(lists->words);
    filter_list_clear(&lists->list);
    os_free(lists);
}

static dp_status read_files(filter_lists *lists, const char *paths, char *error, size_t error_bytes)
{
    dp_status status = DP_OK;
    while (status == DP_OK && *paths != '\0') {
        char path[256];
        size_t bytes = strcspn(paths, ",");
        if (bytes >= sizeof path) {
            snprintf(error, error_bytes, "a path of a filter list is longer than 255 bytes");
            return DP_ERR_INVALID;
        }
        memcpy(path, paths, bytes);
        path[bytes] = '\0';
        if (bytes > 0) {
            status = filter_list_read(&lists->list, path, error, error_bytes);
        }
        paths += bytes + (paths[bytes] == ',');
    }
    return status;
}

static dp_status compile_words(filter_lists *lists)
{
    const filter_list *list = &lists->list;
    size_t count = list->count - list->pattern_count;
    if (count == 0) {
        return DP_OK;
    }
    filter_word *words = os_calloc(count, sizeof *words);
    if (words == NULL) {
        return DP_ERR_NOMEM;
    }
    size_t filled = 0;
    for (size_t i = 0; i < list->count; i++) {
        const filter_rule *rule = &list->rules[i];
        if (!rule->is_pattern) {
            words[filled++] = (filter_word){.points = list->points + rule->points_at,
                                            .count = rule->point_count,
                                            .rule = (uint32_t)i};
        }
    }
    dp_status status = filter_words_create(words, count, &lists->words);
    os_free(words);
    return status;
}

/* `error` comes in with the engine's own words, if any. */
static void name_rule(const filter_lists *lists, uint32_t rule, char *error, size_t error_bytes)
{
    char why[256];
    snprintf(why, sizeof why, "%.200s", error);
    const filter_rule *at = &lists->list.rules[rule];
    snprintf(error, error_bytes, "%s:%u: %s", lists->list.names[at->file], (unsigned)at->line, why);
}

static dp_status compile_patterns(const filter_set *set, filter_lists *lists, char *error,
                                  size_t error_bytes)
{
    const filter_list *list = &lists->list;
    if (list->pattern_count == 0) {
        return DP_OK;
    }
    filter_pattern *patterns = os_calloc(list->pattern_count, sizeof *patterns);
    if (patterns == NULL) {
        return DP_ERR_NOMEM;
    }
    size_t filled = 0;
    for (size_t i = 0; i < list->count; i++) {
        const filter_rule *rule = &list->rules[i];
        if (rule->is_pattern) {
            patterns[filled++] = (filter_pattern){.text = rule->text,
                                                  .rule = (uint32_t)i,
                                                  .needs_start = rule->action == FILTER_MASK};
        }
    }
    size_t bad = filled;
    dp_status status = DP_ERR_UNSUPPORTED;
    snprintf(error, error_bytes, "%s", "this build has no engine for patterns");
    if (set->engine != NULL) {
        error[0] = '\0';
        status = set->engine->create(patterns, filled, &lists->patterns, &bad, error, error_bytes);
    }
    if (status == DP_ERR_INVALID && bad < filled) {
        name_rule(lists, patterns[bad].rule, error, error_bytes);
    }
    os_free(patterns);
    for (size_t i = 0; status == DP_OK && i < FILTER_SLOTS; i++) {
        status = set->engine->scratch_create(lists->patterns, &lists->scratch[i]);
    }
    return status;
}

static dp_status lists_create(const filter_set *set, filter_lists **out, char *error,
                              size_t error_bytes)
{
    filter_lists *lists = os_calloc(1, sizeof *lists);
    dp_status status = lists == NULL ? DP_ERR_NOMEM : DP_OK;
    error[0] = '\0';
    if (status == DP_OK) {
        status = read_files(lists, set->paths, error, error_bytes);
    }
    if (status == DP_OK) {
        status = compile_words(lists);
    }
    if (status == DP_OK) {
        status = compile_patterns(set, lists, error, error_bytes);
    }
    if (status != DP_OK) {
        if (error[0] == '\0') {
            snprintf(error, error_bytes, "filter lists: %s", dp_status_message(status));
        }
        lists_destroy(set, lists);
        return status;
    }
    *out = lists;
    return DP_OK;
}

static void slot_take(filter_slot *slot)
{
    atomic_store_explicit(&slot->is_wanted, true, memory_order_relaxed);
    while (atomic_exchange_explicit(&slot->is_taken, true, memory_order_acquire)) {
        sched_yield();
    }
    atomic_store_explicit(&slot->is_wanted, false, memory_order_relaxed);
}

static void slot_give(filter_slot *slot)
{
    atomic_store_explicit(&slot->is_taken, false, memory_order_release);
}

/* The thread's own slot, else any free one. */
static size_t slot_find(filter_set *set)
{
    if (thread_number == 0) {
        thread_number = atomic_fetch_add_explicit(&threads_seen, 1, memory_order_relaxed) + 1;
    }
    size_t index = thread_number % FILTER_SLOTS;
    for (;;) {
        for (size_t i = 0; i < FILTER_SLOTS; i++, index = (index + 1) % FILTER_SLOTS) {
            filter_slot *slot = &set->slots[index];
            if (!atomic_load_explicit(&slot->is_wanted, memory_order_relaxed) &&
                !atomic_exchange_explicit(&slot->is_taken, true, memory_order_acquire)) {
                return index;
            }
        }
        sched_yield();
    }
}

/* Gives every slot the new lists; the old ones are then nobody's. */
static void swap_lists(filter_set *set, filter_lists *lists)
{
    filter_lists *old = NULL;
    for (size_t i = 0; i < FILTER_SLOTS; i++) {
        slot_take(&set->slots[i]);
        old = set->slots[i].lists;
        set->slots[i].lists = lists;
        slot_give(&set->slots[i]);
    }
    atomic_store_explicit(&set->has_rules, lists != NULL && lists->list.count > 0,
                          memory_order_release);
    lists_destroy(set, old);
}

dp_status filter_create(const char *paths, filter_set **out, char *error, size_t error_bytes)
{
    return filter_create_by(filter_engines[0], paths, out, error, error_bytes);
}

dp_status filter_create_by(const filter_engine *engine, const char *paths, filter_set **out,
                           char *error, size_t error_bytes)
{
    filter_set *set = os_aligned(64, sizeof *set);
    if (set == NULL) {
        snprintf(error, error_bytes, "%s", dp_status_message(DP_ERR_NOMEM));
        return DP_ERR_NOMEM;
    }
    memset(set, 0, sizeof *set);
    os_mutex_init(&set->reload_lock);
    set->engine = engine;
    set->paths = os_strdup(paths);
    dp_status status = set->paths == NULL ? DP_ERR_NOMEM : DP_OK;
    for (size_t i = 0; status == DP_OK && i < FILTER_SLOTS; i++) {
        set->slots[i].memory = os_pages_map(sizeof *set->slots[i].memory);
        status = set->slots[i].memory == NULL ? DP_ERR_NOMEM : DP_OK;
    }
    if (status != DP_OK) {
        snprintf(error, error_bytes, "%s", dp_status_message(status));
    } else {
        status = filter_reload(set, error, error_bytes);
    }
    if (status != DP_OK) {
        filter_destroy(set);
        return status;
    }
    *out = set;
    return DP_OK;
}

void filter_destroy(filter_set *set)
{
    if (set == NULL) {
        return;
    }
    swap_lists(set, NULL);
    for (size_t i = 0; i < FILTER_SLOTS; i++) {
        if (set->slots[i].memory != NULL) {
            os_pages_unmap(set->slots[i].memory, sizeof *set->slots[i].memory);
        }
    }
    os_mutex_destroy(&set->reload_lock);
    os_free(set->paths);
    os_free(set);
}

dp_status filter_reload(filter_set *set, char *error, size_t error_bytes)
{
    filter_lists *lists;
    os_lock(&set->reload_lock);
    dp_status status = lists_create(set, &lists, error, error_bytes);
    if (status == DP_OK) {
        swap_lists(set, lists);
    }
    os_unlock(&set->reload_lock);
    return status;
}

size_t filter_rules(filter_set *set)
{
    slot_take(&set->slots[0]);
    size_t count = set->slots[0].lists->list.count;
    slot_give(&set->slots[0]);
    return count;
}

/* Marks the bytes of points[first .. last], for a mask. */
static void mark(scan_call *call, size_t first, size_t last)
{
    scan_memory *memory = call->memory;
    if (!call->has_mask) {
        memset(memory->masked, 0, sizeof memory->masked);
        call->has_mask = true;
    }
    for (size_t at = memory->points[first].from; at < memory->points[last].to; at++) {
        memory->masked[at / 64] |= 1ull << at % 64;
    }
}

/* Takes a match of points[first .. last] into the verdict; false when nothing can be graver. */
static bool take_match(scan_call *call, const filter_rule *rule, size_t first, size_t last)
{
    if (rule->action == FILTER_MASK) {
        mark(call, first, last);
    }
    if (rule->action > call->verdict.action) {
        call->verdict = (filter_verdict){.action = rule->action, .rule_line = rule->line};
    }
    return call->verdict.action != FILTER_BLOCK;
}

static bool is_of_room(const filter_rule *rule, const char *room)
{
    return strncmp(room, rule->room, strlen(rule->room)) == 0;
}

/* Whether the character at `at` goes on with the word on the side that `joint` lies on. */
static bool goes_on(const scan_call *call, size_t at, size_t joint)
{
    const confusable_point *points = call->memory->points;
    return points[joint].has_gap == 0 && points[at].point != CONFUSABLE_BREAK &&
           confusable_is_spaced(points[at].point);
}

static bool on_word(void *user, uint32_t index, size_t first, size_t last)
{
    scan_call *call = user;
    const filter_rule *rule = &call->lists->list.rules[index];
    const confusable_point *points = call->memory->points;
    if (!is_of_room(rule, call->room)) {
        return true;
    }
    if (!rule->open_start && first > 0 && confusable_is_spaced(points[first].point) &&
        goes_on(call, first - 1, first)) {
        return true;
    }
    if (!rule->open_end && last + 1 < call->count && confusable_is_spaced(points[last].point) &&
        goes_on(call, last + 1, last + 1)) {
        return true;
    }
    return take_match(call, rule, first, last);
}

/* The folded character that byte `offset` of the plain text belongs to. */
static size_t point_at(const scan_call *call, size_t offset)
{
    const uint32_t *offsets = call->memory->offsets;
    size_t low = 0;
    size_t high = call->count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (offsets[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool on_pattern(void *user, uint32_t index, size_t from, size_t to)
{
    scan_call *call = user;
    const filter_rule *rule = &call->lists->list.rules[index];
    if (!is_of_room(rule, call->room)) {
        return true;
    }
    /* A pattern of look-arounds alone matches no character. */
    size_t last = to > from ? to - 1 : from;
    return take_match(call, rule, point_at(call, from), point_at(call, last));
}

static size_t encode(uint32_t point, char *to)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    size_t bytes = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = bytes - 1; i > 0; i--, point >>= 6) {
        to[i] = (char)(0x80 | (point & 0x3F));
    }
    to[0] = (char)((bytes == 2 ? 0xC0u : bytes == 3 ? 0xE0u : 0xF0u) | point);
    return bytes;
}

static void scan_patterns(const filter_set *set, scan_call *call, size_t slot)
{
    scan_memory *memory = call->memory;
    size_t bytes = 0;
    for (size_t i = 0; i < call->count; i++) {
        memory->offsets[i] = (uint32_t)bytes;
        bytes += encode(memory->points[i].point, memory->plain + bytes);
    }
    uint32_t index = 0;
    if (call->count > 0 && !set->engine->scan(call->lists->patterns, call->lists->scratch[slot],
                                              memory->plain, bytes, on_pattern, call, &index)) {
        const filter_rule *rule = &call->lists->list.rules[index];
        filter_action action = rule->action == FILTER_BLOCK ? FILTER_BLOCK : FILTER_HOLD;
        if (is_of_room(rule, call->room) && action > call->verdict.action) {
            call->verdict = (filter_verdict){.action = action, .rule_line = rule->line};
        }
    }
}

filter_verdict filter_scan(filter_set *set, const char *room, char *text, size_t *size_bytes)
{
    filter_verdict verdict = {.action = FILTER_PASS};
    if (!atomic_load_explicit(&set->has_rules, memory_order_acquire)) {
        return verdict;
    }
    if (*size_bytes > FILTER_TEXT_BYTES_MAX) {
        return (filter_verdict){.action = FILTER_BLOCK};
    }
    size_t slot = slot_find(set);
    scan_call call = {
        .lists = set->slots[slot].lists, .room = room, .memory = set->slots[slot].memory};
    size_t rest = 0;
    if (call.lists->words != NULL) {
        call.count = confusable_skeleton(text, *size_bytes, call.memory->points,
                                         CONFUSABLE_POINTS_MAX, &rest);
        filter_words_scan(call.lists->words, call.memory->points, call.count, on_word, &call);
    }
    if (rest == 0 && call.lists->patterns != NULL && call.verdict.action != FILTER_BLOCK) {
        call.count =
            confusable_plain(text, *size_bytes, call.memory->points, CONFUSABLE_POINTS_MAX, &rest);
        scan_patterns(set, &call, slot);
    }
    verdict = call.verdict;
    if (rest > 0) {
        verdict = (filter_verdict){.action = FILTER_BLOCK};
    } else if (verdict.action == FILTER_MASK) {
        *size_bytes = confusable_mask(text, *size_bytes, call.memory->masked);
    }
    slot_give(&set->slots[slot]);
    return verdict;
}
