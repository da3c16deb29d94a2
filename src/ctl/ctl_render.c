/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl render: one file through the pipeline that danpoold uses, queue and worker included.
 *
 * The main thread reads the file into a pooled buffer, submits it and waits; the worker hands the
 * result over under the ticket's lock.  The output is written to a temporary name and renamed, so
 * that OUT is whole or not there.
 */
#define _DEFAULT_SOURCE /* getopt_long */

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <danpool/pool.h>

#include "ctl/ctl.h"
#include "render/render.h"

#define SIDE_MAX 4096u

typedef struct render_options {
    const char *in, *out;
    unsigned long long width, height;
    dp_backend_choice backend;
    dp_media_format format;
} render_options;

/* What the worker leaves for the main thread. */
typedef struct ticket {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
    dp_status status;
    char message[160];
    dp_render_result result;
} ticket;

static void on_done(void *user, dp_status status, const char *message,
                    const dp_render_result *result)
{
    ticket *t = user;
    pthread_mutex_lock(&t->lock);
    t->status = status;
    snprintf(t->message, sizeof t->message, "%s", message);
    if (result != NULL) {
        t->result = *result;
    }
    t->finished = true;
    pthread_cond_signal(&t->done);
    pthread_mutex_unlock(&t->lock);
}

static int read_backend(const char *text, dp_backend_choice *out)
{
    static const char *const names[] = {"auto", "cpu", "cuda"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (dp_backend_choice)i;
            return 1;
        }
    }
    ctl_error("--backend: \"%s\" is none of auto, cpu, cuda", text);
    return 0;
}

static int read_format(const char *text, dp_media_format *out)
{
    static const dp_media_format writable[] = {DP_MEDIA_WEBP, DP_MEDIA_JPEG, DP_MEDIA_PNG};
    for (size_t i = 0; i < sizeof writable / sizeof writable[0]; i++) {
        if (strcmp(text, dp_media_format_name(writable[i])) == 0) {
            *out = writable[i];
            return 1;
        }
    }
    ctl_error("--format: \"%s\" is none of webp, jpeg, png", text);
    return 0;
}

static int read_options(int argc, char **argv, render_options *o)
{
    static const struct option options[] = {{"width", required_argument, NULL, 'w'},
                                            {"height", required_argument, NULL, 'h'},
                                            {"backend", required_argument, NULL, 'b'},
                                            {"format", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    int ok = 1;
    int option;

    while (ok && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'w':
            ok = ctl_number("--width", optarg, 1, SIDE_MAX, &o->width);
            break;
        case 'h':
            ok = ctl_number("--height", optarg, 1, SIDE_MAX, &o->height);
            break;
        case 'b':
            ok = read_backend(optarg, &o->backend);
            break;
        case 'f':
            ok = read_format(optarg, &o->format);
            break;
        default:
            ok = 0;
        }
    }
    if (ok && (argc - optind != 2 || o->width == 0 || o->height == 0)) {
        ctl_error("render needs two file names, --width and --height");
        ok = 0;
    }
    if (ok) {
        o->in = argv[optind];
        o->out = argv[optind + 1];
    }
    return ok;
}

/* Reads a regular file whole into a pooled buffer. */
static dp_buf *read_file(dp_pool *pool, const char *path)
{
    struct stat facts;
    dp_buf *buf = NULL;
    FILE *file = fopen(path, "rb");

    if (file == NULL || fstat(fileno(file), &facts) != 0) {
        ctl_error("%s: %s", path, strerror(errno));
    } else if (!S_ISREG(facts.st_mode) || facts.st_size == 0) {
        ctl_error("%s: %s", path, S_ISREG(facts.st_mode) ? "is empty" : "is not a regular file");
    } else {
        const dp_request request = {
            .size_bytes = (size_t)facts.st_size, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
        const dp_status status = dp_get(pool, &request, &buf);
        if (status != DP_OK) {
            ctl_error("%s: %s", path, dp_status_message(status));
        } else if (fread(dp_buf_data(buf), 1, request.size_bytes, file) != request.size_bytes) {
            ctl_error("%s: cannot read all of it", path);
            dp_put(buf);
            buf = NULL;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return buf;
}

static int write_file(const char *path, const dp_buf *buf)
{
    char name[4096];
    const int length = snprintf(name, sizeof name, "%s.part", path);
    if (length < 0 || (size_t)length >= sizeof name) {
        ctl_error("%s: the name is too long", path);
        return 0;
    }
    FILE *file = fopen(name, "wb");
    if (file == NULL) {
        ctl_error("%s: %s", name, strerror(errno));
        return 0;
    }
    const size_t size_bytes = dp_buf_size(buf);
    const int written = fwrite(dp_buf_data(buf), 1, size_bytes, file) == size_bytes;
    if (fclose(file) != 0 || !written || rename(name, path) != 0) {
        ctl_error("%s: %s", path, strerror(errno));
        remove(name);
        return 0;
    }
    return 1;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void print_result(const render_options *o, const dp_render_result *r)
{
    printf("engine   %s\n", r->engine);
    printf("tier     surfaces %s, result %s\n", dp_tier_name(r->surface_tier),
           dp_tier_name(dp_buf_tier(r->picture)));
    printf("source   %s, %u x %u pixels\n", dp_media_format_name(r->source_format), r->source_width,
           r->source_height);
    printf("result   %s, %u x %u pixels, %zu bytes, %s\n", dp_media_format_name(r->format),
           r->width, r->height, dp_buf_size(r->picture), o->out);
    printf("time     queued %.2f ms, decode %.2f ms, resize %.2f ms, encode %.2f ms\n",
           ms(r->queued_ns), ms(r->decode_ns), ms(r->resize_ns), ms(r->encode_ns));
}

/* Submits the job and waits for its end; the ticket then holds the outcome. */
static dp_status render_and_wait(dp_render *render, const render_options *o, dp_buf *source,
                                 ticket *t)
{
    const dp_render_job job = {.source = source,
                               .width_max = (uint32_t)o->width,
                               .height_max = (uint32_t)o->height,
                               .format = o->format,
                               .priority = DP_PRIORITY_NORMAL,
                               .done = on_done,
                               .user = t};
    const dp_status status = dp_render_submit(render, &job);
    if (status != DP_OK) {
        snprintf(t->message, sizeof t->message, "%s", dp_status_message(status));
        return status;
    }
    pthread_mutex_lock(&t->lock);
    while (!t->finished) {
        pthread_cond_wait(&t->done, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return t->status;
}

static int render_file(dp_pool *pool, dp_render *render, const render_options *o)
{
    ticket t = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    int ok = 0;

    dp_buf *source = read_file(pool, o->in);
    if (source == NULL) {
        return CTL_FAILED;
    }
    const dp_status status = render_and_wait(render, o, source, &t);
    if (status == DP_OK) {
        ok = write_file(o->out, t.result.picture);
        if (ok) {
            print_result(o, &t.result);
        }
        dp_put(t.result.picture);
    } else {
        ctl_error("%s: %s (%s)", o->in, t.message, dp_status_name(status));
    }
    dp_put(source);
    return ok ? CTL_OK : CTL_FAILED;
}

int ctl_render(int argc, char **argv)
{
    const dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    render_options o = {.format = DP_MEDIA_WEBP};
    dp_pool *pool = NULL;
    dp_render *render = NULL;
    int result = CTL_FAILED;

    if (!read_options(argc, argv, &o)) {
        return CTL_USAGE;
    }
    const dp_render_config config = {.workers = 1, .queue_max = 1, .backend = o.backend};
    dp_status status = dp_pool_create(&pool_config, &pool);
    if (status != DP_OK) {
        ctl_error("cannot make a pool: %s", dp_status_message(status));
        return CTL_FAILED;
    }
    status = dp_render_create(pool, &config, &render);
    if (status == DP_OK) {
        result = render_file(pool, render, &o);
    } else {
        ctl_error("cannot start the renderer: %s%s", dp_status_message(status),
                  o.backend == DP_BACKEND_CUDA
                      ? " (--backend cuda; danpoolctl tiers and --version say what is missing)"
                      : "");
    }
    dp_render_destroy(render);
    dp_pool_destroy(pool);
    return result;
}
