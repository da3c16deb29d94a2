/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the results of a batch are called: the output itself for one picture, else in the output's
 * directory the file's name with the size, where there are several, and the format's ending.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/batch.h"
#include "ctl/ctl.h"
#include "pool/os.h"

/* "dir/photo-160x90.webp" of "album/photo.jpg"; NULL without memory. */
static char *name_in_directory(const batch_options *options, const char *file, batch_size size)
{
    char path[BATCH_PATH_BYTES], suffix[32] = "";
    const char *slash = strrchr(file, '/');
    const char *name = slash == NULL ? file : slash + 1;
    const char *dot = strrchr(name, '.');
    const int stem_bytes = (int)(dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name));
    const char *between = options->output[strlen(options->output) - 1] == '/' ? "" : "/";

    if (options->size_count > 1) {
        snprintf(suffix, sizeof suffix, "-%ux%u", size.width, size.height);
    }
    const int length = snprintf(path, sizeof path, "%s%s%.*s%s.%s", options->output, between,
                                stem_bytes, name, suffix, dp_media_format_name(options->format));
    if (length < 0 || (size_t)length >= sizeof path) {
        ctl_error("%s: the name is too long", file);
        return NULL;
    }
    return os_strdup(path);
}

typedef struct named {
    const char *path, *file;
} named;

static int by_path(const void *a, const void *b)
{
    return strcmp(((const named *)a)->path, ((const named *)b)->path);
}

/* Says so where two results would be written to one file. */
static bool are_unlike(const batch_options *options, const batch_entry *entries)
{
    const size_t count = (size_t)options->file_count * options->size_count;
    named *all = os_calloc(count, sizeof *all);
    bool unlike = all != NULL;
    if (all == NULL) {
        ctl_error("no memory for the names");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const batch_entry *entry = &entries[i / options->size_count];
        all[i] = (named){entry->pictures[i % options->size_count].path, entry->file};
    }
    qsort(all, count, sizeof *all, by_path);
    for (size_t i = 1; i < count && unlike; i++) {
        if (strcmp(all[i - 1].path, all[i].path) == 0) {
            ctl_error("%s and %s would both become %s", all[i - 1].file, all[i].file, all[i].path);
            unlike = false;
        }
    }
    os_free(all);
    return unlike;
}

bool batch_name_outputs(const batch_options *options, batch_entry *entries)
{
    if (options->output == NULL) {
        return true;
    }
    for (int i = 0; i < options->file_count; i++) {
        for (unsigned k = 0; k < options->size_count; k++) {
            char **path = &entries[i].pictures[k].path;
            *path = options->output_is_directory
                        ? name_in_directory(options, entries[i].file, options->sizes[k])
                        : os_strdup(options->output);
            if (*path == NULL) {
                return false;
            }
        }
    }
    return are_unlike(options, entries);
}

void batch_free_names(const batch_options *options, batch_entry *entries)
{
    for (int i = 0; i < options->file_count; i++) {
        for (unsigned k = 0; k < options->size_count; k++) {
            os_free(entries[i].pictures[k].path);
        }
    }
}
