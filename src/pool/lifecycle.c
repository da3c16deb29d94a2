/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: the steps of a buffer's life, and the search for buffers that have escaped.
 *
 * State.  FREE is a count of 0; the other four are two bits of dp_buf.row, which every get writes
 * anyhow, with PENDING as 0.  So get and put pay nothing, and dp_buf_advance() alone writes them.
 *
 * Age.  A get copies the pool's epoch into the descriptor.  A scan first counts the epoch up and
 * only then reads the clock: that time is noted as the epoch's end.  So whatever was got in that
 * epoch was asked for before its end, and an age counted from there is never too high.
 *
 * Reading others' descriptors.  A get stores the references last, by a release, and the scan reads
 * them first, by an acquire: references that are not 0 come with the epoch and site of that life or
 * of a later one, which is only younger.  Nothing else of a descriptor is read but what is constant
 * while its run lives, and that is so under the slab's lock.
 *
 * What was found is copied, and reported when the lock is gone; the buffer may be put meanwhile.
 */
#define _GNU_SOURCE /* dladdr */

#include <dlfcn.h>
#include <string.h>

#include "pool/pool_state.h"

#define STEP_BLOCKS  1024u /* descriptors under one hold of a slab's lock */
#define STEP_SLOTS   256u  /* slots under one hold of the leases' */
#define FOUND_MAX    32u
#define STATE_SHIFT  6u
#define REST_MS_MAX  60000u
#define NS_PER_MS    UINT64_C(1000000)
#define SEVERITY_NO  DP_ESCAPE_SEVERITY_COUNT
#define HOLDERS_MANY 3u

static const char *const state_names[DP_BUF_STATE_COUNT] = {
    [DP_BUF_FREE] = "free",           [DP_BUF_PENDING] = "pending",   [DP_BUF_QUEUED] = "queued",
    [DP_BUF_RENDERING] = "rendering", [DP_BUF_RECYCLED] = "recycled",
};

static const char *const severity_names[DP_ESCAPE_SEVERITY_COUNT] = {
    [DP_ESCAPE_LOW] = "low",
    [DP_ESCAPE_MEDIUM] = "medium",
    [DP_ESCAPE_HIGH] = "high",
};

const char *dp_buf_state_name(dp_buf_state state)
{
    return (unsigned)state < DP_BUF_STATE_COUNT ? state_names[state] : "unknown";
}

const char *dp_escape_severity_name(dp_escape_severity severity)
{
    return (unsigned)severity < DP_ESCAPE_SEVERITY_COUNT ? severity_names[severity] : "unknown";
}

void life_init(life *self)
{
    *self = (life){.under_way = false};
    lease_table_init(&self->leases);
}

void life_destroy(life *self)
{
    DP_ASSERT(!atomic_load_explicit(&self->scanning, memory_order_acquire));
    lease_table_destroy(&self->leases);
}

/* ---- states ---- */

static dp_buf_state state_of_row(unsigned row)
{
    return (dp_buf_state)(DP_BUF_PENDING + (row >> STATE_SHIFT));
}

/* The steps that there are, between states that are held. */
static bool step_is_legal(dp_buf_state from, dp_buf_state to)
{
    switch (to) {
    case DP_BUF_QUEUED:
        return from == DP_BUF_PENDING;
    case DP_BUF_RENDERING:
        return from == DP_BUF_QUEUED;
    case DP_BUF_RECYCLED:
        return from != DP_BUF_RECYCLED;
    default: /* dp_get() and dp_put() do these */
        return false;
    }
}

dp_status dp_buf_advance(dp_buf *buf, dp_buf_state state)
{
    DP_ASSERT(buf_references(buf) != 0);
    uint8_t row = atomic_load_explicit(&buf->row, memory_order_relaxed);
    uint8_t next = row;
    do {
        if (!step_is_legal(state_of_row(row), state))
            return DP_ERR_INVALID;
        unsigned bits = (unsigned)(state - DP_BUF_PENDING) << STATE_SHIFT;
        next = (uint8_t)((row & (ROUTER_ROWS - 1)) | bits);
    } while (!atomic_compare_exchange_weak_explicit(&buf->row, &row, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return DP_OK;
}

dp_buf_state dp_buf_state_of(const dp_buf *buf)
{
    if (buf_references(buf) == 0)
        return DP_BUF_FREE;
    return state_of_row(atomic_load_explicit(&buf->row, memory_order_relaxed));
}

/* ---- leases ---- */

dp_status dp_buf_lease(dp_buf *buf, uint32_t lease_ms, dp_revoke *revoke, void *user)
{
    DP_ASSERT(buf_references(buf) == 1);
    if (lease_ms == 0 || lease_ms > DP_LEASE_MS_MAX)
        return DP_ERR_INVALID;
    const lease_terms terms = {.lease_ns = lease_ms * NS_PER_MS, .revoke = revoke, .user = user};
    return lease_set(&buf_pool(buf)->life.leases, buf, &terms);
}

void dp_buf_unlease(dp_buf *buf)
{
    lease_table *leases = &buf_pool(buf)->life.leases;
    if ((buf->flags & (BUF_WRAP | BUF_MOVE)) != 0)
        (void)lease_set(leases, buf, &lease_default); /* which changes the one that it has */
    else if ((buf->flags & BUF_LEASE) != 0)
        lease_end(leases, buf);
}

void dp_buf_expect_long(dp_buf *buf)
{
    uint32_t epoch = atomic_load_explicit(&buf->epoch, memory_order_relaxed);
    atomic_store_explicit(&buf->epoch, epoch | LIFE_LONG, memory_order_relaxed);
}

void dp_buf_renew(dp_buf *buf)
{
    uint32_t epoch = atomic_load_explicit(&buf_pool(buf)->epoch, memory_order_relaxed);
    atomic_store_explicit(&buf->epoch, epoch, memory_order_relaxed);
}

/* ---- one scan ---- */

typedef struct finding {
    dp_escape escape;
    uint64_t lease_id; /* 0: to be reported only */
} finding;

typedef struct scan {
    dp_pool *pool;
    dp_escape_options options; /* with the defaults filled in */
    uint64_t now_ns;
    uint32_t epoch;
    uint64_t spent; /* descriptors and slots, of blocks_max */
    dp_escape_totals totals;
    unsigned found_count;
    finding found[FOUND_MAX];
} scan;

/* At least how old a buffer of that epoch is. */
static uint64_t age_of(const scan *self, uint32_t epoch)
{
    uint32_t epochs = (self->epoch - epoch) & (LIFE_LONG - 1);
    if (epochs == 0)
        return 0;
    if (epochs > LIFE_EPOCHS)
        epochs = LIFE_EPOCHS;
    uint64_t ended_ns = self->pool->life.ended_ns[(self->epoch - epochs) % LIFE_EPOCHS];
    return self->now_ns > ended_ns ? self->now_ns - ended_ns : 0;
}

static dp_escape_severity severity_of(const scan *self, uint64_t age_ns, uint64_t lease_ns,
                                      uint32_t references)
{
    if (age_ns <= lease_ns)
        return SEVERITY_NO;
    uint64_t over_ns = age_ns - lease_ns;
    if (references >= HOLDERS_MANY || over_ns > self->options.high_ms * NS_PER_MS)
        return DP_ESCAPE_HIGH;
    if (references > 1 || over_ns >= self->options.medium_ms * NS_PER_MS)
        return DP_ESCAPE_MEDIUM;
    return DP_ESCAPE_LOW;
}

/*
 * Judges one buffer.  *noted is 1 + the severity that was reported last.  A buffer got anew is 0
 * old in the first scan that sees it, whatever its lease, so that *noted begins again with it.
 * False when there is no room for another finding; SEVERITY_NO in *severity: nothing to say.
 */
static bool judge(scan *self, const dp_buf *buf, uint64_t lease_ns, uint8_t *noted, dp_escape *out)
{
    out->severity = SEVERITY_NO;
    uint32_t references = atomic_load_explicit(&buf->references, memory_order_acquire);
    uint32_t epoch = atomic_load_explicit(&buf->epoch, memory_order_relaxed);
    dp_escape_severity severity = SEVERITY_NO;
    uint64_t age_ns = 0;
    if (references != 0 && (epoch & LIFE_LONG) == 0) {
        age_ns = age_of(self, epoch);
        severity = severity_of(self, age_ns, lease_ns, references);
    }
    if (severity == SEVERITY_NO) {
        if (*noted != 0)
            *noted = 0;
        return true;
    }
    if (severity < *noted)
        return true;
    if (self->found_count == FOUND_MAX)
        return false;
    unsigned row = atomic_load_explicit(&buf->row, memory_order_relaxed);
    *out = (dp_escape){.severity = severity,
                       .age_ns = age_ns,
                       .lease_ns = lease_ns,
                       .references = references,
                       .state = state_of_row(row),
                       .tier = dp_buf_tier(buf),
                       .kind = (dp_kind)router_row_kind(row),
                       .capacity_bytes = buf->capacity_bytes,
                       .site = atomic_load_explicit(&buf->site, memory_order_acquire),
                       .buf = buf};
    /* Put and got again meanwhile: what was read is of two lives. */
    if (atomic_load_explicit(&buf->epoch, memory_order_relaxed) != epoch)
        out->severity = SEVERITY_NO;
    return true;
}

/* One descriptor, under its slab's lock. */
static bool look_at_block(void *user, dp_buf *buf)
{
    scan *self = user;
    dp_escape escape;
    if (!judge(self, buf, self->options.lease_ms * NS_PER_MS, &buf->noted, &escape))
        return false;
    /* One with a lease of its own is judged by that, in its turn. */
    if (escape.severity != SEVERITY_NO && !lease_covers(&self->pool->life.leases, buf)) {
        buf->noted = (uint8_t)(1 + escape.severity);
        self->found[self->found_count++] = (finding){.escape = escape};
    }
    self->spent++;
    self->totals.blocks++;
    self->totals.held += atomic_load_explicit(&buf->references, memory_order_relaxed) != 0;
    return true;
}

/* One lease, under the table's lock. */
static bool look_at_lease(void *user, lease *record)
{
    scan *self = user;
    dp_escape escape;
    uint64_t lease_ns = record->terms.lease_ns;
    if (lease_ns == 0)
        lease_ns = self->options.lease_ms * NS_PER_MS;
    if (!judge(self, record->buf, lease_ns, &record->noted, &escape))
        return false;
    if (escape.severity == SEVERITY_NO)
        return true;
    record->noted = (uint8_t)(1 + escape.severity);
    escape.revoked =
        escape.severity == DP_ESCAPE_HIGH && record->terms.revoke != NULL && !record->revoked;
    self->found[self->found_count++] =
        (finding){.escape = escape, .lease_id = escape.revoked ? record->id : 0};
    return true;
}

/* Without any lock: names what was found, and revokes what is to be. */
static void tell(scan *self)
{
    for (unsigned i = 0; i < self->found_count; i++) {
        finding *found = &self->found[i];
        dp_escape *escape = &found->escape;
        Dl_info info;
        if (escape->site != NULL && dladdr(escape->site, &info) != 0) {
            escape->module = info.dli_fname;
            escape->module_bytes = (size_t)((uintptr_t)escape->site - (uintptr_t)info.dli_fbase);
            escape->symbol = info.dli_sname;
        }
        self->totals.reported[escape->severity]++;
        if (self->options.report != NULL)
            self->options.report(self->options.report_user, escape);
        if (found->lease_id != 0)
            self->totals.revoked +=
                lease_revoke(&self->pool->life.leases, escape->buf, found->lease_id);
    }
    self->found_count = 0;
}

/* The epoch that was ends here, if it was long enough. */
static void epoch_advance(scan *self)
{
    life *mine = &self->pool->life;
    _Atomic uint32_t *epoch = &self->pool->epoch;
    uint32_t last = self->epoch - 1;
    uint64_t begun_ns = self->epoch == 0 ? 0 : mine->ended_ns[last % LIFE_EPOCHS];
    if (self->epoch != 0 && self->now_ns - begun_ns < LIFE_EPOCH_NS_MIN)
        return;
    uint32_t next = (self->epoch + 1) & (LIFE_LONG - 1);
    /* An exchange, since it is everywhere before what follows is done. */
    atomic_exchange_explicit(epoch, next, memory_order_seq_cst);
    self->now_ns = self->options.clock_ns(self->options.clock_user);
    mine->ended_ns[self->epoch % LIFE_EPOCHS] = self->now_ns;
    self->epoch = next;
}

static void scan_begin(scan *self)
{
    life *mine = &self->pool->life;
    if (mine->under_way)
        return;
    epoch_advance(self);
    mine->under_way = true;
    mine->tier = 0;
    mine->slot = 0;
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        if (self->pool->slabs[id] != NULL)
            slab_walk_begin(self->pool->slabs[id]);
    }
}

/* Up to `blocks` descriptors, or as many slots, further; false at the end. */
static bool scan_step(scan *self, unsigned blocks)
{
    life *mine = &self->pool->life;
    bool more = false;
    if (mine->tier == DP_TIER_COUNT) {
        size_t slots = blocks < STEP_SLOTS ? blocks : STEP_SLOTS;
        more = lease_walk_step(&mine->leases, &mine->slot, slots, look_at_lease, self);
        self->spent += slots;
        tell(self);
        return more;
    }
    slab *walked = self->pool->slabs[mine->tier];
    if (walked != NULL)
        more = slab_walk_step(walked, blocks < STEP_BLOCKS ? blocks : STEP_BLOCKS, look_at_block,
                              self);
    mine->tier += more ? 0 : 1;
    tell(self);
    return true;
}

static uint64_t clock_real(void *unused)
{
    (void)unused;
    return os_clock_ns();
}

static bool options_fill(dp_escape_options *options)
{
    options->lease_ms = options->lease_ms == 0 ? DP_LEASE_MS_DEFAULT : options->lease_ms;
    options->medium_ms = options->medium_ms == 0 ? 3000u : options->medium_ms;
    options->high_ms = options->high_ms == 0 ? 5000u : options->high_ms;
    options->clock_ns = options->clock_ns == NULL ? clock_real : options->clock_ns;
    return options->lease_ms <= DP_LEASE_MS_MAX && options->medium_ms <= REST_MS_MAX &&
           options->high_ms <= REST_MS_MAX;
}

dp_status dp_escape_scan(dp_pool *pool, const dp_escape_options *options, dp_escape_totals *out)
{
    life *mine = &pool->life;
    scan self = {.pool = pool, .options = *options};
    if (!options_fill(&self.options))
        return DP_ERR_INVALID;
    if (atomic_exchange_explicit(&mine->scanning, true, memory_order_acquire))
        return DP_ERR_BUSY;
    self.now_ns = self.options.clock_ns(self.options.clock_user);
    self.epoch = atomic_load_explicit(&pool->epoch, memory_order_relaxed);
    scan_begin(&self);
    uint64_t blocks_max = options->blocks_max == 0 ? UINT64_MAX : options->blocks_max;
    bool more = true;
    while (more && self.spent < blocks_max) {
        uint64_t left = blocks_max - self.spent;
        more = scan_step(&self, left < STEP_BLOCKS ? (unsigned)left : STEP_BLOCKS);
    }
    mine->under_way = more;
    self.totals.complete = !more;
    atomic_store_explicit(&mine->scanning, false, memory_order_release);
    *out = self.totals;
    return DP_OK;
}
