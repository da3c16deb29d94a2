/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: a thread that starts workers where there are fewer than there should be, and sees off
 * those that have done their share.  See sandbox.h and sandbox_internal.h.
 */
#include "render/sandbox_internal.h"

#include <stdio.h>
#include <time.h>

#include "pool/os.h"

#define NS_PER_S UINT64_C(1000000000)

/* Between tries to start a worker while that fails: doubled from the first to the last. */
#define RETRY_FIRST_NS UINT64_C(50000000)
#define RETRY_LAST_NS  UINT64_C(5000000000)

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* ---- regions of a worker that is gone ---- */

/* Under the lock, once the process has ended: what is out goes with its last user. */
static void regions_leave(sandbox_worker *worker)
{
    for (unsigned i = 0; i < WIRE_SLOTS; i++) {
        sandbox_region *region = worker->regions[i];
        worker->regions[i] = NULL;
        if (region == NULL) {
            continue;
        }
        if (region->is_out) {
            region->home = NULL;
        } else {
            region_free(region);
        }
    }
}

/* Under the lock.  The worker's process has been buried by its owner. */
static void worker_is_gone(sandbox *box, sandbox_worker *worker)
{
    regions_leave(worker);
    worker->state = WORKER_ABSENT;
    worker->jobs = 0;
    box->count.workers_ready--;
    pthread_cond_signal(&box->wanted);
}

/* ---- taking and giving ---- */

sandbox_worker *worker_take(sandbox *box, uint64_t deadline_ns)
{
    const struct timespec until = timespec_of(deadline_ns);
    sandbox_worker *taken = NULL;
    int error = 0;

    os_lock(&box->lock);
    for (;;) {
        for (unsigned i = 0; taken == NULL && i < box->config.workers; i++) {
            taken = box->workers[i].state == WORKER_IDLE ? &box->workers[i] : NULL;
        }
        if (taken != NULL || error != 0) {
            break;
        }
        error = pthread_cond_timedwait(&box->ready, &box->lock, &until);
    }
    if (taken != NULL) {
        taken->state = WORKER_BUSY;
    }
    os_unlock(&box->lock);
    return taken;
}

void worker_give(sandbox *box, sandbox_worker *worker)
{
    os_lock(&box->lock);
    DP_ASSERT(worker->state == WORKER_BUSY);
    worker->jobs++;
    if (worker->jobs >= box->config.jobs_max) {
        worker->state = WORKER_WORN;
        pthread_cond_signal(&box->wanted);
    } else {
        worker->state = WORKER_IDLE;
        pthread_cond_broadcast(&box->ready);
    }
    os_unlock(&box->lock);
}

sandbox_cause worker_fail(sandbox *box, sandbox_worker *worker, dp_status failure)
{
    const sandbox_cause cause = process_bury(&worker->process, failure);
    os_lock(&box->lock);
    DP_ASSERT(worker->state == WORKER_BUSY);
    box->count.deaths[cause]++;
    worker_is_gone(box, worker);
    os_unlock(&box->lock);
    return cause;
}

/* ---- the thread ---- */

/* Under the lock, which is let go while the process starts. */
static dp_status start_one(sandbox *box, sandbox_worker *worker)
{
    sandbox_process process;
    worker->state = WORKER_STARTING;
    os_unlock(&box->lock);
    dp_status status = process_start(box->program, box->config.memory_bytes, &process);
    if (status == DP_OK && box->config.need_filter && !process.filtered) {
        process_dismiss(&process);
        status = DP_ERR_UNSUPPORTED;
    }
    os_lock(&box->lock);
    if (status != DP_OK) {
        worker->state = WORKER_ABSENT;
        return status;
    }
    worker->process = process;
    worker->state = WORKER_IDLE;
    box->count.started++;
    box->count.workers_ready++;
    box->count.filtered = box->count.filtered && process.filtered;
    pthread_cond_broadcast(&box->ready);
    return DP_OK;
}

/* Under the lock, which is let go meanwhile. */
static void see_off(sandbox *box, sandbox_worker *worker)
{
    os_unlock(&box->lock);
    process_dismiss(&worker->process);
    os_lock(&box->lock);
    worker_is_gone(box, worker);
}

/* Under the lock. */
static sandbox_worker *find_work(sandbox *box)
{
    for (unsigned i = 0; i < box->config.workers; i++) {
        const worker_state state = box->workers[i].state;
        if (state == WORKER_WORN || state == WORKER_ABSENT) {
            return &box->workers[i];
        }
    }
    return NULL;
}

static void *keep(void *user)
{
    sandbox *box = user;
    uint64_t retry_ns = RETRY_FIRST_NS;

    os_lock(&box->lock);
    while (!box->closing) {
        sandbox_worker *worker = find_work(box);
        if (worker == NULL) {
            pthread_cond_wait(&box->wanted, &box->lock);
        } else if (worker->state == WORKER_WORN) {
            see_off(box, worker);
        } else if (start_one(box, worker) == DP_OK) {
            retry_ns = RETRY_FIRST_NS;
        } else {
            const struct timespec until = timespec_of(os_clock_ns() + retry_ns);
            (void)pthread_cond_timedwait(&box->wanted, &box->lock, &until);
            retry_ns = retry_ns * 2 < RETRY_LAST_NS ? retry_ns * 2 : RETRY_LAST_NS;
        }
    }
    os_unlock(&box->lock);
    return NULL;
}

/* ---- beginning and end ---- */

static void explain(dp_status status, const sandbox *box, char detail[SANDBOX_DETAIL_BYTES])
{
    static const char *const unsupported =
        "no system call filter (libseccomp at build time, seccomp in the kernel), or another "
        "version of the program";
    (void)snprintf(detail, SANDBOX_DETAIL_BYTES, "%.60s: %s", box->program,
                   status == DP_ERR_UNSUPPORTED ? unsupported
                   : status == DP_ERR_IO        ? "ended while it was starting"
                                                : dp_status_message(status));
}

/*
 * The first worker is started here, and by the keeper's thread after all: were it ours, the kernel
 * would end it with the calling thread.
 */
dp_status keeper_start(sandbox *box, char detail[SANDBOX_DETAIL_BYTES])
{
    sandbox_process trial;
    dp_status status = process_start(box->program, box->config.memory_bytes, &trial);
    if (status == DP_OK) {
        box->count.filtered = trial.filtered;
        process_dismiss(&trial);
        status = box->count.filtered || !box->config.need_filter ? DP_OK : DP_ERR_UNSUPPORTED;
    }
    if (status != DP_OK) {
        explain(status, box, detail);
        return status;
    }
    if (pthread_create(&box->keeper, NULL, keep, box) != 0) {
        (void)snprintf(detail, SANDBOX_DETAIL_BYTES, "no thread for the keeper of decoders");
        return DP_ERR_NOMEM;
    }
    return DP_OK;
}

void keeper_stop(sandbox *box)
{
    os_lock(&box->lock);
    box->closing = true;
    pthread_cond_signal(&box->wanted);
    os_unlock(&box->lock);
    DP_ASSERT(pthread_join(box->keeper, NULL) == 0);
    for (unsigned i = 0; i < box->config.workers; i++) {
        sandbox_worker *worker = &box->workers[i];
        DP_ASSERT(worker->state != WORKER_BUSY && worker->state != WORKER_STARTING);
        if (worker->state != WORKER_ABSENT) {
            process_dismiss(&worker->process);
            regions_leave(worker);
        }
    }
}
