/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of the pipeline: limits on entry, the queue, the workers, the counters.  See render.h.
 *
 * A popped job lives in a flight, one a slot of the queue.  Whoever has the slot has the flight: a
 * worker, then, for as long as the items are with a device, the batcher, then a worker again.
 *
 *     pop --new--> decode --no device or nothing to do--> items on the spare --> encode -> done()
 *                        \--> batcher ..... resume --pop--> settle ----------/
 *
 * A job's source reference is taken by submit and given back on the worker before done() is called,
 * so that a callee may look at its own buffer as its only holder.  Counters are relaxed atomics:
 * each is exact, they need not agree at one moment.
 */
#include "render/render.h"

#include <stdatomic.h>
#include <unistd.h>

#include <danpool/lifecycle.h>

#include "pool/nvtx_mark.h"
#include "pool/os.h"
#include "render/batcher.h"
#include "render/isolation.h"
#include "render/job_check.h"
#include "render/pipeline.h"
#include "render/queue.h"
#include "render/render_internal.h"
#include "render/step_back.h"

#define WORKERS_MAX       64u
#define QUEUE_MAX_DEFAULT 256u
#define BATCH_DEFAULT     256u
#define BATCH_MAX         4096u
#define DELAY_US_DEFAULT  2000u
#define RETRY_MS_DEFAULT  60000u
#define BYTES_MAX_DEFAULT ((size_t)8 << 20)
#define PIXELS_DEFAULT    UINT64_C(40000000)
#define TIME_MS_DEFAULT   5000u
/* Decoded frames of one animation. */
#define ANIMATION_BYTES_MAX ((size_t)128 << 20)
/* Decoded jobs that may wait for a device beside those in the workers' hands: each holds its
 * pictures. */
#define FLIGHTS_WAITING_MAX  256u
#define DEVICE_BYTES_DEFAULT ((size_t)512 << 20)
/* Plans of drawings that are kept: some 2,500 at 128 pixels. */
#define PLANS_BYTES_MAX ((size_t)64 << 20)
#define NS_PER_MS       UINT64_C(1000000)
#define NS_PER_US       UINT64_C(1000)

typedef struct flight {
    dp_render *render;
    unsigned slot;
    queue_job job;
    pipeline run;
    batch_group group;
    size_t device_bytes; /* while the device has it */
    dp_render_stage stage;
    uint64_t stage_ns; /* when it began */
} flight;

typedef struct counters {
    atomic_uint_fast64_t submitted, done_ok, done_failed, late;
    atomic_uint_fast64_t rejected_busy, rejected_share, pictures, spare_items, busy_ns;
    atomic_uint_fast64_t stage_jobs[DP_RENDER_STAGE_COUNT];
    atomic_uint_fast64_t stage_ns[DP_RENDER_STAGE_COUNT];
} counters;

struct dp_render {
    dp_pool *pool;
    dp_render_config config; /* defaults filled in */
    backend *device;         /* NULL = the CPU alone */
    backend *cpu;
    render_batcher *batcher;    /* with a device */
    plan_cache *plans;          /* with a device that draws */
    atomic_size_t device_bytes; /* of all flights that it has */
    isolation isolation;        /* who decodes */
    char isolation_detail[SANDBOX_DETAIL_BYTES];
    render_queue *queue;
    flight *flights; /* by slot */
    pthread_t threads[WORKERS_MAX];
    unsigned thread_count;
    counters counted;
};

static void count(atomic_uint_fast64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static uint64_t counted(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* ---- one job ---- */

static void stage_begin(flight *f, dp_render_stage stage)
{
    f->stage = stage;
    f->stage_ns = os_clock_ns();
    count(&f->render->counted.stage_jobs[stage], 1);
}

static void stage_end(flight *f)
{
    counters *c = &f->render->counted;
    atomic_fetch_sub_explicit(&c->stage_jobs[f->stage], 1, memory_order_relaxed);
    count(&c->stage_ns[f->stage], os_clock_ns() - f->stage_ns);
}

/* The job's end, whatever came of it, with the flight's words. */
static void finish(dp_render *render, const queue_job *job, dp_status status, const char *message,
                   const dp_render_result *result)
{
    (void)dp_buf_advance(job->job.source, DP_BUF_RECYCLED);
    dp_put(job->job.source);
    count(status == DP_OK ? &render->counted.done_ok : &render->counted.done_failed, 1);
    count(&render->counted.late, status == DP_ERR_TIMEOUT ? 1 : 0);
    count(&render->counted.pictures, status == DP_OK ? result->picture_count : 0);
    job->job.done(job->job.user, status, message, status == DP_OK ? result : NULL);
}

static void land(flight *f, dp_status status)
{
    pipeline_drop(&f->run);
    finish(f->render, &f->job, status,
           f->run.task.message[0] == '\0' ? dp_status_message(status) : f->run.task.message,
           &f->run.result);
    render_queue_release(f->render->queue, f->slot);
}

static void encode(flight *f)
{
    stage_begin(f, DP_RENDER_STAGE_ENCODE);
    const dp_status status = pipeline_encode(&f->run);
    stage_end(f);
    land(f, status);
}

/* On the batcher's thread. */
static void group_done(batch_group *group)
{
    flight *f = group->user;
    render_queue_resume(f->render->queue, f->slot);
}

static void leave_room(flight *f)
{
    atomic_fetch_sub_explicit(&f->render->device_bytes, f->device_bytes, memory_order_relaxed);
}

/* The device is done with the items, or has failed at some. */
static void resume(flight *f)
{
    unsigned spare_items;
    leave_room(f);
    f->run.result.batch_ns = f->group.wait_ns;
    f->run.result.resize_ns = f->group.run_ns;
    stage_end(f);
    stage_begin(f, DP_RENDER_STAGE_RESIZE);
    const uint64_t begun = os_clock_ns();
    const dp_status status =
        pipeline_settle(&f->run, f->render->device->ops->name, f->render->cpu, &spare_items);
    f->run.result.resize_ns += spare_items > 0 ? os_clock_ns() - begun : 0;
    count(&f->render->counted.spare_items, spare_items);
    stage_end(f);
    if (status == DP_OK) {
        encode(f);
    } else {
        land(f, status);
    }
}

static bool device_takes(const flight *f)
{
    bool takes = f->render->batcher != NULL;
    for (unsigned i = 0; i < f->run.item_count && takes; i++) {
        takes = f->run.items[i].kind == BACKEND_RESAMPLE || f->render->device->ops->rasters;
    }
    return takes;
}

typedef enum giving { GIVEN, NOT_WANTED, DEVICE_FAILED } giving;

/*
 * What waits for a device is memory: beyond the bound the worker keeps it.  One that is larger than
 * all the room is let in alone.
 */
static bool takes_room(flight *f, size_t bytes)
{
    const size_t before =
        atomic_fetch_add_explicit(&f->render->device_bytes, bytes, memory_order_relaxed);
    if (before == f->device_bytes || before + bytes <= f->render->config.device_bytes_max) {
        f->device_bytes += bytes;
        return true;
    }
    atomic_fetch_sub_explicit(&f->render->device_bytes, bytes, memory_order_relaxed);
    return false;
}

static size_t picture_bytes(const flight *f)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < f->run.item_count; i++) {
        bytes += dp_buf_size(f->run.items[i].target->buf);
        if (f->run.items[i].kind == BACKEND_RESAMPLE &&
            (i == 0 || f->run.items[i].source != f->run.items[i - 1].source)) {
            bytes += dp_buf_size(f->run.items[i].source->buf);
        }
    }
    return bytes;
}

static size_t plan_bytes(const flight *f)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < f->run.item_count; i++) {
        bytes += f->run.items[i].plan == NULL ? 0 : drawing_plan_bytes(f->run.items[i].plan);
    }
    return bytes;
}

/* When the items are given to the device, the flight is no longer this worker's. */
static giving give_to_device(flight *f)
{
    f->device_bytes = 0;
    if (!device_takes(f) || !takes_room(f, picture_bytes(f))) {
        return NOT_WANTED;
    }
    if (!render_batcher_takes(f->render->batcher)) {
        leave_room(f);
        return DEVICE_FAILED;
    }
    if (!pipeline_plan(&f->run, f->render->plans) || !takes_room(f, plan_bytes(f))) {
        leave_room(f);
        return NOT_WANTED;
    }
    f->group = (batch_group){
        .items = f->run.items, .item_count = f->run.item_count, .done = group_done, .user = f};
    stage_begin(f, DP_RENDER_STAGE_BATCH);
    if (render_batcher_submit(f->render->batcher, &f->group)) {
        return GIVEN;
    }
    stage_end(f);
    leave_room(f);
    return DEVICE_FAILED;
}

static dp_status run_here(flight *f, bool in_place_of_device)
{
    char detail[BACKEND_DETAIL_BYTES] = "";
    dp_render *render = f->render;
    backend_item *items[DP_RENDER_OUTPUTS_MAX];
    unsigned spare_items = 0;

    for (unsigned i = 0; i < f->run.item_count; i++) {
        items[i] = &f->run.items[i];
    }
    stage_begin(f, DP_RENDER_STAGE_RESIZE);
    dp_status status = render->cpu->ops->run(render->cpu, items, f->run.item_count, detail);
    if (status == DP_OK) {
        status = pipeline_settle(
            &f->run, in_place_of_device ? PIPELINE_ENGINE_SPARE : render->cpu->ops->name, NULL,
            &spare_items);
        count(&render->counted.spare_items, in_place_of_device ? f->run.item_count : 0);
    }
    f->run.result.resize_ns = os_clock_ns() - f->stage_ns;
    stage_end(f);
    return status;
}

static void begin(flight *f)
{
    dp_render *render = f->render;
    const uint64_t now = os_clock_ns();
    f->run = (pipeline){.task = {.pool = render->pool,
                                 .deadline_ns = f->job.deadline_ns,
                                 .input_pixels_max = render->config.input_pixels_max,
                                 .tenant = f->job.job.tenant,
                                 .own_engine_only = render->config.own_engine_only},
                        .job = &f->job.job,
                        .reader = render->isolation.reader,
                        .animation_bytes_max = ANIMATION_BYTES_MAX,
                        .scenes = render->config.scenes,
                        .result = {.queued_ns = now - f->job.submitted_ns}};
    count(&render->counted.stage_ns[DP_RENDER_STAGE_QUEUE], f->run.result.queued_ns);
    /* Refused where the same bytes are in two jobs, or are the caller's own to count. */
    (void)dp_buf_advance(f->job.job.source, DP_BUF_RENDERING);

    if (task_is_late(&f->run.task)) {
        land(f, task_fail(&f->run.task, DP_ERR_TIMEOUT, "waited too long for a renderer"));
        return;
    }
    stage_begin(f, DP_RENDER_STAGE_DECODE);
    dp_status status = pipeline_decode(&f->run);
    stage_end(f);
    if (status == DP_OK && f->run.item_count > 0) {
        const giving given = give_to_device(f);
        if (given == GIVEN) {
            return;
        }
        status = run_here(f, given == DEVICE_FAILED);
    }
    if (status == DP_OK) {
        encode(f);
    } else {
        land(f, status);
    }
}

static bool next_work(dp_render *render, queue_work *out)
{
    nvtx_push(NVTX_QUEUE, NVTX_CATEGORY_RENDER, 0);
    const bool found = render_queue_pop(render->queue, out);
    nvtx_pop();
    return found;
}

static void *work(void *user)
{
    dp_render *render = user;
    queue_work next;

    step_back();
    while (next_work(render, &next)) {
        flight *f = &render->flights[next.slot];
        const uint64_t begun = os_clock_ns();
        if (next.resumed) {
            resume(f);
        } else {
            f->render = render;
            f->slot = next.slot;
            f->job = next.job;
            begin(f);
        }
        count(&render->counted.busy_ns, os_clock_ns() - begun);
    }
    return NULL;
}

/* ---- making and ending ---- */

static unsigned or_default(unsigned value, unsigned initial, unsigned max)
{
    const unsigned chosen = value == 0 ? initial : value;
    return chosen < max ? chosen : max;
}

static void fill_defaults(dp_render_config *config)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    config->workers = or_default(config->workers, cores < 1 ? 1 : (unsigned)cores, WORKERS_MAX);
    config->queue_max = or_default(config->queue_max, QUEUE_MAX_DEFAULT, UINT32_MAX);
    config->tenant_jobs_max =
        or_default(config->tenant_jobs_max, config->queue_max, config->queue_max);
    config->batch_max = or_default(config->batch_max, BATCH_DEFAULT, BATCH_MAX);
    config->batch_delay_us = or_default(config->batch_delay_us, DELAY_US_DEFAULT, UINT32_MAX);
    config->retry_ms = or_default(config->retry_ms, RETRY_MS_DEFAULT, UINT32_MAX);
    config->time_ms_max = or_default(config->time_ms_max, TIME_MS_DEFAULT, UINT32_MAX);
    config->device_bytes_max =
        config->device_bytes_max == 0 ? DEVICE_BYTES_DEFAULT : config->device_bytes_max;
    config->input_bytes_max =
        config->input_bytes_max == 0 ? BYTES_MAX_DEFAULT : config->input_bytes_max;
    config->input_pixels_max =
        config->input_pixels_max == 0 ? PIXELS_DEFAULT : config->input_pixels_max;
}

/* What the configuration names; NULL where that is the CPU. */
static dp_status open_device(dp_pool *pool, dp_backend_choice choice, backend **out)
{
    char detail[BACKEND_DETAIL_BYTES] = "";
    backend *device = NULL;
    dp_status status = DP_OK;
    if (choice != DP_BACKEND_CPU) {
        status = backend_cuda_open(pool, detail, &device);
    }
    if (status != DP_OK && choice == DP_BACKEND_CUDA) {
        return status;
    }
    *out = status == DP_OK ? device : NULL;
    return DP_OK;
}

static dp_status open_queue(dp_render *render)
{
    const dp_render_config *config = &render->config;
    const unsigned waiting =
        render->device == NULL ? 0 : or_default(config->batch_max, 1, FLIGHTS_WAITING_MAX);
    const render_queue_config queue = {.jobs_max = config->queue_max,
                                       .tenant_jobs_max = config->tenant_jobs_max,
                                       .slots_max = config->workers + waiting};
    render->flights = os_calloc(queue.slots_max, sizeof *render->flights);
    return render->flights == NULL ? DP_ERR_NOMEM : render_queue_create(&queue, &render->queue);
}

static dp_status open_batcher(dp_render *render)
{
    const dp_render_config *config = &render->config;
    const render_batcher_config batcher = {.device = render->device,
                                           .batch_max = config->batch_max,
                                           .delay_ns_max = config->batch_delay_us * NS_PER_US,
                                           .retry_ns = config->retry_ms * NS_PER_MS,
                                           .listener = config->listener,
                                           .listener_user = config->listener_user};
    dp_status status = DP_OK;
    if (render->device != NULL && render->device->ops->rasters) {
        status = plan_cache_create(PLANS_BYTES_MAX, &render->plans);
    }
    return render->device == NULL || status != DP_OK
               ? status
               : render_batcher_create(&batcher, &render->batcher);
}

static dp_status start_workers(dp_render *render)
{
    while (render->thread_count < render->config.workers) {
        if (pthread_create(&render->threads[render->thread_count], NULL, work, render) != 0) {
            /* Fewer workers than asked for still work; none do not. */
            return render->thread_count == 0 ? DP_ERR_IO : DP_OK;
        }
        render->thread_count++;
    }
    return DP_OK;
}

dp_status render_create_over(dp_pool *pool, const dp_render_config *config, backend *device,
                             dp_render **out)
{
    char detail[BACKEND_DETAIL_BYTES] = "";
    dp_render *render = os_calloc(1, sizeof *render);
    if (render == NULL) {
        if (device != NULL) {
            device->ops->close(device);
        }
        return DP_ERR_NOMEM;
    }
    render->pool = pool;
    render->config = *config;
    render->device = device;
    fill_defaults(&render->config);
    dp_status status = backend_cpu_open(pool, detail, &render->cpu);
    if (status == DP_OK) {
        status = open_queue(render);
    }
    if (status == DP_OK) {
        status = open_batcher(render);
    }
    if (status == DP_OK) {
        status =
            isolation_open(&render->isolation, pool, &render->config, render->isolation_detail);
    }
    if (status == DP_OK) {
        status = start_workers(render);
    }
    if (status != DP_OK) {
        dp_render_destroy(render);
        return status;
    }
    *out = render;
    return DP_OK;
}

dp_status dp_render_create(dp_pool *pool, const dp_render_config *config, dp_render **out)
{
    backend *device = NULL;
    const dp_status status = open_device(pool, config->backend, &device);
    return status == DP_OK ? render_create_over(pool, config, device, out) : status;
}

void dp_render_stop(dp_render *render)
{
    queue_job job;

    if (render == NULL || render->queue == NULL) {
        return;
    }
    render_queue_close(render->queue);
    while (render->thread_count > 0) {
        pthread_join(render->threads[--render->thread_count], NULL);
    }
    while (render_queue_drain(render->queue, &job)) {
        finish(render, &job, DP_ERR_CLOSED, dp_status_message(DP_ERR_CLOSED), NULL);
    }
}

void dp_render_destroy(dp_render *render)
{
    if (render == NULL) {
        return;
    }
    dp_render_stop(render);
    render_batcher_destroy(render->batcher);
    render_queue_destroy(render->queue);
    plan_cache_destroy(render->plans);
    isolation_close(&render->isolation);
    os_free(render->flights);
    if (render->device != NULL) {
        render->device->ops->close(render->device);
    }
    if (render->cpu != NULL) {
        render->cpu->ops->close(render->cpu);
    }
    os_free(render);
}

/* ---- at the door ---- */

static uint64_t deadline_of(const dp_render *render, const dp_render_job *job, uint64_t now_ns)
{
    const unsigned most_ms = render->config.time_ms_max;
    const unsigned wanted_ms = job->time_ms_max == 0 ? most_ms : job->time_ms_max;
    return now_ns + (wanted_ms < most_ms ? wanted_ms : most_ms) * NS_PER_MS;
}

dp_status dp_render_submit(dp_render *render, const dp_render_job *job)
{
    dp_status status = render_job_check(&render->config, job);
    if (status != DP_OK) {
        return status;
    }
    const uint64_t now_ns = os_clock_ns();
    const queue_job queued = {
        .job = *job, .submitted_ns = now_ns, .deadline_ns = deadline_of(render, job, now_ns)};
    /* Taken and counted first: a worker may be done with the job before the push returns. */
    dp_ref(job->source);
    (void)dp_buf_advance(job->source, DP_BUF_QUEUED);
    count(&render->counted.submitted, 1);
    status = render_queue_push(render->queue, &queued);
    if (status != DP_OK) {
        dp_put(job->source);
        atomic_fetch_sub_explicit(&render->counted.submitted, 1, memory_order_relaxed);
        count(&render->counted.rejected_busy, status == DP_ERR_BUSY ? 1 : 0);
        count(&render->counted.rejected_share, status == DP_ERR_QUOTA ? 1 : 0);
    }
    return status == DP_ERR_QUOTA ? DP_ERR_BUSY : status;
}

const char *dp_render_backend_name(const dp_render *render)
{
    return render->device != NULL ? render->device->ops->name : render->cpu->ops->name;
}

void dp_render_stats_read(const dp_render *render, dp_render_stats *out)
{
    const counters *c = &render->counted;
    const uint64_t now_ns = os_clock_ns();
    queue_stats queue;
    render_batcher_stats batcher = {.state = DP_RENDER_DEVICE_NONE};

    render_queue_stats_read(render->queue, &queue);
    if (render->batcher != NULL) {
        render_batcher_stats_read(render->batcher, &batcher);
    }
    *out = (dp_render_stats){.submitted = counted(&c->submitted),
                             .done_ok = counted(&c->done_ok),
                             .done_failed = counted(&c->done_failed),
                             .late = counted(&c->late),
                             .rejected_busy = counted(&c->rejected_busy),
                             .rejected_share = counted(&c->rejected_share),
                             .pictures = counted(&c->pictures),
                             .queue_length = queue.length,
                             .queue_age_ns = queue.oldest_ns != 0 && queue.oldest_ns < now_ns
                                                 ? now_ns - queue.oldest_ns
                                                 : 0,
                             .tenants = queue.tenants,
                             .batches = batcher.batches,
                             .batch_items = batcher.items,
                             .batches_failed = batcher.batches_failed,
                             .spare_items = counted(&c->spare_items),
                             .device = batcher.state,
                             .busy_ns = counted(&c->busy_ns)};
    for (unsigned i = 0; i < DP_RENDER_STAGE_COUNT; i++) {
        out->stage_jobs[i] = counted(&c->stage_jobs[i]);
        out->stage_ns[i] = counted(&c->stage_ns[i]);
    }
    out->stage_jobs[DP_RENDER_STAGE_QUEUE] = queue.length;
}

void dp_render_decoders_read(const dp_render *render, dp_render_decoders *out)
{
    isolation_read(&render->isolation, out);
}

const char *dp_render_isolation_detail(const dp_render *render)
{
    return render->isolation_detail;
}
