/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From events to lanes: gets and puts are matched by sorting them by buffer, then dealt to the
 * lanes in the order of time.  Runs once, before any clock; plain functions of the file.
 */
#include "replay_plan.h"

#include <stdlib.h>

#define SLOT_NONE   UINT32_MAX
#define THREADS_MAX 256u /* distinct ones; more share lanes all the same */

typedef struct step {
    uint64_t id;
    size_t at; /* index of the event */
} step;

static int by_buffer(const void *left, const void *right)
{
    const step *a = left;
    const step *b = right;
    if (a->id != b->id) {
        return a->id < b->id ? -1 : 1;
    }
    return (a->at > b->at) - (a->at < b->at);
}

static bool is_step(const trace_event *event)
{
    return event->type == DP_TRACE_GET || event->type == DP_TRACE_PUT;
}

/* Each event's slot, SLOT_NONE for what is left out.  The caller frees it; NULL: no memory. */
static uint32_t *slots_make(const trace_file *file, replay_plan *plan)
{
    step *steps = calloc(file->event_count, sizeof *steps);
    uint32_t *slots = calloc(file->event_count, sizeof *slots);
    size_t count = 0;
    if (steps == NULL || slots == NULL) {
        free(steps);
        free(slots);
        return NULL;
    }
    for (size_t i = 0; i < file->event_count; i++) {
        slots[i] = SLOT_NONE;
        if (is_step(&file->events[i])) {
            steps[count++] = (step){.id = file->events[i].id, .at = i};
        }
    }
    qsort(steps, count, sizeof *steps, by_buffer);
    for (size_t i = 0; i < count; i++) {
        bool is_get = file->events[steps[i].at].type == DP_TRACE_GET;
        bool follows_get = i > 0 && steps[i].id == steps[i - 1].id &&
                           file->events[steps[i - 1].at].type == DP_TRACE_GET;
        if (is_get) {
            slots[steps[i].at] = (uint32_t)plan->gets++;
        } else if (follows_get) {
            slots[steps[i].at] = slots[steps[i - 1].at];
            plan->puts++;
        } else {
            plan->left_out++;
        }
    }
    free(steps);
    return slots;
}

/* Threads get lanes in the order in which they first appear. */
typedef struct dealer {
    uint32_t threads[THREADS_MAX];
    unsigned count;
    unsigned lanes_max;
} dealer;

static unsigned lane_of(dealer *self, uint32_t thread)
{
    unsigned i = 0;
    while (i < self->count && self->threads[i] != thread) {
        i++;
    }
    if (i == self->count && i < THREADS_MAX) {
        self->threads[self->count++] = thread;
    }
    return i % self->lanes_max;
}

/* Deals each step that has a slot; without ops arrays it only counts. */
static void deal(const trace_file *file, const uint32_t *slots, dealer *to, replay_plan *plan)
{
    for (unsigned i = 0; i < REPLAY_LANES_MAX; i++) {
        plan->lanes[i].count = 0;
    }
    for (size_t i = 0; i < file->event_count; i++) {
        const trace_event *event = &file->events[i];
        if (slots[i] == SLOT_NONE) {
            continue;
        }
        replay_lane *lane = &plan->lanes[lane_of(to, event->thread)];
        if (lane->ops != NULL) {
            lane->ops[lane->count] =
                (replay_op){.slot = slots[i],
                            .size_bytes = event->size_bytes,
                            .kind = (uint8_t)(event->detail >> TRACE_GET_KIND_SHIFT),
                            .is_put = event->type == DP_TRACE_PUT};
        }
        lane->count++;
    }
}

dp_status replay_plan_make(const trace_file *file, unsigned lanes_max, replay_plan *out)
{
    replay_plan plan = {.gets = 0};
    dealer to = {.lanes_max = lanes_max};
    if (file->event_count == 0 || file->event_count >= SLOT_NONE) {
        return DP_ERR_INVALID;
    }
    uint32_t *slots = slots_make(file, &plan);
    if (slots == NULL) {
        return DP_ERR_NOMEM;
    }
    deal(file, slots, &to, &plan);
    bool ok = true;
    for (unsigned i = 0; i < lanes_max; i++) {
        plan.lane_count += plan.lanes[i].count > 0;
        plan.lanes[i].ops = calloc(plan.lanes[i].count + 1, sizeof(replay_op));
        ok = ok && plan.lanes[i].ops != NULL;
    }
    if (!ok || plan.gets == 0) {
        free(slots);
        replay_plan_clear(&plan);
        return ok ? DP_ERR_INVALID : DP_ERR_NOMEM;
    }
    deal(file, slots, &to, &plan);
    free(slots);
    plan.thread_count = to.count;
    *out = plan;
    return DP_OK;
}

void replay_plan_clear(replay_plan *plan)
{
    for (unsigned i = 0; i < REPLAY_LANES_MAX; i++) {
        free(plan->lanes[i].ops);
    }
    *plan = (replay_plan){.gets = 0};
}
