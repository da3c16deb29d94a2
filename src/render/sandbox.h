/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox: decoders in processes of their own, shut in by a system call filter.
 *
 *     render thread            sandbox                          danpool-decoder
 *     sandbox_open()    takes an idle worker, copies the source
 *                       into a region of its, asks       ->    codec_open(), header only
 *     sandbox_decode()  asks                             ->    codec_decode() into the region
 *                       checks what it says, makes a
 *                       buffer of the pages themselves   <-
 *     sandbox_close()   gives the worker back
 *
 * One worker serves one job at a time.  A worker that dies, is late or speaks nonsense fails that
 * job and is replaced by the keeper, a thread of the sandbox, which is also the only one that
 * starts processes: the kernel ends a worker with the thread that started it.
 *
 * What is in a picture's pages may change while they are looked at, if the worker was taken over:
 * they hold colours and times, never a size or an index, so whoever reads them gets other colours.
 *
 * Locks: one, `lock`, over the workers' states, their lists of regions, the block table and the
 * counts; never held over a system call that waits.  A picture may be dropped by any thread.
 */
#ifndef DP_RENDER_SANDBOX_H
#define DP_RENDER_SANDBOX_H

#include "render/codec.h"
#include "render/sandbox_process.h"

#define SANDBOX_WORKERS_MAX    64u
#define SANDBOX_DETAIL_BYTES   160u
#define SANDBOX_MEMORY_DEFAULT ((size_t)1 << 30)
#define SANDBOX_JOBS_DEFAULT   1000u

typedef struct sandbox sandbox;

typedef struct sandbox_config {
    const char *program;    /* (optional) path of danpool-decoder; NULL or "": it is looked for */
    unsigned workers;       /* processes, 1 .. SANDBOX_WORKERS_MAX */
    size_t memory_bytes;    /* (optional) private memory of each, 0 = 1 GiB */
    unsigned jobs_max;      /* (optional) a worker is replaced after so many, 0 = 1,000 */
    size_t input_bytes_max; /* of a source */
    uint64_t input_pixels_max; /* of a picture, all frames of one that moves together */
    bool need_filter;          /* refuse workers without a system call filter */
} sandbox_config;

typedef struct sandbox_stats {
    unsigned workers;       /* that are to be */
    unsigned workers_ready; /* that are there, at work or not */
    bool filtered;          /* the filter is in force in all that were started */
    uint64_t jobs;          /* opened */
    uint64_t started;       /* processes */
    uint64_t deaths[SANDBOX_CAUSE_COUNT];
    uint64_t refused;         /* jobs turned away for what they did before */
    unsigned sources_blocked; /* now */
} sandbox_stats;

struct sandbox_worker;
struct sandbox_region;

/* One picture on its way; the members are the sandbox's own.  Lives where the caller puts it. */
typedef struct sandbox_job {
    sandbox *box;
    render_task *task;
    struct sandbox_worker *worker; /* NULL: none any more */
    struct sandbox_region *region; /* NULL: none, or the picture has it */
    uint64_t number;
    media_bytes source;
    size_t place_bytes; /* in the region, behind the source */
    uint64_t hash;      /* of the source, once somebody had to know */
    bool is_open;       /* the worker holds a decoder */
    media_info info;
} sandbox_job;

/*
 * Starts the first worker and waits for it, so that what cannot work is known at once; the rest
 * start in the background.  The pool must outlive the sandbox.  On failure `detail` says why:
 * DP_ERR_NOT_FOUND (no program), DP_ERR_UNSUPPORTED (no filter, no memory files), DP_ERR_NOMEM,
 * DP_ERR_IO, DP_ERR_TIMEOUT.
 */
dp_status sandbox_create(dp_pool *pool, const sandbox_config *config,
                         char detail[SANDBOX_DETAIL_BYTES], sandbox **out);

/* Ends every worker.  No job may be open and no picture held.  NULL is fine. */
void sandbox_destroy(sandbox *box);

/*
 * Reads a picture's header; out->info tells.  Beside what codec_open() says: DP_ERR_FORMAT (its
 * decoder died, or the source is one that did this before), DP_ERR_TIMEOUT, DP_ERR_QUOTA (the
 * task's tenant sent too many that killed), DP_ERR_BUSY (no worker came free).  All with words.
 * The source stays as it is until sandbox_close().  Thread safe; the job itself is for one thread.
 */
dp_status sandbox_open(sandbox *box, render_task *task, media_bytes source, sandbox_job *out);

/*
 * Decodes: a drawing as often as is wanted, a picture once.  The picture's buffer is the region
 * itself, of tier shm.
 */
dp_status sandbox_decode(sandbox_job *job, const decode_hints *hints, picture *out);

/* Ends the job, at whatever stage it is. */
void sandbox_close(sandbox_job *job);

void sandbox_stats_read(sandbox *box, sandbox_stats *out);

#endif
