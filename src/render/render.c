/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of the pipeline: limits on entry, the queue, the workers, the counters.  See render.h.
 *
 * A job's source reference is taken by submit and given back on the worker before done() is called,
 * so that a callee may look at its own buffer as its only holder.  Counters are relaxed atomics:
 * each is exact, they need not agree at one moment.
 */
#include "render/render.h"

#include <stdatomic.h>
#include <unistd.h>

#include "pool/os.h"
#include "render/codec.h"
#include "render/pipeline.h"
#include "render/queue.h"

#define WORKERS_MAX       64u
#define QUEUE_MAX_DEFAULT 256u
#define BYTES_MAX_DEFAULT ((size_t)8 << 20)
#define PIXELS_DEFAULT    UINT64_C(40000000)
#define TIME_MS_DEFAULT   5000u
#define NS_PER_MS         UINT64_C(1000000)

struct dp_render {
    dp_pool *pool;
    dp_render_config config; /* defaults filled in */
    pipeline_backends backends;
    render_queue *queue;
    pthread_t threads[WORKERS_MAX];
    unsigned thread_count;
    atomic_uint_fast64_t submitted, done_ok, done_failed, rejected_busy, busy_ns;
};

static void count(atomic_uint_fast64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void finish(dp_render *render, const queue_job *job, dp_status status, const char *message,
                   const dp_render_result *result)
{
    dp_put(job->job.source);
    count(status == DP_OK ? &render->done_ok : &render->done_failed, 1);
    job->job.done(job->job.user, status, message, status == DP_OK ? result : NULL);
}

static void run_job(dp_render *render, const queue_job *job)
{
    const uint64_t begun = os_clock_ns();
    render_task task = {.pool = render->pool,
                        .deadline_ns = job->submitted_ns + render->config.time_ms_max * NS_PER_MS,
                        .input_pixels_max = render->config.input_pixels_max};
    dp_render_result result = {0};
    dp_status status = DP_OK;

    if (task_is_late(&task)) {
        status = task_fail(&task, DP_ERR_TIMEOUT, "waited too long for a renderer");
    } else {
        status = pipeline_run(&task, &render->backends, &job->job, &result);
    }
    result.queued_ns = begun - job->submitted_ns;
    count(&render->busy_ns, os_clock_ns() - begun);
    finish(render, job, status, task.message[0] == '\0' ? dp_status_message(status) : task.message,
           &result);
}

static void *work(void *user)
{
    dp_render *render = user;
    queue_job job;

    while (render_queue_pop(render->queue, &job)) {
        run_job(render, &job);
    }
    return NULL;
}

static void fill_defaults(dp_render_config *config)
{
    if (config->workers == 0) {
        const long cores = sysconf(_SC_NPROCESSORS_ONLN);
        config->workers = cores < 1 ? 1 : (unsigned)cores;
    }
    config->workers = config->workers > WORKERS_MAX ? WORKERS_MAX : config->workers;
    config->queue_max = config->queue_max == 0 ? QUEUE_MAX_DEFAULT : config->queue_max;
    config->input_bytes_max =
        config->input_bytes_max == 0 ? BYTES_MAX_DEFAULT : config->input_bytes_max;
    config->input_pixels_max =
        config->input_pixels_max == 0 ? PIXELS_DEFAULT : config->input_pixels_max;
    config->time_ms_max = config->time_ms_max == 0 ? TIME_MS_DEFAULT : config->time_ms_max;
}

static dp_status open_backends(dp_render *render)
{
    char detail[BACKEND_DETAIL_BYTES] = "";
    dp_status status = backend_cpu_open(render->pool, detail, &render->backends.spare);
    if (status != DP_OK) {
        return status;
    }
    render->backends.first = render->backends.spare;
    if (render->config.backend == DP_BACKEND_CPU) {
        return DP_OK;
    }
    status = backend_cuda_open(render->pool, detail, &render->backends.first);
    return render->config.backend == DP_BACKEND_AUTO ? DP_OK : status;
}

static void close_backends(dp_render *render)
{
    if (render->backends.first != render->backends.spare) {
        render->backends.first->ops->close(render->backends.first);
    }
    if (render->backends.spare != NULL) {
        render->backends.spare->ops->close(render->backends.spare);
    }
}

dp_status dp_render_create(dp_pool *pool, const dp_render_config *config, dp_render **out)
{
    dp_render *render = os_calloc(1, sizeof *render);
    if (render == NULL) {
        return DP_ERR_NOMEM;
    }
    render->pool = pool;
    render->config = *config;
    fill_defaults(&render->config);
    dp_status status = open_backends(render);
    if (status == DP_OK) {
        status = render_queue_create(render->config.queue_max, &render->queue);
    }
    while (status == DP_OK && render->thread_count < render->config.workers) {
        if (pthread_create(&render->threads[render->thread_count], NULL, work, render) != 0) {
            /* Fewer workers than asked for still work; none do not. */
            status = render->thread_count == 0 ? DP_ERR_IO : DP_OK;
            break;
        }
        render->thread_count++;
    }
    if (status != DP_OK) {
        dp_render_destroy(render);
        return status;
    }
    *out = render;
    return DP_OK;
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
    if (render->queue != NULL) {
        render_queue_destroy(render->queue);
    }
    close_backends(render);
    os_free(render);
}

static dp_status check_job(const dp_render *render, const dp_render_job *job)
{
    DP_ASSERT(job->source != NULL && job->done != NULL);
    const void *bytes = dp_buf_data(job->source);
    const size_t size_bytes = dp_buf_size(job->source);

    if (bytes == NULL || (unsigned)job->priority >= DP_PRIORITY_COUNT || job->width_max == 0 ||
        job->height_max == 0 || job->width_max > RENDER_TARGET_SIDE_MAX ||
        job->height_max > RENDER_TARGET_SIDE_MAX) {
        return DP_ERR_INVALID;
    }
    if (size_bytes > render->config.input_bytes_max) {
        return DP_ERR_TOO_LARGE;
    }
    const dp_media_format source = dp_media_sniff(bytes, size_bytes);
    const dp_media_format format = job->format == DP_MEDIA_UNKNOWN ? DP_MEDIA_WEBP : job->format;
    if (source == DP_MEDIA_UNKNOWN) {
        return DP_ERR_FORMAT;
    }
    const codec *encoder = codec_find(format);
    if (!dp_media_can_decode(source) || encoder == NULL || encoder->encode == NULL) {
        return DP_ERR_UNSUPPORTED;
    }
    return DP_OK;
}

dp_status dp_render_submit(dp_render *render, const dp_render_job *job)
{
    const queue_job queued = {.job = *job, .submitted_ns = os_clock_ns()};
    dp_status status = check_job(render, job);
    if (status != DP_OK) {
        return status;
    }
    /* Taken and counted first: a worker may be done with the job before the push returns. */
    dp_ref(job->source);
    count(&render->submitted, 1);
    status = render_queue_push(render->queue, &queued);
    if (status != DP_OK) {
        dp_put(job->source);
        atomic_fetch_sub_explicit(&render->submitted, 1, memory_order_relaxed);
        count(&render->rejected_busy, status == DP_ERR_BUSY ? 1 : 0);
    }
    return status;
}

const char *dp_render_backend_name(const dp_render *render)
{
    return render->backends.first->ops->name;
}

void dp_render_stats_read(const dp_render *render, dp_render_stats *out)
{
    *out = (dp_render_stats){
        .submitted = atomic_load_explicit(&render->submitted, memory_order_relaxed),
        .done_ok = atomic_load_explicit(&render->done_ok, memory_order_relaxed),
        .done_failed = atomic_load_explicit(&render->done_failed, memory_order_relaxed),
        .rejected_busy = atomic_load_explicit(&render->rejected_busy, memory_order_relaxed),
        .queue_length = render_queue_length(render->queue),
        .busy_ns = atomic_load_explicit(&render->busy_ns, memory_order_relaxed)};
}
