/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What danpoolctl render and thumb share: many files through one pipeline.
 *
 *     main thread: read -> submit -> wait, print in order
 *     workers:     render -> write the files -> note what came of it
 *
 * An entry is the main thread's until its job is submitted, then the worker's until it is marked
 * done under the batch's lock, then the main thread's again.
 */
#ifndef DP_CTL_BATCH_H
#define DP_CTL_BATCH_H

#include <stdbool.h>

#include "render/render.h"

#define BATCH_PATH_BYTES 4096

/* The sheet's cells are one output more. */
#define BATCH_SIZES_MAX (DP_RENDER_OUTPUTS_MAX - 1u)

typedef struct batch_size {
    uint32_t width, height;
} batch_size;

typedef struct batch_options {
    const char *command; /* for messages */
    char **files;        /* borrowed */
    int file_count;
    const char *output; /* (optional) a file, or a directory where output_is_directory */
    bool output_is_directory;
    const char *sheet; /* (optional) */
    bool labels;       /* file names on the sheet */
    bool json;
    batch_size sizes[BATCH_SIZES_MAX];
    unsigned size_count;
    dp_render_fit fit;
    dp_media_format format;
    dp_render_animation animation;
    dp_backend_choice backend;
    unsigned workers; /* 0 = one a core */
} batch_options;

/* One picture that was written, or would have been. */
typedef struct batch_picture {
    char *path; /* NULL: none was asked for */
    dp_media_format format;
    uint32_t width, height, frame_count;
    size_t size_bytes;
    dp_tier_id tier;
} batch_picture;

/* One file and what came of it. */
typedef struct batch_entry {
    const char *file;
    bool done;
    dp_status status;
    char message[640];
    dp_render_result result; /* its pictures are gone */
    batch_picture pictures[BATCH_SIZES_MAX];
} batch_entry;

/* Renders all files; the process's exit status. */
int batch_run(const batch_options *options);

/* What an entry's pictures are called; false, with words said, where two would be one file. */
bool batch_name_outputs(const batch_options *options, batch_entry *entries);
void batch_free_names(const batch_options *options, batch_entry *entries);

/* ---- report.c: what is printed ---- */

void report_entry(const batch_options *options, const batch_entry *entry);
void report_summary(const batch_options *options, unsigned failed, uint64_t spent_ns,
                    const char *backend);
/* On a terminal alone; rewrites its own line. */
void report_progress(unsigned done, unsigned failed, unsigned count, uint64_t spent_ns);
void report_progress_clear(void);

#endif
