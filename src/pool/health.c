/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: see health.h.
 *
 * The counts of a window are added to by every thread that went a slow way and cleared by the
 * ticking one, all relaxed: a time that is lost in between changes no P99 worth acting on.
 */
#include "pool/health.h"

#include "pool/observe.h"

static const char *const state_names[DP_HEALTH_STATE_COUNT] = {
#define STATE_NAME(id, name) [id] = (name),
    DP_HEALTH_STATE_LIST(STATE_NAME)
#undef STATE_NAME
};

static const char *const cause_names[DP_HEALTH_CAUSE_COUNT] = {
#define CAUSE_NAME(id, name) [id] = (name),
    DP_HEALTH_CAUSE_LIST(CAUSE_NAME)
#undef CAUSE_NAME
};

const char *dp_health_state_name(dp_health_state state)
{
    return (unsigned)state < DP_HEALTH_STATE_COUNT ? state_names[state] : "unknown";
}

const char *dp_health_cause_name(dp_health_cause cause)
{
    return (unsigned)cause < DP_HEALTH_CAUSE_COUNT ? cause_names[cause] : "unknown";
}

/* ---- the machine ---- */

/* Every transition there is; a cause that a state has no line for changes nothing. */
static const struct transition {
    dp_health_state from;
    dp_health_cause cause;
    dp_health_state to;
} transitions[] = {
    {DP_HEALTH_OK, DP_CAUSE_LATE, DP_HEALTH_WARNED},
    {DP_HEALTH_OK, DP_CAUSE_FAILURES, DP_HEALTH_DEGRADED},
    {DP_HEALTH_OK, DP_CAUSE_SCARCE, DP_HEALTH_DEGRADED},
    {DP_HEALTH_OK, DP_CAUSE_SLOW, DP_HEALTH_DEGRADED},
    {DP_HEALTH_WARNED, DP_CAUSE_PROMPT, DP_HEALTH_OK},
    {DP_HEALTH_WARNED, DP_CAUSE_FAILURES, DP_HEALTH_DEGRADED},
    {DP_HEALTH_WARNED, DP_CAUSE_SCARCE, DP_HEALTH_DEGRADED},
    {DP_HEALTH_WARNED, DP_CAUSE_SLOW, DP_HEALTH_DEGRADED},
    {DP_HEALTH_DEGRADED, DP_CAUSE_STEADY, DP_HEALTH_HALF},
    {DP_HEALTH_HALF, DP_CAUSE_FAILURES, DP_HEALTH_DEGRADED},
    {DP_HEALTH_HALF, DP_CAUSE_SCARCE, DP_HEALTH_DEGRADED},
    {DP_HEALTH_HALF, DP_CAUSE_SLOW, DP_HEALTH_DEGRADED},
    {DP_HEALTH_HALF, DP_CAUSE_STEADY, DP_HEALTH_OK},
    {DP_BREAKER_CLOSED, DP_CAUSE_DEVICE, DP_BREAKER_OPEN},
    {DP_BREAKER_OPEN, DP_CAUSE_WAITED, DP_BREAKER_HALF_OPEN},
    {DP_BREAKER_HALF_OPEN, DP_CAUSE_DEVICE, DP_BREAKER_OPEN},
    {DP_BREAKER_HALF_OPEN, DP_CAUSE_WORKED, DP_BREAKER_CLOSED},
};

static const struct transition *transition_find(dp_health_state from, dp_health_cause cause)
{
    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++) {
        if (transitions[i].from == from && transitions[i].cause == cause)
            return &transitions[i];
    }
    return NULL;
}

static uint64_t load(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void store(_Atomic uint64_t *value, uint64_t to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

/* Threads read the clock one after the other and write in another order. */
static uint64_t elapsed_ns(uint64_t now_ns, const _Atomic uint64_t *since_ns)
{
    uint64_t since = load(since_ns);
    return now_ns > since ? now_ns - since : 0;
}

static dp_health_state state_of(const health_cell *cell)
{
    return (dp_health_state)atomic_load_explicit(&cell->state, memory_order_relaxed);
}

static health_cell *cell_of(health *self, dp_tier_id tier, unsigned family)
{
    DP_ASSERT((unsigned)tier < DP_TIER_COUNT && family <= HEALTH_BREAKER);
    return &self->cells[tier][family];
}

static bool state_is_open(dp_health_state state)
{
    return state == DP_HEALTH_OK || state == DP_HEALTH_WARNED || state == DP_BREAKER_CLOSED;
}

/* A recording knows classes: the first of the family; a breaker is all of them. */
static unsigned trace_class_of(unsigned family)
{
    unsigned size_class = 0;
    while (size_class < SIZE_CLASS_COUNT && size_class_family(size_class) != family)
        size_class++;
    return size_class;
}

/* THE setter.  True when the cause moved the cell, which of several threads one is told. */
static bool health_move(health *self, dp_tier_id tier, unsigned family, dp_health_cause cause,
                        uint64_t now_ns)
{
    health_cell *cell = cell_of(self, tier, family);
    if (transition_find(state_of(cell), cause) == NULL)
        return false; /* by far the commonest: no lock */
    os_lock(&self->lock);
    const struct transition *way = transition_find(state_of(cell), cause);
    if (way != NULL) {
        atomic_store_explicit(&cell->state, (uint8_t)way->to, memory_order_relaxed);
        atomic_store_explicit(&cell->failures, 0, memory_order_relaxed);
        store(&cell->since_ns, now_ns);
        store(&cell->unfit_ns, now_ns);
        store(&cell->transitions, load(&cell->transitions) + 1);
        if (state_is_open(way->from) != state_is_open(way->to))
            self->changed(self->changed_user, tier);
        observe_health(self->layer->observer, tier, trace_class_of(family), way->from, way->to);
        if (self->config.listener != NULL)
            self->config.listener(self->config.listener_user,
                                  &(dp_health_event){.tier = tier,
                                                     .family = (dp_family)family,
                                                     .from = way->from,
                                                     .to = way->to,
                                                     .cause = cause,
                                                     .now_ns = now_ns});
    }
    os_unlock(&self->lock);
    return way != NULL;
}

/* ---- making ---- */

dp_status health_config_check(const dp_health_config *config)
{
    if (!config->enabled)
        return DP_OK;
    bool fits = config->available_percent_min <= config->available_percent_enough &&
                config->available_percent_enough < 100 && config->failures_max > 0 &&
                config->window_ns > 1 && config->tick_ns > 0;
    return fits ? DP_OK : DP_ERR_INVALID;
}

static uint64_t now_of(const health *self)
{
    return self->config.clock == NULL ? os_clock_ns() : self->config.clock(self->config.clock_user);
}

void health_init(health *self, const dp_health_config *config, const health_links *links)
{
    self->config = *config;
    self->layer = links->layer;
    self->tiers = links->tiers;
    self->changed = links->changed;
    self->changed_user = links->user;
    os_mutex_init(&self->lock);
    uint64_t now_ns = config->enabled ? now_of(self) : 0;
    store(&self->ticked_ns, now_ns);
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        for (unsigned family = 0; family <= HEALTH_BREAKER; family++) {
            health_cell *cell = &self->cells[tier][family];
            atomic_init(&cell->state,
                        (uint8_t)(family == HEALTH_BREAKER ? DP_BREAKER_CLOSED : DP_HEALTH_OK));
            atomic_init(&cell->available_percent, 100);
            store(&cell->since_ns, now_ns);
            store(&cell->window.begun_ns, now_ns);
        }
    }
}

void health_destroy(health *self)
{
    os_mutex_destroy(&self->lock);
}

void health_reapply(health *self)
{
    os_lock(&self->lock);
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++)
        self->changed(self->changed_user, (dp_tier_id)tier);
    os_unlock(&self->lock);
}

/* ---- times ---- */

/* Four buckets a doubling, from 1,024 ns. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < 1024)
        return 0;
    unsigned log2 = 63u ^ (unsigned)__builtin_clzll(ns);
    unsigned bucket = 1 + (log2 - 10) * 4 + ((unsigned)(ns >> (log2 - 2)) & 3u);
    return bucket < HEALTH_BUCKETS ? bucket : HEALTH_BUCKETS - 1;
}

/* The least time that a bucket holds. */
static uint64_t bucket_ns(unsigned bucket)
{
    if (bucket == 0)
        return 0;
    unsigned log2 = 10 + (bucket - 1) / 4;
    return (uint64_t)(4 + (bucket - 1) % 4) << (log2 - 2);
}

static void window_add(health_window *window, uint64_t ns)
{
    unsigned half = atomic_load_explicit(&window->current, memory_order_relaxed);
    atomic_fetch_add_explicit(&window->counts[half][bucket_of(ns)], 1, memory_order_relaxed);
}

static void half_clear(health_window *window, unsigned half)
{
    for (unsigned i = 0; i < HEALTH_BUCKETS; i++)
        atomic_store_explicit(&window->counts[half][i], 0, memory_order_relaxed);
}

static void window_turn(health_window *window, uint64_t now_ns, uint64_t window_ns)
{
    uint64_t age_ns = elapsed_ns(now_ns, &window->begun_ns);
    if (age_ns < window_ns / 2)
        return;
    unsigned next = 1u ^ atomic_load_explicit(&window->current, memory_order_relaxed);
    half_clear(window, next);
    atomic_store_explicit(&window->current, (uint8_t)next, memory_order_relaxed);
    if (age_ns >= window_ns) /* nobody has ticked: the other half is too old as well */
        half_clear(window, 1u ^ next);
    store(&window->begun_ns, now_ns);
}

static uint64_t bucket_count(const health_window *window, unsigned bucket)
{
    return (uint64_t)atomic_load_explicit(&window->counts[0][bucket], memory_order_relaxed) +
           atomic_load_explicit(&window->counts[1][bucket], memory_order_relaxed);
}

/* The bucket of the P99, if at least HEALTH_SLOW_GETS_MIN gets lie in it or above; else lower. */
static unsigned window_p99(const health_window *window)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HEALTH_BUCKETS; i++)
        total += bucket_count(window, i);
    uint64_t above = 0;
    unsigned bucket = HEALTH_BUCKETS;
    while (bucket > 0 && (above * 100 <= total || above < HEALTH_SLOW_GETS_MIN))
        above += bucket_count(window, --bucket);
    return bucket == HEALTH_BUCKETS ? 0 : bucket;
}

/* ---- gets ---- */

bool health_is_open(const health *self, dp_tier_id tier, dp_family family)
{
    return state_is_open(state_of(&self->cells[tier][HEALTH_BREAKER])) &&
           state_is_open(state_of(&self->cells[tier][family]));
}

/* Whoever moves an open breaker on asks the tier for a little memory; it answers in whichever way
 * but DP_ERR_DEVICE: it works. */
static void breaker_try(health *self, dp_tier_id tier, uint64_t now_ns)
{
    const health_cell *breaker = cell_of(self, tier, HEALTH_BREAKER);
    if (state_of(breaker) != DP_BREAKER_OPEN ||
        elapsed_ns(now_ns, &breaker->since_ns) < self->config.breaker_ns ||
        !health_move(self, tier, HEALTH_BREAKER, DP_CAUSE_WAITED, now_ns))
        return;
    dp_status status = slab_probe(self->layer->slabs[tier]);
    (void)health_move(self, tier, HEALTH_BREAKER,
                      status == DP_ERR_DEVICE ? DP_CAUSE_DEVICE : DP_CAUSE_WORKED, now_of(self));
}

bool health_admits(health *self, dp_tier_id tier, dp_family family)
{
    if (!self->config.enabled)
        return true;
    health_cell *cell = cell_of(self, tier, family);
    health_cell *breaker = cell_of(self, tier, HEALTH_BREAKER);
    if (state_of(breaker) == DP_BREAKER_OPEN)
        breaker_try(self, tier, now_of(self));
    if (state_of(breaker) != DP_BREAKER_CLOSED) {
        atomic_fetch_add_explicit(&breaker->held_back, 1, memory_order_relaxed);
        return false;
    }
    dp_health_state state = state_of(cell);
    bool admits = state != DP_HEALTH_DEGRADED;
    if (state == DP_HEALTH_HALF)
        admits = atomic_fetch_add_explicit(&cell->turn, 1, memory_order_relaxed) % 2 != 0;
    if (!admits)
        atomic_fetch_add_explicit(&cell->held_back, 1, memory_order_relaxed);
    return admits;
}

bool health_admits_at_last(const health *self, dp_tier_id tier)
{
    return state_of(&self->cells[tier][HEALTH_BREAKER]) == DP_BREAKER_CLOSED;
}

void health_report(health *self, dp_tier_id tier, dp_status status)
{
    if (self->config.enabled && status == DP_ERR_DEVICE)
        (void)health_move(self, tier, HEALTH_BREAKER, DP_CAUSE_DEVICE, now_of(self));
}

/* What is larger than all that the tier may hold says nothing about the tier. */
static bool could_ever_fit(const health *self, const magazine_want *want)
{
    size_t budget_bytes = self->tiers[want->tier]->info.budget_bytes_max;
    return budget_bytes == 0 || size_class_bytes(want->size_class) <= budget_bytes;
}

static void judge_failure(health *self, const magazine_want *want, dp_status status,
                          uint64_t now_ns)
{
    if (status == DP_ERR_DEVICE) {
        (void)health_move(self, want->tier, HEALTH_BREAKER, DP_CAUSE_DEVICE, now_ns);
        return;
    }
    if (!could_ever_fit(self, want))
        return;
    dp_family family = size_class_family(want->size_class);
    health_cell *cell = cell_of(self, want->tier, family);
    store(&cell->unfit_ns, now_ns);
    uint32_t failures = atomic_fetch_add_explicit(&cell->failures, 1, memory_order_relaxed) + 1;
    if (failures >= self->config.failures_max)
        (void)health_move(self, want->tier, family, DP_CAUSE_FAILURES, now_ns);
}

dp_status health_get(health *self, const magazine_want *want, dp_buf **out)
{
    dp_buf *buf = magazine_get_mine(self->layer, want);
    if (buf != NULL) {
        *out = buf;
        return DP_OK;
    }
    if (!self->config.enabled)
        return magazine_get(self->layer, want, out);
    uint64_t begun_ns = now_of(self);
    dp_status status = magazine_get(self->layer, want, out);
    uint64_t now_ns = now_of(self);
    health_cell *cell = cell_of(self, want->tier, size_class_family(want->size_class));
    window_add(&cell->window, now_ns - begun_ns);
    if (status != DP_OK)
        judge_failure(self, want, status, now_ns);
    else if (atomic_load_explicit(&cell->failures, memory_order_relaxed) != 0)
        atomic_store_explicit(&cell->failures, 0, memory_order_relaxed);
    if (elapsed_ns(now_ns, &self->ticked_ns) >= HEALTH_LATE_TICKS * self->config.tick_ns)
        health_tick(self, HEALTH_LATE_TICKS);
    return status;
}

/* ---- the tick ---- */

static uint8_t percent_left(uint64_t taken_bytes, uint64_t all_bytes)
{
    if (taken_bytes >= all_bytes)
        return 0;
    return (uint8_t)((all_bytes - taken_bytes) * 100 / all_bytes);
}

/*
 * How much of the tier is available: of its budget, else of what the device says it has, else all.
 * Taken is what callers hold; what rests in magazines goes back when the tier is full.  Summing
 * that up is left out where even all regions together would leave enough.
 */
static uint8_t available_percent(health *self, dp_tier_id tier, bool is_exact)
{
    slab_stats slab_now;
    slab_stats_read(self->layer->slabs[tier], &slab_now);
    uint64_t all_bytes = self->tiers[tier]->info.budget_bytes_max;
    uint64_t free_bytes = 0;
    bool has_budget = all_bytes != 0;
    if (!has_budget && tier_room(self->tiers[tier], &free_bytes, &all_bytes) != DP_OK)
        return 100;
    uint64_t others_bytes = 0; /* the device's other users */
    if (!has_budget && all_bytes > free_bytes + slab_now.capacity_bytes)
        others_bytes = all_bytes - free_bytes - slab_now.capacity_bytes;
    uint8_t at_least = percent_left(others_bytes + slab_now.capacity_bytes, all_bytes);
    if (!is_exact && at_least >= self->config.available_percent_min)
        return at_least;
    return percent_left(others_bytes + stats_used_bytes(self->layer, tier), all_bytes);
}

/* Bad reasons first; what is left is a cell that stands as it should. */
static void judge_cell(health *self, dp_tier_id tier, unsigned family, uint8_t percent,
                       uint64_t now_ns)
{
    const dp_health_config *config = &self->config;
    health_cell *cell = cell_of(self, tier, family);
    window_turn(&cell->window, now_ns, config->window_ns);
    unsigned p99 = window_p99(&cell->window);
    store(&cell->p99_ns, bucket_ns(p99));
    atomic_store_explicit(&cell->available_percent, percent, memory_order_relaxed);
    bool is_slow = config->p99_ns_max != 0 && bucket_ns(p99) > config->p99_ns_max;
    bool is_late = config->p99_ns_warn != 0 && bucket_ns(p99) > config->p99_ns_warn;
    if (percent < config->available_percent_min)
        (void)health_move(self, tier, family, DP_CAUSE_SCARCE, now_ns);
    if (is_slow)
        (void)health_move(self, tier, family, DP_CAUSE_SLOW, now_ns);
    (void)health_move(self, tier, family, is_late ? DP_CAUSE_LATE : DP_CAUSE_PROMPT, now_ns);
    if (percent <= config->available_percent_enough || is_slow)
        store(&cell->unfit_ns, now_ns);
    else if (elapsed_ns(now_ns, &cell->unfit_ns) >= config->recover_ns)
        (void)health_move(self, tier, family, DP_CAUSE_STEADY, now_ns);
}

static void tick_tier(health *self, dp_tier_id tier, uint64_t now_ns)
{
    breaker_try(self, tier, now_ns);
    bool is_recovering = false;
    for (unsigned family = 0; family < DP_FAMILY_COUNT; family++)
        is_recovering = is_recovering || !state_is_open(state_of(cell_of(self, tier, family)));
    uint8_t percent = available_percent(self, tier, is_recovering);
    for (unsigned family = 0; family < DP_FAMILY_COUNT; family++)
        judge_cell(self, tier, family, percent, now_ns);
}

static void tick(health *self, unsigned periods, uint64_t now_ns)
{
    if (elapsed_ns(now_ns, &self->ticked_ns) < self->config.tick_ns * periods ||
        atomic_exchange_explicit(&self->ticking, true, memory_order_acquire))
        return;
    store(&self->ticked_ns, now_ns);
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        if (self->layer->slabs[tier] != NULL)
            tick_tier(self, (dp_tier_id)tier, now_ns);
    }
    atomic_store_explicit(&self->ticking, false, memory_order_release);
}

void health_tick(health *self, unsigned periods)
{
    if (self->config.enabled)
        tick(self, periods, now_of(self));
}

void health_tick_at(health *self, unsigned periods, uint64_t os_now_ns)
{
    if (self->config.enabled)
        tick(self, periods, self->config.clock == NULL ? os_now_ns : now_of(self));
}

/* ---- asking ---- */

void health_cell_read(const health *self, dp_tier_id tier, dp_family family, dp_health_info *out)
{
    const health_cell *cell = &self->cells[tier][family];
    bool is_breaker = family == DP_FAMILY_COUNT;
    *out = (dp_health_info){
        .state = state_of(cell),
        .since_ns = load(&cell->since_ns),
        .transitions = load(&cell->transitions),
        .held_back = load(&cell->held_back),
        .failures = atomic_load_explicit(&cell->failures, memory_order_relaxed),
        .p99_ns = load(&cell->p99_ns),
    };
    if (!is_breaker)
        out->available_percent =
            atomic_load_explicit(&cell->available_percent, memory_order_relaxed);
}

void health_check(const health *self)
{
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        for (unsigned family = 0; family <= HEALTH_BREAKER; family++) {
            dp_health_state state = state_of(&self->cells[tier][family]);
            DP_ASSERT((state >= DP_BREAKER_CLOSED) == (family == HEALTH_BREAKER));
        }
    }
}
