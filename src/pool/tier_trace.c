/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tier around another tier that reports what each call did: which, how large, how long, how it
 * ended.
 *
 * Every call reaches the inner tier once and its answer is passed on unchanged.  The report is made
 * when the call is over, by the caller's thread.  The state is constant after the wrap, so calls
 * may come from any thread as far as the inner tier and the sink allow.
 */
#include "pool/os.h"
#include "pool/tier.h"

typedef struct trace_tier {
    dp_tier tier;
    tier_ops ops; /* TRACE_OPS less the groups that the inner tier lacks */
    dp_tier *inner;
    tier_trace_sink sink;
} trace_tier;

static const char *const call_names[TIER_CALL_COUNT] = {
#define TIER_CALL_NAME(id, name) [id] = (name),
    TIER_CALL_LIST(TIER_CALL_NAME)
#undef TIER_CALL_NAME
};

const char *tier_call_name(tier_call call)
{
    DP_ASSERT((unsigned)call < TIER_CALL_COUNT);
    return call_names[call];
}

static trace_tier *trace_of(dp_tier *tier)
{
    return (trace_tier *)tier;
}

static uint64_t now_ns(const trace_tier *self)
{
    return self->sink.clock_ns != NULL ? self->sink.clock_ns(self->sink.user) : os_clock_ns();
}

static tier_trace_event begin(dp_tier *tier, tier_call call, size_t size_bytes)
{
    const trace_tier *self = trace_of(tier);
    tier_trace_event event = {.tier = tier->info.id, .call = call, .size_bytes = size_bytes};
    if (self->sink.begin != NULL)
        self->sink.begin(self->sink.user, &event);
    event.start_ns = now_ns(self);
    return event;
}

static dp_status end(dp_tier *tier, tier_trace_event *event, dp_status status)
{
    const trace_tier *self = trace_of(tier);
    event->duration_ns = now_ns(self) - event->start_ns;
    event->status = status;
    self->sink.report(self->sink.user, event);
    return status;
}

static void trace_close(dp_tier *tier)
{
    tier_close(trace_of(tier)->inner);
    os_free(tier);
}

static dp_status trace_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    tier_trace_event event = begin(tier, TIER_REGION_GET, size_bytes);
    return end(tier, &event, tier_region_get(trace_of(tier)->inner, size_bytes, out));
}

static void trace_region_put(dp_tier *tier, const tier_region *region)
{
    tier_trace_event event = begin(tier, TIER_REGION_PUT, region->size_bytes);
    tier_region_put(trace_of(tier)->inner, region);
    (void)end(tier, &event, DP_OK);
}

/* Only a question, and not reported. */
static dp_status trace_room(dp_tier *tier, uint64_t *free_bytes, uint64_t *all_bytes)
{
    return tier_room(trace_of(tier)->inner, free_bytes, all_bytes);
}

static dp_status trace_write(dp_tier *tier, uint64_t device, const void *from, size_t size_bytes)
{
    dp_tier *inner = trace_of(tier)->inner;
    tier_trace_event event = begin(tier, TIER_WRITE, size_bytes);
    return end(tier, &event, inner->ops->copy->write(inner, device, from, size_bytes));
}

static dp_status trace_read(dp_tier *tier, uint64_t device, void *to, size_t size_bytes)
{
    dp_tier *inner = trace_of(tier)->inner;
    tier_trace_event event = begin(tier, TIER_READ, size_bytes);
    return end(tier, &event, inner->ops->copy->read(inner, device, to, size_bytes));
}

static dp_status trace_advise(dp_tier *tier, uint64_t device, size_t size_bytes, dp_advice advice)
{
    tier_trace_event event = begin(tier, TIER_ADVISE, size_bytes);
    return end(tier, &event, tier_advise(trace_of(tier)->inner, device, size_bytes, advice));
}

static dp_status trace_prefetch(dp_tier *tier, uint64_t device, size_t size_bytes, dp_place where,
                                uint64_t stream)
{
    tier_trace_event event = begin(tier, TIER_PREFETCH, size_bytes);
    dp_status status = tier_prefetch(trace_of(tier)->inner, device, size_bytes, where, stream);
    return end(tier, &event, status);
}

/* One event for a batch: its bytes, and the first item's error. */
static void trace_commit(dp_tier *tier, tier_item *items, size_t count)
{
    tier_trace_event event = begin(tier, TIER_COMMIT, 0);
    tier_store_commit_many(trace_of(tier)->inner, items, count);
    dp_status status = DP_OK;
    for (size_t i = 0; i < count; i++) {
        event.size_bytes += items[i].size_bytes;
        status = status == DP_OK ? items[i].status : status;
    }
    (void)end(tier, &event, status);
}

static dp_status trace_find(dp_tier *tier, const dp_cache_key *key, tier_object *out)
{
    tier_trace_event event = begin(tier, TIER_FIND, 0);
    dp_status status = tier_store_find(trace_of(tier)->inner, key, out);
    event.size_bytes = status == DP_OK ? out->size_bytes : 0;
    return end(tier, &event, status);
}

static void trace_release(dp_tier *tier, const tier_object *object)
{
    tier_trace_event event = begin(tier, TIER_RELEASE, object->size_bytes);
    tier_store_release(trace_of(tier)->inner, object);
    (void)end(tier, &event, DP_OK);
}

static dp_status trace_remove(dp_tier *tier, const dp_cache_key *key, size_t *size_bytes)
{
    tier_trace_event event = begin(tier, TIER_REMOVE, 0);
    dp_status status = tier_store_remove(trace_of(tier)->inner, key, size_bytes);
    event.size_bytes = status == DP_OK ? *size_bytes : 0;
    return end(tier, &event, status);
}

static void trace_each(dp_tier *tier, tier_visit *visit, void *user)
{
    tier_trace_event event = begin(tier, TIER_EACH, 0);
    tier_store_each(trace_of(tier)->inner, visit, user);
    (void)end(tier, &event, DP_OK);
}

static void trace_totals(dp_tier *tier, tier_store_totals *out)
{
    tier_trace_event event = begin(tier, TIER_TOTALS, 0);
    tier_store_totals_read(trace_of(tier)->inner, out);
    (void)end(tier, &event, DP_OK);
}

static void trace_unclaim(dp_tier *tier)
{
    tier_trace_event event = begin(tier, TIER_UNCLAIM, 0);
    tier_store_unclaim(trace_of(tier)->inner);
    (void)end(tier, &event, DP_OK);
}

static bool trace_claim(dp_tier *tier, const dp_cache_key *key, tier_claim *out)
{
    tier_trace_event event = begin(tier, TIER_CLAIM, 0);
    bool is_one = tier_store_claim(trace_of(tier)->inner, key, out);
    event.size_bytes = is_one ? out->size_bytes : 0;
    return end(tier, &event, is_one ? DP_OK : DP_ERR_NOT_FOUND) == DP_OK;
}

static bool trace_claim_oldest(dp_tier *tier, dp_priority priority, tier_claim *out)
{
    tier_trace_event event = begin(tier, TIER_CLAIM, 0);
    bool is_one = tier_store_claim_oldest(trace_of(tier)->inner, priority, out);
    event.size_bytes = is_one ? out->size_bytes : 0;
    return end(tier, &event, is_one ? DP_OK : DP_ERR_NOT_FOUND) == DP_OK;
}

static const tier_copy_ops TRACE_COPY_OPS = {.write = trace_write, .read = trace_read};

static const tier_advice_ops TRACE_ADVICE_OPS = {
    .advise = trace_advise,
    .prefetch = trace_prefetch,
};

static const tier_store_ops TRACE_STORE_OPS = {
    .commit = trace_commit,
    .find = trace_find,
    .release = trace_release,
    .remove = trace_remove,
    .each = trace_each,
    .totals = trace_totals,
    .unclaim = trace_unclaim,
    .claim = trace_claim,
    .claim_oldest = trace_claim_oldest,
};

static const tier_ops TRACE_OPS = {
    .close = trace_close,
    .region_get = trace_region_get,
    .region_put = trace_region_put,
    .room = trace_room,
    .copy = &TRACE_COPY_OPS,
    .store = &TRACE_STORE_OPS,
    .advice = &TRACE_ADVICE_OPS,
};

dp_status tier_trace_wrap(dp_tier *inner, const tier_trace_sink *sink, dp_tier **out)
{
    DP_ASSERT(inner != NULL && sink != NULL && sink->report != NULL);
    trace_tier *self = os_calloc(1, sizeof *self);
    if (self == NULL) {
        tier_close(inner);
        return DP_ERR_NOMEM;
    }
    self->tier = *inner;
    self->tier.ops = &self->ops;
    self->ops = tier_ops_like(&TRACE_OPS, inner->ops);
    self->inner = inner;
    self->sink = *sink;
    *out = &self->tier;
    return DP_OK;
}
