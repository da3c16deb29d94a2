/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of moderation: rules in chains by the hash of kind, room and target.
 *
 * A message of a sender looks for a handful of hashes: its user and, for each length of prefix in
 * use, its address, each for its room and for all rooms.  While there is no rule at all nothing is
 * looked at but one counter.  An address is found by its printed form, which is the same for all
 * ways to write it.
 */
#define _GNU_SOURCE /* O_CLOEXEC */

#include "server/gate/moderation.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pool/os.h"
#include "server/gate/moderation_internal.h"
#include "server/wire/protocol.h"
#include "server/wire/text.h"

/* A walk over all rules, under the lock. */
#define PURGE_MS 1000

static const char *const action_names[MODERATION_ACTION_COUNT] = {
#define MODERATION_NAME(id, name) name,
    MODERATION_ACTION_LIST(MODERATION_NAME)
#undef MODERATION_NAME
};

const char *moderation_action_name(moderation_action action)
{
    DP_ASSERT(action < MODERATION_ACTION_COUNT);
    return action_names[action];
}

bool moderation_action_by_name(const char *name, moderation_action *out)
{
    for (unsigned i = 0; i < MODERATION_ACTION_COUNT; i++) {
        if (strcmp(name, action_names[i]) == 0) {
            *out = (moderation_action)i;
            return true;
        }
    }
    return false;
}

bool moderation_text_fits(const char *text, size_t bytes_max)
{
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) {
            return false;
        }
    }
    return bytes < bytes_max && text_is_utf8(text, bytes);
}

static uint64_t rule_hash(rule_kind kind, const char *room, const char *target)
{
    char bytes[1 + MODERATION_ROOM_BYTES + MODERATION_TARGET_BYTES];
    size_t room_bytes = strnlen(room, MODERATION_ROOM_BYTES - 1);
    size_t target_bytes = strnlen(target, MODERATION_TARGET_BYTES - 1);
    bytes[0] = (char)kind;
    memcpy(bytes + 1, room, room_bytes);
    bytes[1 + room_bytes] = '\0';
    memcpy(bytes + 2 + room_bytes, target, target_bytes);
    return identity_hash(bytes, 2 + room_bytes + target_bytes);
}

moderation_rule *moderation_find(moderation *table, rule_kind kind, const char *room,
                                 const char *target)
{
    uint64_t hash = rule_hash(kind, room, target);
    uint32_t at = table->chains[hash & (table->chain_count - 1)];
    while (at != RULE_NONE) {
        moderation_rule *rule = &table->rules[at];
        if (rule->hash == hash && rule->kind == kind && strcmp(rule->room, room) == 0 &&
            strcmp(rule->target, target) == 0) {
            return rule;
        }
        at = rule->next;
    }
    return NULL;
}

static bool is_of_address(const moderation_rule *rule)
{
    return rule->kind == RULE_MUTE_ADDRESS || rule->kind == RULE_BAN_ADDRESS;
}

static void changed(moderation *table, int step)
{
    size_t count = atomic_load_explicit(&table->rule_count, memory_order_relaxed);
    atomic_store_explicit(&table->rule_count, step < 0 ? count - 1 : count + (size_t)step,
                          memory_order_release);
    atomic_fetch_add_explicit(&table->version, 1, memory_order_release);
    table->is_dirty = true;
}

moderation_rule *moderation_add(moderation *table, const moderation_rule *rule)
{
    uint32_t at = table->free_first;
    if (at != RULE_NONE) {
        table->free_first = table->rules[at].next;
    } else if (table->fresh < table->entries_max) {
        at = table->fresh++;
    } else {
        return NULL;
    }
    moderation_rule *made = &table->rules[at];
    *made = *rule;
    made->hash = rule_hash(rule->kind, rule->room, rule->target);
    uint32_t *chain = &table->chains[made->hash & (table->chain_count - 1)];
    made->next = *chain;
    *chain = at;
    table->of_bits[made->bits] += is_of_address(made);
    changed(table, 1);
    return made;
}

void moderation_remove(moderation *table, moderation_rule *rule)
{
    uint32_t at = (uint32_t)(rule - table->rules);
    uint32_t *link = &table->chains[rule->hash & (table->chain_count - 1)];
    while (*link != at) {
        link = &table->rules[*link].next;
    }
    *link = rule->next;
    table->of_bits[rule->bits] -= is_of_address(rule);
    rule->kind = RULE_FREE;
    rule->next = table->free_first;
    table->free_first = at;
    changed(table, -1);
}

static dp_status open_audit(moderation *table)
{
    if (table->audit_path[0] == '\0') {
        return DP_OK;
    }
    int fd = open(table->audit_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return DP_ERR_IO;
    }
    if (table->audit_fd >= 0) {
        (void)close(table->audit_fd);
    }
    table->audit_fd = fd;
    return DP_OK;
}

static dp_status make_table(moderation *table, const moderation_config *config)
{
    table->entries_max = config->entries_max;
    table->held_max = config->held_max;
    table->held_next = 1;
    table->free_first = RULE_NONE;
    table->audit_fd = -1;
    table->chain_count = 16;
    while (table->chain_count < config->entries_max) {
        table->chain_count *= 2;
    }
    os_mutex_init(&table->lock);
    table->rules = os_pages_map((config->entries_max + 1) * sizeof *table->rules);
    table->slow = os_pages_map(SLOW_SETS * sizeof *table->slow);
    table->chains = os_calloc(table->chain_count, sizeof *table->chains);
    table->held = os_calloc(config->held_max + 1, sizeof *table->held);
    table->state_path = os_strdup(config->state_path);
    table->audit_path = os_strdup(config->audit_path);
    if (table->rules == NULL || table->slow == NULL || table->chains == NULL ||
        table->held == NULL || table->state_path == NULL || table->audit_path == NULL) {
        return DP_ERR_NOMEM;
    }
    memset(table->chains, 0xFF, table->chain_count * sizeof *table->chains); /* RULE_NONE */
    return DP_OK;
}

dp_status moderation_create(const moderation_config *config, moderation **out, char *error,
                            size_t error_bytes)
{
    moderation *table = os_calloc(1, sizeof *table);
    error[0] = '\0';
    dp_status status = table == NULL ? DP_ERR_NOMEM : make_table(table, config);
    if (status == DP_OK) {
        status = moderation_state_load(table, error, error_bytes);
    }
    if (status == DP_OK) {
        table->is_dirty = false;
        status = open_audit(table);
        if (status != DP_OK) {
            snprintf(error, error_bytes, "audit log %.200s cannot be written", config->audit_path);
        }
    }
    if (status != DP_OK) {
        if (error[0] == '\0') {
            snprintf(error, error_bytes, "moderation: %s", dp_status_message(status));
        }
        moderation_destroy(table);
        return status;
    }
    *out = table;
    return DP_OK;
}

void moderation_destroy(moderation *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; table->held != NULL && i < table->held_max; i++) {
        os_free(table->held[i].packed);
    }
    if (table->audit_fd >= 0) {
        (void)close(table->audit_fd);
    }
    if (table->rules != NULL) {
        os_pages_unmap(table->rules, (table->entries_max + 1) * sizeof *table->rules);
    }
    if (table->slow != NULL) {
        os_pages_unmap(table->slow, SLOW_SETS * sizeof *table->slow);
    }
    os_free(table->chains);
    os_free(table->held);
    os_free(table->state_path);
    os_free(table->audit_path);
    os_mutex_destroy(&table->lock);
    os_free(table);
}

/* The rule for this room or for all that lasts the longest; NULL. */
static const moderation_rule *find_live(moderation *table, rule_kind kind, const char *room,
                                        const char *target, int64_t now_ms)
{
    const moderation_rule *found = NULL;
    for (int i = 0; i < 2; i++) {
        const moderation_rule *rule = moderation_find(table, kind, i == 0 ? room : "", target);
        if (rule != NULL && (rule->until_ms == 0 || rule->until_ms > now_ms) &&
            (found == NULL || rule->until_ms == 0 ||
             (found->until_ms != 0 && rule->until_ms > found->until_ms))) {
            found = rule;
        }
    }
    return found;
}

/* By the user or any prefix of the address. */
static const moderation_rule *find_sender(moderation *table, const rule_kind kinds[2],
                                          const char *room, const identity *who, int64_t now_ms)
{
    const moderation_rule *found = NULL;
    if (who->sub[0] != '\0') {
        found = find_live(table, kinds[0], room, who->sub, now_ms);
    }
    identity_address part = who->address;
    for (unsigned bits = 129; found == NULL && bits-- > 0;) {
        if (bits < 128) {
            part.bytes[bits / 8] &= (uint8_t)(0xFF00u >> bits % 8);
        }
        if (table->of_bits[bits] > 0) {
            char text[IDENTITY_ADDRESS_TEXT_BYTES];
            identity_address_print(&part, bits, text);
            found = find_live(table, kinds[1], room, text, now_ms);
        }
    }
    return found;
}

static uint32_t wait_ms(int64_t until_ms, int64_t now_ms)
{
    int64_t left = until_ms - now_ms;
    return until_ms == 0 ? 0 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

static moderation_room settings_of(moderation *table, const char *room, int64_t now_ms)
{
    moderation_room all = {.merge = MODERATION_UNSET, .budget = MODERATION_UNSET};
    for (int i = 0; i < 2; i++) {
        const moderation_rule *rule = moderation_find(table, RULE_ROOM, i == 0 ? "" : room, "");
        if (rule == NULL || (rule->until_ms > 0 && rule->until_ms <= now_ms)) {
            continue;
        }
        all.is_closed = all.is_closed || rule->settings.is_closed;
        all.slow_s = rule->settings.slow_s > all.slow_s ? rule->settings.slow_s : all.slow_s;
        all.merge = rule->settings.merge != MODERATION_UNSET ? rule->settings.merge : all.merge;
        all.budget = rule->settings.budget != MODERATION_UNSET ? rule->settings.budget : all.budget;
    }
    return all;
}

/* Starts the sender's pause, or says how much of it is left. */
static uint32_t slow_left_ms(moderation *table, const char *room, const identity *who,
                             uint32_t slow_s, int64_t now_ms)
{
    uint64_t parts[2] = {identity_key(who), identity_hash(room, strlen(room))};
    uint64_t key = identity_hash(parts, sizeof parts);
    slow_mark *set = table->slow[key % SLOW_SETS];
    slow_mark *mine = &set[0];
    for (size_t i = 0; i < SLOW_WAYS; i++) {
        if (set[i].key == key) {
            mine = &set[i];
            break;
        }
        mine = set[i].at_ms < mine->at_ms ? &set[i] : mine;
    }
    int64_t until_ms = mine->at_ms + (int64_t)slow_s * 1000;
    if (mine->key == key && until_ms > now_ms) {
        return wait_ms(until_ms, now_ms);
    }
    *mine = (slow_mark){.key = key, .at_ms = now_ms};
    return 0;
}

static const rule_kind ban_kinds[2] = {RULE_BAN_USER, RULE_BAN_ADDRESS};
static const rule_kind mute_kinds[2] = {RULE_MUTE_USER, RULE_MUTE_ADDRESS};

static moderation_verdict check_locked(moderation *table, const char *room, const identity *who,
                                       int64_t now_ms, uint32_t *retry_ms)
{
    const moderation_rule *rule = find_sender(table, ban_kinds, room, who, now_ms);
    if (rule != NULL) {
        *retry_ms = wait_ms(rule->until_ms, now_ms);
        return MODERATION_BANNED;
    }
    moderation_room settings = settings_of(table, room, now_ms);
    if (settings.is_closed) {
        return MODERATION_ROOM_CLOSED;
    }
    rule = find_sender(table, mute_kinds, room, who, now_ms);
    if (rule != NULL) {
        *retry_ms = wait_ms(rule->until_ms, now_ms);
        return MODERATION_MUTED;
    }
    if (settings.slow_s > 0) {
        *retry_ms = slow_left_ms(table, room, who, settings.slow_s, now_ms);
        return *retry_ms > 0 ? MODERATION_SLOW : MODERATION_OK;
    }
    return MODERATION_OK;
}

static bool is_empty(const moderation *table)
{
    return atomic_load_explicit(&table->rule_count, memory_order_acquire) == 0;
}

static bool is_above(const identity *who)
{
    const uint32_t above =
        (uint32_t)IDENTITY_MODERATOR | (uint32_t)IDENTITY_BACKEND | (uint32_t)IDENTITY_ADMIN;
    return (who->roles & above) != 0;
}

moderation_verdict moderation_check(moderation *table, const char *room, const identity *who,
                                    int64_t now_ms, uint32_t *retry_ms)
{
    *retry_ms = 0;
    if (is_empty(table) || is_above(who)) {
        return MODERATION_OK;
    }
    os_lock(&table->lock);
    moderation_verdict verdict = check_locked(table, room, who, now_ms, retry_ms);
    os_unlock(&table->lock);
    return verdict;
}

bool moderation_is_banned(moderation *table, const char *room, const identity *who, int64_t now_ms)
{
    if (is_empty(table) || is_above(who)) {
        return false;
    }
    os_lock(&table->lock);
    bool is_banned = find_sender(table, ban_kinds, room, who, now_ms) != NULL;
    os_unlock(&table->lock);
    return is_banned;
}

/* Which rule an order is about; RULE_FREE: none, it is only written down. */
static rule_kind kind_of(moderation_action action, bool *is_removal)
{
    *is_removal = action == MODERATION_UNMUTE_USER || action == MODERATION_UNMUTE_ADDRESS ||
                  action == MODERATION_UNBAN_USER || action == MODERATION_UNBAN_ADDRESS;
    switch (action) {
    case MODERATION_MUTE_USER:
    case MODERATION_UNMUTE_USER:
        return RULE_MUTE_USER;
    case MODERATION_MUTE_ADDRESS:
    case MODERATION_UNMUTE_ADDRESS:
        return RULE_MUTE_ADDRESS;
    case MODERATION_BAN_USER:
    case MODERATION_UNBAN_USER:
        return RULE_BAN_USER;
    case MODERATION_BAN_ADDRESS:
    case MODERATION_UNBAN_ADDRESS:
        return RULE_BAN_ADDRESS;
    case MODERATION_CLOSE_ROOM:
    case MODERATION_OPEN_ROOM:
    case MODERATION_SLOW_ROOM:
    case MODERATION_MERGE_ROOM:
    case MODERATION_BUDGET_ROOM:
        return RULE_ROOM;
    default:
        return RULE_FREE;
    }
}

/* The order as a rule, its texts checked; an address in its one form. */
static bool rule_of(const moderation_order *order, rule_kind kind, int64_t now_ms,
                    moderation_rule *out)
{
    const char *room = order->room == NULL ? "" : order->room;
    const char *target = order->target == NULL ? "" : order->target;
    const char *by = order->by == NULL ? "" : order->by;
    const char *reason = order->reason == NULL ? "" : order->reason;
    *out = (moderation_rule){.kind = kind,
                             .settings = {.merge = MODERATION_UNSET, .budget = MODERATION_UNSET}};
    if ((room[0] != '\0' && !protocol_room_name_valid(room, strlen(room))) ||
        !moderation_text_fits(target, sizeof out->target) ||
        !moderation_text_fits(by, sizeof out->by) ||
        !moderation_text_fits(reason, sizeof out->reason)) {
        return false;
    }
    snprintf(out->room, sizeof out->room, "%s", room);
    snprintf(out->by, sizeof out->by, "%s", by);
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    if (is_of_address(out)) {
        identity_address address;
        if (!identity_address_parse(target, &address, &out->bits)) {
            return false;
        }
        identity_address_print(&address, out->bits, out->target);
    } else if (kind != RULE_ROOM) {
        snprintf(out->target, sizeof out->target, "%s", target);
    }
    if (order->duration_s > 0) {
        out->until_ms = now_ms + (int64_t)order->duration_s * 1000;
    }
    return kind == RULE_FREE || kind == RULE_ROOM || target[0] != '\0';
}

static void set_room(moderation_room *room, const moderation_order *order)
{
    switch (order->action) {
    case MODERATION_CLOSE_ROOM:
    case MODERATION_OPEN_ROOM:
        room->is_closed = order->action == MODERATION_CLOSE_ROOM;
        break;
    case MODERATION_SLOW_ROOM:
        room->slow_s = order->value == MODERATION_UNSET ? 0 : order->value;
        break;
    case MODERATION_MERGE_ROOM:
        room->merge = order->value == MODERATION_UNSET ? order->value : order->value != 0;
        break;
    default:
        room->budget = order->value;
        break;
    }
}

static void purge(moderation *table, int64_t now_ms)
{
    for (uint32_t i = 0; i < table->fresh; i++) {
        moderation_rule *rule = &table->rules[i];
        if (rule->kind != RULE_FREE && rule->until_ms > 0 && rule->until_ms <= now_ms) {
            moderation_remove(table, rule);
        }
    }
}

/* Puts `rule` in the place of `old` (or NULL), which *undo keeps (RULE_FREE: there was none). */
static dp_status change(moderation *table, const moderation_order *order, moderation_rule *rule,
                        int64_t now_ms, moderation_rule *undo)
{
    bool is_removal;
    (void)kind_of(order->action, &is_removal);
    moderation_rule *old = moderation_find(table, rule->kind, rule->room, rule->target);
    if (old != NULL && old->until_ms > 0 && old->until_ms <= now_ms) {
        moderation_remove(table, old);
        old = NULL;
    }
    *undo = (moderation_rule){.kind = RULE_FREE};
    if (is_removal && old == NULL) {
        return DP_ERR_NOT_FOUND;
    }
    if (rule->kind == RULE_ROOM) {
        rule->settings = old != NULL ? old->settings : rule->settings;
        rule->until_ms = 0; /* each setting its own end would be more than anybody asked for */
        set_room(&rule->settings, order);
    }
    if (old != NULL) {
        *undo = *old;
        moderation_remove(table, old);
    }
    const moderation_room *room = &rule->settings;
    bool is_nothing = rule->kind == RULE_ROOM && !room->is_closed && room->slow_s == 0 &&
                      room->merge == MODERATION_UNSET && room->budget == MODERATION_UNSET;
    if (is_removal || is_nothing) {
        return DP_OK;
    }
    moderation_rule *made = moderation_add(table, rule);
    if (made == NULL) {
        purge(table, now_ms);
        made = moderation_add(table, rule);
    }
    return made == NULL ? DP_ERR_BUSY : DP_OK;
}

static void take_back(moderation *table, const moderation_rule *rule, const moderation_rule *undo)
{
    moderation_rule *made = moderation_find(table, rule->kind, rule->room, rule->target);
    if (made != NULL) {
        moderation_remove(table, made);
    }
    if (undo->kind != RULE_FREE) {
        made = moderation_add(table, undo);
        DP_ASSERT(made != NULL); /* its place was just freed */
    }
}

static dp_status apply_locked(moderation *table, const moderation_order *order,
                              moderation_rule *rule, int64_t now_ms)
{
    moderation_rule undo = {.kind = RULE_FREE};
    if (rule->kind == RULE_FREE) {
        return moderation_audit(table, order, NULL, now_ms);
    }
    dp_status status = change(table, order, rule, now_ms, &undo);
    if (status != DP_OK) {
        return status;
    }
    /* The log first: what holds was always written down, by whom. */
    status = moderation_audit(table, order, NULL, now_ms);
    if (status == DP_OK) {
        status = moderation_state_save(table);
        if (status != DP_OK) {
            (void)moderation_audit(table, order, dp_status_name(status), now_ms);
        }
    }
    if (status != DP_OK) {
        take_back(table, rule, &undo);
    }
    return status;
}

dp_status moderation_apply(moderation *table, const moderation_order *order, int64_t now_ms)
{
    moderation_rule rule;
    bool is_removal;
    rule_kind kind = kind_of(order->action, &is_removal);
    if (!rule_of(order, kind, now_ms, &rule)) {
        return DP_ERR_INVALID;
    }
    os_lock(&table->lock);
    dp_status status = apply_locked(table, order, &rule, now_ms);
    os_unlock(&table->lock);
    return status;
}

dp_status moderation_mute(moderation *table, const char *room, const identity *who,
                          const char *reason, uint32_t duration_s, int64_t now_ms)
{
    char address[IDENTITY_ADDRESS_TEXT_BYTES];
    unsigned bits = 128;
    identity_address part = who->address;
    /* The network of an IPv6 host, as in identity_address_key(). */
    static const uint8_t v4_prefix[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(part.bytes, v4_prefix, sizeof v4_prefix) != 0) {
        memset(part.bytes + 8, 0, 8);
        bits = 64;
    }
    identity_address_print(&part, bits, address);
    bool is_user = who->sub[0] != '\0';
    moderation_order order = {.action = is_user ? MODERATION_MUTE_USER : MODERATION_MUTE_ADDRESS,
                              .room = room,
                              .target = is_user ? who->sub : address,
                              .by = "danpoold",
                              .reason = reason,
                              .duration_s = duration_s};
    moderation_rule rule;
    moderation_rule undo;
    rule_kind kind = is_user ? RULE_MUTE_USER : RULE_MUTE_ADDRESS;
    if (!rule_of(&order, kind, now_ms, &rule)) {
        return DP_ERR_INVALID;
    }
    os_lock(&table->lock);
    dp_status status = change(table, &order, &rule, now_ms, &undo);
    if (status == DP_OK) {
        status = moderation_audit(table, &order, NULL, now_ms);
    }
    os_unlock(&table->lock);
    return status;
}

dp_status moderation_maintain(moderation *table, int64_t now_ms)
{
    dp_status status = DP_OK;
    os_lock(&table->lock);
    if (now_ms - table->purged_ms >= PURGE_MS) {
        purge(table, now_ms);
        table->purged_ms = now_ms;
    }
    if (table->is_dirty) {
        status = moderation_state_save(table);
    }
    os_unlock(&table->lock);
    return status;
}

dp_status moderation_audit_reopen(moderation *table)
{
    os_lock(&table->lock);
    dp_status status = open_audit(table);
    os_unlock(&table->lock);
    return status;
}

moderation_room moderation_room_settings(moderation *table, const char *room)
{
    moderation_room all = {.merge = MODERATION_UNSET, .budget = MODERATION_UNSET};
    if (!is_empty(table)) {
        os_lock(&table->lock);
        all = settings_of(table, room, 0);
        os_unlock(&table->lock);
    }
    return all;
}

uint64_t moderation_version(const moderation *table)
{
    return atomic_load_explicit(&table->version, memory_order_acquire);
}

dp_status moderation_hold(moderation *table, const char *room, const void *packed,
                          size_t size_bytes, int64_t now_ms, uint64_t *id)
{
    if (table->held_max == 0) {
        return DP_ERR_BUSY;
    }
    void *copy = os_calloc(1, size_bytes);
    if (copy == NULL) {
        return DP_ERR_NOMEM;
    }
    memcpy(copy, packed, size_bytes);
    os_lock(&table->lock);
    held_comment *place = &table->held[table->held_next % table->held_max];
    table->held_dropped += place->id != 0;
    os_free(place->packed);
    *place = (held_comment){.id = table->held_next++, .at_ms = now_ms, .packed = copy};
    snprintf(place->room, sizeof place->room, "%s", room);
    *id = place->id;
    os_unlock(&table->lock);
    return DP_OK;
}

uint64_t moderation_held_dropped(moderation *table)
{
    os_lock(&table->lock);
    uint64_t dropped = table->held_dropped;
    os_unlock(&table->lock);
    return dropped;
}

dp_status moderation_held_take(moderation *table, uint64_t id, char *room, void **packed)
{
    dp_status status = DP_ERR_NOT_FOUND;
    os_lock(&table->lock);
    held_comment *place = table->held_max == 0 ? NULL : &table->held[id % table->held_max];
    if (place != NULL && id != 0 && place->id == id) {
        snprintf(room, MODERATION_ROOM_BYTES, "%s", place->room);
        *packed = place->packed;
        *place = (held_comment){.id = 0};
        status = DP_OK;
    }
    os_unlock(&table->lock);
    return status;
}
