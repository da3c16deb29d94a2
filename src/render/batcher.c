/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See batcher.h.  Under the lock: the list of waiting groups and waiting_items, which is the sum of
 * their items; the breaker's state, which is_tried and failed_at_ns belong to.  `batch` is the
 * thread's own.
 */
#include "render/batcher.h"

#include <stdio.h>
#include <time.h>

#include "pool/nvtx_mark.h"
#include "pool/os.h"
#include "render/step_back.h"

#define FAILURES_MAX 3u
#define NS_PER_S     UINT64_C(1000000000)

struct render_batcher {
    render_batcher_config config;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    batch_group *first, *last;
    unsigned waiting_items;
    bool closed;
    dp_render_device state;
    unsigned failures; /* in a row */
    uint64_t failed_at_ns;
    render_batcher_stats stats;
    backend_item **batch; /* batch_max + a group's items */
};

/* Groups taken for one batch, by their list. */
typedef struct batch_taken {
    batch_group *first;
    size_t item_count;
    bool refused; /* came before the device failed, and waited while it did */
} batch_taken;

static void tell(const render_batcher *b, dp_render_device from, dp_render_device to,
                 const char *words)
{
    if (from != to && b->config.listener != NULL) {
        b->config.listener(b->config.listener_user, from, to, words);
    }
}

static uint64_t delay_end_ns(const render_batcher *b)
{
    return b->first->submitted_ns + b->config.delay_ns_max;
}

/* Under the lock: waits until a batch is due; false when the batcher is closed and empty. */
static bool wait_for_batch(render_batcher *b)
{
    while (b->first == NULL && !b->closed) {
        pthread_cond_wait(&b->wake, &b->lock);
    }
    if (b->first == NULL) {
        return false;
    }
    while (b->waiting_items < b->config.batch_max && !b->closed &&
           os_clock_ns() < delay_end_ns(b)) {
        const uint64_t end_ns = delay_end_ns(b);
        const struct timespec end = {.tv_sec = (time_t)(end_ns / NS_PER_S),
                                     .tv_nsec = (long)(end_ns % NS_PER_S)};
        (void)pthread_cond_timedwait(&b->wake, &b->lock, &end);
    }
    return true;
}

/* Under the lock: takes whole groups, at least one, up to batch_max items. */
static batch_taken take_groups(render_batcher *b)
{
    batch_taken out = {.first = b->first, .refused = b->state == DP_RENDER_DEVICE_FAILED};
    batch_group *last = NULL;
    for (batch_group *at = b->first; at != NULL; at = at->next) {
        if (last != NULL && out.item_count + at->item_count > b->config.batch_max) {
            break;
        }
        for (unsigned i = 0; i < at->item_count; i++) {
            b->batch[out.item_count++] = &at->items[i];
        }
        last = at;
    }
    b->first = last->next;
    b->last = b->first == NULL ? NULL : b->last;
    b->waiting_items -= (unsigned)out.item_count;
    last->next = NULL;
    return out;
}

/* Items whose time is over are not worth a place in a batch. */
static size_t drop_late(render_batcher *b, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        backend_item *item = b->batch[i];
        item->status = task_check_time(item->task);
        if (item->status == DP_OK) {
            b->batch[kept++] = item;
        }
    }
    return kept;
}

/* Under the lock: what the batch's end means for the breaker. */
static void judge(render_batcher *b, dp_status status, size_t items)
{
    if (status == DP_OK) {
        b->failures = 0;
        b->stats.batches++;
        b->stats.items += items;
        b->state = DP_RENDER_DEVICE_OK;
        return;
    }
    b->stats.batches_failed++;
    b->failures++;
    if (status == DP_ERR_DEVICE || b->failures >= FAILURES_MAX ||
        b->state == DP_RENDER_DEVICE_TRIED) {
        b->state = DP_RENDER_DEVICE_FAILED;
        b->failed_at_ns = os_clock_ns();
    }
}

static void finish_groups(const batch_taken *t, uint64_t begun_ns, uint64_t run_ns)
{
    batch_group *group = t->first;
    while (group != NULL) {
        batch_group *next = group->next; /* done() may free it */
        group->wait_ns = begun_ns - group->submitted_ns;
        group->run_ns = run_ns;
        group->done(group);
        group = next;
    }
}

/* Under the lock, after a batch of `tried` items: the breaker's state before and after. */
static void settle(render_batcher *b, dp_status status, size_t tried, dp_render_device states[2])
{
    states[0] = b->state;
    if (tried > 0) {
        judge(b, status, tried);
    } else if (b->state == DP_RENDER_DEVICE_TRIED) {
        b->state = DP_RENDER_DEVICE_FAILED; /* all were late: the next group is to try */
    }
    states[1] = b->state;
}

static void run_batch(render_batcher *b, const batch_taken *t)
{
    char detail[BACKEND_DETAIL_BYTES] = "";
    dp_render_device states[2];
    const uint64_t begun = os_clock_ns();
    const size_t count = drop_late(b, t->item_count);
    const size_t tried = t->refused ? 0 : count;
    dp_status status = t->refused ? DP_ERR_DEVICE : DP_OK;

    if (tried > 0) {
        nvtx_push(NVTX_BATCH, NVTX_CATEGORY_RENDER, count);
        status = b->config.device->ops->run(b->config.device, b->batch, count, detail);
        nvtx_pop();
    }
    for (size_t i = 0; status != DP_OK && i < count; i++) {
        b->batch[i]->status = DP_ERR_DEVICE;
    }
    os_lock(&b->lock);
    settle(b, status, tried, states);
    os_unlock(&b->lock);
    tell(b, states[0], states[1],
         status == DP_OK     ? "it works again"
         : detail[0] != '\0' ? detail
                             : dp_status_message(status));
    finish_groups(t, begun, os_clock_ns() - begun);
}

static void *work(void *user)
{
    render_batcher *b = user;
    step_back();
    os_lock(&b->lock);
    while (wait_for_batch(b)) {
        const batch_taken t = take_groups(b);
        os_unlock(&b->lock);
        run_batch(b, &t);
        os_lock(&b->lock);
    }
    os_unlock(&b->lock);
    return NULL;
}

/* The delay is counted on the clock that the groups are stamped by. */
static bool init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    const bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                      pthread_cond_init(wake, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return made;
}

dp_status render_batcher_create(const render_batcher_config *config, render_batcher **out)
{
    DP_ASSERT(config->device != NULL && config->batch_max > 0);
    dp_status status = DP_ERR_NOMEM;
    render_batcher *b = os_calloc(1, sizeof *b);
    if (b == NULL) {
        return DP_ERR_NOMEM;
    }
    b->config = *config;
    b->state = DP_RENDER_DEVICE_OK;
    b->batch = os_calloc((size_t)config->batch_max + DP_RENDER_OUTPUTS_MAX, sizeof(backend_item *));
    if (b->batch == NULL || !init_wake(&b->wake)) {
        goto free_memory;
    }
    os_mutex_init(&b->lock);
    if (pthread_create(&b->thread, NULL, work, b) != 0) {
        status = DP_ERR_IO;
        goto destroy_locks;
    }
    *out = b;
    return DP_OK;
destroy_locks:
    os_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->wake);
free_memory:
    os_free(b->batch);
    os_free(b);
    return status;
}

/* Under the lock. */
static bool is_to_be_tried(const render_batcher *b)
{
    return b->state == DP_RENDER_DEVICE_FAILED &&
           os_clock_ns() - b->failed_at_ns >= b->config.retry_ns;
}

/* Under the lock: whether a group may come, and whether it is the one that tries. */
static bool admits(render_batcher *b)
{
    if (is_to_be_tried(b)) {
        b->state = DP_RENDER_DEVICE_TRIED;
        return true;
    }
    return b->state == DP_RENDER_DEVICE_OK;
}

bool render_batcher_takes(render_batcher *b)
{
    os_lock(&b->lock);
    const bool takes = b->state == DP_RENDER_DEVICE_OK || is_to_be_tried(b);
    os_unlock(&b->lock);
    return takes;
}

bool render_batcher_submit(render_batcher *b, batch_group *group)
{
    DP_ASSERT(group->item_count >= 1 && group->item_count <= DP_RENDER_OUTPUTS_MAX);
    group->next = NULL;
    group->submitted_ns = os_clock_ns();
    os_lock(&b->lock);
    DP_ASSERT(!b->closed);
    const dp_render_device before = b->state;
    const bool taken = admits(b);
    const dp_render_device after = b->state;
    os_unlock(&b->lock);
    /* Told before the batch can end and say what came of it. */
    tell(b, before, after, "it is tried again");
    if (!taken) {
        return false;
    }
    os_lock(&b->lock);
    if (b->first == NULL) {
        b->first = group;
    } else {
        b->last->next = group;
    }
    b->last = group;
    b->waiting_items += group->item_count;
    pthread_cond_signal(&b->wake);
    os_unlock(&b->lock);
    return true;
}

void render_batcher_destroy(render_batcher *b)
{
    if (b == NULL) {
        return;
    }
    os_lock(&b->lock);
    b->closed = true;
    pthread_cond_signal(&b->wake);
    os_unlock(&b->lock);
    pthread_join(b->thread, NULL);
    os_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->wake);
    os_free(b->batch);
    os_free(b);
}

void render_batcher_stats_read(render_batcher *b, render_batcher_stats *out)
{
    os_lock(&b->lock);
    *out = b->stats;
    out->state = b->state;
    os_unlock(&b->lock);
}
