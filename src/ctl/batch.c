/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See batch.h.  Outputs are written to a temporary name and renamed, so that each is whole or not
 * there.  A file that fails fails alone.
 */
#include "ctl/batch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <danpool/pool.h>

#include "ctl/ctl.h"
#include "ctl/sheet.h"
#include "pool/os.h"

/* Files that are read and wait for a worker, for each worker. */
#define WAITING_EACH  4u
#define WORKERS_MAX   64u
#define PROGRESS_NS   UINT64_C(100000000)
#define BATCH_TIME_MS 60000u
#define BATCH_MIB_MAX 256u

typedef struct batch {
    const batch_options *options;
    dp_pool *pool;
    dp_render *render;
    sheet sheet;
    batch_entry *entries;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned running; /* submitted and not done */
    unsigned done, failed;
    unsigned printed;
    uint64_t begun_ns, shown_ns;
} batch;

/* What done() is given: which entry of which batch. */
typedef struct ticket {
    batch *batch;
    batch_entry *entry;
} ticket;

static dp_status fail(batch_entry *entry, dp_status status, const char *words)
{
    entry->status = status;
    snprintf(entry->message, sizeof entry->message, "%.600s (%s)", words, dp_status_name(status));
    return status;
}

/* Reads a regular file whole into a pooled buffer. */
static dp_status read_file(batch *b, batch_entry *entry, dp_buf **out)
{
    struct stat facts;
    dp_buf *buf = NULL;
    dp_status status = DP_OK;
    FILE *file = fopen(entry->file, "rb");

    if (file == NULL || fstat(fileno(file), &facts) != 0) {
        status = fail(entry, DP_ERR_IO, strerror(errno));
    } else if (!S_ISREG(facts.st_mode) || facts.st_size == 0) {
        status =
            fail(entry, DP_ERR_IO, S_ISREG(facts.st_mode) ? "is empty" : "is not a regular file");
    } else if ((uint64_t)facts.st_size > (uint64_t)BATCH_MIB_MAX << 20) {
        status = fail(entry, DP_ERR_TOO_LARGE, "is larger than 256 MiB");
    } else {
        const dp_request request = {
            .size_bytes = (size_t)facts.st_size, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
        status = dp_get(b->pool, &request, &buf);
        if (status != DP_OK) {
            fail(entry, status, dp_status_message(status));
        } else if (fread(dp_buf_data(buf), 1, request.size_bytes, file) != request.size_bytes) {
            dp_put(buf);
            status = fail(entry, DP_ERR_IO, "cannot read all of it");
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    if (status == DP_OK) {
        *out = buf;
    }
    return status;
}

static dp_status write_file(batch_entry *entry, const char *path, const dp_buf *buf)
{
    char part[BATCH_PATH_BYTES + 8], words[640];
    snprintf(part, sizeof part, "%s.part", path);
    FILE *file = fopen(part, "wb");
    if (file == NULL) {
        snprintf(words, sizeof words, "%.500s: %.100s", part, strerror(errno));
        return fail(entry, DP_ERR_IO, words);
    }
    const size_t size_bytes = dp_buf_size(buf);
    const bool written = fwrite(dp_buf_data(buf), 1, size_bytes, file) == size_bytes;
    if (fclose(file) != 0 || !written || rename(part, path) != 0) {
        snprintf(words, sizeof words, "%.500s: %.100s", path, strerror(errno));
        remove(part);
        return fail(entry, DP_ERR_IO, words);
    }
    return DP_OK;
}

/* ---- on the workers ---- */

static void keep_pictures(batch *b, batch_entry *entry, const dp_render_result *result)
{
    const batch_options *options = b->options;
    dp_status status = DP_OK;
    entry->result = *result;
    for (unsigned i = 0; i < options->size_count; i++) {
        const dp_render_picture *made = &result->pictures[i];
        batch_picture *kept = &entry->pictures[i];
        kept->format = made->format;
        kept->width = made->width;
        kept->height = made->height;
        kept->frame_count = made->frame_count;
        kept->size_bytes = dp_buf_size(made->bytes);
        kept->tier = dp_buf_tier(made->bytes);
        if (kept->path != NULL && status == DP_OK) {
            status = write_file(entry, kept->path, made->bytes);
        }
    }
    if (options->sheet != NULL) {
        sheet_put(&b->sheet, (unsigned)(entry - b->entries),
                  result->pictures[options->size_count].bytes, entry->file);
    }
    for (unsigned i = 0; i < result->picture_count; i++) {
        dp_put(result->pictures[i].bytes);
    }
}

static void mark_done(batch *b, batch_entry *entry, bool ran)
{
    if (entry->status != DP_OK && b->options->sheet != NULL && entry->result.picture_count == 0) {
        sheet_put(&b->sheet, (unsigned)(entry - b->entries), NULL, entry->file);
    }
    os_lock(&b->lock);
    entry->done = true;
    b->done++;
    b->failed += entry->status != DP_OK;
    b->running -= ran ? 1u : 0u;
    pthread_cond_signal(&b->changed);
    os_unlock(&b->lock);
}

static void on_done(void *user, dp_status status, const char *message,
                    const dp_render_result *result)
{
    ticket t = *(ticket *)user;
    os_free(user);
    if (status == DP_OK) {
        keep_pictures(t.batch, t.entry, result);
    } else {
        fail(t.entry, status, message);
    }
    mark_done(t.batch, t.entry, true);
}

/* ---- on the main thread ---- */

/* Under the lock: prints what is done, in the order of the files. */
static void print_done(batch *b)
{
    while (b->printed < (unsigned)b->options->file_count && b->entries[b->printed].done) {
        const batch_entry *entry = &b->entries[b->printed++];
        report_progress_clear();
        report_entry(b->options, entry);
    }
    const uint64_t now = os_clock_ns();
    if (now - b->shown_ns > PROGRESS_NS && b->options->file_count > 1) {
        b->shown_ns = now;
        report_progress(b->done, b->failed, (unsigned)b->options->file_count, now - b->begun_ns);
    }
}

/* Waits until fewer than `running_max` files are with the workers. */
static void wait_for_room(batch *b, unsigned running_max)
{
    os_lock(&b->lock);
    print_done(b);
    while (b->running >= running_max) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)PROGRESS_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&b->changed, &b->lock, &until);
        print_done(b);
    }
    os_unlock(&b->lock);
}

static dp_render_job job_of(const batch *b, dp_buf *source, ticket *t)
{
    const batch_options *options = b->options;
    dp_render_job job = {.source = source,
                         .output_count = options->size_count,
                         .animation = options->animation,
                         .priority = DP_PRIORITY_NORMAL,
                         .done = on_done,
                         .user = t};
    for (unsigned i = 0; i < options->size_count; i++) {
        job.outputs[i] = (dp_render_output){.width = options->sizes[i].width,
                                            .height = options->sizes[i].height,
                                            .fit = options->fit,
                                            .format = options->format};
    }
    if (options->sheet != NULL) {
        job.outputs[job.output_count++] = (dp_render_output){
            .width = SHEET_CELL_SIDE, .height = SHEET_CELL_SIDE, .format = DP_MEDIA_PNG};
    }
    return job;
}

static void submit_file(batch *b, batch_entry *entry)
{
    dp_buf *source;
    ticket *t = os_calloc(1, sizeof *t);
    dp_status status =
        t == NULL ? fail(entry, DP_ERR_NOMEM, "no memory") : read_file(b, entry, &source);
    if (status != DP_OK) {
        os_free(t);
        mark_done(b, entry, false);
        return;
    }
    *t = (ticket){b, entry};
    const dp_render_job job = job_of(b, source, t);
    os_lock(&b->lock);
    b->running++;
    os_unlock(&b->lock);
    status = dp_render_submit(b->render, &job);
    dp_put(source);
    if (status != DP_OK) {
        os_free(t);
        fail(entry, status, dp_status_message(status));
        mark_done(b, entry, true);
    }
}

static bool write_sheet(batch *b)
{
    dp_buf *encoded;
    batch_entry outcome = {.file = b->options->sheet};
    dp_status status = sheet_encode(&b->sheet, &encoded);
    if (status != DP_OK) {
        ctl_error("%s: %s", b->options->sheet, dp_status_message(status));
        return false;
    }
    status = write_file(&outcome, b->options->sheet, encoded);
    dp_put(encoded);
    if (status != DP_OK) {
        ctl_error("%s", outcome.message);
    }
    return status == DP_OK;
}

static int run_files(batch *b, unsigned waiting_max)
{
    b->begun_ns = b->shown_ns = os_clock_ns();
    for (int i = 0; i < b->options->file_count; i++) {
        wait_for_room(b, waiting_max);
        submit_file(b, &b->entries[i]);
    }
    wait_for_room(b, 1);
    report_progress_clear();
    bool good = b->failed == 0;
    if (b->options->sheet != NULL) {
        good = write_sheet(b) && good;
    }
    report_summary(b->options, b->failed, os_clock_ns() - b->begun_ns,
                   dp_render_backend_name(b->render));
    return good ? CTL_OK : CTL_FAILED;
}

static dp_status start(batch *b, unsigned *waiting_max)
{
    const batch_options *options = b->options;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned workers = options->workers != 0 ? options->workers : cores < 1 ? 1 : (unsigned)cores;
    workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
    workers = workers < (unsigned)options->file_count ? workers : (unsigned)options->file_count;
    *waiting_max = WAITING_EACH * workers;
    const dp_render_config config = {.workers = workers,
                                     .queue_max = *waiting_max,
                                     .backend = options->backend,
                                     .input_bytes_max = (size_t)BATCH_MIB_MAX << 20,
                                     .time_ms_max = BATCH_TIME_MS};
    dp_status status = dp_render_create(b->pool, &config, &b->render);
    if (status != DP_OK) {
        ctl_error("cannot start the renderer: %s%s", dp_status_message(status),
                  options->backend == DP_BACKEND_CUDA
                      ? " (--backend cuda; danpoolctl tiers and --version say what is missing)"
                      : "");
        return status;
    }
    if (options->sheet != NULL) {
        status = sheet_open(b->pool, (unsigned)options->file_count, options->labels, &b->sheet);
        if (status != DP_OK) {
            ctl_error("cannot make a sheet of %d cells: %s", options->file_count,
                      dp_status_message(status));
        }
    }
    return status;
}

int batch_run(const batch_options *options)
{
    const dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    batch b = {.options = options, .changed = PTHREAD_COND_INITIALIZER};
    unsigned waiting_max;
    int result = CTL_FAILED;

    os_mutex_init(&b.lock);
    b.entries = os_calloc((size_t)options->file_count, sizeof *b.entries);
    const dp_status status = dp_pool_create(&pool_config, &b.pool);
    if (status != DP_OK || b.entries == NULL) {
        ctl_error("cannot make a pool: %s",
                  dp_status_message(status != DP_OK ? status : DP_ERR_NOMEM));
        goto destroy;
    }
    for (int i = 0; i < options->file_count; i++) {
        b.entries[i].file = options->files[i];
    }
    if (batch_name_outputs(options, b.entries) && start(&b, &waiting_max) == DP_OK) {
        result = run_files(&b, waiting_max);
    }
    batch_free_names(options, b.entries);
destroy:
    dp_render_destroy(b.render);
    sheet_close(&b.sheet);
    if (b.pool != NULL) {
        dp_pool_destroy(b.pool);
    }
    os_free(b.entries);
    os_mutex_destroy(&b.lock);
    return result;
}
