/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1: from an event to the histogram it counts in, the recording and the probe; see observe.h.
 */
#include "pool/observe.h"

#include "pool/nvtx_mark.h"
#include "pool/os.h"
#include "pool/probe.h"

dp_status observer_init(observer *self)
{
    *self = (observer){.latency = {NULL}};
    for (unsigned kind = 0; kind < DP_LATENCY_COUNT; kind++) {
        self->latency[kind] = os_calloc(DP_TIER_COUNT, sizeof(histogram));
        if (self->latency[kind] == NULL) {
            for (unsigned made = 0; made < kind; made++)
                os_free(self->latency[made]);
            self->latency[0] = NULL;
            return DP_ERR_NOMEM;
        }
    }
    trace_init(&self->trace);
    nvtx_mark_start();
    return DP_OK;
}

void observer_destroy(observer *self)
{
    if (self->latency[0] == NULL)
        return;
    for (unsigned kind = 0; kind < DP_LATENCY_COUNT; kind++)
        os_free(self->latency[kind]);
    trace_destroy(&self->trace);
    self->latency[0] = NULL;
}

static uint32_t saturate(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void record(observer *self, const trace_event *event)
{
    if (self != NULL && DP_UNLIKELY(observer_is_recording(self)))
        trace_record(&self->trace, event);
}

static void count_latency(observer *self, dp_latency_kind kind, dp_tier_id tier, uint64_t ns)
{
    if (self != NULL)
        histogram_add(&self->latency[kind][tier], ns);
}

void observe_get(observer *self, const observed_get *got)
{
    const observed_buf *buf = &got->buf;
    uint64_t ns = os_clock_ns() - got->begun_ns;
    DP_PROBE4(get_slow, buf->tier, buf->size_class, buf->size_bytes, ns);
    count_latency(self, DP_LATENCY_GET, buf->tier, ns);
    const trace_event event = {
        .id = buf->id,
        .site = (uint64_t)(uintptr_t)got->site,
        .size_bytes = saturate(buf->size_bytes),
        .duration_ns = saturate(ns),
        .type = DP_TRACE_GET,
        .tier = (uint8_t)buf->tier,
        .size_class = (uint8_t)buf->size_class,
        .detail = (uint8_t)((got->fresh ? TRACE_GET_FRESH : 0u) | (unsigned)got->kind
                                                                      << TRACE_GET_KIND_SHIFT),
    };
    record(self, &event);
}

void observe_put(observer *self, const observed_buf *buf)
{
    DP_PROBE2(put_slow, buf->tier, buf->size_class);
    const trace_event event = {.id = buf->id,
                               .size_bytes = saturate(buf->size_bytes),
                               .type = DP_TRACE_PUT,
                               .tier = (uint8_t)buf->tier,
                               .size_class = (uint8_t)buf->size_class};
    record(self, &event);
}

void observe_refill(dp_tier_id tier, unsigned size_class, dp_status status)
{
    DP_PROBE3(refill, tier, size_class, status);
}

static void tier_call_begin(void *user, const tier_trace_event *call)
{
    (void)user;
    nvtx_push((nvtx_range)(NVTX_TIER_CALL + (unsigned)call->call), NVTX_CATEGORY(call->tier),
              call->size_bytes);
}

static void tier_call_end(void *user, const tier_trace_event *call)
{
    nvtx_pop();
    if (call->call == TIER_REGION_GET)
        DP_PROBE4(region_get, call->tier, call->size_bytes, call->status, call->duration_ns);
    else if (call->call == TIER_REGION_PUT)
        DP_PROBE3(region_put, call->tier, call->size_bytes, call->duration_ns);
    count_latency(user, DP_LATENCY_TIER_CALL, call->tier, call->duration_ns);
    const trace_event event = {.size_bytes = saturate(call->size_bytes),
                               .duration_ns = saturate(call->duration_ns),
                               .type = DP_TRACE_TIER_CALL,
                               .tier = (uint8_t)call->tier,
                               .detail = (uint8_t)call->call};
    record(user, &event);
}

tier_trace_sink observer_sink(observer *self)
{
    return (tier_trace_sink){.report = tier_call_end, .begin = tier_call_begin, .user = self};
}

void observe_evict(observer *self, dp_tier_id tier, size_t size_bytes, dp_priority priority)
{
    DP_PROBE3(evict, tier, size_bytes, priority);
    const trace_event event = {.size_bytes = saturate(size_bytes),
                               .type = DP_TRACE_EVICT,
                               .tier = (uint8_t)tier,
                               .detail = (uint8_t)priority};
    record(self, &event);
}

void observe_migrate(observer *self, dp_tier_id from, dp_tier_id to, size_t size_bytes)
{
    DP_PROBE3(migrate, from, to, size_bytes);
    const trace_event event = {.size_bytes = saturate(size_bytes),
                               .type = DP_TRACE_MIGRATE,
                               .tier = (uint8_t)from,
                               .detail = (uint8_t)to};
    record(self, &event);
}

void observe_reclaim(observer *self, dp_tier_id tier)
{
    DP_PROBE1(reclaim, tier);
    const trace_event event = {.type = DP_TRACE_RECLAIM, .tier = (uint8_t)tier};
    record(self, &event);
}

void observe_health(observer *self, dp_tier_id tier, unsigned size_class, unsigned from,
                    unsigned to)
{
    DP_ASSERT(from < 16 && to < 16);
    DP_PROBE4(health, tier, size_class, from, to);
    const trace_event event = {.type = DP_TRACE_HEALTH,
                               .tier = (uint8_t)tier,
                               .size_class = (uint8_t)size_class,
                               .detail = (uint8_t)(from << 4 | to)};
    record(self, &event);
}
