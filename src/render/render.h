/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The render pipeline: untrusted picture bytes in, one small encoded picture out.
 *
 *     submit -> bounded priority queue -> worker thread: sniff -> limits -> decode -> resize ->
 * encode -> done()
 *
 * Every buffer on the way is pooled: surfaces are DP_KIND_SURFACE, the result is DP_KIND_ENCODED.
 * A job costs its sender an error and nobody else anything: sizes, pixels and the deadline are
 * checked before memory is taken, and again between the stages.
 */
#ifndef DP_RENDER_RENDER_H
#define DP_RENDER_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>
#include <danpool/pool.h>

typedef struct dp_render dp_render;

/* What a file is, by its first bytes; never by a name or a header someone sent. */
typedef enum dp_media_format {
    DP_MEDIA_UNKNOWN,
    DP_MEDIA_JPEG,
    DP_MEDIA_PNG,
    DP_MEDIA_WEBP,
    DP_MEDIA_GIF,
    DP_MEDIA_AVIF,
    DP_MEDIA_SVG,
    DP_MEDIA_FORMAT_COUNT
} dp_media_format;

typedef enum dp_backend_choice {
    DP_BACKEND_AUTO,
    DP_BACKEND_CPU,
    DP_BACKEND_CUDA
} dp_backend_choice;

typedef struct dp_render_config {
    unsigned workers;          /* threads, 0 = one per core, at most 64 */
    unsigned queue_max;        /* jobs waiting, 0 = 256 */
    dp_backend_choice backend; /* (optional) auto: cuda where it works, else cpu */
    size_t input_bytes_max;    /* 0 = 8 MiB */
    uint64_t input_pixels_max; /* of the source picture, 0 = 40 million */
    unsigned time_ms_max;      /* from submit to done, 0 = 5,000 */
} dp_render_config;

typedef struct dp_render_result {
    dp_buf *picture;        /* encoded bytes; one reference for the receiver */
    dp_media_format format; /* of `picture` */
    uint32_t width, height; /* of `picture`, pixels */
    dp_media_format source_format;
    uint32_t source_width, source_height;
    const char *engine;      /* "cpu", "cuda", "librsvg+cpu", ...: who made the pixels. Static. */
    dp_tier_id surface_tier; /* where the surfaces really were */
    uint64_t queued_ns, decode_ns, resize_ns, encode_ns;
} dp_render_result;

/*
 * Called once for each accepted job, on a worker thread (or in dp_render_stop() for jobs never
 * begun, with DP_ERR_CLOSED).  `result` is NULL unless status is DP_OK; `message` is a clause for
 * the sender ("30000 x 30000 pixels, at most 40000000 are taken").  Both die with the call, but for
 * the reference in result->picture, which the callee owns.
 */
typedef void dp_render_done(void *user, dp_status status, const char *message,
                            const dp_render_result *result);

typedef struct dp_render_job {
    dp_buf *source;                 /* host visible; the pipeline takes a reference of its own */
    uint32_t width_max, height_max; /* the box the picture is fitted into (contain), 1 .. 4,096 */
    dp_media_format format;         /* of the result: WEBP, JPEG or PNG; UNKNOWN = WEBP */
    dp_priority priority;           /* higher first, first come first served within one */
    dp_render_done *done;
    void *user;
} dp_render_job;

typedef struct dp_render_stats {
    uint64_t submitted, done_ok, done_failed, rejected_busy;
    uint64_t queue_length; /* now */
    uint64_t busy_ns;      /* of all workers */
} dp_render_stats;

/* Starts the workers.  DP_ERR_UNSUPPORTED: backend cuda asked for and not there. */
dp_status dp_render_create(dp_pool *pool, const dp_render_config *config, dp_render **out);

/*
 * Ends the job in each worker, fails the waiting ones with DP_ERR_CLOSED, joins.  From then on jobs
 * are refused with DP_ERR_CLOSED and the figures stand still, so that whoever may still submit or
 * ask can be stopped after it.  Twice is fine, and so is NULL; by one thread at a time.
 */
void dp_render_stop(dp_render *render);
/* Stops, and frees.  NULL is fine. */
void dp_render_destroy(dp_render *render);

/*
 * Queues a job.  DP_ERR_BUSY: the queue is full.  DP_ERR_TOO_LARGE: more than input_bytes_max.
 * DP_ERR_FORMAT: not a picture we know.  DP_ERR_UNSUPPORTED: a codec that this build lacks, or a
 * result format that is never written.  DP_ERR_INVALID: box, priority or a source that the CPU
 * cannot see.  DP_ERR_CLOSED.  On an error done() is not called. Never blocks; thread safe.
 */
dp_status dp_render_submit(dp_render *render, const dp_render_job *job);

/* "cpu" or "cuda": what auto became.  Static. */
const char *dp_render_backend_name(const dp_render *render);
void dp_render_stats_read(const dp_render *render, dp_render_stats *out);

dp_media_format dp_media_sniff(const void *bytes, size_t size_bytes);
const char *dp_media_format_name(dp_media_format format);  /* "jpeg", "svg", ... */
const char *dp_media_content_type(dp_media_format format); /* "image/jpeg", ... */
/* Whether this build can decode the format ("codec absent" is told apart from "unknown bytes"). */
bool dp_media_can_decode(dp_media_format format);

#endif
