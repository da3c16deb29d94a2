/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The render pipeline: untrusted picture bytes in, one or several small encoded pictures out.
 *
 *     submit -> bounded priority queue -> worker: decode -> batcher -> backend -> worker: encode
 *                                                            (devices only)       -> done()
 *
 * One decode serves all of a job's outputs.  Every buffer on the way is pooled: pictures are
 * DP_KIND_SURFACE, results are DP_KIND_ENCODED.  A job costs its sender an error and nobody else
 * anything: sizes, pixels and the deadline are checked before memory is taken, and again between
 * the stages; a tenant that asks for much waits behind itself.
 */
#ifndef DP_RENDER_RENDER_H
#define DP_RENDER_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/buf.h>
#include <danpool/pool.h>

#define DP_RENDER_OUTPUTS_MAX 8u

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

/* What became of the device that batches go to. */
typedef enum dp_render_device {
    DP_RENDER_DEVICE_NONE,   /* the CPU was chosen, or is all there is */
    DP_RENDER_DEVICE_OK,     /* takes batches */
    DP_RENDER_DEVICE_FAILED, /* the CPU works in its place */
    DP_RENDER_DEVICE_TRIED   /* the CPU still does; one batch is on its way to see */
} dp_render_device;

/* "none", "ok", "failed", "tried".  Static. */
const char *dp_render_device_name(dp_render_device state);

/* The device changed its state; `words` say why ("cuda: an illegal memory access ...") and die with
 * the call.  Called on the batcher's thread or a worker's, with no lock held. */
typedef void dp_render_listener(void *user, dp_render_device from, dp_render_device to,
                                const char *words);

/* Where untrusted bytes are decoded. */
typedef enum dp_render_isolation {
    DP_ISOLATION_THREAD,  /* in the worker threads: for bytes that are trusted, and for tests */
    DP_ISOLATION_AUTO,    /* as well as this machine can */
    DP_ISOLATION_PROCESS, /* in processes with a system call filter, or not at all */
} dp_render_isolation;

typedef struct dp_render_config {
    unsigned workers;         /* threads, 0 = one per core, at most 64 */
    unsigned queue_max;       /* jobs waiting, 0 = 256 */
    unsigned tenant_jobs_max; /* of them by one tenant, 0 = queue_max */
    unsigned batch_max;       /* items in one batch for a device, 0 = 256, at most 4,096 */
    unsigned batch_delay_us;  /* an item waits for others at most, 0 = 2,000 */
    unsigned retry_ms;        /* a device that failed is tried again after, 0 = 60,000 */
    size_t
        device_bytes_max; /* of decoded pictures with a device; 0 = 512 MiB, then the CPU helps */
    dp_backend_choice backend;    /* (optional) auto: cuda where it works, else cpu */
    size_t input_bytes_max;       /* 0 = 8 MiB */
    uint64_t input_pixels_max;    /* of the source picture, 0 = 40 million */
    unsigned time_ms_max;         /* from submit to done, 0 = 5,000 */
    dp_render_listener *listener; /* (optional) */
    void *listener_user;
    dp_render_isolation isolation; /* (optional) THREAD */
    const char *decoder_program;   /* (optional) danpool-decoder, NULL or "" = it is looked for */
    size_t decoder_memory_bytes;   /* (optional) private memory of a process, 0 = 1 GiB */
} dp_render_config;

/* How a picture is brought into width x height. */
typedef enum dp_render_fit {
    DP_RENDER_CONTAIN, /* the largest in proportion that fits; pictures are not enlarged */
    DP_RENDER_COVER,   /* exactly that size, in proportion: what hangs over is cut, the centre
                          stays; a smaller picture gives the largest cut of that shape */
    DP_RENDER_EXACT,   /* exactly that size, out of proportion if need be */
    DP_RENDER_FIT_COUNT
} dp_render_fit;

/* "contain", "cover", "exact".  Static. */
const char *dp_render_fit_name(dp_render_fit fit);

typedef enum dp_render_animation {
    DP_RENDER_KEEP_ANIMATION, /* in an output that can hold one (WebP); others get the first frame
                               */
    DP_RENDER_FIRST_FRAME
} dp_render_animation;

typedef struct dp_render_output {
    uint32_t width, height; /* 1 .. 4,096 */
    dp_render_fit fit;
    dp_media_format format; /* WEBP, JPEG or PNG; UNKNOWN = WEBP */
} dp_render_output;

typedef struct dp_render_picture {
    dp_buf *bytes; /* encoded; one reference for the receiver */
    dp_media_format format;
    uint32_t width, height; /* pixels */
    uint32_t frame_count;   /* 1 unless it moves */
} dp_render_picture;

typedef struct dp_render_result {
    dp_render_picture pictures[DP_RENDER_OUTPUTS_MAX]; /* in the order of the job's outputs */
    unsigned picture_count;
    dp_media_format source_format;
    uint32_t source_width, source_height, source_frame_count;
    const char *engine;      /* "cpu", "cuda", "librsvg+cpu", ...: who made the pixels. Static. */
    dp_tier_id surface_tier; /* where they were made */
    uint64_t queued_ns;      /* submit to a worker */
    uint64_t decode_ns;      /* for a drawing: parsing, and drawing where librsvg does that */
    uint64_t batch_ns;       /* waiting for a batch and for its turn; 0 where the CPU works */
    uint64_t resize_ns;      /* the pixels; of a whole batch where there was one */
    uint64_t encode_ns;
} dp_render_result;

/*
 * Called once for each accepted job, on a worker thread (or in dp_render_stop() for jobs never
 * begun, with DP_ERR_CLOSED).  `result` is NULL unless status is DP_OK; `message` is a clause for
 * the sender ("30000 x 30000 pixels, at most 40000000 are taken").  Both die with the call, but for
 * the references in result->pictures, which the callee owns.
 */
typedef void dp_render_done(void *user, dp_status status, const char *message,
                            const dp_render_result *result);

typedef struct dp_render_job {
    dp_buf *source; /* host visible; the pipeline takes a reference of its own */
    dp_render_output outputs[DP_RENDER_OUTPUTS_MAX];
    unsigned output_count; /* 1 .. DP_RENDER_OUTPUTS_MAX */
    dp_render_animation animation;
    uint64_t tenant;      /* whose share it takes: any number that no other tenant uses */
    dp_priority priority; /* higher first; within one, tenants take turns */
    unsigned time_ms_max; /* (optional) of this job, submit to done; never above the config's */
    dp_render_done *done;
    void *user;
} dp_render_job;

typedef enum dp_render_stage {
    DP_RENDER_STAGE_QUEUE,  /* waits for a worker */
    DP_RENDER_STAGE_DECODE, /* a worker reads it */
    DP_RENDER_STAGE_BATCH,  /* waits for a device, or is there */
    DP_RENDER_STAGE_RESIZE, /* the CPU makes its pixels */
    DP_RENDER_STAGE_ENCODE, /* a worker writes it */
    DP_RENDER_STAGE_COUNT
} dp_render_stage;

/* "queue", "decode", ...  Static. */
const char *dp_render_stage_name(dp_render_stage stage);

typedef struct dp_render_stats {
    uint64_t submitted, done_ok, done_failed;
    uint64_t late;                              /* of done_failed: failed by their deadline */
    uint64_t rejected_busy;                     /* the queue was full */
    uint64_t rejected_share;                    /* the tenant had enough jobs waiting */
    uint64_t pictures;                          /* encoded */
    uint64_t queue_length;                      /* now */
    uint64_t queue_age_ns;                      /* how long the oldest waits, 0 = none does */
    uint64_t tenants;                           /* with jobs waiting */
    uint64_t stage_jobs[DP_RENDER_STAGE_COUNT]; /* in each stage now */
    uint64_t stage_ns[DP_RENDER_STAGE_COUNT];   /* spent in each, of jobs that left it */
    uint64_t batches, batch_items;              /* that a device finished */
    uint64_t batches_failed;
    uint64_t spare_items; /* made by the CPU in a device's place */
    dp_render_device device;
    uint64_t busy_ns; /* of all workers */
} dp_render_stats;

#define DP_DECODER_DEATH_CAUSES 5u

typedef struct dp_render_decoders {
    const char *isolation;           /* in force: "thread", "process", "process+seccomp".  Static */
    unsigned workers, workers_ready; /* processes that are to be, and that are there */
    uint64_t jobs;                   /* begun in processes */
    uint64_t started;                /* processes, since the beginning; so are the rest but one */
    uint64_t deaths[DP_DECODER_DEATH_CAUSES]; /* by cause: see dp_render_death_name() */
    uint64_t refused;         /* jobs turned away for what their source or tenant did */
    unsigned sources_blocked; /* now */
} dp_render_decoders;

/* "crash", "timeout", ... for an index into deaths.  Static. */
const char *dp_render_death_name(unsigned cause);

/*
 * Starts the workers.  DP_ERR_UNSUPPORTED: backend cuda asked for and not there, or isolation
 * process and no filter; DP_ERR_NOT_FOUND: no danpool-decoder.
 */
dp_status dp_render_create(dp_pool *pool, const dp_render_config *config, dp_render **out);

/*
 * Ends the jobs that were begun, fails the waiting ones with DP_ERR_CLOSED, joins.  From then on
 * jobs are refused with DP_ERR_CLOSED and the figures stand still, so that whoever may still submit
 * or ask can be stopped after it.  Twice is fine, and so is NULL; by one thread at a time.
 */
void dp_render_stop(dp_render *render);
/* Stops, and frees.  NULL is fine. */
void dp_render_destroy(dp_render *render);

/*
 * Queues a job.  DP_ERR_BUSY: the queue is full, or the tenant has tenant_jobs_max jobs waiting.
 * DP_ERR_TOO_LARGE: more than input_bytes_max.  DP_ERR_FORMAT: not a picture we know.
 * DP_ERR_UNSUPPORTED: a codec that this build lacks, or a result format that is never written.
 * DP_ERR_INVALID: an output, the priority, or a source that the CPU cannot see.  DP_ERR_CLOSED.
 * On an error done() is not called.  Never blocks, takes no memory; thread safe.
 */
dp_status dp_render_submit(dp_render *render, const dp_render_job *job);

/* "cpu" or "cuda": what auto became.  Static. */
const char *dp_render_backend_name(const dp_render *render);
void dp_render_stats_read(const dp_render *render, dp_render_stats *out);
void dp_render_decoders_read(const dp_render *render, dp_render_decoders *out);
/* What isolation auto could not have, in words; empty: it has all.  Lives as long as `render`. */
const char *dp_render_isolation_detail(const dp_render *render);

dp_media_format dp_media_sniff(const void *bytes, size_t size_bytes);
const char *dp_media_format_name(dp_media_format format);  /* "jpeg", "svg", ... */
const char *dp_media_content_type(dp_media_format format); /* "image/jpeg", ... */
/* Whether this build can decode the format ("codec absent" is told apart from "unknown bytes"). */
bool dp_media_can_decode(dp_media_format format);
/* Whether a result can be written in it. */
bool dp_media_can_encode(dp_media_format format);

#endif
