/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job's way through a decoder process; see sandbox.h.  Workers come and go in sandbox_keeper.c.
 */
#include "render/sandbox_internal.h"

#include <stdio.h>
#include <string.h>

#include <danpool/stats.h>

#include "pool/os.h"
#include "pool/pool_internal.h"

#define NS_PER_MS UINT64_C(1000000)

/*
 * A decoder looks at the clock by itself and answers in words; only one that does not is killed,
 * so much later.
 */
#define GRACE_NS (200 * NS_PER_MS)
/* For a job without a deadline. */
#define PATIENCE_NS (60000 * NS_PER_MS)

/* Behind the pixels: rounded-up rows of planes, durations of frames. */
#define REGION_SLACK_BYTES ((size_t)4 << 20)

/* ---- beginning and end ---- */

static dp_status init_locks(sandbox *box)
{
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0) {
        return DP_ERR_NOMEM;
    }
    int error = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    error = error == 0 ? pthread_cond_init(&box->ready, &monotonic) : error;
    if (error == 0 && (error = pthread_cond_init(&box->wanted, &monotonic)) != 0) {
        pthread_cond_destroy(&box->ready);
    }
    pthread_condattr_destroy(&monotonic);
    if (error != 0) {
        return DP_ERR_NOMEM;
    }
    os_mutex_init(&box->lock);
    return DP_OK;
}

static void free_box(sandbox *box)
{
    pthread_cond_destroy(&box->ready);
    pthread_cond_destroy(&box->wanted);
    os_mutex_destroy(&box->lock);
    os_free(box);
}

dp_status sandbox_create(dp_pool *pool, const sandbox_config *config,
                         char detail[SANDBOX_DETAIL_BYTES], sandbox **out)
{
    DP_ASSERT(config->workers > 0 && config->workers <= SANDBOX_WORKERS_MAX);
    sandbox *box = os_calloc(1, sizeof *box);
    if (box == NULL || init_locks(box) != DP_OK) {
        os_free(box);
        (void)snprintf(detail, SANDBOX_DETAIL_BYTES, "no memory");
        return DP_ERR_NOMEM;
    }
    box->pool = pool;
    box->config = *config;
    box->config.memory_bytes =
        config->memory_bytes == 0 ? SANDBOX_MEMORY_DEFAULT : config->memory_bytes;
    box->config.jobs_max = config->jobs_max == 0 ? SANDBOX_JOBS_DEFAULT : config->jobs_max;
    box->count.workers = config->workers;
    /* A source in front, then the pixels of the largest picture; pages come as they are touched. */
    const uint64_t pixels_max = config->input_pixels_max < DP_SIZE_BYTES_MAX / 4
                                    ? config->input_pixels_max
                                    : DP_SIZE_BYTES_MAX / 4;
    box->region_bytes = os_align_up(config->input_bytes_max, os_page_bytes()) +
                        os_align_up((size_t)pixels_max * 4 + REGION_SLACK_BYTES, os_page_bytes());
    block_init(&box->blocked);

    dp_status status = DP_OK;
    if (!process_find_program(config->program, box->program)) {
        (void)snprintf(detail, SANDBOX_DETAIL_BYTES, "danpool-decoder was not found");
        status = DP_ERR_NOT_FOUND;
    }
    if (status == DP_OK) {
        status = keeper_start(box, detail);
    }
    if (status != DP_OK) {
        free_box(box);
        return status;
    }
    *out = box;
    return DP_OK;
}

void sandbox_destroy(sandbox *box)
{
    if (box == NULL) {
        return;
    }
    keeper_stop(box);
    DP_ASSERT(box->regions_out == 0);
    free_box(box);
}

/* ---- regions ---- */

/* Under the lock: an idle region of the worker's, the one with the most pages. */
static sandbox_region *region_find(sandbox_worker *worker, unsigned *free_slot)
{
    sandbox_region *found = NULL;
    *free_slot = WIRE_SLOTS;
    for (unsigned i = 0; i < WIRE_SLOTS; i++) {
        sandbox_region *region = worker->regions[i];
        if (region == NULL) {
            *free_slot = *free_slot == WIRE_SLOTS ? i : *free_slot;
        } else if (!region->is_out && (found == NULL || region->warm_bytes > found->warm_bytes)) {
            found = region;
        }
    }
    return found;
}

/* Under the lock, which is let go while memory is made: the worker is the caller's. */
static dp_status region_add(sandbox *box, sandbox_worker *worker, unsigned slot,
                            sandbox_region **out)
{
    sandbox_region *made = NULL;
    os_unlock(&box->lock);
    const dp_status status = region_make(box->region_bytes, &made);
    os_lock(&box->lock);
    if (status == DP_OK) {
        made->slot = slot;
        made->box = box;
        made->home = worker;
        worker->regions[slot] = made;
        *out = made;
    }
    return status;
}

static dp_status region_take(sandbox *box, sandbox_worker *worker, uint64_t deadline_ns,
                             sandbox_region **out)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline_ns / (1000 * NS_PER_MS)),
                                   .tv_nsec = (long)(deadline_ns % (1000 * NS_PER_MS))};
    dp_status status = DP_OK;
    sandbox_region *region = NULL;
    int error = 0;

    os_lock(&box->lock);
    while (status == DP_OK && region == NULL) {
        unsigned slot;
        region = region_find(worker, &slot);
        if (region == NULL && slot < WIRE_SLOTS) {
            status = region_add(box, worker, slot, &region);
        } else if (region == NULL && error != 0) {
            status = DP_ERR_BUSY;
        } else if (region == NULL) {
            error = pthread_cond_timedwait(&box->ready, &box->lock, &until);
        }
    }
    if (status == DP_OK) {
        region->is_out = true;
        box->regions_out++;
        *out = region;
    }
    os_unlock(&box->lock);
    return status;
}

/* Wipes a region and gives it back to its worker's list; frees it if the worker is gone. */
static void region_give(sandbox_region *region)
{
    sandbox *box = region->box;
    size_t warm_bytes = 0;

    os_lock(&box->lock);
    sandbox_worker *home = region->home;
    for (unsigned i = 0; home != NULL && i < WIRE_SLOTS; i++) {
        const sandbox_region *other = home->regions[i];
        warm_bytes += other != NULL && other != region ? other->warm_bytes : 0;
    }
    os_unlock(&box->lock);
    if (home != NULL) {
        region_wipe(region, warm_bytes < REGIONS_WARM_BYTES ? REGIONS_WARM_BYTES - warm_bytes : 0);
    }
    os_lock(&box->lock);
    region->is_out = false;
    box->regions_out--;
    home = region->home;
    if (home == NULL) {
        region_free(region);
    }
    pthread_cond_broadcast(&box->ready);
    os_unlock(&box->lock);
}

/* A picture's buffer lets its region go; see buf_wrap(). */
static void picture_is_put(void *user, uint64_t cookie)
{
    (void)cookie;
    region_give(user);
}

/* ---- asking ---- */

static uint64_t kill_time_ns(const render_task *task)
{
    const uint64_t latest_ns = os_clock_ns() + PATIENCE_NS;
    const uint64_t deadline_ns = task->deadline_ns == 0 ? latest_ns : task->deadline_ns;
    return (deadline_ns < latest_ns ? deadline_ns : latest_ns) + GRACE_NS;
}

/* What the sender of a picture is told about the end of its decoder. */
static dp_status fail_by_cause(render_task *task, sandbox_cause cause)
{
    switch (cause) {
    case SANDBOX_TIMEOUT:
        return task_fail(task, DP_ERR_TIMEOUT, "the picture takes too long to decode");
    case SANDBOX_MEMORY:
        return task_fail(task, DP_ERR_TOO_LARGE, "the picture takes too much memory to decode");
    default:
        return task_fail(task, DP_ERR_FORMAT, "the picture made its decoder fail");
    }
}

static dp_status lose_worker(sandbox_job *job, dp_status failure)
{
    sandbox *box = job->box;
    /* Of the sender's bytes, not of the region's, which a clever worker would have changed. */
    if (job->hash == 0) {
        job->hash = block_hash(&box->blocked, job->source.data, job->source.size_bytes);
    }
    const sandbox_cause cause = worker_fail(box, job->worker, failure);
    job->worker = NULL;
    job->is_open = false;
    os_lock(&box->lock);
    block_note(&box->blocked, job->hash, job->source.size_bytes, job->task->tenant, os_clock_ns());
    os_unlock(&box->lock);
    return fail_by_cause(job->task, cause);
}

dp_status sandbox_ask(sandbox_job *job, sandbox_region *region, wire_request *request,
                      const wire_expected *expected, wire_reply *reply)
{
    size_t size_bytes = 0;

    request->version = WIRE_VERSION;
    request->op = (uint32_t)expected->op;
    request->job = job->number;
    request->slot = region->slot;
    request->region_bytes = region->known ? 0 : region->size_bytes;
    request->deadline_ns = job->task->deadline_ns;
    request->input_pixels_max = job->task->input_pixels_max;
    dp_status status =
        process_send(&job->worker->process, request, region->known ? -1 : region->fd);
    region->known = true;
    if (status == DP_OK) {
        status =
            process_receive(&job->worker->process, kill_time_ns(job->task), reply, &size_bytes);
    }
    if (status == DP_OK && !wire_reply_check(reply, size_bytes, expected)) {
        status = DP_ERR_FORMAT;
    }
    if (status != DP_OK) {
        return lose_worker(job, status);
    }
    dp_stats_copied(job->box->pool, (size_t)reply->copied_bytes);
    return DP_OK;
}

/* ---- the three calls ---- */

static dp_status refuse_repeaters(sandbox *box, sandbox_job *job)
{
    const uint64_t now_ns = os_clock_ns();
    os_lock(&box->lock);
    const bool tenant = block_has_tenant(&box->blocked, job->task->tenant, now_ns);
    const bool size = block_knows_size(&box->blocked, job->source.size_bytes);
    os_unlock(&box->lock);

    bool known = false;
    if (size) {
        job->hash = block_hash(&box->blocked, job->source.data, job->source.size_bytes);
        os_lock(&box->lock);
        known = block_has_source(&box->blocked, job->hash, job->source.size_bytes, now_ns);
        os_unlock(&box->lock);
    }
    if (tenant || known) {
        os_lock(&box->lock);
        box->count.refused++;
        os_unlock(&box->lock);
    }
    if (known) {
        return task_fail(job->task, DP_ERR_FORMAT,
                         "the picture made its decoder fail before and is not tried again now");
    }
    return tenant ? task_fail(job->task, DP_ERR_QUOTA,
                              "too many pictures from here made their decoders fail; try later")
                  : DP_OK;
}

static dp_status take_worker(sandbox_job *job, uint64_t deadline_ns)
{
    for (;;) {
        job->worker = worker_take(job->box, deadline_ns);
        if (job->worker == NULL) {
            return task_fail(job->task, DP_ERR_BUSY, "no decoder came free in time");
        }
        if (!process_is_unwell(&job->worker->process)) {
            return DP_OK;
        }
        /* It ended while it was idle: nobody's picture is to blame. */
        (void)worker_fail(job->box, job->worker, DP_ERR_CLOSED);
        job->worker = NULL;
    }
}

dp_status sandbox_begin(sandbox *box, render_task *task, media_bytes source, sandbox_job *out)
{
    sandbox_job job = {.box = box, .task = task, .source = source};
    const uint64_t deadline_ns =
        task->deadline_ns == 0 ? os_clock_ns() + PATIENCE_NS : task->deadline_ns;

    if (source.size_bytes > box->config.input_bytes_max) {
        return task_fail(task, DP_ERR_TOO_LARGE, "%zu bytes, at most %zu are taken",
                         source.size_bytes, box->config.input_bytes_max);
    }
    dp_status status = refuse_repeaters(box, &job);
    if (status == DP_OK) {
        status = take_worker(&job, deadline_ns);
    }
    if (status != DP_OK) {
        return status;
    }
    status = region_take(box, job.worker, deadline_ns, &job.region);
    if (status != DP_OK) {
        worker_give(box, job.worker);
        return task_fail(task, status, "no memory to decode in");
    }
    job.place_bytes = os_align_up(source.size_bytes, os_page_bytes());
    memcpy(job.region->bytes, source.data, source.size_bytes);
    job.region->dirty_bytes = source.size_bytes;
    dp_stats_copied(box->pool, source.size_bytes);
    os_lock(&box->lock);
    job.number = ++box->job_number;
    box->count.jobs++;
    os_unlock(&box->lock);
    *out = job;
    return DP_OK;
}

/* What the worker's codec says of a picture, in its own words. */
static dp_status status_of(render_task *task, const wire_reply *reply)
{
    const dp_status status = (dp_status)reply->status;
    return status == DP_OK
               ? DP_OK
               : task_fail(task, status, "%s",
                           reply->message[0] == '\0' ? dp_status_message(status) : reply->message);
}

dp_status sandbox_open(sandbox *box, render_task *task, media_bytes source, sandbox_job *out)
{
    wire_request request = {.source_bytes = source.size_bytes};
    wire_reply reply;
    sandbox_job job;

    dp_status status = sandbox_begin(box, task, source, &job);
    if (status != DP_OK) {
        return status;
    }
    const wire_expected expected = {.op = WIRE_OPEN,
                                    .job = job.number,
                                    .place_size_bytes = job.region->size_bytes - job.place_bytes,
                                    .input_pixels_max = task->input_pixels_max};
    request.place_bytes = job.place_bytes;
    status = sandbox_ask(&job, job.region, &request, &expected, &reply);
    if (status == DP_OK) {
        status = status_of(task, &reply);
    }
    if (status != DP_OK) {
        sandbox_close(&job);
        return status;
    }
    job.is_open = true;
    job.info = wire_reply_info(&reply);
    *out = job;
    return DP_OK;
}

/* Makes a buffer of the pages that the worker filled; it takes the region over. */
static dp_status wrap_region(sandbox_job *job, sandbox_region *region, size_t place_bytes,
                             size_t used_bytes, dp_buf **out)
{
    const buf_wrap_args args = {
        .tier = DP_TIER_SHM,
        .kind = DP_KIND_SURFACE,
        .region = {.host = region->bytes + place_bytes, .size_bytes = used_bytes},
        .size_bytes = used_bytes,
        .writable = true,
        .release = picture_is_put,
        .user = region};
    const dp_status status = buf_wrap(job->box->pool, &args, out);
    if (status != DP_OK) {
        return task_fail(job->task, status, "no memory for a picture's record");
    }
    region->dirty_bytes = place_bytes + used_bytes;
    task_lease(job->task, *out);
    return DP_OK;
}

/* Asks for a picture in that region behind place_bytes.  The region stays the caller's. */
static dp_status decode_into(sandbox_job *job, sandbox_region *region, size_t place_bytes,
                             const decode_hints *hints, wire_reply *reply)
{
    wire_request request = {.place_bytes = place_bytes,
                            .width = hints->width,
                            .height = hints->height,
                            .frames_max = hints->frames_max,
                            .bytes_max = hints->bytes_max,
                            .want_planes = hints->want_planes};
    const wire_expected expected = {.op = WIRE_DECODE,
                                    .job = job->number,
                                    .place_size_bytes = region->size_bytes - place_bytes,
                                    .input_pixels_max = job->task->input_pixels_max,
                                    .hints = *hints,
                                    .info = job->info};
    /* From here on anything may be written anywhere in it. */
    region->dirty_bytes = SIZE_MAX;
    const dp_status status = sandbox_ask(job, region, &request, &expected, reply);
    if (status != DP_OK || reply->status != DP_OK) {
        return status != DP_OK ? status : status_of(job->task, reply);
    }
    return reply->kind == WIRE_PICTURE ? DP_OK : lose_worker(job, DP_ERR_FORMAT);
}

/*
 * A picture comes to lie behind its source.  A drawing's source stays for the next size, and each
 * size gets a region of its own.
 */
dp_status sandbox_decode(sandbox_job *job, const decode_hints *hints, picture *out)
{
    DP_ASSERT(job->is_open && hints->width > 0 && hints->height > 0);
    const bool drawing = job->info.drawing;
    const size_t place_bytes = drawing ? 0 : job->place_bytes;
    sandbox_region *region = job->region;
    dp_status status = DP_OK;
    wire_reply reply;

    if (drawing) {
        status = region_take(job->box, job->worker, kill_time_ns(job->task), &region);
        if (status != DP_OK) {
            return task_fail(job->task, status, "no memory to draw in");
        }
    }
    status = decode_into(job, region, place_bytes, hints, &reply);
    if (status == DP_OK) {
        picture made = wire_reply_picture(&reply);
        status = wrap_region(job, region, place_bytes, (size_t)reply.used_bytes, &made.buf);
        if (status == DP_OK) {
            made.bytes = dp_buf_data(made.buf);
            *out = made;
        }
    }
    if (drawing && status != DP_OK) {
        region_give(region);
    }
    if (!drawing) {
        job->is_open = false; /* the worker closes its decoder by itself */
        job->region = status == DP_OK ? NULL : job->region;
    }
    return status;
}

void sandbox_close(sandbox_job *job)
{
    if (job->worker != NULL && job->is_open) {
        const wire_request request = {
            .version = WIRE_VERSION, .op = WIRE_CLOSE, .job = job->number};
        /* One that does not take it is found unwell by whoever takes it next. */
        (void)process_send(&job->worker->process, &request, -1);
    }
    if (job->region != NULL) {
        region_give(job->region);
    }
    if (job->worker != NULL) {
        worker_give(job->box, job->worker);
    }
    *job = (sandbox_job){0};
}

void sandbox_stats_read(sandbox *box, sandbox_stats *out)
{
    os_lock(&box->lock);
    *out = box->count;
    out->sources_blocked = block_sources_now(&box->blocked, os_clock_ns());
    os_unlock(&box->lock);
}
